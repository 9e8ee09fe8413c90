/* sparkplug_bench.h: ten metrics of Sparkplug by alias, and the births that explain them.
 *
 * Shape    six doubles and four Int32; names and types are in a birth, data has neither. Without a sequence, which
 *          nobody follows here.
 */
#ifndef HIGHWATER_SPARKPLUG_BENCH_H
#define HIGHWATER_SPARKPLUG_BENCH_H

#include "collector/decoders/sparkplug.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPARKPLUG_BENCH_METRICS = 10, SPARKPLUG_BENCH_DOUBLES = 6 };

static void sparkplug_bench_put(struct buffer *out, bool is_birth, double temperature,
                                double pressure, int64_t at_us)
{
    static const char *const names[SPARKPLUG_BENCH_METRICS] = {
        "Oil/Temperature", "Oil/Pressure", "Speed", "Torque",  "Load",
        "Level",           "Strokes",      "Flow",  "Voltage", "Running"};
    struct sparkplug_metric metrics[SPARKPLUG_BENCH_METRICS] = {0};
    const struct sparkplug_payload payload = {.has_timestamp = true,
                                              .timestamp_ms = (uint64_t)at_us / 1000,
                                              .metric_count = SPARKPLUG_BENCH_METRICS};

    for (size_t i = 0; i < SPARKPLUG_BENCH_METRICS; i++) {
        struct sparkplug_metric *metric = &metrics[i];
        bool is_double = i < SPARKPLUG_BENCH_DOUBLES;

        metric->has_alias = true;
        metric->alias = i + 1;
        metric->field = is_double ? SPARKPLUG_IN_DOUBLE : SPARKPLUG_IN_INT;
        metric->real = i == 0 ? temperature : pressure;
        metric->whole = (uint64_t)temperature;
        if (is_birth) {
            metric->name = (struct sparkplug_text){names[i], strlen(names[i])};
            metric->type = is_double ? SPARKPLUG_DOUBLE : SPARKPLUG_INT32;
        }
    }
    sparkplug_write(out, &payload, metrics);
}

static int sparkplug_bench_data(char *out, double temperature, double pressure, int64_t at_us)
{
    struct buffer bytes = {0};
    int count;

    sparkplug_bench_put(&bytes, false, temperature, pressure, at_us);
    count = (int)bytes.bytes;
    memcpy(out, bytes.data, bytes.bytes);
    buffer_release(&bytes);
    return count;
}

static void sparkplug_bench_birth(struct sparkplug *state, const char *topic)
{
    struct sparkplug_message message = {.topic = topic, .epoch = 1, .now_us = 1};
    struct sparkplug_result result;
    struct buffer bytes = {0};
    struct buffer json = {0};

    sparkplug_bench_put(&bytes, true, 1, 1, 1);
    message.payload = bytes.data;
    message.bytes = bytes.bytes;
    if (sparkplug_take(state, &message, &json, &result) != SPARKPLUG_READ)
        abort();
    buffer_release(&bytes);
    buffer_release(&json);
}

static void sparkplug_bench_births(struct sparkplug *state, size_t devices)
{
    char topic[64];

    sparkplug_bench_birth(state, "spBv1.0/G/NBIRTH/E");
    for (size_t device = 1; device <= devices; device++) {
        snprintf(topic, sizeof(topic), "spBv1.0/G/DBIRTH/E/device_%zu", device);
        sparkplug_bench_birth(state, topic);
    }
}

#endif
