/* url_authority.h: the part of a URL that says where a server is, and as whom to come there.
 *
 * Shape    [user[:password]@]host[:port]; user and password may be percent-encoded, an IPv6 address
 *          stands in brackets. What has no escape is taken as it is: a password of any characters but
 *          those that end the authority.
 * Errors   url_authority_parse() is false when the text is no such thing.
 * Owner    embedded; zeroed is empty; url_authority_release() frees the texts.
 */
#ifndef HIGHWATER_URL_AUTHORITY_H
#define HIGHWATER_URL_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>

struct url_authority {
    char *host;
    char *username; /* NULL = none */
    char *password;
    int port; /* 0 = none was given */
};

/* Must be released in either case. */
bool url_authority_parse(struct url_authority *url, const char *text, size_t bytes);
void url_authority_release(struct url_authority *url);

#endif
