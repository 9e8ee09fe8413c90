#include "collector/decoders/mapping_try.h"

#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct lines {
    struct buffer *out;
    const struct features *features;
    bool is_rejected;
};

static void put_reading(struct lines *lines, const char *id, const struct reading_item *item)
{
    const struct reading *reading = item->reading;
    const char *status = reading_status_text((enum reading_status)reading->status);
    char when[TIMESTAMP_TEXT_SIZE] = "arrival";

    if (item->has_timestamp)
        timestamp_format(when, reading->recorded_at_us);
    buffer_put_text(lines->out, "{\"deviceId\":");
    json_write_string(lines->out, id);
    buffer_printf(lines->out, ",\"timestamp\":\"%s\"", when);
    if (item->seq >= 0)
        buffer_printf(lines->out, ",\"seq\":%" PRId64, item->seq);
    if (status)
        buffer_printf(lines->out, ",\"status\":\"%s\"", status);
    for (size_t i = 0; i < lines->features->count; i++) {
        if (isnan(reading->values[i]))
            continue;
        buffer_printf(lines->out, ",\"%s\":", lines->features->names[i]);
        json_write_double(lines->out, reading->values[i]);
    }
    buffer_put_text(lines->out, "}\n");
}

static void on_item(void *user, const char *id, const struct reading_item *item)
{
    struct lines *lines = user;

    if (!item->error) {
        put_reading(lines, id, item);
        return;
    }
    lines->is_rejected = true;
    buffer_printf(lines->out, "{\"rejected\":\"%s\",\"detail\":", reading_error_text(item->error));
    json_write_string(lines->out, item->detail);
    buffer_put_text(lines->out, "}\n");
}

static void put_member(struct buffer *out, const char **before, const char *name, const char *value)
{
    if (!value)
        return;
    buffer_printf(out, "%s\"%s\":", *before, name);
    json_write_string(out, value);
    *before = ",";
}

static void put_about(struct buffer *out, const struct about *about)
{
    const char *before = "{";

    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, about->device);
    buffer_put_text(out, ",\"about\":");
    put_member(out, &before, "label", about->label);
    put_member(out, &before, "group", about->group);
    if (about->location)
        buffer_printf(out, "%s\"location\":%s", before, about->location);
    buffer_put_text(out, about->label || about->group || about->location ? "}}\n" : "null}\n");
}

bool mapping_try_message(struct buffer *out, const struct mappings *mappings,
                         const struct reading_rules *rules, int64_t now_us, const char *topic,
                         const char *payload, size_t bytes)
{
    const struct reading_source source = {.received_at_us = now_us, .first_received_at_us = now_us};
    struct lines lines = {.out = out, .features = rules->features};
    enum decoder_outcome outcome;
    struct sparkplug sparkplug = {0};
    struct mapping_run run;

    mapping_run_init(&run, mappings, rules);
    run.sparkplug = mappings_have_sparkplug(mappings) ? &sparkplug : NULL;
    outcome = mapping_begin(&run, &source, topic, payload, bytes);
    for (size_t i = 0; i < run.abouts.count; i++)
        put_about(out, &run.abouts.items[i]);
    if (outcome == DECODER_READ)
        mapping_take(&run, payload, bytes, SIZE_MAX, on_item, &lines);
    else
        buffer_printf(out, "{\"ignored\":\"%s\"}\n", decoder_outcome_text(outcome));
    mapping_run_release(&run);
    sparkplug_release(&sparkplug);
    return !lines.is_rejected;
}

bool mapping_try_topics(struct buffer *out, const struct mappings *mappings)
{
    struct subscriptions subscriptions = {0};
    const char *fault = mappings_subscribe(mappings, true, &subscriptions);

    subscriptions_join(&subscriptions, "\n", out);
    buffer_printf(out, "\n%s", fault ? fault : "");
    subscriptions_release(&subscriptions);
    return !fault;
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void read_all(struct buffer *out, FILE *from)
{
    enum { AT_ONCE = 65536 };
    size_t bytes;

    do {
        bytes = fread(buffer_reserve(out, AT_ONCE), 1, AT_ONCE, from);
        out->bytes += bytes;
    } while (bytes > 0);
}

static bool try_input(const struct mapping_try_config *config, struct buffer *out)
{
    struct buffer payload = {0};
    bool is_good;

    read_all(&payload, stdin);
    is_good = mapping_try_message(out, config->mappings, config->rules, config->now_us,
                                  config->topic, (const char *)payload.data, payload.bytes);
    buffer_release(&payload);
    return is_good;
}

int mapping_try_run(const struct mapping_try_config *config)
{
    struct buffer out = {0};
    bool is_good = true;

    if (config->topic)
        is_good = try_input(config, &out);
    else
        is_good = mapping_try_topics(&out, config->mappings);
    fwrite(out.data, 1, out.bytes, stdout);
    buffer_release(&out);
    return fflush(stdout) == 0 && is_good ? 0 : 1;
}
