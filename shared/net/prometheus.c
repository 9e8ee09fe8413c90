#include "shared/net/prometheus.h"

#include "shared/base/json_write.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

void prometheus_head(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void prometheus_number(struct buffer *out, const char *name, const char *type, const char *help,
                       double value)
{
    prometheus_head(out, name, type, help);
    buffer_printf(out, "%s ", name);
    json_write_double(out, value);
    buffer_put_text(out, "\n");
}

void prometheus_samples(struct buffer *out, const struct prometheus_sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        prometheus_number(out, samples[i].name, samples[i].type, samples[i].help, samples[i].value);
}

static double resident_bytes(void)
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

void prometheus_process(struct buffer *out)
{
    struct rusage usage;
    double cpu_s;

    getrusage(RUSAGE_SELF, &usage);
    cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    prometheus_number(out, "process_cpu_seconds_total", "counter", "User and system time.", cpu_s);
    prometheus_number(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
                      resident_bytes());
    prometheus_number(out, "process_open_fds", "gauge", "Open descriptors.", open_descriptors());
}
