/* accept.h: which of the types on offer a client wants.
 *
 * Shape    the value of an Accept header against a list of media types, the preferred one first.
 * Errors   -1 when none will do. A header that cannot be read asks for nothing in particular.
 * Source   RFC 9110 section 12.5.1. Parameters other than q are not compared.
 */
#ifndef HIGHWATER_ACCEPT_H
#define HIGHWATER_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>

/* `accept` may be NULL: the first on offer. Of equal wishes the first on offer wins. */
int accept_choose(const char *accept, const char *const *offered, size_t count);

/* True when an Accept-Encoding header takes gzip. */
bool accept_takes_gzip(const char *accept_encoding);

#endif
