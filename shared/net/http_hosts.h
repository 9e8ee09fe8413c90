/* http_hosts.h: which names a server answers to, against pages that make a browser believe that this
 * server is theirs (DNS rebinding: the browser sends the page's own host name, which is in Host).
 *
 * Shape    a list of names, each with or without a port; the names of loopback are always legal.
 * Errors   http_hosts_parse() is false with a sentence.
 * Owner    http_hosts_release() frees the copy of the list.
 * Source   RFC 9110 sections 4.2.3 and 7.4; RFC 3986 section 3.2.2.
 */
#ifndef HIGHWATER_HTTP_HOSTS_H
#define HIGHWATER_HTTP_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_HOSTS_MAX = 64 };

struct http_hosts {
    bool takes_any;
    size_t count;
    char *memory;
    const char *names[HTTP_HOSTS_MAX];
};

/* A list with commas; "*" is any host at all, and so is "" unless only loopback is listened on. */
bool http_hosts_parse(struct http_hosts *out, const char *list, bool is_loopback, char *error,
                      size_t error_bytes);
void http_hosts_release(struct http_hosts *hosts);

/* The value of a Host line. */
bool http_hosts_accept(const struct http_hosts *hosts, const char *host, size_t bytes);

/* localhost, 127.0.0.0/8 and [::1], without a port. */
bool http_hosts_is_loopback(const char *name, size_t bytes);

#endif
