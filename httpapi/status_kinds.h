/* status_kinds.h: the kinds of members that a status has: which values are good, and how they are
 * written for people.
 *
 * Shape    a table by enum status_kind_id. What is written is made from what was understood.
 * Errors   is_good() is false; `legal` says what would be.
 * Owner    tokens point into the text (json_walk.h).
 */
#ifndef HIGHWATER_STATUS_KINDS_H
#define HIGHWATER_STATUS_KINDS_H

#include "shared/base/buffer.h"
#include "shared/model/json_scan.h"

#include <stdbool.h>
#include <stdint.h>

enum status_kind_id {
    STATUS_KIND_STATE,
    STATUS_KIND_TEXT,
    STATUS_KIND_TIMESTAMP,
    STATUS_KIND_FLAG,
    STATUS_KIND_COUNT,
    STATUS_KIND_NUMBER,
    STATUS_KIND_NAMES, /* of strings */
    STATUS_KIND_WORDS_BY,
    STATUS_KIND_INTERVALS, /* of {"name","lengthMs"} */
    STATUS_KIND_THRESHOLDS, /* of {"feature","above" or "below","back"}, "devices" where it is known */
    STATUS_KIND_COUNTS,     /* an array of counts */
    STATUS_KIND_COUNTS_BY, /* an object of counts */
    STATUS_KINDS
};

struct status_kind {
    bool (*is_good)(const struct json_token *token);
    void (*put)(struct buffer *out, const struct json_token *token); /* a good one */
    const char *legal;
};

extern const struct status_kind status_kinds[STATUS_KINDS];

/* What good ones say; false for others. */
bool status_read_count(const struct json_token *token, int64_t *out);
bool status_read_timestamp(const struct json_token *token, int64_t *out_us);

/* Of good thresholds: how many devices are beyond, one that is beyond two twice; -1 where one does not say it. */
int64_t status_read_beyond(const struct json_token *thresholds);

/* The name and the length of an interval, which is all that one has. */
bool status_split_interval(const struct json_token *token, struct json_token *name,
                           struct json_token *length);

#endif
