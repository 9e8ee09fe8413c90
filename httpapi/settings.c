#include "httpapi/settings.h"

#include "httpapi/pool.h"
#include "shared/base/log.h"
#include "shared/model/board.h"
#include "shared/model/mqtt_version.h"
#include "shared/net/http_hosts.h"
#include "shared/net/http_listen.h"
#include "shared/net/mqtt_link.h"

#include <string.h>
#include <sys/resource.h>

enum { FDS_BESIDES_CLIENTS = 64 };

const struct program program = {
    .name = "httpapi",
    .summary = "Serves the boards, histograms and history of all readings over HTTP.",
    .epilogue =
        "Boards come from the collectors over MQTT, or from the database while no collector is "
        "live.\nSIGTERM: finishes running answers, ends streams, exits with 0. SIGHUP reads "
        "certificates anew.\n"
        "Exit status: 0 after SIGTERM or SIGINT; 1 when it cannot listen, or after a second "
        "signal; "
        "2 for a\nwrong setting.",
};

/* Every connection is a descriptor: as many as the system lets us have, and the cap lowered to
 * what there is. */
void settings_fit_descriptors(struct settings *settings)
{
    struct rlimit limit;
    uint64_t wanted = settings->max_connections + FDS_BESIDES_CLIENTS;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > wanted
                             ? (rlim_t)wanted
                             : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < wanted) {
        uint64_t left =
            limit.rlim_cur > FDS_BESIDES_CLIENTS + 8 ? limit.rlim_cur - FDS_BESIDES_CLIENTS : 8;

        log_warning("only %llu of %llu connections: the limit of open files is %llu",
                    (unsigned long long)left, (unsigned long long)settings->max_connections,
                    (unsigned long long)limit.rlim_cur);
        settings->max_connections = left;
    }
}

int settings_parse(struct settings *s, int argc, char **argv)
{
    const struct option options[] = {
        {"database-url", OPTION_URL, &s->database_url, "", 0, 0, "URL",
         "PostgreSQL, postgresql://user@host/database; else the PG* variables", false},
        {"mqtt-url", OPTION_URL, &s->mqtt_url, "mqtt://127.0.0.1:1883", 0, 0, "URL",
         "broker: mqtt://[user:password@]host[:port], mqtts://..., unix:///path", false},
        {"mqtt-ca-file", OPTION_TEXT, &s->mqtt_ca, "", 0, 0, "FILE",
         "certificates that the broker's is checked against; else the system's", false},
        {"mqtt-cert-file", OPTION_TEXT, &s->mqtt_cert, "", 0, 0, "FILE", "our certificate", false},
        {"mqtt-password-file", OPTION_TEXT, &s->mqtt_password_file, NULL, 0, 0, "FILE",
         "the password of the user in MQTT_URL, instead of one in the\nURL; read anew at each "
         "connect",
         false},
        {"mqtt-key-file", OPTION_TEXT, &s->mqtt_key, "", 0, 0, "FILE", "its key", false},
        {"mqtt-version", OPTION_TEXT, &s->mqtt_version, "5", 0, 0, "VERSION", MQTT_VERSION_HELP,
         false},
        {"http-listen", OPTION_TEXT, &s->listen, "127.0.0.1:5000", 0, 0, "HOST:PORT",
         HTTP_LISTEN_HELP, false},
        {"http-hosts", OPTION_TEXT, &s->hosts, "", 0, 0, "NAMES",
         "hosts it answers to beside those of loopback, or *; when empty and not only on "
         "loopback: any",
         false},
        {"features", OPTION_TEXT, &s->features, "", 0, 0, "NAMES",
         "numbers that readings carry; else those that the collectors keep, or the database has",
         false},
        {"intervals", OPTION_TEXT, &s->intervals, "", 0, 0, "NAMES",
         "intervals that boards are kept of; else those of the collectors, or " INTERVALS_DEFAULT,
         false},
        {"num-top-devices", OPTION_COUNT, &s->top_devices, "10", 1, BOARD_ENTRIES_MAX, "N",
         "devices on a board when a request does not say", false},
        {"database-connections", OPTION_COUNT, &s->database_connections, "3", 1,
         POOL_CONNECTIONS_MAX, "N", "connections to the database", false},
        {"database-queue", OPTION_COUNT, &s->database_queue, "200", 0, 100000, "N",
         "questions that may wait for one; more are answered 503", false},
        {"statement-timeout", OPTION_DURATION, &s->statement_timeout_us, "5s", 1e4, 3.6e9,
         "DURATION", "what the database may take for one answer", false},
        {"max-connections", OPTION_COUNT, &s->max_connections, "2000", 1, 1000000, "N",
         "connections of clients; more wait", false},
        {"max-connections-per-address", OPTION_COUNT, &s->max_connections_per_address, "200", 0,
         1000000, "N", "the same, of one address, more are closed; 0 = any, as behind a proxy",
         false},
        {"max-event-streams", OPTION_COUNT, &s->max_event_streams, "1000", 0, 1000000, "N",
         "clients of /events; more are answered 503", false},
        {"max-csv-streams", OPTION_COUNT, &s->max_csv_streams, "16", 0, 100000, "N",
         "exports at a time; more are answered 503", false},
        {"header-timeout", OPTION_DURATION, &s->header_timeout_us, "10s", 1e5, 3.6e9, "DURATION",
         "from connecting to the end of the first request's headers", false},
        {"idle-timeout", OPTION_DURATION, &s->idle_timeout_us, "60s", 1e5, 3.6e9, "DURATION",
         "from an answer to the end of the next request's headers", false},
        {"stall-timeout", OPTION_DURATION, &s->stall_timeout_us, "30s", 1e5, 3.6e9, "DURATION",
         "for which a client may take nothing of its answer", false},
        {"cors-origin", OPTION_TEXT, &s->cors_origin, "", 0, 0, "ORIGIN",
         "which other origin's pages may read the answers, or *; none when empty", false},
        {"access-log", OPTION_SWITCH, &s->access_log, "0", 0, 0, NULL, "a line for each request",
         false},
        {"core-dumps", OPTION_SWITCH, &s->core_dumps, "0", 0, 0, NULL,
         "for debugging: let the kernel write core dumps, which hold\npasswords, and this user "
         "read "
         "the process's memory",
         false},
        {0}};
    struct http_hosts hosts;
    char error[400];
    int status = options_parse(&program, options, argc, argv);

    if (status >= 0)
        return status;
    if (!features_parse(&s->features_parsed, s->features[0] ? s->features : FEATURES_DEFAULT, error,
                        sizeof(error)))
        return options_reject(&program, "FEATURES", s->features, error);
    if (!mqtt_version_parse(&s->is_v311, s->mqtt_version))
        return options_reject(&program, "MQTT_VERSION", s->mqtt_version, MQTT_VERSION_LEGAL);
    if (!intervals_parse(&s->intervals_parsed, s->intervals[0] ? s->intervals : INTERVALS_DEFAULT,
                         error, sizeof(error)))
        return options_reject(&program, "INTERVALS", s->intervals, error);
    if (!http_hosts_parse(&hosts, s->hosts, true, error, sizeof(error)))
        return options_reject(&program, "HTTP_HOSTS", s->hosts, error);
    http_hosts_release(&hosts);
    if (s->cors_origin[strcspn(s->cors_origin, " \t\r\n,\"'")])
        return options_reject(&program, "CORS_ORIGIN", s->cors_origin,
                              "one origin such as https://example.org, or *");
    return -1;
}
