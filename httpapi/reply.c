#include "httpapi/reply.h"

#include "shared/base/timestamp.h"

#include <assert.h>
#include <stdio.h>

void reply_header_add(struct reply_headers *headers, const char *name, const char *value)
{
    assert(headers->count < SERVER_ANSWER_HEADERS_MAX);
    headers->items[headers->count++] = (struct server_header){name, value};
}

void reply_headers_init(struct reply_headers *headers, const struct api *api,
                        const char *content_type, const char *cache_control, const char *csp)
{
    headers->count = 0;
    if (content_type)
        reply_header_add(headers, "Content-Type", content_type);
    reply_header_add(headers, "Cache-Control", cache_control);
    reply_header_add(headers, "X-Content-Type-Options", "nosniff");
    reply_header_add(headers, "Content-Security-Policy", csp);
    reply_header_add(headers, "Referrer-Policy", "no-referrer");
    if (!api->cors_origin[0]) {
        reply_header_add(headers, "Cross-Origin-Resource-Policy", "same-origin");
        return;
    }
    reply_header_add(headers, "Cross-Origin-Resource-Policy", "cross-origin");
    reply_header_add(headers, "Access-Control-Allow-Origin", api->cors_origin);
    reply_header_add(headers, "Access-Control-Expose-Headers",
                     "ETag, Retry-After, X-Data-As-Of, X-Data-Source");
}

struct server_answer *reply_data(const struct api *api, const char *content_type,
                                 struct buffer *body, int64_t as_of_us, const char *source)
{
    struct reply_headers headers;
    char when[TIMESTAMP_TEXT_SIZE];

    /* no-cache: keep it, but ask whether it still holds */
    reply_headers_init(&headers, api, content_type, "no-cache", REPLY_CSP_DATA);
    if (source) {
        timestamp_format(when, as_of_us);
        reply_header_add(&headers, "X-Data-As-Of", when);
        reply_header_add(&headers, "X-Data-Source", source);
    }
    return server_answer_new(200, headers.items, headers.count, body,
                             SERVER_ANSWER_ETAG | SERVER_ANSWER_GZIP);
}

struct server_answer *reply_live(const struct api *api, int status, const char *content_type,
                                 struct buffer *body)
{
    struct reply_headers headers;

    reply_headers_init(&headers, api, content_type, "no-store", REPLY_CSP_DATA);
    return server_answer_new(status, headers.items, headers.count, body, SERVER_ANSWER_GZIP);
}

void reply_problem(const struct api *api, struct server_request *request,
                   const struct problem *problem, const char *allow)
{
    struct reply_headers headers;
    struct buffer body = {0};
    struct server_answer *answer;
    char retry_after[16];

    problem_write(&body, problem);
    reply_headers_init(&headers, api, REPLY_PROBLEM, "no-store", REPLY_CSP_DATA);
    if (problem->retry_after_s > 0) {
        snprintf(retry_after, sizeof(retry_after), "%u", problem->retry_after_s);
        reply_header_add(&headers, "Retry-After", retry_after);
    }
    if (allow)
        reply_header_add(&headers, "Allow", allow);
    answer =
        server_answer_new(problem->status, headers.items, headers.count, &body, SERVER_ANSWER_GZIP);
    server_respond(request, answer);
    server_answer_release(answer);
}
