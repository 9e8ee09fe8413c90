/* Why Basic beside Bearer: a browser cannot be told to send a header of its own with a page, a link to
 * CSV or an EventSource, but asks its user for a password when a 401 has this challenge, and sends it with
 * all of those from then on. Rejected: a login page that gives a cookie, which is a POST, a form, state, and
 * an end to think of, for the same; and a token in the URL, which is in every log on the way.
 *
 * What a browser sends by itself, it sends for other sites' pages, too. They cannot read the answers
 * (Cross-Origin-Resource-Policy, and no CORS with credentials), and nothing that is asked here
 * changes anything. */
#include "httpapi/access.h"

#include "httpapi/api.h"
#include "httpapi/authorization.h"
#include "httpapi/reply.h"
#include "shared/base/log.h"

#include <openssl/crypto.h>

#include <stdio.h>

enum { LOGGED_EVERY_MS = 10000, CHALLENGE_SIZE = 256, ERROR_SIZE = 640 };

#define REALM "realm=\"highwater\""

/* ---- the file ------------------------------------------------------------------------------- */

static struct tokens *read_file(const struct access *access, char *error, size_t error_bytes)
{
    bool is_open = false;
    struct tokens *tokens = tokens_read(access->file, &is_open, error, error_bytes);

    if (tokens && is_open)
        log_warning("TOKEN_FILE: %s: anybody on this machine may read it; chmod o-r", access->file);
    return tokens;
}

bool access_init(struct access *access, const char *file, char *error, size_t error_bytes)
{
    *access = (struct access){.file = file};
    if (!file[0])
        return true;
    access->tokens = read_file(access, error, error_bytes);
    return access->tokens != NULL;
}

void access_release(struct access *access)
{
    tokens_free(access->tokens);
    access->tokens = NULL;
}

bool access_reload(struct access *access)
{
    char error[ERROR_SIZE];
    struct tokens *tokens;
    bool has_changed;

    if (!access->file[0])
        return false;
    tokens = read_file(access, error, sizeof(error));
    if (!tokens) {
        log_error("tokens: SIGHUP: it goes on with those it has: %s", error);
        return false;
    }
    has_changed = !tokens_are_equal(access->tokens, tokens);
    tokens_free(access->tokens);
    access->tokens = tokens;
    log_info("tokens: SIGHUP: there are %zu now%s", tokens_count(tokens),
             has_changed ? "" : ", as before");
    return has_changed;
}

/* ---- a request ------------------------------------------------------------------------------ */

/* Guessing is told, but not for each guess. */
static void note_wrong(struct api *api, const struct server_request *request)
{
    struct access *access = &api->access;
    uint64_t now_ms = uv_now(api->loop);
    char address[SERVER_ADDRESS_SIZE];

    access->wrong++;
    if (access->logged_ms != 0 && now_ms - access->logged_ms < LOGGED_EVERY_MS)
        return;
    access->logged_ms = now_ms;
    server_request_address(request, address);
    log_warning("tokens: one from %s is none of ours (%llu so far)", address,
                (unsigned long long)access->wrong);
}

/* The groups that the request's token opens; 0 without one. */
static unsigned find_groups(struct api *api, const struct server_request *request,
                            enum authorization_kind *kind)
{
    struct authorization authorization;
    unsigned groups = 0;

    authorization_parse(&authorization, server_request_header(request, "Authorization"));
    if (server_request_header_count(request, "Authorization") > 1)
        authorization.kind = AUTHORIZATION_MALFORMED;
    *kind = authorization.kind;
    if (authorization.kind == AUTHORIZATION_TOKEN) {
        groups = tokens_find(api->access.tokens, authorization.token, authorization.bytes);
        if (groups == 0)
            note_wrong(api, request);
    }
    OPENSSL_cleanse(authorization.pair, sizeof(authorization.pair));
    return groups;
}

/* `error`: what of RFC 6750, "" when no token came. */
static void refuse(struct api *api, struct server_request *request, const struct problem *problem,
                   const char *error)
{
    char bearer[CHALLENGE_SIZE];
    struct server_header more[] = {{"WWW-Authenticate", bearer},
                                   {"WWW-Authenticate", "Basic " REALM ", charset=\"UTF-8\""},
                                   {0}};

    snprintf(bearer, sizeof(bearer), "Bearer " REALM "%s", error);
    if (problem->status != 401)
        more[1] = (struct server_header){0}; /* another password would not help */
    reply_problem(api, request, problem, more);
}

static void refuse_group(struct api *api, struct server_request *request, unsigned groups)
{
    struct problem problem;
    char error[CHALLENGE_SIZE];
    const char *name = token_group_name((enum token_group)groups);

    problem_set(&problem, 403, "the token is right, but not for this: it would have to open %s",
                name);
    snprintf(error, sizeof(error), ", error=\"insufficient_scope\", scope=\"%s\"", name);
    refuse(api, request, &problem, error);
}

bool access_admit(struct api *api, struct server_request *request, unsigned groups)
{
    enum authorization_kind kind;
    struct problem problem;
    unsigned opened;

    if (!access_asks(&api->access) || groups == TOKEN_OPEN)
        return true;
    opened = find_groups(api, request, &kind);
    if (opened & groups)
        return true;
    if (opened) {
        refuse_group(api, request, groups);
    } else if (kind == AUTHORIZATION_TOKEN) {
        problem_set(&problem, 401, "the token is none of those that are let in here");
        refuse(api, request, &problem, ", error=\"invalid_token\"");
    } else if (kind == AUTHORIZATION_MALFORMED) {
        problem_set(
            &problem, 400,
            "the Authorization header is not one token, as in: Authorization: Bearer TOKEN");
        refuse(api, request, &problem, ", error=\"invalid_request\"");
    } else {
        problem_set(
            &problem, 401,
            "a token is asked for: Authorization: Bearer TOKEN, or it as the password of any "
            "user");
        refuse(api, request, &problem, "");
    }
    return false;
}

bool access_knows(struct api *api, struct server_request *request)
{
    enum authorization_kind kind;

    return !access_asks(&api->access) || find_groups(api, request, &kind) != 0;
}
