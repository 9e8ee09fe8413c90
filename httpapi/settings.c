#include "httpapi/settings.h"

#include "httpapi/settings_table.h"
#include "shared/base/log.h"
#include "shared/model/mqtt_version.h"
#include "shared/net/http_hosts.h"

#include <string.h>
#include <sys/resource.h>

enum { FDS_BESIDES_CLIENTS = 64 };

const struct program program = {
    .name = "httpapi",
    .summary = "Serves the boards, histograms and history of all readings over HTTP.",
    .brief = "serves what Highwater has stored, over HTTP",
    .epilogue = "Boards come from the collectors over MQTT, or from the database while no "
                "collector is live.",
    .signals = "SIGTERM and SIGINT: finishes running answers, ends streams, exits with 0; a second "
               "one ends it at once. SIGHUP reads certificates and tokens again.",
    .exit_status = {"after SIGTERM or SIGINT", "when it cannot listen, or after a second signal",
                    "for a wrong setting"},
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
    struct http_hosts hosts;
    char error[400];
    int status;

    settings_given = (struct settings){0};
    status = options_parse(&program, settings_table, argc, argv);
    *s = settings_given;
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
