/* authorization.h: the token in the value of an Authorization header.
 *
 * Shape    Bearer TOKEN; or Basic with base64(NAME:TOKEN), whatever the name is, for clients that know
 *          nothing else: of a browser's EventSource the browser fills in what its user typed.
 * Errors   what is malformed is no token and no other scheme, either.
 * Owner    plain value; `token` points into the value, or into this.
 * Source   RFC 9110 section 11.6.2, RFC 6750 section 2.1, RFC 7617.
 */
#ifndef HIGHWATER_AUTHORIZATION_H
#define HIGHWATER_AUTHORIZATION_H

#include <stddef.h>

enum { AUTHORIZATION_PAIR_BYTES = 1024 }; /* a longer name and password are none of ours */

enum authorization_kind {
    AUTHORIZATION_NONE,  /* or of a scheme that is not taken here */
    AUTHORIZATION_TOKEN, /* right or wrong */
    AUTHORIZATION_MALFORMED
};

struct authorization {
    enum authorization_kind kind;
    const char *token;
    size_t bytes;
    char pair[AUTHORIZATION_PAIR_BYTES + 4]; /* of Basic */
};

/* `value` may be NULL. */
void authorization_parse(struct authorization *out, const char *value);

#endif
