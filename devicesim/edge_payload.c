#include "devicesim/edge_payload.h"

#include "shared/model/sparkplug_payload.h"
#include "shared/model/sparkplug_topic.h"

#include <math.h>
#include <string.h>

enum { US_PER_MS = 1000 };

static struct sparkplug_text text_of(const char *text)
{
    return (struct sparkplug_text){text, strlen(text)};
}

static struct sparkplug_metric bd_seq_metric(uint8_t bd_seq)
{
    return (struct sparkplug_metric){.name = text_of("bdSeq"),
                                     .type = SPARKPLUG_INT64,
                                     .field = SPARKPLUG_IN_LONG,
                                     .whole = bd_seq};
}

/* From 1; the status has the last one. */
static uint64_t alias_of(uint32_t place, size_t metric, const struct features *features)
{
    return (uint64_t)place * (features->count + 1) + metric + 1;
}

void edge_payload_node_birth(struct buffer *out, uint8_t bd_seq, int64_t now_ms)
{
    const struct sparkplug_metric metrics[] = {bd_seq_metric(bd_seq),
                                               {.name = text_of(SPARKPLUG_REBIRTH),
                                                .type = SPARKPLUG_BOOLEAN,
                                                .field = SPARKPLUG_IN_BOOLEAN}};

    sparkplug_write(out,
                    &(struct sparkplug_payload){.has_timestamp = true,
                                                .timestamp_ms = (uint64_t)now_ms,
                                                .has_seq = true,
                                                .metric_count = 2},
                    metrics);
}

void edge_payload_node_death(struct buffer *out, uint8_t bd_seq)
{
    const struct sparkplug_metric metric = bd_seq_metric(bd_seq);

    sparkplug_write(out, &(struct sparkplug_payload){.metric_count = 1}, &metric);
}

static struct sparkplug_payload numbered(uint8_t seq, int64_t now_ms, size_t metrics)
{
    return (struct sparkplug_payload){.has_timestamp = true,
                                      .timestamp_ms = (uint64_t)now_ms,
                                      .has_seq = true,
                                      .seq = seq,
                                      .metric_count = metrics};
}

void edge_payload_birth(struct buffer *out, uint8_t seq, int64_t now_ms, uint32_t place,
                        const struct features *features)
{
    struct sparkplug_metric metrics[FEATURES_MAX + 1];
    struct sparkplug_payload payload = numbered(seq, now_ms, features->count + 1);

    for (size_t i = 0; i <= features->count; i++) {
        bool is_status = i == features->count;

        metrics[i] = (struct sparkplug_metric){
            .name = text_of(is_status ? EDGE_STATUS_METRIC : features->names[i]),
            .has_alias = true,
            .alias = alias_of(place, i, features),
            .type = is_status ? SPARKPLUG_STRING : SPARKPLUG_DOUBLE,
            .is_null = true};
    }
    sparkplug_write(out, &payload, metrics);
}

void edge_payload_data(struct buffer *out, uint8_t seq, int64_t now_ms, uint32_t place,
                       const struct reading *reading, const struct features *features,
                       bool is_historical)
{
    const char *status = reading_status_text((enum reading_status)reading->status);
    struct sparkplug_metric metrics[FEATURES_MAX + 1];
    struct sparkplug_payload payload;
    size_t count = 0;

    for (size_t i = 0; i <= features->count; i++) {
        bool is_status = i == features->count;

        if (is_status ? !status : isnan(reading->values[i]))
            continue;
        metrics[count] = (struct sparkplug_metric){
            .has_alias = true,
            .alias = alias_of(place, i, features),
            .has_timestamp = true,
            .timestamp_ms = (uint64_t)(reading->recorded_at_us / US_PER_MS),
            .is_historical = is_historical,
            .field = is_status ? SPARKPLUG_IN_STRING : SPARKPLUG_IN_DOUBLE};
        if (is_status)
            metrics[count].text = text_of(status);
        else
            metrics[count].real = reading->values[i];
        count++;
    }
    payload = numbered(seq, now_ms, count);
    sparkplug_write(out, &payload, metrics);
}

bool edge_payload_is_rebirth(const void *data, size_t bytes)
{
    struct sparkplug_reader reader = {0};
    struct sparkplug_payload payload = {0};
    bool is_rebirth = false;

    if (sparkplug_read(&reader, data, bytes, &payload) != SPARKPLUG_FINE)
        payload.metric_count = 0;
    for (size_t i = 0; i < payload.metric_count && !is_rebirth; i++) {
        struct sparkplug_metric metric = sparkplug_metric_at(&reader, i);

        is_rebirth = metric.name.bytes == strlen(SPARKPLUG_REBIRTH) &&
                     memcmp(metric.name.text, SPARKPLUG_REBIRTH, metric.name.bytes) == 0 &&
                     metric.field == SPARKPLUG_IN_BOOLEAN && metric.whole != 0;
    }
    sparkplug_reader_release(&reader);
    return is_rebirth;
}
