/* credentials.h: a user name and a password for each device, from a file.
 *
 * Shape    one "name:password" a line, as mosquitto_passwd reads it; the name is the device id. A
 *          line without a colon, an empty one and one that starts with # are ignored.
 * Errors   credentials_read() is false; `error` says why.
 * Owner    embedded; zeroed is empty; credentials_release() frees everything.
 */
#ifndef HIGHWATER_CREDENTIALS_H
#define HIGHWATER_CREDENTIALS_H

#include "devicesim/string_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct credentials {
    struct string_table names;
    char **passwords; /* by the number of the name */
    size_t capacity;
};

bool credentials_read(struct credentials *credentials, const char *path, char *error,
                      size_t error_bytes);
void credentials_release(struct credentials *credentials);

/* Enters one line, which it changes; false when the line is ignored. */
bool credentials_add(struct credentials *credentials, char *line);

/* NULL for a device that has none. */
const char *credentials_password(const struct credentials *credentials, const char *name);

#endif
