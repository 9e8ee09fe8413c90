/* collector: reads from the broker, stores in PostgreSQL, publishes the boards.
 *
 * Wiring only. Start: settings, schema (migrate), then at once ingest and the loading of the windows.
 * End (SIGTERM, SIGINT): ingest drains, then the boards say goodbye. A second signal hurries. */
#include "collector/boards.h"
#include "collector/coverage.h"
#include "collector/forget.h"
#include "collector/housekeeping.h"
#include "collector/ingest.h"
#include "collector/lag.h"
#include "collector/monitor.h"
#include "collector/stores/postgres/loader.h"
#include "collector/stores/postgres/migrate.h"
#include "collector/stores/postgres/rejected.h"
#include "collector/stores/postgres/upkeep.h"
#include "collector/sys_topics.h"
#include "shared/base/duration.h"
#include "shared/base/json_write.h"
#include "shared/base/log.h"
#include "shared/base/options.h"
#include "shared/base/secret.h"
#include "shared/base/timestamp.h"
#include "shared/net/pg_url.h"
#include "shared/net/signals.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef HIGHWATER_VERSION
#define HIGHWATER_VERSION "unversioned"
#endif

enum { LOAD_RESTS = 4 }; /* times as long as a load took, before the next one for others */

#define SECOND_US INT64_C(1000000)

struct settings {
    const char *database_url;
    const char *mqtt_url;
    const char *mqtt_ca_file;
    const char *mqtt_cert_file;
    const char *mqtt_key_file;
    const char *mqtt_password_file;
    const char *mqtt_version;
    const char *collector_id;
    const char *client_id;
    const char *subscribe;
    const char *features_text;
    const char *intervals_text;
    const char *earliest_text;
    const char *metrics_listen;
    const char *metrics_hosts;
    const char *partition;
    uint64_t num_top_devices;
    uint64_t batch_size;
    uint64_t keepalive_s;
    uint64_t windows_memory;
    int64_t linger_us;
    int64_t leave_after_us;
    int64_t silent_after_us;
    int64_t drain_us;
    int64_t watchdog_us;
    int64_t partition_span_us;
    int64_t retention_us;
    int64_t rejected_retention_us;
    uint64_t rejected_bytes;
    int64_t rollup_delay_us;
    int64_t future_tolerance_us;
    bool is_v311;
    bool lowest;
    bool migrate_only;
    bool core_dumps;
    int64_t give_up_after_us;
    bool rejected;
    bool resubmit;
    const char *forget;
    const char *export_file;
    const char *reason;

    struct features features;
    struct intervals intervals;
    struct topic_filter filter;
    struct reading_rules rules;
};

struct collector {
    struct settings settings;
    uv_loop_t *loop;
    struct devices devices;
    struct windows windows;
    struct sequences sequences;
    struct coverage coverage;
    struct migrate migrate;
    struct ingest ingest;
    struct boards boards;
    struct housekeeping housekeeping;
    struct loader loader;
    struct upkeep upkeep;
    struct monitor *monitor;
    struct signals signals;
    uv_signal_t sigterm;
    uv_signal_t sigint;
    int64_t started_at_us;
    uint64_t broker_dropped; /* messages, as the broker counts them since its start */
    bool knows_broker_dropped;
    double batch_lag_ms;    /* of the last batch: from its first arrival to its commit */
    bool is_complete;       /* the windows are */
    bool loads_again;       /* the windows, when the loader has ended */
    bool loads_all;         /* the windows of all devices, not only of those: */
    struct buffer changed;  /* devices.id of those that others have changed, with commas */
    struct buffer only;     /* the literal as the loader has it */
    size_t changed_loading; /* so many bytes of it are being loaded */
    bool sees_company;      /* another collector is live */
    bool lacks_readings;    /* of one that is gone */
    int64_t rests_until_us; /* before it loads those */
    bool is_ingesting;
    bool has_upkeep;
    bool is_stopping;
    bool has_stopped; /* and holds nothing that may still be stored */
    int exit_status;
};

static const struct program program = {
    .name = "collector",
    .summary =
        "Subscribes to device readings, stores each exactly once in PostgreSQL, and publishes "
        "which\ndevices had the highest values.",
    .epilogue =
        "SIGTERM and SIGINT drain: what was read is committed and acknowledged, then it ends "
        "with status 0.\nA second signal ends it at once; the broker keeps what was not "
        "acknowledged.\nSIGHUP reads certificates anew.\n"
        "Exit status: 0 when all is done; 1 when it is not: --migrate or --rejected failed, the "
        "end "
        "came before\neverything was committed; 2 for a wrong setting."};

/* Whether what boards are made of is there for as long as they want it; `legal` says what is. */
static bool is_kept_long_enough(const struct settings *s, char *legal, size_t legal_bytes)
{
    int64_t longest_us = intervals_longest_us(&s->intervals);
    char length[DURATION_TEXT_SIZE];

    if (s->retention_us == 0)
        return true;
    snprintf(legal, legal_bytes, "0, or 1d and more");
    for (size_t i = 0; i < s->intervals.count && longest_us > TIMESTAMP_US_PER_DAY; i++) {
        const struct interval *interval = &s->intervals.items[i];

        if (interval->length_us == longest_us)
            snprintf(legal, legal_bytes,
                     "0, or as long as the longest of INTERVALS, %s=%s, or longer: its boards are "
                     "made of readings that old",
                     interval->name, duration_format(length, longest_us));
    }
    return s->retention_us >= TIMESTAMP_US_PER_DAY && s->retention_us >= longest_us;
}

static int read_settings(struct settings *s, int argc, char **argv)
{
    const struct option options[] = {
        {"database-url", OPTION_URL, &s->database_url, "", 0, 0, "URL",
         "PostgreSQL, such as postgresql://user@host/db;\nempty = the PG* variables", false},
        {"mqtt-url", OPTION_URL, &s->mqtt_url, "mqtt://127.0.0.1:1883", 0, 0, "URL",
         "the broker: mqtt://[user:password@]host[:port],\nmqtts://..., or unix:///path", false},
        {"mqtt-ca-file", OPTION_TEXT, &s->mqtt_ca_file, NULL, 0, 0, "FILE",
         "mqtts: certificates to trust, instead of the system's", false},
        {"mqtt-cert-file", OPTION_TEXT, &s->mqtt_cert_file, NULL, 0, 0, "FILE",
         "mqtts: our own certificate", false},
        {"mqtt-password-file", OPTION_TEXT, &s->mqtt_password_file, NULL, 0, 0, "FILE",
         "the password of the user in MQTT_URL, instead of one in the\nURL; read anew at each "
         "connect",
         false},
        {"mqtt-key-file", OPTION_TEXT, &s->mqtt_key_file, NULL, 0, 0, "FILE",
         "mqtts: the key of our own certificate", false},
        {"mqtt-version", OPTION_TEXT, &s->mqtt_version, "5", 0, 0, "VERSION", MQTT_VERSION_HELP,
         false},
        {"collector-id", OPTION_TEXT, &s->collector_id, "collector", 0, 0, "ID",
         "names this collector's topics, and its session at the\nbroker; of two with one id, one "
         "waits",
         false},
        {"mqtt-client-id", OPTION_TEXT, &s->client_id, "", 0, 0, "ID",
         "the session's name at the broker; empty =\nhighwater-COLLECTOR_ID-installation, as the "
         "database has it",
         false},
        {"subscribe", OPTION_TEXT, &s->subscribe, "devices/+/readings", 0, 0, "FILTER",
         "topic filter; its one + is the device id", false},
        {"features", OPTION_TEXT, &s->features_text, FEATURES_DEFAULT, 0, 0, "LIST",
         "numbers that a reading may carry", false},
        {"intervals", OPTION_TEXT, &s->intervals_text, INTERVALS_DEFAULT, 0, 0, "LIST",
         "boards are kept over these, name=length", false},
        {"num-top-devices", OPTION_COUNT, &s->num_top_devices, "10", 1, BOARD_ENTRIES_MAX, "N",
         "devices on a board", false},
        {"lowest", OPTION_SWITCH, &s->lowest, "0", 0, 0, NULL,
         "keep boards of the lowest values, too", false},
        {"windows-memory", OPTION_BYTES, &s->windows_memory, "256MB", 65536, 1099511627776.0,
         "SIZE",
         "for boards, beyond about 1 kB a device: what values that fall\nall the time may take; "
         "what needs more comes from the database",
         false},
        {"batch-size", OPTION_COUNT, &s->batch_size, "10000", 1, 1000000, "N",
         "readings after which a batch is committed", false},
        {"linger", OPTION_DURATION, &s->linger_us, "10ms", 0, 10e6, "TIME",
         "age after which a batch is committed; up to 50ms above\n20,000 readings a second", false},
        {"future-tolerance", OPTION_DURATION, &s->future_tolerance_us, "60s", 0, 86400e6, "TIME",
         "how far ahead a device's clock may be", false},
        {"earliest", OPTION_TEXT, &s->earliest_text, READING_EARLIEST_DEFAULT, 0, 0, "TIME",
         "readings from before this date have a wrong clock: many\nstart in 1970 or 2000, and an "
         "uptime "
         "in ms looks like 2001.\nOr an age, such as 30d, that none has when it arrives",
         false},
        {"leave-after", OPTION_DURATION, &s->leave_after_us, "3s", 0, 60e6, "TIME",
         "leave the broker when the database is away for longer;\nit keeps what arrives", false},
        {"silent-after", OPTION_DURATION, &s->silent_after_us, "10m", 0, 366 * 86400e6, "TIME",
         "say it when no message has come for so long, as where the\nbroker forbids to read; 0 = "
         "never",
         false},
        {"drain-timeout", OPTION_DURATION, &s->drain_us, "10s", 0, 600e6, "TIME",
         "how long the end may take", false},
        {"watchdog", OPTION_DURATION, &s->watchdog_us, "30s", 1e6, 3600e6, "TIME",
         "a transaction that takes longer costs the connection\nand is done again", false},
        {"partition", OPTION_TEXT, &s->partition, "day", 0, 0, "UNIT",
         "readings lie in one partition per day, week or month", false},
        {"partition-span", OPTION_DURATION, &s->partition_span_us, "400d", 86400e6, 36500 * 86400e6,
         "TIME", "older readings get no partition of their own", false},
        {"retention", OPTION_DURATION, &s->retention_us, "0", 0, 36500 * 86400e6, "TIME",
         "drop partitions of readings that are older, such as 90d, at\nleast the longest interval; "
         "0 = keep all",
         false},
        {"rejected-retention", OPTION_DURATION, &s->rejected_retention_us, "0", 0, 36500 * 86400e6,
         "TIME", "delete rejected messages that are older, such as 90d;\n0 = of any age", false},
        {"rejected-size", OPTION_BYTES, &s->rejected_bytes, "1GB", 0, 1099511627776.0, "SIZE",
         "delete the oldest rejected messages while all take more;\n0 = of any size", false},
        {"rollup-delay", OPTION_DURATION, &s->rollup_delay_us, "2m", 10e6, 3600e6, "TIME",
         "count readings for good when they are so old; raise it where\nmost come later than that",
         false},
        {"metrics-listen", OPTION_TEXT, &s->metrics_listen, "127.0.0.1:5001", 0, 0, "ADDRESS",
         "serve /metrics, /healthz and /readyz here: PORT (loopback),\nHOST:PORT, or :PORT for "
         "every "
         "address; - = nowhere",
         false},
        {"metrics-hosts", OPTION_TEXT, &s->metrics_hosts, "", 0, 0, "NAMES",
         "hosts it answers to there beside those of loopback, or *;\nwhen empty and not only on "
         "loopback: any",
         false},
        {"keepalive", OPTION_COUNT, &s->keepalive_s, "60", 5, 65535, "SECONDS", "MQTT keepalive",
         false},
        {"core-dumps", OPTION_SWITCH, &s->core_dumps, "0", 0, 0, NULL,
         "for debugging: let the kernel write core dumps, which hold\npasswords, and this user "
         "read "
         "the process's memory",
         false},
        {"give-up-after", OPTION_DURATION, &s->give_up_after_us, "30s", 1e6, 86400e6, "TIME",
         "--migrate and --rejected: when database or broker are away\nfor longer; a wrong password "
         "ends them at once",
         false},
        {"migrate", OPTION_SWITCH, &s->migrate_only, NULL, 0, 0, NULL,
         "bring the database to this program's schema, and exit", true},
        {"forget", OPTION_TEXT, &s->forget, NULL, 0, 0, "ID",
         "remove what the collector of this id, which is gone, has\nleft at the broker, and exit",
         true},
        {"rejected", OPTION_SWITCH, &s->rejected, NULL, 0, 0, NULL,
         "count and list the rejected messages, and exit", true},
        {"export", OPTION_TEXT, &s->export_file, NULL, 0, 0, "FILE",
         "with --rejected: write them as JSON lines (- = standard\noutput)", true},
        {"resubmit", OPTION_SWITCH, &s->resubmit, NULL, 0, 0, NULL,
         "with --rejected: publish them again, and remove those\nthat the broker took", true},
        {"reason", OPTION_TEXT, &s->reason, NULL, 0, 0, "REASON", "with --rejected: only those",
         true},
        {0}};
    char error[256];
    char legal[256];
    char retention[DURATION_TEXT_SIZE];
    int status = options_parse(&program, options, argc, argv);

    if (status >= 0)
        return status;
    if (pg_url_flaw(s->database_url))
        return options_reject_url(&program, "database-url", s->database_url,
                                  pg_url_flaw(s->database_url));
    if (!features_parse(&s->features, s->features_text, error, sizeof(error)))
        return options_reject(&program, "features", s->features_text, error);
    if (!intervals_parse(&s->intervals, s->intervals_text, error, sizeof(error)))
        return options_reject(&program, "intervals", s->intervals_text, error);
    if (!topic_filter_parse(&s->filter, s->subscribe))
        return options_reject(&program, "subscribe", s->subscribe, TOPIC_FILTER_LEGAL);
    s->rules = (struct reading_rules){.features = &s->features,
                                      .future_tolerance_us = s->future_tolerance_us};
    if (!reading_rules_set_earliest(&s->rules, s->earliest_text))
        return options_reject(&program, "earliest", s->earliest_text,
                              "a date such as 2020-01-01, RFC 3339, or an age such as 30d");
    if (strcmp(s->partition, "day") != 0 && strcmp(s->partition, "week") != 0 &&
        strcmp(s->partition, "month") != 0)
        return options_reject(&program, "partition", s->partition, "day, week or month");
    if (!is_kept_long_enough(s, legal, sizeof(legal)))
        return options_reject(&program, "retention", duration_format(retention, s->retention_us),
                              legal);
    if (!mqtt_identity_is_legal(s->collector_id))
        return options_reject(&program, "collector-id", s->collector_id, MQTT_IDENTITY_LEGAL);
    if (!mqtt_version_parse(&s->is_v311, s->mqtt_version))
        return options_reject(&program, "mqtt-version", s->mqtt_version, MQTT_VERSION_LEGAL);
    if (*s->client_id && !mqtt_identity_is_legal(s->client_id))
        return options_reject(&program, "mqtt-client-id", s->client_id, MQTT_IDENTITY_LEGAL);
    if (s->forget && !mqtt_identity_is_legal(s->forget))
        return options_reject(&program, "forget", s->forget, MQTT_IDENTITY_LEGAL);
    if (!s->rejected && (s->export_file || s->resubmit || s->reason)) {
        fprintf(stderr, "collector: --export, --resubmit and --reason need --rejected\n");
        return 2;
    }
    return -1;
}

/* ---- what the parts tell each other --------------------------------------------------------- */

static void on_loaded(struct loader *loader, bool complete);
static void on_migrated(struct migrate *migrate, const char *error);

static void add_to_windows(void *user, uint32_t device)
{
    struct collector *c = user;

    /* both number the devices from 0 in the order of their arrival */
    windows_add_device(&c->windows, c->devices.items[device].id);
}

static void on_device(struct ingest *ingest, uint32_t device)
{
    add_to_windows(ingest->config.user, device);
}

/* Puts those of a batch into the windows that were received after `from_us`, up to `until_us`. */
static void take_part(struct collector *c, const struct batch *batch, int64_t from_us,
                      int64_t until_us)
{
    int64_t as_of_us = boards_as_of_us(&c->boards);

    boards_note_news(&c->boards);
    for (size_t i = 0; i < batch->sorted_count; i++) {
        const struct batch_row *row = batch_row(batch, batch->order[i]);

        if (i + WINDOWS_AHEAD < batch->sorted_count)
            windows_prefetch(&c->windows,
                             batch_row(batch, batch->order[i + WINDOWS_AHEAD])->device);
        if (!row->is_refused && row->received_at_us > from_us && row->received_at_us <= until_us)
            windows_insert(&c->windows, row->device, batch_reading(row), as_of_us);
    }
}

/* A moment that lies amid a batch has its boards made when all that was received before it is in
 * the windows, and nothing else. */
static void take_batch(struct collector *c, const struct batch *batch)
{
    int64_t first_us = batch_row(batch, 0)->received_at_us;
    int64_t last_us = batch_row(batch, batch->count - 1)->received_at_us;
    int64_t from_us = INT64_MIN;

    boards_reach(&c->boards, board_moment(first_us - 1));
    for (int64_t cut_us = moments_first_cut(first_us, last_us); cut_us < last_us;
         cut_us += BOARD_GRID_US) {
        take_part(c, batch, from_us, cut_us);
        boards_reach(&c->boards, cut_us);
        from_us = cut_us;
    }
    take_part(c, batch, from_us, INT64_MAX);
}

static void on_committed(struct ingest *ingest, const struct batch *batch)
{
    struct collector *c = ingest->config.user;
    if (batch->count > 0)
        take_batch(c, batch);
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_row *row = batch_row(batch, i);

        /* of what is shared, others get the rest */
        if (row->seq >= 0 && !row->is_refused &&
            !topic_filter_is_shared(ingest_filter(ingest, row->filter)))
            sequences_take(&c->sequences, row->device, row->seq, batch_reading(row)->recorded_at_us,
                           row->received_at_us);
    }
    c->batch_lag_ms = (double)(timestamp_now() - batch->oldest_received_at_us) / 1e3;
    if (c->ingest.store.outcome.was_staged)
        upkeep_poke(&c->upkeep);
}

static void on_settled(struct ingest *ingest)
{
    struct collector *c = ingest->config.user;

    boards_look(&c->boards);
}

static void on_rejected(struct ingest *ingest, const char *topic, enum reading_error error,
                        const char *detail)
{
    struct collector *c = ingest->config.user;

    boards_tell_rejected(&c->boards, topic, reading_error_text(error), detail);
}

static void on_state(struct ingest *ingest)
{
    struct collector *c = ingest->config.user;

    boards_tell_status(&c->boards);
}

static void on_snapshot(void *user, int64_t before_us)
{
    struct collector *c = user;

    boards_set_loading(&c->boards, before_us);
}

/* What is due: all, or the devices that others have changed. A load that is under way does not know of
 * it; what is due then follows. */
static void load_due(struct collector *c)
{
    struct loader_config config = {.database_url = c->settings.database_url,
                                   .features = &c->settings.features,
                                   .longest_us = intervals_longest_us(&c->settings.intervals),
                                   .devices = &c->devices,
                                   .windows = &c->windows,
                                   .sequences = &c->sequences,
                                   .coverage = &c->coverage,
                                   .as_of_us = &c->boards.moments.as_of_us,
                                   .user = c,
                                   .on_device = add_to_windows,
                                   .on_snapshot = on_snapshot,
                                   .on_done = on_loaded};
    char error[256];

    c->loads_again = c->loader.is_running;
    if (c->loads_again || c->is_stopping)
        return;
    c->changed_loading = c->changed.bytes;
    if (!c->loads_all) {
        buffer_clear(&c->only);
        buffer_printf(&c->only, "{%s}", buffer_text(&c->changed));
        config.only = buffer_text(&c->only);
    }
    if (!loader_start(&c->loader, c->loop, &config, error, sizeof(error)))
        log_error("windows: %s", error);
}

static void load_windows(struct collector *c)
{
    c->loads_all = true;
    load_due(c);
}

/* The windows may lack what we have said they hold: nothing is shown until they are loaded. */
static void reload_windows(struct collector *c)
{
    c->is_complete = false;
    boards_set_complete(&c->boards, false);
    load_windows(c);
}

/* What another collector with our id stores meanwhile is neither in our windows nor in our numbers.
 */
static void on_turn(struct ingest *ingest, bool is_ours)
{
    struct collector *c = ingest->config.user;

    if (is_ours)
        boards_set_identity(&c->boards, &ingest->store.identity);
    boards_set_turn(&c->boards, is_ours);
    if (is_ours) {
        reload_windows(c);
        return;
    }
    c->loads_again = false;
    loader_cancel(&c->loader);
    sequences_clear(&c->sequences);
}

static void note_changed(struct collector *c, int32_t database_id)
{
    buffer_printf(&c->changed, "%s%" PRId32, c->changed.bytes > 0 ? "," : "", database_id);
}

/* Until its windows are filled again with what the tables say, nothing is shown. A load that is under way
 * may have read what was taken out. */
static void on_removed(struct ingest *ingest, uint32_t device, bool is_whole)
{
    struct collector *c = ingest->config.user;

    windows_clear_device(&c->windows, device);
    c->is_complete = false;
    boards_set_complete(&c->boards, false);
    if (is_whole)
        sequences_forget(&c->sequences, device);
    note_changed(c, c->devices.items[device].database_id);
    load_due(c);
    if (c->loads_again)
        loader_cancel(&c->loader);
}

/* The windows only gain by it, so what they hold is shown as before. */
static void on_added(struct ingest *ingest, int32_t database_id)
{
    struct collector *c = ingest->config.user;

    note_changed(c, database_id);
    load_due(c);
}

static void on_added_many(struct ingest *ingest)
{
    load_windows(ingest->config.user);
}

/* What a collector that is gone has stored is on no board, unless it is in our windows, too. They
 * are loaded once more; they only gain by it, so what they hold is shown as before. */
static void look_after_others(struct collector *c)
{
    if (!c->lacks_readings || !c->is_complete || !c->ingest.has_turn || c->is_stopping ||
        c->loader.is_running || timestamp_now() < c->rests_until_us)
        return;
    log_info("windows: another collector is gone; loading what it has stored");
    load_windows(c);
}

static void on_collector(void *user, const char *id, bool is_live, int64_t batches)
{
    struct collector *c = user;

    if (!id) {
        boards_set_company(&c->boards, c->sees_company);
        look_after_others(c);
        c->sees_company = c->lacks_readings = false;
    } else if (strcmp(id, c->settings.collector_id) != 0) {
        c->sees_company = c->sees_company || is_live;
        if (!is_live && coverage_lacks(&c->coverage, id, batches))
            c->lacks_readings = true;
    }
}

static void on_shown(void *user)
{
    struct collector *c = user;

    coverage_show(&c->coverage);
}

/* {"not_json":3}: the reasons that there were. */
static void put_rejected_by_reason(struct buffer *out, const struct ingest_counters *n)
{
    const char *before = "";

    buffer_put_text(out, ",\"rejectedByReason\":{");
    for (int reason = READING_OK + 1; reason < READING_ERROR_COUNT; reason++) {
        if (n->rejected_by_reason[reason] == 0)
            continue;
        buffer_printf(out, "%s\"%s\":%" PRIu64, before,
                      reading_error_text((enum reading_error)reason),
                      n->rejected_by_reason[reason]);
        before = ",";
    }
    buffer_put_text(out, "}");
}

static void on_clock_back(void *user)
{
    struct collector *c = user;

    if (c->is_stopping)
        return;
    log_warning("windows: the clock went back; reading them again from the database");
    boards_rewind(&c->boards, timestamp_now());
    reload_windows(c);
}

static void start_housekeeping(struct collector *c)
{
    const struct housekeeping_config config = {.ingest = &c->ingest,
                                               .boards = &c->boards,
                                               .windows = &c->windows,
                                               .devices = &c->devices,
                                               .sequences = &c->sequences,
                                               .upkeep = &c->upkeep,
                                               .windows_memory = c->settings.windows_memory,
                                               .subscribe = c->settings.subscribe,
                                               .silent_after_us = c->settings.silent_after_us,
                                               .user = c,
                                               .on_clock_back = on_clock_back};

    housekeeping_start(&c->housekeeping, c->loop, &config);
}

/* As of now when something waits: a store that stands still has no last batch. */
static double lag_ms(const struct collector *c)
{
    double waiting_ms = (double)lag_waiting_ms(&c->ingest);

    return waiting_ms > c->batch_lag_ms ? waiting_ms : c->batch_lag_ms;
}

static void put_status(void *user, struct buffer *out)
{
    struct collector *c = user;
    const struct settings *s = &c->settings;
    const struct ingest_counters *n = &c->ingest.counters;
    /* While it drains it is there: what it holds is on no board yet. */
    const char *state = c->has_stopped               ? "stopped"
                        : !c->is_complete            ? "warming"
                        : ingest_is_live(&c->ingest) ? "live"
                                                     : "degraded";
    char when[TIMESTAMP_TEXT_SIZE];

    buffer_printf(out, "\"state\":\"%s\",\"turn\":%" PRId64 ",", state, c->ingest.store.turn);
    boards_put_span(&c->boards, out);
    buffer_put_text(out, ",\"loaded\":");
    coverage_write(&c->coverage, s->collector_id, out);
    timestamp_format(when, c->started_at_us);
    buffer_printf(out, ",\"startedAt\":\"%s\",\"version\":\"" HIGHWATER_VERSION "\",\"features\":[",
                  when);
    for (size_t i = 0; i < s->features.count; i++)
        buffer_printf(out, "%s\"%s\"", i > 0 ? "," : "", s->features.names[i]);
    buffer_put_text(out, "],\"intervals\":[");
    for (size_t i = 0; i < s->intervals.count; i++) {
        const struct interval *interval = &s->intervals.items[i];

        buffer_printf(out, "%s{\"name\":\"%s\",\"lengthMs\":", i > 0 ? "," : "", interval->name);
        if (interval->length_us == INTERVAL_ALL_TIME)
            buffer_put_text(out, "null}");
        else
            buffer_printf(out, "%" PRId64 "}", interval->length_us / 1000);
    }
    buffer_printf(out, "],\"limit\":%" PRIu64 ",\"lowest\":%s,\"subscribe\":", s->num_top_devices,
                  s->lowest ? "true" : "false");
    json_write_string(out, s->subscribe);
    buffer_printf(out,
                  ",\"devices\":%" PRIu32 ",\"messages\":%" PRIu64 ",\"received\":%" PRIu64
                  ",\"stored\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",\"rejected\":%" PRIu64
                  ",\"inFlight\":%" PRIu64 ",\"ratePerSecond\":%" PRIu64 ",\"lagMs\":%.1f",
                  c->devices.count, n->messages, n->received, n->stored, n->duplicates, n->rejected,
                  ingest_in_flight(&c->ingest), c->housekeeping.rate, lag_ms(c));
    put_rejected_by_reason(out, n);
    if (c->knows_broker_dropped)
        buffer_printf(out, ",\"brokerDropped\":%" PRIu64, c->broker_dropped);
}

static void on_broker_version(const struct sys_version *version)
{
    if (version->major < 2 || (version->major == 2 && version->minor == 0 && version->patch < 13))
        log_info("preflight: broker %u.%u.%u sends more than the receive maximum allows (mended in "
                 "2.0.13); harmless here, memory is bounded by not reading",
                 version->major, version->minor, version->patch);
}

/* The broker drops without telling sender or receiver; this count is all there is. */
static void on_broker_dropped(struct collector *c, uint64_t dropped)
{
    if (c->knows_broker_dropped && dropped > c->broker_dropped)
        log_error("the broker dropped %" PRIu64 " messages: a queue is full; raise "
                  "max_queued_messages (0 = no limit) or max_queued_bytes in mosquitto.conf",
                  dropped - c->broker_dropped);
    c->knows_broker_dropped = true;
    c->broker_dropped = dropped;
}

static void on_broker_says(void *user, const char *topic, const void *payload, size_t bytes)
{
    struct sys_version version;
    uint64_t count;

    if (strcmp(topic, BOARDS_BROKER_VERSION) == 0 && sys_parse_version(&version, payload, bytes))
        on_broker_version(&version);
    else if (strcmp(topic, BOARDS_BROKER_DROPPED) == 0 && sys_parse_count(&count, payload, bytes))
        on_broker_dropped(user, count);
}

static void get_view(void *user, struct metrics_view *view)
{
    struct collector *c = user;

    *view = (struct metrics_view){
        .ingest = &c->ingest,
        .windows = &c->windows,
        .boards = &c->boards,
        .coverage = &c->coverage,
        .sequences = &c->sequences,
        .upkeep = &c->upkeep,
        .started_at_us = c->started_at_us,
        .law_breaches = c->housekeeping.law_breaches,
        .broker_dropped = c->broker_dropped,
        .lag_ms = lag_ms(c),
        .silent_us = silence_age_us(&c->housekeeping.silence, (int64_t)(uv_hrtime() / 1000)),
        .is_complete = c->is_complete};
}

static void start_ingest(struct collector *c)
{
    const struct settings *s = &c->settings;
    struct ingest_config config = {.mqtt = {.name = "mqtt",
                                            .url = s->mqtt_url,
                                            .keepalive_s = (uint16_t)s->keepalive_s,
                                            .ca_file = s->mqtt_ca_file,
                                            .cert_file = s->mqtt_cert_file,
                                            .key_file = s->mqtt_key_file,
                                            .password_file = s->mqtt_password_file,
                                            .is_v311 = s->is_v311},
                                   .store = {.database_url = s->database_url,
                                             .collector_id = s->collector_id,
                                             .client_id = s->client_id,
                                             .subscribe = s->subscribe,
                                             .features = &s->features,
                                             .devices = &c->devices,
                                             .watchdog_ms = (uint64_t)s->watchdog_us / 1000,
                                             /* a quarter of the delay for clocks that differ */
                                             .fresh_us = s->rollup_delay_us / 4 * 3,
                                             .ahead_us = s->future_tolerance_us + 1},
                                   .rules = s->rules,
                                   .filter = s->filter,
                                   .marker_topic = c->boards.marker_topic,
                                   .batch_size = s->batch_size,
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
                                   .on_turn = on_turn};
    char error[256];

    c->is_ingesting = ingest_start(&c->ingest, c->loop, &config, error, sizeof(error));
    if (!c->is_ingesting) {
        log_error("%s", error); /* both URLs were read before; not reached */
        exit(1);
    }
}

static void start_migrating(struct collector *c)
{
    char error[256];

    if (!migrate_start(&c->migrate, c->loop, c->settings.database_url, &c->settings.features,
                       c->settings.partition,
                       c->settings.migrate_only ? (uint64_t)c->settings.give_up_after_us / 1000 : 0,
                       c, on_migrated, error, sizeof(error))) {
        options_reject_url(&program, "database-url", c->settings.database_url, error);
        exit(2);
    }
}

static const char *session_begun(void *user)
{
    struct collector *c = user;

    return c->ingest.is_subscribed ? c->ingest.client_id : NULL;
}

static void start_upkeep(struct collector *c)
{
    const struct settings *s = &c->settings;
    struct upkeep_config config = {.database_url = s->database_url,
                                   .partition = s->partition,
                                   .span_us = s->partition_span_us,
                                   .retention_us = s->retention_us,
                                   .rejected_retention_us = s->rejected_retention_us,
                                   .rejected_bytes = s->rejected_bytes,
                                   .delay_us = s->rollup_delay_us,
                                   .collector_id = s->collector_id,
                                   .user = c,
                                   .session = session_begun,
                                   .on_collector = on_collector};
    char error[256];

    c->has_upkeep = upkeep_start(&c->upkeep, c->loop, &config, error, sizeof(error));
    if (!c->has_upkeep)
        log_error("upkeep: %s", error);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void on_upkeep_closed(struct upkeep *upkeep)
{
    (void)upkeep;
}

static void close_rest(struct collector *c)
{
    if (c->has_upkeep)
        upkeep_close(&c->upkeep, on_upkeep_closed);
    if (!c->settings.migrate_only)
        housekeeping_close(&c->housekeeping);
    monitor_stop(c->monitor);
    signals_close(&c->signals);
    uv_close((uv_handle_t *)&c->sigterm, NULL);
    uv_close((uv_handle_t *)&c->sigint, NULL);
}

static void on_boards_closed(struct boards *boards)
{
    close_rest(boards->config.user);
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
    boards_close(&c->boards, on_boards_closed);
}

static void stop(struct collector *c)
{
    bool is_first = !c->is_stopping;

    c->is_stopping = true;
    migrate_cancel(&c->migrate);
    loader_cancel(&c->loader);
    if (c->settings.migrate_only)
        return; /* on_migrated() ends it */
    if (c->is_ingesting)
        ingest_stop(&c->ingest, on_ingest_stopped);
    else if (is_first) {
        c->has_stopped = true;
        boards_close(&c->boards, on_boards_closed);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct collector *c = handle->data;

    log_info("%s: %s", number == SIGTERM ? "SIGTERM" : "SIGINT",
             c->is_stopping ? "ending at once" : "draining");
    stop(c);
}

/* What is committing goes on: it holds acknowledgements of the connection before, which the broker
 * then delivers again. */
static void on_hangup(void *user)
{
    struct collector *c = user;

    if (c->is_stopping || c->settings.migrate_only)
        return;
    signals_reload(&c->boards.mqtt);
    if (c->is_ingesting)
        signals_reload(&c->ingest.mqtt);
}

/* What was loaded is due no longer, but for what was noted meanwhile. */
static void settle_load(struct collector *c)
{
    size_t left = c->changed.bytes - c->changed_loading;
    const char *rest;

    if (!c->loader.config.only) {
        c->rests_until_us =
            timestamp_now() + LOAD_RESTS * (timestamp_now() - c->loader.started_at_us);
        c->loads_all = false;
    }
    if (left == 0) {
        buffer_clear(&c->changed);
        return;
    }
    rest = buffer_text(&c->changed) + c->changed_loading;
    if (*rest == ',') {
        rest++;
        left--;
    }
    memmove(c->changed.data, rest, left);
    c->changed.bytes = left;
}

static void on_loaded(struct loader *loader, bool complete)
{
    struct collector *c = loader->config.user;

    if (c->is_stopping)
        return;
    if (complete)
        settle_load(c);
    if (c->loads_again) {
        load_due(c);
        return;
    }
    if (!complete)
        return;
    c->is_complete = true;
    boards_set_complete(&c->boards, true);
}

static void on_migrated(struct migrate *migrate, const char *error)
{
    struct collector *c = migrate->user;

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
    start_upkeep(c);
    start_ingest(c); /* and with it, in on_turn(), all else */
}

/* ---- the start ------------------------------------------------------------------------------ */

static int64_t settled_until_us(void *user, int64_t now_us)
{
    struct collector *c = user;

    return ingest_settled_until_us(&c->ingest, now_us);
}

static void start_boards(struct collector *c)
{
    const struct settings *s = &c->settings;
    struct boards_config config = {.mqtt = {.url = s->mqtt_url,
                                            .keepalive_s = (uint16_t)s->keepalive_s,
                                            .ca_file = s->mqtt_ca_file,
                                            .cert_file = s->mqtt_cert_file,
                                            .key_file = s->mqtt_key_file,
                                            .password_file = s->mqtt_password_file,
                                            .is_v311 = s->is_v311},
                                   .collector_id = s->collector_id,
                                   .features = &s->features,
                                   .intervals = &s->intervals,
                                   .windows = &c->windows,
                                   .top_n = s->num_top_devices,
                                   .started_at_us = c->started_at_us,
                                   .user = c,
                                   .settled_until_us = settled_until_us,
                                   .put_status = put_status,
                                   .on_shown = on_shown,
                                   .on_broker_says = on_broker_says};
    char error[256];

    if (!boards_start(&c->boards, c->loop, &config, error, sizeof(error)))
        exit(options_reject_url(&program, "mqtt-url", s->mqtt_url, error));
}

static int run_forget(const struct settings *s)
{
    struct forget_config config = {.database_url = s->database_url,
                                   .mqtt = {.url = s->mqtt_url,
                                            .ca_file = s->mqtt_ca_file,
                                            .cert_file = s->mqtt_cert_file,
                                            .key_file = s->mqtt_key_file,
                                            .password_file = s->mqtt_password_file,
                                            .is_v311 = s->is_v311},
                                   .collector_id = s->forget};

    return forget_run(&config);
}

static int run_rejected(const struct settings *s)
{
    struct rejected_config config = {.database_url = s->database_url,
                                     .mqtt = {.url = s->mqtt_url,
                                              .ca_file = s->mqtt_ca_file,
                                              .cert_file = s->mqtt_cert_file,
                                              .key_file = s->mqtt_key_file,
                                              .password_file = s->mqtt_password_file,
                                              .is_v311 = s->is_v311},
                                     .reason = s->reason,
                                     .export_file = s->export_file,
                                     .resubmit = s->resubmit,
                                     .give_up_after_ms = (uint64_t)s->give_up_after_us / 1000};

    return rejected_run(&config);
}

int main(int argc, char **argv)
{
    static struct collector collector;
    struct collector *c = &collector;
    int64_t lengths_us[INTERVALS_MAX] = {0};
    int status;

    signals_init();
    status = read_settings(&c->settings, argc, argv);
    if (status >= 0)
        return status;
    if (!c->settings.core_dumps)
        secret_protect_process();
    log_init("collector");
    if (c->settings.rejected)
        return run_rejected(&c->settings);
    if (c->settings.forget)
        return run_forget(&c->settings);
    c->loop = uv_default_loop();
    c->started_at_us = timestamp_now();
    for (size_t i = 0; i < c->settings.intervals.count; i++)
        lengths_us[i] = c->settings.intervals.items[i].length_us;
    sequences_init(&c->sequences, &c->devices, c->settings.collector_id);
    windows_init(&c->windows, c->settings.features.count,
                 WINDOWS_HIGHEST | (c->settings.lowest ? WINDOWS_LOWEST : 0), lengths_us,
                 c->settings.intervals.count, c->settings.num_top_devices,
                 c->settings.windows_memory);

    uv_signal_init(c->loop, &c->sigterm);
    uv_signal_init(c->loop, &c->sigint);
    c->sigterm.data = c->sigint.data = c;
    signals_start(&c->signals, c->loop, on_hangup, c);
    uv_signal_start(&c->sigterm, on_signal, SIGTERM);
    uv_signal_start(&c->sigint, on_signal, SIGINT);
    if (!c->settings.migrate_only) {
        start_boards(c);
        start_housekeeping(c);
        if (strcmp(c->settings.metrics_listen, "-") != 0)
            c->monitor = monitor_start(c->loop, c->settings.metrics_listen,
                                       c->settings.metrics_hosts, c, get_view);
    }
    start_migrating(c);
    uv_run(c->loop, UV_RUN_DEFAULT);
    uv_loop_close(c->loop);
    ingest_release(&c->ingest);
    windows_release(&c->windows);
    buffer_release(&c->changed);
    buffer_release(&c->only);
    sequences_release(&c->sequences);
    coverage_release(&c->coverage);
    devices_release(&c->devices);
    if (!c->settings.migrate_only)
        log_info("ended");
    return c->exit_status;
}
