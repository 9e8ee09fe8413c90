#include "collector/wiring.h"

#include "collector/committed.h"
#include "collector/lag.h"
#include "collector/status.h"
#include "shared/base/log.h"
#include "shared/base/start_pages.h"
#include "shared/base/timestamp.h"

#include <stdlib.h>
#include <string.h>

enum { START_S = 5 }; /* after which nothing is left of a start, where all goes well */

/* ---- thresholds ------------------------------------------------------------------------------- */

/* None is the usual case: then this is all it costs. */
static void apply_thresholds(struct collector *c, const struct batch *batch)
{
    if (c->settings.thresholds.count == 0)
        return;
    for (size_t i = 0; i < batch->sorted_count; i++) {
        const struct batch_row *row = batch_row(batch, batch->order[i]);

        if (!row->is_refused)
            thresholds_apply(&c->thresholds, row->device, batch_reading(row));
    }
}

/* ---- what ingest reports ---------------------------------------------------------------------- */

static void on_device(struct ingest *ingest, uint32_t device)
{
    struct collector *c = ingest->config.user;

    /* both number the devices from 0 in the order of their arrival */
    windows_add_device(&c->windows, c->devices.items[device].id);
}

static void on_committed(struct ingest *ingest, const struct batch *batch)
{
    struct collector *c = ingest->config.user;
    const struct committed committed = {.ingest = ingest,
                                        .publisher = &c->publisher,
                                        .windows = &c->windows,
                                        .sequences = &c->sequences};

    if (store_has_boards(c->store))
        committed_apply(&committed, batch);
    apply_thresholds(c, batch);
    hearing_note(&c->hearing, batch);
    c->batch_lag_ms = (double)(timestamp_now() - batch->oldest_received_at_us) / 1e3;
}

static void on_settled(struct ingest *ingest)
{
    struct collector *c = ingest->config.user;

    board_publisher_update(&c->publisher);
    threshold_notes_put(&c->threshold_notes);
}

static void on_rejected(struct ingest *ingest, const char *topic, enum reading_error error,
                        const char *detail)
{
    struct collector *c = ingest->config.user;

    board_publisher_report_rejected(&c->publisher, topic, reading_error_text(error), detail);
}

static void on_state(struct ingest *ingest)
{
    struct collector *c = ingest->config.user;

    board_publisher_publish_status(&c->publisher);
}

/* On standby we see neither the readings nor the numbers that the active collector stores. */
static void on_role_change(struct ingest *ingest, bool is_active)
{
    struct collector *c = ingest->config.user;

    if (is_active)
        board_publisher_set_identity(&c->publisher, store_identity(c->store));
    board_publisher_set_active(&c->publisher, is_active);
    if (store_has_boards(c->store))
        reload_set_active(&c->reload, is_active);
    if (!is_active)
        sequences_clear(&c->sequences);
    hearing_clear(&c->hearing);
    threshold_notes_clear(&c->threshold_notes);
}

static void on_removed(struct ingest *ingest, uint32_t device, bool is_whole)
{
    struct collector *c = ingest->config.user;

    windows_clear_device(&c->windows, device);
    if (is_whole)
        sequences_forget(&c->sequences, device);
    if (is_whole)
        hearing_forget(&c->hearing, device);
    thresholds_forget(&c->thresholds, device);
    reload_cleared_device(&c->reload, device);
}

static void on_added(struct ingest *ingest, uint32_t device)
{
    struct collector *c = ingest->config.user;

    reload_device(&c->reload, device);
}

static void on_added_many(struct ingest *ingest)
{
    struct collector *c = ingest->config.user;

    reload_all(&c->reload);
}

static void on_behind(struct ingest *ingest)
{
    struct collector *c = ingest->config.user;

    reload_behind(&c->reload);
}

/* ---- what the others report, and ask ---------------------------------------------------------- */

static void on_collector(void *user, const char *id, bool is_live, int64_t batches)
{
    struct collector *c = user;

    reload_note_collector(&c->reload, id, is_live, batches);
}

static void on_shown(void *user)
{
    struct collector *c = user;

    coverage_show(&c->coverage);
}

static void on_clock_back(void *user)
{
    struct collector *c = user;

    if (c->is_stopping)
        return;
    log_warning("windows: the clock went back; reading them again from the database");
    board_publisher_rewind(&c->publisher, timestamp_now());
    reload_from_scratch(&c->reload);
}

static int64_t settled_until_us(void *user, int64_t now_us)
{
    struct collector *c = user;

    return ingest_settled_until_us(&c->ingest, now_us);
}

static int64_t turn(void *user)
{
    struct collector *c = user;

    return store_turn(c->store);
}

static enum broker_memory broker_memory(void *user, uint64_t since_ms)
{
    struct collector *c = user;

    return board_publisher_broker_memory(&c->publisher, since_ms);
}

static const char *session_begun(void *user)
{
    struct collector *c = user;

    return source_session(c->source);
}

/* As of now when something waits: a store that stands still has no last batch. */
static double lag_ms(const struct collector *c)
{
    double waiting_ms = (double)lag_waiting_ms(&c->ingest);

    return waiting_ms > c->batch_lag_ms ? waiting_ms : c->batch_lag_ms;
}

/* Where no boards can be made nothing has to be loaded. */
static bool is_complete(const struct collector *c)
{
    return c->reload.is_complete || !store_has_boards(c->store);
}

static void on_boards_ready(void *user)
{
    struct collector *c = user;

    threshold_notes_begin(&c->threshold_notes);
}

static void on_recalled(void *user, const char *key, const void *bytes, size_t count)
{
    struct collector *c = user;

    threshold_notes_recall(&c->threshold_notes, key, bytes, count);
}

static void on_note_refused(void *user)
{
    struct collector *c = user;

    threshold_notes_refused(&c->threshold_notes);
}

static void on_second(void *user)
{
    struct collector *c = user;

    threshold_notes_tick(&c->threshold_notes, is_complete(c));
    if (c->complete_s == START_S || !is_complete(c))
        return;
    c->complete_s++;
    if (c->complete_s == START_S)
        start_pages_release();
}

static void put_status(void *user, struct buffer *out)
{
    struct collector *c = user;
    const struct status_view view = {.settings = &c->settings,
                                     .ingest = &c->ingest,
                                     .store = c->store,
                                     .publisher = &c->publisher,
                                     .coverage = &c->coverage,
                                     .thresholds = &c->thresholds,
                                     .started_at_us = c->started_at_us,
                                     .rate = c->housekeeping.rate,
                                     .lag_ms = lag_ms(c),
                                     .is_complete = is_complete(c),
                                     .has_stopped = c->has_stopped};

    status_write(out, &view);
}

static void get_view(void *user, struct metrics_view *view)
{
    struct collector *c = user;

    *view = (struct metrics_view){.ingest = &c->ingest,
                                  .source = c->source,
                                  .store = c->store,
                                  .windows = &c->windows,
                                  .publisher = &c->publisher,
                                  .coverage = &c->coverage,
                                  .sequences = &c->sequences,
                                  .hearing = &c->hearing,
                                  .thresholds = &c->thresholds,
                                  .collector_id = c->settings.collector_id,
                                  .features = &c->settings.features,
                                  .started_at_us = c->started_at_us,
                                  .accounting_mismatches = c->housekeeping.accounting_mismatches,
                                  .lag_ms = lag_ms(c),
                                  .is_complete = is_complete(c)};
}

/* ---- the start -------------------------------------------------------------------------------- */

void wiring_make_store(struct collector *c)
{
    const struct store_config config = {.settings = &c->settings,
                                        .devices = &c->devices,
                                        .user = c,
                                        .session = session_begun,
                                        .on_collector = on_collector};

    c->store = store_new(&config);
}

void wiring_start_source(struct collector *c)
{
    const struct source_config config = {
        .loop = c->loop, .settings = &c->settings, .user = c, .broker_memory = broker_memory};
    char error[256];

    c->source = source_open(&config, error, sizeof(error));
    if (!c->source)
        exit(settings_reject_url("mqtt-url", c->settings.mqtt_url, error));
}

void wiring_start_housekeeping(struct collector *c)
{
    const struct housekeeping_config config = {.ingest = &c->ingest,
                                               .source = c->source,
                                               .store = c->store,
                                               .publisher = &c->publisher,
                                               .windows = &c->windows,
                                               .devices = &c->devices,
                                               .sequences = &c->sequences,
                                               .hearing = &c->hearing,
                                               .windows_memory = c->settings.windows_memory,
                                               .user = c,
                                               .on_second = on_second,
                                               .on_clock_back = on_clock_back};

    housekeeping_start(&c->housekeeping, c->loop, &config);
}

static void open_sinks(struct collector *c)
{
    const struct sink_config config = {.loop = c->loop,
                                       .settings = &c->settings,
                                       .board_count = (size_t)c->windows.ranking_count *
                                                      c->windows.interval_count,
                                       .started_at_us = c->started_at_us};
    char error[256];
    const struct sink_kind *failed = sinks_open(&c->sinks, &config, error, sizeof(error));

    if (failed)
        exit(settings_reject_url(failed->setting, failed->url(&c->settings), error));
}

void wiring_start_boards(struct collector *c)
{
    const struct settings *s = &c->settings;
    const struct board_publisher_config config = {.sinks = &c->sinks,
                                                  .collector_id = s->collector_id,
                                                  .features = &s->features,
                                                  .intervals = &s->intervals,
                                                  .windows = &c->windows,
                                                  .top_n = s->num_top_devices,
                                                  .started_at_us = c->started_at_us,
                                                  .user = c,
                                                  .settled_until_us = settled_until_us,
                                                  .turn = turn,
                                                  .put_status = put_status,
                                                  .on_shown = on_shown,
                                                  .on_ready = on_boards_ready,
                                                  .on_recalled = on_recalled,
                                                  .on_note_refused = on_note_refused};
    const struct threshold_notes_config notes = {.thresholds = &c->thresholds,
                                                 .hearing = &c->hearing,
                                                 .devices = &c->devices,
                                                 .features = &s->features,
                                                 .publisher = &c->publisher,
                                                 .collector_id = s->collector_id};

    open_sinks(c);
    threshold_notes_init(&c->threshold_notes, &notes);
    board_publisher_start(&c->publisher, c->loop, &config);
}

void wiring_start_reload(struct collector *c)
{
    const struct settings *s = &c->settings;
    const struct reload_config config = {.store = c->store,
                                         .collector_id = s->collector_id,
                                         .longest_us = intervals_longest_us(&s->intervals),
                                         .devices = &c->devices,
                                         .windows = &c->windows,
                                         .sequences = &c->sequences,
                                         .coverage = &c->coverage,
                                         .thresholds =
                                             s->thresholds.count > 0 ? &c->thresholds : NULL,
                                         .publisher = &c->publisher};

    reload_init(&c->reload, &config);
}

/* Of a log more: no device waits for an acknowledgement, no window is used up, and larger transactions cost
 * less. The next batch fills while one is stored, so the commit is no longer waited for at any size. */
static size_t batch_size(const struct collector *c)
{
    return c->settings.batch_size * (source_reads_on(c->source) ? 2 : 1);
}

void wiring_start_ingest(struct collector *c)
{
    const struct settings *s = &c->settings;
    struct ingest_config config = {.source = c->source,
                                   .store = c->store,
                                   .devices = &c->devices,
                                   .collector_id = s->collector_id,
                                   .rules = s->rules,
                                   .subscriptions = &s->subscriptions,
                                   .mappings = &s->mappings,
                                   .batch_size = batch_size(c),
                                   .linger_ms = (uint64_t)s->linger_us / 1000,
                                   .leave_after_ms = (uint64_t)s->leave_after_us / 1000,
                                   .drain_ms = (uint64_t)s->drain_us / 1000,
                                   .user = c,
                                   .on_device = on_device,
                                   .on_committed = on_committed,
                                   .on_settled = on_settled,
                                   .on_rejected = on_rejected,
                                   .on_state = on_state,
                                   .on_removed = on_removed,
                                   .on_added = on_added,
                                   .on_added_many = on_added_many,
                                   .on_behind = on_behind,
                                   .on_role_change = on_role_change};
    char error[256];

    c->is_ingesting = ingest_start(&c->ingest, c->loop, &config, error, sizeof(error));
    if (!c->is_ingesting) {
        log_error("%s", error); /* both URLs were read before; not reached */
        exit(1);
    }
}

static bool is_live(void *user)
{
    struct collector *c = user;

    return ingest_is_live(&c->ingest);
}

static const char *client_id(void *user)
{
    struct collector *c = user;

    return store_identity(c->store)->client_id;
}

void wiring_start_sparkplug(struct collector *c)
{
    const struct sparkplug_host_config config = {.loop = c->loop,
                                                 .settings = &c->settings,
                                                 .sparkplug = &c->ingest.sparkplug,
                                                 .user = c,
                                                 .is_live = is_live,
                                                 .client_id = client_id};

    if (mappings_have_sparkplug(&c->settings.mappings))
        c->sparkplug_host = sparkplug_host_start(&config);
}

void wiring_start_monitor(struct collector *c)
{
    if (strcmp(c->settings.metrics_listen, "-") != 0)
        c->monitor = monitor_start(c->loop, c->settings.metrics_listen, c->settings.metrics_hosts,
                                   c, get_view);
}

static bool is_ready(void *user, struct buffer *reasons)
{
    struct metrics_view view;

    get_view(user, &view);
    return metrics_is_ready(reasons, &view);
}

void wiring_start_notify(struct collector *c)
{
    const struct service_notify_config config = {.user = c, .is_ready = is_ready};

    service_notify_start(&c->notify, c->loop, &config);
}
