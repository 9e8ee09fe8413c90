#include "shared/net/url_authority.h"

#include "shared/base/hex.h"
#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Of an escape such as %40; 0 when there is none, or it is a NUL, which no text can hold. */
static char escaped(const char *at)
{
    int high = *at == '%' ? hex_value(at[1]) : -1;
    int low = high >= 0 ? hex_value(at[2]) : -1;

    return low >= 0 ? (char)(high * 16 + low) : '\0';
}

/* Percent-decodes [start, end) into a new string. */
static char *decoded(const char *start, const char *end)
{
    char *out = mem_strndup(start, (size_t)(end - start));
    char *to = out;

    for (const char *from = out; *from; from++) {
        char meant = escaped(from);

        if (meant) {
            *to++ = meant;
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return out;
}

static bool parse_port(struct url_authority *url, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long port = digits > 0 && digits <= 5 ? strtol(text, NULL, 10) : 0;

    if (text[digits] || port < 1 || port > 65535)
        return false;
    url->port = (int)port;
    return true;
}

bool url_authority_parse(struct url_authority *url, const char *text, size_t bytes)
{
    const char *end = text + bytes;
    const char *at = NULL;
    const char *host_end;
    char *authority;
    char *colon;
    bool is_legal;

    *url = (struct url_authority){0};
    for (const char *c = text; c < end; c++) {
        if (*c == '@')
            at = c;
    }
    if (at) {
        const char *password = memchr(text, ':', (size_t)(at - text));

        url->username = decoded(text, password ? password : at);
        if (password)
            url->password = decoded(password + 1, at);
        text = at + 1;
    }
    authority = mem_strndup(text, (size_t)(end - text));
    host_end = authority[0] == '[' ? strchr(authority, ']') : NULL;
    colon = strchr(host_end ? host_end : authority, ':');
    is_legal = (!colon || parse_port(url, colon + 1)) &&
               (authority[0] != '[' || (host_end && (!host_end[1] || colon == host_end + 1)));
    if (colon)
        *colon = '\0';
    url->host = host_end ? mem_strndup(authority + 1, (size_t)(host_end - authority - 1))
                         : mem_strdup(authority);
    free(authority);
    /* what is no host is a part of something else, of a password even; it must not be quoted */
    return is_legal && url->host[0] && !strpbrk(url->host, "?#&=@,;![]\"' \t\r\n");
}

void url_authority_release(struct url_authority *url)
{
    free(url->host);
    free(url->username);
    free(url->password);
    *url = (struct url_authority){0};
}
