/* page.h: the page's files out of memory.
 *
 * Owner    page_new() makes every answer once; page_free() lets go of them.
 */
#ifndef HIGHWATER_PAGE_H
#define HIGHWATER_PAGE_H

#include "httpapi/api.h"
#include "httpapi/route.h"
#include "shared/net/http_server.h"

#include <stdbool.h>
#include <stddef.h>

struct page;

struct page *page_new(const struct api *api);
void page_free(struct page *page);

/* The route "/". */
void page_answer(struct api *api, struct server_request *request, const struct route *route,
                 struct params *params);

/* Whether a path is that of a file of the page. */
bool page_has(const struct api *api, const char *path, size_t path_bytes);

/* Any other path; false when the page has no such file. */
bool page_answer_file(struct api *api, struct server_request *request, const char *path,
                      size_t path_bytes);

#endif
