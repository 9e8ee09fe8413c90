/* board_cache_fixture.h: a board cache, its clock, and collectors that publish into it.
 *
 * Shape    time begins at T0 and passes only by cache_pass().
 * Errors   fail the test.
 * Owner    cache_teardown() frees what cache_setup() made.
 */
#ifndef HIGHWATER_BOARD_CACHE_FIXTURE_H
#define HIGHWATER_BOARD_CACHE_FIXTURE_H

#include "httpapi/board_cache.h"
#include "shared/base/timestamp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define T0 INT64_C(1795521600000000) /* 2026-11-24 */
#define S TIMESTAMP_US_PER_S
#define GRID BOARD_GRID_US
#define MINUTE 0 /* positions of the default intervals */
#define HOUR 1
#define ALL_TIME 2

#define ALL_INTERVALS                                                                              \
    "{\"name\":\"past_minute\",\"lengthMs\":60000},{\"name\":\"past_hour\",\"lengthMs\":3600000}," \
    "{\"name\":\"all_time\",\"lengthMs\":null}"

extern struct features cache_features;
extern struct intervals cache_intervals;

/* The database knows these. */
extern const struct roster_row only_a[1];
extern const struct roster_row a_and_b[2];

struct board_cache_fixture {
    struct board_cache *cache;
    uint64_t now_ms;
    int64_t now_us;
};

/* A status, with what a test leaves out filled in: live, turn 1, as of now, one generation for all
 * six boards. */
struct cache_status {
    const char *id;
    const char *state;
    int64_t turn;
    int64_t since_us;
    int64_t as_of_us;
    int64_t generation;
    size_t limit;
    const char *features;  /* as JSON, without brackets */
    const char *intervals; /* the same */
    size_t boards;
    const char *loaded; /* the same, without braces */
    bool is_retained;
    const char *installation;
};

int cache_setup(void **state);
int cache_teardown(void **state);
void cache_pass(struct board_cache_fixture *f, int64_t us);
bool cache_publish(struct board_cache_fixture *f, const char *topic, const char *payload,
                   bool is_retained);
void cache_say(struct board_cache_fixture *f, struct cache_status said);
void cache_publish_board(struct board_cache_fixture *f, const char *id, const char *interval,
                         int64_t generation, const struct board_entry *entries, size_t count);

/* Boards of one entry, over each interval. */
void cache_publish_one(struct board_cache_fixture *f, const char *id, int64_t generation,
                       const char *device, double value);

/* A collector with one board, that says so. */
void cache_live(struct board_cache_fixture *f, const char *id, const char *device);

/* The database's answer to a question that was asked now. */
void cache_weigh(struct board_cache_fixture *f, const struct roster_row *rows, size_t count);
enum weighing_verdict cache_merge(struct board_cache_fixture *f, size_t interval, size_t limit,
                                  struct boards_merged *out);
void cache_assert_merged(struct board_cache_fixture *f, size_t interval, int64_t as_of_us,
                         const char *const *devices, size_t count);
void cache_assert_sql(struct board_cache_fixture *f, size_t interval,
                      enum weighing_verdict verdict);

#define DEVICES(...)                                                                               \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

#endif
