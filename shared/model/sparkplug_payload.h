/* sparkplug_payload.h: Sparkplug B payloads, read and written.
 *
 * Shape    a payload has a timestamp, a sequence number and metrics; a metric has a name or an alias or
 *          both, and a value in one of several fields. What that field means says the datatype, which
 *          may have come in another message, the birth: sparkplug_value() is given it.
 * Units    milliseconds since 1970, as they are on the wire.
 * Errors   enum sparkplug_fault. Texts are bytes: whoever uses one says whether it is UTF-8.
 * Limits   SPARKPLUG_METRICS_MOST, SPARKPLUG_MEMORY_MOST: two bytes make an empty metric, which takes a hundred
 *          times as much in memory. Nothing is followed by recursion (sparkplug.proto).
 * Owner    struct sparkplug_reader keeps its memory from message to message; what was read points into it until
 *          the next one is. sparkplug_reader_release() frees it.
 * Source   Eclipse Sparkplug 3.0, chapter 6; libprotobuf-c does the wire format.
 */
#ifndef HIGHWATER_SPARKPLUG_PAYLOAD_H
#define HIGHWATER_SPARKPLUG_PAYLOAD_H

#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPARKPLUG_METRICS_MOST = 100000, SPARKPLUG_MEMORY_MOST = 64 * 1024 * 1024 };

/* As numbered in the specification; what follows them are property sets, templates and arrays. */
enum sparkplug_type {
    SPARKPLUG_UNKNOWN,
    SPARKPLUG_INT8,
    SPARKPLUG_INT16,
    SPARKPLUG_INT32,
    SPARKPLUG_INT64,
    SPARKPLUG_UINT8,
    SPARKPLUG_UINT16,
    SPARKPLUG_UINT32,
    SPARKPLUG_UINT64,
    SPARKPLUG_FLOAT,
    SPARKPLUG_DOUBLE,
    SPARKPLUG_BOOLEAN,
    SPARKPLUG_STRING,
    SPARKPLUG_DATETIME,
    SPARKPLUG_TEXT,
    SPARKPLUG_UUID
};

/* The field that a value stands in. */
enum sparkplug_field {
    SPARKPLUG_IN_NONE,
    SPARKPLUG_IN_INT,
    SPARKPLUG_IN_LONG,
    SPARKPLUG_IN_FLOAT,
    SPARKPLUG_IN_DOUBLE,
    SPARKPLUG_IN_BOOLEAN,
    SPARKPLUG_IN_STRING,
    SPARKPLUG_IN_OTHER /* bytes, a data set, a template, an extension */
};

struct sparkplug_text {
    const char *text; /* NULL: not there */
    size_t bytes;
};

struct sparkplug_metric {
    struct sparkplug_text name;
    bool has_alias;
    bool has_timestamp;
    bool is_historical;
    bool is_null;
    uint32_t type; /* SPARKPLUG_UNKNOWN: not said */
    enum sparkplug_field field;
    uint64_t alias;
    uint64_t timestamp_ms;
    uint64_t whole;             /* of INT, LONG and BOOLEAN */
    double real;                /* of FLOAT and DOUBLE */
    struct sparkplug_text text; /* of STRING */
};

struct sparkplug_payload {
    bool has_timestamp;
    bool has_seq;
    uint64_t timestamp_ms;
    uint64_t seq;
    size_t metric_count;
};

enum sparkplug_fault {
    SPARKPLUG_FINE,
    SPARKPLUG_NOT_PROTOBUF,
    SPARKPLUG_TOO_MANY_METRICS,
    SPARKPLUG_TOO_LARGE
};

struct sparkplug_reader {
    struct sparkplug_block *newest;
    size_t used;
    bool is_exhausted;
    struct Sparkplug__Payload *read;
};

enum sparkplug_fault sparkplug_read(struct sparkplug_reader *reader, const void *data, size_t bytes,
                                    struct sparkplug_payload *out);

/* The metric with that position in what was read last. */
struct sparkplug_metric sparkplug_metric_at(const struct sparkplug_reader *reader, size_t position);

void sparkplug_reader_release(struct sparkplug_reader *reader);

enum sparkplug_kind {
    SPARKPLUG_NO_VALUE,
    SPARKPLUG_SIGNED,
    SPARKPLUG_UNSIGNED,
    SPARKPLUG_REAL,
    SPARKPLUG_TRUTH,
    SPARKPLUG_WORDS
};

struct sparkplug_value {
    enum sparkplug_kind kind;
    union {
        int64_t number;
        uint64_t natural; /* and of TRUTH */
        double real;
        struct sparkplug_text text;
    };
};

/* What a metric of that type says. Signed numbers stand in unsigned fields as two's complement, and encoders
 * differ in how wide they write it, and in which of the two fields: the type's own width counts. */
struct sparkplug_value sparkplug_value(const struct sparkplug_metric *metric, uint32_t type);

/* Whether the value means the same whatever the type is. */
static inline bool sparkplug_needs_type(const struct sparkplug_metric *metric)
{
    return !metric->is_null &&
           (metric->field == SPARKPLUG_IN_INT || metric->field == SPARKPLUG_IN_LONG);
}

/* Appends a payload of these metrics to `out`; payload->metric_count of them. */
void sparkplug_write(struct buffer *out, const struct sparkplug_payload *payload,
                     const struct sparkplug_metric *metrics);

#endif
