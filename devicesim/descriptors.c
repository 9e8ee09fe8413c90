#include "devicesim/descriptors.h"

#include "shared/base/log.h"

#include <sys/resource.h>

enum { SPARE = 64 }; /* besides one for each connection */

bool descriptors_raise(size_t connections)
{
    struct rlimit limit;
    rlim_t needed = connections + SPARE;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
        return true;
    if (limit.rlim_max < needed) {
        log_error(
            "%zu connections need %llu descriptors, and this system allows %llu (ulimit -Hn): "
            "raise that, or share connections with --connections",
            connections, (unsigned long long)needed, (unsigned long long)limit.rlim_max);
        return false;
    }
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}
