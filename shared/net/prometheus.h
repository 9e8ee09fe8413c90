/* prometheus.h: numbers as Prometheus text.
 *
 * Shape    each metric is its HELP and TYPE lines, then its samples.
 * Units    seconds, bytes, counts, as the names say.
 * Source   Prometheus text format 0.0.4.
 */
#ifndef HIGHWATER_PROMETHEUS_H
#define HIGHWATER_PROMETHEUS_H

#include "shared/base/buffer.h"

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The lines above the samples; `type` is counter, gauge or histogram. */
void prometheus_head(struct buffer *out, const char *name, const char *type, const char *help);

/* A metric of one sample without labels. */
void prometheus_number(struct buffer *out, const char *name, const char *type, const char *help,
                       double value);

/* Metrics of one sample each, without labels, as a table. */
struct prometheus_sample {
    const char *name;
    const char *type;
    const char *help;
    double value;
};

void prometheus_samples(struct buffer *out, const struct prometheus_sample *samples, size_t count);

/* The same of an array. */
#define PROMETHEUS_WRITE(out, samples)                                                             \
    prometheus_samples(out, samples, sizeof(samples) / sizeof((samples)[0]))

/* What every process tells about itself: CPU, memory, descriptors, under the usual names. */
void prometheus_process(struct buffer *out);

#endif
