/* http_server.h: HTTP/1.1 on the loop, with libmicrohttpd for sockets and parsing.
 *
 * Shape    every request whose head has arrived comes to on_request(), the flawed ones too, and gets
 *          exactly one answer: at once, or later, from wherever the loop is then. An answer is made
 *          once and may be given to any number of requests. A stream is an answer without a known
 *          end, pulled from a source as the client takes it.
 * Limits   the client has header_deadline_ms from connecting, or idle_deadline_ms from its last
 *          answer, to deliver a whole head, however it deals out the bytes; and must take something
 *          of its answer every stall_deadline_ms. Bodies are refused. Too many connections wait in
 *          the kernel's queue, too many of one address are closed.
 * Units    durations in ms.
 * Errors   server_start() is false with a sentence when the address cannot be listened on. After
 *          that nothing fails: a client that goes away ends its request with on_gone().
 * Owner    a request is the server's and lives until its on_done(). Answers are counted: who makes
 *          or keeps one releases it.
 * Source   RFC 9110, 9112; libmicrohttpd 0.9.75's manual and daemon.c for what may be called when.
 */
#ifndef HIGHWATER_HTTP_SERVER_H
#define HIGHWATER_HTTP_SERVER_H

#include "shared/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct MHD_Connection;
struct server;
struct server_answer;
struct server_connection;
struct server_request;

enum { SERVER_ANSWER_HEADERS_MAX = 16, SERVER_ADDRESS_SIZE = 64 };

/* What is wrong with a request's head; its connection ends with the answer. */
enum server_flaw {
    SERVER_FLAW_NONE,
    SERVER_FLAW_TARGET_TOO_LONG,
    SERVER_FLAW_HEAD_TOO_LARGE,
    SERVER_FLAW_BODY,     /* Content-Length or Transfer-Encoding: nothing here takes a body */
    SERVER_FLAW_MALFORMED /* flaw_text says what */
};

struct server_header {
    const char *name;
    const char *value;
};

struct server_limits {
    uint64_t connections;
    uint64_t connections_per_address; /* 0 = any number */
    uint64_t target_bytes;
    uint64_t head_bytes;
    uint64_t head_lines;
    uint64_t header_deadline_ms;
    uint64_t idle_deadline_ms;
    uint64_t stall_deadline_ms;
};

/* Where a stream comes from. */
struct server_source {
    void *user;
    /* Copies at most `room` bytes. 0 = nothing for now, server_wake() will say when; or an end. */
    ssize_t (*read)(void *user, char *out, size_t room);
    void (*on_closed)(void *user); /* the stream is over, whoever ended it */
};

enum { SERVER_SOURCE_END = -1, SERVER_SOURCE_ABORT = -2 };

struct server_config {
    const char *listen; /* host:port, [address]:port, or port */
    struct server_limits limits;
    void *user;
    void (*on_request)(void *user, struct server_request *request);
    void (*on_done)(void *user, struct server_request *request); /* answered, or gone */
};

struct server_request {
    struct server *server;
    const char *method;
    const char *target; /* as it came: path and query, not decoded */
    enum server_flaw flaw;
    const char *flaw_text;
    uint64_t began_ns;   /* the monotonic clock when its request line was read */
    int status;          /* of the answer; 0 = none was given */
    uint64_t sent_bytes; /* of the answer's body, as far as it was handed to the kernel */
    bool was_complete;   /* the whole answer left */
    const void *route;   /* the caller's */
    void *user;          /* the caller's, for an answer that comes later */
    void (*on_gone)(struct server_request *request); /* the client left before its answer */

    struct server_connection *connection; /* from here on the server's own */
    struct MHD_Connection *handle;
    char *target_memory;
    struct server_answer *answer;
    struct server_source source;
    bool is_inspected;
    bool was_dispatched;
    bool is_suspended;
    bool is_queued;
    bool is_stream;
};

bool server_start(struct server **out, uv_loop_t *loop, const struct server_config *config,
                  char *error, size_t error_bytes);

/* No new connections; running answers are finished, streams end with what their source has, and
 * whoever is not done in `grace_ms` is cut off. Then on_stopped, and the server is freed. */
void server_stop(struct server *server, uint64_t grace_ms, void (*on_stopped)(void *user));

/* The address listened on, "127.0.0.1:5000". */
const char *server_address(const struct server *server);
size_t server_connection_count(const struct server *server);
uint64_t server_accepted_count(const struct server *server);
uint64_t server_cut_count(const struct server *server); /* connections past a deadline */

/* The value of a header, NULL when the request has none. */
const char *server_request_header(const struct server_request *request, const char *name);

/* The client's address without its port, into SERVER_ADDRESS_SIZE bytes. */
void server_request_address(const struct server_request *request, char *out);

/* An answer with the body's memory, which it takes; `body` is empty afterwards. With has_etag a
 * request that names the same content gets 304. */
struct server_answer *server_answer_new(int status, const struct server_header *headers,
                                        size_t header_count, struct buffer *body, bool has_etag);

/* The same over bytes that live as long as the program. */
struct server_answer *server_answer_static(int status, const struct server_header *headers,
                                           size_t header_count, const void *body, size_t bytes,
                                           bool has_etag);
struct server_answer *server_answer_keep(struct server_answer *answer);
void server_answer_release(struct server_answer *answer); /* NULL is accepted */

/* Gives the request its answer; the caller keeps its own hold on it. */
void server_respond(struct server_request *request, struct server_answer *answer);

/* Starts a stream. For HEAD the source is closed at once. */
void server_respond_stream(struct server_request *request, int status,
                           const struct server_header *headers, size_t header_count,
                           const struct server_source *source);

/* The source has something again. */
void server_wake(struct server_request *request);

#endif
