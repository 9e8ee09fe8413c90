/* reading_json.h: readings out of payloads, and into JSON.
 *
 * Shape    a payload is one JSON object or an array of them. Each becomes one struct reading_item:
 *          a reading, or the reason why it is none. Nothing is dropped without an item.
 * Units    microseconds since 1970; a numeric timestamp is taken as s, ms, us or ns by its size.
 * Errors   enum reading_error, whose text goes into rejected_messages.reason, and a sentence in
 *          `detail` that names the value and what is legal.
 * Owner    an item and all it points to is valid during the callback only.
 * Source   RFC 8259 (json_scan.h), RFC 3339.
 */
#ifndef HIGHWATER_READING_JSON_H
#define HIGHWATER_READING_JSON_H

#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/model/reading.h"

enum reading_error {
    READING_OK,
    READING_EMPTY,
    READING_NOT_JSON,
    READING_TRAILING_BYTES,
    READING_TOO_DEEP,
    READING_INVALID_UTF8,
    READING_NUL_CHARACTER,
    READING_NOT_AN_OBJECT,
    READING_DUPLICATE_MEMBER,
    READING_TOO_MANY_MEMBERS,
    READING_WRONG_TYPE,
    READING_NOT_FINITE,
    READING_NUMBER_TOO_LONG,
    READING_NO_SUCH_TOPIC, /* of any filter of ours */
    READING_BAD_DEVICE_ID,
    READING_DEVICE_ID_MISMATCH,
    READING_BAD_TIMESTAMP,
    READING_TIMESTAMP_IN_FUTURE,
    READING_TIMESTAMP_TOO_OLD,
    READING_UNKNOWN_STATUS,
    READING_NO_VALUE,
    READING_UNKNOWN_ALIAS, /* of Sparkplug: the birth that explains it is missing */
    READING_BAD_ABOUT,     /* a device says something illegal of itself */
    READING_RETAINED,
    READING_REFUSED_BY_DATABASE,
    READING_ERROR_COUNT
};

/* Members that an object may have beside one for each feature. */
enum { READING_MEMBERS_MAX = 64, READING_DETAIL_SIZE = 200 };

struct reading_rules {
    const struct features *features;
    int64_t earliest_us; /* older timestamps come from a broken clock */
    int64_t most_age_us; /* so do those that were older than this on arrival; 0 = of any age */
    int64_t future_tolerance_us; /* how far ahead of us a device's clock may be */
};

/* Where a payload comes from. Both times are those of its first element; each further one counts
 * as a microsecond later, so that elements which say no time are told apart. */
struct reading_source {
    const char *device_id; /* the topic's */
    int64_t received_at_us;
    int64_t first_received_at_us; /* earlier when it was rejected then and is sent again; stands in
                                     for a time that is not given */
};

struct reading_item {
    enum reading_error error;
    const struct reading *reading; /* NULL when error */
    const char *detail;            /* "" when it is a reading */
    const char *bytes; /* the part of the payload this item came from, no white space around it */
    size_t length;
    int64_t received_at_us;
    int64_t first_received_at_us;
    int64_t seq;              /* the device's own number for it, -1 when it gave none */
    bool has_timestamp;       /* false: the arrival time stands in, and duplicates cannot be told */
    unsigned unknown_members; /* ignored, but counted */
};

typedef void (*reading_item_fn)(void *user, const struct reading_item *item);

/* Sets earliest_us, or most_age_us, which leaves the other at its default. Takes a date
 * (2020-01-01), RFC 3339, or an age with a unit (30d); false for anything else. */
#define READING_EARLIEST_DEFAULT "2020-01-01"
bool reading_rules_set_earliest(struct reading_rules *rules, const char *text);

/* "not_json", as stored in rejected_messages.reason. */
const char *reading_error_text(enum reading_error error);

/* What stood around a payload and is no part of it. */
enum {
    READING_BYTE_ORDER_MARK = 1, /* at its start */
    READING_TRAILING_NUL = 2     /* at its end: a C string that was sent with its own */
};

/* Calls on_item for every element of the payload, at least once. Returns what was taken off it.
 * In an array, what is no JSON (NaN, say) costs its element alone, as long as it can be told where
 * the elements end. */
unsigned reading_json_parse(const struct reading_rules *rules, const struct reading_source *source,
                            const char *text, size_t bytes, reading_item_fn on_item, void *user);

/* What of an array is still to be taken. */
struct reading_rest {
    bool is_there;
    int64_t items; /* that were taken: the next one has this index */
    /* of reading_json.c: */
    size_t from; /* in the payload: where JSON begins, */
    size_t bytes;
    size_t at;       /* and, in that, the comma before the next element */
    bool has_faults; /* not all of it is JSON */
};

/* The same for the first `most` elements, at least one. What is left can be taken later, of the
 * same bytes or a copy of them. All of the payload is looked through here, once. */
unsigned reading_json_begin(const struct reading_rules *rules, const struct reading_source *source,
                            const char *text, size_t bytes, size_t most, struct reading_rest *rest,
                            reading_item_fn on_item, void *user);

/* Takes up to `most` more of what is there. */
void reading_json_continue(const struct reading_rules *rules, const struct reading_source *source,
                           const char *text, size_t most, struct reading_rest *rest,
                           reading_item_fn on_item, void *user);

/* {"deviceId":..,"timestamp":..,"status":..,<feature>:..}; what is absent is null. */
void reading_json_write(struct buffer *out, const char *device_id, const struct reading *reading,
                        const struct features *features);

#endif
