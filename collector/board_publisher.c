/* The boards are made at the first as-of time at which they may differ: the one that follows a reading
 * or an expiry. All are made together; each takes microseconds, and only those that differ from what
 * was last published go out. In between, the span of as-of times that the status vouches for grows.
 * Rejected: a board as of the time it happens to be published, which is never that of another
 * collector's and, when the loop is late, not even its own. */
#include "collector/board_publisher_inner.h"

#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_MS = 1000 };

/* ---- when ------------------------------------------------------------------------------------ */

/* Arrival stamps may be a little ahead of the clock, and much when the clock went back: such a
 * time comes later. */
void board_publisher_reach(struct board_publisher *publisher, int64_t as_of_us)
{
    if (as_of_us <= publisher->moments.as_of_us || as_of_us > timestamp_now())
        return;
    if (board_publisher_is_speaking(publisher)) {
        if (moments_reach(&publisher->moments, as_of_us))
            board_publisher_make(publisher, as_of_us);
    } else {
        moments_skip(&publisher->moments, as_of_us);
        board_publisher_disown(publisher);
    }
}

void board_publisher_note_news(struct board_publisher *publisher)
{
    moments_note_news(&publisher->moments);
}

static void on_timer(uv_timer_t *timer);

/* Until the next as-of time that may have something new. When that is past already it waits for a
 * batch, whose end is reported, or for a connection; then the one after now will do. */
static void schedule(struct board_publisher *publisher)
{
    int64_t now_us = timestamp_now();
    int64_t next_us = moments_next(&publisher->moments);

    uv_timer_stop(&publisher->as_of_timer);
    if (publisher->has_company && publisher->moments.as_of_us + BOARD_GRID_US < next_us)
        next_us = publisher->moments.as_of_us + BOARD_GRID_US;
    if (next_us == INT64_MAX || !board_publisher_is_speaking(publisher))
        return;
    if (next_us <= now_us)
        next_us = board_as_of(now_us) + BOARD_GRID_US;
    uv_timer_start(&publisher->as_of_timer, on_timer, (uint64_t)(next_us - now_us) / 1000 + 1, 0);
}

void board_publisher_update(struct board_publisher *publisher)
{
    int64_t settled_us =
        publisher->config.settled_until_us(publisher->config.user, timestamp_now());

    if (settled_us != INT64_MIN) {
        if (publisher->is_loading)
            board_publisher_note_news(publisher);
        board_publisher_reach(publisher, board_as_of(settled_us));
    }
    schedule(publisher);
}

static void on_timer(uv_timer_t *timer)
{
    struct board_publisher *publisher = timer->data;

    board_publisher_update(publisher);
    if (publisher->has_company && publisher->moments.as_of_us > publisher->status_as_of_us)
        board_publisher_send_status(publisher);
}

static void on_status(uv_timer_t *timer)
{
    struct board_publisher *publisher = timer->data;

    board_publisher_retry(publisher);
    publisher->rejected_lines = 0;
    for (size_t i = 0; i < publisher->config.sinks->count; i++)
        sink_tick(publisher->config.sinks->items[i]);
    board_publisher_update(publisher);
    board_publisher_publish_status(publisher);
}

/* ---- what it is told ------------------------------------------------------------------------- */

void board_publisher_set_identity(struct board_publisher *publisher,
                                  const struct mqtt_identity *identity)
{
    snprintf(publisher->installation, sizeof(publisher->installation), "%s",
             identity->installation);
    for (size_t i = 0; i < publisher->config.sinks->count; i++)
        sink_identify(publisher->config.sinks->items[i], identity);
}

void board_publisher_set_active(struct board_publisher *publisher, bool is_active)
{
    for (size_t i = 0; i < publisher->config.sinks->count; i++) {
        if (is_active)
            sink_join(publisher->config.sinks->items[i]);
        else
            sink_leave(publisher->config.sinks->items[i]);
    }
}

void board_publisher_set_loading(struct board_publisher *publisher, int64_t snapshot_us)
{
    board_publisher_update(publisher);
    publisher->is_loading = true;
    moments_spoil(&publisher->moments, snapshot_us);
}

void board_publisher_set_complete(struct board_publisher *publisher, bool is_complete)
{
    bool was_complete = publisher->is_complete;

    publisher->is_loading = false;
    publisher->is_fresh = is_complete;
    publisher->is_complete = is_complete;
    board_publisher_note_news(publisher);
    if (!is_complete)
        board_publisher_disown(publisher);
    board_publisher_update(publisher);
    if (is_complete != was_complete)
        board_publisher_publish_status(publisher);
}

void board_publisher_set_company(struct board_publisher *publisher, bool has_company)
{
    if (has_company == publisher->has_company)
        return;
    publisher->has_company = has_company;
    schedule(publisher);
}

void board_publisher_rewind(struct board_publisher *publisher, int64_t now_us)
{
    moments_init(&publisher->moments, now_us);
    publisher->status_as_of_us = INT64_MIN;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void set_keys(struct board_publisher *publisher)
{
    const char *id = publisher->config.collector_id;

    snprintf(publisher->status_key, sizeof(publisher->status_key), "collectors/%s/status", id);
    snprintf(publisher->rejected_key, sizeof(publisher->rejected_key), "collectors/%s/rejected",
             id);
}

void board_publisher_start(struct board_publisher *publisher, uv_loop_t *loop,
                           const struct board_publisher_config *config)
{
    size_t count = (size_t)config->windows->ranking_count * config->windows->interval_count;

    *publisher = (struct board_publisher){.config = *config, .status_as_of_us = INT64_MIN};
    moments_init(&publisher->moments, timestamp_now());
    set_keys(publisher);
    for (size_t i = 0; i < config->sinks->count; i++)
        sink_attach(config->sinks->items[i], &board_publisher_events, publisher);
    publisher->copies = mem_calloc(count, sizeof(publisher->copies[0]));
    for (size_t i = 0; i < count; i++) {
        publisher->copies[i].last_generation = config->started_at_us;
        publisher->copies[i].devices = mem_calloc(config->top_n, sizeof(uint32_t));
        publisher->copies[i].readings =
            mem_calloc(config->top_n, reading_size(config->features->count));
    }
    publisher->entries = mem_calloc(config->top_n, sizeof(publisher->entries[0]));
    publisher->named = mem_calloc(config->top_n, sizeof(publisher->named[0]));
    uv_timer_init(loop, &publisher->as_of_timer);
    uv_timer_init(loop, &publisher->status_timer);
    publisher->as_of_timer.data = publisher->status_timer.data = publisher;
    uv_timer_start(&publisher->status_timer, on_status, STATUS_MS, STATUS_MS);
}

static void on_part_closed(struct board_publisher *publisher)
{
    if (--publisher->open_parts > 0)
        return;
    for (size_t i = 0; i < board_publisher_count(publisher); i++) {
        free(publisher->copies[i].devices);
        free(publisher->copies[i].readings);
    }
    free(publisher->copies);
    free(publisher->entries);
    free(publisher->named);
    buffer_release(&publisher->key);
    buffer_release(&publisher->payload);
    publisher->on_closed(publisher);
}

static void on_sink_closed(void *user)
{
    on_part_closed(user);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

static void finish_close(struct board_publisher *publisher)
{
    board_publisher_publish_status(publisher);
    uv_close((uv_handle_t *)&publisher->as_of_timer, on_timer_closed);
    uv_close((uv_handle_t *)&publisher->status_timer, on_timer_closed);
    for (size_t i = 0; i < publisher->config.sinks->count; i++)
        sink_close(publisher->config.sinks->items[i], on_sink_closed);
}

void board_publisher_close(struct board_publisher *publisher,
                           void (*on_closed)(struct board_publisher *publisher))
{
    publisher->on_closed = on_closed;
    publisher->open_parts = 2 + (unsigned)publisher->config.sinks->count;
    publisher->has_company = false;
    uv_timer_stop(&publisher->status_timer);
    board_publisher_update(publisher); /* the last boards */
    finish_close(publisher);
}
