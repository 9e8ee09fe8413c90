/* store_bench: the collector's way from a payload to the database, in parts, without the broker.
 *
 *   store   batches of made readings go through store.h into PostgreSQL: sorting, registering,
 *           encoding, the transaction. Each batch is made before its time starts, and entered into the
 *           windows after it ended, as the collector does while it lets the acknowledgements out.
 *           --dump writes what was sent by COPY to DIR/<n>.copy, so that psql can send the same.
 *   path    payload -> topic -> reading -> batch -> sorted -> COPY rows -> windows, no database:
 *           what a reading costs in this program alone. The same readings each time, so that the
 *           instructions can be compared between versions: valgrind --tool=callgrind
 *           --toggle-collect=measured_path counts those, and nothing else.
 *
 * The fleet: --devices devices send once each in a shuffled order, then again; features are even
 * random numbers, times advance by 100 us a reading. Windows start as those of a fleet that has been
 * up for an hour: the peaks are those of 3,600 readings, so that a new peak is as rare as it then is.
 */
#include "collector/batch.h"
#include "collector/commit_times.h"
#include "collector/decoders/json.h"
#include "collector/decoders/mapped.h"
#include "collector/decoders/mapping_file.h"
#include "collector/devices.h"
#include "collector/hearing.h"
#include "collector/stores/postgres/peaks.h"
#include "collector/stores/postgres/pg_store.h"
#include "collector/windows.h"
#include "shared/base/mem.h"
#include "shared/base/random.h"
#include "shared/base/timestamp.h"
#include "shared/model/reading_json.h"
#include "tests/bench/payload_bench.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SECOND_US INT64_C(1000000)
#define HOUR_READINGS 3600.0

enum { STEP_US = 100, INTERVALS = 3 };

struct settings {
    const char *database_url; /* NULL: path */
    enum payload_kind kind;
    const char *dump;
    size_t devices;
    size_t batches;
    size_t batch_size;
    uint64_t seed;
};

struct bench {
    struct settings settings;
    struct sparkplug sparkplug;
    uv_loop_t *loop;
    struct features features;
    struct reading_rules rules;
    struct subscriptions subscriptions;
    struct mappings mappings;
    struct json_decoder json;
    struct mapped_decoder mapped;
    struct decoder *decoder;
    struct source_message message;
    size_t message_at; /* in the batch */
    struct devices devices;
    struct refs refs; /* of path; store has its own */
    struct windows windows;
    struct peaks peaks; /* so, too */
    struct pg_store store;
    struct batch batch;
    struct hearing hearing;
    struct commit_times times;
    struct buffer rows;
    struct message *messages; /* one batch of them */
    uint64_t random;
    int64_t start_us;
    int64_t now_us;
    uint32_t *order; /* in which devices send */
    size_t next_device;
    uint32_t sender;
    size_t batches_done;
    uint64_t stored;
    double batch_began_s;
    double busy_s;
    double cpu_s;
    double batch_cpu_s;
    bool is_started;
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the fleet ------------------------------------------------------------------------------ */

static void make_message(struct bench *bench, struct message *message)
{
    uint32_t device = bench->order[bench->next_device++ % bench->settings.devices] + 1;

    bench->now_us += STEP_US;
    payload_make(message, bench->settings.kind, device, bench->now_us, &bench->random);
}

static void make_order(struct bench *bench)
{
    bench->order = mem_calloc(bench->settings.devices, sizeof(*bench->order));
    for (size_t i = 0; i < bench->settings.devices; i++)
        bench->order[i] = (uint32_t)i;
    for (size_t i = bench->settings.devices; i > 1; i--) {
        size_t other = (size_t)random_below(&bench->random, i);
        uint32_t device = bench->order[i - 1];

        bench->order[i - 1] = bench->order[other];
        bench->order[other] = device;
    }
}

static const double highest[] = {200, 25}; /* of temperature, pressure */

/* What peaks says of all devices after an hour at one reading a second. */
static void make_peaks(struct bench *bench, struct peaks *peaks)
{
    int64_t at_us = bench->start_us - 60 * SECOND_US;

    for (uint32_t device = 0; device < bench->settings.devices; device++) {
        for (size_t f = 0; f < bench->features.count; f++) {
            /* the highest and the lowest of n even numbers */
            double best = pow(random_unit(&bench->random), 1 / HOUR_READINGS);
            double least = 1 - pow(random_unit(&bench->random), 1 / HOUR_READINGS);

            peaks_answered(peaks, device, f, ORDER_HIGHEST, hundredths(best * highest[f % 2]),
                           at_us);
            peaks_answered(peaks, device, f, ORDER_LOWEST, hundredths(least * highest[f % 2]),
                           at_us);
        }
    }
    peaks_committed(peaks);
}

/* Windows know all devices, each with the peak of an hour at one reading a second. */
static void make_windows(struct bench *bench)
{
    static const int64_t lengths_us[INTERVALS] = {60 * SECOND_US, 3600 * SECOND_US,
                                                  INTERVAL_ALL_TIME};
    union reading_storage storage = {.reading = {.status = STATUS_ON}};
    char id[DEVICE_ID_SIZE];

    windows_init(&bench->windows, bench->features.count, WINDOWS_HIGHEST, lengths_us, INTERVALS, 10,
                 0);
    for (size_t i = 0; i < bench->settings.devices; i++) {
        bool is_new;
        uint32_t device;

        snprintf(id, sizeof(id), "device_%zu", i + 1);
        device = devices_find_or_add(&bench->devices, id, &is_new);
        windows_add_device(&bench->windows, bench->devices.items[device].id);
        storage.reading.recorded_at_us = bench->start_us - 60 * SECOND_US;
        for (uint32_t f = 0; f < bench->features.count; f++) {
            /* the highest of n even numbers */
            double best = pow(random_unit(&bench->random), 1 / HOUR_READINGS);

            for (size_t other = 0; other < bench->features.count; other++)
                storage.reading.values[other] = 0;
            storage.reading.values[f] = hundredths(best * highest[f % 2]);
            windows_insert_peak(&bench->windows, device, f, &storage.reading);
        }
        if (!bench->settings.database_url)
            refs_set(&bench->refs, device, (int32_t)device + 1);
    }
}

static const char *on_device(void *user, const char *id, size_t bytes)
{
    struct bench *bench = user;

    if (!devices_find(&bench->devices, id, bytes, &bench->sender))
        abort();
    return bench->devices.items[bench->sender].id;
}

static void on_item(void *user, const struct reading_item *item)
{
    struct bench *bench = user;

    if (item->error) {
        fprintf(stderr, "store_bench: %s\n", item->detail);
        exit(1);
    }
    if (bench->decoder->filter) {
        batch_push(&bench->batch, bench->sender, item);
        return;
    }
    bench->message_at = batch_keep_message(&bench->batch, bench->message.topic,
                                           bench->message.payload, bench->message.bytes);
    batch_push_at(&bench->batch, bench->sender, item, bench->message_at);
}

/* What intake.c does with each message. */
static void parse_messages(struct bench *bench)
{
    struct reading_source source = {.received_at_us = bench->now_us,
                                    .first_received_at_us = bench->now_us};

    for (size_t i = 0; i < bench->settings.batch_size; i++) {
        const struct message *message = &bench->messages[i];
        struct reading_rest rest = {0};

        bench->message = (struct source_message){
            .topic = message->topic, .payload = message->payload, .bytes = message->bytes};
        if (bench->decoder->kind->begin(bench->decoder, &bench->message, &source,
                                        bench->settings.batch_size, &rest) != DECODER_READ)
            abort();
    }
}

static void make_decoders(struct bench *bench)
{
    const struct decoder_taker taker = {.user = bench, .on_device = on_device, .on_item = on_item};
    const char *text = payload_mappings[bench->settings.kind];
    char error[MAPPING_ERROR_SIZE];

    if (subscriptions_add_contract(&bench->subscriptions, "devices/+/readings") ||
        !mapping_compile(&bench->mappings, text, strlen(text), zone_load, error))
        abort();
    mappings_bind(&bench->mappings, &bench->features);
    json_decoder_init(&bench->json, &bench->rules, bench->subscriptions.contract,
                      &bench->subscriptions.contract_count, 0, &taker);
    mapped_decoder_init(&bench->mapped, &bench->mappings, &bench->rules, &bench->subscriptions,
                        &taker);
    bench->mapped.run.sparkplug = &bench->sparkplug;
    if (bench->settings.kind == PAYLOAD_SPARKPLUG)
        sparkplug_bench_births(&bench->sparkplug, bench->settings.devices);
    bench->decoder =
        bench->settings.kind == PAYLOAD_CONTRACT ? &bench->json.decoder : &bench->mapped.decoder;
}

static void make_messages(struct bench *bench)
{
    for (size_t i = 0; i < bench->settings.batch_size; i++)
        make_message(bench, &bench->messages[i]);
}

static void take_into_windows(struct bench *bench)
{
    for (size_t i = 0; i < bench->batch.sorted_count; i++) {
        const struct batch_row *row = batch_row(&bench->batch, bench->batch.order[i]);

        windows_insert(&bench->windows, row->device, batch_reading(row), bench->now_us);
    }
}

/* ---- path ----------------------------------------------------------------------------------- */

/* Its name is known to callgrind. */
__attribute__((noinline)) static void measured_path(struct bench *bench)
{
    parse_messages(bench);
    batch_sort(&bench->batch, bench->refs.by_device);
    buffer_clear(&bench->rows);
    rows_put_readings(&bench->batch, &bench->refs, 0, bench->batch.sorted_count, NULL,
                      &bench->rows);
    peaks_begin(&bench->peaks);
    peaks_encode(&bench->peaks, &bench->batch, &bench->refs, NULL, &bench->rows);
    peaks_committed(&bench->peaks);
    take_into_windows(bench);
    hearing_note(&bench->hearing, &bench->batch);
    commit_times_end(&bench->times, &bench->batch, 0, 0);
    batch_clear(&bench->batch);
}

static void run_path(struct bench *bench)
{
    size_t readings = bench->settings.batches * bench->settings.batch_size;
    double took = 0;

    for (size_t i = 0; i < bench->settings.batches; i++) {
        double began;

        make_messages(bench);
        began = cpu_s();
        measured_path(bench);
        took += cpu_s() - began;
    }
    printf("{\"bench\":\"path\",\"readings\":%zu,\"ns_per_reading\":%.1f}\n", readings,
           took * 1e9 / (double)(readings ? readings : 1));
}

/* ---- store ---------------------------------------------------------------------------------- */

static void dump_rows(struct bench *bench)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%zu.copy", bench->settings.dump, bench->batches_done);
    file = fopen(path, "wb");
    if (!file) {
        perror(path);
        exit(1);
    }
    fwrite(bench->store.rows.data, 1, bench->store.rows.bytes, file);
    fclose(file);
}

static void next_batch(struct bench *bench)
{
    make_messages(bench);
    parse_messages(bench);
    bench->batch_began_s = now_s();
    bench->batch_cpu_s = cpu_s();
    store_begin(&bench->store.base, &bench->batch, false);
}

static void on_store_closed(struct pg_store *store)
{
    (void)store;
}

static void on_stored(void *user, struct batch *batch, const struct store_outcome *outcome)
{
    struct bench *bench = user;

    bench->busy_s += now_s() - bench->batch_began_s;
    bench->cpu_s += cpu_s() - bench->batch_cpu_s;
    bench->stored += outcome->stored;
    if (bench->settings.dump)
        dump_rows(bench);
    take_into_windows(bench);
    batch_clear(batch);
    if (++bench->batches_done < bench->settings.batches) {
        next_batch(bench);
        return;
    }
    printf("{\"bench\":\"store\",\"stored\":%llu,\"seconds\":%.4f,\"per_second\":%.1f,"
           "\"cpu_us\":%.4f,\"retries\":%llu}\n",
           (unsigned long long)bench->stored, bench->busy_s, (double)bench->stored / bench->busy_s,
           bench->cpu_s * 1e6 / (double)bench->stored, (unsigned long long)bench->store.retries);
    fflush(stdout);
    getchar(); /* the caller looks at the backend before it goes */
    pg_store_close(&bench->store, on_store_closed);
}

static void on_staged(struct pg_store *store)
{
    (void)store;
}

static void on_ready(void *user, bool is_turn_new)
{
    struct bench *bench = user;

    (void)is_turn_new;
    if (bench->is_started)
        return;
    bench->is_started = true;
    puts("ready");
    fflush(stdout);
    getchar();
    next_batch(bench);
}

static void on_unready(void *user)
{
    struct bench *bench = user;

    if (bench->batches_done == bench->settings.batches)
        return; /* it is being closed */
    fprintf(stderr, "store_bench: %s\n", bench->store.link.failure);
    exit(1);
}

static void run_store(struct bench *bench)
{
    static const struct store_events events = {
        .on_ready = on_ready, .on_unready = on_unready, .on_stored = on_stored};
    const struct pg_store_config config = {.database_url = bench->settings.database_url,
                                           .client_id = "",
                                           .collector_id = "store_bench",
                                           .subscriptions = &bench->subscriptions,
                                           .features = &bench->features,
                                           .devices = &bench->devices,
                                           .watchdog_ms = 60000,
                                           .fresh_us = 3600 * SECOND_US,
                                           .ahead_us = 3600 * SECOND_US,
                                           .on_staged = on_staged};
    char error[256];

    bench->store.base.kind = &store_postgres;
    bench->store.base.events = &events;
    bench->store.base.user = bench;
    if (!pg_store_start(&bench->store, bench->loop, &config, error, sizeof(error))) {
        fprintf(stderr, "store_bench: %s\n", error);
        exit(1);
    }
    make_peaks(bench, &bench->store.peaks);
    uv_run(bench->loop, UV_RUN_DEFAULT);
    refs_release(&bench->store.refs);
    mqtt_identity_release(&bench->store.base.identity);
}

/* ---- start ---------------------------------------------------------------------------------- */

static const char usage[] =
    "usage: store_bench [options]\n"
    "  --database-url URL  a migrated database; without it the path alone is measured\n"
    "  --batches N         (100)\n"
    "  --batch-size N      readings in each (10000)\n"
    "  --devices N         (10000)\n"
    "  --payload KIND      contract, flat, nested, text or sparkplug (contract)\n"
    "  --dump DIR          writes each batch's COPY data there\n"
    "  --seed N            of all random numbers (1)\n"
    "With a database it says \"ready\" and waits for a line of input before it starts, and\n"
    "again, when it has printed its figures, before it ends.\n";

static bool parse_settings(struct settings *settings, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        size_t number = strtoull(value, NULL, 10);

        if (strcmp(name, "--database-url") == 0)
            settings->database_url = value;
        else if (strcmp(name, "--payload") == 0 && payload_find(&settings->kind, value))
            continue;
        else if (strcmp(name, "--dump") == 0)
            settings->dump = value;
        else if (strcmp(name, "--batches") == 0)
            settings->batches = number;
        else if (strcmp(name, "--batch-size") == 0 && number > 0)
            settings->batch_size = number;
        else if (strcmp(name, "--devices") == 0 && number > 0)
            settings->devices = number;
        else if (strcmp(name, "--seed") == 0)
            settings->seed = number;
        else
            return false;
    }
    return argc % 2 == 1;
}

int main(int argc, char **argv)
{
    struct bench bench = {
        .settings = {.devices = 10000, .batches = 100, .batch_size = 10000, .seed = 1}};
    char error[256];

    if (!parse_settings(&bench.settings, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    features_parse(&bench.features, FEATURES_DEFAULT, error, sizeof(error));
    bench.random = bench.settings.seed;
    /* The path is the same each time; the store needs a day that has its partition. */
    bench.start_us = bench.settings.database_url ? timestamp_now() : 1700000000 * SECOND_US;
    bench.now_us = bench.start_us;
    bench.rules =
        (struct reading_rules){.features = &bench.features, .future_tolerance_us = 60 * SECOND_US};
    make_decoders(&bench);
    bench.messages = mem_calloc(bench.settings.batch_size, sizeof(*bench.messages));
    bench.loop = uv_default_loop();
    batch_init(&bench.batch, bench.features.count);
    make_order(&bench);
    make_windows(&bench);
    if (bench.settings.database_url) {
        run_store(&bench);
    } else {
        peaks_init(&bench.peaks, &bench.features);
        make_peaks(&bench, &bench.peaks);
        run_path(&bench);
        peaks_release(&bench.peaks);
    }
    batch_release(&bench.batch);
    buffer_release(&bench.rows);
    windows_release(&bench.windows);
    devices_release(&bench.devices);
    refs_release(&bench.refs);
    hearing_release(&bench.hearing);
    free(bench.order);
    free(bench.messages);
    bench.mapped.decoder.kind->release(&bench.mapped.decoder);
    mappings_release(&bench.mappings);
    subscriptions_release(&bench.subscriptions);
    return 0;
}
