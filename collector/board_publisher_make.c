/* What is on the boards as of a time, and which of them differ from what was published. */
#include "collector/board_publisher_inner.h"

#include "shared/base/failpoint.h"

#include <string.h>

static struct board_copy *copy_of(const struct board_publisher *publisher, uint32_t ranking,
                                  uint32_t interval)
{
    return &publisher->copies[ranking * publisher->config.windows->interval_count + interval];
}

const char *board_publisher_key(struct board_publisher *publisher, uint32_t ranking,
                                uint32_t interval)
{
    const struct staircase_kind *kind = &publisher->config.windows->kinds[ranking];

    buffer_clear(&publisher->key);
    board_topic(&publisher->key, publisher->config.collector_id,
                publisher->config.features->names[kind->feature],
                publisher->config.intervals->items[interval].name,
                kind->sign > 0 ? ORDER_HIGHEST : ORDER_LOWEST);
    return buffer_text(&publisher->key);
}

/* The boards are about to change: up to when those hold that are out is said first. */
static void end_span(struct board_publisher *publisher)
{
    if (publisher->moments.as_of_us > publisher->status_as_of_us)
        board_publisher_send_status(publisher);
}

/* ---- making them ---------------------------------------------------------------------------- */

static bool is_changed(const struct board_publisher *publisher, const struct board_copy *copy,
                       size_t count, bool is_exact)
{
    size_t size = reading_size(publisher->config.features->count);

    if (!copy->is_current || copy->count != count || copy->is_exact != is_exact)
        return true;
    for (size_t i = 0; i < count; i++) {
        if (copy->devices[i] != publisher->entries[i].device ||
            memcmp(copy->readings + i * size, publisher->entries[i].reading, size) != 0)
            return true;
    }
    return false;
}

static void keep_copy(const struct board_publisher *publisher, struct board_copy *copy,
                      size_t count)
{
    size_t size = reading_size(publisher->config.features->count);

    for (size_t i = 0; i < count; i++) {
        copy->devices[i] = publisher->entries[i].device;
        memcpy(copy->readings + i * size, publisher->entries[i].reading, size);
    }
    copy->count = count;
    copy->is_current = true;
}

/* Writes what the copy has, and says it as an item. */
static struct sink_item item_of(struct board_publisher *publisher, const struct board_copy *copy,
                                struct board_head *head)
{
    const struct board_publisher_config *config = &publisher->config;
    const struct windows *windows = config->windows;
    size_t board = (size_t)(copy - publisher->copies);
    uint32_t ranking = (uint32_t)(board / windows->interval_count);
    uint32_t interval = (uint32_t)(board % windows->interval_count);
    const struct staircase_kind *kind = &windows->kinds[ranking];
    size_t size = reading_size(config->features->count);

    *head = (struct board_head){.feature = config->features->names[kind->feature],
                                .interval = config->intervals->items[interval].name,
                                .order = kind->sign > 0 ? ORDER_HIGHEST : ORDER_LOWEST,
                                .as_of_us = copy->as_of_us,
                                .generation = copy->last_generation,
                                .is_exact = copy->is_exact};
    for (size_t i = 0; i < copy->count; i++)
        publisher->named[i] = (struct board_entry){
            .device_id = windows_device_id(windows, copy->devices[i]),
            .reading = (const struct reading *)(const void *)(copy->readings + i * size)};
    buffer_clear(&publisher->payload);
    board_write(&publisher->payload, config->features, head, publisher->named, copy->count);
    return (struct sink_item){.what = SINK_BOARD,
                              .board = board,
                              .key = board_publisher_key(publisher, ranking, interval),
                              .bytes = &publisher->payload,
                              .head = head,
                              .entries = publisher->named,
                              .entry_count = copy->count};
}

static void publish_board(struct board_publisher *publisher, uint32_t ranking, uint32_t interval,
                          size_t count, bool is_exact, int64_t as_of_us)
{
    struct board_copy *copy = copy_of(publisher, ranking, interval);
    struct board_head head;
    struct sink_item item;

    copy->last_generation++;
    copy->as_of_us = as_of_us;
    copy->is_exact = is_exact;
    keep_copy(publisher, copy, count);
    FAILPOINT("board_publish");
    item = item_of(publisher, copy, &head);
    copy->generation = board_publisher_put(publisher, &item) && is_exact ? head.generation : 0;
    publisher->boards_published++;
}

void board_publisher_repeat(struct board_publisher *publisher, struct sink *sink, size_t board)
{
    const struct board_copy *copy = &publisher->copies[board];
    struct board_head head;
    struct sink_item item;

    if (!copy->is_current)
        return; /* the next one is on its way */
    item = item_of(publisher, copy, &head);
    board_publisher_put_into(publisher, sink, &item);
}

void board_publisher_make(struct board_publisher *publisher, int64_t as_of_us)
{
    struct windows *windows = publisher->config.windows;
    int64_t expiry_us = INT64_MAX;
    /* what a load brought may be on none of these, and yet have been missing on an earlier one */
    bool any_changed = publisher->is_fresh;

    board_publisher_hold(publisher);
    if (any_changed)
        end_span(publisher);
    for (uint32_t ranking = 0; ranking < windows->ranking_count; ranking++) {
        for (uint32_t interval = 0; interval < windows->interval_count; interval++) {
            size_t count = windows_board(windows, ranking, interval, as_of_us, publisher->entries);
            int64_t expiry = windows_next_expiry(windows, interval, publisher->entries, count);
            int64_t exact =
                windows_exact_from(windows, ranking, interval, publisher->entries, count);
            bool is_exact = exact == INT64_MIN;

            if (expiry < expiry_us)
                expiry_us = expiry;
            if (!is_exact && exact < expiry_us)
                expiry_us = exact;
            if (!is_changed(publisher, copy_of(publisher, ranking, interval), count, is_exact))
                continue;
            if (!any_changed)
                end_span(publisher);
            any_changed = true;
            publish_board(publisher, ranking, interval, count, is_exact, as_of_us);
        }
    }
    moments_made(&publisher->moments, as_of_us, any_changed, expiry_us);
    if (publisher->is_fresh)
        publisher->config.on_shown(publisher->config.user);
    publisher->is_fresh = false;
    if (any_changed)
        board_publisher_send_status(publisher);
    board_publisher_flush(publisher);
}

void board_publisher_disown(struct board_publisher *publisher)
{
    for (size_t i = 0; i < board_publisher_count(publisher); i++) {
        publisher->copies[i].is_current = false;
        publisher->copies[i].generation = 0;
    }
}
