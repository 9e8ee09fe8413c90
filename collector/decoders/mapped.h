/* mapped.h: the messages of devices that were made for something else (mapping.h), as a decoder.
 *
 * Shape    all of a message is read before its first reading is handed out (mapping.h says why); the
 *          readings themselves wait in the run, so a large one is still stored in parts.
 */
#ifndef HIGHWATER_DECODERS_MAPPED_H
#define HIGHWATER_DECODERS_MAPPED_H

#include "collector/decoder.h"
#include "collector/decoders/mapping.h"

struct mapped_decoder {
    struct decoder decoder;
    struct mapping_run run;
    const struct subscriptions *subscriptions;
    char device[DEVICE_ID_SIZE]; /* of the item before, "" = none */
    void (*on_about)(void *user,
                     const struct about *about); /* of the taker; NULL: nobody keeps that */
};

/* All of them must outlive it. Whoever keeps what devices are called sets on_about afterwards. */
void mapped_decoder_init(struct mapped_decoder *mapped, const struct mappings *mappings,
                         const struct reading_rules *rules,
                         const struct subscriptions *subscriptions,
                         const struct decoder_taker *taker);

#endif
