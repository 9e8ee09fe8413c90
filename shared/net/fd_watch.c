#include "shared/net/fd_watch.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct fd_watch {
    uv_poll_t poll;
    int events;
    fd_watch_fn on_events; /* NULL once freed */
    void *user;
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct fd_watch *watch = poll->data;

    if (status < 0)
        watch->events = 0; /* libuv has stopped it: the next fd_watch_want() starts it again */
    if (watch->on_events)
        watch->on_events(watch->user, status < 0 ? UV_READABLE | UV_WRITABLE : events);
}

struct fd_watch *fd_watch_new(uv_loop_t *loop, int fd, fd_watch_fn on_events, void *user)
{
    struct fd_watch *watch = mem_calloc(1, sizeof(*watch));
    int error = uv_poll_init(loop, &watch->poll, fd);

    assert(error == 0);
    (void)error;
    watch->poll.data = watch;
    watch->on_events = on_events;
    watch->user = user;
    return watch;
}

void fd_watch_want(struct fd_watch *watch, int events)
{
    if (events == watch->events)
        return;
    watch->events = events;
    if (events)
        uv_poll_start(&watch->poll, events, on_poll);
    else
        uv_poll_stop(&watch->poll);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void fd_watch_free(struct fd_watch *watch)
{
    if (!watch)
        return;
    watch->on_events = NULL;
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}
