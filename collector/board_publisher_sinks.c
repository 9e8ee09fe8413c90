/* The sinks: what they are given, and what they say. */
#include "collector/board_publisher_inner.h"

#include "shared/base/timestamp.h"

#include <string.h>

static const struct sinks *sinks_of(const struct board_publisher *publisher)
{
    return publisher->config.sinks;
}

bool board_publisher_may_speak(const struct board_publisher *publisher)
{
    const struct sinks *sinks = sinks_of(publisher);
    bool may_speak = false;

    for (size_t i = 0; i < sinks->count && !may_speak; i++)
        may_speak = sink_is_ready(sinks->items[i]);
    return may_speak;
}

bool board_publisher_is_speaking(const struct board_publisher *publisher)
{
    const struct sinks *sinks = sinks_of(publisher);
    bool is_taken = false;

    for (size_t i = 0; i < sinks->count && !is_taken; i++)
        is_taken = sink_takes_boards(sinks->items[i]);
    return is_taken && publisher->is_complete;
}

bool board_publisher_put_into(struct board_publisher *publisher, struct sink *sink,
                              const struct sink_item *item)
{
    struct sink_item ours = *item;

    ours.turn = publisher->config.turn ? publisher->config.turn(publisher->config.user) : 0;
    return sink_is_ready(sink) && sink_put(sink, &ours);
}

bool board_publisher_put(struct board_publisher *publisher, const struct sink_item *item)
{
    const struct sinks *sinks = sinks_of(publisher);
    bool is_put = false;

    for (size_t i = 0; i < sinks->count; i++) {
        bool is_there = board_publisher_put_into(publisher, sinks->items[i], item);

        if (i == 0)
            is_put = is_there;
    }
    return is_put;
}

void board_publisher_hold(struct board_publisher *publisher)
{
    for (size_t i = 0; i < sinks_of(publisher)->count; i++)
        sink_hold(sinks_of(publisher)->items[i]);
}

void board_publisher_flush(struct board_publisher *publisher)
{
    for (size_t i = 0; i < sinks_of(publisher)->count; i++)
        sink_flush(sinks_of(publisher)->items[i]);
}

static void retry_first(struct board_publisher *publisher, const struct sink *sink)
{
    for (size_t i = 0; i < board_publisher_count(publisher); i++) {
        if (!sink_lacks(sink, i))
            continue;
        publisher->copies[i].is_current = false;
        board_publisher_note_news(publisher);
    }
}

/* What was published holds as long as nothing is unsettled: a board that we do not know to be right
 * now must not live on because we do. */
static bool holds(const struct board_publisher *publisher)
{
    int64_t settled_us =
        publisher->config.settled_until_us(publisher->config.user, timestamp_now());

    return publisher->is_complete && settled_us != INT64_MIN;
}

static void repeat(struct board_publisher *publisher, struct sink *sink, bool all)
{
    if (!holds(publisher))
        return;
    sink_hold(sink);
    for (size_t i = 0; i < board_publisher_count(publisher); i++) {
        if (all || sink_lacks(sink, i))
            board_publisher_repeat(publisher, sink, i);
    }
    sink_flush(sink);
}

void board_publisher_retry(struct board_publisher *publisher)
{
    const struct sinks *sinks = sinks_of(publisher);

    for (size_t i = 0; i < sinks->count; i++) {
        if (i == 0)
            retry_first(publisher, sinks->items[i]);
        else
            repeat(publisher, sinks->items[i], false);
    }
}

/* ---- what they tell --------------------------------------------------------------------------- */

static void on_ready(void *user, const struct sink *sink)
{
    struct board_publisher *publisher = user;
    const struct sinks *sinks = sinks_of(publisher);

    for (size_t i = 1; i < sinks->count; i++) {
        if (sinks->items[i] == sink)
            repeat(publisher, sinks->items[i], true);
    }
    for (size_t i = 0; sink == sinks->items[0] && i < board_publisher_count(publisher); i++)
        publisher->copies[i].is_current = false;
    board_publisher_note_news(publisher);
    board_publisher_update(publisher);
    board_publisher_send_status(publisher);
    if (sink == sinks->items[0] && publisher->config.on_ready)
        publisher->config.on_ready(publisher->config.user);
}

static void on_taking(void *user)
{
    struct board_publisher *publisher = user;

    board_publisher_note_news(publisher);
    board_publisher_update(publisher);
}

static void on_lacking(void *user, const struct sink *sink, size_t board)
{
    struct board_publisher *publisher = user;

    if (sink == sinks_of(publisher)->items[0])
        publisher->copies[board].generation = 0;
}

static bool is_kept(void *user, const char *key)
{
    struct board_publisher *publisher = user;
    const struct windows *windows = publisher->config.windows;

    for (uint32_t ranking = 0; ranking < windows->ranking_count; ranking++) {
        for (uint32_t interval = 0; interval < windows->interval_count; interval++) {
            if (strcmp(board_publisher_key(publisher, ranking, interval), key) == 0)
                return true;
        }
    }
    return false;
}

static void on_recalled(void *user, const char *key, const void *bytes, size_t count)
{
    struct board_publisher *publisher = user;

    if (publisher->config.on_recalled)
        publisher->config.on_recalled(publisher->config.user, key, bytes, count);
}

static void on_note_refused(void *user)
{
    struct board_publisher *publisher = user;

    if (publisher->config.on_note_refused)
        publisher->config.on_note_refused(publisher->config.user);
}

const struct sink_events board_publisher_events = {.on_ready = on_ready,
                                                   .on_taking = on_taking,
                                                   .on_lacking = on_lacking,
                                                   .is_kept = is_kept,
                                                   .on_recalled = on_recalled,
                                                   .on_note_refused = on_note_refused};

bool board_publisher_put_note(struct board_publisher *publisher, enum sink_what what,
                              const char *key, const struct buffer *bytes)
{
    const struct sink_item item = {.what = what, .key = key, .bytes = bytes};

    return board_publisher_put(publisher, &item);
}

/* ---- what is asked of them -------------------------------------------------------------------- */

enum broker_memory board_publisher_broker_memory(const struct board_publisher *publisher,
                                                 uint64_t since_ms)
{
    const struct sinks *sinks = sinks_of(publisher);
    enum broker_memory memory = BROKER_UNKNOWN;

    for (size_t i = 0; i < sinks->count && memory == BROKER_UNKNOWN; i++)
        memory = sink_memory(sinks->items[i], since_ms);
    return memory;
}

uint64_t board_publisher_takeovers(const struct board_publisher *publisher)
{
    uint64_t takeovers = 0;

    for (size_t i = 0; i < sinks_of(publisher)->count; i++)
        takeovers += sink_takeovers(sinks_of(publisher)->items[i]);
    return takeovers;
}

void board_publisher_reload(struct board_publisher *publisher)
{
    for (size_t i = 0; i < sinks_of(publisher)->count; i++)
        sink_reload(sinks_of(publisher)->items[i]);
}

void board_publisher_put_sinks(const struct board_publisher *publisher, struct buffer *out)
{
    for (size_t i = 0; i < sinks_of(publisher)->count; i++)
        sink_put_status(sinks_of(publisher)->items[i], out);
}

void board_publisher_put_faults(const struct board_publisher *publisher, struct buffer *out)
{
    for (size_t i = 0; i < sinks_of(publisher)->count; i++)
        sink_put_faults(sinks_of(publisher)->items[i], out);
}

void board_publisher_put_away(const struct board_publisher *publisher, struct buffer *out)
{
    for (size_t i = 0; i < sinks_of(publisher)->count; i++)
        sink_put_away(sinks_of(publisher)->items[i], out);
}

void board_publisher_put_remarks(const struct board_publisher *publisher, struct buffer *out)
{
    for (size_t i = 0; i < sinks_of(publisher)->count; i++)
        sink_put_remarks(sinks_of(publisher)->items[i], out);
}
