#include "collector/decoders/sparkplug_inner.h"

#include "shared/base/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void put_natural(struct buffer *out, uint64_t natural)
{
    char text[24];
    char *at = text + sizeof(text);

    do {
        *--at = (char)('0' + natural % 10);
        natural /= 10;
    } while (natural > 0);
    buffer_put(out, at, (size_t)(text + sizeof(text) - at));
}

/* json_write_double() looks for the shortest text, which for a float that was made a double takes three tries
 * to find that all 17 digits are needed. */
static void put_real(struct buffer *out, double real)
{
    if (isnan(real))
        buffer_put_text(out, "\"nan\"");
    else if (isinf(real))
        buffer_put_text(out, real > 0 ? "\"inf\"" : "\"-inf\"");
    else if (round(real * 100) / 100 == real)
        json_write_double(out, real);
    else
        buffer_printf(out, "%.17g", real);
}

static bool put_value(struct buffer *out, const struct sparkplug_value *value,
                      enum reading_error *error)
{
    switch (value->kind) {
    case SPARKPLUG_SIGNED:
        if (value->number < 0)
            buffer_put(out, "-", 1);
        put_natural(out, value->number < 0 ? -(uint64_t)value->number : (uint64_t)value->number);
        break;
    case SPARKPLUG_UNSIGNED:
        put_natural(out, value->natural);
        break;
    case SPARKPLUG_REAL:
        put_real(out, value->real);
        break;
    case SPARKPLUG_TRUTH:
        buffer_put_text(out, value->natural ? "true" : "false");
        break;
    case SPARKPLUG_WORDS:
        return sparkplug_put_text(out, &value->text, error);
    case SPARKPLUG_NO_VALUE:
        buffer_put_text(out, "null");
        break;
    }
    return true;
}

static bool fail_unknown(const struct sparkplug_metric *metric, enum reading_error *error,
                         char *detail)
{
    *error = READING_UNKNOWN_ALIAS;
    if (metric->name.text)
        snprintf(detail, READING_DETAIL_SIZE,
                 "an integer without a type, of a name that no birth has");
    else
        snprintf(detail, READING_DETAIL_SIZE, "no birth gives the alias %" PRIu64 " a name",
                 metric->alias);
    return false;
}

/* With its type, from the metric itself or its birth. */
static bool put_name(struct buffer *out, struct sparkplug_metric *metric,
                     const struct sparkplug_birth *birth, enum reading_error *error, char *detail)
{
    const struct sparkplug_name *known = NULL;
    size_t at = out->bytes;

    if (birth && metric->has_alias)
        known = sparkplug_names_by_alias(&birth->names, metric->alias);
    if (!metric->name.text) {
        if (!known)
            return fail_unknown(metric, error, detail);
        buffer_put(out, known->json, known->json_bytes);
    } else if (!sparkplug_put_text(out, &metric->name, error)) {
        snprintf(detail, READING_DETAIL_SIZE, "in a metric's name");
        return false;
    }
    if (metric->type != SPARKPLUG_UNKNOWN || !sparkplug_needs_type(metric))
        return true;
    if (!known && birth)
        known =
            sparkplug_names_by_json(&birth->names, (const char *)out->data + at, out->bytes - at);
    if (!known)
        return fail_unknown(metric, error, detail);
    metric->type = known->type;
    return true;
}

static void put_time(struct buffer *out, const struct sparkplug_metric *metric,
                     const struct sparkplug_payload *payload)
{
    if (!metric->has_timestamp && !payload->has_timestamp)
        return;
    buffer_put_text(out, ",\"timestamp\":");
    put_natural(out, metric->has_timestamp ? metric->timestamp_ms : payload->timestamp_ms);
}

/* Not whether it is historical: that says how it came, and a node that does not know whether a value arrived
 * sends it so the second time. Both are one reading, whose identity is what stands here. */
static bool put_metric(struct buffer *out, const struct sparkplug_payload *payload,
                       struct sparkplug_metric *metric, const struct sparkplug_birth *birth,
                       enum reading_error *error, char *detail)
{
    struct sparkplug_value value;

    buffer_put_text(out, "{\"name\":");
    if (!put_name(out, metric, birth, error, detail))
        return false;
    put_time(out, metric, payload);
    buffer_put_text(out, ",\"value\":");
    value = sparkplug_value(metric, metric->type);
    if (!put_value(out, &value, error)) {
        snprintf(detail, READING_DETAIL_SIZE, "in a metric's value");
        return false;
    }
    buffer_put_text(out, "}");
    return true;
}

bool sparkplug_put_json(const struct sparkplug_reader *reader, struct buffer *out,
                        const struct sparkplug_payload *payload,
                        const struct sparkplug_birth *birth, enum reading_error *error,
                        char detail[READING_DETAIL_SIZE])
{
    const char *before = "";

    buffer_put_text(out, "{");
    if (payload->has_timestamp) {
        buffer_put_text(out, "\"timestamp\":");
        put_natural(out, payload->timestamp_ms);
        buffer_put_text(out, ",");
    }
    if (payload->has_seq) {
        buffer_put_text(out, "\"seq\":");
        put_natural(out, payload->seq);
        buffer_put_text(out, ",");
    }
    buffer_put_text(out, "\"metrics\":[");
    for (size_t i = 0; i < payload->metric_count; i++) {
        struct sparkplug_metric metric = sparkplug_metric_at(reader, i);

        if (!metric.name.text && !metric.has_alias)
            continue;
        buffer_put_text(out, before);
        if (!put_metric(out, payload, &metric, birth, error, detail))
            return false;
        before = ",";
    }
    buffer_put_text(out, "]}");
    return true;
}
