/* ingest_account.h: the part of ingest.h that counts what has become of readings. What was in flight is counted in
 * one step, so that the sum (ingest.h) always adds up.
 */
#ifndef HIGHWATER_INGEST_ACCOUNT_H
#define HIGHWATER_INGEST_ACCOUNT_H

#include "collector/ingest.h"

/* The batch that is committing was stored; it is to be cleared next. */
void ingest_account_stored(struct ingest *ingest, const struct store_outcome *outcome);

/* What was received is not ours to store: nothing is in flight any more. It counts as duplicates, since it
 * comes again, and as stored what parts of a batch were committed in our own time. Returns how many go. */
uint64_t ingest_account_dropped(struct ingest *ingest);

#endif
