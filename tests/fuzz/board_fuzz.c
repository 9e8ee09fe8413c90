/* Any bytes as a board: one that is taken and written is taken as the same again. */
#include "shared/model/board.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void assert_same(const struct board *a, const struct board *b, size_t feature_count)
{
    assert(a->count == b->count && a->as_of_us == b->as_of_us && a->order == b->order &&
           a->generation == b->generation && a->is_exact == b->is_exact);
    for (size_t i = 0; i < a->count; i++) {
        const struct reading *left = a->entries[i].reading;
        const struct reading *right = b->entries[i].reading;

        assert(strcmp(a->entries[i].device_id, b->entries[i].device_id) == 0);
        assert(left->recorded_at_us == right->recorded_at_us && left->status == right->status &&
               left->content_hash == right->content_hash);
        for (size_t f = 0; f < feature_count; f++)
            assert(left->values[f] == right->values[f] ||
                   (left->values[f] != left->values[f] && right->values[f] != right->values[f]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct features features;
    char error[200];
    struct board board;
    struct board again;
    struct buffer json = {0};

    if (features.count == 0)
        features_parse(&features, FEATURES_DEFAULT, error, sizeof(error));
    if (!board_parse(&board, &features, (const char *)data, bytes))
        return 0;
    /* names that are written as they are: the topic has said that they are ours */
    strcpy(board.feature, "temperature");
    strcpy(board.interval, "all_time");
    board_write(&json, &features,
                &(struct board_head){.feature = board.feature,
                                     .interval = board.interval,
                                     .order = board.order,
                                     .as_of_us = board.as_of_us,
                                     .generation = board.generation,
                                     .is_exact = board.is_exact},
                board.entries, board.count);
    assert(board_parse(&again, &features, buffer_text(&json), json.bytes));
    assert_same(&board, &again, features.count);
    board_release(&again);
    board_release(&board);
    buffer_release(&json);
    return 0;
}
