/* prometheus.h: numbers as Prometheus text.
 *
 * Shape    each metric is its HELP and TYPE lines, then its samples.
 * Units    seconds, bytes, counts, as the names say.
 * Errors   none. A value that cannot be known is left out by the caller: 0 would be a lie.
 * Source   Prometheus text format 0.0.4.
 */
#ifndef HIGHWATER_PROMETHEUS_H
#define HIGHWATER_PROMETHEUS_H

#include "shared/base/buckets.h"
#include "shared/base/buffer.h"

#include <stdint.h>

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct prometheus_label {
    const char *name;
    const char *value; /* any text */
};

/* Where metrics go, and a label that all their samples have. */
struct prometheus {
    struct buffer *out;
    struct prometheus_label common; /* name NULL = none */
};

/* The lines above the samples; `type` is counter, gauge or histogram. */
void prometheus_head(const struct prometheus *to, const char *name, const char *type,
                     const char *help);

/* A sample, below its head. */
void prometheus_value(const struct prometheus *to, const char *name,
                      const struct prometheus_label *labels, size_t label_count, double value);

/* The same with one label. */
void prometheus_labelled(const struct prometheus *to, const char *name, const char *label,
                         const char *label_value, double value);

/* A metric of one sample without labels of its own. */
void prometheus_number(const struct prometheus *to, const char *name, const char *type,
                       const char *help, double value);

/* The samples of a histogram, below its head; `label` may be NULL. */
void prometheus_histogram(const struct prometheus *to, const char *name,
                          const struct prometheus_label *label, const struct bucket_bounds *bounds,
                          const struct buckets *buckets);

/* Metrics of one sample each, without labels of their own, as a table. */
struct prometheus_sample {
    const char *name;
    const char *type;
    const char *help;
    double value;
};

void prometheus_samples(const struct prometheus *to, const struct prometheus_sample *samples,
                        size_t count);

/* The same of an array. */
#define PROMETHEUS_WRITE(to, samples)                                                              \
    prometheus_samples(to, samples, sizeof(samples) / sizeof((samples)[0]))

/* What every process tells about itself: CPU, memory, descriptors, start, under the usual names. */
void prometheus_process(const struct prometheus *to, int64_t started_at_us);

/* Of this process; 0 when that cannot be read. */
double prometheus_resident_bytes(void);

#endif
