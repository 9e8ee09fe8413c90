/* board_cache.h: the boards of all collectors as they came over MQTT, weighed against the database,
 * merged when a request asks.
 *
 * Shape    per collector: what it said in the last seconds, as spans that name a generation of each
 *          board, and those boards. Weighing makes a set of them, with one as-of (weighing.h); all
 *          answers come from that set until a later one takes its place. Whoever is in the top N of
 *          all is in the top N of its collector, so merging is ranking all entries again.
 * When     a collector is live for BOARD_CACHE_LIVE_MS after it said so; a retained status counts
 *          from its as-of, and one whose as-of lies in the future does not count at
 *          all. The set is current while its collectors are live and the database has been heard
 *          for as long. After that it remains valid as of its own time.
 * Units    `now_us` is the wall clock, `now_ms` the loop's monotonic clock.
 * Errors   a message that cannot be read, or is of the future, is dropped whole and counted.
 * Owner    board_cache_new() and board_cache_free(); merged entries are valid until the next call.
 */
#ifndef HIGHWATER_BOARD_CACHE_H
#define HIGHWATER_BOARD_CACHE_H

#include "httpapi/catalog.h"
#include "httpapi/collector_status.h"
#include "httpapi/weighing.h"
#include "shared/base/buffer.h"
#include "shared/model/board.h"
#include "shared/model/features.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BOARD_CACHE_LIVE_MS = 3000,
    BOARD_CACHE_SPANS_MAX = 64, /* of a collector */
    BOARD_CACHE_COLLECTORS_MAX = 256,
    BOARD_CACHE_MESSAGE_MAX_BYTES = 4 * 1024 * 1024
};

struct board_cache;
struct speakers;

struct boards_merged {
    int64_t as_of_us;
    size_t count;
    const struct board_entry *entries;
};

/* Which set an answer comes from. */
enum board_set {
    BOARD_SET_CURRENT,
    BOARD_SET_STANDING /* the last that was whole, however old it is */
};

struct board_cache *board_cache_new(const struct features *features,
                                    const struct intervals *intervals);
void board_cache_free(struct board_cache *cache);

/* A message from collectors/+/boards/# or collectors/+/status; true when it was one. */
bool board_cache_apply(struct board_cache *cache, const char *topic, const void *payload,
                       size_t bytes, bool is_retained, int64_t now_us, uint64_t now_ms);

/* Forgets what was heard: on a new connection the broker sends all that is retained again. */
void board_cache_forget(struct board_cache *cache);

/* Other features or intervals: forgets everything, the sets that were weighed included. */
void board_cache_renew(struct board_cache *cache, const struct features *features,
                       const struct intervals *intervals);

/* What the collectors keep (speakers.h). */
void board_cache_offer(const struct board_cache *cache, uint64_t now_ms, struct catalog_offer *out);

/* How much has been heard by now; read before the table is asked. */
uint64_t board_cache_mark(const struct board_cache *cache);

/* The table's rows, and the mark from before they were asked for. True when the set has changed. */
bool board_cache_weigh(struct board_cache *cache, const struct roster_row *rows, size_t row_count,
                       uint64_t mark, uint64_t now_ms);

/* Who was heard (speakers.h). */
const struct speakers *board_cache_speakers(const struct board_cache *cache);

/* Changes when the set does; while it is the same and current, so are all answers. */
uint64_t board_cache_generation(const struct board_cache *cache);
bool board_cache_is_current(const struct board_cache *cache, uint64_t now_ms);

/* Positions as in the settings. Only with WEIGHED_EXACT there is something in `out`. */
enum weighing_verdict board_cache_merge(struct board_cache *cache, enum board_set set,
                                        size_t feature, size_t interval, enum sort_order order,
                                        size_t limit, uint64_t now_ms, struct boards_merged *out);

/* WEIGHED_EXACT when the set is current and covers every interval. */
enum weighing_verdict board_cache_verdict(const struct board_cache *cache, uint64_t now_ms);

/* The as-of of the last set that was whole; INT64_MIN before the first. */
int64_t board_cache_as_of(const struct board_cache *cache);

/* A live collector names a board that has not come: it was lost on the way. */
bool board_cache_lacks_board(const struct board_cache *cache, uint64_t now_ms);

size_t board_cache_collector_count(const struct board_cache *cache, enum collector_state state,
                                   uint64_t now_ms);
/* About what is kept of all that they said. */
size_t board_cache_kept_bytes(const struct board_cache *cache);

/* What was wrong with the last that could not be taken, in a sentence. */
const char *board_cache_fault(const struct board_cache *cache);

uint64_t board_cache_message_count(const struct board_cache *cache, bool bad);

/* A JSON array of what each collector last said of itself, with "isLive" added. */
void board_cache_write_collectors(const struct board_cache *cache, struct buffer *out,
                                  uint64_t now_ms);

#endif
