/* http_connection.h: one client of a server: its heads in, its answers out, one after the other.
 *
 * Shape    a state, and one function that goes on from it as far as it can without waiting:
 *          HEAD -> WAITING -> SENDING or STREAMING -> HEAD, or ENDING -> LINGERING, where what still
 *          comes is thrown away until the client has seen its answer (else the kernel would take that
 *          back). With TLS, HANDSHAKE comes first, and ENDING may have to wait.
 * Owner    the server (http_server.c), which unlinks it when it is freed.
 */
#ifndef HIGHWATER_HTTP_CONNECTION_H
#define HIGHWATER_HTTP_CONNECTION_H

#include "shared/net/fd_watch.h"
#include "shared/net/http_head.h"
#include "shared/net/http_hosts.h"
#include "shared/net/http_server.h"
#include "shared/net/http_wire.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

enum { SERVER_LISTENERS_MAX = 8, SERVER_DATE_SIZE = 96, SERVER_ADDRESSES_SIZE = 256 };

#define NO_DEADLINE UINT64_MAX

enum connection_state {
    CONNECTION_HANDSHAKE,
    CONNECTION_HEAD,
    CONNECTION_WAITING, /* for the answer to be given */
    CONNECTION_SENDING,
    CONNECTION_STREAMING,
    CONNECTION_ENDING, /* to say so */
    CONNECTION_LINGERING
};

struct server_connection {
    struct server *server;
    struct server_connection *next;
    struct server_connection *previous;
    struct server_connection *next_ready;
    struct http_wire wire;
    struct fd_watch *watch;
    struct sockaddr_storage address;
    enum connection_state state;
    uint64_t deadline_ms; /* of the loop's clock */
    bool is_running;
    bool is_ready; /* among server->ready or running */
    bool closes;   /* after this answer */

    char *in;
    size_t in_bytes;
    size_t in_capacity;
    struct http_head head;
    struct server_request request; /* while state is not HEAD or LINGERING */
    char flaw_text[256];

    struct iovec parts[3]; /* what the kernel has not taken yet */
    size_t part;
    size_t part_count;
    size_t body_bytes;       /* of them, of the body */
    struct buffer lines;     /* of the answer's head */
    struct buffer chunk;     /* of a stream */
    uint64_t answered_bytes; /* handed to the kernel, ever, when the last answer was sent */
    uint64_t taken_bytes;    /* acknowledged by the client's, as of the last sweep */
};

struct server {
    struct server_config config;
    struct http_hosts hosts;
    uv_loop_t *loop;
    uv_timer_t again;
    uv_timer_t sweep;
    size_t listener_count;
    int listener_fds[SERVER_LISTENERS_MAX];
    struct fd_watch *listeners[SERVER_LISTENERS_MAX];
    bool is_loopback;
    bool is_accepting;
    struct server_connection *first;
    struct server_connection *swept;   /* the sweep's next */
    struct server_connection *ready;   /* to go on in the next iteration of the loop */
    struct server_connection *running; /* the same of this iteration */
    size_t connection_count;
    uint64_t accepted;
    uint64_t cut;
    uint64_t tls_failures;
    char addresses[SERVER_ADDRESSES_SIZE];
    time_t date_of;
    char date[SERVER_DATE_SIZE];
    bool is_stopping;
    uint64_t stop_deadline_ms;
    void (*on_stopped)(void *user);
    unsigned open_handles;
};

struct server_connection *connection_new(struct server *server, int fd,
                                         const struct sockaddr_storage *address);

/* Goes on; it may be freed afterwards. */
void connection_run(struct server_connection *connection);

/* Of the client, without its port, into SERVER_ADDRESS_SIZE bytes. */
void connection_address(const struct server_connection *connection, char *out);

/* Ends it, and the request it is at. */
void connection_free(struct server_connection *connection);

/* What the client has taken since is progress; false when its deadline has passed. */
bool connection_is_in_time(struct server_connection *connection, uint64_t now_ms);

static inline void connection_set_deadline(struct server_connection *connection, uint64_t after_ms)
{
    connection->deadline_ms = uv_now(connection->server->loop) + after_ms;
}

/* Of the server. */
void server_forget(struct server *server, struct server_connection *connection);
void server_run_soon(struct server_connection *connection);
const char *server_date(struct server *server);

#endif
