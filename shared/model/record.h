/* record.h: a reading, or a rejected message, as a record of a log such as Kafka's.
 *
 * Shape    of a reading: the key is its device's id, the value the contract's payload of this reading
 *          alone (payload.h), always with its time to the microsecond. It is made anew even where the
 *          device's own bytes would do: so every reader of the topic finds one form, and what a device
 *          adds to its messages cannot make a record too large. Headers, all text:
 *          identity   its content_hash (reading.h), 16 hexadecimal digits: of the bytes as they were
 *                     received, which the value no longer has
 *          arrival    when that was, RFC 3339 in UTC with microseconds
 *          topic      that it was published to
 *          Of a rejected message: the value is its bytes; arrival and topic as above, and
 *          reason     the name of an enum reading_error
 *          detail     a sentence
 *          device     whose it is, where that is known
 * Errors   none. Anybody may write records: a header that is not known, or not what is said above, is
 *          one that is not there, and of two with a name the later counts.
 * Owner    what is written points into the caller's texts and into the struct itself, so it stays where
 *          it is. What is read points into the record.
 */
#ifndef HIGHWATER_RECORD_H
#define HIGHWATER_RECORD_H

#include "shared/base/buffer.h"
#include "shared/base/timestamp.h"
#include "shared/model/reading.h"
#include "shared/model/reading_json.h"

/* Rejected messages go to the topic with this behind its name. */
#define RECORD_REJECTED_SUFFIX ".rejected"

enum { RECORD_IDENTITY_DIGITS = 16, RECORD_HEADERS_MAX = 5 };

struct record_header {
    const char *name;
    const char *value;
    size_t bytes;
};

struct record_headers {
    struct record_header items[RECORD_HEADERS_MAX];
    size_t count;
    char identity[RECORD_IDENTITY_DIGITS];
    char arrival[TIMESTAMP_TEXT_SIZE];
};

struct record_rejected {
    const char *reason;
    const char *detail;
    const char *topic;
    const char *device; /* NULL = not known */
    int64_t arrival_us;
};

void record_headers_of_reading(struct record_headers *out, int64_t content_hash, int64_t arrival_us,
                               const char *topic, size_t topic_bytes);
void record_headers_of_rejected(struct record_headers *out, const struct record_rejected *message);

/* What the headers of a record say. Texts are bytes without a NUL; NULL = not there. */
struct record {
    bool has_identity;
    bool has_arrival;
    bool has_reason;           /* so it is a rejected message */
    int64_t content_hash;      /* with has_identity */
    int64_t arrival_us;        /* with has_arrival */
    enum reading_error reason; /* with has_reason; READING_ERROR_COUNT = a name we do not know */
    const char *reason_text;
    size_t reason_bytes;
    const char *detail;
    size_t detail_bytes;
    const char *topic;
    size_t topic_bytes;
    const char *device; /* a legal id */
    size_t device_bytes;
};

/* Takes note of a header; begin with a zeroed struct. `value` NULL = a null of Kafka's. */
void record_take_header(struct record *record, const char *name, const void *value, size_t bytes);

#endif
