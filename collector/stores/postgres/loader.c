/* Of the readings of an hour nearly all are beaten by a later one of their device, and never
 * matter. So they are read in three layers, latest first: a sixtieth of them whole, and of what is
 * older only what beats every later reading of its device in some ranking. PostgreSQL decides that,
 * with an array of the devices' best values: ten million rows become half a million, and it reads
 * the rest about as fast as it can read a table. Where the layers end comes from the fleet's
 * rollups. Rejected: all rows (three times as slow, and most of that time is this loop's), and
 * checkpoints of the windows, which need care for every other writer. */
#include "collector/stores/postgres/loader.h"

#include "collector/stores/postgres/loader_sql.h"
#include "collector/thresholds.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/model/topic.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Read further back than the interval by what clocks may differ. */
#define MARGIN_US (INT64_C(5) * 1000000)

/* No parallel plan: the other core is for who stores. The lock comes before the snapshot, which the
 * first COPY takes: readings that move into a new partition (schema/002_partitions.sql) after the
 * snapshot would be seen neither there nor where they were. */
#define BEGIN_SQL                                                                                  \
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off;"                        \
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL work_mem = '64MB';"                  \
    "LOCK TABLE ONLY readings IN ACCESS SHARE MODE"

/* Numbers are read from a little before the earliest mark, for clocks that differ: to take one again
 * changes nothing. */
#define NUMBERS_MARGIN_US (INT64_C(10) * 1000000)

/* The latest layers end before so many parts of the readings of the interval. */
enum { LATEST_SHARE = 60, LATER_SHARE = 10 };

enum step {
    STEP_BEGIN,
    STEP_COLLECTORS,
    STEP_DEVICES,
    STEP_PEAKS,
    STEP_SEQUENCES,
    STEP_SINCE,
    STEP_NUMBERS,
    STEP_SLOTS,
    STEP_LATEST,
    STEP_LATER,
    STEP_REST,
    STEP_END
};

static void submit_step(struct loader *loader);
static bool reads_readings(int step);

static void on_closed(struct pg_link *link)
{
    struct loader *loader = link->config.user;

    buffer_release(&loader->sql);
    buffer_release(&loader->source);
    buffer_release(&loader->later_source);
    free(loader->only_refs);
    free(loader->reading);
    loader->is_running = false;
    loader->load.on_done(loader->load.user, loader->is_complete);
}

static uint32_t known_device(struct loader *loader, const char *id)
{
    bool is_new;
    uint32_t device = devices_find_or_add(loader->config.devices, id, &is_new);

    if (is_new)
        loader->load.on_device(loader->load.user, device);
    return device;
}

static void load_collector(struct loader *loader, struct pg_row *row)
{
    char id[COLLECTOR_ID_SIZE];
    int64_t batches;

    pg_row_text(row, id, sizeof(id));
    batches = pg_row_int8(row);
    if (!row->failed && !loader->load.only)
        coverage_found(loader->load.coverage, id, batches);
}

static void load_device(struct loader *loader, struct pg_row *row)
{
    char id[DEVICE_ID_SIZE];
    int32_t database_id = pg_row_int4(row);

    pg_row_text(row, id, sizeof(id));
    if (row->failed)
        return;
    refs_set(loader->config.refs, known_device(loader, id), database_id);
    loader->devices_loaded++;
}

/* The columns that readings and peaks share, at the end of each row. */
static void read_reading(struct loader *loader, struct pg_row *row)
{
    struct reading *reading = loader->reading;
    int status;

    memset(reading, 0, sizeof(*reading));
    reading->content_hash = pg_row_int8(row);
    reading->recorded_at_us = pg_row_timestamp(row);
    status = pg_row_int2(row, STATUS_ABSENT);
    reading->status = status >= 0 && status < STATUS_COUNT ? (uint64_t)status : STATUS_ABSENT;
    for (size_t i = 0; i < loader->config.features->count; i++)
        reading->values[i] = pg_row_double(row);
}

static void load_peak(struct loader *loader, struct pg_row *row)
{
    const struct features *features = loader->config.features;
    struct windows *windows = loader->load.windows;
    char feature[FEATURE_NAME_MAX + 1];
    char order[8];
    uint32_t device;
    size_t at;
    bool is_highest;
    bool is_known;

    pg_row_text(row, feature, sizeof(feature));
    pg_row_text(row, order, sizeof(order));
    is_known = refs_find(loader->config.refs, pg_row_int4(row), &device);
    read_reading(loader, row);
    at = features_find(features, feature);
    is_highest = strcmp(order, "desc") == 0;
    if (row->failed || !is_known || at == features->count ||
        !(windows->orders & (is_highest ? WINDOWS_HIGHEST : WINDOWS_LOWEST)) ||
        isnan(loader->reading->values[at]))
        return;
    windows_insert_peak(windows, device,
                        windows_ranking(windows, at, is_highest ? WINDOWS_HIGHEST : WINDOWS_LOWEST),
                        loader->reading);
    loader->peaks_loaded++;
}

static void load_sequence(struct loader *loader, struct pg_row *row)
{
    uint32_t device;
    bool is_known = refs_find(loader->config.refs, pg_row_int4(row), &device);
    struct sequences_state state;

    state.highest = pg_row_int8(row);
    state.highest_at_us = pg_row_timestamp(row);
    state.missing = (uint64_t)pg_row_int8(row);
    state.repeats = (uint64_t)pg_row_int8(row);
    state.restarts = (uint64_t)pg_row_int8(row);
    state.taken_until_us = pg_row_timestamp(row);
    state.details = pg_row_bytes(row, &state.details_bytes);
    if (is_known && !row->failed)
        sequences_load_state(loader->load.sequences, device, &state);
}

static void load_number(struct loader *loader, struct pg_row *row)
{
    uint32_t device;
    bool is_known = refs_find(loader->config.refs, pg_row_int4(row), &device);
    int64_t number = pg_row_int8(row);
    int64_t recorded_at_us = pg_row_timestamp(row);
    int64_t received_at_us = pg_row_timestamp(row);

    if (is_known && !row->failed)
        sequences_load_number(loader->load.sequences, device, number, recorded_at_us,
                              received_at_us);
}

static void load_since(struct loader *loader, struct pg_row *row)
{
    loader->numbers_since_us = pg_row_timestamp(row);
    if (row->failed)
        loader->numbers_since_us = INT64_MIN; /* NULL: there is no mark */
}

/* The slots come latest first; the cuts go in front of those where a share is reached. */
static void load_slot(struct loader *loader, struct pg_row *row)
{
    int64_t start_us = pg_row_timestamp(row);
    int64_t before = pg_row_int8(row); /* readings of this slot and all later ones */
    int64_t all = pg_row_int8(row);

    if (row->failed)
        return;
    if (before <= all / LATEST_SHARE + 1)
        loader->latest_from_us = start_us;
    if (before <= all / LATER_SHARE + 1)
        loader->later_from_us = start_us;
}

static void load_text(struct pg_row *row, struct buffer *out)
{
    size_t bytes;
    const unsigned char *text = pg_row_bytes(row, &bytes);

    buffer_clear(out);
    if (!row->failed)
        buffer_put(out, text, bytes);
}

static void load_reading(struct loader *loader, struct pg_row *row)
{
    uint32_t device;

    if (!refs_find(loader->config.refs, pg_row_int4(row), &device))
        return;
    read_reading(loader, row);
    if (row->failed)
        return;
    windows_insert(loader->load.windows, device, loader->reading,
                   loader->load.as_of_us(loader->load.user));
    if (loader->load.thresholds)
        thresholds_load(loader->load.thresholds, device, loader->reading);
    loader->readings_loaded++;
}

static void on_copy_row(struct pg_query *query, const char *data, size_t bytes)
{
    struct loader *loader = query->user;
    struct pg_row row;
    bool is_row = pg_row_start(&row, data, bytes, loader->is_first_row);

    loader->is_first_row = false;
    if (!is_row)
        return;
    if (reads_readings(loader->step) && !loader->has_sources) {
        load_text(&row, &loader->source);
        load_text(&row, &loader->later_source);
    } else if (loader->step == STEP_COLLECTORS)
        load_collector(loader, &row);
    else if (loader->step == STEP_DEVICES)
        load_device(loader, &row);
    else if (loader->step == STEP_PEAKS)
        load_peak(loader, &row);
    else if (loader->step == STEP_SEQUENCES)
        load_sequence(loader, &row);
    else if (loader->step == STEP_SINCE)
        load_since(loader, &row);
    else if (loader->step == STEP_NUMBERS)
        load_number(loader, &row);
    else if (loader->step == STEP_SLOTS)
        load_slot(loader, &row);
    else
        load_reading(loader, &row);
}

static void on_done(struct pg_query *query, const struct pg_error *error)
{
    struct loader *loader = query->user;

    if (loader->link.on_closed || (error && error->is_connection))
        return; /* cancelled; or on_up begins again */
    if (error) {
        log_warning("windows: cannot be loaded: %s (SQLSTATE %s); trying again", error->text,
                    error->sqlstate);
        pg_link_reset(&loader->link, error->text);
        return;
    }
    if (reads_readings(loader->step) && !loader->has_sources) {
        loader->has_sources = true;
        submit_step(loader);
        return;
    }
    if (loader->step == STEP_COLLECTORS)
        loader->load.on_snapshot(loader->load.user, timestamp_now());
    if (loader->step == STEP_NUMBERS)
        sequences_loaded(loader->load.sequences, loader->now_us);
    loader->step++;
    loader->has_sources = false;
    submit_step(loader);
}

/* Of single devices there are few enough readings to be read as they are. */
static bool is_step_wanted(const struct loader *loader)
{
    switch (loader->step) {
    case STEP_BEGIN:
    case STEP_COLLECTORS: /* with it the snapshot is taken */
    case STEP_DEVICES:
    case STEP_PEAKS:
    case STEP_LATEST:
    case STEP_END:
        return true;
    default:
        return !loader->load.only;
    }
}

static bool reads_readings(int step)
{
    return step == STEP_NUMBERS || step == STEP_LATEST || step == STEP_LATER || step == STEP_REST;
}

static int64_t layer_start_us(const struct loader *loader)
{
    if (loader->step == STEP_LATER)
        return loader->later_from_us;
    if (loader->step == STEP_LATEST && !loader->load.only)
        return loader->latest_from_us;
    return loader->now_us - loader->load.longest_us - MARGIN_US;
}

/* Where numbers of readings are taken from; empty: they are all taken. */
static void put_since(const struct loader *loader, char since[TIMESTAMP_TEXT_SIZE])
{
    since[0] = '\0';
    if (loader->numbers_since_us != INT64_MIN)
        timestamp_format(since, loader->numbers_since_us - NUMBERS_MARGIN_US);
}

/* What the step reads from. */
static void put_sources(struct loader *loader)
{
    char since[TIMESTAMP_TEXT_SIZE];

    if (loader->step == STEP_NUMBERS) {
        put_since(loader, since);
        loader_put_numbers_source(&loader->sql, since);
    } else if (loader->step == STEP_LATEST)
        loader_put_sources(loader, &loader->sql, layer_start_us(loader), INT64_MAX);
    else
        loader_put_sources(loader, &loader->sql, layer_start_us(loader),
                           loader->step == STEP_LATER ? loader->latest_from_us
                                                      : loader->later_from_us);
}

static void submit_query(struct loader *loader)
{
    loader->is_first_row = true;
    loader->query = (struct pg_query){.sql = buffer_text(&loader->sql),
                                      .user = loader,
                                      .on_copy_row = on_copy_row,
                                      .on_done = on_done};
    pg_link_submit(&loader->link, &loader->query);
}

static void submit_step(struct loader *loader)
{
    struct buffer *sql = &loader->sql;
    char since[TIMESTAMP_TEXT_SIZE];

    if (loader->step == STEP_SEQUENCES && loader->load.sequences->is_loaded)
        loader->step = STEP_NUMBERS + 1; /* by an earlier run */
    while (!is_step_wanted(loader))
        loader->step++;
    buffer_clear(sql);
    if (reads_readings(loader->step) && !loader->has_sources) {
        put_sources(loader);
        submit_query(loader);
        return;
    }
    switch (loader->step) {
    case STEP_BEGIN:
        buffer_put_text(sql, BEGIN_SQL);
        break;
    case STEP_COLLECTORS:
        buffer_put_text(sql, "COPY (SELECT id, batches FROM collectors) TO STDOUT (FORMAT binary)");
        break;
    case STEP_DEVICES:
        buffer_put_text(sql, "COPY (SELECT id, device_id FROM devices WHERE true");
        loader_put_only(loader, sql, "id");
        buffer_put_text(sql, ") TO STDOUT (FORMAT binary)");
        break;
    case STEP_PEAKS:
        buffer_put_text(sql, "COPY (SELECT feature, sort_order, ");
        loader_put_columns(sql, loader->config.features);
        buffer_put_text(sql, " FROM peaks WHERE true");
        loader_put_only(loader, sql, "device");
        buffer_put_text(sql, ") TO STDOUT (FORMAT binary)");
        break;
    case STEP_SEQUENCES:
        buffer_put_text(sql,
                        "COPY (SELECT device, highest, highest_at, missing, repeats, restarts,"
                        " taken_until, details FROM device_sequences) TO STDOUT (FORMAT binary)");
        break;
    case STEP_SINCE:
        buffer_put_text(
            sql, "COPY (SELECT min(taken_until) FROM sequence_marks) TO STDOUT (FORMAT binary)");
        break;
    case STEP_NUMBERS:
        buffer_printf(sql,
                      "COPY (SELECT device, seq, recorded_at, received_at FROM %s r"
                      " WHERE seq IS NOT NULL",
                      buffer_text(&loader->source));
        put_since(loader, since);
        if (since[0])
            buffer_printf(sql, " AND received_at > '%s'", since);
        buffer_put_text(sql, " ORDER BY received_at) TO STDOUT (FORMAT binary)");
        break;
    case STEP_SLOTS:
        timestamp_format(since, layer_start_us(loader));
        buffer_printf(
            sql,
            "COPY (SELECT bucket, (sum(sum(readings)) OVER (ORDER BY bucket DESC))::bigint,"
            " (sum(sum(readings)) OVER ())::bigint FROM ("
            "SELECT bucket, readings FROM rollup_fleet WHERE bucket > '%s' UNION ALL "
            "SELECT bucket, readings FROM rollup_fleet_log WHERE bucket > '%s') s"
            " GROUP BY bucket ORDER BY bucket DESC) TO STDOUT (FORMAT binary)",
            since, since);
        break;
    case STEP_LATEST:
        timestamp_format(since, layer_start_us(loader));
        buffer_put_text(sql, "COPY (SELECT ");
        loader_put_columns(sql, loader->config.features);
        buffer_printf(sql, " FROM %s r WHERE recorded_at > '%s'", buffer_text(&loader->source),
                      since);
        loader_put_only(loader, sql, "device");
        buffer_put_text(sql, ") TO STDOUT (FORMAT binary)");
        break;
    case STEP_LATER:
        loader_put_layer(loader, sql, layer_start_us(loader), loader->latest_from_us);
        break;
    case STEP_REST:
        loader_put_layer(loader, sql, layer_start_us(loader), loader->later_from_us);
        break;
    default:
        loader->is_complete = true;
        if (!loader->load.only)
            coverage_complete(loader->load.coverage);
        log_info("windows: %s: %" PRIu64 " devices, %" PRIu64 " peaks, %" PRIu64
                 " readings loaded in %.3f s",
                 loader->load.only ? "repaired" : "complete", loader->devices_loaded,
                 loader->peaks_loaded, loader->readings_loaded,
                 (double)(timestamp_now() - loader->started_at_us) / 1e6);
        pg_link_close(&loader->link, on_closed);
        return;
    }
    submit_query(loader);
}

static void on_up(struct pg_link *link)
{
    struct loader *loader = link->config.user;

    if (!loader->load.only)
        coverage_begin(loader->load.coverage);
    loader->step = STEP_BEGIN;
    loader->has_sources = false;
    loader->now_us = timestamp_now();
    loader->numbers_since_us = INT64_MAX;
    /* unless the rollups say more */
    loader->latest_from_us = loader->now_us - loader->load.longest_us / LATEST_SHARE;
    loader->later_from_us = loader->now_us - loader->load.longest_us / LATER_SHARE;
    loader->devices_loaded = loader->peaks_loaded = loader->readings_loaded = 0;
    submit_step(loader);
}

/* As they are now: the caller's list does not stay. One that is not registered has nothing there. */
static void keep_only(struct loader *loader)
{
    struct buffer text = {0};

    for (size_t i = 0; i < loader->load.only_count; i++) {
        int32_t ref = refs_of(loader->config.refs, loader->load.only[i]);

        if (ref != 0)
            buffer_printf(&text, "%s%" PRId32, text.bytes > 0 ? "," : "", ref);
    }
    loader->only_refs = mem_strdup(buffer_text(&text));
    buffer_release(&text);
}

bool loader_start(struct loader *loader, uv_loop_t *loop, const struct loader_config *config,
                  const struct store_load *load, char *error, size_t error_bytes)
{
    struct pg_link_config link_config = {.name = "windows",
                                         .url = config->database_url,
                                         .application_name = "highwater windows",
                                         .user = loader,
                                         .on_up = on_up};

    *loader = (struct loader){.config = *config, .load = *load, .started_at_us = timestamp_now()};
    if (!pg_link_start(&loader->link, loop, &link_config, error, error_bytes))
        return false;
    keep_only(loader);
    loader->reading = mem_calloc(1, reading_size(config->features->count));
    loader->is_running = true;
    return true;
}

void loader_cancel(struct loader *loader)
{
    if (loader->is_running && !loader->link.on_closed)
        pg_link_close(&loader->link, on_closed);
}
