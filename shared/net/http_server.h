/* http_server.h: HTTP/1.1 on the loop, for GET and HEAD, with or without TLS.
 *
 * Shape    every request whose head has arrived comes to on_request(), the flawed ones too, and gets
 *          exactly one answer: at once, or later, from wherever the loop is then. An answer is made
 *          once and may be given to any number of requests. A stream is an answer without a known
 *          end, pulled from a source as the client takes it.
 * Limits   the client has header_deadline_ms from connecting, or idle_deadline_ms from taking its last
 *          answer, to deliver a whole head, however it deals out the bytes; and must take something
 *          of its answer every stall_deadline_ms, which is seen by what its system has acknowledged.
 *          Bodies are refused. Too many connections wait in the kernel's queue, too many of one
 *          address are closed.
 * Units    durations in ms.
 * Errors   server_start() is false with a sentence when the address cannot be listened on. After
 *          that nothing fails: a client that goes away ends its request with on_gone().
 * Owner    a request is the server's and lives until its on_done(). Answers are counted: who makes
 *          or keeps one releases it.
 * Source   RFC 9110, 9112.
 */
#ifndef HIGHWATER_HTTP_SERVER_H
#define HIGHWATER_HTTP_SERVER_H

#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct gzip;
struct server;
struct server_answer;
struct server_connection;
struct server_request;
struct tls_server;

enum { SERVER_ANSWER_HEADERS_MAX = 16, SERVER_ADDRESS_SIZE = 64 };

struct server_header {
    const char *name;
    const char *value;
};

struct server_limits {
    uint64_t connections;
    uint64_t connections_per_address; /* 0 = any number */
    uint64_t target_bytes;
    uint64_t head_bytes;
    uint64_t header_deadline_ms;
    uint64_t idle_deadline_ms;
    uint64_t stall_deadline_ms;
};

/* Where a stream comes from. */
struct server_source {
    void *user;
    /* Copies at most `room` bytes. 0 = nothing for now, server_wake() will say when; or an end. */
    ssize_t (*read)(void *user, char *out, size_t room);
    void (*on_closed)(void *user); /* the stream is over, whichever side ended it */
};

enum { SERVER_SOURCE_END = -1, SERVER_SOURCE_ABORT = -2 };

struct server_config {
    const char *listen;        /* http_listen.h */
    const char *hosts;         /* http_hosts.h */
    const char *hosts_setting; /* what that list is called, for who is refused */
    struct tls_server
        *tls; /* tls_server.h; NULL = none. The caller's, for as long as the server is */
    struct server_limits limits;
    void *user;
    void (*on_request)(void *user, struct server_request *request);
    void (*on_done)(void *user, struct server_request *request); /* answered, or gone */
    /* A client with whom TLS could not be agreed on; NULL = nobody is told. */
    void (*on_tls_failed)(void *user, const char *address, const char *reason);
};

struct server_request {
    const char *method; /* of a flawed request, what may be it, or "" */
    const char *target; /* as it came: path and query, not decoded */
    int flaw;           /* 0, or the status that says what is wrong; the connection ends then */
    const char *flaw_text;
    uint64_t began_ns;   /* the monotonic clock when its head was there */
    int status;          /* of the answer; 0 = none was given */
    uint64_t sent_bytes; /* of the answer's body, as far as it was handed to the kernel */
    bool was_complete;   /* the whole answer left */
    const void *route;   /* the caller's */
    void *user;          /* the caller's, for an answer that comes later */
    void (*on_gone)(struct server_request *request); /* the client left before its answer */

    struct server_connection *connection; /* from here on the server's own */
    struct server_answer *answer;
    struct server_source source;
    struct gzip *gzip; /* of a stream that is compressed */
    bool is_stream;
    bool is_live;   /* whatever the source gives is to arrive at once */
    bool has_ended; /* the stream's source */
};

bool server_start(struct server **out, uv_loop_t *loop, const struct server_config *config,
                  char *error, size_t error_bytes);

/* No new connections; running answers are finished, streams end with what their source has, and
 * clients that are not done in `grace_ms` are cut off. Then on_stopped, and the server is freed. */
void server_stop(struct server *server, uint64_t grace_ms, void (*on_stopped)(void *user));

/* The addresses listened on, "http://127.0.0.1:5000 and http://[::1]:5000". */
const char *server_address(const struct server *server);
bool server_is_loopback(const struct server *server); /* and nothing else is listened on */
size_t server_connection_count(const struct server *server);
uint64_t server_accepted_count(const struct server *server);
uint64_t server_cut_count(const struct server *server); /* connections past a deadline */
uint64_t server_tls_failure_count(const struct server *server);

/* The value of a header, NULL when the request has none. */
const char *server_request_header(const struct server_request *request, const char *name);

/* How often it is there. */
size_t server_request_header_count(const struct server_request *request, const char *name);

/* The client's address without its port, into SERVER_ADDRESS_SIZE bytes. */
void server_request_address(const struct server_request *request, char *out);

/* "Not Found"; "Error" for a status that is none of ours. */
const char *http_phrase(int status);

enum {
    SERVER_ANSWER_ETAG = 1, /* a request that names the same content gets 304 */
    SERVER_ANSWER_GZIP = 2  /* compressed where it is worth it and the client takes it */
};

/* An answer with the body's memory, which it takes; `body` is empty afterwards. */
struct server_answer *server_answer_new(int status, const struct server_header *headers,
                                        size_t header_count, struct buffer *body, unsigned flags);

/* The same over bytes that live as long as the program. */
struct server_answer *server_answer_static(int status, const struct server_header *headers,
                                           size_t header_count, const void *body, size_t bytes,
                                           unsigned flags);
struct server_answer *server_answer_keep(struct server_answer *answer);
void server_answer_release(struct server_answer *answer); /* NULL is accepted */

/* Gives the request its answer; the caller keeps its own hold on it. */
void server_respond(struct server_request *request, struct server_answer *answer);

enum server_pace {
    SERVER_STREAM_WHOLE, /* it is for whoever has all of it: the compressor may wait for more */
    SERVER_STREAM_LIVE   /* what the source gives is for now */
};

/* Starts a stream, gzip for who takes that. For HEAD the source is closed at once. */
void server_respond_stream(struct server_request *request, int status,
                           const struct server_header *headers, size_t header_count,
                           const struct server_source *source, enum server_pace pace);

/* The source has something again. */
void server_wake(struct server_request *request);

#endif
