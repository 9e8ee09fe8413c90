/* reply.h: answers with the headers that every answer has.
 *
 * Shape    security headers, Cache-Control, CORS where it is open; then what the caller adds.
 * Owner    a body is taken; the answer is the caller's to release (server.h).
 */
#ifndef HIGHWATER_REPLY_H
#define HIGHWATER_REPLY_H

#include "httpapi/api.h"
#include "httpapi/problem.h"
#include "shared/base/buffer.h"
#include "shared/net/http_server.h"

#include <stdint.h>

#define REPLY_JSON "application/json"
#define REPLY_PROBLEM "application/problem+json"
#define REPLY_CSV "text/csv; charset=utf-8"
#define REPLY_LINES "application/x-ndjson"
#define REPLY_EVENTS "text/event-stream"
#define REPLY_TEXT "text/plain; charset=utf-8"
#define REPLY_HTML "text/html; charset=utf-8"

/* Nothing may be loaded or run: an answer of the API is data. */
#define REPLY_CSP_DATA "default-src 'none'; frame-ancestors 'none'"
/* Only what comes from here, and no inline script or style. */
#define REPLY_CSP_PAGE                                                                             \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "              \
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "                  \
    "form-action 'none'; frame-ancestors 'none'"

struct reply_headers {
    size_t count;
    struct server_header items[SERVER_ANSWER_HEADERS_MAX];
};

/* For how long an answer may be kept. Where tokens are asked for, by its client alone. */
enum reply_cache {
    REPLY_NOT_KEPT,
    REPLY_AS_IT_COMES, /* nor held back by who would compress it on the way */
    REPLY_ASKED_AGAIN, /* kept, but not used without asking whether it still holds */
    REPLY_KEPT_A_MINUTE,
    REPLY_KEPT
};

void reply_headers_init(struct reply_headers *headers, const struct api *api,
                        const char *content_type, enum reply_cache cache, const char *csp);
void reply_header_add(struct reply_headers *headers, const char *name, const char *value);

/* Data with its as-of and source ("boards", "database"; NULL = neither header). `more`: further
 * headers, ended by {0}, or NULL. */
struct server_answer *reply_data(const struct api *api, const char *content_type,
                                 enum reply_cache cache, struct buffer *body, int64_t as_of_us,
                                 const char *source, const struct server_header *more);

/* The same, without an ETag and not to be kept: it differs every time. */
struct server_answer *reply_live(const struct api *api, int status, const char *content_type,
                                 struct buffer *body);

/* Answers a request with a problem, once. `more`: further headers, ended by {0}, or NULL. */
void reply_problem(const struct api *api, struct server_request *request,
                   const struct problem *problem, const struct server_header *more);

#endif
