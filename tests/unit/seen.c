#include "tests/unit/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct features seen_features;
struct reading_rules seen_rules = {.features = &seen_features,
                                   .earliest_us = INT64_C(946684800000000),
                                   .future_tolerance_us = 60000000};
const struct reading_source seen_source = {
    .device_id = "d", .received_at_us = NOW_US, .first_received_at_us = NOW_US};

int seen_setup(void **state)
{
    char error[128];

    (void)state;
    return features_parse(&seen_features, FEATURES_DEFAULT, error, sizeof(error)) ? 0 : -1;
}

void seen_on_item(void *user, const struct reading_item *item)
{
    struct seen *seen = user;
    size_t i = seen->count++;

    assert_true(i < SEEN_MAX);
    seen->errors[i] = item->error;
    snprintf(seen->bytes[i], sizeof(seen->bytes[i]), "%.*s", (int)item->length, item->bytes);
    snprintf(seen->detail[i], sizeof(seen->detail[i]), "%s", item->detail);
    seen->seq[i] = item->seq;
    seen->unknown[i] = item->unknown_members;
    if (!item->reading)
        return;
    seen->recorded_at_us[i] = item->reading->recorded_at_us;
    seen->temperature[i] = item->reading->values[0];
    seen->pressure[i] = item->reading->values[1];
    seen->status[i] = item->reading->status;
    seen->hash[i] = item->reading->content_hash;
}

struct seen seen_parse_bytes(const char *text, size_t bytes)
{
    struct seen seen = {0};

    seen.taken_off =
        reading_json_parse(&seen_rules, &seen_source, text, bytes, seen_on_item, &seen);
    return seen;
}

struct seen seen_parse(const char *text)
{
    return seen_parse_bytes(text, strlen(text));
}
