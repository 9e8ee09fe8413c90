#include "collector/sinks/redis_error.h"

#include "shared/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUOTED_SIZE = 200 };

struct known {
    const char *start; /* of the error */
    enum redis_error error;
    bool is_quoted; /* its own words say more */
    const char *meaning;
};

static const struct known all_known[] = {
    {"NOSCRIPT", REDIS_NOSCRIPT, false, "it has forgotten our script, which is given to it again"},
    {"MOVED", REDIS_MOVED, true, "another node of the cluster has this key"},
    {"ASK", REDIS_ASK, true, "the cluster is moving this key to another node"},
    {"TRYAGAIN", REDIS_ASK, false, "the cluster is moving this key to another node"},
    {"READONLY", REDIS_UNFIT, false,
     "it is a replica, which takes no writes; REDIS_URL must name the primary"},
    {"MASTERDOWN", REDIS_UNFIT, false, "it is a replica that has lost its primary"},
    {"LOADING", REDIS_UNFIT, false, "it is loading its data"},
    {"NOAUTH", REDIS_UNFIT, false,
     "it wants a password; REDIS_URL or REDIS_PASSWORD_FILE must have it"},
    {"WRONGPASS", REDIS_UNFIT, false,
     "it does not know this user with this password; REDIS_URL and REDIS_PASSWORD_FILE have them"},
    {"ERR invalid password", REDIS_UNFIT, false,
     "it has another password than REDIS_URL or REDIS_PASSWORD_FILE"},
    {"ERR AUTH <password> called without", REDIS_UNFIT, false,
     "it is given a password and has none itself; take it out of REDIS_URL and "
     "REDIS_PASSWORD_FILE"},
    {"ERR Client sent AUTH, but no", REDIS_UNFIT, false,
     "it is given a password and has none itself; take it out of REDIS_URL and "
     "REDIS_PASSWORD_FILE"},
    {"ERR DB index is out of range", REDIS_UNFIT, false,
     "it has no database of that number; REDIS_URL ends with one"},
    {"ERR SELECT is not allowed in cluster", REDIS_UNFIT, false,
     "a cluster has database 0 only; REDIS_URL ends with another"},
    {"ERR max number of clients", REDIS_UNFIT, false,
     "it has as many clients as it takes (maxclients)"},
    {"DENIED", REDIS_UNFIT, false,
     "it is in protected mode: without a password it takes clients of its own machine only"},
    {"OOM", REDIS_REFUSED, false, "it has no memory left for new boards (maxmemory)"},
    {"MISCONF", REDIS_REFUSED, false,
     "it cannot save to its disk, and takes no writes until it can; its log says why"},
    {"NOREPLICAS", REDIS_REFUSED, false,
     "too few replicas are connected to it (min-replicas-to-write)"},
    {"BUSY", REDIS_REFUSED, false, "another client's script keeps it busy"},
    {"CLUSTERDOWN", REDIS_REFUSED, true, "no node of the cluster has this key now"},
    {"NOPERM", REDIS_REFUSED, true, "its access control list does not allow what boards need"},
    {"ERR The user executing the script can't", REDIS_REFUSED, true,
     "its access control list does not allow what boards need"},
    {"ERR ACL failure in script", REDIS_REFUSED, true,
     "its access control list does not allow what boards need"},
};

/* The error that a script of an older Redis has met. */
static const char *inner(const char *text)
{
    const char *script = strncmp(text, "ERR ", 4) == 0 ? strstr(text, "@user_script") : NULL;
    const char *code = script ? strstr(script, ": -") : NULL;

    return code ? code + 3 : text;
}

static const struct known *find(const char *text)
{
    for (size_t i = 0; i < sizeof(all_known) / sizeof(all_known[0]); i++) {
        size_t bytes = strlen(all_known[i].start);
        bool is_code = !strchr(all_known[i].start, ' ');

        if (strncmp(text, all_known[i].start, bytes) == 0 &&
            (!is_code || text[bytes] == ' ' || !text[bytes]))
            return &all_known[i];
    }
    return NULL;
}

enum redis_error redis_error_of(const char *text)
{
    const struct known *known = find(inner(text));

    return known ? known->error : REDIS_OTHER;
}

void redis_error_explain(const char *text, bool may_quote, char *out, size_t out_bytes)
{
    const struct known *known = find(inner(text));
    char quoted[QUOTED_SIZE];

    log_escaped(quoted, sizeof(quoted), inner(text), strlen(inner(text)));
    if (!may_quote && !known)
        snprintf(out, out_bytes, "it does not take user and password, and says nothing we know");
    else if (!known)
        snprintf(out, out_bytes, "it answers: %s", quoted);
    else if (known->is_quoted)
        snprintf(out, out_bytes, "%s (%s)", known->meaning, quoted);
    else
        snprintf(out, out_bytes, "%s", known->meaning);
}

bool redis_error_target(const char *text, char *host, size_t host_bytes, int *port)
{
    const char *slot = strchr(text, ' ');
    const char *place = slot ? strchr(slot + 1, ' ') : NULL;
    const char *colon = place ? strrchr(place, ':') : NULL; /* an IPv6 address has more */
    long number = colon ? strtol(colon + 1, NULL, 10) : 0;

    if (number < 1 || number > 65535 || (size_t)(colon - place - 1) >= host_bytes)
        return false;
    snprintf(host, host_bytes, "%.*s", (int)(colon - place - 1), place + 1);
    *port = (int)number;
    return strcmp(host, "?") != 0;
}
