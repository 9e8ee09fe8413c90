#include "shared/net/mqtt_farewell.h"

#include "shared/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAREWELL_MS = 1000, LEAST_FD = 3 };

struct farewell {
    uv_poll_t poll;
    uv_timer_t timer;
    int fd;
    unsigned open_handles;
};

static void on_closed(uv_handle_t *handle)
{
    struct farewell *farewell = handle->data;

    if (--farewell->open_handles > 0)
        return;
    close(farewell->fd);
    free(farewell);
}

static void finish(struct farewell *farewell)
{
    if (uv_is_closing((uv_handle_t *)&farewell->timer))
        return;
    uv_close((uv_handle_t *)&farewell->poll, on_closed);
    uv_close((uv_handle_t *)&farewell->timer, on_closed);
}

static void on_timer(uv_timer_t *timer)
{
    finish(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct farewell *farewell = poll->data;
    char unread[4096];
    ssize_t bytes = status < 0 ? 0 : recv(farewell->fd, unread, sizeof(unread), MSG_DONTWAIT);

    (void)events;
    if (bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EINTR))
        finish(farewell);
}

int mqtt_farewell_descriptor(int fd)
{
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, LEAST_FD);
}

void mqtt_farewell_start(uv_loop_t *loop, int fd)
{
    struct farewell *farewell = mem_calloc(1, sizeof(*farewell));

    farewell->fd = fd;
    farewell->open_handles = 2;
    farewell->poll.data = farewell->timer.data = farewell;
    uv_timer_init(loop, &farewell->timer);
    if (uv_poll_init(loop, &farewell->poll, fd) != 0) {
        farewell->open_handles = 1;
        uv_close((uv_handle_t *)&farewell->timer, on_closed);
        return;
    }
    shutdown(fd, SHUT_WR);
    uv_poll_start(&farewell->poll, UV_READABLE, on_readable);
    uv_timer_start(&farewell->timer, on_timer, FAREWELL_MS, 0);
}
