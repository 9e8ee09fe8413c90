/* falling_bench: what windows cost for one device whose value falls for an hour.
 *
 * Each of --readings readings is a step, so that nothing can be forgotten: in the order of time, in
 * reverse, and shuffled. The insert is the mean of all, the slowest the worst mean of a hundredth
 * of them; boards are asked for when all are in. Shown are medians of --samples samples.
 */
#include "collector/windows.h"

#include "shared/base/mem.h"
#include "tests/bench/measure.h"

#define SECOND_US INT64_C(1000000)
#define START_US (INT64_C(1700000000) * SECOND_US)

enum { TOP_N = 10, INTERVALS = 3 };

struct settings {
    size_t readings;
    size_t features;
    size_t samples;
    bool json;
    uint64_t seed;
};

enum order { IN_ORDER, IN_REVERSE, SHUFFLED, ORDERS };

static const char *const order_names[ORDERS] = {"in order", "in reverse", "shuffled"};

struct sample {
    double insert_ns;
    double slowest_ns;
    double board_us;
    double bytes_per_step;
};

static void put_in_order(uint32_t *order, size_t count, enum order how, uint64_t *random)
{
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)(how == IN_REVERSE ? count - 1 - i : i);
    if (how == SHUFFLED)
        shuffle(order, count, random);
}

static struct sample fall(const struct settings *settings, const uint32_t *order, uint64_t *random)
{
    enum { PARTS = 100, BOARDS = 1000 };
    static const int64_t lengths_us[INTERVALS] = {60 * SECOND_US, 3600 * SECOND_US,
                                                  INTERVAL_ALL_TIME};
    struct sample sample = {0};
    struct windows windows;
    struct windows_entry entries[TOP_N];
    union reading_storage storage = {0};
    struct reading *reading = &storage.reading;
    size_t bytes_before = bytes_in_use(), count = settings->readings;
    int64_t now_us = START_US + 3600 * SECOND_US;
    double t0;

    windows_init(&windows, settings->features, WINDOWS_HIGHEST, lengths_us, INTERVALS, TOP_N, 0);
    windows_add_device(&windows, "tank");
    reading->status = STATUS_ON;
    for (size_t part = 0; part < PARTS; part++) {
        size_t from = count * part / PARTS, to = count * (part + 1) / PARTS;
        double ns;

        t0 = now_ns();
        for (size_t i = from; i < to; i++) {
            reading->recorded_at_us =
                START_US + 1 + (int64_t)((double)order[i] * 3600e6 / (double)count);
            reading->content_hash = (int64_t)random_next(random);
            reading->values[0] = -(double)order[i];
            for (size_t f = 1; f < settings->features; f++)
                reading->values[f] = random_unit(random);
            windows_insert(&windows, 0, reading, now_us);
        }
        ns = now_ns() - t0;
        sample.insert_ns += ns / (double)count;
        if (to > from && ns / (double)(to - from) > sample.slowest_ns)
            sample.slowest_ns = ns / (double)(to - from);
    }
    t0 = now_ns();
    for (uint32_t i = 0; i < BOARDS; i++)
        windows_board(&windows, 0, i % INTERVALS, now_us, entries);
    sample.board_us = (now_ns() - t0) / BOARDS / 1000;
    sample.bytes_per_step = (double)(bytes_in_use() - bytes_before) / (double)count;
    if (windows_stats(&windows).coarsened > 0)
        fputs("falling_bench: so many do not fit into the default of WINDOWS_MEMORY\n", stderr);
    windows_release(&windows);
    return sample;
}

static void run(const struct settings *settings)
{
    uint32_t *order = mem_calloc(settings->readings, sizeof(*order));
    uint64_t random = settings->seed;
    struct sample samples[MEASURE_SAMPLES_MAX];

    if (!settings->json)
        puts("  falling  order       insert ns  slowest ns  board us  bytes/step");
    for (enum order how = IN_ORDER; how < ORDERS; how++) {
        put_in_order(order, settings->readings, how, &random);
        for (size_t i = 0; i < settings->samples; i++)
            samples[i] = fall(settings, order, &random);
#define MEDIAN(member)                                                                             \
    median(samples, sizeof(samples[0]), settings->samples, offsetof(struct sample, member))
        printf(settings->json ? "{\"bench\":\"windows falling\",\"readings\":%zu,\"order\":\"%s\","
                                "\"insert_ns\":%.1f,\"slowest_ns\":%.1f,\"board_us\":%.2f,"
                                "\"bytes_per_step\":%.1f}\n"
                              : "%9zu  %-10s  %9.1f  %10.1f  %8.2f  %10.1f\n",
               settings->readings, order_names[how], MEDIAN(insert_ns), MEDIAN(slowest_ns),
               MEDIAN(board_us), MEDIAN(bytes_per_step));
        fflush(stdout);
    }
    free(order);
}

static const char usage[] = "usage: falling_bench [options]\n"
                            "  --readings N    of the device (1000000)\n"
                            "  --features N    values in a reading (2)\n"
                            "  --samples N     samples, of which the median is shown (5)\n"
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
        if (is_word(name, "--readings") && number >= 1 && number <= UINT32_MAX)
            settings->readings = number;
        else if (is_word(name, "--features") && number >= 1 && number <= FEATURES_MAX)
            settings->features = number;
        else if (is_word(name, "--samples") && number >= 1 && number <= MEASURE_SAMPLES_MAX)
            settings->samples = number;
        else if (is_word(name, "--seed") && value)
            settings->seed = number;
        else
            return false;
        i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct settings settings = {.readings = 1000000, .features = 2, .samples = 5, .seed = 1};

    if (!parse_settings(&settings, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    run(&settings);
    return 0;
}
