/* json.h: the contract's payload: one reading as a JSON object, or an array of them (reading_json.h).
 *
 * Shape    the device is in the topic, at the one + of a filter. The filters are whoever's they are, and
 *          may change between two messages.
 * Cost     this is the fast path: one call for the device of a message, one for each reading.
 */
#ifndef HIGHWATER_DECODERS_JSON_H
#define HIGHWATER_DECODERS_JSON_H

#include "collector/decoder.h"

struct json_decoder {
    struct decoder decoder;
    const struct reading_rules *rules;
    const struct topic_filter *filters;
    const size_t *filter_count;
    uint16_t first_number; /* of its filters */
};

void json_decoder_init(struct json_decoder *json, const struct reading_rules *rules,
                       const struct topic_filter *filters, const size_t *filter_count,
                       uint16_t first_number, const struct decoder_taker *taker);

#endif
