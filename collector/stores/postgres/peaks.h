/* peaks.h: what the table peaks is known to hold, so that a batch sends it only what may be news.
 *
 * Shape    per device and ranking (a feature, and which way; both ways always) a bound: a value and a
 *          time that the table's row is known to equal or beat. A batch sends, of the readings that it
 *          stores past the trigger, each device's best of a ranking unless the bound beats it; the
 *          database compares with the row (schema/006_peaks.sql) and answers with the rows that are
 *          better than what was sent.
 * Promise  a bound comes out of a transaction of this process alone, after its COMMIT. So it may be too
 *          low, which costs a row sent in vain, and never too high, which would lose a peak. What the
 *          windows hold is no bound: it may have been taken out of the tables again.
 * Units    microseconds, as in reading.h.
 * Owner    whoever embeds the struct; peaks_release() frees its arrays. `features` is borrowed.
 */
#ifndef HIGHWATER_PEAKS_H
#define HIGHWATER_PEAKS_H

#include "collector/stores/postgres/rows.h"
#include "shared/model/board.h"
#include "shared/model/features.h"

struct peaks_bound {
    double height; /* the value, turned so that larger is better; -INFINITY = nothing is known */
    int64_t recorded_at_us;
};

struct peaks_sent {
    size_t at; /* in bounds */
    struct peaks_bound bound;
};

struct peaks {
    const struct features *features;
    struct peaks_bound *bounds; /* per device, per feature, per enum sort_order */
    size_t device_count;        /* that there are bounds of */
    struct peaks_sent *sent;    /* by the transaction that runs */
    size_t sent_count;
    size_t sent_capacity;
};

void peaks_init(struct peaks *peaks, const struct features *features);
void peaks_release(struct peaks *peaks);

/* A transaction begins; one before it that was not committed is forgotten. */
void peaks_begin(struct peaks *peaks);

/* Appends the header, a row for each reading of the batch that is stored with `span` and may be
 * news, and the trailer. Returns how many rows. */
size_t peaks_encode(struct peaks *peaks, const struct batch *batch, const struct refs *refs,
                    const struct rows_span *span, struct buffer *out);

/* "device, content_hash, ...": the columns in the order encoded. */
void peaks_put_columns(struct buffer *out, const struct features *features);

/* The database answered that it holds a better one than was sent. */
void peaks_answered(struct peaks *peaks, uint32_t device, size_t feature, enum sort_order order,
                    double value, int64_t recorded_at_us);

/* The transaction was committed. */
void peaks_committed(struct peaks *peaks);

/* Rows of this device were taken out, or made worse. */
void peaks_forget(struct peaks *peaks, uint32_t device);

#endif
