#include "shared/net/http_hosts.h"

#include "shared/base/mem.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Cuts "name:port" and "[::1]:port"; false when it is neither. The port may be empty. */
static bool split(const char *host, size_t bytes, size_t *name_bytes)
{
    const char *end = host + bytes;
    const char *at = host;

    if (bytes > 0 && host[0] == '[') {
        at = memchr(host, ']', bytes);
        if (!at)
            return false;
        at++;
    } else {
        while (at < end && *at != ':')
            at++;
    }
    *name_bytes = (size_t)(at - host);
    if (at == end)
        return *name_bytes > 0;
    if (*at != ':' || end - at > 6)
        return false;
    for (at++; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
    }
    return *name_bytes > 0;
}

bool http_hosts_is_loopback(const char *name, size_t bytes)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr six;
    struct in_addr four;

    if (bytes == 9 && strncasecmp(name, "localhost", bytes) == 0)
        return true;
    if (bytes < 3 || bytes >= sizeof(text))
        return false;
    if (name[0] == '[') {
        memcpy(text, name + 1, bytes - 2);
        text[bytes - 2] = '\0';
        return inet_pton(AF_INET6, text, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
    }
    memcpy(text, name, bytes);
    text[bytes] = '\0';
    return inet_pton(AF_INET, text, &four) == 1 && ntohl(four.s_addr) >> 24 == 127;
}

/* `localhost.` is localhost. */
static size_t without_dot(const char *name, size_t bytes)
{
    return bytes > 1 && name[bytes - 1] == '.' ? bytes - 1 : bytes;
}

bool http_hosts_accept(const struct http_hosts *hosts, const char *host, size_t bytes)
{
    size_t name_bytes;

    if (hosts->takes_any)
        return true;
    if (!split(host, bytes, &name_bytes))
        return false;
    for (size_t i = 0; i < hosts->count; i++) {
        const char *name = hosts->names[i];
        size_t listed = strlen(name);
        size_t listed_name = 0;

        split(name, listed, &listed_name);
        if (listed_name < listed) { /* it names a port */
            if (listed == bytes && strncasecmp(name, host, bytes) == 0)
                return true;
        } else if (listed == without_dot(host, name_bytes) &&
                   strncasecmp(name, host, listed) == 0) {
            return true;
        }
    }
    return http_hosts_is_loopback(host, without_dot(host, name_bytes));
}

bool http_hosts_parse(struct http_hosts *out, const char *list, bool is_loopback, char *error,
                      size_t error_bytes)
{
    char *name;

    *out = (struct http_hosts){.memory = mem_strdup(list)};
    out->takes_any = !list[0] && !is_loopback;
    name = out->memory;
    while (*name) {
        size_t length;
        size_t name_bytes;
        char *next;

        name += strspn(name, " ");
        length = strcspn(name, ",");
        next = name + length + (name[length] == ',');
        while (length > 0 && name[length - 1] == ' ')
            length--;
        name[length] = '\0';
        if (strcmp(name, "*") == 0) {
            out->takes_any = true;
        } else if (out->count == HTTP_HOSTS_MAX || name[strcspn(name, "/@ \t?#*\\")] ||
                   !split(name, length, &name_bytes)) {
            snprintf(error, error_bytes,
                     "at most %d names of hosts with commas between them, such as "
                     "board.example.org or board.example.org:8080, or *",
                     HTTP_HOSTS_MAX);
            http_hosts_release(out);
            return false;
        } else {
            out->names[out->count++] = name;
        }
        name = next;
    }
    return true;
}

void http_hosts_release(struct http_hosts *hosts)
{
    free(hosts->memory);
    *hosts = (struct http_hosts){0};
}
