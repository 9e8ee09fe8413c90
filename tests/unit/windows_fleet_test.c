/* windows_fleet_test: a fleet of 1,000 devices, a reading a second each, its boards compared with brute
 * force each simulated second, with silences of most of a minute, after which nearly every key has run
 * out at once.
 *
 * Two readings are equal if all their bytes are.
 *
 *     SEED=n       of all that is random (1); 0 takes one from the clock
 *     READINGS=n   how many (1000000)
 */
#include "collector/windows.h"

#include "shared/base/mem.h"
#include "shared/base/random.h"
#include "tests/unit/replay.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

enum { FLEET = 1000, FLEET_FEATURES = 2, FLEET_TOP_N = 10 };
enum { FLEET_MINUTE, FLEET_TEN_MINUTES, FLEET_ALL_TIME, FLEET_INTERVALS };
enum { FLEET_RANKINGS = 2 * FLEET_FEATURES };

static const int64_t fleet_lengths_us[FLEET_INTERVALS] = {60 * SECOND_US, 600 * SECOND_US,
                                                          INTERVAL_ALL_TIME};

/* A reading of the fleet, with the layout of struct reading. */
struct fleet_reading {
    int64_t recorded_at_us : 61;
    uint64_t status : 3;
    int64_t content_hash;
    double values[FLEET_FEATURES];
};

/* All that a device ever sent, in order of arrival, and which of it is best. */
struct fleet_device {
    char id[16];
    struct fleet_reading *readings;
    size_t count;
    size_t capacity;
    size_t considered;                            /* readings that `best` knows */
    size_t best[FLEET_INTERVALS][FLEET_RANKINGS]; /* index, or FLEET_NONE */
    bool is_silent;
};

#define FLEET_NONE SIZE_MAX

static bool fleet_is_better(const struct fleet_reading *a, const struct fleet_reading *b,
                            uint32_t ranking)
{
    double value_a = a->values[ranking / 2], value_b = b->values[ranking / 2];

    if (value_a != value_b)
        return ranking % 2 ? value_a < value_b : value_a > value_b;
    if (a->recorded_at_us != b->recorded_at_us)
        return a->recorded_at_us > b->recorded_at_us;
    return a->content_hash > b->content_hash;
}

/* Brings best[interval][ranking] up to date: the best of all is the best so far or one of those
 * that came since; unless the best so far has left the interval, then everything is looked at
 * again. */
static void fleet_find_best(struct fleet_device *device, uint32_t interval, uint32_t ranking,
                            int64_t after_us)
{
    size_t *best = &device->best[interval][ranking];
    size_t i = device->considered;

    if (i == 0 || (*best != FLEET_NONE && device->readings[*best].recorded_at_us <= after_us)) {
        *best = FLEET_NONE;
        i = 0;
    }
    for (; i < device->count; i++) {
        const struct fleet_reading *reading = &device->readings[i];

        if (reading->recorded_at_us > after_us && !isnan(reading->values[ranking / 2]) &&
            (*best == FLEET_NONE || fleet_is_better(reading, &device->readings[*best], ranking)))
            *best = i;
    }
}

struct fleet_entry {
    const struct fleet_device *device;
    const struct fleet_reading *reading;
};

/* Puts an entry where it belongs in a board of at most FLEET_TOP_N. */
static void fleet_put(struct fleet_entry *board, size_t *count, struct fleet_entry entry,
                      uint32_t ranking)
{
    size_t at = *count;

    for (; at > 0; at--) {
        const struct fleet_entry *above = &board[at - 1];

        if (entry.reading->values[ranking / 2] == above->reading->values[ranking / 2] &&
            entry.reading->recorded_at_us == above->reading->recorded_at_us) {
            if (strcmp(entry.device->id, above->device->id) > 0)
                break;
        } else if (fleet_is_better(above->reading, entry.reading, ranking)) {
            break;
        }
        if (at < FLEET_TOP_N)
            board[at] = *above;
    }
    if (at < FLEET_TOP_N)
        board[at] = entry;
    if (*count < FLEET_TOP_N)
        ++*count;
}

static bool fleet_board_is_right(struct windows *windows, struct fleet_device *fleet,
                                 uint32_t ranking, uint32_t interval, int64_t now_us)
{
    struct fleet_entry board[FLEET_TOP_N];
    struct windows_entry shown[FLEET_TOP_N];
    size_t expected_count = 0;
    size_t count = windows_board(windows, ranking, interval, now_us, shown);
    int64_t after_us = interval == FLEET_ALL_TIME ? INT64_MIN : now_us - fleet_lengths_us[interval];

    for (struct fleet_device *device = fleet; device < fleet + FLEET; device++) {
        size_t best;

        fleet_find_best(device, interval, ranking, after_us);
        best = device->best[interval][ranking];
        if (best != FLEET_NONE)
            fleet_put(board, &expected_count, (struct fleet_entry){device, &device->readings[best]},
                      ranking);
    }
    if (count != expected_count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (&fleet[shown[i].device] != board[i].device ||
            /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): whole, padding is zero */
            memcmp(shown[i].reading, board[i].reading, sizeof(struct fleet_reading)) != 0)
            return false;
    return true;
}

static bool fleet_boards_are_right(struct windows *windows, struct fleet_device *fleet,
                                   int64_t now_us)
{
    for (uint32_t ranking = 0; ranking < FLEET_RANKINGS; ranking++)
        for (uint32_t interval = 0; interval < FLEET_INTERVALS; interval++)
            if (!fleet_board_is_right(windows, fleet, ranking, interval, now_us)) {
                print_error("fleet: ranking %u, interval %u differs at %lld us\n",
                            (unsigned)ranking, (unsigned)interval, (long long)now_us);
                return false;
            }
    for (uint32_t i = 0; i < FLEET; i++)
        fleet[i].considered = fleet[i].count;
    return true;
}

static struct fleet_reading *fleet_new_reading(struct fleet_device *device)
{
    if (device->count == device->capacity) {
        device->capacity = 2 * device->capacity + 64;
        device->readings =
            mem_realloc(device->readings, device->capacity * sizeof(*device->readings));
    }
    memset(&device->readings[device->count], 0, sizeof(*device->readings));
    return &device->readings[device->count++];
}

/* What one device does in one second. Hashes are numbered, so no two readings share one. */
static void fleet_send(struct windows *windows, struct fleet_device *fleet, uint32_t number,
                       int64_t now_us, uint64_t *random, int64_t hash)
{
    struct fleet_device *device = &fleet[number];
    struct fleet_reading *reading;

    if (device->count > 0 && random_below(random, 100) == 0) {
        reading = &device->readings[random_below(random, device->count)];
    } else {
        reading = fleet_new_reading(device);
        reading->recorded_at_us = now_us - (int64_t)random_below(random, (uint64_t)SECOND_US);
        if (random_below(random, 20) == 0)
            reading->recorded_at_us = now_us - (int64_t)random_below(random, 8) * SECOND_US;
        else if (random_below(random, 100) == 0)
            reading->recorded_at_us = now_us - (int64_t)random_below(random, 700) * SECOND_US;
        else if (random_below(random, 50) == 0)
            reading->recorded_at_us = now_us + (int64_t)random_below(random, 3) * SECOND_US;
        reading->content_hash = hash;
        reading->status = STATUS_ON;
        for (size_t f = 0; f < FLEET_FEATURES; f++)
            reading->values[f] =
                random_below(random, 100) == 0 ? NAN : (double)random_below(random, 2000) - 1000;
    }
    windows_insert(windows, number, (const void *)reading, now_us);
}

static bool play_fleet(uint64_t seed, uint64_t reading_count)
{
    static struct fleet_device fleet[FLEET];
    struct windows windows;
    uint64_t random = seed;
    int64_t now_us = 1700000000 * SECOND_US;
    bool right = true;

    windows_init(&windows, FLEET_FEATURES, WINDOWS_HIGHEST | WINDOWS_LOWEST, fleet_lengths_us,
                 FLEET_INTERVALS, FLEET_TOP_N, 0);
    for (uint32_t i = 0; i < FLEET; i++) {
        snprintf(fleet[i].id, sizeof(fleet[i].id), "device_%u", (unsigned)(i * 7 % FLEET));
        windows_add_device(&windows, fleet[i].id);
    }
    for (uint64_t sent = 0; sent < reading_count && right; now_us += SECOND_US) {
        for (uint32_t i = 0; i < FLEET && sent < reading_count; i++) {
            /* Some fall silent, for some minutes. Another sends twice. */
            if (random_below(&random, fleet[i].is_silent ? 300 : 3000) == 0)
                fleet[i].is_silent = !fleet[i].is_silent;
            fleet_send(&windows, fleet,
                       fleet[i].is_silent ? (uint32_t)random_below(&random, FLEET) : i,
                       now_us + (int64_t)i * 900, &random, (int64_t)sent++);
        }
        /* Now and then no device is heard for most of a minute, and no board is asked for. */
        if (random_below(&random, 50) == 0)
            now_us += (int64_t)random_below(&random, 62) * SECOND_US;
        windows_sweep(&windows, now_us + SECOND_US, FLEET / 60);
        right = fleet_boards_are_right(&windows, fleet, now_us + SECOND_US);
    }
    windows_release(&windows);
    for (uint32_t i = 0; i < FLEET; i++)
        free(fleet[i].readings);
    return right;
}

int main(void)
{
    uint64_t seed = replay_seed();
    uint64_t readings = replay_setting("READINGS", 1000000);

    replay_begin("the fleet", seed, "");
    if (!play_fleet(seed, readings))
        return replay_failed();
    print_message("%llu readings of %d devices: all boards right in each second\n",
                  (unsigned long long)readings, FLEET);
    return EXIT_SUCCESS;
}
