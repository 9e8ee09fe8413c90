/* PostgreSQL as a kind of store. pg_store.h writes; beside it, each on a connection of its own while it
 * has something to do: migrate.h the schema, loader.h what the windows need, maintenance.h partitions
 * and rollups, and on that one sequences_table.h the numbers of devices, and hearing_table.h and
 * arrivals_table.h when they were heard. */
#include "collector/store.h"

#include "collector/settings.h"
#include "collector/stores/postgres/arrivals_table.h"
#include "collector/stores/postgres/hearing_table.h"
#include "collector/stores/postgres/loader.h"
#include "collector/stores/postgres/maintenance.h"
#include "collector/stores/postgres/migrate.h"
#include "collector/stores/postgres/pg_store.h"
#include "collector/stores/postgres/postgres_metrics.h"
#include "collector/stores/postgres/rejected.h"
#include "collector/stores/postgres/sequences_table.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/net/pg_password.h"
#include "shared/net/pg_url.h"

#include <stdlib.h>

struct postgres {
    struct pg_store writer; /* first, and the struct store is first in that */
    uv_loop_t *loop;
    struct migrate migrate;
    struct maintenance maintenance;
    struct loader loader;
    struct sequences_table sequences;
    struct hearing_table hearing;
    struct arrivals_table arrivals;
    bool has_maintenance;
    unsigned open_parts;
};

static struct postgres *postgres_of(struct store *store)
{
    return (struct postgres *)store;
}

static struct store *make(void)
{
    struct postgres *postgres = mem_calloc(1, sizeof(*postgres));

    return &postgres->writer.base;
}

static void free_postgres(struct store *store)
{
    struct postgres *postgres = postgres_of(store);

    sequences_table_release(&postgres->sequences);
    hearing_table_release(&postgres->hearing);
    arrivals_table_release(&postgres->arrivals);
    refs_release(&postgres->writer.refs);
    free(postgres);
}

/* ---- the schema ----------------------------------------------------------------------------- */

static void on_migrated(struct migrate *migrate, const char *error)
{
    struct store *store = migrate->user;

    store->on_migrated(store, error);
}

static bool migrate(struct store *store, uv_loop_t *loop, uint64_t give_up_after_ms, char *error,
                    size_t error_bytes)
{
    const struct settings *s = store->config.settings;

    return migrate_start(&postgres_of(store)->migrate, loop, s->database_url, &s->features,
                         s->partition, give_up_after_ms, store, on_migrated, error, error_bytes);
}

static void cancel_migration(struct store *store)
{
    migrate_cancel(&postgres_of(store)->migrate);
}

/* ---- coming and going ----------------------------------------------------------------------- */

static void on_staged(struct pg_store *writer)
{
    struct postgres *postgres = postgres_of(&writer->base);

    if (postgres->has_maintenance)
        maintenance_poke(&postgres->maintenance);
}

/* What is dropped sooner than it would be packed is not packed. */
static int64_t pack_after_us(const struct settings *s)
{
    return s->retention_us == 0 || s->pack_after_us < s->retention_us ? s->pack_after_us : 0;
}

static bool start_maintenance(struct postgres *postgres, char *error, size_t error_bytes)
{
    const struct store_config *config = &postgres->writer.base.config;
    const struct settings *s = config->settings;
    const struct maintenance_config maintenance = {.database_url = s->database_url,
                                                   .partition = s->partition,
                                                   .span_us = s->partition_span_us,
                                                   .retention_us = s->retention_us,
                                                   .pack_after_us = pack_after_us(s),
                                                   .rejected_retention_us =
                                                       s->rejected_retention_us,
                                                   .rejected_bytes = s->rejected_bytes,
                                                   .delay_us = s->rollup_delay_us,
                                                   .collector_id = s->collector_id,
                                                   .user = config->user,
                                                   .session = config->session,
                                                   .on_collector = config->on_collector};

    return maintenance_start(&postgres->maintenance, postgres->loop, &maintenance, error,
                             error_bytes);
}

static bool start(struct store *store, uv_loop_t *loop, char *error, size_t error_bytes)
{
    struct postgres *postgres = postgres_of(store);
    const struct settings *s = store->config.settings;
    const struct pg_store_config config = {.database_url = s->database_url,
                                           .collector_id = s->collector_id,
                                           .client_id = s->client_id,
                                           .subscriptions = &s->subscriptions,
                                           .features = &s->features,
                                           .devices = store->config.devices,
                                           .watchdog_ms = (uint64_t)s->watchdog_us / 1000,
                                           /* a quarter of the delay for clocks that differ */
                                           .fresh_us = s->rollup_delay_us / 4 * 3,
                                           .ahead_us = s->future_tolerance_us + 1,
                                           .on_staged = on_staged};

    postgres->loop = loop;
    sequences_table_init(&postgres->sequences, &postgres->writer.refs, s->collector_id);
    hearing_table_init(&postgres->hearing, &postgres->writer.refs, s->collector_id);
    arrivals_table_init(&postgres->arrivals, &postgres->writer.refs);
    postgres->has_maintenance = start_maintenance(postgres, error, error_bytes);
    return postgres->has_maintenance &&
           pg_store_start(&postgres->writer, loop, &config, error, error_bytes);
}

static void on_part_closed(struct postgres *postgres)
{
    struct store *store = &postgres->writer.base;

    if (--postgres->open_parts == 0)
        store->on_closed(store->user);
}

static void on_writer_closed(struct pg_store *writer)
{
    on_part_closed(postgres_of(&writer->base));
}

static void on_maintenance_closed(struct maintenance *maintenance)
{
    on_part_closed(
        (struct postgres *)((char *)maintenance - offsetof(struct postgres, maintenance)));
}

static void close_postgres(struct store *store)
{
    struct postgres *postgres = postgres_of(store);

    postgres->open_parts = 2;
    pg_store_close(&postgres->writer, on_writer_closed);
    maintenance_close(&postgres->maintenance, on_maintenance_closed);
}

/* ---- what it has ---------------------------------------------------------------------------- */

static bool load(struct store *store, const struct store_load *load, char *error,
                 size_t error_bytes)
{
    struct postgres *postgres = postgres_of(store);
    const struct settings *s = store->config.settings;
    const struct loader_config config = {.database_url = s->database_url,
                                         .features = &s->features,
                                         .devices = store->config.devices,
                                         .refs = &postgres->writer.refs};

    return loader_start(&postgres->loader, postgres->loop, &config, load, error, error_bytes);
}

static void cancel_load(struct store *store)
{
    loader_cancel(&postgres_of(store)->loader);
}

static void save_sequences(struct store *store, struct sequences *sequences,
                           int64_t settled_until_us)
{
    struct postgres *postgres = postgres_of(store);

    sequences_table_tick(&postgres->sequences, sequences, &postgres->maintenance.link,
                         settled_until_us);
}

static void keep_hearing(struct store *store, struct hearing *hearing)
{
    struct postgres *postgres = postgres_of(store);

    hearing_table_tick(&postgres->hearing, hearing, &postgres->maintenance.link);
    arrivals_table_tick(&postgres->arrivals, hearing, &postgres->maintenance.link);
}

/* Before anything connects: a command may come before the store is made. */
static bool use_password_file(const struct settings *s, char *error, size_t error_bytes)
{
    (void)error;
    (void)error_bytes;
    pg_password_set_file(s->database_password_file);
    return true;
}

static int run_rejected(const struct settings *s)
{
    const struct rejected_config config = {.database_url = s->database_url,
                                           .mqtt = settings_mqtt(s),
                                           .reason = s->reason,
                                           .export_file = s->export_file,
                                           .resubmit = s->resubmit,
                                           .give_up_after_ms =
                                               (uint64_t)s->give_up_after_us / 1000};

    return rejected_run(&config);
}

/* ---- what it says --------------------------------------------------------------------------- */

static void put_faults(const struct store *store, struct buffer *reasons)
{
    const struct postgres *postgres = (const struct postgres *)store;

    pg_store_put_faults(&postgres->writer, reasons);
    if (postgres->maintenance.stats.lacks[0])
        buffer_printf(reasons, "the database: %s\n", postgres->maintenance.stats.lacks);
}

static void put_metrics(const struct store *store, const struct prometheus *to)
{
    const struct postgres *postgres = (const struct postgres *)store;

    postgres_put_metrics(&postgres->writer, &postgres->maintenance.stats, to);
}

static const char *const schemes[] = {"postgresql", "postgres", NULL};

const struct store_kind store_postgres = {
    .schemes = schemes,
    .url_flaw = pg_url_flaw,
    .check = use_password_file,
    .make = make,
    .free = free_postgres,
    .start = start,
    .close = close_postgres,
    .begin = pg_store_begin,
    .give_up = pg_store_give_up,
    .explain = pg_store_explain,
    .put_faults = put_faults,
    .put_metrics = put_metrics,
    .migrate = migrate,
    .cancel_migration = cancel_migration,
    .find_positions = pg_store_find_positions,
    .load = load,
    .cancel_load = cancel_load,
    .save_sequences = save_sequences,
    .keep_hearing = keep_hearing,
    .run_rejected = run_rejected,
};
