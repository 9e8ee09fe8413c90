#include "shared/net/pg_url.h"

#include "shared/base/secret.h"
#include "shared/net/resolve.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LEGAL                                                                                      \
    "a connection string such as postgresql://user@host/database or host=... user=... (a part of " \
    "it is misspelt; which one is not said, it may be the password)"
#define LEGAL_URI                                                                                  \
    "postgresql://[user[:password]@]host[:port]/database, with %40 for an @, %2F for a / and %3A " \
    "for a : in user or password"

enum { SECRETS_MOST = 8 };

/* The bytes of "postgresql://" or "postgres://" at its start. */
static size_t uri_scheme_bytes(const char *url)
{
    if (strncmp(url, "postgresql://", 13) == 0)
        return 13;
    return strncmp(url, "postgres://", 11) == 0 ? 11 : 0;
}

/* libpq takes the first @ before any / for the end of the password. Another after it, up to the
 * query, may be the one that was meant. */
static bool is_uri_plain(const char *rest)
{
    const char *stop = strpbrk(rest, "@/");
    const char *after = stop && *stop == '@' ? stop + 1 : rest;

    return !memchr(after, '@', strcspn(after, "?"));
}

static bool has_word(const char *text, const char *word)
{
    while (*text && strncasecmp(text, word, strlen(word)) != 0)
        text++;
    return *text != '\0';
}

/* "sslmode= password=x": libpq takes what stands after the blank for the value, and shows it. */
static bool has_password(const char *value)
{
    return strchr(value, '=') && (has_word(value, "passw") || has_word(value, "pwd"));
}

static bool is_plain(const PQconninfoOption *option)
{
    const char *value = option->val;

    if (!value || *option->dispchar == '*')
        return true;
    if (has_password(value))
        return false;
    if (strcmp(option->keyword, "port") == 0)
        return value[strspn(value, "0123456789, ")] == '\0';
    if (strcmp(option->keyword, "host") == 0 || strcmp(option->keyword, "hostaddr") == 0)
        return !strpbrk(value[0] == '@' ? value + 1 : value, "@= \t\n"); /* an abstract socket */
    if (strcmp(option->keyword, "user") == 0)
        return !strpbrk(value, "?="); /* of a query with an @ */
    if (strcmp(option->keyword, "dbname") == 0)
        return !strstr(value, "://");
    return true;
}

const char *pg_url_flaw(const char *url)
{
    size_t scheme = uri_scheme_bytes(url ? url : "");
    PQconninfoOption *options = PQconninfoParse(url ? url : "", NULL);
    bool are_plain = options != NULL && (scheme == 0 || is_uri_plain(url + scheme));

    for (const PQconninfoOption *option = options; are_plain && option->keyword; option++)
        are_plain = is_plain(option);
    PQconninfoFree(options);
    if (are_plain)
        return NULL;
    return scheme > 0 ? LEGAL_URI : LEGAL;
}

void pg_params_add(struct pg_params *params, const char *name, const char *value)
{
    assert(params->count < PG_PARAMS_MAX - 1);
    params->names[params->count] = name;
    params->values[params->count++] = value;
    params->names[params->count] = params->values[params->count] = NULL;
}

void pg_params_fill(struct pg_params *params, const char *url, const char *application_name,
                    bool keeps_name, const struct pg_place *place)
{
    params->count = 0;
    /* before dbname: defaults that the URL may override; after it: what it must not */
    pg_params_add(params, "keepalives_idle", "10");
    pg_params_add(params, "keepalives_interval", "5");
    pg_params_add(params, "keepalives_count", "3");
    pg_params_add(params, "tcp_user_timeout", "15000");
    pg_params_add(params, "application_name", application_name);
    if (url && *url)
        pg_params_add(params, "dbname", url);
    if (keeps_name)
        pg_params_add(params, "application_name", application_name);
    if (!place)
        return;
    if (*place->host)
        pg_params_add(params, "host", place->host);
    if (*place->port)
        pg_params_add(params, "port", place->port);
    if (*place->address)
        pg_params_add(params, "hostaddr", place->address);
    if (place->attrs)
        pg_params_add(params, "target_session_attrs", place->attrs);
}

bool pg_url_is_name(const char *host)
{
    return host[0] && host[0] != '/' && host[0] != '@' && !resolve_is_numeric(host);
}

bool pg_url_host(const char *url, char *out, size_t out_bytes)
{
    PQconninfoOption *defaults = PQconndefaults();
    PQconninfoOption *given = PQconninfoParse(url ? url : "", NULL);
    PQconninfoOption *const lists[] = {defaults, given};
    bool has_address = false;

    out[0] = '\0';
    for (size_t i = 0; i < 2; i++) {
        for (PQconninfoOption *option = lists[i]; option && option->keyword; option++) {
            bool is_set = option->val && *option->val;

            if (is_set && strcmp(option->keyword, "host") == 0)
                snprintf(out, out_bytes, "%s", option->val);
            if (is_set && strcmp(option->keyword, "hostaddr") == 0)
                has_address = true;
        }
    }
    PQconninfoFree(defaults);
    PQconninfoFree(given);
    return pg_url_is_name(out) && !strchr(out, ',') && !has_address;
}

/* A password or a key that was given where the path of its file belongs. */
static bool is_misplaced(const PQconninfoOption *option)
{
    static const char *const files[] = {"passfile", "sslkey", "sslcert"};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (strcmp(option->keyword, files[i]) == 0)
            return !secret_is_path(option->val);
    }
    return false;
}

void pg_url_scrub(const PGconn *conn, char *text)
{
    PQconninfoOption *options = PQconninfo((PGconn *)conn);
    const char *known[SECRETS_MOST + 1] = {NULL};
    size_t count = 0;

    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        bool is_set = option->val && *option->val;
        bool is_secret = is_set && (strchr(option->dispchar, '*') || is_misplaced(option));

        if (is_secret && count < SECRETS_MOST)
            known[count++] = option->val;
    }
    secret_scrub(text, known);
    PQconninfoFree(options);
}
