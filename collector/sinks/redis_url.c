#include "collector/sinks/redis_url.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { DEFAULT_PORT = 6379, DATABASE_DIGITS = 6 };
enum { SOCKET_PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path) };

static bool parse_database(struct redis_url *url, const char *text)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > DATABASE_DIGITS || text[digits])
        return false;
    url->database = (int)strtol(text, NULL, 10);
    return true;
}

/* Nobody has a password and no server; an empty user is the one that Redis calls default. */
static void drop_empty_user(struct url_authority *authority)
{
    if (authority->username && !authority->username[0]) {
        free(authority->username);
        authority->username = NULL;
    }
}

/* What stands before the path is an authority without a host: url_authority.h gets one to read it. */
static bool parse_socket(struct redis_url *url, const char *text)
{
    const char *query = strstr(text, "?db=");
    const char *end = query ? query : text + strlen(text);
    const char *slash = text;
    bool is_legal = true;

    for (const char *c = text; c < end; c++) {
        if (*c == '@' && c[1] == '/')
            slash = c + 1;
    }
    if (slash > text) {
        char *with_host = mem_alloc((size_t)(slash - text) + 2);

        memcpy(with_host, text, (size_t)(slash - text));
        strcpy(with_host + (slash - text), "x");
        is_legal = url_authority_parse(&url->authority, with_host, strlen(with_host));
        free(with_host);
        free(url->authority.host);
    }
    url->authority.host = mem_strndup(slash, (size_t)(end - slash));
    return is_legal && *slash == '/' && end > slash + 1 && end - slash < SOCKET_PATH_SIZE &&
           !memchr(slash, '?', (size_t)(end - slash)) &&
           !memchr(slash, '@', (size_t)(end - slash)) && (!query || parse_database(url, query + 4));
}

static bool parse_host(struct redis_url *url, const char *text)
{
    const char *at = strrchr(text, '@');
    const char *place = at ? at + 1 : text; /* a password may have slashes */
    const char *end = place + strcspn(place, "/");
    bool is_legal = url_authority_parse(&url->authority, text, (size_t)(end - text));

    if (url->authority.port == 0)
        url->authority.port = DEFAULT_PORT;
    return is_legal && (!*end || !end[1] || parse_database(url, end + 1));
}

bool redis_url_parse(struct redis_url *url, const char *text)
{
    bool is_legal;

    *url = (struct redis_url){0};
    if (strncmp(text, "unix://", 7) == 0) {
        is_legal = parse_socket(url, text + 7);
    } else {
        url->use_tls = strncmp(text, "rediss://", 9) == 0;
        is_legal = (url->use_tls || strncmp(text, "redis://", 8) == 0) &&
                   parse_host(url, strstr(text, "://") + 3);
    }
    drop_empty_user(&url->authority);
    return is_legal;
}

void redis_url_release(struct redis_url *url)
{
    url_authority_release(&url->authority);
    *url = (struct redis_url){0};
}
