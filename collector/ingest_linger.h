/* ingest_linger.h: for how long a batch waits for more, of the gate's (ingest.h). */
#ifndef HIGHWATER_INGEST_LINGER_H
#define HIGHWATER_INGEST_LINGER_H

#include "collector/ingest.h"

/* From its first message on, which came now. */
uint64_t ingest_linger_ms(const struct ingest *ingest);

/* It has lingered: whether it waits for more all the same. To be asked once each time. */
bool ingest_goes_on_lingering(struct ingest *ingest);

#endif
