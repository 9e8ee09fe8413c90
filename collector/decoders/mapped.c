#include "collector/decoders/mapped.h"

#include <assert.h>
#include <string.h>

static void on_item(void *user, const char *id, const struct reading_item *item)
{
    struct mapped_decoder *mapped = user;
    const struct decoder_taker *taker = &mapped->decoder.taker;

    if (id && strcmp(id, mapped->device) != 0) {
        size_t bytes = strlen(id);
        bool is_legal = taker->on_device(taker->user, id, bytes) != NULL;

        assert(is_legal && bytes < sizeof(mapped->device)); /* the mapping has judged it */
        (void)is_legal;
        memcpy(mapped->device, id, bytes + 1);
    }
    if (!id && mapped->device[0]) { /* not of the one before it */
        taker->on_device(taker->user, "", 0);
        mapped->device[0] = '\0';
    }
    taker->on_item(taker->user, item);
}

static void take(struct mapped_decoder *mapped, const struct source_message *message, size_t most,
                 struct reading_rest *rest)
{
    mapped->device[0] = '\0';
    rest->is_there =
        mapping_take(&mapped->run, message->payload, message->bytes, most, on_item, mapped);
}

/* Of all devices at once: there are a few, and that seldom. */
static void hand_out_abouts(struct mapped_decoder *mapped)
{
    struct abouts *abouts = &mapped->run.abouts;

    if (!mapped->on_about)
        return;
    for (size_t i = 0; i < abouts->count; i++)
        mapped->on_about(mapped->decoder.taker.user, &abouts->items[i]);
    abouts->count = 0;
}

static enum decoder_outcome begin(struct decoder *decoder, const struct source_message *message,
                                  struct reading_source *source, size_t most,
                                  struct reading_rest *rest)
{
    struct mapped_decoder *mapped = (struct mapped_decoder *)decoder;
    enum decoder_outcome outcome;

    mapped->run.is_again = message->rejected_id != 0;
    mapped->run.is_at_most_once = message->is_at_most_once;
    outcome = mapping_begin(&mapped->run, source, message->topic, message->payload, message->bytes);

    decoder->filter = NULL;
    decoder->taken_off = mapped->run.taken_off;
    /* What is subscribed to may be wider than a pattern such as {device}-plug/status. */
    if (outcome == DECODER_NO_TOPIC && subscriptions_cover(mapped->subscriptions, message->topic))
        outcome = DECODER_NOT_MEANT;
    if (outcome != DECODER_READ)
        return outcome;
    decoder->is_shared = topic_share_bytes(mapped->run.mapping->topic.text) > 0;
    hand_out_abouts(mapped);
    take(mapped, message, most, rest);
    return DECODER_READ;
}

static void go_on(struct decoder *decoder, const struct source_message *message,
                  struct reading_source *source, size_t most, struct reading_rest *rest)
{
    (void)source;
    take((struct mapped_decoder *)decoder, message, most, rest);
}

static void release(struct decoder *decoder)
{
    mapping_run_release(&((struct mapped_decoder *)decoder)->run);
}

static const struct decoder_kind kind = {
    .name = "mapping", .begin = begin, .go_on = go_on, .release = release};

void mapped_decoder_init(struct mapped_decoder *mapped, const struct mappings *mappings,
                         const struct reading_rules *rules,
                         const struct subscriptions *subscriptions,
                         const struct decoder_taker *taker)
{
    mapped->decoder = (struct decoder){.kind = &kind, .taker = *taker};
    mapped->subscriptions = subscriptions;
    mapped->device[0] = '\0';
    mapped->on_about = NULL;
    mapping_run_init(&mapped->run, mappings, rules);
}
