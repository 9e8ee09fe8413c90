/* redis_bench URL [BOARDS_PER_SECOND] [SECONDS]: what it costs the collector to put boards into Redis.
 *
 * The sink as it is, with boards of ten devices, a tenth of those of a second every tenth of a second, as
 * they are made. Prints one line of JSON: boards put, and CPU of this process. */
#include "collector/settings.h"
#include "collector/sink.h"
#include "shared/base/mem.h"
#include "shared/net/prometheus.h"
#include "tests/bench/measure.h"

#include <sys/resource.h>

enum { ENTRIES = 10, BOARDS = 50, TICK_MS = 100 };

struct bench {
    uv_loop_t loop;
    uv_timer_t timer;
    struct sink *sink;
    struct settings settings;
    struct buffer bytes;
    struct reading *readings[ENTRIES];
    struct board_entry entries[ENTRIES];
    char ids[ENTRIES][24];
    uint64_t per_tick;
    uint64_t ticks;
    uint64_t put;
    int64_t generation;
    double began_us;
};

static double cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void put_board(struct bench *b)
{
    struct board_head head = {.feature = "temperature",
                              .interval = "past_minute",
                              .order = ORDER_HIGHEST,
                              .as_of_us = (int64_t)b->put * BOARD_GRID_US,
                              .generation = ++b->generation,
                              .is_exact = true};
    struct sink_item item = {.what = SINK_BOARD,
                             .board = b->put % BOARDS,
                             .turn = 1,
                             .bytes = &b->bytes,
                             .head = &head,
                             .entries = b->entries,
                             .entry_count = ENTRIES};

    for (size_t i = 0; i < ENTRIES; i++) {
        b->readings[i]->values[0] = 200.0 - (double)i - (double)(b->put % 97) / 100;
        b->readings[i]->values[1] = 3.2;
        b->readings[i]->recorded_at_us = 1764201600000000 + (int64_t)(b->put + i) * 1000;
    }
    buffer_clear(&b->bytes);
    board_write(&b->bytes, &b->settings.features, &head, b->entries, ENTRIES);
    b->put += sink_put(b->sink, &item);
}

static void on_closed(void *user)
{
    (void)user;
}

static void finish(struct bench *b)
{
    struct buffer metrics = {0};
    double us = cpu_us() - b->began_us;
    const char *taken;

    sink_put_metrics(b->sink, &(struct prometheus){.out = &metrics});
    taken = strstr(buffer_text(&metrics), "\nhighwater_redis_puts_total ");
    printf("{\"boards\":%llu,\"taken\":%.0f,\"us_per_board\":%.2f}\n", (unsigned long long)b->put,
           taken ? strtod(taken + strlen("\nhighwater_redis_puts_total "), NULL) : 0,
           us / (double)b->put);
    buffer_release(&metrics);
    uv_close((uv_handle_t *)&b->timer, NULL);
    sink_close(b->sink, on_closed);
}

static void on_tick(uv_timer_t *timer)
{
    struct bench *b = timer->data;

    if (b->ticks-- == 0) {
        finish(b);
        return;
    }
    sink_hold(b->sink);
    for (uint64_t i = 0; i < b->per_tick; i++)
        put_board(b);
    sink_flush(b->sink);
}

/* Redis has the script; what it took to come here is not counted. */
static void on_ready(void *user, const struct sink *sink)
{
    struct bench *b = user;

    (void)sink;
    if (uv_is_active((uv_handle_t *)&b->timer))
        return;
    b->began_us = cpu_us();
    uv_timer_start(&b->timer, on_tick, TICK_MS, TICK_MS);
}

static void fill(struct bench *b, const char *url)
{
    char error[128];

    b->settings =
        (struct settings){.redis_url = url, .redis_expiry_us = 60000000, .collector_id = "bench"};
    features_parse(&b->settings.features, FEATURES_DEFAULT, error, sizeof(error));
    for (size_t i = 0; i < ENTRIES; i++) {
        snprintf(b->ids[i], sizeof(b->ids[i]), "device_%zu", i);
        b->readings[i] = mem_calloc(1, reading_size(b->settings.features.count));
        b->readings[i]->status = STATUS_ON;
        b->entries[i] = (struct board_entry){.device_id = b->ids[i], .reading = b->readings[i]};
    }
}

int main(int argc, char **argv)
{
    static struct bench bench;
    static const struct sink_events events = {.on_ready = on_ready};
    struct sink_config config = {.loop = &bench.loop,
                                 .settings = &bench.settings,
                                 .board_count = BOARDS,
                                 .started_at_us = 1};
    double rate = argc > 2 ? strtod(argv[2], NULL) : 50;
    double seconds = argc > 3 ? strtod(argv[3], NULL) : 10;
    char error[256];

    if (argc < 2) {
        fprintf(stderr, "usage: redis_bench URL [BOARDS_PER_SECOND] [SECONDS]\n");
        return 2;
    }
    fill(&bench, argv[1]);
    bench.per_tick = (uint64_t)(rate * TICK_MS / 1000);
    bench.ticks = (uint64_t)(seconds * 1000 / TICK_MS);
    uv_loop_init(&bench.loop);
    uv_timer_init(&bench.loop, &bench.timer);
    bench.timer.data = &bench;
    bench.sink = sink_redis.open(&config, error, sizeof(error));
    if (!bench.sink) {
        fprintf(stderr, "redis_bench: %s\n", error);
        return 1;
    }
    sink_attach(bench.sink, &events, &bench);
    sink_join(bench.sink);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    bench.sink->kind->free(bench.sink);
    buffer_release(&bench.bytes);
    for (size_t i = 0; i < ENTRIES; i++)
        free(bench.readings[i]);
    uv_loop_close(&bench.loop);
    return 0;
}
