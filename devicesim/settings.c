#include "devicesim/settings.h"

#include "devicesim/edge_nodes.h"
#include "devicesim/settings_table.h"
#include "shared/base/buffer.h"
#include "shared/base/duration.h"
#include "shared/base/options.h"
#include "shared/base/secret.h"
#include "shared/base/timestamp.h"
#include "shared/model/mqtt_version.h"
#include "shared/net/pg_password.h"
#include "shared/net/pg_url.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLAY_CONNECTIONS = 4 };

#define RATE_LEGAL "readings per second, a number above 0 and up to 10000000, or max"
#define INTERVAL_LEGAL "a duration, or two with the shorter one first, such as 1s..10s"
#define SPEED_LEGAL "a number above 0, such as 3600x, or max"
#define SEED_LEGAL "a whole number below 2^64"

static struct program program = {
    .name = "devicesim",
    .summary = "Simulates a fleet of devices that publish readings over MQTT, replays real ones, "
               "and keeps the\nrecord to hold a store to.",
    .brief = "simulates devices that publish readings over MQTT",
    .signals =
        "SIGTERM and SIGINT end the run: what is outstanding is waited for (--drain-timeout); a "
        "second one ends it at once. SIGHUP reads certificates again.",
    .exit_status = {"when everything was acknowledged, or verified",
                    "when not, or when no connection came up at all",
                    "for a wrong setting, or when nothing can be compared"},
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
        rules->period_us = 1e6; /* a guess: acknowledgements set the pace */
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

/* Its nodes have a fixed list of devices, times of whole milliseconds, and topics of their own. */
static int read_sparkplug(struct settings *settings)
{
    if (settings->faults.shares[FAULT_SKEWED] > 0)
        return settings_reject(fault_name(FAULT_SKEWED), "",
                               "not with --shape sparkplug, of which nobody could say whether it "
                               "is to be stored");
    if (settings->replay_path)
        return settings_reject("replay", settings->replay_path,
                               "not with --shape sparkplug, whose edge nodes say at their birth "
                               "which devices they have");
    if (strcmp(settings->topic_text, SETTINGS_TOPIC) != 0)
        return settings_reject("topic", settings->topic_text,
                               "not with --shape sparkplug, whose topics are "
                               "spBv1.0/" EDGE_GROUP "/KIND/NODE/DEVICE");
    return -1;
}

/* What a mapping does not read, or nobody could compare afterwards. */
static int read_shape(struct settings *settings)
{
    static const enum fault of_the_contract[] = {FAULT_MALFORMED, FAULT_WRONG_ID, FAULT_OVERSIZED};

    if (!payload_shape_parse(&settings->shape, settings->shape_text))
        return settings_reject("shape", settings->shape_text, PAYLOAD_SHAPE_LEGAL);
    if (settings->sparkplug) {
        if (settings->shape != PAYLOAD_CONTRACT && settings->shape != PAYLOAD_SPARKPLUG)
            return settings_reject("shape", settings->shape_text, "sparkplug, with --sparkplug");
        settings->shape = PAYLOAD_SPARKPLUG;
    }
    if (settings->shape == PAYLOAD_CONTRACT)
        return -1;
    for (size_t i = 0; i < sizeof(of_the_contract) / sizeof(of_the_contract[0]); i++) {
        if (settings->faults.shares[of_the_contract[i]] > 0)
            return settings_reject(fault_name(of_the_contract[i]), "",
                                   "only with --shape contract");
    }
    if (settings->shape == PAYLOAD_TEXT && settings->truth_path)
        return settings_reject(
            "truth", settings->truth_path,
            "not with --shape text, whose readings have the time of their arrival");
    return settings->shape == PAYLOAD_SPARKPLUG ? read_sparkplug(settings) : -1;
}

static int read_credentials(struct settings *settings)
{
    char shown[256];
    char error[320];

    secret_path(shown, sizeof(shown), settings->credentials_file);
    if (!settings->has_own_connections)
        return settings_reject("credentials", shown,
                               "only where each device has a connection of its own");
    if (!credentials_read(&settings->credentials, settings->credentials_file, error, sizeof(error)))
        return settings_reject("credentials", shown, error);
    return -1;
}

static int read_connections(struct settings *settings)
{
    char id[DEVICE_ID_SIZE + 16];

    snprintf(id, sizeof(id), "%.*s%d", DEVICE_ID_SIZE, settings->device_prefix,
             SETTINGS_DEVICES_MAX);
    if (!device_id_is_legal(id, strlen(id)))
        return settings_reject("device-prefix", settings->device_prefix,
                               "what with a number after it makes an id of " DEVICE_ID_LEGAL);
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
    if (settings->connections > SETTINGS_CONNECTIONS_MAX) {
        snprintf(id, sizeof(id), "%" PRIu64, settings->devices);
        return settings_reject(
            "num-devices", id,
            "at most 60000 with a connection each; share some with --connections");
    }
    return settings->credentials_file ? read_credentials(settings) : -1;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static int read_version_and_verify(struct settings *settings)
{
    if (!mqtt_version_parse(&settings->is_v311, settings->mqtt_version))
        return settings_reject("mqtt-version", settings->mqtt_version, MQTT_VERSION_LEGAL);
    if (!settings->verify_url)
        return -1;
    pg_password_set_file(settings->database_password_file);
    if (!settings->truth_path)
        return settings_reject_url("verify", settings->verify_url, "only with --truth FILE");
    if (pg_url_flaw(settings->verify_url))
        return settings_reject_url("verify", settings->verify_url,
                                   pg_url_flaw(settings->verify_url));
    return -1;
}

static int parse_options(int argc, char **argv)
{
    struct buffer epilogue = {0};
    int status;

    buffer_put_text(&epilogue, "Malformed messages: ");
    malformed_list(&epilogue);
    buffer_put_text(&epilogue, ".");
    program.epilogue = buffer_text(&epilogue);
    status = options_parse(&program, settings_table, argc, argv);
    program.epilogue = NULL;
    buffer_release(&epilogue);
    return status;
}

int settings_read(struct settings *settings, int argc, char **argv)
{
    static int (*const steps[])(struct settings *) = {
        read_version_and_verify, read_signals, read_pacing, read_faults, read_shape, read_replay,
        read_connections};
    int status;

    settings_given = (struct settings){0};
    status = parse_options(argc, argv);
    *settings = settings_given;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && status < 0; i++)
        status = steps[i](settings);
    return status;
}

void settings_release(struct settings *settings)
{
    credentials_release(&settings->credentials);
}
