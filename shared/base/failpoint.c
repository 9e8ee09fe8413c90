#include "shared/base/failpoint.h"

#ifdef HIGHWATER_FAILPOINTS

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

void failpoint_hit(const char *name, long delay_us)
{
    static char wanted[64];
    static long left = -1;
    static int number = SIGKILL;
    const char *setting = getenv("CRASH_AT");
    struct itimerval soon = {.it_value = {.tv_usec = delay_us}};

    if (!setting)
        return;
    if (left < 0 && sscanf(setting, "%63[^:]:%ld:%d", wanted, &left, &number) < 2) {
        fprintf(stderr, "CRASH_AT: \"%s\" is not name:n or name:n:signal\n", setting);
        exit(2);
    }
    if (strcmp(name, wanted) != 0 || left == 0 || --left > 0)
        return;
    fprintf(stderr, "failpoint %s\n", name);
    if (delay_us == 0) {
        raise(number);
        return;
    }
    setitimer(ITIMER_REAL, &soon, NULL); /* SIGALRM ends the process: there is no handler */
}

#else
typedef int failpoint_is_off; /* C has no empty translation unit */
#endif
