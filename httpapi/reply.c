#include "httpapi/reply.h"

#include "shared/base/timestamp.h"

#include <assert.h>
#include <stdio.h>

void reply_header_add(struct reply_headers *headers, const char *name, const char *value)
{
    assert(headers->count < SERVER_ANSWER_HEADERS_MAX);
    headers->items[headers->count++] = (struct server_header){name, value};
}

static const char *cache_control(const struct api *api, enum reply_cache cache)
{
    bool is_private = access_asks(&api->access);

    switch (cache) {
    case REPLY_ASKED_AGAIN:
        return is_private ? "private, no-cache" : "no-cache";
    case REPLY_KEPT_A_MINUTE:
        return is_private ? "private, max-age=60" : "public, max-age=60";
    case REPLY_KEPT:
        return is_private ? "private, max-age=31536000, immutable"
                          : "public, max-age=31536000, immutable";
    case REPLY_AS_IT_COMES:
        return "no-store, no-transform";
    case REPLY_NOT_KEPT:
        break;
    }
    return "no-store";
}

/* Where tokens are asked for, a page elsewhere gets nothing by the password that its browser has of
 * here: it must have a token of its own, and send it. */
static void add_cors(struct reply_headers *headers, const struct api *api)
{
    bool is_shared = api->cors_origin[0] && !access_asks(&api->access);

    reply_header_add(headers, "Cross-Origin-Resource-Policy",
                     is_shared ? "cross-origin" : "same-origin");
    if (!api->cors_origin[0])
        return;
    reply_header_add(headers, "Access-Control-Allow-Origin", api->cors_origin);
    reply_header_add(headers, "Access-Control-Expose-Headers",
                     "ETag, Retry-After, WWW-Authenticate, X-Data-As-Of, X-Data-Source");
}

void reply_headers_init(struct reply_headers *headers, const struct api *api,
                        const char *content_type, enum reply_cache cache, const char *csp)
{
    headers->count = 0;
    if (content_type)
        reply_header_add(headers, "Content-Type", content_type);
    reply_header_add(headers, "Cache-Control", cache_control(api, cache));
    reply_header_add(headers, "X-Content-Type-Options", "nosniff");
    reply_header_add(headers, "Content-Security-Policy", csp);
    reply_header_add(headers, "Referrer-Policy", "no-referrer");
    add_cors(headers, api);
}

struct server_answer *reply_data(const struct api *api, const char *content_type,
                                 enum reply_cache cache, struct buffer *body, int64_t as_of_us,
                                 const char *source, const struct server_header *more)
{
    struct reply_headers headers;
    char when[TIMESTAMP_TEXT_SIZE];

    reply_headers_init(&headers, api, content_type, cache, REPLY_CSP_DATA);
    if (source) {
        timestamp_format(when, as_of_us);
        reply_header_add(&headers, "X-Data-As-Of", when);
        reply_header_add(&headers, "X-Data-Source", source);
    }
    for (; more && more->name; more++)
        reply_header_add(&headers, more->name, more->value);
    return server_answer_new(200, headers.items, headers.count, body,
                             SERVER_ANSWER_ETAG | SERVER_ANSWER_GZIP);
}

struct server_answer *reply_live(const struct api *api, int status, const char *content_type,
                                 struct buffer *body)
{
    struct reply_headers headers;

    reply_headers_init(&headers, api, content_type, REPLY_NOT_KEPT, REPLY_CSP_DATA);
    return server_answer_new(status, headers.items, headers.count, body, SERVER_ANSWER_GZIP);
}

void reply_problem(const struct api *api, struct server_request *request,
                   const struct problem *problem, const struct server_header *more)
{
    struct reply_headers headers;
    struct buffer body = {0};
    struct server_answer *answer;
    char retry_after[16];

    problem_write(&body, problem);
    reply_headers_init(&headers, api, REPLY_PROBLEM, REPLY_NOT_KEPT, REPLY_CSP_DATA);
    if (problem->retry_after_s > 0) {
        snprintf(retry_after, sizeof(retry_after), "%u", problem->retry_after_s);
        reply_header_add(&headers, "Retry-After", retry_after);
    }
    for (; more && more->name; more++)
        reply_header_add(&headers, more->name, more->value);
    answer =
        server_answer_new(problem->status, headers.items, headers.count, &body, SERVER_ANSWER_GZIP);
    server_respond(request, answer);
    server_answer_release(answer);
}
