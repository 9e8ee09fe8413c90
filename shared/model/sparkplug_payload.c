/* libprotobuf-c allocates once for each metric and text. Of a block that is emptied all at once that costs next to
 * nothing, and there is one place where it can be said how much a message may take. */
#include "shared/model/sparkplug_payload.h"

#include "shared/base/mem.h"
#include "sparkplug.pb-c.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory --------------------------------------------------------------------------------- */

enum { BLOCK_BYTES = 64 * 1024 };

struct sparkplug_block {
    struct sparkplug_block *older;
    size_t used;
    size_t capacity;
    alignas(max_align_t) unsigned char bytes[];
};

static void add_block(struct sparkplug_reader *reader, size_t least)
{
    size_t capacity = least > BLOCK_BYTES ? least : BLOCK_BYTES;
    struct sparkplug_block *block = mem_alloc(sizeof(*block) + capacity);

    *block = (struct sparkplug_block){.older = reader->newest, .capacity = capacity};
    reader->newest = block;
}

static void *take(void *user, size_t bytes)
{
    struct sparkplug_reader *reader = user;
    size_t wanted = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    void *taken;

    if (bytes > SPARKPLUG_MEMORY_MOST || reader->used + wanted > SPARKPLUG_MEMORY_MOST) {
        reader->is_exhausted = true;
        return NULL;
    }
    reader->used += wanted;
    if (!reader->newest || reader->newest->capacity - reader->newest->used < wanted)
        add_block(reader, wanted);
    taken = reader->newest->bytes + reader->newest->used;
    reader->newest->used += wanted;
    return taken;
}

static void leave(void *user, void *taken)
{
    (void)user;
    (void)taken;
}

static void free_newest(struct sparkplug_reader *reader)
{
    struct sparkplug_block *block = reader->newest;

    reader->newest = block->older;
    free(block);
}

/* Keeps one block, so that a steady load allocates nothing. */
static void empty(struct sparkplug_reader *reader)
{
    while (reader->newest && (reader->newest->older || reader->newest->capacity > BLOCK_BYTES))
        free_newest(reader);
    if (reader->newest)
        reader->newest->used = 0;
    reader->used = 0;
    reader->is_exhausted = false;
    reader->read = NULL;
}

void sparkplug_reader_release(struct sparkplug_reader *reader)
{
    while (reader->newest)
        free_newest(reader);
    reader->read = NULL;
}

/* ---- read ----------------------------------------------------------------------------------- */

enum sparkplug_fault sparkplug_read(struct sparkplug_reader *reader, const void *data, size_t bytes,
                                    struct sparkplug_payload *out)
{
    ProtobufCAllocator allocator = {.alloc = take, .free = leave, .allocator_data = reader};
    Sparkplug__Payload *read;

    empty(reader);
    read = sparkplug__payload__unpack(&allocator, bytes, bytes > 0 ? data : (const void *)"");
    if (!read)
        return reader->is_exhausted ? SPARKPLUG_TOO_LARGE : SPARKPLUG_NOT_PROTOBUF;
    if (read->n_metrics > SPARKPLUG_METRICS_MOST)
        return SPARKPLUG_TOO_MANY_METRICS;
    reader->read = read;
    *out = (struct sparkplug_payload){.has_timestamp = read->has_timestamp,
                                      .has_seq = read->has_seq,
                                      .timestamp_ms = read->timestamp,
                                      .seq = read->seq,
                                      .metric_count = read->n_metrics};
    return SPARKPLUG_FINE;
}

static struct sparkplug_text text_of(bool is_there, const ProtobufCBinaryData *data)
{
    if (!is_there)
        return (struct sparkplug_text){0};
    return (struct sparkplug_text){data->len > 0 ? (const char *)data->data : "", data->len};
}

static void read_value(struct sparkplug_metric *out, const Sparkplug__Metric *from)
{
    switch (from->value_case) {
    case SPARKPLUG__METRIC__VALUE_INT_VALUE:
        out->field = SPARKPLUG_IN_INT;
        out->whole = from->int_value;
        break;
    case SPARKPLUG__METRIC__VALUE_LONG_VALUE:
        out->field = SPARKPLUG_IN_LONG;
        out->whole = from->long_value;
        break;
    case SPARKPLUG__METRIC__VALUE_FLOAT_VALUE:
        out->field = SPARKPLUG_IN_FLOAT;
        out->real = (double)from->float_value;
        break;
    case SPARKPLUG__METRIC__VALUE_DOUBLE_VALUE:
        out->field = SPARKPLUG_IN_DOUBLE;
        out->real = from->double_value;
        break;
    case SPARKPLUG__METRIC__VALUE_BOOLEAN_VALUE:
        out->field = SPARKPLUG_IN_BOOLEAN;
        out->whole = from->boolean_value != 0;
        break;
    case SPARKPLUG__METRIC__VALUE_STRING_VALUE:
        out->field = SPARKPLUG_IN_STRING;
        out->text = text_of(true, &from->string_value);
        break;
    case SPARKPLUG__METRIC__VALUE__NOT_SET:
        break;
    default:
        out->field = SPARKPLUG_IN_OTHER;
    }
}

struct sparkplug_metric sparkplug_metric_at(const struct sparkplug_reader *reader, size_t position)
{
    const Sparkplug__Metric *from = reader->read->metrics[position];
    struct sparkplug_metric metric = {.name = text_of(from->has_name, &from->name),
                                      .has_alias = from->has_alias,
                                      .has_timestamp = from->has_timestamp,
                                      .is_historical =
                                          from->has_is_historical && from->is_historical,
                                      .is_null = from->has_is_null && from->is_null,
                                      .type = from->has_datatype ? from->datatype : 0,
                                      .alias = from->alias,
                                      .timestamp_ms = from->timestamp};

    read_value(&metric, from);
    return metric;
}

/* ---- values --------------------------------------------------------------------------------- */

static int64_t sign_extended(uint64_t number, unsigned bits)
{
    uint64_t sign = UINT64_C(1) << (bits - 1);

    return (int64_t)(((number & (2 * sign - 1)) ^ sign) - sign);
}

static struct sparkplug_value whole(uint64_t whole, uint32_t type)
{
    struct sparkplug_value value = {.kind = SPARKPLUG_SIGNED};

    switch (type) {
    case SPARKPLUG_INT8:
        value.number = sign_extended(whole, 8);
        break;
    case SPARKPLUG_INT16:
        value.number = sign_extended(whole, 16);
        break;
    case SPARKPLUG_INT32:
        value.number = sign_extended(whole, 32);
        break;
    case SPARKPLUG_INT64:
        value.number = (int64_t)whole;
        break;
    case SPARKPLUG_BOOLEAN:
        value.kind = SPARKPLUG_TRUTH;
        value.natural = whole != 0;
        break;
    default:
        value.kind = SPARKPLUG_UNSIGNED;
        value.natural = whole;
    }
    return value;
}

struct sparkplug_value sparkplug_value(const struct sparkplug_metric *metric, uint32_t type)
{
    if (metric->is_null)
        return (struct sparkplug_value){.kind = SPARKPLUG_NO_VALUE};
    switch (metric->field) {
    case SPARKPLUG_IN_INT:
    case SPARKPLUG_IN_LONG:
        return whole(metric->whole, type);
    case SPARKPLUG_IN_FLOAT:
    case SPARKPLUG_IN_DOUBLE:
        return (struct sparkplug_value){.kind = SPARKPLUG_REAL, .real = metric->real};
    case SPARKPLUG_IN_BOOLEAN:
        return (struct sparkplug_value){.kind = SPARKPLUG_TRUTH, .natural = metric->whole};
    case SPARKPLUG_IN_STRING:
        return (struct sparkplug_value){.kind = SPARKPLUG_WORDS, .text = metric->text};
    case SPARKPLUG_IN_NONE:
    case SPARKPLUG_IN_OTHER:
        break;
    }
    return (struct sparkplug_value){.kind = SPARKPLUG_NO_VALUE};
}

/* ---- write ---------------------------------------------------------------------------------- */

static ProtobufCBinaryData data_of(const struct sparkplug_text *text)
{
    return (ProtobufCBinaryData){.len = text->bytes, .data = (uint8_t *)(uintptr_t)text->text};
}

static void write_value(Sparkplug__Metric *out, const struct sparkplug_metric *from)
{
    switch (from->field) {
    case SPARKPLUG_IN_INT:
        out->value_case = SPARKPLUG__METRIC__VALUE_INT_VALUE;
        out->int_value = (uint32_t)from->whole;
        break;
    case SPARKPLUG_IN_LONG:
        out->value_case = SPARKPLUG__METRIC__VALUE_LONG_VALUE;
        out->long_value = from->whole;
        break;
    case SPARKPLUG_IN_FLOAT:
        out->value_case = SPARKPLUG__METRIC__VALUE_FLOAT_VALUE;
        out->float_value = (float)from->real;
        break;
    case SPARKPLUG_IN_DOUBLE:
        out->value_case = SPARKPLUG__METRIC__VALUE_DOUBLE_VALUE;
        out->double_value = from->real;
        break;
    case SPARKPLUG_IN_BOOLEAN:
        out->value_case = SPARKPLUG__METRIC__VALUE_BOOLEAN_VALUE;
        out->boolean_value = from->whole != 0;
        break;
    case SPARKPLUG_IN_STRING:
        out->value_case = SPARKPLUG__METRIC__VALUE_STRING_VALUE;
        out->string_value = data_of(&from->text);
        break;
    case SPARKPLUG_IN_NONE:
    case SPARKPLUG_IN_OTHER:
        break;
    }
}

static Sparkplug__Metric written(const struct sparkplug_metric *from)
{
    Sparkplug__Metric metric = SPARKPLUG__METRIC__INIT;

    metric.has_name = from->name.text != NULL;
    metric.name = data_of(&from->name);
    metric.has_alias = from->has_alias;
    metric.alias = from->alias;
    metric.has_timestamp = from->has_timestamp;
    metric.timestamp = from->timestamp_ms;
    metric.has_datatype = from->type != SPARKPLUG_UNKNOWN;
    metric.datatype = from->type;
    metric.has_is_historical = from->is_historical;
    metric.is_historical = from->is_historical;
    metric.has_is_null = from->is_null;
    metric.is_null = from->is_null;
    write_value(&metric, from);
    return metric;
}

void sparkplug_write(struct buffer *out, const struct sparkplug_payload *payload,
                     const struct sparkplug_metric *metrics)
{
    size_t count = payload->metric_count;
    Sparkplug__Metric *all = mem_calloc(count + 1, sizeof(*all));
    Sparkplug__Metric **each = mem_calloc(count + 1, sizeof(*each));
    Sparkplug__Payload message = SPARKPLUG__PAYLOAD__INIT;
    size_t bytes;

    for (size_t i = 0; i < count; i++) {
        all[i] = written(&metrics[i]);
        each[i] = &all[i];
    }
    message.n_metrics = count;
    message.metrics = each;
    message.has_timestamp = payload->has_timestamp;
    message.timestamp = payload->timestamp_ms;
    message.has_seq = payload->has_seq;
    message.seq = payload->seq;
    bytes = sparkplug__payload__get_packed_size(&message);
    sparkplug__payload__pack(&message, buffer_reserve(out, bytes));
    out->bytes += bytes;
    free(each);
    free(all);
}
