/* settings.h: what the user asked for, checked.
 *
 * Errors   settings_read() prints one line for a setting that is not legal, and returns the exit
 *          status with which to end.
 * Owner    texts point into argv, the environment or the table of options; settings_release() frees what
 *          follows.
 */
#ifndef HIGHWATER_COLLECTOR_SETTINGS_H
#define HIGHWATER_COLLECTOR_SETTINGS_H

#include "collector/decoders/mapping_file.h"
#include "collector/subscriptions.h"
#include "collector/threshold_list.h"
#include "shared/model/features.h"
#include "shared/model/reading_json.h"

#include <stdbool.h>
#include <stdint.h>

struct mqtt_link_config;

/* What is said to whoever asks for Kafka where the build has none. */
#define KAFKA_ABSENT                                                                               \
    "this is a build without Kafka (KAFKA=no); make KAFKA=yes builds one that has it"

struct settings {
    /* as given */
    const char *database_url;
    const char *database_password_file;
    const char *store;  /* "" = the database */
    const char *source; /* "" = the broker of mqtt_url */
    const char *kafka_config;
    const char *mqtt_url;
    const char *mqtt_ca_file;
    const char *mqtt_cert_file;
    const char *mqtt_key_file;
    const char *mqtt_password_file;
    const char *mqtt_version;
    const char *redis_url;
    const char *redis_ca_file;
    const char *redis_cert_file;
    const char *redis_key_file;
    const char *redis_password_file;
    int64_t redis_expiry_us;
    const char *collector_id;
    const char *client_id;
    const char *subscribe;
    const char *mappings_file;
    const char *sparkplug_host;
    const char *features_text;
    const char *intervals_text;
    const char *thresholds_text;
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
    int64_t pack_after_us; /* 0 = never */
    int64_t rejected_retention_us;
    uint64_t rejected_bytes;
    int64_t rollup_delay_us;
    int64_t future_tolerance_us;
    bool is_v311;
    bool lowest;
    bool migrate_only;
    bool check;
    bool healthcheck;
    bool core_dumps;
    int64_t give_up_after_us;
    bool rejected;
    bool resubmit;
    const char *forget;
    const char *export_file;
    const char *reason;
    bool suggest_mapping;
    const char *filter_text;
    int64_t for_us;
    const char *try_mapping;
    const char *topic;
    const char *arrival_text;
    bool topics;

    /* what follows from it */
    struct features features;
    struct mappings mappings; /* none: count is 0 */
    struct intervals intervals;
    struct threshold_list thresholds;
    struct subscriptions subscriptions;
    struct reading_rules rules;
    int64_t arrival_us; /* of what --try-mapping is given */
};

/* -1 to go on, or the exit status. `settings` must stay where it is: `rules` points into it. */
int settings_read(struct settings *settings, int argc, char **argv);

void settings_release(struct settings *settings);

/* How to reach the broker, for who includes mqtt_link.h (sources/mqtt_settings.c); client id, callbacks
 * and the rest are for the one who connects. */
struct mqtt_link_config settings_mqtt(const struct settings *settings);

/* Where readings go: the URL of a kind of store (store.h). */
static inline const char *settings_store_url(const struct settings *settings)
{
    return *settings->store ? settings->store : settings->database_url;
}

/* Where readings come from: the URL of a kind of source (source.h). */
static inline const char *settings_source_url(const struct settings *settings)
{
    return *settings->source ? settings->source : settings->mqtt_url;
}

/* Says that a URL is not legal; returns the exit status for it. */
int settings_reject_url(const char *name, const char *url, const char *legal);

#endif
