/* collector: reads from the broker, stores in PostgreSQL, publishes the boards.
 *
 * Start: settings, schema (migrate), then ingest; loading the windows and publishing boards begin
 * once this collector is the active one of its id (wiring.c, on_role_change()).
 * End (SIGTERM, SIGINT): ingest drains, then boards publishes a final status. A second signal skips
 * the drain. */
#include "collector/check/check.h"
#include "collector/collector.h"
#include "collector/decoders/mapping_try.h"
#include "collector/sources/forget.h"
#include "collector/suggest/listen.h"
#include "collector/wiring.h"
#include "shared/base/log.h"
#include "shared/base/secret.h"
#include "shared/base/timestamp.h"
#include "shared/net/healthcheck.h"

#include <signal.h>
#include <stdlib.h>

/* ---- the end -------------------------------------------------------------------------------- */

static void on_source_closed(void *user)
{
    (void)user;
}

static void close_rest(struct collector *c)
{
    if (c->source && !c->is_ingesting) /* else it was closed by ingest */
        source_close(c->source, on_source_closed);
    if (!c->settings.migrate_only)
        housekeeping_close(&c->housekeeping);
    monitor_stop(c->monitor);
    service_notify_close(&c->notify);
    signals_close(&c->signals);
    uv_close((uv_handle_t *)&c->sigterm, NULL);
    uv_close((uv_handle_t *)&c->sigint, NULL);
}

static void on_publisher_closed(struct board_publisher *publisher)
{
    close_rest(publisher->config.user);
}

static void on_ingest_stopped(struct ingest *ingest, bool drained)
{
    struct collector *c = ingest->config.user;

    if (!drained) {
        log_warning("ended before everything was committed; the broker keeps what was not "
                    "acknowledged");
        c->exit_status = 1;
    }
    c->has_stopped = true;
    threshold_notes_put(&c->threshold_notes);
    board_publisher_close(&c->publisher, on_publisher_closed);
}

static void stop(struct collector *c)
{
    bool is_first = !c->is_stopping;

    c->is_stopping = true;
    service_notify_stopping(&c->notify, (uint64_t)c->settings.drain_us / 1000);
    store_cancel_migration(c->store);
    reload_stop(&c->reload);
    sparkplug_host_close(c->sparkplug_host);
    c->sparkplug_host = NULL;
    if (c->settings.migrate_only)
        return; /* on_migrated() ends it */
    if (c->is_ingesting)
        ingest_stop(&c->ingest, on_ingest_stopped);
    else if (is_first) {
        c->has_stopped = true;
        board_publisher_close(&c->publisher, on_publisher_closed);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct collector *c = handle->data;

    log_info("%s: %s", number == SIGTERM ? "SIGTERM" : "SIGINT",
             c->is_stopping ? "ending at once" : "draining");
    stop(c);
}

static void on_hangup(void *user)
{
    struct collector *c = user;

    if (c->is_stopping || c->settings.migrate_only)
        return;
    service_notify_reloading(&c->notify);
    board_publisher_reload(&c->publisher);
    if (c->is_ingesting) {
        source_reload(c->source);
        store_reload(c->store);
    }
    service_notify_reloaded(&c->notify);
}

/* ---- the schema, and main() -------------------------------------------------------------- */

static void on_migrated(struct store *store, const char *error)
{
    struct collector *c = store->config.user;

    if (c->settings.migrate_only) {
        if (error) {
            log_error("schema: %s", error);
            c->exit_status = 1;
        }
        close_rest(c);
        return;
    }
    if (c->is_stopping)
        return;
    if (error)
        log_error("schema: %s", error);
    if (c->is_ingesting)
        return;
    if (error) {
        c->exit_status = 1;
        stop(c);
        return;
    }
    wiring_start_sparkplug(c);
    wiring_start_ingest(c); /* the rest starts in on_role_change(), once the store holds the lock */
}

static void start_migrating(struct collector *c)
{
    char error[256];

    if (c->settings.migrate_only && !store_has_schema(c->store))
        log_info("schema: the store has none, there is nothing to migrate");
    if (!store_migrate(c->store, c->loop,
                       c->settings.migrate_only ? (uint64_t)c->settings.give_up_after_us / 1000 : 0,
                       on_migrated, error, sizeof(error))) {
        settings_reject_url("database-url", c->settings.database_url, error);
        exit(2);
    }
}

static int run_healthcheck(const struct settings *s)
{
    return healthcheck_run(
        &(struct healthcheck){.setting = "METRICS_LISTEN", .listen = s->metrics_listen});
}

static int run_try_mapping(const struct settings *s)
{
    const struct mapping_try_config config = {
        .mappings = &s->mappings, .rules = &s->rules, .topic = s->topic, .now_us = s->arrival_us};

    return mapping_try_run(&config);
}

static int run_suggest_mapping(const struct settings *s)
{
    const struct suggest_config config = {.settings = s,
                                          .filter = s->filter_text ? s->filter_text : "#",
                                          .for_us =
                                              s->for_us ? s->for_us : 30 * TIMESTAMP_US_PER_S};

    return suggest_run(&config);
}

static void init_windows(struct collector *c)
{
    const struct settings *s = &c->settings;
    int64_t lengths_us[INTERVALS_MAX] = {0};

    for (size_t i = 0; i < s->intervals.count; i++)
        lengths_us[i] = s->intervals.items[i].length_us;
    windows_init(&c->windows, s->features.count, WINDOWS_HIGHEST | (s->lowest ? WINDOWS_LOWEST : 0),
                 lengths_us, s->intervals.count, s->num_top_devices, s->windows_memory);
}

int main(int argc, char **argv)
{
    static struct collector collector;
    struct collector *c = &collector;
    int status;

    signals_init();
    status = settings_read(&c->settings, argc, argv);
    if (status >= 0)
        return status;
    if (!c->settings.core_dumps)
        secret_protect_process();
    log_init("collector");
    if (c->settings.check)
        return collector_check_run(&c->settings);
    if (c->settings.healthcheck)
        return run_healthcheck(&c->settings);
    if (c->settings.try_mapping)
        return run_try_mapping(&c->settings);
    if (c->settings.suggest_mapping)
        return run_suggest_mapping(&c->settings);
    if (c->settings.rejected)
        return store_run_rejected(&c->settings);
    if (c->settings.forget)
        return forget_run(&c->settings);
    service_notify_init(&c->notify);
    c->loop = uv_default_loop();
    c->started_at_us = timestamp_now();
    sequences_init(&c->sequences);
    thresholds_init(&c->thresholds, &c->settings.thresholds);
    init_windows(c);
    wiring_make_store(c);
    wiring_start_reload(c);
    uv_signal_init(c->loop, &c->sigterm);
    uv_signal_init(c->loop, &c->sigint);
    c->sigterm.data = c->sigint.data = c;
    signals_start(&c->signals, c->loop, on_hangup, c);
    uv_signal_start(&c->sigterm, on_signal, SIGTERM);
    uv_signal_start(&c->sigint, on_signal, SIGINT);
    if (!c->settings.migrate_only) {
        wiring_start_source(c);
        wiring_start_boards(c);
        wiring_start_housekeeping(c);
        wiring_start_monitor(c);
        wiring_start_notify(c);
    }
    start_migrating(c);
    uv_run(c->loop, UV_RUN_DEFAULT);
    uv_loop_close(c->loop);
    ingest_release(&c->ingest);
    store_free(c->store);
    if (c->source)
        source_free(c->source);
    sinks_free(&c->sinks);
    windows_release(&c->windows);
    reload_release(&c->reload);
    sequences_release(&c->sequences);
    hearing_release(&c->hearing);
    coverage_release(&c->coverage);
    thresholds_release(&c->thresholds);
    threshold_notes_release(&c->threshold_notes);
    devices_release(&c->devices);
    settings_release(&c->settings);
    if (!c->settings.migrate_only)
        log_info("ended");
    return c->exit_status;
}
