#include "collector/loader.h"

#include "shared/log.h"
#include "shared/mem.h"
#include "shared/timestamp.h"
#include "shared/topic.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Read further back than the interval by what clocks may differ. */
#define MARGIN_US (INT64_C(5) * 1000000)

enum step {
    STEP_BEGIN,
    STEP_DEVICES,
    STEP_PEAKS,
    STEP_SEQUENCES,
    STEP_NUMBERS,
    STEP_READINGS,
    STEP_END
};

static void submit_step(struct loader *loader);

static void on_closed(struct pg_link *link)
{
    struct loader *loader = link->config.user;

    buffer_release(&loader->sql);
    free(loader->reading);
    loader->is_running = false;
    loader->config.on_done(loader, loader->is_complete);
}

static uint32_t known_device(struct loader *loader, const char *id)
{
    bool is_new;
    uint32_t device = devices_find_or_add(loader->config.devices, id, &is_new);

    if (is_new)
        loader->config.on_device(loader->config.user, device);
    return device;
}

static void load_device(struct loader *loader, struct pg_row *row)
{
    char id[DEVICE_ID_SIZE];
    int32_t database_id = pg_row_int4(row);

    pg_row_text(row, id, sizeof(id));
    if (row->failed)
        return;
    devices_set_database_id(loader->config.devices, known_device(loader, id), database_id);
    loader->devices_loaded++;
}

/* The columns that readings and peaks share, at the end of each row. */
static void read_reading(struct loader *loader, struct pg_row *row)
{
    struct reading *reading = loader->reading;

    memset(reading, 0, sizeof(*reading));
    reading->content_hash = pg_row_int4(row);
    reading->recorded_at_us = pg_row_moment(row);
    reading->status = (uint8_t)pg_row_int2(row, STATUS_ABSENT);
    for (size_t i = 0; i < loader->config.features->count; i++)
        reading->values[i] = pg_row_double(row);
}

static void load_peak(struct loader *loader, struct pg_row *row)
{
    const struct features *features = loader->config.features;
    struct windows *windows = loader->config.windows;
    char feature[FEATURE_NAME_MAX + 1];
    char order[8];
    uint32_t device;
    size_t at;
    bool is_highest;
    bool is_known;

    pg_row_text(row, feature, sizeof(feature));
    pg_row_text(row, order, sizeof(order));
    is_known = devices_find_database_id(loader->config.devices, pg_row_int4(row), &device);
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
    bool is_known = devices_find_database_id(loader->config.devices, pg_row_int4(row), &device);
    int64_t highest = pg_row_int8(row);
    int64_t highest_at_us = pg_row_moment(row);
    uint64_t missing = (uint64_t)pg_row_int8(row);
    uint64_t repeats = (uint64_t)pg_row_int8(row);
    uint64_t restarts = (uint64_t)pg_row_int8(row);

    if (is_known && !row->failed && !loader->config.sequences->is_loaded)
        sequences_load_state(loader->config.sequences, device, highest, highest_at_us, missing,
                             repeats, restarts);
}

static void load_number(struct loader *loader, struct pg_row *row)
{
    uint32_t device;
    bool is_known = devices_find_database_id(loader->config.devices, pg_row_int4(row), &device);
    int64_t number = pg_row_int8(row);
    int64_t recorded_at_us = pg_row_moment(row);

    if (is_known && !row->failed && !loader->config.sequences->is_loaded)
        sequences_load_number(loader->config.sequences, device, number, recorded_at_us);
}

static void load_reading(struct loader *loader, struct pg_row *row)
{
    uint32_t device;

    if (!devices_find_database_id(loader->config.devices, pg_row_int4(row), &device))
        return;
    read_reading(loader, row);
    if (row->failed)
        return;
    windows_insert(loader->config.windows, device, loader->reading, timestamp_now());
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
    if (loader->step == STEP_DEVICES)
        load_device(loader, &row);
    else if (loader->step == STEP_PEAKS)
        load_peak(loader, &row);
    else if (loader->step == STEP_SEQUENCES)
        load_sequence(loader, &row);
    else if (loader->step == STEP_NUMBERS)
        load_number(loader, &row);
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
    if (loader->step == STEP_NUMBERS)
        sequences_loaded(loader->config.sequences);
    loader->step++;
    submit_step(loader);
}

static void put_value_columns(struct buffer *sql, const struct features *features)
{
    buffer_put_text(sql, "device, content_hash, recorded_at, status");
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(sql, ", %s", features->names[i]);
}

static void submit_step(struct loader *loader)
{
    struct buffer *sql = &loader->sql;
    char since[TIMESTAMP_TEXT_SIZE];

    buffer_clear(sql);
    switch (loader->step) {
    case STEP_BEGIN:
        buffer_put_text(sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        break;
    case STEP_DEVICES:
        buffer_put_text(sql, "COPY (SELECT id, device_id FROM devices) TO STDOUT (FORMAT binary)");
        break;
    case STEP_PEAKS:
        buffer_put_text(sql, "COPY (SELECT feature, sort_order, ");
        put_value_columns(sql, loader->config.features);
        buffer_put_text(sql, " FROM peaks) TO STDOUT (FORMAT binary)");
        break;
    case STEP_SEQUENCES:
        buffer_put_text(sql, "COPY (SELECT device, highest, highest_at, missing, repeats, restarts"
                             " FROM device_sequences) TO STDOUT (FORMAT binary)");
        break;
    case STEP_NUMBERS:
        buffer_put_text(sql, "COPY (SELECT r.device, r.seq, r.recorded_at"
                             " FROM device_sequences s JOIN readings r ON r.device = s.device"
                             " AND r.recorded_at > s.highest_at WHERE r.seq IS NOT NULL"
                             " ORDER BY r.device, r.recorded_at) TO STDOUT (FORMAT binary)");
        break;
    case STEP_READINGS:
        timestamp_format(since, timestamp_now() - loader->config.longest_us - MARGIN_US);
        buffer_put_text(sql, "COPY (SELECT ");
        put_value_columns(sql, loader->config.features);
        buffer_printf(sql, " FROM readings WHERE recorded_at > '%s') TO STDOUT (FORMAT binary)",
                      since);
        break;
    default:
        loader->is_complete = true;
        log_info("windows: complete: %" PRIu64 " devices, %" PRIu64 " peaks, %" PRIu64
                 " readings loaded in %.3f s",
                 loader->devices_loaded, loader->peaks_loaded, loader->readings_loaded,
                 (double)(timestamp_now() - loader->started_at_us) / 1e6);
        pg_link_close(&loader->link, on_closed);
        return;
    }
    loader->is_first_row = true;
    loader->query = (struct pg_query){
        .sql = buffer_text(sql), .user = loader, .on_copy_row = on_copy_row, .on_done = on_done};
    pg_link_submit(&loader->link, &loader->query);
}

static void on_up(struct pg_link *link)
{
    struct loader *loader = link->config.user;

    loader->step = STEP_BEGIN;
    loader->devices_loaded = loader->peaks_loaded = loader->readings_loaded = 0;
    submit_step(loader);
}

bool loader_start(struct loader *loader, uv_loop_t *loop, const struct loader_config *config,
                  char *error, size_t error_bytes)
{
    struct pg_link_config link_config = {.name = "windows",
                                         .url = config->database_url,
                                         .application_name = "highwater windows",
                                         .user = loader,
                                         .on_up = on_up};

    *loader = (struct loader){.config = *config, .started_at_us = timestamp_now()};
    if (!pg_link_start(&loader->link, loop, &link_config, error, error_bytes))
        return false;
    loader->reading = mem_calloc(1, reading_size(config->features->count));
    loader->is_running = true;
    return true;
}

void loader_cancel(struct loader *loader)
{
    if (loader->is_running && !loader->link.on_closed)
        pg_link_close(&loader->link, on_closed);
}
