#include "shared/net/pg_password.h"

#include "shared/base/log.h"
#include "shared/base/secret.h"

#include <stdatomic.h>

static const char *file;
static atomic_bool has_said_open; /* a probe connects in a thread of its own */

void pg_password_set_file(const char *path)
{
    file = path && *path ? path : NULL;
}

bool pg_password_add(struct pg_params *params, char **password, char *reason, size_t reason_bytes)
{
    bool is_open;

    *password = NULL;
    if (!file)
        return true;
    *password = secret_read_file(file, &is_open, reason, reason_bytes);
    if (!*password)
        return false;
    if (is_open && !atomic_exchange(&has_said_open, true))
        log_warning("database: anybody may read password file %s: chmod 600", file);
    pg_params_add(params, "password", *password);
    return true;
}
