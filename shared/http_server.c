/* libmicrohttpd owns the sockets and an epoll set of its own; the loop watches that one descriptor and
 * calls MHD_run() when something is in it. It knows only one deadline, of inactivity, which a client
 * feeds one byte at a time, so the deadlines are kept here: a sweep a few times a second looks
 * through all connections (some thousand at most) and shuts down the socket of whoever is late; the
 * library then finds its end and tidies up.
 *
 * A request without its answer is suspended: its socket leaves the epoll set, so nothing is read
 * from a client that pipelines, but nobody notices either when it hangs up. The sweep asks poll()
 * about all those at once.
 *
 * What the library tolerates beyond RFC 9112 (a space before the colon, folded lines, line feeds
 * alone) only matters to somebody who hides a second request in a first one's body. Nothing here
 * takes a body: the first sign of one ends the connection. */
#include "shared/http_server.h"

#include "shared/fd_watch.h"
#include "shared/log.h"
#include "shared/mem.h"

#include <microhttpd.h>

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SWEEP_MS = 250,
    POOL_BYTES = 32 * 1024,     /* per connection: head, and answer's head or a chunk */
    STREAM_BLOCK_BYTES = 4096,  /* HTTP/1.0 only; chunks are made in the connection's pool */
    SEND_KERNEL_BYTES = 262144, /* what a slow reader may hold in the kernel */
    LISTEN_BACKLOG = 1024,
    ETAG_SIZE = 20
};

#define NO_DEADLINE UINT64_MAX

struct server_connection {
    struct server *server;
    struct server_connection *next;
    struct server_connection *previous;
    struct server_request *request; /* NULL while the next head is awaited */
    int fd;
    uint64_t deadline_ms; /* of the loop's clock */
    bool was_cut;
};

struct server {
    struct server_config config;
    uv_loop_t *loop;
    struct MHD_Daemon *daemon;
    struct fd_watch *watch;
    uv_timer_t again;
    uv_timer_t sweep;
    struct server_connection *first;
    size_t connection_count;
    uint64_t accepted;
    uint64_t cut;
    char address[SERVER_ADDRESS_SIZE];
    bool has_resumed; /* somebody, so the library must run although no socket is ready */
    bool is_stopping;
    uint64_t stop_deadline_ms;
    void (*on_stopped)(void *user);
    unsigned open_handles;
};

struct server_answer {
    unsigned holds;
    int status;
    size_t bytes;
    struct MHD_Response *response;
    struct MHD_Response *not_modified; /* NULL when it has no ETag */
    char etag[ETAG_SIZE];
};

/* ---- answers -------------------------------------------------------------------------------- */

/* Eight bytes at a time, since every change of a board is hashed. Whoever could forge a collision
 * would only fool a cache about the content it was given by us. */
static uint64_t content_hash(const unsigned char *data, size_t bytes)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = bytes * odd + 1;

    while (bytes > 0) {
        uint64_t word = 0;
        size_t taken = bytes < 8 ? bytes : 8;

        memcpy(&word, data, taken);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 29;
        data += taken;
        bytes -= taken;
    }
    hash *= odd;
    return hash ^ (hash >> 32);
}

static void add_headers(struct MHD_Response *response, const struct server_header *headers,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum MHD_Result added =
            MHD_add_response_header(response, headers[i].name, headers[i].value);

        assert(added == MHD_YES); /* it refuses line breaks: no value from outside is put there */
        (void)added;
    }
}

static struct server_answer *new_answer(int status, const struct server_header *headers,
                                        size_t header_count, void *body, size_t bytes,
                                        enum MHD_ResponseMemoryMode mode, bool has_etag)
{
    struct server_answer *answer = mem_calloc(1, sizeof(*answer));

    answer->holds = 1;
    answer->status = status;
    answer->bytes = bytes;
    if (has_etag)
        snprintf(answer->etag, sizeof(answer->etag), "\"%016llx\"",
                 (unsigned long long)content_hash(body, bytes));
    answer->response = MHD_create_response_from_buffer(bytes, body, mode);
    assert(answer->response);
    add_headers(answer->response, headers, header_count);
    if (has_etag) {
        struct server_header etag = {MHD_HTTP_HEADER_ETAG, answer->etag};

        add_headers(answer->response, &etag, 1);
        answer->not_modified =
            MHD_create_response_from_buffer(0, (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT);
        assert(answer->not_modified);
        for (size_t i = 0; i < header_count; i++) {
            if (strcasecmp(headers[i].name, MHD_HTTP_HEADER_CONTENT_TYPE) != 0 &&
                strcasecmp(headers[i].name, MHD_HTTP_HEADER_CONTENT_ENCODING) != 0)
                add_headers(answer->not_modified, &headers[i], 1);
        }
        add_headers(answer->not_modified, &etag, 1);
    }
    return answer;
}

struct server_answer *server_answer_new(int status, const struct server_header *headers,
                                        size_t header_count, struct buffer *body, bool has_etag)
{
    struct server_answer *answer;

    if (body->bytes == 0) {
        buffer_release(body);
        return server_answer_static(status, headers, header_count, "", 0, has_etag);
    }
    answer = new_answer(status, headers, header_count, body->data, body->bytes,
                        MHD_RESPMEM_MUST_FREE, has_etag);
    *body = (struct buffer){0};
    return answer;
}

struct server_answer *server_answer_static(int status, const struct server_header *headers,
                                           size_t header_count, const void *body, size_t bytes,
                                           bool has_etag)
{
    return new_answer(status, headers, header_count, (void *)(uintptr_t)body, bytes,
                      MHD_RESPMEM_PERSISTENT, has_etag);
}

struct server_answer *server_answer_keep(struct server_answer *answer)
{
    answer->holds++;
    return answer;
}

void server_answer_release(struct server_answer *answer)
{
    if (!answer || --answer->holds > 0)
        return;
    MHD_destroy_response(answer->response); /* counts on its own: it lives until it is sent */
    if (answer->not_modified)
        MHD_destroy_response(answer->not_modified);
    free(answer);
}

/* If-None-Match holds a list of quoted tags, each perhaps with W/ before it, or a star. */
static bool matches_etag(const struct server_request *request, const struct server_answer *answer)
{
    const char *tags;

    if (!answer->not_modified || answer->status != MHD_HTTP_OK)
        return false;
    tags = server_request_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH);
    return tags && (strcmp(tags, "*") == 0 || strstr(tags, answer->etag));
}

/* ---- requests ------------------------------------------------------------------------------- */

static void set_deadline(struct server_connection *connection, uint64_t after_ms)
{
    connection->deadline_ms = uv_now(connection->server->loop) + after_ms;
}

static void run(struct server *server);

static void on_sweep(uv_timer_t *timer);

static void on_again(uv_timer_t *timer)
{
    run(timer->data);
}

/* The library looks at resumed connections only when it is run, and does not say so. All that are
 * resumed in one turn of the loop share the next. */
static void resume(struct server_request *request)
{
    if (!request->is_suspended)
        return;
    request->is_suspended = false;
    request->server->has_resumed = true;
    MHD_resume_connection(request->handle);
    uv_timer_start(&request->server->again, on_again, 0, 0);
}

static void cut(struct server_connection *connection)
{
    struct server_request *request = connection->request;

    connection->deadline_ms = NO_DEADLINE;
    connection->was_cut = true;
    shutdown(connection->fd, SHUT_RDWR);
    if (request)
        resume(request);
}

static enum MHD_Result queue_answer(struct server_request *request)
{
    struct server_answer *answer = request->answer;
    bool is_known = matches_etag(request, answer);

    request->is_queued = true;
    request->status = is_known ? MHD_HTTP_NOT_MODIFIED : answer->status;
    request->sent_bytes = is_known || strcmp(request->method, "HEAD") == 0 ? 0 : answer->bytes;
    set_deadline(request->connection, request->server->config.limits.stall_deadline_ms);
    return MHD_queue_response(request->handle, (unsigned)request->status,
                              is_known ? answer->not_modified : answer->response);
}

void server_respond(struct server_request *request, struct server_answer *answer)
{
    assert(!request->answer);
    request->on_gone = NULL;
    request->answer = server_answer_keep(answer);
    resume(request);
}

static ssize_t on_stream_read(void *user, uint64_t position, char *out, size_t room)
{
    struct server_request *request = user;
    struct server_connection *connection = request->connection;
    ssize_t bytes;

    (void)position;
    if (connection->was_cut)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    bytes = request->source.read(request->source.user, out, room);
    if (bytes == SERVER_SOURCE_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (bytes == SERVER_SOURCE_ABORT)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (bytes == 0) {
        connection->deadline_ms = NO_DEADLINE;
        request->is_suspended = true;
        MHD_suspend_connection(request->handle);
        return 0;
    }
    request->sent_bytes += (uint64_t)bytes;
    set_deadline(connection, request->server->config.limits.stall_deadline_ms);
    return bytes;
}

void server_respond_stream(struct server_request *request, int status,
                           const struct server_header *headers, size_t header_count,
                           const struct server_source *source)
{
    struct server_answer *answer = mem_calloc(1, sizeof(*answer));

    assert(!request->answer);
    answer->holds = 1;
    answer->status = status;
    answer->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES,
                                                         on_stream_read, request, NULL);
    assert(answer->response);
    add_headers(answer->response, headers, header_count);
    request->on_gone = NULL;
    request->answer = answer;
    if (strcmp(request->method, "HEAD") == 0) {
        /* The library would end the body that HEAD does not have with a last chunk, which a client
         * would take for the next answer. So: no chunks, and the connection ends here. */
        MHD_set_response_options(answer->response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
        source->on_closed(source->user);
    } else {
        request->is_stream = true;
        request->source = *source;
    }
    resume(request);
}

void server_wake(struct server_request *request)
{
    if (request->is_stream && request->is_queued && request->is_suspended) {
        set_deadline(request->connection, request->server->config.limits.stall_deadline_ms);
        resume(request);
    }
}

const char *server_request_header(const struct server_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->handle, MHD_HEADER_KIND, name);
}

void server_request_address(const struct server_request *request, char *out)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->handle, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    socklen_t bytes = address && address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                : sizeof(struct sockaddr_in);

    if (!address ||
        getnameinfo(address, bytes, out, SERVER_ADDRESS_SIZE, NULL, 0, NI_NUMERICHOST) != 0)
        strcpy(out, "-");
}

/* ---- the head of a request ------------------------------------------------------------------ */

struct head {
    const struct server_limits *limits;
    struct server_request *request;
    size_t bytes;
    size_t lines;
    size_t hosts;
};

static void find_flaw(struct server_request *request, enum server_flaw flaw, const char *text)
{
    if (request->flaw != SERVER_FLAW_NONE)
        return;
    request->flaw = flaw;
    request->flaw_text = text;
}

static bool is_token(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return bytes > 0;
}

static bool has_control_character(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static bool begins_with(const char *name, const char *head)
{
    return strncasecmp(name, head, strlen(head)) == 0;
}

static enum MHD_Result on_header(void *user, enum MHD_ValueKind kind, const char *name,
                                 size_t name_bytes, const char *value, size_t value_bytes)
{
    struct head *head = user;

    (void)kind;
    head->bytes += name_bytes + value_bytes + 4;
    head->lines++;
    if (!is_token(name, name_bytes))
        find_flaw(head->request, SERVER_FLAW_MALFORMED, "a header's name is not a token");
    else if (has_control_character(value ? value : "", value ? value_bytes : 0))
        find_flaw(head->request, SERVER_FLAW_MALFORMED, "a header holds a control character");
    else if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0)
        head->hosts++;
    else if (begins_with(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) ||
             (begins_with(name, MHD_HTTP_HEADER_CONTENT_LENGTH) &&
              (name[sizeof(MHD_HTTP_HEADER_CONTENT_LENGTH) - 1] || !value ||
               strcmp(value, "0") != 0)))
        /* a folded line's second half is added to the name by the library, hence "begins" */
        find_flaw(head->request, SERVER_FLAW_BODY, "a request here has no body");
    return MHD_YES;
}

static void inspect_head(struct server_request *request, const char *version)
{
    struct head head = {.limits = &request->server->config.limits, .request = request};

    if (!is_token(request->method, strlen(request->method)))
        find_flaw(request, SERVER_FLAW_MALFORMED, "the method is not a token");
    for (const char *c = request->target; *c; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f) {
            find_flaw(request, SERVER_FLAW_MALFORMED,
                      "the target holds a character that must be percent-encoded");
            break;
        }
    }
    MHD_get_connection_values_n(request->handle, MHD_HEADER_KIND, on_header, &head);
    if (head.bytes > head.limits->head_bytes)
        find_flaw(request, SERVER_FLAW_HEAD_TOO_LARGE, "the headers are too large");
    if (head.lines > head.limits->head_lines)
        find_flaw(request, SERVER_FLAW_HEAD_TOO_LARGE, "there are too many headers");
    if (head.hosts > 1 || (head.hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_1) == 0))
        find_flaw(request, SERVER_FLAW_MALFORMED, "there must be exactly one Host header");
}

/* ---- callbacks of the library --------------------------------------------------------------- */

/* The request is over, in whichever way. */
static void finish_request(struct server_request *request, bool was_complete)
{
    struct server *server = request->server;
    struct server_connection *connection = request->connection;

    connection->request = NULL;
    request->was_complete = was_complete;
    if (request->is_stream)
        request->source.on_closed(request->source.user);
    else if (request->on_gone)
        request->on_gone(request);
    server->config.on_done(server->config.user, request);
    server_answer_release(request->answer);
    free(request->target_memory);
    free(request);
}

/* The request line has been read. What is returned comes back as *context in all that follows. */
static void *on_request_line(void *user, const char *target, struct MHD_Connection *handle)
{
    struct server *server = user;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct server_connection *connection = info->socket_context;
    struct server_request *request = mem_calloc(1, sizeof(*request));

    if (connection->request)
        finish_request(connection->request, false);

    request->server = server;
    request->connection = connection;
    request->handle = handle;
    request->began_ns = uv_hrtime();
    request->method = "";
    request->target_memory = mem_strndup(target ? target : "", target ? strlen(target) : 0);
    request->target = request->target_memory;
    if (strlen(request->target) > server->config.limits.target_bytes)
        find_flaw(request, SERVER_FLAW_TARGET_TOO_LONG, "the target is too long");
    connection->request = request;
    return request;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *handle, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **context)
{
    struct server *server = user;
    struct server_request *request = *context;

    (void)url;
    (void)upload;
    *upload_bytes = 0;
    if (!request->is_inspected) {
        request->is_inspected = true;
        request->method = method;
        request->connection->deadline_ms = NO_DEADLINE;
        inspect_head(request, version);
        /* An answer in this first call means to the library that the rest of the request is not
         * wanted: it closes. So the good ones wait for the next call, which follows at once. */
        if (request->flaw == SERVER_FLAW_NONE)
            return MHD_YES;
    }
    if (!request->was_dispatched) {
        request->was_dispatched = true;
        server->config.on_request(server->config.user, request);
    }
    if (request->connection->was_cut)
        return MHD_NO;
    if (request->answer && !request->is_queued)
        return queue_answer(request);
    if (!request->answer) {
        request->is_suspended = true;
        MHD_suspend_connection(handle);
    }
    return MHD_YES;
}

static void on_completed(void *user, struct MHD_Connection *handle, void **context,
                         enum MHD_RequestTerminationCode why)
{
    struct server *server = user;
    struct server_request *request = *context;
    struct server_connection *connection;

    (void)handle;
    if (!request)
        return;
    *context = NULL;
    connection = request->connection;
    finish_request(request, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    if (connection->was_cut)
        return;
    if (server->is_stopping)
        cut(connection);
    else
        set_deadline(connection, server->config.limits.idle_deadline_ms);
}

static void on_connection(void *user, struct MHD_Connection *handle, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct server *server = user;
    struct server_connection *connection = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        connection = mem_calloc(1, sizeof(*connection));
        connection->server = server;
        connection->fd =
            MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        set_deadline(connection, server->config.limits.header_deadline_ms);
        connection->next = server->first;
        if (server->first)
            server->first->previous = connection;
        server->first = connection;
        server->connection_count++;
        if (!uv_is_active((uv_handle_t *)&server->sweep))
            uv_timer_start(&server->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
        server->accepted++;
        *context = connection;
        return;
    }
    if (connection->request)
        finish_request(connection->request, false); /* some malformed ones never get completed */
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->first = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    server->connection_count--;
    free(connection);
}

/* Targets are decoded once, by whoever routes them. */
static size_t leave_escaped(void *user, struct MHD_Connection *handle, char *text)
{
    (void)user;
    (void)handle;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *user, const char *format,
                                                         va_list args)
{
    char line[512];
    char safe[512];

    (void)user;
    vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\n")] = '\0';
    log_debug("http: %s", log_escaped(safe, sizeof(safe), line, strlen(line)));
}

/* ---- on the loop ---------------------------------------------------------------------------- */

static void run(struct server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    server->has_resumed = false;
    MHD_run(server->daemon);
    if (server->has_resumed)
        uv_timer_start(&server->again, on_again, 0, 0);
    else if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
        uv_timer_start(&server->again, on_again, wait_ms, 0);
}

static void on_events(void *user, int events)
{
    (void)events;
    run(user);
}

static void finish_stop(struct server *server);

static bool has_ended(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Hung-up clients among those that wait for an answer or for news. A stream is also over when the
 * client closed its half: there is nothing it could still say. */
static void find_hung_up(struct server *server)
{
    struct pollfd *polled = mem_calloc(server->connection_count + 1, sizeof(*polled));
    struct server_connection **owners = mem_calloc(server->connection_count + 1, sizeof(*owners));
    size_t count = 0;

    for (struct server_connection *c = server->first; c; c = c->next) {
        if (!c->request || !c->request->is_suspended)
            continue;
        polled[count] = (struct pollfd){.fd = c->fd, .events = c->request->is_stream ? POLLIN : 0};
        owners[count++] = c;
    }
    if (count > 0 && poll(polled, count, 0) > 0) {
        for (size_t i = 0; i < count; i++) {
            if ((polled[i].revents & (POLLHUP | POLLERR)) ||
                ((polled[i].revents & POLLIN) && has_ended(polled[i].fd)))
                cut(owners[i]);
        }
    }
    free(polled);
    free(owners);
}

static void on_sweep(uv_timer_t *timer)
{
    struct server *server = timer->data;
    uint64_t now_ms = uv_now(server->loop);
    bool is_over = server->is_stopping && now_ms >= server->stop_deadline_ms;

    for (struct server_connection *c = server->first; c; c = c->next) {
        if (c->was_cut)
            continue;
        if (now_ms >= c->deadline_ms) {
            server->cut++;
            cut(c);
        } else if (is_over ||
                   (server->is_stopping && (!c->request || !c->request->was_dispatched))) {
            cut(c);
        } else if (server->is_stopping && c->request->is_stream) {
            server_wake(c->request);
        }
    }
    find_hung_up(server);
    run(server);
    if (!server->first && !server->is_stopping)
        uv_timer_stop(&server->sweep); /* the next connection starts it */
    if (server->is_stopping && (!server->first || now_ms >= server->stop_deadline_ms + 1000))
        finish_stop(server);
}

/* ---- start and stop ------------------------------------------------------------------------- */

static int open_socket(const struct addrinfo *address)
{
    int one = 1;
    int send_bytes = SEND_KERNEL_BYTES;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes)); /* for each client */
    if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void note_address(struct server *server, int fd)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof(address);
    char host[SERVER_ADDRESS_SIZE - 10];
    char port[8];

    if (getsockname(fd, (struct sockaddr *)&address, &bytes) < 0 ||
        getnameinfo((struct sockaddr *)&address, bytes, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    snprintf(server->address, sizeof(server->address),
             address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* Takes "host:port", "[::1]:port", ":port" and "port". */
static int listen_on(struct server *server, char *error, size_t error_bytes)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char *host = mem_strdup(server->config.listen);
    char *colon = strrchr(host, ':');
    const char *port = colon ? colon + 1 : host;
    const char *name = colon ? host : "";
    int fd = -1;
    int rc;

    if (colon)
        *colon = '\0';
    if (name[0] == '[' && strlen(name) > 2 && name[strlen(name) - 1] == ']') {
        host[strlen(host) - 1] = '\0';
        name = host + 1;
    }
    if (!*port || strspn(port, "0123456789") != strlen(port) || strlen(port) > 5 ||
        atoi(port) > 65535) {
        snprintf(error, error_bytes, "\"%s\" is not host:port, such as 127.0.0.1:5000",
                 server->config.listen);
        goto out;
    }
    rc = getaddrinfo(*name ? name : NULL, port, &hints, &found);
    if (rc != 0) {
        snprintf(error, error_bytes, "%s: %s", server->config.listen, gai_strerror(rc));
        goto out;
    }
    fd = open_socket(found);
    if (fd < 0)
        snprintf(error, error_bytes, "cannot listen on %s: %s", server->config.listen,
                 strerror(errno));
out:
    if (found)
        freeaddrinfo(found);
    free(host);
    return fd;
}

bool server_start(struct server **out, uv_loop_t *loop, const struct server_config *config,
                  char *error, size_t error_bytes)
{
    struct server *server = mem_calloc(1, sizeof(*server));
    int fd;

    server->config = *config;
    server->loop = loop;
    fd = listen_on(server, error, error_bytes);
    if (fd < 0) {
        free(server);
        return false;
    }
    note_address(server, fd);
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_TURBO, 0, NULL, NULL,
        on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->limits.connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)config->limits.connections_per_address,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_URI_LOG_CALLBACK,
        on_request_line, server, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!server->daemon) {
        snprintf(error, error_bytes, "libmicrohttpd did not start on %s", config->listen);
        close(fd);
        free(server);
        return false;
    }
    server->watch =
        fd_watch_new(loop, MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
                     on_events, server);
    fd_watch_want(server->watch, UV_READABLE);
    uv_timer_init(loop, &server->again);
    uv_timer_init(loop, &server->sweep);
    server->again.data = server->sweep.data = server;
    server->open_handles = 2;
    run(server);
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
    free(server);
    on_stopped(user);
}

static void finish_stop(struct server *server)
{
    fd_watch_free(server->watch);
    server->watch = NULL;
    MHD_stop_daemon(server->daemon);
    uv_close((uv_handle_t *)&server->again, on_handle_closed);
    uv_close((uv_handle_t *)&server->sweep, on_handle_closed);
}

void server_stop(struct server *server, uint64_t grace_ms, void (*on_stopped)(void *user))
{
    int fd;

    if (server->is_stopping)
        return;
    server->is_stopping = true;
    server->on_stopped = on_stopped;
    server->stop_deadline_ms = uv_now(server->loop) + grace_ms;
    fd = MHD_quiesce_daemon(server->daemon);
    if (fd >= 0)
        close(fd);
    uv_timer_start(&server->sweep, on_sweep, 0, 50);
}

const char *server_address(const struct server *server)
{
    return server->address;
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
