/* rows.h: what a batch becomes in the tables, as rows of a binary COPY.
 *
 * Shape    the rows alone: header and trailer are the caller's (pg_binary.h).
 * Owner    nothing is kept.
 */
#ifndef HIGHWATER_ROWS_H
#define HIGHWATER_ROWS_H

#include "collector/batch.h"
#include "collector/stores/postgres/refs.h"

/* A span of recorded_at, the end excluded, or what is not in it. */
struct rows_span {
    int64_t from_us;
    int64_t until_us;
    bool is_outside;
};

/* True when the row is still to be stored and its reading belongs to the span; NULL = any time. */
bool rows_is_due(const struct batch_row *row, const struct rows_span *span);

/* Appends those of the sorted rows [from, to) that are due, as rows of readings: device, content_hash,
 * recorded_at, received_at, status, seq, features. Returns how many. */
size_t rows_put_readings(const struct batch *batch, const struct refs *refs, size_t from, size_t to,
                         const struct rows_span *span, struct buffer *out);

#define ROWS_REJECTED_COLUMNS "received_at, topic, device_id, payload, reason, detail"

/* Appends the rejected messages [from, to) as rows of rejected_messages. What is not valid UTF-8 in
 * a topic or a detail is replaced by '?'. */
void rows_put_rejected(const struct rejected_list *rejected, size_t from, size_t to,
                       struct buffer *out);

#endif
