#include "httpapi/page.h"

#include "httpapi/page_files.h"
#include "httpapi/reply.h"
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
};

static struct server_answer *file_answer(const struct api *api, const struct page_file *file,
                                         bool is_gz)
{
    struct reply_headers headers;

    reply_headers_init(&headers, api, file->content_type,
                       file->is_immutable ? REPLY_KEPT : REPLY_ASKED_AGAIN, REPLY_CSP_PAGE);
    if (is_gz)
        reply_header_add(&headers, "Content-Encoding", "gzip");
    if (file->gz)
        reply_header_add(&headers, "Vary", "Accept-Encoding");
    return server_answer_static(200, headers.items, headers.count, is_gz ? file->gz : file->data,
                                is_gz ? file->gz_bytes : file->bytes, SERVER_ANSWER_ETAG);
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
    return page;
}

void page_free(struct page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        server_answer_release(page->files[i].plain);
        server_answer_release(page->files[i].gz);
    }
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

bool page_has(const struct api *api, const char *path, size_t path_bytes)
{
    for (size_t i = 0; i < api->page->count; i++) {
        if (is_named(page_files[i].path, path, path_bytes))
            return true;
    }
    return false;
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
    page_answer_file(api, request, "/", 1);
}
