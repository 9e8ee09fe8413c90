/* service_notify.h: what the service manager that started us is told: systemd, or whoever speaks its protocol.
 *
 * Shape    datagrams of lines NAME=value to the socket that NOTIFY_SOCKET names. READY=1 comes from the
 *          loop's first turn: what is listened on is bound by then, and it does not wait for a database or a
 *          broker, whose absence must not fail the unit. STATUS= follows what /readyz says. WATCHDOG=1 comes
 *          from the loop, twice in WATCHDOG_USEC: a loop that is stuck is silent.
 * Errors   none: what cannot be said now, because the manager is busy or gone, is said with the next line.
 *          Nothing here waits.
 * Owner    embedded; service_notify_close() ends what service_notify_start() began. Without a NOTIFY_SOCKET
 *          nothing is begun.
 * Source   sd_notify(3), sd_watchdog_enabled(3). A few lines of ours: libsystemd would bring its own
 *          libraries along for one sendto().
 */
#ifndef HIGHWATER_SERVICE_NOTIFY_H
#define HIGHWATER_SERVICE_NOTIFY_H

#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

enum { SERVICE_NOTIFY_STATUS_SIZE = 1024 };

struct service_notify_config {
    void *user;
    bool (*is_ready)(void *user,
                     struct buffer *reasons); /* as /readyz: false with a line for each */
};

struct service_notify {
    struct service_notify_config config;
    int fd; /* -1: nobody is to be told */
    struct sockaddr_un address;
    socklen_t address_bytes;
    uint64_t watchdog_ms; /* 0 = none */
    uv_timer_t status_timer;
    uv_timer_t watchdog_timer;
    bool has_timers;
    bool has_turned; /* the loop */
    bool is_stopping;
    bool owes_ready; /* what was not said yet */
    bool owes_stopping;
    bool owes_status;
    bool owes_ping;
    uint64_t grace_ms;
    char status[SERVICE_NOTIFY_STATUS_SIZE];
};

/* After log_init(). Reads the variables, and takes them out of the environment: they are meant for this process alone. */
void service_notify_init(struct service_notify *notify);

void service_notify_start(struct service_notify *notify, uv_loop_t *loop,
                          const struct service_notify_config *config);

/* Settings are being read anew, and have been. */
void service_notify_reloading(struct service_notify *notify);
void service_notify_reloaded(struct service_notify *notify);

/* The end begins, and may take so long: more than the manager would wait by itself, perhaps. */
void service_notify_stopping(struct service_notify *notify, uint64_t grace_ms);

void service_notify_close(struct service_notify *notify);

#endif
