#include "shared/model/reading.h"

#include <assert.h>
#include <string.h>
#include <xxhash.h>

static_assert(sizeof(struct reading) == 16, "time and status share a word");
static_assert(STATUS_COUNT <= 8, "a status has three bits");

static const char *const status_texts[STATUS_COUNT] = {
    [STATUS_ON] = "ON",
    [STATUS_OFF] = "OFF",
    [STATUS_ACTIVE] = "ACTIVE",
    [STATUS_INACTIVE] = "INACTIVE",
};

const char *reading_status_text(enum reading_status status)
{
    return status < STATUS_COUNT ? status_texts[status] : NULL;
}

enum reading_status reading_status_parse(const char *text)
{
    enum reading_status status = STATUS_ON;

    while (status < STATUS_COUNT && strcmp(text, status_texts[status]) != 0)
        status++;
    return status;
}

int64_t reading_content_hash(const char *json, size_t bytes)
{
    return (int64_t)XXH3_64bits(json, bytes);
}

bool reading_equals(const struct reading *a, const struct reading *b, size_t feature_count)
{
    return memcmp(a, b, reading_size(feature_count)) == 0;
}
