/* identity.h: client id, user name, password and last will of a connection.
 *
 * Shape    a device with a connection of its own has its id as client id, and a last will on
 *          <its topic's prefix><id>/status. Without a password of its own it adds the run's suffix:
 *          brokers end the older of two sessions with one client id, and two fleets with the same
 *          ids may run at once. Shared connections have a number.
 *          With --about it says what it is called, retained, on <its topic's prefix><id>/about.
 * Errors   none.
 * Owner    fills a struct publisher_identity, whose texts the receiver frees.
 */
#ifndef HIGHWATER_IDENTITY_H
#define HIGHWATER_IDENTITY_H

#include "devicesim/publishers.h"
#include "devicesim/settings.h"

#include <stddef.h>

enum { IDENTITY_SUFFIX_SIZE = 8 };

/* A suffix for the client ids of one run: time and process id make it another for each. */
void identity_suffix(char *out);

void identity_of(const struct settings *settings, const char *suffix, size_t which,
                 struct publisher_identity *out);

#endif
