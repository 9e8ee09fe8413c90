/* A password may hold any byte, so a URL with something wrong about it cannot be taken apart for sure:
 * in postgresql://u:a/b@c@host/db or password=a b=c its end cannot be told. Hence nothing is
 * searched for that must be hidden; what may be shown must have the form of a place, and come after
 * the last @ of something in which nothing else can come after it. */
#include "shared/base/secret.h"

#include "shared/base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define STARS "***"

enum { KNOWN_LEAST_BYTES = 4 }; /* shorter ones are found in any text by chance */

/* The length of "mqtt://" and the like at the start; 0 when there is none. */
static size_t scheme_bytes(const char *url)
{
    size_t bytes = 0;

    while (isalnum((unsigned char)url[bytes]))
        bytes++;
    return bytes > 0 && strncmp(url + bytes, "://", 3) == 0 ? bytes + 3 : 0;
}

static const char *skip_of(const char *text, int (*is_one)(int), const char *more)
{
    while (*text && (is_one((unsigned char)*text) || strchr(more, *text)))
        text++;
    return text;
}

/* host, host:1883, [::1]:1883/path: nothing else. */
static bool is_place(const char *text)
{
    if (*text == '[') {
        text = skip_of(text + 1, isxdigit, ":.");
        if (*text++ != ']')
            return false;
    } else {
        text = skip_of(text, isalnum, ".-_");
    }
    if (*text == ':')
        text = skip_of(text + 1, isdigit, "");
    if (*text == '/')
        text = skip_of(text, isalnum, "/.-_");
    return *text == '\0';
}

/* A word without scheme and @ is shown if it looks like a host, as when mqtt:// was forgotten. */
static bool is_like_host(const char *text)
{
    const char *colon = strchr(text, ':');

    return strncmp(text, "localhost", 9) == 0 || *text == '/' ||
           (colon && isdigit((unsigned char)colon[1])) || (strchr(text, '.') && !colon);
}

const char *secret_url(char *out, size_t out_bytes, const char *url)
{
    size_t scheme = scheme_bytes(url);
    const char *rest = url + scheme;
    const char *at = strrchr(rest, '@');
    const char *place = at ? at + 1 : rest;
    bool is_shown = !strpbrk(rest, "?=&# \t\r\n\"'\\") && is_place(place) &&
                    (scheme > 0 || at || is_like_host(rest));

    if (is_shown)
        snprintf(out, out_bytes, "%.*s%s%s", (int)scheme, url, at ? STARS "@" : "", place);
    else
        snprintf(out, out_bytes, "%.*s%s", (int)scheme, url, *rest ? STARS : "");
    return out;
}

static bool has_word(const char *text, const char *word)
{
    for (; *text; text++) {
        if (strncasecmp(text, word, strlen(word)) == 0)
            return true;
    }
    return false;
}

const char *secret_value(char *out, size_t out_bytes, const char *value)
{
    if (strstr(value, "://") || strchr(value, '@') || has_word(value, "passw"))
        return secret_url(out, out_bytes, value);
    snprintf(out, out_bytes, "%s", value);
    return out;
}

static bool has_password_member(const char *text)
{
    static const char word[] = "password";

    for (; *text; text++) {
        if (strncasecmp(text, word, strlen(word)) == 0) {
            const char *after = text + strlen(word);

            if (after[strspn(after, " \t")] == '=')
                return true;
        }
    }
    return false;
}

bool secret_is_in(const char *value)
{
    const char *rest = strstr(value, "://");
    size_t bytes = rest ? strcspn(rest + 3, "/?") : 0;
    const char *colon = rest ? memchr(rest + 3, ':', bytes) : NULL;

    return (colon && memchr(colon, '@', bytes - (size_t)(colon - rest - 3))) ||
           has_password_member(value);
}

/* Who gives a password in the place of its file's path gives no word that begins with a folder. The
 * root is not asked for: a password may begin with a slash. */
static bool leads_to_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct stat status;
    char *folder;
    bool is_there;

    if (!slash || strspn(path, "/") >= (size_t)(slash + 1 - path))
        return false;
    folder = mem_strndup(path, (size_t)(slash - path));
    is_there = stat(folder, &status) == 0 ? S_ISDIR(status.st_mode) : errno == EACCES;
    free(folder);
    return is_there;
}

bool secret_is_path(const char *path)
{
    struct stat status;

    return leads_to_folder(path) || stat(path, &status) == 0;
}

const char *secret_path(char *out, size_t out_bytes, const char *path)
{
    snprintf(out, out_bytes, "%s",
             secret_is_path(path) ? path
                                  : STARS
                 " (not shown: it leads nowhere, and may be the secret itself)");
    return out;
}

/* Puts STARS in the place of `bytes` bytes; where there is no room, as many as there is. */
static char *cover(char *from, size_t bytes)
{
    size_t stars = bytes < strlen(STARS) ? bytes : strlen(STARS);

    memset(from, '*', stars);
    memmove(from + stars, from + bytes, strlen(from + bytes) + 1);
    return from + stars;
}

void secret_scrub(char *text, const char *const *known)
{
    char *at = text;

    for (; *known; known++) {
        size_t bytes = strlen(*known);
        char *found = text;

        while (bytes >= KNOWN_LEAST_BYTES && (found = strstr(found, *known)) != NULL)
            found = cover(found, bytes);
    }
    while ((at = strstr(at, "://")) != NULL) {
        size_t bytes = strcspn(at += 3, " \"\n");
        char *end = at + bytes;

        while (end > at && *end != '@')
            end--;
        if (end > at)
            at = cover(at, (size_t)(end - at));
    }
}

/* Arguments are there for as long as the program is, and so are their copies. */
struct taken {
    struct taken *next;
    char text[];
};

static struct taken *all_taken;

const char *secret_pop_argument(char *argument)
{
    size_t bytes = strlen(argument);
    struct taken *copy = mem_alloc(sizeof(*copy) + bytes + 1);

    memcpy(copy->text, argument, bytes + 1);
    memset(argument, '*', bytes);
    copy->next = all_taken;
    all_taken = copy;
    return copy->text;
}

void secret_protect_process(void)
{
    const struct rlimit none = {0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0); /* the limit does not bind a core_pattern that is a pipe */
}
