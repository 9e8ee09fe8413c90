/* intake.h: the part of ingest.h that takes messages apart and fills the batch.
 *
 * Shape    a message goes into the batch that fills when it arrives, up to `batch_size` elements of
 *          it. One that has more is kept in ingest->backlog, and each call of intake_go_on() takes
 *          as many again; what arrives meanwhile waits after it. So neither a transaction nor a
 *          turn of the loop grows with the message. ingest.h sees to it that nothing is acknowledged
 *          while there is a backlog.
 * Rejected elements come into the batch with the last part of their message (rejects.h).
 */
#ifndef HIGHWATER_INTAKE_H
#define HIGHWATER_INTAKE_H

#include "collector/ingest.h"

/* Makes the decoders, by ingest->config. */
void intake_init(struct ingest *ingest);
void intake_release(struct ingest *ingest);

void intake_begin(struct ingest *ingest, const struct source_message *message);

/* Takes a part of what waits; there must be a backlog. */
void intake_go_on(struct ingest *ingest);

/* Appends the topic of a row. */
void intake_put_topic(const struct ingest *ingest, const struct batch *batch,
                      const struct batch_row *row, struct buffer *out);

/* The batch that fills has as many readings as it is to have, or as many bytes. */
bool intake_is_full(const struct ingest *ingest);

#endif
