#include "shared/net/signals.h"

#include "shared/base/log.h"
#include "shared/net/mqtt_link.h"

#include <signal.h>

void signals_init(void)
{
    static const int harmless[] = {SIGPIPE, SIGUSR1, SIGUSR2, SIGHUP};

    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        signal(harmless[i], SIG_IGN);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct signals *signals = handle->data;

    (void)number;
    signals->on_hangup(signals->user);
}

void signals_start(struct signals *signals, uv_loop_t *loop, void (*on_hangup)(void *user),
                   void *user)
{
    *signals = (struct signals){.user = user, .on_hangup = on_hangup};
    uv_signal_init(loop, &signals->hangup);
    signals->hangup.data = signals;
    uv_signal_start(&signals->hangup, on_signal, SIGHUP);
}

/* libuv gives a signal that is not waited for its default back, which is to kill. */
void signals_close(struct signals *signals)
{
    sigset_t hangup;

    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hangup, NULL);
    uv_close((uv_handle_t *)&signals->hangup, NULL);
}

void signals_reload(struct mqtt_link *link)
{
    const char *name = link->config.name;
    char error[256];

    if (!link->tls)
        log_info("%s: SIGHUP: without TLS there is nothing to read anew", name);
    else if (mqtt_link_reload(link, error, sizeof(error)))
        log_info("%s: SIGHUP: certificates were read anew; it connects again with them", name);
    else
        log_error("%s: SIGHUP: it goes on with the certificates it has: %s", name, error);
}
