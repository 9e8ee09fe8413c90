/* check_listen.h: --check of where a program would listen. */
#ifndef HIGHWATER_CHECK_LISTEN_H
#define HIGHWATER_CHECK_LISTEN_H

#include "shared/base/check.h"

struct check_listen {
    const char *setting; /* HTTP_LISTEN */
    const char *listen;  /* as in http_listen.h; "-" = nowhere */
    const char *hosts_setting;
    const char *hosts;
};

void check_listen_run(struct check *check, const struct check_listen *listen);

#endif
