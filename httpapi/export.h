/* export.h: answers of any length, streamed: CSV, JSON lines.
 *
 * Shape    a stream made page by page, each page a query of its own after the last row of the page
 *          before. So a slow reader holds neither a connection to the database nor more than one page of
 *          memory, and may take as long as the server's deadlines allow.
 *          params.rows is how many rows are wanted, 0 = all. The kind of query takes what is still wanted
 *          as `limit`, makes its page as small as it likes, and says `rows`, `has_more` and `last`.
 * Limits   api->max_csv_streams at a time; a database that fails midway cuts the connection, which
 *          the client sees as a stream that did not end.
 */
#ifndef HIGHWATER_EXPORT_H
#define HIGHWATER_EXPORT_H

#include "httpapi/api.h"
#include "httpapi/query.h"
#include "shared/net/http_server.h"

struct export_kind {
    const struct query_kind *page;
    const char *content_type;
    const char *disposition; /* with the file's name; NULL: that of readings (file_name.h) */
    void (*put_head)(struct buffer *out, const struct params *params,
                     const struct features *features); /* its first line; NULL = none */
};

void export_answer(struct api *api, struct server_request *request, const struct params *params,
                   const struct export_kind *kind);

#endif
