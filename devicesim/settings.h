/* settings.h: what the user asked for, checked.
 *
 * Errors   settings_read() prints one line for a setting that is not legal, and returns the exit
 *          status with which to end.
 * Owner    embedded; settings_release() frees what was read from files.
 */
#ifndef HIGHWATER_DEVICESIM_SETTINGS_H
#define HIGHWATER_DEVICESIM_SETTINGS_H

#include "devicesim/credentials.h"
#include "devicesim/device.h"
#include "devicesim/fault.h"
#include "devicesim/fleet.h"
#include "devicesim/payload_shape.h"
#include "devicesim/signal.h"
#include "shared/model/topic.h"

#include <stdbool.h>
#include <stdint.h>

struct settings {
    /* As given. */
    const char *mqtt_url;
    const char *mqtt_version;
    bool is_v311;
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    const char *mqtt_password_file;
    const char *credentials_file;
    const char *device_prefix;
    const char *topic_text;
    const char *shape_text;
    const char *features_text;
    const char *interval_text;
    const char *rate_text;
    const char *signal_text;
    const char *classes_text;
    const char *start_time_text;
    const char *speed_text;
    const char *shift_text;
    const char *replay_path;
    const char *truth_path;
    const char *verify_url;
    const char *database_password_file;
    bool check;
    const char *seed_text;
    uint64_t devices;
    bool about;
    uint64_t connections; /* after reading: how many there are, never 0 */
    uint64_t inflight;
    uint64_t qos;
    uint64_t count;
    uint64_t keepalive_s;
    uint64_t burst_size;
    uint64_t oversized_bytes;
    int64_t duration_us;
    int64_t ramp_up_us;
    int64_t drain_us;
    int64_t flap_every_us;
    int64_t day_us;
    int64_t verify_wait_us;
    int64_t give_up_after_us;
    bool core_dumps;
    bool with_seq;
    bool sparkplug;
    bool until_stored;
    bool as_json;

    /* What follows from it. */
    bool has_own_connections; /* one for each device */
    struct topic_filter topic;
    enum payload_shape shape;
    struct signal_ranges ranges;
    struct device_rules rules;
    struct fault_rules faults;
    enum fleet_pacing pacing;
    double rate;
    bool has_fixed_clock;
    int64_t fixed_clock_us;
    double speed; /* 0 = as fast as acknowledged */
    bool shift_to_now;
    struct credentials credentials;
};

/* -1 to go on, or the exit status. */
int settings_read(struct settings *settings, int argc, char **argv);
void settings_release(struct settings *settings);

/* Says that a setting is not legal; returns the exit status for it. */
int settings_reject(const char *name, const char *value, const char *legal);
int settings_reject_url(const char *name, const char *url, const char *legal);

#endif
