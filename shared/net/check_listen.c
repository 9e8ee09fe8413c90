/* The address is bound for a moment: whether it is one of this machine, and ours to take, nobody else knows. */
#include "shared/net/check_listen.h"

#include "shared/net/http_hosts.h"
#include "shared/net/http_listen.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void check_hosts(struct check *check, const struct check_listen *listen)
{
    struct http_hosts hosts;
    char error[400];

    if (!http_hosts_parse(&hosts, listen->hosts, true, error, sizeof(error)))
        check_say(check, CHECK_ERROR, "listen", "%s: \"%s\": %s", listen->hosts_setting,
                  listen->hosts, error);
    http_hosts_release(&hosts);
}

void check_listen_run(struct check *check, const struct check_listen *listen)
{
    struct http_sockets sockets = {0};
    char error[400];

    check_hosts(check, listen);
    if (strcmp(listen->listen, "-") == 0)
        return;
    if (http_listen(&sockets, listen->listen, error, sizeof(error))) {
        check_say(check, CHECK_OK, "listen", "%s: %s is free", listen->setting, listen->listen);
        for (size_t i = 0; i < sockets.count; i++)
            close(sockets.fds[i]);
    } else if (strstr(error, strerror(EADDRINUSE))) {
        check_say(check, CHECK_WARNING, "listen",
                  "%s: %s is in use: by this program, if it runs, or by another", listen->setting,
                  listen->listen);
    } else {
        check_say(check, CHECK_ERROR, "listen", "%s: %s", listen->setting, error);
    }
}
