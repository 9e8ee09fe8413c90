/* settings.h: the settings of httpapi, from flags and the environment.
 *
 * Errors   settings_parse() prints one line that names the setting, its value and what is legal.
 * Owner    texts point into the environment and the arguments.
 */
#ifndef HIGHWATER_HTTPAPI_SETTINGS_H
#define HIGHWATER_HTTPAPI_SETTINGS_H

#include "shared/base/options.h"
#include "shared/model/features.h"

#include <stdbool.h>
#include <stdint.h>

struct settings {
    const char *database_url;
    const char *database_password_file;
    const char *mqtt_url;
    const char *listen;
    const char *hosts;
    const char *features;
    const char *intervals;
    uint64_t top_devices;
    uint64_t database_connections;
    uint64_t database_queue;
    int64_t statement_timeout_us;
    uint64_t max_connections;
    uint64_t max_connections_per_address;
    uint64_t max_event_streams;
    uint64_t max_csv_streams;
    int64_t header_timeout_us;
    int64_t idle_timeout_us;
    int64_t stall_timeout_us;
    const char *cors_origin;
    const char *token_file;
    const char *tls_cert;
    const char *tls_key;
    bool access_log;
    bool core_dumps;
    bool check;
    bool healthcheck;
    const char *mqtt_ca;
    const char *mqtt_cert;
    const char *mqtt_key;
    const char *mqtt_password_file;
    const char *mqtt_version;
    bool is_v311;
    struct features features_parsed; /* the default ones when `features` is empty */
    struct intervals intervals_parsed;
};

extern const struct program program;

/* -1, or the status to exit with. */
int settings_parse(struct settings *settings, int argc, char **argv);

/* Lowers the cap on connections to what the limit of open files allows, after raising that. */
void settings_fit_descriptors(struct settings *settings);

#endif
