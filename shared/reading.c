/* The content hash is FNV-1a over the feature's name, mixed with the value's bits by the
 * finalizer of splitmix64, summed over the features: a sum does not depend on their order. 32 bits
 * are enough, for they only tell apart readings of one device in one microsecond. */
#include "shared/reading.h"

#include <math.h>
#include <string.h>

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

static uint64_t mixed(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

int32_t reading_content_hash(const struct reading *reading, const struct features *features)
{
    uint64_t sum = mixed(reading->status + UINT64_C(0x9e3779b97f4a7c15));

    for (size_t i = 0; i < features->count; i++) {
        double value = reading->values[i];
        uint64_t bits;

        if (isnan(value))
            continue;
        memcpy(&bits, &value, sizeof(bits));
        sum += mixed(bits ^ features->name_hashes[i]);
    }
    sum = mixed(sum);
    return (int32_t)(uint32_t)(sum ^ (sum >> 32));
}

bool reading_equals(const struct reading *a, const struct reading *b, size_t feature_count)
{
    return memcmp(a, b, reading_size(feature_count)) == 0;
}
