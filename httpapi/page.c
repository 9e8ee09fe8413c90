#include "httpapi/page.h"

#include "httpapi/page_files.h"
#include "httpapi/reply.h"
#include "httpapi/routes.h"
#include "shared/base/mem.h"
#include "shared/net/accept.h"

#include <stdlib.h>
#include <string.h>

struct kept_file {
    struct server_answer *plain;
    struct server_answer *gz; /* NULL where there is none */
};

struct page {
    size_t count;
    struct kept_file *files; /* as page_files */
    struct server_answer *index;
};

static struct server_answer *file_answer(const struct api *api, const struct page_file *file,
                                         bool is_gz)
{
    struct reply_headers headers;

    reply_headers_init(&headers, api, file->content_type,
                       file->is_immutable ? "public, max-age=31536000, immutable" : "no-cache",
                       REPLY_CSP_PAGE);
    if (is_gz)
        reply_header_add(&headers, "Content-Encoding", "gzip");
    if (file->gz)
        reply_header_add(&headers, "Vary", "Accept-Encoding");
    return server_answer_static(200, headers.items, headers.count, is_gz ? file->gz : file->data,
                                is_gz ? file->gz_bytes : file->bytes, SERVER_ANSWER_ETAG);
}

/* Shown where no page was built in: a list of the routes. */
static struct server_answer *index_answer(const struct api *api)
{
    struct reply_headers headers;
    struct buffer body = {0};

    buffer_put_text(&body, "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
                           "<title>Highwater</title></head>\n<body>\n<h1>Highwater</h1>\n"
                           "<p>The page was not built into this program (that takes Node.js). "
                           "What it would show is here:</p>\n<dl>\n");
    for (size_t i = 0; i < routes_count; i++) {
        if (strchr(routes[i].path, '{'))
            buffer_printf(&body, "<dt>%s</dt>", routes[i].path);
        else
            buffer_printf(&body, "<dt><a href=\"%s\">%s</a></dt>", routes[i].path, routes[i].path);
        buffer_printf(&body, "<dd>%s</dd>\n", routes[i].summary);
    }
    buffer_put_text(&body, "</dl>\n</body>\n</html>\n");
    reply_headers_init(&headers, api, REPLY_HTML, "no-cache", REPLY_CSP_PAGE);
    return server_answer_new(200, headers.items, headers.count, &body,
                             SERVER_ANSWER_ETAG | SERVER_ANSWER_GZIP);
}

struct page *page_new(const struct api *api)
{
    struct page *page = mem_calloc(1, sizeof(*page));

    while (page_files[page->count].path)
        page->count++;
    page->files = mem_calloc(page->count + 1, sizeof(page->files[0]));
    for (size_t i = 0; i < page->count; i++) {
        page->files[i].plain = file_answer(api, &page_files[i], false);
        if (page_files[i].gz)
            page->files[i].gz = file_answer(api, &page_files[i], true);
    }
    page->index = index_answer(api);
    return page;
}

void page_free(struct page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        server_answer_release(page->files[i].plain);
        server_answer_release(page->files[i].gz);
    }
    server_answer_release(page->index);
    free(page->files);
    free(page);
}

static bool is_named(const char *name, const char *path, size_t path_bytes)
{
    size_t bytes = strlen(name);

    if (bytes > 0 && name[bytes - 1] == '*')
        return path_bytes >= bytes - 1 && memcmp(name, path, bytes - 1) == 0;
    return path_bytes == bytes && memcmp(name, path, bytes) == 0;
}

bool page_answer_file(struct api *api, struct server_request *request, const char *path,
                      size_t path_bytes)
{
    const struct page *page = api->page;

    for (size_t i = 0; i < page->count; i++) {
        const struct kept_file *file = &page->files[i];

        if (!is_named(page_files[i].path, path, path_bytes))
            continue;
        if (file->gz && accept_takes_gzip(server_request_header(request, "Accept-Encoding")))
            server_respond(request, file->gz);
        else
            server_respond(request, file->plain);
        return true;
    }
    return false;
}

void page_answer(struct api *api, struct server_request *request, const struct route *route,
                 struct params *params)
{
    (void)route;
    (void)params;
    if (!page_answer_file(api, request, "/", 1))
        server_respond(request, api->page->index);
}
