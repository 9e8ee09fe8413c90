/* http_listen.h: sockets that listen, out of one setting.
 *
 * Shape    5000               127.0.0.1: a port alone is loopback
 *          127.0.0.1:5000     this address; a name: every address it has (localhost: both families)
 *          [::1]:5000         IPv6, in brackets
 *          :5000  *:5000      every address of this machine, of both families
 *          [::]:5000          the same; 0.0.0.0:5000: every one of IPv4
 *          Port 0 is any that is free, the same for all.
 * Errors   false with a sentence.
 * Owner    the caller closes the sockets.
 */
#ifndef HIGHWATER_HTTP_LISTEN_H
#define HIGHWATER_HTTP_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_LISTEN_MAX = 8, HTTP_LISTEN_HOST_SIZE = 256 };

#define HTTP_LISTEN_HELP                                                                           \
    "where to listen: PORT (loopback), HOST:PORT, [::1]:PORT, or :PORT for every address"

struct http_sockets {
    size_t count;
    int fds[HTTP_LISTEN_MAX];
    bool is_loopback; /* all of them */
};

/* Cuts the setting up: `host` (HTTP_LISTEN_HOST_SIZE bytes) is "" for every address. */
bool http_listen_split(const char *setting, char *host, unsigned *port);

bool http_listen(struct http_sockets *out, const char *setting, char *error, size_t error_bytes);

#endif
