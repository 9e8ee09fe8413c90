/* redis_url.h: where a Redis is, and as whom to come there.
 *
 * Shape    redis://[[user][:password]@]host[:port][/database], rediss://... (TLS), or
 *          unix://[[user][:password]@]/path[?db=database]; user and password may be percent-encoded, an
 *          IPv6 address stands in brackets.
 * Errors   redis_url_parse() is false when the text is none of these; REDIS_URL_LEGAL says what is.
 * Owner    embedded; zeroed is empty; redis_url_release() frees the texts.
 */
#ifndef HIGHWATER_REDIS_URL_H
#define HIGHWATER_REDIS_URL_H

#include "shared/net/url_authority.h"

#include <stdbool.h>

#define REDIS_URL_LEGAL                                                                            \
    "redis://[[user]:password@]host[:port][/database], rediss://..., or "                          \
    "unix:///path[?db=database]"

enum { REDIS_DATABASE_MAX = 999999 };

struct redis_url {
    struct url_authority authority; /* of a socket, its path is the host and the port is 0 */
    int database;
    bool use_tls;
};

/* Must be released in either case. */
bool redis_url_parse(struct redis_url *url, const char *text);
void redis_url_release(struct redis_url *url);

static inline bool redis_url_is_socket(const struct redis_url *url)
{
    return url->authority.port == 0;
}

#endif
