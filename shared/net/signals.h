/* signals.h: the signals that end nothing.
 *
 * Shape    SIGHUP asks for files to be read again. A broken pipe is the error of a write, and what
 *          SIGUSR1 and SIGUSR2 have no meaning here: they do nothing. SIGTERM and SIGINT are each
 *          program's own.
 * Errors   none.
 * Owner    embedded; signals_close() ends what signals_start() began. From then on SIGHUP waits for
 *          ever: it must not come between the drain and the exit status.
 */
#ifndef HIGHWATER_SIGNALS_H
#define HIGHWATER_SIGNALS_H

#include <uv.h>

struct mqtt_link;

struct signals {
    uv_signal_t hangup;
    void *user;
    void (*on_hangup)(void *user);
};

/* First of all in main(): until there is a loop, SIGHUP does nothing, either. */
void signals_init(void);

void signals_start(struct signals *signals, uv_loop_t *loop, void (*on_hangup)(void *user),
                   void *user);
void signals_close(struct signals *signals);

/* Reads the certificates of a connection again, and says so. */
void signals_reload(struct mqtt_link *link);

#endif
