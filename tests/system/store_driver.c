/* One member of a group, as the store sees it: stores what it is told, a command on each line, and says what
 * became of it. test_positions.py drives it.
 *
 *     store_driver DATABASE_URL COLLECTOR_ID
 *
 *     find PARTITION             "position 5", or "position new"
 *     batch KIND PARTITION FROM TO
 *         readings   one of device p<PARTITION> for each of the records FROM..TO-1, with its number as
 *                    temperature, a second apart from one that was recorded an hour ago
 *         rejected   a rejected message for each
 *         nothing    records that say nothing
 *         part       as readings, of a message that goes on
 *     limit ROWS                 in a transaction, from now on
 *
 * FROM may be "new". Says "stored N M", of M rejected, or "fenced N" of which parts had been stored. */
#include "collector/stores/postgres/pg_store.h"

#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct driver {
    struct pg_store store; /* first */
    struct features features;
    struct devices devices;
    struct subscriptions subscriptions;
    struct batch batch;
    struct source_position position;
    int64_t base_us;
    uv_pipe_t input;
    struct buffer line;
};

/* ---- what the store says ---------------------------------------------------------------------- */

static void on_ready(void *user, bool is_turn_new)
{
    (void)user;
    (void)is_turn_new;
    puts("ready");
}

static void on_nothing(void *user)
{
    (void)user;
}

static void on_stored(void *user, struct batch *batch, const struct store_outcome *outcome)
{
    (void)user;
    printf("stored %" PRIu64 " %zu\n", outcome->stored, batch->rejected_count);
}

static void on_fenced(void *user, struct batch *batch)
{
    struct driver *d = user;

    (void)batch;
    printf("fenced %" PRIu64 "\n", store_progress(&d->store.base)->stored);
}

static void on_positions(void *user, const struct source_position *positions, size_t count)
{
    (void)user;
    for (size_t i = 0; i < count; i++) {
        if (positions[i].from == SOURCE_POSITION_NEW)
            puts("position new");
        else
            printf("position %" PRId64 "\n", positions[i].from);
    }
}

static void put_topic(void *user, const struct batch *batch, const struct batch_row *row,
                      struct buffer *out)
{
    (void)user;
    (void)batch;
    (void)row;
    buffer_put_text(out, "devices/d/readings");
}

static void on_staged(struct pg_store *store)
{
    (void)store;
}

static const struct store_events events = {.on_ready = on_ready,
                                           .on_unready = on_nothing,
                                           .on_locked_out = on_nothing,
                                           .on_added_many = on_nothing,
                                           .on_stored = on_stored,
                                           .on_fenced = on_fenced,
                                           .on_positions = on_positions,
                                           .put_topic = put_topic};

/* ---- what it is told -------------------------------------------------------------------------- */

static void push(struct driver *d, int32_t partition, int64_t number)
{
    char id[DEVICE_ID_SIZE];
    char payload[32];
    union reading_storage storage = {0};
    struct reading_item item = {.reading = &storage.reading, .seq = number};
    bool is_new;

    snprintf(id, sizeof(id), "p%" PRId32, partition);
    snprintf(payload, sizeof(payload), "%" PRId64, number);
    item.bytes = payload;
    item.length = strlen(payload);
    item.received_at_us = item.first_received_at_us = timestamp_now();
    storage.reading.recorded_at_us = d->base_us + number * TIMESTAMP_US_PER_S;
    storage.reading.content_hash = number;
    storage.reading.status = STATUS_ABSENT;
    for (size_t i = 0; i < d->features.count; i++)
        storage.reading.values[i] = (double)number;
    batch_push(&d->batch, devices_find_or_add(&d->devices, id, &is_new), &item);
}

static void reject(struct driver *d, int64_t number)
{
    char payload[32];
    struct reading_item item = {.error = READING_NOT_JSON, .detail = "d", .bytes = payload};

    snprintf(payload, sizeof(payload), "%" PRId64, number);
    item.length = strlen(payload);
    item.received_at_us = item.first_received_at_us = timestamp_now();
    batch_reject(&d->batch, "devices/d/readings", "d", &item);
}

static void begin(struct driver *d, const char *kind)
{
    struct source_position *position = &d->position;
    int64_t first = position->from == SOURCE_POSITION_NEW ? 0 : position->from;

    batch_clear(&d->batch);
    for (int64_t number = first; number < position->to && strcmp(kind, "nothing") != 0; number++) {
        if (strcmp(kind, "rejected") == 0)
            reject(d, number);
        else
            push(d, position->partition, number);
    }
    d->batch.message_count = (size_t)(position->to - first);
    d->batch.is_part = strcmp(kind, "part") == 0;
    d->batch.mark = (struct source_mark){.positions = position, .position_count = 1};
    store_begin(&d->store.base, &d->batch, false);
}

static void obey(struct driver *d, const char *line)
{
    struct source_position *position = &d->position;
    char kind[16];
    char from[24];

    if (sscanf(line, "find %" SCNd32, &position->partition) == 1) {
        store_find_positions(&d->store.base, position, 1);
    } else if (sscanf(line, "batch %15s %" SCNd32 " %23s %" SCNd64, kind, &position->partition,
                      from, &position->to) == 4) {
        position->from = strcmp(from, "new") == 0 ? SOURCE_POSITION_NEW : strtoll(from, NULL, 10);
        begin(d, kind);
    } else if (sscanf(line, "limit %zu", &d->store.part_most) != 1) {
        fprintf(stderr, "store_driver: %s\n", line);
        exit(2);
    }
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    static char bytes[4096];

    (void)handle;
    (void)size;
    *out = uv_buf_init(bytes, sizeof(bytes));
}

static void on_closed(struct pg_store *store)
{
    struct driver *d = (struct driver *)store;

    batch_release(&d->batch);
    buffer_release(&d->line);
    devices_release(&d->devices);
    refs_release(&store->refs);
    mqtt_identity_release(&store->base.identity);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *read)
{
    struct driver *d = stream->data;

    if (count < 0) {
        uv_close((uv_handle_t *)stream, NULL);
        pg_store_close(&d->store, on_closed);
        return;
    }
    for (ssize_t i = 0; i < count; i++) {
        if (read->base[i] != '\n') {
            buffer_put(&d->line, &read->base[i], 1);
            continue;
        }
        obey(d, buffer_text(&d->line));
        buffer_clear(&d->line);
    }
}

int main(int argc, char **argv)
{
    static struct driver driver;
    struct driver *d = &driver;
    uv_loop_t *loop = uv_default_loop();
    const struct pg_store_config config = {.database_url = argv[1],
                                           .client_id = "",
                                           .collector_id = argv[2],
                                           .subscriptions = &d->subscriptions,
                                           .features = &d->features,
                                           .devices = &d->devices,
                                           .watchdog_ms = 60000,
                                           .on_staged = on_staged};
    char error[256];

    if (argc != 3)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    features_parse(&d->features, FEATURES_DEFAULT, error, sizeof(error));
    batch_init(&d->batch, d->features.count);
    d->base_us = (timestamp_now() / (3600 * TIMESTAMP_US_PER_S) - 1) * 3600 * TIMESTAMP_US_PER_S;
    d->position = (struct source_position){.group = "it's a \"group\"", .topic = "readings"};
    d->store.base = (struct store){
        .kind = &store_postgres, .config = {.devices = &d->devices}, .events = &events, .user = d};
    if (!pg_store_start(&d->store, loop, &config, error, sizeof(error))) {
        fprintf(stderr, "store_driver: %s\n", error);
        return 1;
    }
    uv_pipe_init(loop, &d->input, 0);
    uv_pipe_open(&d->input, 0);
    d->input.data = d;
    uv_read_start((uv_stream_t *)&d->input, on_alloc, on_read);
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) == 0 ? 0 : 1;
}
