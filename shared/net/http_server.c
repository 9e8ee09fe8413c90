/* Here are the sockets that listen, the deadlines and the end; what happens with one client is in
 * http_connection.c.
 *
 * Deadlines are kept by a sweep a few times a second, which looks through all connections (some
 * thousand at most); a timer for each would cost every request. A connection whose answer is awaited
 * is not watched, so that nothing is read from a client that pipelines; whether such a client
 * has hung up, the sweep asks poll() about all those at once. */
#include "shared/net/http_server.h"

#include "shared/base/mem.h"
#include "shared/net/http_connection.h"
#include "shared/net/http_listen.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SWEEP_MS = 250, SWEEP_STOPPING_MS = 50, ACCEPTS_PER_TURN = 64 };

static_assert((int)SERVER_LISTENERS_MAX >= (int)HTTP_LISTEN_MAX, "a socket has no place");

static void on_sweep(uv_timer_t *timer);

/* ---- going on with a connection ------------------------------------------------------------- */

/* Those that become ready meanwhile have their turn in the next one. */
static void on_again(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct server_connection *c;

    server->running = server->ready;
    server->ready = NULL;
    while ((c = server->running) != NULL) {
        server->running = c->next_ready;
        c->is_ready = false;
        connection_run(c);
    }
}

void server_run_soon(struct server_connection *connection)
{
    struct server *server = connection->server;

    if (connection->is_ready)
        return;
    connection->is_ready = true;
    connection->next_ready = server->ready;
    server->ready = connection;
    uv_timer_start(&server->again, on_again, 0, 0);
}

static void unlink_from(struct server_connection **list, const struct server_connection *connection)
{
    while (*list && *list != connection)
        list = &(*list)->next_ready;
    if (*list)
        *list = connection->next_ready;
}

/* ---- accepting ------------------------------------------------------------------------------ */

static void accept_from_now(struct server *server, bool is_accepting)
{
    server->is_accepting = is_accepting;
    for (size_t i = 0; i < server->listener_count; i++)
        fd_watch_want(server->listeners[i], is_accepting ? UV_READABLE : 0);
}

static bool is_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

static bool has_room_for(const struct server *server, const struct sockaddr_storage *address)
{
    uint64_t most = server->config.limits.connections_per_address;
    uint64_t count = 0;

    for (const struct server_connection *c = server->first; most > 0 && c; c = c->next)
        count += is_same_address(&c->address, address);
    return most == 0 || count < most;
}

static void accept_client(struct server *server, int fd, const struct sockaddr_storage *address)
{
    struct server_connection *c;
    int one = 1;

    server->accepted++;
    if (!has_room_for(server, address)) {
        close(fd);
        return;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c = connection_new(server, fd, address);
    c->next = server->first;
    if (server->first)
        server->first->previous = c;
    server->first = c;
    server->connection_count++;
    if (!uv_is_active((uv_handle_t *)&server->sweep))
        uv_timer_start(&server->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    connection_run(c);
}

/* Without a descriptor for it a connection waits in the kernel, until one is given back or the sweep
 * tries again. */
static void accept_some(struct server *server, int listener)
{
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage address = {0};
        socklen_t bytes = sizeof(address);
        int fd;

        if (server->connection_count >= server->config.limits.connections) {
            accept_from_now(server, false);
            return;
        }
        fd = accept(listener, (struct sockaddr *)&address, &bytes);
        if (fd >= 0) {
            accept_client(server, fd, &address);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno != EAGAIN) {
                accept_from_now(server, false);
                uv_timer_start(&server->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
            }
            return;
        }
    }
}

static void on_listener(void *user, int events)
{
    struct server *server = user;

    (void)events;
    for (size_t i = 0; i < server->listener_count && server->is_accepting; i++)
        accept_some(server, server->listener_fds[i]);
}

void server_forget(struct server *server, struct server_connection *connection)
{
    if (connection->is_ready) {
        unlink_from(&server->ready, connection);
        unlink_from(&server->running, connection);
    }
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->first = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    if (server->swept == connection)
        server->swept = connection->next;
    server->connection_count--;
    if (!server->is_accepting && !server->is_stopping)
        accept_from_now(server, true);
}

/* ---- the sweep ------------------------------------------------------------------------------ */

/* Hung-up clients among those that wait for an answer or for news. A stream is also over when the
 * client closed its half: there is nothing it could still say. */
static void find_hung_up(struct server *server)
{
    struct pollfd *polled = mem_calloc(server->connection_count + 1, sizeof(*polled));
    struct server_connection **owners = mem_calloc(server->connection_count + 1, sizeof(*owners));
    size_t count = 0;

    for (struct server_connection *c = server->first; c; c = c->next) {
        if (c->state != CONNECTION_WAITING && c->state != CONNECTION_STREAMING)
            continue;
        polled[count] = (struct pollfd){.fd = c->wire.fd,
                                        .events = c->state == CONNECTION_STREAMING ? POLLIN : 0};
        owners[count++] = c;
    }
    if (count > 0 && poll(polled, count, 0) > 0) {
        for (size_t i = 0; i < count; i++) {
            if ((polled[i].revents & (POLLHUP | POLLERR)) ||
                ((polled[i].revents & POLLIN) && wire_has_ended(&owners[i]->wire)))
                connection_free(owners[i]);
        }
    }
    free(polled);
    free(owners);
}

static void sweep_one(struct server *server, struct server_connection *c, uint64_t now_ms)
{
    if (!connection_is_in_time(c, now_ms)) {
        server->cut += c->state != CONNECTION_LINGERING;
        connection_free(c);
    } else if (server->is_stopping &&
               (now_ms >= server->stop_deadline_ms || c->state == CONNECTION_HEAD ||
                c->state == CONNECTION_HANDSHAKE)) {
        connection_free(c);
    } else if (server->is_stopping && c->state == CONNECTION_STREAMING) {
        server_wake(&c->request);
    }
}

static void finish_stop(struct server *server);

static void on_sweep(uv_timer_t *timer)
{
    struct server *server = timer->data;
    uint64_t now_ms = uv_now(server->loop);

    server->swept = server->first;
    while (server->swept) {
        struct server_connection *c = server->swept;

        server->swept = c->next;
        sweep_one(server, c, now_ms);
    }
    find_hung_up(server);
    if (server->is_stopping) {
        if (!server->first)
            finish_stop(server);
        return;
    }
    if (!server->is_accepting)
        accept_from_now(server, server->connection_count < server->config.limits.connections);
    if (!server->first)
        uv_timer_stop(&server->sweep); /* the next connection starts it */
}

/* ---- start and stop ------------------------------------------------------------------------- */

static void note_address(struct server *server, int fd)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof(address);
    char host[SERVER_ADDRESS_SIZE - 10];
    char port[8];
    size_t used = strlen(server->addresses);

    if (getsockname(fd, (struct sockaddr *)&address, &bytes) < 0 ||
        getnameinfo((struct sockaddr *)&address, bytes, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    snprintf(server->addresses + used, sizeof(server->addresses) - used,
             address.ss_family == AF_INET6 ? "%s%s://[%s]:%s" : "%s%s://%s:%s",
             used > 0 ? " and " : "", server->config.tls ? "https" : "http", host, port);
}

static bool open_sockets(struct server *server, char *error, size_t error_bytes)
{
    struct http_sockets sockets;

    if (!http_listen(&sockets, server->config.listen, error, error_bytes))
        return false;
    server->listener_count = sockets.count;
    server->is_loopback = sockets.is_loopback;
    for (size_t i = 0; i < sockets.count; i++) {
        server->listener_fds[i] = sockets.fds[i];
        server->listeners[i] = fd_watch_new(server->loop, sockets.fds[i], on_listener, server);
        note_address(server, sockets.fds[i]);
    }
    if (http_hosts_parse(&server->hosts, server->config.hosts ? server->config.hosts : "",
                         sockets.is_loopback, error, error_bytes))
        return true;
    return false;
}

static void close_sockets(struct server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        fd_watch_free(server->listeners[i]);
        close(server->listener_fds[i]);
    }
    server->listener_count = 0;
}

bool server_start(struct server **out, uv_loop_t *loop, const struct server_config *config,
                  char *error, size_t error_bytes)
{
    struct server *server = mem_calloc(1, sizeof(*server));

    server->config = *config;
    server->loop = loop;
    if (!open_sockets(server, error, error_bytes)) {
        close_sockets(server);
        free(server);
        return false;
    }
    uv_timer_init(loop, &server->again);
    uv_timer_init(loop, &server->sweep);
    server->again.data = server->sweep.data = server;
    server->open_handles = 2;
    accept_from_now(server, true);
    *out = server;
    return true;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct server *server = handle->data;
    void (*on_stopped)(void *user) = server->on_stopped;
    void *user = server->config.user;

    if (--server->open_handles > 0)
        return;
    http_hosts_release(&server->hosts);
    free(server);
    on_stopped(user);
}

static void finish_stop(struct server *server)
{
    uv_close((uv_handle_t *)&server->again, on_handle_closed);
    uv_close((uv_handle_t *)&server->sweep, on_handle_closed);
}

void server_stop(struct server *server, uint64_t grace_ms, void (*on_stopped)(void *user))
{
    if (server->is_stopping)
        return;
    server->is_stopping = true;
    server->on_stopped = on_stopped;
    server->stop_deadline_ms = uv_now(server->loop) + grace_ms;
    close_sockets(server);
    uv_timer_start(&server->sweep, on_sweep, 0, SWEEP_STOPPING_MS);
}

/* ---- looking -------------------------------------------------------------------------------- */

const char *server_date(struct server *server)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = time(NULL);
    struct tm utc;

    if (now != server->date_of && gmtime_r(&now, &utc)) {
        server->date_of = now;
        snprintf(server->date, sizeof(server->date), "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n",
                 days[utc.tm_wday], utc.tm_mday, months[utc.tm_mon], utc.tm_year + 1900,
                 utc.tm_hour, utc.tm_min, utc.tm_sec);
    }
    return server->date;
}

const char *server_address(const struct server *server)
{
    return server->addresses;
}

bool server_is_loopback(const struct server *server)
{
    return server->is_loopback;
}

size_t server_connection_count(const struct server *server)
{
    return server->connection_count;
}

uint64_t server_accepted_count(const struct server *server)
{
    return server->accepted;
}

uint64_t server_cut_count(const struct server *server)
{
    return server->cut;
}

uint64_t server_tls_failure_count(const struct server *server)
{
    return server->tls_failures;
}
