#include "collector/committed.h"

/* Puts into the windows what was received after `from_us`, up to `until_us`. */
static void apply_span(const struct committed *c, const struct batch *batch, int64_t from_us,
                       int64_t until_us)
{
    int64_t as_of_us = board_publisher_as_of_us(c->publisher);

    board_publisher_note_news(c->publisher);
    for (size_t i = 0; i < batch->sorted_count; i++) {
        const struct batch_row *row = batch_row(batch, batch->order[i]);

        if (i + WINDOWS_AHEAD < batch->sorted_count)
            windows_prefetch(c->windows, batch_row(batch, batch->order[i + WINDOWS_AHEAD])->device);
        if (!row->is_refused && row->received_at_us > from_us && row->received_at_us <= until_us)
            windows_insert(c->windows, row->device, batch_reading(row), as_of_us);
    }
}

/* An as-of time that lies amid a batch has its boards made when all that was received before it is in
 * the windows, and nothing else. */
static void apply_readings(const struct committed *c, const struct batch *batch)
{
    int64_t first_us = batch_row(batch, 0)->received_at_us;
    int64_t last_us = batch_row(batch, batch->count - 1)->received_at_us;
    int64_t from_us = INT64_MIN;

    board_publisher_reach(c->publisher, board_as_of(first_us - 1));
    for (int64_t cut_us = moments_first_cut(first_us, last_us); cut_us < last_us;
         cut_us += BOARD_GRID_US) {
        apply_span(c, batch, from_us, cut_us);
        board_publisher_reach(c->publisher, cut_us);
        from_us = cut_us;
    }
    apply_span(c, batch, from_us, INT64_MAX);
}

/* Whether the row before, of the same message, has said so already: the number is the message's. */
static bool has_said_seq(const struct batch *batch, size_t index)
{
    const struct batch_row *row = batch_row(batch, index);
    const struct batch_row *before = index > 0 ? batch_row(batch, index - 1) : row;

    return row->element > 0 && before->payload_at == row->payload_at &&
           before->device == row->device && before->seq == row->seq;
}

static void apply_sequences(const struct committed *c, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_row *row = batch_row(batch, i);

        /* other members of the group get the rest of what is shared */
        if (row->seq >= 0 && !row->is_refused && !row->is_shared && !has_said_seq(batch, i))
            sequences_apply(c->sequences, row->device, row->seq, batch_reading(row)->recorded_at_us,
                            row->received_at_us);
    }
}

void committed_apply(const struct committed *committed, const struct batch *batch)
{
    if (batch->count > 0)
        apply_readings(committed, batch);
    apply_sequences(committed, batch);
}
