/* resolve.h: host names and numeric addresses.
 *
 * Why      a name may have several addresses, and often no program listens on localhost's first; who
 *          retries takes another one each time.
 */
#ifndef HIGHWATER_RESOLVE_H
#define HIGHWATER_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True for 127.0.0.1, ::1 and the like, which need no looking up. */
bool resolve_is_numeric(const char *host);

/* Writes the address that comes `nth`, counted round and round; false when there is none. */
bool resolve_pick(const struct addrinfo *found, uint64_t nth, char *out, size_t out_bytes);

#endif
