/* decoder.h: readings out of messages.
 *
 * Shape    a kind of payload is one decoder. It says whose the readings of a message are, and hands them
 *          out, at most `most` at a time: begin(), and then go_on() while there is a rest. A message is
 *          asked of the decoders in order, until one says that the topic is its own.
 * Identity is the decoder's: what content_hash is of, and which device a reading belongs to.
 * Errors   items with a reason; nothing is dropped without an item, except what the user's mapping says is
 *          not meant, or what says that it has no value: that is an outcome, and counted.
 * Owner    decoders are embedded in whoever runs them; what an item points to is valid during the call.
 */
#ifndef HIGHWATER_DECODER_H
#define HIGHWATER_DECODER_H

#include "collector/source.h"
#include "shared/model/reading_json.h"
#include "shared/model/topic.h"

enum decoder_outcome {
    DECODER_READ,      /* there were items, or there will be */
    DECODER_IGNORED,   /* the mapping says that such messages are to be ignored, */
    DECODER_NOT_MEANT, /* or no rule of it means this one, */
    DECODER_SAYS_NONE, /* or it says itself that it has no value: nan, unavailable */
    DECODER_NO_TOPIC,  /* not its topic */
    DECODER_OUTCOME_COUNT
};

/* "not_meant" */
const char *decoder_outcome_text(enum decoder_outcome outcome);

/* Whoever gets what is read. */
struct decoder_taker {
    void *user;
    /* Whose the items that follow are: `bytes` bytes. Returns the id as it is kept, NULL when it is
     * not legal. */
    const char *(*on_device)(void *user, const char *id, size_t bytes);
    reading_item_fn on_item;
};

struct decoder;

struct decoder_kind {
    const char *name;
    enum decoder_outcome (*begin)(struct decoder *decoder, const struct source_message *message,
                                  struct reading_source *source, size_t most,
                                  struct reading_rest *rest);
    /* Of the same bytes or a copy of them. */
    void (*go_on)(struct decoder *decoder, const struct source_message *message,
                  struct reading_source *source, size_t most, struct reading_rest *rest);
    void (*release)(struct decoder *decoder);
};

struct decoder {
    const struct decoder_kind *kind;
    struct decoder_taker taker;
    /* of the message that was begun last: */
    const struct topic_filter
        *filter;            /* with the device's id its topic; NULL: it is not that simple */
    uint16_t filter_number; /* as whoever made the decoder numbers its filters */
    bool is_shared;         /* others of a group may get other messages of the same device */
    unsigned taken_off;     /* READING_BYTE_ORDER_MARK, READING_TRAILING_NUL */
};

#endif
