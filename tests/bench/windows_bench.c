/* windows_bench: what an insert, a board and a device cost, in the steady state of an hour.
 *
 * The fleet: every device sends one reading a second, at its own phase of the second; phases are
 * shuffled, so that neighbours in time are strangers in memory, as the order of messages from a
 * broker is (--sorted is the other end: each batch by device). Values are even random numbers,
 * which give ln(n) steps per staircase. Boards: past minute, past hour, all time, highest, of
 * each feature.
 *
 * The steady state is reached in one of two ways.
 *   full       simulates --seconds of it, every reading. 5,400 s by default: all staircases are
 *              an hour long and the hour's heaps have had half an hour of expiries.
 *   survivors  draws for each device and feature only the readings of an hour that are steps at
 *              its end, from their exact distribution: going back in time from the newest
 *              reading, a value m is first beaten after a geometric wait with chance 1 - m, and
 *              by a value even in (m, 1). Each is inserted as a reading with that feature only;
 *              then --seconds of the full fleet are simulated (70 by default, more than the
 *              minute), so that arrays have their slack, the minute's heaps their expired keys,
 *              and the allocator its holes. The one thing that is then not an hour old are the
 *              keys of the hour's heaps, which start exact; run both ways at 10,000 devices to
 *              see that it makes no difference.
 * Fleets of more than 50,000 use survivors unless --history says else.
 *
 * Wide fleets: --features 200 --carried 10 gives each device ten features of its own out of 200, as
 * where it is one of twenty kinds; with --any each reading has any ten. --decimals gives the values
 * as few digits as devices send; without it they are doubles of 53 random bits, of which nothing can
 * be saved. Survivors know neither.
 *
 * Measured on that structure, while it goes on: rounds of 1 % of the fleet. A round's readings
 * are made first, then inserted (timed), then a sixtieth of the round's devices are swept (timed:
 * it frees what expired, so that the whole fleet is seen once a minute), then each board is asked
 * for once (timed one by one). A sample is --rounds rounds; shown are medians of --samples
 * samples, and the slowest kind of board beside the mean of all. Bytes are what the allocator has
 * in use more than before windows_init(), its own headers and rounding included (mallinfo2); rss
 * is the same difference as the kernel sees it. Ids are not included: windows borrow them.
 */
#include "collector/windows.h"

#include "shared/base/mem.h"
#include "shared/base/random.h"
#include "tests/bench/measure.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define START_US (INT64_C(1700000000) * SECOND_US)

enum { ID_BYTES = 32, ROUNDS_A_SECOND = 100, TOP_N = 10, INTERVALS = 3 };

enum history { HISTORY_AUTO, HISTORY_FULL, HISTORY_SURVIVORS };

struct settings {
    size_t devices[8];
    size_t fleet_count;
    size_t features;
    size_t carried;  /* by a reading; 0: all */
    bool any;        /* each reading others, not each device */
    size_t decimals; /* 0: as many digits as a double has */
    size_t seconds;  /* 0: by the history */
    size_t rounds;   /* 0: 1,000, or 100 for large fleets */
    size_t samples;
    bool prefetch;
    enum history history;
    bool sorted;
    bool json;
    uint64_t seed;
};

struct bench {
    const struct settings *settings;
    struct windows windows;
    size_t device_count;
    size_t stride;
    uint32_t *order;      /* devices by phase */
    unsigned char *batch; /* one round's readings, in that order */
    size_t round;         /* since the start */
    size_t sweep_debt;
    uint32_t next_board;
    int64_t now_us;
    uint64_t random;
};

struct sample {
    double insert_ns;
    double sweep_ns; /* per reading inserted */
    double board_us;
    double slowest_board_us;
};

static int compare_devices(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

static struct reading *batch_reading(struct bench *bench, size_t index)
{
    return (void *)(bench->batch + index * bench->stride);
}

/* The devices of the current round, and how many. */
static const uint32_t *round_devices(const struct bench *bench, size_t *count)
{
    size_t slice = bench->round % ROUNDS_A_SECOND;
    size_t first = bench->device_count * slice / ROUNDS_A_SECOND;

    *count = bench->device_count * (slice + 1) / ROUNDS_A_SECOND - first;
    return bench->order + first;
}

static double random_value(struct bench *bench)
{
    double scale = 1;

    if (bench->settings->decimals == 0)
        return random_unit(&bench->random);
    for (size_t i = 0; i < bench->settings->decimals; i++)
        scale *= 10;
    return (double)random_below(&bench->random, (uint64_t)(100 * scale)) / scale;
}

/* Which features: the device's own, or any. */
static void fill_values(struct bench *bench, uint32_t device, struct reading *reading)
{
    size_t features = bench->settings->features, carried = bench->settings->carried;

    for (size_t f = 0; f < features; f++)
        reading->values[f] = carried < features ? NAN : random_value(bench);
    for (size_t i = 0; carried < features && i < carried;) {
        size_t f = bench->settings->any ? random_below(&bench->random, features)
                                        : (device * carried + i) % features;

        if (isnan(reading->values[f])) {
            reading->values[f] = random_value(bench);
            i++;
        }
    }
}

static void make_batch(struct bench *bench)
{
    size_t count;
    const uint32_t *devices = round_devices(bench, &count);

    for (size_t i = 0; i < count; i++) {
        struct reading *reading = batch_reading(bench, i);

        reading->recorded_at_us =
            bench->now_us + (int64_t)(i * (SECOND_US / ROUNDS_A_SECOND) / count);
        reading->content_hash = (int64_t)random_next(&bench->random);
        reading->status = STATUS_ON;
        fill_values(bench, devices[i], reading);
    }
    bench->now_us += SECOND_US / ROUNDS_A_SECOND;
}

static void insert_batch(struct bench *bench)
{
    size_t count;
    const uint32_t *devices = round_devices(bench, &count);

    for (size_t i = 0; i < count; i++) {
        if (bench->settings->prefetch && i + WINDOWS_AHEAD < count)
            windows_prefetch(&bench->windows, devices[i + WINDOWS_AHEAD]);
        windows_insert(&bench->windows, devices[i], batch_reading(bench, i), bench->now_us);
    }
    bench->round++;
}

static void sweep(struct bench *bench)
{
    bench->sweep_debt += bench->device_count;
    windows_sweep(&bench->windows, bench->now_us, bench->sweep_debt / (60 * ROUNDS_A_SECOND));
    bench->sweep_debt %= 60 * ROUNDS_A_SECOND;
}

static size_t ask_board(struct bench *bench, uint32_t ranking, uint32_t interval)
{
    struct windows_entry entries[TOP_N];

    return windows_board(&bench->windows, ranking, interval, bench->now_us, entries);
}

/* A second of the fleet, six boards asked for four times: all there are with two features. */
static void simulate_second(struct bench *bench)
{
    uint32_t board_count = (uint32_t)(bench->settings->features * INTERVALS);

    for (size_t i = 0; i < ROUNDS_A_SECOND; i++) {
        make_batch(bench);
        insert_batch(bench);
        sweep(bench);
        for (uint32_t n = 0; i % 25 == 0 && n < 6 && n < board_count; n++) {
            uint32_t b = bench->next_board++ % board_count;

            ask_board(bench, b / INTERVALS, b % INTERVALS);
        }
    }
}

static void insert_survivors(struct bench *bench, size_t place, size_t feature)
{
    enum { HOUR_S = 3600, STEPS_MOST = 256 };
    double values[STEPS_MOST], ages[STEPS_MOST];
    struct reading *reading = batch_reading(bench, 0);
    size_t count = 0;
    double best = random_unit(&bench->random);
    int64_t phase_us = (int64_t)(place * SECOND_US / bench->device_count);

    for (double age = 1; age <= HOUR_S && count < STEPS_MOST;) {
        values[count] = best;
        ages[count++] = age;
        age += 1 + floor(log(1 - random_unit(&bench->random)) / log(best));
        best += (1 - best) * random_unit(&bench->random);
    }
    while (count-- > 0) {
        reading->recorded_at_us = bench->now_us - (int64_t)ages[count] * SECOND_US + phase_us;
        reading->content_hash = (int64_t)random_next(&bench->random);
        reading->status = STATUS_ON;
        for (size_t f = 0; f < bench->settings->features; f++)
            reading->values[f] = f == feature ? values[count] : NAN;
        windows_insert(&bench->windows, bench->order[place], reading, bench->now_us);
    }
}

static struct sample measure(struct bench *bench, size_t rounds)
{
    size_t board_count = bench->settings->features * INTERVALS;
    double *boards = mem_calloc(board_count, sizeof(*boards));
    struct sample sample = {0};
    size_t inserted = 0, count;

    for (size_t i = 0; i < rounds; i++) {
        double t0, t1;

        make_batch(bench);
        round_devices(bench, &count);
        inserted += count;
        t0 = now_ns();
        insert_batch(bench);
        t1 = now_ns();
        sample.insert_ns += t1 - t0;
        sweep(bench);
        t0 = now_ns();
        sample.sweep_ns += t0 - t1;
        for (uint32_t b = 0; b < board_count; b++) {
            t0 = now_ns();
            ask_board(bench, b / INTERVALS, b % INTERVALS);
            boards[b] += now_ns() - t0;
        }
    }
    sample.insert_ns /= (double)inserted;
    sample.sweep_ns /= (double)inserted;
    for (size_t b = 0; b < board_count; b++) {
        double us = boards[b] / (double)rounds / 1000;

        sample.board_us += us / (double)board_count;
        if (us > sample.slowest_board_us)
            sample.slowest_board_us = us;
    }
    free(boards);
    return sample;
}

static void run(const struct settings *settings, size_t device_count)
{
    static const int64_t lengths_us[INTERVALS] = {60 * SECOND_US, 3600 * SECOND_US,
                                                  INTERVAL_ALL_TIME};
    struct bench bench = {
        .settings = settings,
        .device_count = device_count,
        .stride = reading_size(settings->features),
        .now_us = START_US,
        .random = settings->seed,
    };
    bool survivors = settings->history == HISTORY_SURVIVORS ||
                     (settings->history == HISTORY_AUTO && device_count > 50000);
    size_t seconds = settings->seconds ? settings->seconds : survivors ? 70 : 5400;
    size_t rounds = settings->rounds ? settings->rounds : device_count > 50000 ? 100 : 1000;
    char *ids = mem_alloc(device_count * ID_BYTES);
    struct sample samples[MEASURE_SAMPLES_MAX];
    struct windows_stats stats;
    size_t bytes_before, rss_before;
    double bytes, rss, n = (double)device_count;

    bench.order = mem_calloc(device_count, sizeof(*bench.order));
    bench.batch = mem_calloc(device_count / ROUNDS_A_SECOND + 1, bench.stride);
    for (size_t i = 0; i < device_count; i++) {
        snprintf(ids + i * ID_BYTES, ID_BYTES, "device_%zu", i + 1);
        bench.order[i] = (uint32_t)i;
    }
    shuffle(bench.order, device_count, &bench.random);
    for (; settings->sorted && bench.round < ROUNDS_A_SECOND; bench.round++) {
        size_t count;
        const uint32_t *devices = round_devices(&bench, &count);

        qsort(bench.order + (devices - bench.order), count, sizeof(uint32_t), compare_devices);
    }
    bench.round = 0;

    bytes_before = bytes_in_use();
    rss_before = rss_bytes();
    windows_init(&bench.windows, settings->features, WINDOWS_HIGHEST, lengths_us, INTERVALS, TOP_N,
                 0);
    for (size_t i = 0; i < device_count; i++)
        windows_add_device(&bench.windows, ids + i * ID_BYTES);
    for (size_t i = 0; survivors && i < device_count; i++)
        for (size_t f = 0; f < settings->features; f++)
            insert_survivors(&bench, i, f);
    for (size_t s = 0; s < seconds; s++)
        simulate_second(&bench);

    for (size_t i = 0; i < settings->samples; i++)
        samples[i] = measure(&bench, rounds);
    stats = windows_stats(&bench.windows);
    bytes = (double)(bytes_in_use() - bytes_before);
    rss = (double)(rss_bytes() - rss_before);
#define MEDIAN(member)                                                                             \
    median(samples, sizeof(samples[0]), settings->samples, offsetof(struct sample, member))
    if (settings->json)
        printf("{\"bench\":\"windows\",\"devices\":%zu,\"history\":\"%s\",\"order\":\"%s\","
               "\"insert_ns\":%.1f,\"sweep_ns\":%.1f,\"board_us\":%.2f,\"slowest_board_us\":%.2f,"
               "\"bytes_per_device\":%.0f,\"asked_bytes_per_device\":%.0f,\"rss_per_device\":%.0f,"
               "\"steps_per_staircase\":%.2f,\"repairs_per_second\":%.0f,"
               "\"features\":%zu,\"carried\":%zu}\n",
               device_count, survivors ? "survivors" : "full",
               settings->sorted ? "sorted" : "shuffled", MEDIAN(insert_ns), MEDIAN(sweep_ns),
               MEDIAN(board_us), MEDIAN(slowest_board_us), bytes / n, (double)stats.bytes / n,
               rss / n, (double)stats.steps / n / (double)settings->features,
               (double)stats.repairs / ((double)bench.round / ROUNDS_A_SECOND), settings->features,
               settings->carried);
    else
        printf("%9zu  %-9s  %9.1f  %8.1f  %8.2f  %10.2f  %12.0f  %5.0f  %5.0f  %5.2f  %9.0f\n",
               device_count, survivors ? "survivors" : "full", MEDIAN(insert_ns), MEDIAN(sweep_ns),
               MEDIAN(board_us), MEDIAN(slowest_board_us), bytes / n, (double)stats.bytes / n,
               rss / n, (double)stats.steps / n / (double)settings->features,
               (double)stats.repairs / ((double)bench.round / ROUNDS_A_SECOND));
    fflush(stdout);
    windows_release(&bench.windows);
    free(bench.batch);
    free(bench.order);
    free(ids);
    malloc_trim(0);
}

static const char usage[] =
    "usage: windows_bench [options]\n"
    "  --devices N     size of the fleet; may be repeated (10000 and 1000000)\n"
    "  --features N    that there are (2)\n"
    "  --carried N     of them in a reading, each device others (all)\n"
    "  --any           each reading others\n"
    "  --decimals N    of the values, which are below 100 (as many digits as a double has)\n"
    "  --history H     full or survivors: how the steady state is reached (by size)\n"
    "  --seconds S     simulated before measuring (full: 5400, survivors: 70)\n"
    "  --rounds N      rounds of 1 % of the fleet in a sample (1000, large fleets 100)\n"
    "  --samples N     samples, of which the median is shown (5)\n"
    "  --no-prefetch   insert without windows_prefetch()\n"
    "  --sorted        each round in the order of devices, not shuffled\n"
    "  --seed N        of all random numbers (1)\n"
    "  --json          one object a line\n";

static bool parse_settings(struct settings *settings, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = argv[i + 1];
        size_t number = value ? (size_t)strtoull(value, NULL, 10) : 0;

        if (is_word(name, "--json")) {
            settings->json = true;
            continue;
        }
        if (is_word(name, "--no-prefetch")) {
            settings->prefetch = false;
            continue;
        }
        if (is_word(name, "--sorted")) {
            settings->sorted = true;
            continue;
        }
        if (is_word(name, "--any")) {
            settings->any = true;
            continue;
        }
        if (!value)
            return false;
        if (is_word(name, "--devices") && number >= ROUNDS_A_SECOND && settings->fleet_count < 8)
            settings->devices[settings->fleet_count++] = number;
        else if (is_word(name, "--features") && number >= 1 && number <= FEATURES_MAX)
            settings->features = number;
        else if (is_word(name, "--carried") && number >= 1)
            settings->carried = number;
        else if (is_word(name, "--decimals") && number <= 9)
            settings->decimals = number;
        else if (is_word(name, "--seconds"))
            settings->seconds = number;
        else if (is_word(name, "--rounds"))
            settings->rounds = number;
        else if (is_word(name, "--samples") && number >= 1 && number <= MEASURE_SAMPLES_MAX)
            settings->samples = number;
        else if (is_word(name, "--seed"))
            settings->seed = number;
        else if (is_word(name, "--history") && is_word(value, "full"))
            settings->history = HISTORY_FULL;
        else if (is_word(name, "--history") && is_word(value, "survivors"))
            settings->history = HISTORY_SURVIVORS;
        else
            return false;
        i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct settings settings = {.features = 2, .prefetch = true, .samples = 5, .seed = 1};

    if (!parse_settings(&settings, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    if (settings.carried == 0 || settings.carried > settings.features)
        settings.carried = settings.features;
    if (settings.fleet_count == 0) {
        settings.devices[0] = 10000;
        settings.devices[1] = 1000000;
        settings.fleet_count = 2;
    }
    if (!settings.json)
        puts("  devices  history    insert ns  sweep ns  board us  slowest us  bytes/device  asked"
             "    rss  steps  repairs/s");
    for (size_t i = 0; i < settings.fleet_count; i++)
        run(&settings, settings.devices[i]);
    return 0;
}
