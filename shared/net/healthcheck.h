/* healthcheck.h: --healthcheck: a program asks the one that runs with the same settings whether it is alive.
 *
 * Why      an image has no curl, nor a shell to run it. It asks /healthz, not /readyz: what is restarted on its
 *          word would be restarted because of a database or a broker that is away, and gain nothing by it.
 * Shape    one line on standard output, and the exit status.
 * Errors   whatever is no answer, or takes longer than HEALTHCHECK_S in all, is a bad one.
 */
#ifndef HIGHWATER_HEALTHCHECK_H
#define HIGHWATER_HEALTHCHECK_H

#include <stdbool.h>

enum { HEALTHCHECK_S = 5 };

#define HEALTHCHECK_HELP                                                                           \
    "ask the one that runs with the same settings for /healthz, and\nexit: 0 = it answers; 1 = "   \
    "not "                                                                                         \
    "within 5 s. Not for /readyz: what is\nrestarted on this word gains nothing while the "        \
    "database is away"

struct healthcheck {
    const char *setting; /* what it is called: HTTP_LISTEN */
    const char *listen;  /* as in http_listen.h; "-" = nowhere */
    bool is_tls;
};

/* 0 or 1, the exit status. */
int healthcheck_run(const struct healthcheck *check);

#endif
