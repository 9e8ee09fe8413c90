#include "devicesim/settings.h"

#include "shared/buffer.h"
#include "shared/duration.h"
#include "shared/mqtt_terms.h"
#include "shared/options.h"
#include "shared/pg_url.h"
#include "shared/timestamp.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLAY_CONNECTIONS = 4, DEVICES_MAX = 1000000, CONNECTIONS_MAX = 60000 };

#define RATE_LEGAL "readings per second, a number above 0 and up to 10000000, or max"
#define INTERVAL_LEGAL "a duration, or two with the shorter one first, such as 1s..10s"
#define SPEED_LEGAL "a number above 0, such as 3600x, or max"
#define SEED_LEGAL "a whole number below 2^64"

static struct program program = {
    .name = "devicesim",
    .summary = "Simulates a fleet of devices that publish readings over MQTT, replays real ones, "
               "and keeps the\nrecord to hold a store to.",
};

int settings_reject(const char *name, const char *value, const char *legal)
{
    return options_reject(&program, name, value, legal);
}

int settings_reject_url(const char *name, const char *url, const char *legal)
{
    return options_reject_url(&program, name, url, legal);
}

/* ---- texts that are more than a number ------------------------------------------------------ */

static bool parse_interval(int64_t *least, int64_t *most, const char *text)
{
    const char *dots = strstr(text, "..");
    char first[32];

    if (!dots) {
        if (!duration_parse(least, text) || *least <= 0)
            return false;
        *most = *least;
        return true;
    }
    if ((size_t)(dots - text) >= sizeof(first))
        return false;
    memcpy(first, text, (size_t)(dots - text));
    first[dots - text] = '\0';
    return duration_parse(least, first) && duration_parse(most, dots + 2) && *most > 0 &&
           *least <= *most;
}

static bool parse_positive(double *out, const char *text, const char *unit, double most)
{
    char *end;

    *out = strtod(text, &end);
    return end != text && (!*end || strcmp(end, unit) == 0) && *out > 0 && *out <= most;
}

static bool parse_seed(uint64_t *out, const char *text)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && !*end;
}

static int read_signals(struct settings *settings)
{
    char error[256];

    settings->rules = (struct device_rules){.ranges = &settings->ranges};
    if (!signal_ranges_parse(&settings->ranges, settings->features_text, error, sizeof(error)))
        return settings_reject("features", settings->features_text, error);
    if (settings->ranges.features.count == 0)
        return settings_reject("features", settings->features_text, "at least one name=low..high");
    if (!signal_kind_parse(&settings->rules.signal, settings->signal_text))
        return settings_reject("signal", settings->signal_text, SIGNAL_LEGAL);
    if (!settings->seed_text)
        settings->rules.seed = (uint64_t)timestamp_now() & UINT32_MAX;
    else if (!parse_seed(&settings->rules.seed, settings->seed_text))
        return settings_reject("seed", settings->seed_text, SEED_LEGAL);
    settings->rules.day_us = (double)settings->day_us;
    return -1;
}

static int read_pacing(struct settings *settings)
{
    struct device_rules *rules = &settings->rules;

    if (!parse_interval(&rules->interval_least_us, &rules->interval_most_us,
                        settings->interval_text))
        return settings_reject("interval", settings->interval_text, INTERVAL_LEGAL);
    rules->period_us = ((double)rules->interval_least_us + (double)rules->interval_most_us) / 2;
    settings->pacing = FLEET_INTERVAL;
    if (settings->rate_text && strcmp(settings->rate_text, "max") == 0) {
        settings->pacing = FLEET_FLAT_OUT;
        rules->period_us = 1e6; /* there is no telling */
    } else if (settings->rate_text) {
        if (!parse_positive(&settings->rate, settings->rate_text, "/s", 1e7))
            return settings_reject("rate", settings->rate_text, RATE_LEGAL);
        settings->pacing = FLEET_RATE;
        rules->period_us = (double)settings->devices * 1e6 / settings->rate;
    }
    if (settings->start_time_text) {
        if (!timestamp_parse(&settings->fixed_clock_us, settings->start_time_text))
            return settings_reject("start-time", settings->start_time_text,
                                   "RFC 3339 such as 2026-11-23T12:00:00Z");
        settings->has_fixed_clock = true;
    }
    return -1;
}

static int read_faults(struct settings *settings)
{
    char legal[2048];
    struct buffer list = {0};
    int status = -1;

    settings->faults.seed = settings->rules.seed;
    if (!malformed_set_parse(&settings->faults.classes, settings->classes_text)) {
        malformed_list(&list);
        snprintf(legal, sizeof(legal), "all, light, or names out of %s", buffer_text(&list));
        status = settings_reject("malformed-classes", settings->classes_text, legal);
        buffer_release(&list);
    }
    return status;
}

static int read_replay(struct settings *settings)
{
    static const enum fault of_the_clock[] = {FAULT_LATE, FAULT_SKEWED, FAULT_BURST};

    if (settings->speed_text && strcmp(settings->speed_text, "max") != 0 &&
        !parse_positive(&settings->speed, settings->speed_text, "x", 1e9))
        return settings_reject("speed", settings->speed_text, SPEED_LEGAL);
    if (settings->shift_text && strcmp(settings->shift_text, "now") != 0)
        return settings_reject("shift", settings->shift_text, "now");
    settings->shift_to_now = settings->shift_text != NULL;
    if (!settings->replay_path) {
        if (settings->speed_text || settings->shift_text)
            return settings_reject(settings->speed_text ? "speed" : "shift",
                                   settings->speed_text ? settings->speed_text
                                                        : settings->shift_text,
                                   "only with --replay");
        return -1;
    }
    if (settings->rate_text)
        return settings_reject("rate", settings->rate_text, "not with --replay, which has --speed");
    for (size_t i = 0; i < sizeof(of_the_clock) / sizeof(of_the_clock[0]); i++) {
        if (settings->faults.shares[of_the_clock[i]] > 0)
            return settings_reject(fault_name(of_the_clock[i]), "",
                                   "not with --replay, whose readings have their own times");
    }
    return -1;
}

static int read_connections(struct settings *settings)
{
    char id[DEVICE_ID_SIZE + 16];
    char error[320];

    snprintf(id, sizeof(id), "%.*s%d", DEVICE_ID_SIZE, settings->device_prefix, DEVICES_MAX);
    if (!device_id_is_legal(id, strlen(id)))
        return settings_reject("device-prefix", settings->device_prefix,
                               "what with a number behind it makes an id of " DEVICE_ID_LEGAL);
    if (!topic_filter_parse(&settings->topic, settings->topic_text) ||
        settings->topic.text != settings->topic.prefix)
        return settings_reject(
            "topic", settings->topic_text,
            "a topic with exactly one '+', where the device id goes, and no '#'");
    settings->has_own_connections = settings->connections == 0 && !settings->replay_path;
    if (settings->has_own_connections)
        settings->connections = settings->devices;
    else if (settings->connections == 0)
        settings->connections = REPLAY_CONNECTIONS;
    if (settings->connections > settings->devices && !settings->replay_path)
        settings->connections = settings->devices;
    if (settings->connections > CONNECTIONS_MAX) {
        snprintf(id, sizeof(id), "%" PRIu64, settings->devices);
        return settings_reject(
            "num-devices", id,
            "at most 60000 with a connection each; share some with --connections");
    }
    if (settings->credentials_file) {
        if (!settings->has_own_connections)
            return settings_reject("credentials", settings->credentials_file,
                                   "only where each device has a connection of its own");
        if (!credentials_read(&settings->credentials, settings->credentials_file, error,
                              sizeof(error)))
            return settings_reject("credentials", settings->credentials_file, error);
    }
    return -1;
}

/* ---- the table ------------------------------------------------------------------------------ */

static int parse_table(struct settings *s, int argc, char **argv)
{
    double *shares = s->faults.shares;
    const struct option table[] = {
        {.name = "mqtt-url",
         .kind = OPTION_URL,
         .target = &s->mqtt_url,
         .fallback = "mqtt://127.0.0.1:1883",
         .value_name = "URL",
         .help = "the broker: mqtt://[user:password@]host[:port], mqtts://...,\nunix:///path"},
        {.name = "mqtt-ca-file",
         .kind = OPTION_TEXT,
         .target = &s->ca_file,
         .value_name = "FILE",
         .help = "whom to trust with mqtts; the system's authorities by default"},
        {.name = "mqtt-cert-file",
         .kind = OPTION_TEXT,
         .target = &s->cert_file,
         .value_name = "FILE",
         .help = "a certificate of our own"},
        {.name = "mqtt-password-file",
         .kind = OPTION_TEXT,
         .target = &s->mqtt_password_file,
         .value_name = "FILE",
         .help = "the password of the user in MQTT_URL, instead of one in the\nURL; read anew at "
                 "each connect"},
        {.name = "mqtt-key-file",
         .kind = OPTION_TEXT,
         .target = &s->key_file,
         .value_name = "FILE",
         .help = "and its key"},
        {.name = "mqtt-version",
         .kind = OPTION_TEXT,
         .target = &s->mqtt_version,
         .fallback = "5",
         .value_name = "VERSION",
         .help = MQTT_VERSION_HELP},
        {.name = "credentials",
         .kind = OPTION_TEXT,
         .target = &s->credentials_file,
         .value_name = "FILE",
         .help = "name:password for each device, one a line; the device id is\nuser name and "
                 "client id"},
        {.name = "num-devices",
         .kind = OPTION_COUNT,
         .target = &s->devices,
         .fallback = "10",
         .least = 1,
         .most = DEVICES_MAX,
         .value_name = "N",
         .help = "size of the fleet"},
        {.name = "device-prefix",
         .kind = OPTION_TEXT,
         .target = &s->device_prefix,
         .fallback = "device_",
         .value_name = "TEXT",
         .help = "what stands before the number in a device id"},
        {.name = "features",
         .kind = OPTION_TEXT,
         .target = &s->features_text,
         .fallback = SIGNAL_RANGES_DEFAULT,
         .value_name = "LIST",
         .help = "what the devices measure: name=low..high,..."},
        {.name = "topic",
         .kind = OPTION_TEXT,
         .target = &s->topic_text,
         .fallback = "devices/+/readings",
         .value_name = "TOPIC",
         .help = "where readings go; the + is the device id",
         .flag_only = true},
        {.name = "connections",
         .kind = OPTION_COUNT,
         .target = &s->connections,
         .fallback = "0",
         .most = CONNECTIONS_MAX,
         .value_name = "N",
         .help = "share this many connections; 0 = one for each device, with\na last will (a "
                 "replay: 4)",
         .flag_only = true},
        {.name = "keepalive",
         .kind = OPTION_COUNT,
         .target = &s->keepalive_s,
         .fallback = "60",
         .least = 5,
         .most = 65535,
         .value_name = "SECONDS",
         .help = "of each connection",
         .flag_only = true},
        {.name = "qos",
         .kind = OPTION_COUNT,
         .target = &s->qos,
         .fallback = "1",
         .most = 2,
         .value_name = "0..2",
         .help = "of each message",
         .flag_only = true},
        {.name = "inflight",
         .kind = OPTION_COUNT,
         .target = &s->inflight,
         .fallback = "100",
         .least = 1,
         .most = 30000,
         .value_name = "N",
         .help = "unacknowledged messages on one connection, at most; the more,\nthe more each "
                 "costs the MQTT library",
         .flag_only = true},
        {.name = "seed",
         .kind = OPTION_TEXT,
         .target = &s->seed_text,
         .value_name = "N",
         .help = "the same seed gives the same readings; a new one each time\nby default"},
        {.name = "signal",
         .kind = OPTION_TEXT,
         .target = &s->signal_text,
         .fallback = "uniform",
         .value_name = "KIND",
         .help = "uniform, walk (bounded random walk), daily (sine with noise)\nor spike (rare "
                 "outliers)",
         .flag_only = true},
        {.name = "day",
         .kind = OPTION_DURATION,
         .target = &s->day_us,
         .fallback = "24h",
         .least = 1,
         .most = 1e15,
         .value_name = "TIME",
         .help = "length of the day of --signal daily",
         .flag_only = true},
        {.name = "interval",
         .kind = OPTION_TEXT,
         .target = &s->interval_text,
         .fallback = "1s..10s",
         .value_name = "RANGE",
         .help = "time between two readings of a device",
         .flag_only = true},
        {.name = "rate",
         .kind = OPTION_TEXT,
         .target = &s->rate_text,
         .value_name = "R",
         .help = "instead: readings per second over the whole fleet, evenly;\nmax = as fast as "
                 "acknowledged",
         .flag_only = true},
        {.name = "ramp-up",
         .kind = OPTION_DURATION,
         .target = &s->ramp_up_us,
         .fallback = "0s",
         .most = 1e12,
         .value_name = "TIME",
         .help = "until all devices send, or the rate is reached",
         .flag_only = true},
        {.name = "count",
         .kind = OPTION_COUNT,
         .target = &s->count,
         .fallback = "0",
         .value_name = "N",
         .help = "end after so many readings, shared evenly; 0 = never",
         .flag_only = true},
        {.name = "duration",
         .kind = OPTION_DURATION,
         .target = &s->duration_us,
         .fallback = "0s",
         .value_name = "TIME",
         .help = "end after so long; 0 = never",
         .flag_only = true},
        {.name = "drain-timeout",
         .kind = OPTION_DURATION,
         .target = &s->drain_us,
         .fallback = "10s",
         .value_name = "TIME",
         .help = "how long to wait for outstanding acknowledgements at the\nend, and after SIGTERM "
                 "or SIGINT; a second one ends at once",
         .flag_only = true},
        {.name = "start-time",
         .kind = OPTION_TEXT,
         .target = &s->start_time_text,
         .value_name = "TIME",
         .help =
             "timestamps from the plan, beginning here, instead of from\nthe clock: with --seed "
             "every byte is repeatable",
         .flag_only = true},
        {.name = "seq",
         .kind = OPTION_SWITCH,
         .target = &s->with_seq,
         .help = "give each reading a rising number, per device",
         .flag_only = true},
        {.name = "late",
         .kind = OPTION_NUMBER,
         .target = &shares[FAULT_LATE],
         .fallback = "0",
         .most = 1,
         .value_name = "SHARE",
         .help = "of readings (0 to 1) with a time long before now",
         .flag_only = true},
        {.name = "late-by",
         .kind = OPTION_DURATION,
         .target = &s->faults.late_by_us,
         .fallback = "1h",
         .value_name = "TIME",
         .help = "at most",
         .flag_only = true},
        {.name = "out-of-order",
         .kind = OPTION_NUMBER,
         .target = &shares[FAULT_OUT_OF_ORDER],
         .fallback = "0",
         .most = 1,
         .value_name = "SHARE",
         .help = "of readings that the device's next one overtakes",
         .flag_only = true},
        {.name = "repeated",
         .kind = OPTION_NUMBER,
         .target = &shares[FAULT_REPEATED],
         .fallback = "0",
         .most = 1,
         .value_name = "SHARE",
         .help = "of readings that are published twice",
         .flag_only = true},
        {.name = "malformed",
         .kind = OPTION_NUMBER,
         .target = &shares[FAULT_MALFORMED],
         .fallback = "0",
         .most = 1,
         .value_name = "SHARE",
         .help = "of readings that a malformed message follows",
         .flag_only = true},
        {.name = "malformed-classes",
         .kind = OPTION_TEXT,
         .target = &s->classes_text,
         .fallback = "light",
         .value_name = "LIST",
         .help = "which: all, light (below 3 kB), or names from the list below",
         .flag_only = true},
        {.name = "oversized",
         .kind = OPTION_NUMBER,
         .target = &shares[FAULT_OVERSIZED],
         .fallback = "0",
         .most = 1,
         .value_name = "SHARE",
         .help = "of readings that come again in a huge message, over a\nconnection of its own",
         .flag_only = true},
        {.name = "oversized-bytes",
         .kind = OPTION_BYTES,
         .target = &s->oversized_bytes,
         .fallback = "2M",
         .least = 1,
         .most = 268435455,
         .value_name = "BYTES",
         .help = "its size",
         .flag_only = true},
        {.name = "wrong-id",
         .kind = OPTION_NUMBER,
         .target = &shares[FAULT_WRONG_ID],
         .fallback = "0",
         .most = 1,
         .value_name = "SHARE",
         .help = "of readings that come again under another device's id",
         .flag_only = true},
        {.name = "skewed",
         .kind = OPTION_NUMBER,
         .target = &shares[FAULT_SKEWED],
         .fallback = "0",
         .most = 1,
         .value_name = "SHARE",
         .help = "of devices with a wrong clock: up to 1h behind, 30s ahead,\nor 5m to 1h ahead",
         .flag_only = true},
        {.name = "burst",
         .kind = OPTION_NUMBER,
         .target = &shares[FAULT_BURST],
         .fallback = "0",
         .most = 1,
         .value_name = "SHARE",
         .help = "of devices that save readings up and send them in a run",
         .flag_only = true},
        {.name = "burst-size",
         .kind = OPTION_COUNT,
         .target = &s->burst_size,
         .fallback = "10",
         .least = 2,
         .most = 100000,
         .value_name = "N",
         .help = "how many",
         .flag_only = true},
        {.name = "flapping",
         .kind = OPTION_NUMBER,
         .target = &shares[FAULT_FLAPPING],
         .fallback = "0",
         .most = 1,
         .value_name = "SHARE",
         .help = "of connections that break now and then without a word",
         .flag_only = true},
        {.name = "flap-every",
         .kind = OPTION_DURATION,
         .target = &s->flap_every_us,
         .fallback = "10s",
         .least = 1e5,
         .most = 1e12,
         .value_name = "TIME",
         .help = "how often, on average",
         .flag_only = true},
        {.name = "replay",
         .kind = OPTION_TEXT,
         .target = &s->replay_path,
         .value_name = "FILE",
         .help = "send the readings of a CSV file, plain or gzip, with the header\n"
                 "timestamp,deviceId,<features>; an empty field is absent",
         .flag_only = true},
        {.name = "speed",
         .kind = OPTION_TEXT,
         .target = &s->speed_text,
         .value_name = "X",
         .help = "1x = as they were recorded, 3600x = an hour in a second,\nmax = as fast as "
                 "acknowledged (default)",
         .flag_only = true},
        {.name = "shift",
         .kind = OPTION_TEXT,
         .target = &s->shift_text,
         .value_name = "now",
         .help = "stamp each reading with the moment it is sent, instead of\nkeeping the file's "
                 "timestamps",
         .flag_only = true},
        {.name = "truth",
         .kind = OPTION_TEXT,
         .target = &s->truth_path,
         .value_name = "FILE",
         .help = "write down what is sent and when it is acknowledged",
         .flag_only = true},
        {.name = "core-dumps",
         .kind = OPTION_SWITCH,
         .target = &s->core_dumps,
         .fallback = "0",
         .help = "for debugging: let the kernel write core dumps, which hold\npasswords, and this "
                 "user read the process's memory"},
        {.name = "verify",
         .kind = OPTION_URL,
         .target = &s->verify_url,
         .value_name = "DATABASE_URL",
         .help = "compare the record of --truth with what is stored there, and\nprint what is "
                 "lost, doubled, unexpected; exit status 0 only\nif nothing is. Sends nothing",
         .flag_only = true},
        {.name = "give-up-after",
         .kind = OPTION_DURATION,
         .target = &s->give_up_after_us,
         .fallback = "30s",
         .least = 1e6,
         .most = 86400e6,
         .value_name = "TIME",
         .help = "--verify: when the database does not answer for longer"},
        {.name = "verify-wait",
         .kind = OPTION_DURATION,
         .target = &s->verify_wait_us,
         .fallback = "0s",
         .value_name = "TIME",
         .help = "how long to look again while something is still missing",
         .flag_only = true},
        {.name = "until-stored",
         .kind = OPTION_SWITCH,
         .target = &s->until_stored,
         .help = "also measure how long readings take to show on a board",
         .flag_only = true},
        {.name = "json",
         .kind = OPTION_SWITCH,
         .target = &s->as_json,
         .help = "the report as one JSON object",
         .flag_only = true},
        {0},
    };

    return options_parse(&program, table, argc, argv);
}

int settings_read(struct settings *settings, int argc, char **argv)
{
    static int (*const steps[])(struct settings *) = {read_signals, read_pacing, read_faults,
                                                      read_replay, read_connections};
    struct buffer epilogue = {0};
    int status;

    *settings = (struct settings){0};
    buffer_put_text(&epilogue, "Malformed messages: ");
    malformed_list(&epilogue);
    buffer_put_text(
        &epilogue, ".\nSIGHUP reads certificates anew.\nExit status: 0 when everything was "
                   "acknowledged, or verified; 1 when not, or "
                   "when no connection came up\nat all; 2 for a wrong setting, or when nothing can "
                   "be compared.");
    program.epilogue = buffer_text(&epilogue);
    status = parse_table(settings, argc, argv);
    if (status < 0 && !mqtt_version_parse(&settings->is_v311, settings->mqtt_version))
        status = settings_reject("mqtt-version", settings->mqtt_version, MQTT_VERSION_LEGAL);
    if (status < 0 && settings->verify_url && !settings->truth_path)
        status = settings_reject_url("verify", settings->verify_url, "only with --truth FILE");
    if (status < 0 && settings->verify_url && pg_url_flaw(settings->verify_url))
        status =
            settings_reject_url("verify", settings->verify_url, pg_url_flaw(settings->verify_url));
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && status < 0; i++)
        status = steps[i](settings);
    program.epilogue = NULL;
    buffer_release(&epilogue);
    return status;
}

void settings_release(struct settings *settings)
{
    credentials_release(&settings->credentials);
}
