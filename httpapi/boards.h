/* boards.h: the boards of all collectors as they came over MQTT, merged when somebody asks.
 *
 * Shape    per collector: its last status, and per feature, interval and order its last board.
 *          Whoever is in the top N of all is in the top N of its collector, so merging is ranking
 *          all entries again (shared/board.h).
 * When     a collector is live for BOARDS_LIVE_MS after it said so. Its boards are current up to
 *          the moment its status names, whether or not they were published again since. Merged
 *          boards are exact when every collector that has something to say about the interval is
 *          live and has a board; otherwise boards_merge() says so and SQL has to answer. Collectors
 *          load the database when they start, so one that is gone matters only to those which were
 *          already running then, and only until its last readings have left the interval.
 * Units    `now_us` is the wall clock, `now_ms` the loop's monotonic clock.
 * Errors   a message that cannot be read is dropped and counted.
 * Owner    boards_new() and boards_free(); merged entries are valid until the next call.
 */
#ifndef HIGHWATER_BOARDS_H
#define HIGHWATER_BOARDS_H

#include "shared/board.h"
#include "shared/buffer.h"
#include "shared/features.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BOARDS_LIVE_MS = 3000,
    BOARDS_COLLECTORS_MAX = 256,
    BOARDS_MESSAGE_MAX_BYTES = 4 * 1024 * 1024
};

enum collector_state {
    COLLECTOR_UNKNOWN,
    COLLECTOR_WARMING,
    COLLECTOR_LIVE,
    COLLECTOR_DEGRADED,
    COLLECTOR_STOPPED,
    COLLECTOR_LOST
};

enum boards_verdict {
    BOARDS_EXACT,
    BOARDS_INCOMPLETE, /* a live collector lacks the board, or a gone one still matters */
    BOARDS_WARMING,    /* a collector loads its windows */
    BOARDS_NOT_LIVE    /* no collector is */
};

struct boards;

struct boards_merged {
    int64_t as_of_us;
    size_t count;
    const struct board_entry *entries;
};

struct boards *boards_new(const struct features *features, const struct intervals *intervals);
void boards_free(struct boards *boards);

/* A message from collectors/+/boards/# or collectors/+/status; true when it was one. */
bool boards_take(struct boards *boards, const char *topic, const void *payload, size_t bytes,
                 bool is_retained, int64_t now_us, uint64_t now_ms);

/* Forgets everything: on a new connection the broker sends all that is retained again. */
void boards_forget(struct boards *boards);

/* Changes with every message that was taken. */
uint64_t boards_generation(const struct boards *boards);

/* Positions as in the settings. With anything but BOARDS_EXACT, `out` is what is known, as of the
 * newest status; false in *has_any when that is nothing at all. */
enum boards_verdict boards_merge(struct boards *boards, size_t feature, size_t interval,
                                 enum sort_order order, size_t limit, uint64_t now_ms,
                                 struct boards_merged *out, bool *has_any);

/* BOARDS_EXACT when some collector is live and none is warming; `until_ms` is when that ends
 * unless another status comes. */
enum boards_verdict boards_verdict(const struct boards *boards, uint64_t now_ms, int64_t *as_of_us,
                                   uint64_t *until_ms);

/* "boards are current", "no collector is live", ... */
const char *boards_verdict_text(enum boards_verdict verdict);

size_t boards_collector_count(const struct boards *boards, enum collector_state state,
                              uint64_t now_ms);
uint64_t boards_message_count(const struct boards *boards, bool bad);

/* A JSON array of what each collector last said of itself, with "isLive" added. */
void boards_write_collectors(const struct boards *boards, struct buffer *out, uint64_t now_ms);

#endif
