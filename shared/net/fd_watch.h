/* fd_watch.h: one descriptor on the loop that a library opened and will close.
 *
 * Why      libmosquitto and libpq close and reopen their sockets as they like, often under the same
 *          number. A uv_poll_t must be stopped before that and must not be used again, so each
 *          socket gets a watch of its own, which outlives it until libuv has let go.
 * Owner    fd_watch_new() allocates; fd_watch_free() stops at once and frees in the close callback;
 *          NULL is accepted. Callbacks never come after fd_watch_free().
 */
#ifndef HIGHWATER_FD_WATCH_H
#define HIGHWATER_FD_WATCH_H

#include <uv.h>

struct fd_watch;

/* `events` are UV_READABLE, UV_WRITABLE; errors on the descriptor are reported as both. */
typedef void (*fd_watch_fn)(void *user, int events);

struct fd_watch *fd_watch_new(uv_loop_t *loop, int fd, fd_watch_fn on_events, void *user);

/* Waits for these events from now on; 0 waits for none. Costs nothing when it is the same. */
void fd_watch_want(struct fd_watch *watch, int events);

void fd_watch_free(struct fd_watch *watch);

#endif
