#include "tests/unit/read_back.h"

#include <stdbool.h>
#include <string.h>

struct features read_back_features;

static union reading_storage last;

int read_back_setup(void **state)
{
    char error[256];
    bool is_legal =
        features_parse(&read_back_features, "temperature,pressure", error, sizeof(error));

    (void)state;
    return is_legal ? 0 : 1;
}

static void on_item(void *user, const struct reading_item *item)
{
    struct read_back *seen = user;

    seen->items++;
    seen->error = item->error;
    if (item->reading)
        memcpy(&last, item->reading, reading_size(read_back_features.count));
}

struct read_back read_back(struct buffer *payload)
{
    const struct reading_rules rules = {.features = &read_back_features,
                                        .future_tolerance_us = 60000000};
    const struct reading_source source = {.device_id = READ_BACK_DEVICE,
                                          .received_at_us = READ_BACK_AT_US,
                                          .first_received_at_us = READ_BACK_AT_US};
    struct read_back seen = {.reading = &last};

    reading_json_parse(&rules, &source, buffer_text(payload), payload->bytes, on_item, &seen);
    return seen;
}

void read_back_ordinary(union reading_storage *out)
{
    *out = (union reading_storage){
        .reading = {.recorded_at_us = READ_BACK_AT_US, .status = STATUS_ON}};
    out->reading.values[0] = 101.3;
    out->reading.values[1] = 12.5;
}
