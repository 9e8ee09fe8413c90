/* A request is answered in the iteration of the loop in which it is read, where it can be: read, parse,
 * one sendmsg(). Only what must wait costs a change of what the loop watches.
 *
 * Whether a client makes progress is asked of the kernel: how much of what it was given the other side has
 * acknowledged. To look at when the socket takes more again would be too coarse: that takes until a third
 * of its buffer is free, which a slow reader needs minutes for. */
#include "shared/net/http_connection.h"

#include "shared/base/mem.h"
#include "shared/net/accept.h"
#include "shared/net/http_answer.h"
#include "shared/net/http_gzip.h"
#include "shared/net/http_output.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum {
    IN_FIRST_BYTES = 2048,
    STREAM_TURN_BYTES = 256 * 1024, /* then others are served */
    LINGER_MS = 2000
};

/* ---- in ------------------------------------------------------------------------------------- */

static void on_events(void *user, int events)
{
    struct server_connection *c = user;

    c->wire.is_readable |= (events & UV_READABLE) != 0;
    if (events & UV_WRITABLE)
        c->wire.is_blocked = false;
    connection_run(c);
}

/* More bytes into the buffer; the parser refuses a head before the buffer's end is reached. */
static enum step receive(struct server_connection *c)
{
    size_t bytes;
    enum step step;

    if (!c->wire.is_readable)
        return STEP_WAIT;
    if (c->in_bytes == c->in_capacity) {
        c->in_capacity = c->in_capacity ? c->in_capacity * 2 : IN_FIRST_BYTES;
        c->in = mem_realloc(c->in, c->in_capacity + 1); /* a NUL has room */
    }
    step = wire_receive(&c->wire, c->in + c->in_bytes, c->in_capacity - c->in_bytes, &bytes);
    c->in_bytes += bytes;
    return step;
}

/* What was read is text from now on. The bytes after each span are separators that are done with. */
static void terminate(struct server_connection *c)
{
    struct http_head *head = &c->head;

    if (head->method.bytes > 0)
        c->in[head->method.at + head->method.bytes] = '\0';
    if (head->target.bytes > 0)
        c->in[head->target.at + head->target.bytes] = '\0';
    for (size_t i = 0; i < head->count; i++)
        c->in[head->values[i].at + head->values[i].bytes] = '\0';
}

/* Of a request line that cannot be read, what a log should show. */
static void note_raw_line(struct server_connection *c)
{
    char *line = c->in + c->head.line;
    size_t bytes = c->in_bytes - c->head.line;
    char *space;

    line[bytes] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    space = strchr(line, ' ');
    if (!space) {
        c->request.target = line;
        return;
    }
    *space = '\0';
    c->request.method = line;
    c->request.target = space + 1;
    space[1 + strcspn(space + 1, " ")] = '\0';
}

/* The name is the client's, so only what is harmless in a log or a terminal is repeated. */
static void refuse_host(struct server_connection *c)
{
    char name[80];
    size_t bytes = c->head.host.bytes < sizeof(name) ? c->head.host.bytes : sizeof(name) - 1;

    for (size_t i = 0; i < bytes; i++) {
        char character = c->in[c->head.host.at + i];

        name[i] = character > ' ' && character < 0x7f && character != '"' ? character : '?';
    }
    name[bytes] = '\0';
    snprintf(c->flaw_text, sizeof(c->flaw_text),
             "this server does not answer to the host \"%s\"; the names of loopback are legal, and "
             "those that %s lists",
             name, c->server->config.hosts_setting);
    c->request.flaw = 421;
    c->request.flaw_text = c->flaw_text;
}

static void begin_request(struct server_connection *c, enum http_head_verdict verdict)
{
    struct http_head *head = &c->head;
    struct server_request *request = &c->request;

    *request = (struct server_request){.connection = c, .began_ns = uv_hrtime()};
    if (verdict == HTTP_HEAD_FLAWED) {
        request->flaw = head->status;
        request->flaw_text = head->flaw;
    } else if (head->has_host &&
               !http_hosts_accept(&c->server->hosts, c->in + head->host.at, head->host.bytes)) {
        refuse_host(c);
    }
    terminate(c);
    request->method = head->method.bytes > 0 ? c->in + head->method.at : "";
    request->target = head->target.bytes > 0 ? c->in + head->target.at : "";
    if (request->flaw && head->target.bytes == 0)
        note_raw_line(c);
    c->closes = request->flaw || !head->keeps_alive || c->server->is_stopping;
    c->deadline_ms = NO_DEADLINE;
    c->state = CONNECTION_WAITING;
    c->server->config.on_request(c->server->config.user, request);
}

static enum step step_head(struct server_connection *c)
{
    enum http_head_verdict verdict = http_head_parse(&c->head, c->in, c->in_bytes);

    if (verdict == HTTP_HEAD_MORE)
        return receive(c);
    begin_request(c, verdict);
    return STEP_GO_ON;
}

/* ---- TLS ------------------------------------------------------------------------------------ */

static void report_failure(struct server_connection *c, const char *failure)
{
    const struct server_config *config = &c->server->config;
    char address[SERVER_ADDRESS_SIZE];

    c->server->tls_failures++;
    if (!config->on_tls_failed)
        return;
    connection_address(c, address);
    config->on_tls_failed(config->user, address, failure);
}

/* The deadline stays that of the first head. */
static enum step step_handshake(struct server_connection *c)
{
    const char *failure = NULL;
    enum step step = wire_shake_hands(&c->wire, &failure);

    if (step == STEP_GO_ON)
        c->state = CONNECTION_HEAD;
    if (!failure)
        return step;
    report_failure(c, failure);
    c->state = CONNECTION_ENDING;
    return STEP_GO_ON;
}

/* ---- out ------------------------------------------------------------------------------------ */

static void free_stream(struct server_request *request)
{
    if (request->is_stream)
        request->source.on_closed(request->source.user);
    request->is_stream = false;
    gzip_free(request->gzip);
    request->gzip = NULL;
}

static void finish_request(struct server_connection *c, bool was_complete)
{
    struct server_request *request = &c->request;
    struct server_answer *answer = request->answer;

    request->was_complete = was_complete;
    if (request->is_stream)
        free_stream(request);
    else if (request->on_gone)
        request->on_gone(request);
    request->on_gone = NULL;
    c->server->config.on_done(c->server->config.user, request);
    request->answer = NULL;
    server_answer_release(answer);
    c->part = c->part_count = 0;
}

/* The next head begins with what has come after this one. */
static enum step end_answer(struct server_connection *c)
{
    finish_request(c, true);
    c->answered_bytes = wire_sent_bytes(&c->wire);
    if (c->closes || c->server->is_stopping) {
        c->state = CONNECTION_ENDING;
        return STEP_GO_ON;
    }
    c->in_bytes -= c->head.bytes;
    memmove(c->in, c->in + c->head.bytes, c->in_bytes);
    http_head_init(&c->head, c->head.limits);
    c->state = CONNECTION_HEAD;
    connection_set_deadline(c, c->server->config.limits.idle_deadline_ms);
    return STEP_GO_ON;
}

static enum step step_ending(struct server_connection *c)
{
    enum step step = wire_end(&c->wire);

    if (step != STEP_GO_ON)
        return step;
    c->state = CONNECTION_LINGERING;
    connection_set_deadline(c, LINGER_MS);
    return STEP_GO_ON;
}

static enum step step_sending(struct server_connection *c)
{
    enum step step = output_send(c);

    return step == STEP_GO_ON ? end_answer(c) : step;
}

/* ---- streams -------------------------------------------------------------------------------- */

static enum step step_streaming(struct server_connection *c)
{
    size_t pulled = 0;

    for (;;) {
        enum step step = output_send(c);

        if (step != STEP_GO_ON)
            return step;
        if (c->request.has_ended)
            return end_answer(c);
        if (pulled >= STREAM_TURN_BYTES) {
            server_run_soon(c);
            return STEP_WAIT;
        }
        step = output_pull(c, &pulled);
        if (step != STEP_GO_ON)
            return step;
    }
}

/* ---- from the caller ------------------------------------------------------------------------ */

/* The caller may be in the middle of a list of requests, which must not change under it. */
static void go_on(struct server_connection *c)
{
    if (!c->is_running)
        server_run_soon(c);
}

void server_respond(struct server_request *request, struct server_answer *answer)
{
    struct server_connection *c = request->connection;

    assert(!request->answer && c->state == CONNECTION_WAITING);
    request->on_gone = NULL;
    request->answer = server_answer_keep(answer);
    output_begin_answer(c);
    c->state = CONNECTION_SENDING;
    connection_set_deadline(c, c->server->config.limits.stall_deadline_ms);
    go_on(c);
}

void server_respond_stream(struct server_request *request, int status,
                           const struct server_header *headers, size_t header_count,
                           const struct server_source *source, enum server_pace pace)
{
    struct server_connection *c = request->connection;
    bool is_gzip = accept_takes_gzip(server_request_header(request, "Accept-Encoding"));

    assert(!request->answer && c->state == CONNECTION_WAITING);
    request->on_gone = NULL;
    request->status = status;
    request->source = *source;
    request->is_stream = true;
    request->is_live = pace == SERVER_STREAM_LIVE;
    c->closes |= c->head.is_http_1_0; /* where the end is all that marks the end */
    output_begin_stream(c, headers, header_count, is_gzip);
    c->state = CONNECTION_STREAMING;
    if (output_is_head(request)) {
        free_stream(request);
        c->state = CONNECTION_SENDING;
    } else if (is_gzip) {
        request->gzip = request->is_live ? gzip_new_live() : gzip_new(0);
    }
    connection_set_deadline(c, c->server->config.limits.stall_deadline_ms);
    go_on(c);
}

void server_wake(struct server_request *request)
{
    if (request->is_stream)
        server_run_soon(request->connection);
}

const char *server_request_header(const struct server_request *request, const char *name)
{
    const struct server_connection *c = request->connection;
    const struct http_span *value = http_head_find(&c->head, c->in, name);

    return value ? c->in + value->at : NULL;
}

size_t server_request_header_count(const struct server_request *request, const char *name)
{
    const struct server_connection *c = request->connection;

    return http_head_count(&c->head, c->in, name);
}

void connection_address(const struct server_connection *c, char *out)
{
    if (getnameinfo((const struct sockaddr *)&c->address, sizeof(c->address), out,
                    SERVER_ADDRESS_SIZE, NULL, 0, NI_NUMERICHOST) != 0)
        strcpy(out, "-");
}

void server_request_address(const struct server_request *request, char *out)
{
    connection_address(request->connection, out);
}

/* ---- going on ------------------------------------------------------------------------------- */

static enum step step_lingering(struct server_connection *c)
{
    char thrown_away[4096];
    ssize_t bytes;

    do {
        bytes = recv(c->wire.fd, thrown_away, sizeof(thrown_away), MSG_DONTWAIT);
    } while (bytes > 0 || (bytes < 0 && errno == EINTR));
    return bytes < 0 && errno == EAGAIN ? STEP_WAIT : STEP_CLOSE;
}

static enum step step_on(struct server_connection *c)
{
    switch (c->state) {
    case CONNECTION_HANDSHAKE:
        return step_handshake(c);
    case CONNECTION_HEAD:
        return step_head(c);
    case CONNECTION_WAITING:
        return STEP_WAIT;
    case CONNECTION_SENDING:
        return step_sending(c);
    case CONNECTION_STREAMING:
        return step_streaming(c);
    case CONNECTION_ENDING:
        return step_ending(c);
    case CONNECTION_LINGERING:
        return step_lingering(c);
    }
    return STEP_CLOSE;
}

/* While an answer is awaited nothing is read, so a client that pipelines waits. TLS may have to send
 * something before it can read on. */
static void rearm(struct server_connection *c)
{
    int events = 0;

    if (c->wire.is_blocked)
        events = UV_WRITABLE;
    else if (c->state == CONNECTION_HANDSHAKE || c->state == CONNECTION_HEAD ||
             c->state == CONNECTION_LINGERING)
        events = UV_READABLE;
    fd_watch_want(c->watch, events);
}

void connection_run(struct server_connection *c)
{
    enum step step = STEP_GO_ON;

    if (c->is_running)
        return;
    c->is_running = true;
    while (step == STEP_GO_ON)
        step = step_on(c);
    c->is_running = false;
    if (step == STEP_CLOSE)
        connection_free(c);
    else
        rearm(c);
}

bool connection_is_in_time(struct server_connection *c, uint64_t now_ms)
{
    const struct server_limits *limits = &c->server->config.limits;
    bool is_answering = c->state == CONNECTION_SENDING || c->state == CONNECTION_STREAMING ||
                        c->state == CONNECTION_ENDING;
    uint64_t sent = wire_sent_bytes(&c->wire);
    int queued = 0;
    uint64_t taken;

    if (c->taken_bytes < sent || c->state == CONNECTION_STREAMING) {
        if (ioctl(c->wire.fd, SIOCOUTQ, &queued) < 0 || queued < 0)
            queued = 0;
        taken = sent - (uint64_t)queued;
        if (is_answering && (taken > c->taken_bytes || (queued == 0 && !c->wire.is_blocked)))
            connection_set_deadline(c, limits->stall_deadline_ms);
        else if (c->state == CONNECTION_HEAD && taken > c->taken_bytes && c->in_bytes == 0 &&
                 c->taken_bytes < c->answered_bytes)
            connection_set_deadline(c, limits->idle_deadline_ms);
        c->taken_bytes = taken;
    }
    return now_ms < c->deadline_ms;
}

struct server_connection *connection_new(struct server *server, int fd,
                                         const struct sockaddr_storage *address)
{
    struct server_connection *c = mem_calloc(1, sizeof(*c));
    const struct http_limits limits = {.target_bytes = server->config.limits.target_bytes,
                                       .head_bytes = server->config.limits.head_bytes,
                                       .is_tls = server->config.tls != NULL};

    c->server = server;
    wire_init(&c->wire, fd, server->config.tls);
    c->state = server->config.tls ? CONNECTION_HANDSHAKE : CONNECTION_HEAD;
    c->address = *address;
    c->watch = fd_watch_new(server->loop, fd, on_events, c);
    http_head_init(&c->head, limits);
    connection_set_deadline(c, server->config.limits.header_deadline_ms);
    return c;
}

void connection_free(struct server_connection *c)
{
    bool is_idle = c->state == CONNECTION_HEAD;

    if (c->state == CONNECTION_WAITING || c->state == CONNECTION_SENDING ||
        c->state == CONNECTION_STREAMING)
        finish_request(c, false);
    server_forget(c->server, c);
    fd_watch_free(c->watch);
    wire_close(&c->wire, is_idle);
    buffer_release(&c->lines);
    buffer_release(&c->chunk);
    free(c->in);
    free(c);
}
