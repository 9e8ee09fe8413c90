/* record.h: records of a log: the contract's payload (json.h), whose the record's key is.
 *
 * Shape    of the records of collectors, whatever their topic was: they have been decoded, one reading each,
 *          and say themselves what its identity is, for their value has no longer the bytes that were
 *          received. Of those of others what no topic filter and no mapping claims; these may have several
 *          readings.
 * Errors   as json.h; a record without a key that is a device's id is rejected whole.
 */
#ifndef HIGHWATER_DECODERS_RECORD_H
#define HIGHWATER_DECODERS_RECORD_H

#include "collector/decoder.h"

enum record_origin { RECORD_OF_COLLECTORS, RECORD_OF_OTHERS };

struct record_decoder {
    struct decoder decoder;
    const struct reading_rules *rules;
    enum record_origin origin;
    const struct source_message *message; /* that is being read */
};

void record_decoder_init(struct record_decoder *record, const struct reading_rules *rules,
                         enum record_origin origin, const struct decoder_taker *taker);

#endif
