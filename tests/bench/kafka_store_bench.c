/* kafka_store_bench URL [BATCHES [ROWS [KAFKA_CONFIG]]]: batches of made readings go through store.h into a topic of Kafka, one
 * after the other as the collector does it, each waited for. store_bench has the same for PostgreSQL. The
 * topic and <topic>.rejected must be there. Prints readings per second, and what each costs this process, with
 * librdkafka's threads. */
#include "collector/devices.h"
#include "collector/settings.h"
#include "collector/store.h"
#include "tests/bench/measure.h"

#include <sys/resource.h>
#include <uv.h>

enum { DEVICES = 1000 };

static struct {
    uv_loop_t loop;
    struct settings settings;
    struct devices devices;
    struct batch batch;
    struct store *store;
    size_t rows;
    size_t batches;
    size_t done;
    int64_t now_us;
    uint64_t random;
    double began_ns;
    double cpu_us;
} b;

static double cpu_us(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e6 +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static void fill(void)
{
    static const char text[] = "{\"timestamp\":\"2026-11-23T12:00:00.123Z\",\"temperature\":1}";
    union reading_storage storage = {0};
    struct reading_item item = {.reading = &storage.reading,
                                .detail = "",
                                .bytes = text,
                                .length = sizeof(text) - 1,
                                .seq = -1};

    batch_clear(&b.batch);
    for (size_t i = 0; i < b.rows; i++) {
        item.received_at_us = item.first_received_at_us = b.now_us++;
        storage.reading.recorded_at_us = item.received_at_us;
        storage.reading.status = STATUS_ON;
        storage.reading.content_hash = (int64_t)random_next(&b.random);
        storage.reading.values[0] = (double)random_below(&b.random, 20000) / 100;
        storage.reading.values[1] = (double)random_below(&b.random, 2500) / 100;
        batch_push(&b.batch, (uint32_t)(random_below(&b.random, DEVICES)), &item);
    }
}

static void on_closed(void *user)
{
    (void)user;
    uv_stop(&b.loop);
}

/* The time to make a batch is none of the store's. */
static void go_on(void)
{
    double began_ns = now_ns();
    double began_us = cpu_us();

    fill();
    b.began_ns += now_ns() - began_ns;
    b.cpu_us += cpu_us() - began_us;
    store_begin(b.store, &b.batch, false);
}

static void on_ready(void *user, bool is_turn_new)
{
    (void)user;
    if (!is_turn_new)
        return;
    b.began_ns = now_ns();
    b.cpu_us = cpu_us();
    go_on();
}

static void on_unready(void *user)
{
    (void)user;
}

static void on_stored(void *user, struct batch *batch, const struct store_outcome *outcome)
{
    double rows = (double)b.batches * (double)b.rows;
    double seconds = (now_ns() - b.began_ns) / 1e9;

    (void)user;
    (void)batch;
    (void)outcome;
    if (++b.done < b.batches) {
        go_on();
        return;
    }
    printf("%.0f readings in %.2f s: %.0f/s, %.2f us of CPU each\n", rows, seconds, rows / seconds,
           (cpu_us() - b.cpu_us) / rows);
    store_close(b.store, on_closed);
}

static void put_topic(void *user, const struct batch *batch, const struct batch_row *row,
                      struct buffer *out)
{
    (void)user;
    (void)batch;
    buffer_put_text(out, "devices/");
    buffer_put_text(out, b.devices.items[row->device].id);
    buffer_put_text(out, "/readings");
}

static const struct store_events events = {
    .on_ready = on_ready, .on_unready = on_unready, .on_stored = on_stored, .put_topic = put_topic};

int main(int argc, char **argv)
{
    const struct store_config config = {.settings = &b.settings, .devices = &b.devices};
    char error[256];
    char id[32];
    bool is_new;

    if (argc < 2) {
        fprintf(stderr, "kafka_store_bench: URL [BATCHES [ROWS [KAFKA_CONFIG]]]\n");
        return 2;
    }
    b.batches = argc > 2 ? strtoul(argv[2], NULL, 10) : 50;
    b.rows = argc > 3 ? strtoul(argv[3], NULL, 10) : 10000;
    b.random = 1;
    b.now_us = INT64_C(1795089600000000);
    b.settings = (struct settings){.store = argv[1],
                                   .database_url = "",
                                   .kafka_config = argc > 4 ? argv[4] : "",
                                   .collector_id = "collector",
                                   .client_id = "",
                                   .watchdog_us = INT64_C(30000000)};
    if (!features_parse(&b.settings.features, "temperature,pressure", error, sizeof(error)))
        return 1;
    for (int i = 0; i < DEVICES; i++) {
        snprintf(id, sizeof(id), "device_%d", i);
        devices_find_or_add(&b.devices, id, &is_new);
    }
    batch_init(&b.batch, b.settings.features.count);
    uv_loop_init(&b.loop);
    b.store = store_new(&config);
    if (!store_start(b.store, &b.loop, &events, NULL, error, sizeof(error))) {
        fprintf(stderr, "kafka_store_bench: %s\n", error);
        return 1;
    }
    uv_run(&b.loop, UV_RUN_DEFAULT);
    uv_run(&b.loop, UV_RUN_NOWAIT); /* what closes at the end */
    store_free(b.store);
    batch_release(&b.batch);
    devices_release(&b.devices);
    return 0;
}
