#include "shared/net/http_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, SEND_KERNEL_BYTES = 262144 /* what a slow reader may hold in the kernel */ };

static bool parse_port(const char *text, unsigned *port)
{
    *port = 0;
    if (!*text || strlen(text) > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        *port = *port * 10 + (unsigned)(*text - '0');
    }
    return *port <= 65535;
}

bool http_listen_split(const char *setting, char *host, unsigned *port)
{
    const char *colon = strrchr(setting, ':');
    size_t bytes = colon ? (size_t)(colon - setting) : 0;

    if (!colon) {
        strcpy(host, "127.0.0.1");
        return parse_port(setting, port);
    }
    if (bytes >= HTTP_LISTEN_HOST_SIZE || !parse_port(colon + 1, port))
        return false;
    if (setting[0] == '[') {
        if (bytes < 4 || setting[bytes - 1] != ']')
            return false;
        setting++;
        bytes -= 2;
    } else if (memchr(setting, ':', bytes)) {
        return false; /* IPv6 without brackets could be anything */
    }
    memcpy(host, setting, bytes);
    host[bytes] = '\0';
    if (strcmp(host, "*") == 0 || strcmp(host, "::") == 0)
        host[0] = '\0';
    return !host[strcspn(host, " \t[]*/@")];
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;

        return ntohl(four->sin_addr.s_addr) >> 24 == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

/* IPv6 sockets of their own, so that it does not depend on the system whether they take IPv4, too. */
static int open_socket(const struct sockaddr *address, socklen_t bytes)
{
    int one = 1;
    int send_bytes = SEND_KERNEL_BYTES;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes)); /* for each client */
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, address, bytes) < 0 || listen(fd, BACKLOG) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void set_port(struct sockaddr_storage *address, unsigned port)
{
    if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)address)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons((uint16_t)port);
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &bytes) < 0)
        return 0;
    return ntohs(address.ss_family == AF_INET
                     ? ((struct sockaddr_in *)(void *)&address)->sin_port
                     : ((struct sockaddr_in6 *)(void *)&address)->sin6_port);
}

static void close_all(struct http_sockets *sockets)
{
    while (sockets->count > 0)
        close(sockets->fds[--sockets->count]);
}

/* A machine may lack a family that the resolver knows of; then the others will do. */
static bool is_absent(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static bool open_all(struct http_sockets *out, const struct addrinfo *found, unsigned port)
{
    int absent = 0;

    for (; found && out->count < HTTP_LISTEN_MAX; found = found->ai_next) {
        struct sockaddr_storage address = {0};
        int fd;

        if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
            continue;
        memcpy(&address, found->ai_addr, found->ai_addrlen);
        set_port(&address, port);
        fd = open_socket((const struct sockaddr *)&address, found->ai_addrlen);
        if (fd >= 0) {
            out->fds[out->count++] = fd;
            out->is_loopback &= is_loopback(found->ai_addr);
            port = port > 0 ? port : port_of(fd);
        } else if (is_absent(errno)) {
            absent = errno;
        } else {
            return false;
        }
    }
    errno = absent;
    return out->count > 0;
}

bool http_listen(struct http_sockets *out, const char *setting, char *error, size_t error_bytes)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char host[HTTP_LISTEN_HOST_SIZE];
    unsigned port;
    int rc;

    *out = (struct http_sockets){.is_loopback = true};
    if (!http_listen_split(setting, host, &port)) {
        snprintf(error, error_bytes,
                 "\"%s\" is not host:port, such as 127.0.0.1:5000, [::1]:5000, 5000 (on "
                 "loopback) or :5000 (on every address)",
                 setting);
        return false;
    }
    rc = getaddrinfo(host[0] ? host : NULL, "0", &hints, &found);
    if (rc != 0) {
        snprintf(error, error_bytes, "%s: %s", setting, gai_strerror(rc));
        return false;
    }
    if (!open_all(out, found, port)) {
        snprintf(error, error_bytes, "cannot listen on %s: %s", setting, strerror(errno));
        close_all(out);
    }
    freeaddrinfo(found);
    return out->count > 0;
}
