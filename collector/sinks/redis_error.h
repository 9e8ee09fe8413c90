/* redis_error.h: what Redis answers instead of doing it, and what that means for who reads it.
 *
 * Shape    an error begins with a code, "READONLY You can't write against ..."; of a script before Redis 7
 *          it is inside: "ERR Error running script (call to f_...): @user_script:9: -READONLY You ...".
 *          Some have no code but ERR, and are told by their words.
 * Errors   what is not known is REDIS_OTHER, and is quoted.
 * Owner    nothing is kept.
 */
#ifndef HIGHWATER_REDIS_ERROR_H
#define HIGHWATER_REDIS_ERROR_H

#include <stdbool.h>
#include <stddef.h>

enum redis_error {
    REDIS_OTHER,
    REDIS_NOSCRIPT, /* it has forgotten our script */
    REDIS_MOVED,    /* of a cluster, another node has the key */
    REDIS_ASK,      /* the key is on its way to another */
    REDIS_UNFIT,    /* this server, now: look for another, or come again later */
    REDIS_REFUSED   /* not this write, not now */
};

enum redis_error redis_error_of(const char *text);

/* A sentence about it, with "it" for Redis. `may_quote`: no secret was in the command. */
void redis_error_explain(const char *text, bool may_quote, char *out, size_t out_bytes);

/* Where MOVED points to: "MOVED 3999 10.0.0.1:6381". An empty host is the one that said it. */
bool redis_error_target(const char *text, char *host, size_t host_bytes, int *port);

#endif
