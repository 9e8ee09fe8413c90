/* peaks.h: which readings of a batch are better than all that their device ever sent.
 *
 * Shape    binary COPY rows for the table peaks: one per device and ranking that a batch improves.
 *          Written in the batch's own transaction, and only ever upwards (the statement compares),
 *          so peaks never say more than readings and never move backwards.
 * Owner    nothing is kept.
 */
#ifndef HIGHWATER_PEAKS_H
#define HIGHWATER_PEAKS_H

#include "collector/batch.h"
#include "collector/windows.h"
#include "shared/features.h"

/* Appends the header, the rows and the trailer; returns how many rows. */
size_t peaks_encode(const struct batch *batch, const struct devices *devices,
                    const struct windows *windows, const struct features *features,
                    struct buffer *out);

/* "content_hash, recorded_at, ..." with every feature: the columns of peaks, in the order encoded.
 */
void peaks_columns(struct buffer *out, const struct features *features);

/* The statement that takes peaks_stage into peaks. */
void peaks_merge_sql(struct buffer *out, const struct features *features);

#endif
