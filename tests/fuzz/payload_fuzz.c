/* Any bytes as a payload: an item comes for every element, and what is accepted is a reading that is
 * the same when its bytes come again alone, and says the same when it is written as JSON and read. */
#include "shared/base/mem.h"
#include "shared/model/reading_json.h"
#include "shared/model/topic.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define NOW_US INT64_C(1795521600000000) /* 2026-11-24 */
static struct features features;
static size_t items;
static int depth;
static bool are_other_bytes;

static const struct reading_rules rules = {.features = &features,
                                           .earliest_us = INT64_C(946684800000000),
                                           .future_tolerance_us = 60000000};
static const struct reading_source source = {
    .device_id = "d", .received_at_us = NOW_US, .first_received_at_us = NOW_US};

static void on_item(void *user, const struct reading_item *item)
{
    const struct reading *expected = user;
    struct buffer json = {0};

    if (depth == 0)
        items++;
    assert((item->error == READING_OK) == (item->reading != NULL));
    assert(strlen(item->detail) < READING_DETAIL_SIZE &&
           (item->detail[0] != '\0') == !item->reading);
    assert(depth > 0 || item->received_at_us == NOW_US + (int64_t)items - 1);
    if (item->error) {
        assert(!expected);
        return;
    }
    assert(item->reading->content_hash == reading_content_hash(item->bytes, item->length));
    assert(item->bytes[0] == '{' && item->bytes[item->length - 1] == '}');
    assert(item->seq >= -1 && item->seq <= INT64_C(9007199254740992));
    assert(item->reading->recorded_at_us >= rules.earliest_us);
    assert(item->reading->recorded_at_us <= NOW_US + rules.future_tolerance_us);
    assert(item->reading->status < STATUS_COUNT);
    for (size_t i = 0; i < features.count; i++)
        assert(isnan(item->reading->values[i]) || isfinite(item->reading->values[i]));
    if (expected) {
        union reading_storage same;

        memcpy(&same, item->reading, reading_size(features.count));
        if (are_other_bytes)
            same.reading.content_hash = expected->content_hash;
        if (!item->has_timestamp)
            same.reading.recorded_at_us = expected->recorded_at_us;
        assert(reading_equals(expected, &same.reading, features.count));
    } else if (depth == 0) {
        depth++;
        reading_json_parse(&rules, &source, item->bytes, item->length, on_item,
                           (void *)item->reading);
        reading_json_write(&json, "d", item->reading, &features);
        are_other_bytes = true;
        reading_json_parse(&rules, &source, (const char *)json.data, json.bytes, on_item,
                           (void *)item->reading);
        are_other_bytes = false;
        depth--;
        buffer_release(&json);
    }
}

/* In parts, of copies, come the same elements. */
static void take_in_parts(const char *text, size_t bytes, size_t most)
{
    struct reading_rest rest;
    unsigned whole = items;

    items = 0;
    reading_json_begin(&rules, &source, text, bytes, most, &rest, on_item, NULL);
    while (rest.is_there) {
        char *copy = mem_alloc(bytes);

        memcpy(copy, text, bytes);
        reading_json_continue(&rules, &source, copy, most, &rest, on_item, NULL);
        free(copy);
    }
    assert(items == whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char error[128];
    char *text;

    if (features.count == 0)
        assert(features_parse(&features, FEATURES_DEFAULT, error, sizeof(error)));
    text = mem_alloc(bytes); /* of exactly this size, so that a read behind its end is seen */
    if (bytes > 0)
        memcpy(text, data, bytes);
    items = 0;
    reading_json_parse(&rules, &source, text, bytes, on_item, NULL);
    assert(items > 0);
    take_in_parts(text, bytes, 1 + bytes % 3);
    free(text);
    return 0;
}
