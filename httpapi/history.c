#include "httpapi/history.h"

#include "httpapi/ask.h"
#include "httpapi/export.h"
#include "httpapi/reply.h"

enum { JSON_ROWS = 1000, JSON_ROWS_MAX = 10000 };

static const struct export_kind csv = {
    .page = &query_csv, .content_type = REPLY_CSV, .put_head = query_put_csv_head};

void history_answer(struct api *api, struct server_request *request, const struct route *route,
                    struct params *params)
{
    if (params->format == FORMAT_CSV) {
        export_answer(api, request, params, &csv);
        return;
    }
    params->limit = params->rows > 0 ? params->rows : JSON_ROWS;
    if (params->limit > JSON_ROWS_MAX)
        params->limit = JSON_ROWS_MAX;
    ask_database(api, request, route, params);
}
