#include "devicesim/nap.h"

#include <time.h>

enum {
    LEAST_US = 60, /* the kernel takes that long to wake a process */
    MOST_US = 500,
    PARTS = 8 /* of the time in which a window empties */
};

int64_t nap_us(const struct report *report, double window)
{
    double busy_us = (double)(report->last_us - report->first_us);
    double us;

    if (report->acked == 0 || busy_us <= 0 || (double)report_outstanding(report) < window / 2)
        return 0;
    us = window / ((double)report->acked / busy_us) / PARTS;
    if (us <= LEAST_US)
        return 0;
    return us < MOST_US ? (int64_t)us : MOST_US;
}

void nap(int64_t us)
{
    if (us > 0)
        nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}
