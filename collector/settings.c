#include "collector/settings.h"

#include "collector/mqtt_identity.h"
#include "collector/settings_table.h"
#include "collector/source.h"
#include "collector/store.h"
#include "shared/base/duration.h"
#include "shared/base/timestamp.h"
#include "shared/model/mqtt_version.h"

#include <stdio.h>
#include <string.h>

static const struct program program = {
    .name = "collector",
    .summary =
        "Subscribes to device readings, stores each exactly once in PostgreSQL, and publishes "
        "which\ndevices had the highest values.",
    .brief = "stores what devices publish over MQTT, exactly once",
    .signals = "SIGTERM and SIGINT drain: what was read is committed and acknowledged, then it "
               "ends with status 0. A second signal ends it at once; the broker keeps what was "
               "not acknowledged. SIGHUP reads certificates again, and Redis's password.",
    .exit_status = {"when all is done",
                    "when it is not: --migrate or --rejected failed, the end came before "
                    "everything was committed",
                    "for a wrong setting"}};

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

int settings_reject_url(const char *name, const char *url, const char *legal)
{
    return options_reject_url(&program, name, url, legal);
}

/* What is read from texts: each step returns -1, or the exit status. */

/* What is tried takes the place of what is set. */
static int read_mappings(struct settings *s)
{
    const char *name = s->try_mapping ? "try-mapping" : "mappings";
    const char *file = s->try_mapping ? s->try_mapping : s->mappings_file;
    char error[MAPPING_ERROR_SIZE];

    if (!*file || mapping_load(&s->mappings, file, error))
        return -1;
    return options_fail(&program, "--%s %s: %s", name, file, error);
}

/* Those that MAPPINGS names come first, then those of FEATURES. */
static int read_features(struct settings *s)
{
    struct features more = {0};
    char error[MAPPING_ERROR_SIZE];
    const char *text =
        *s->features_text || s->mappings.feature_count > 0 ? s->features_text : FEATURES_DEFAULT;

    if (*text && !features_parse(&more, text, error, sizeof(error)))
        return options_reject(&program, "features", text, error);
    if (!mappings_features(&s->mappings, &more, &s->features, error))
        return options_reject(&program, "features", text, error);
    mappings_bind(&s->mappings, &s->features);
    return -1;
}

static int read_topics(struct settings *s)
{
    const char *list = *s->subscribe || s->mappings.count > 0 ? s->subscribe : SUBSCRIBE_DEFAULT;
    const char *fault = subscriptions_add_contract(&s->subscriptions, list);
    bool keeps_abouts = strncmp(s->store, "kafka://", 8) != 0; /* as a database does */

    if (fault)
        return options_reject(&program, "subscribe", list, fault);
    if (!*s->source && keeps_abouts)
        subscriptions_add_abouts(&s->subscriptions);
    fault = mappings_subscribe(&s->mappings, keeps_abouts, &s->subscriptions);
    return fault ? options_reject(&program, "mappings", s->mappings_file, fault) : -1;
}

static int read_lists(struct settings *s)
{
    char error[256];

    if (!intervals_parse(&s->intervals, s->intervals_text, error, sizeof(error)))
        return options_reject(&program, "intervals", s->intervals_text, error);
    if (!threshold_list_parse(&s->thresholds, s->thresholds_text, &s->features, error,
                              sizeof(error)))
        return options_reject(&program, "thresholds", s->thresholds_text, error);
    return -1;
}

static int read_rules(struct settings *s)
{
    s->rules = (struct reading_rules){.features = &s->features,
                                      .future_tolerance_us = s->future_tolerance_us};
    if (!reading_rules_set_earliest(&s->rules, s->earliest_text))
        return options_reject(&program, "earliest", s->earliest_text,
                              "a date such as 2020-01-01, RFC 3339, or an age such as 30d");
    return -1;
}

/* What listens to the broker only, or asks nobody, needs no store. */
static int read_store(struct settings *s)
{
    char error[STORE_ERROR_SIZE];
    const char *url = settings_store_url(s);
    const char *flaw = store_url_flaw(url);

    if (*s->store && strncmp(s->store, "kafka://", 8) != 0 && strncmp(s->store, "postgres", 8) != 0)
        flaw = "kafka://host[:port][,host[:port]...]/topic, or postgresql://...";
    if (flaw)
        return options_reject_url(&program, *s->store ? "store" : "database-url", url, flaw);
    if (strncmp(s->store, "postgres", 8) == 0)
        s->database_url = s->store; /* the same in other words */
    if (s->thresholds.count > 0 && strncmp(s->store, "kafka://", 8) == 0)
        return options_fail(&program,
                            "--thresholds needs a database, which says after a start what "
                            "devices sent last; --store is a log");
    if (store_check(s, error))
        return -1;
    return options_fail(&program, "%s", error);
}

static int read_database(struct settings *s)
{
    char legal[256];
    char retention[DURATION_TEXT_SIZE];
    char pack_after[DURATION_TEXT_SIZE];
    char delay[DURATION_TEXT_SIZE];

    if (strcmp(s->partition, "day") != 0 && strcmp(s->partition, "week") != 0 &&
        strcmp(s->partition, "month") != 0)
        return options_reject(&program, "partition", s->partition, "day, week or month");
    if (!is_kept_long_enough(s, legal, sizeof(legal)))
        return options_reject(&program, "retention", duration_format(retention, s->retention_us),
                              legal);
    if (s->pack_after_us > 0 && s->pack_after_us < s->rollup_delay_us) {
        snprintf(legal, sizeof(legal),
                 "0, or as long as ROLLUP_DELAY, %s, or longer: what is packed has been rolled up",
                 duration_format(delay, s->rollup_delay_us));
        return options_reject(&program, "pack-after", duration_format(pack_after, s->pack_after_us),
                              legal);
    }
    return -1;
}

static int read_source(struct settings *s)
{
    char error[SOURCE_ERROR_SIZE];
    const char *flaw = *s->source ? source_url_flaw(s->source) : NULL;

    if (*s->source && !flaw && !store_url_has_positions(settings_store_url(s)))
        flaw = "a log cannot be read into a log (STORE), only into a database, which keeps how far "
               "it was read";
    if (flaw)
        return options_reject_url(&program, "source", s->source, flaw);
    if (source_check(s, error))
        return -1;
    return options_fail(&program, "%s", error);
}

static int read_mqtt(struct settings *s)
{
    if (*s->sparkplug_host && !mqtt_identity_is_legal(s->sparkplug_host))
        return options_reject(&program, "sparkplug-host", s->sparkplug_host, MQTT_IDENTITY_LEGAL);
    if (!mqtt_identity_is_legal(s->collector_id))
        return options_reject(&program, "collector-id", s->collector_id, MQTT_IDENTITY_LEGAL);
    if (!mqtt_version_parse(&s->is_v311, s->mqtt_version))
        return options_reject(&program, "mqtt-version", s->mqtt_version, MQTT_VERSION_LEGAL);
    if (*s->client_id && !mqtt_identity_is_legal(s->client_id))
        return options_reject(&program, "mqtt-client-id", s->client_id, MQTT_IDENTITY_LEGAL);
    return -1;
}

static bool is_topic(const char *text)
{
    return *text && !strpbrk(text, "+#");
}

/* A mapping that is tried needs no server. */
static int read_trial(struct settings *s)
{
    s->arrival_us = timestamp_now();
    if (!s->try_mapping && (s->topic || s->topics || s->arrival_text))
        return options_fail(&program, "--topic, --topics and --arrival need --try-mapping");
    if (s->try_mapping && !s->topic == !s->topics)
        return options_fail(&program, "--try-mapping needs either --topic or --topics");
    if (s->topic && !is_topic(s->topic))
        return options_reject(&program, "topic", s->topic,
                              "the topic of a message, without + and #");
    if (s->arrival_text && !timestamp_parse(&s->arrival_us, s->arrival_text))
        return options_reject(&program, "arrival", s->arrival_text,
                              "RFC 3339 such as 2026-11-23T12:00:00Z");
    return -1;
}

static int read_actions(struct settings *s)
{
    if (s->forget && !mqtt_identity_is_legal(s->forget))
        return options_reject(&program, "forget", s->forget, MQTT_IDENTITY_LEGAL);
    if (!s->rejected && (s->export_file || s->resubmit || s->reason))
        return options_fail(&program, "--export, --resubmit and --reason need --rejected");
    if (!s->suggest_mapping && (s->filter_text || s->for_us))
        return options_fail(&program, "--filter and --for need --suggest-mapping");
    if (s->filter_text && !*s->filter_text)
        return options_reject(&program, "filter", s->filter_text, "a topic filter");
    return read_trial(s);
}

int settings_read(struct settings *settings, int argc, char **argv)
{
    static int (*const steps[])(struct settings *) = {
        read_mappings, read_features, read_topics, read_lists, read_rules,
        read_store,    read_database, read_source, read_mqtt,  read_actions};
    int status;

    settings_given = (struct settings){0};
    status = options_parse(&program, settings_table, argc, argv);
    *settings = settings_given;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && status < 0; i++)
        status = steps[i](settings);
    return status;
}

void settings_release(struct settings *settings)
{
    subscriptions_release(&settings->subscriptions);
    mappings_release(&settings->mappings);
}
