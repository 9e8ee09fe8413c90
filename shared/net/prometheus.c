#include "shared/net/prometheus.h"

#include "shared/base/json_write.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BOUND_SIZE = 32 };

void prometheus_head(const struct prometheus *to, const char *name, const char *type,
                     const char *help)
{
    buffer_printf(to->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_label(struct buffer *out, char before, const struct prometheus_label *label)
{
    buffer_printf(out, "%c%s=\"", before, label->name);
    for (const char *at = label->value; *at; at++) {
        if (*at == '\n')
            buffer_put_text(out, "\\n");
        else if (*at == '"' || *at == '\\')
            buffer_printf(out, "\\%c", *at);
        else
            buffer_put(out, at, 1);
    }
    buffer_put_text(out, "\"");
}

void prometheus_value(const struct prometheus *to, const char *name,
                      const struct prometheus_label *labels, size_t label_count, double value)
{
    char before = '{';

    buffer_put_text(to->out, name);
    if (to->common.name) {
        put_label(to->out, before, &to->common);
        before = ',';
    }
    for (size_t i = 0; i < label_count; i++, before = ',')
        put_label(to->out, before, &labels[i]);
    buffer_put_text(to->out, before == ',' ? "} " : " ");
    if (isfinite(value))
        json_write_double(to->out, value);
    else
        buffer_put_text(to->out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
    buffer_put_text(to->out, "\n");
}

void prometheus_labelled(const struct prometheus *to, const char *name, const char *label,
                         const char *label_value, double value)
{
    const struct prometheus_label one = {label, label_value};

    prometheus_value(to, name, &one, 1, value);
}

void prometheus_number(const struct prometheus *to, const char *name, const char *type,
                       const char *help, double value)
{
    prometheus_head(to, name, type, help);
    prometheus_value(to, name, NULL, 0, value);
}

void prometheus_histogram(const struct prometheus *to, const char *name,
                          const struct prometheus_label *label, const struct bucket_bounds *bounds,
                          const struct buckets *buckets)
{
    struct prometheus_label labels[2];
    size_t count = 0;
    uint64_t upto = 0;
    char series[128];

    if (label)
        labels[count++] = *label;
    snprintf(series, sizeof(series), "%s_bucket", name);
    for (size_t i = 0; i <= bounds->count; i++) {
        char bound[BOUND_SIZE] = "+Inf";

        upto += buckets->counts[i];
        if (i < bounds->count)
            snprintf(bound, sizeof(bound), "%g", bounds->items[i]);
        labels[count] = (struct prometheus_label){"le", bound};
        prometheus_value(to, series, labels, count + 1, (double)upto);
    }
    snprintf(series, sizeof(series), "%s_sum", name);
    prometheus_value(to, series, labels, count, buckets->sum);
    snprintf(series, sizeof(series), "%s_count", name);
    prometheus_value(to, series, labels, count, (double)upto);
}

void prometheus_samples(const struct prometheus *to, const struct prometheus_sample *samples,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        prometheus_number(to, samples[i].name, samples[i].type, samples[i].help, samples[i].value);
}

double prometheus_resident_bytes(void)
{
    FILE *statm = fopen("/proc/self/statm", "r");
    unsigned long size;
    unsigned long resident = 0;

    if (!statm)
        return 0;
    if (fscanf(statm, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(statm);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    double count = -3; /* ".", ".." and the one just opened */

    if (!directory)
        return 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

void prometheus_process(const struct prometheus *to, int64_t started_at_us)
{
    struct rusage usage;
    double cpu_s;

    getrusage(RUSAGE_SELF, &usage);
    cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;

    const struct prometheus_sample samples[] = {
        {"process_cpu_seconds_total", "counter", "User and system time.", cpu_s},
        {"process_resident_memory_bytes", "gauge", "Resident memory.", prometheus_resident_bytes()},
        {"process_open_fds", "gauge", "Open descriptors.", open_descriptors()},
        {"process_start_time_seconds", "gauge", "When it started, since 1970.",
         (double)started_at_us / 1e6},
    };

    PROMETHEUS_WRITE(to, samples);
}
