/* It blocks, and an alarm ends it wherever it is: in the resolver, a handshake, or an answer that comes byte by
 * byte. Deadlines of each step would add up, and not reach into the resolver. */
#include "shared/net/healthcheck.h"

#include "shared/base/log.h"
#include "shared/net/http_listen.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_SIZE = 400, ANSWER_SIZE = 128 /* its first line is enough */ };

static const char request[] =
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/* What is asked, and by what. */
struct call {
    const char *where;
    int fd;
    SSL_CTX *context; /* NULL: plain */
    SSL *ssl;
};

static char too_late[LINE_SIZE];

static void on_alarm(int number)
{
    ssize_t ignored = write(STDOUT_FILENO, too_late, strlen(too_late));

    (void)number;
    (void)ignored;
    _exit(1);
}

static int unhealthy(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int unhealthy(const char *format, ...)
{
    va_list args;

    fputs("unhealthy: ", stdout);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    return 1;
}

/* ---- the connection --------------------------------------------------------------------------- */

/* The first address that takes it; -1 with errno of the last that does not. Who listens on all of them, 0.0.0.0 or
 * ::, is met under that name on loopback, as Linux has it. */
static int connect_to(struct addrinfo *found)
{
    for (; found; found = found->ai_next) {
        int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int error;

        if (fd < 0)
            continue;
        if (connect(fd, found->ai_addr, found->ai_addrlen) == 0)
            return fd;
        error = errno;
        close(fd);
        errno = error;
    }
    return -1;
}

/* Whose certificate it is does not matter: nothing is said that is secret, and an alias of loopback is in
 * none. */
static bool begin_tls(struct call *call)
{
    call->context = SSL_CTX_new(TLS_client_method());
    call->ssl = call->context ? SSL_new(call->context) : NULL;
    return call->ssl && SSL_set_fd(call->ssl, call->fd) == 1 && SSL_connect(call->ssl) == 1;
}

static bool send_request(const struct call *call)
{
    int bytes = (int)strlen(request);

    return call->ssl ? SSL_write(call->ssl, request, bytes) == bytes
                     : send(call->fd, request, (size_t)bytes, MSG_NOSIGNAL) == bytes;
}

/* The first line of the answer, or as much of it as there is room for. */
static size_t read_line(const struct call *call, char *out, size_t out_bytes)
{
    size_t used = 0;

    while (used < out_bytes && !memchr(out, '\n', used)) {
        ssize_t got = call->ssl ? SSL_read(call->ssl, out + used, (int)(out_bytes - used))
                                : recv(call->fd, out + used, out_bytes - used, 0);

        if (got <= 0)
            break;
        used += (size_t)got;
    }
    return used;
}

/* ---- the answer ------------------------------------------------------------------------------- */

static int judge(const struct call *call, const char *answer, size_t bytes)
{
    static const char good[] = "HTTP/1.1 200 ";
    const char *end = memchr(answer, '\n', bytes);
    char shown[ANSWER_SIZE];

    if (bytes == 0)
        return unhealthy("%s: the connection ended without an answer", call->where);
    if (end && bytes > sizeof(good) && memcmp(answer, good, sizeof(good) - 1) == 0) {
        printf("healthy: %s answers\n", call->where);
        return 0;
    }
    bytes = end ? (size_t)(end - answer) : bytes;
    if (end && bytes > 0 && answer[bytes - 1] == '\r')
        bytes--;
    return unhealthy("%s answers: %s", call->where,
                     log_escaped(shown, sizeof(shown), answer, bytes));
}

static int ask(struct call *call, bool is_tls)
{
    char answer[ANSWER_SIZE];

    if (is_tls && !begin_tls(call)) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());

        return unhealthy("%s: no TLS: %s", call->where, reason ? reason : "the connection ended");
    }
    if (!send_request(call))
        return unhealthy("%s: the connection ended", call->where);
    return judge(call, answer, read_line(call, answer, sizeof(answer)));
}

static int ask_listener(const char *where, bool is_tls, const char *host, unsigned port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct call call = {.where = where, .fd = -1};
    struct addrinfo *found = NULL;
    char port_text[8];
    int status;

    snprintf(port_text, sizeof(port_text), "%u", port);
    status = getaddrinfo(host[0] ? host : NULL, port_text, &hints, &found); /* NULL: loopback */
    if (status != 0)
        return unhealthy("%s: %s", where, gai_strerror(status));
    call.fd = connect_to(found);
    freeaddrinfo(found);
    if (call.fd < 0)
        return unhealthy("%s: %s", where, strerror(errno));
    status = ask(&call, is_tls);
    SSL_free(call.ssl);
    SSL_CTX_free(call.context);
    close(call.fd);
    return status;
}

int healthcheck_run(const struct healthcheck *check)
{
    char host[HTTP_LISTEN_HOST_SIZE];
    char where[LINE_SIZE / 2];
    unsigned port;

    log_escaped(where, sizeof(where), check->listen, strlen(check->listen));
    if (strcmp(where, "-") == 0)
        return unhealthy("%s=-: there is nothing to ask", check->setting);
    if (!http_listen_split(check->listen, host, &port))
        return unhealthy("%s=%s is no place to listen", check->setting, where);
    if (port == 0)
        return unhealthy("%s=%s: only its log says which port it has", check->setting, where);
    snprintf(too_late, sizeof(too_late), "unhealthy: %s does not answer within %d s\n", where,
             HEALTHCHECK_S);
    signal(SIGALRM, on_alarm);
    alarm(HEALTHCHECK_S);
    return ask_listener(where, check->is_tls, host, port);
}
