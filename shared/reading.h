/* reading.h: one reading, the value everything here is about.
 *
 * Shape    a head of 16 bytes, then one double per configured feature, in the order of the
 *          FEATURES setting; NAN = the reading has no such feature. reading_size() gives the
 *          stride of an array of them. Which device it belongs to is kept beside it.
 * Units    recorded_at_us: microseconds since 1970-01-01T00:00:00Z, as the device gave it.
 *          Values in whatever unit the device uses; Highwater compares them, no more.
 * Identity (device, recorded_at_us, content_hash). Two readings of one device with the same time
 *          and hash are the same reading, delivered twice.
 * Errors   none here; reading_json.h makes readings out of bytes and says what was wrong.
 */
#ifndef HIGHWATER_READING_H
#define HIGHWATER_READING_H

#include "shared/features.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reading_status {
    STATUS_ABSENT,
    STATUS_ON,
    STATUS_OFF,
    STATUS_ACTIVE,
    STATUS_INACTIVE,
    STATUS_COUNT
};

struct reading {
    int64_t recorded_at_us;
    int32_t content_hash; /* as in the database, so that both compare it alike */
    uint8_t status;       /* enum reading_status */
    uint8_t reserved[3];
    double values[];
};

/* A reading of any feature count on the stack. */
union reading_storage {
    struct reading reading;
    unsigned char bytes[sizeof(struct reading) + FEATURES_MAX * sizeof(double)];
};

static inline size_t reading_size(size_t feature_count)
{
    return sizeof(struct reading) + feature_count * sizeof(double);
}

/* "ON", or NULL for STATUS_ABSENT. */
const char *reading_status_text(enum reading_status status);

/* STATUS_COUNT when the text is no status. */
enum reading_status reading_status_parse(const char *text);

/* The hash that goes into content_hash: of the status and of every feature present, by name, so
 * that neither the order of FEATURES nor features that a reading does not have change it. It is
 * stored in the primary key: changing it doubles every reading that is delivered twice. */
int32_t reading_content_hash(const struct reading *reading, const struct features *features);

/* True when the two are the same reading, values compared bit for bit. */
bool reading_equals(const struct reading *a, const struct reading *b, size_t feature_count);

#endif
