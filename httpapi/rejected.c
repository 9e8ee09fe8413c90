#include "httpapi/rejected.h"

#include "httpapi/ask.h"
#include "httpapi/export.h"
#include "httpapi/reply.h"

enum { PAGE_ROWS = 50, PAGE_ROWS_MAX = 200 };

static const struct export_kind lines = {&query_rejected_lines, REPLY_LINES,
                                         "attachment; filename=\"rejected.jsonl\"", NULL};

void rejected_answer(struct api *api, struct server_request *request, const struct route *route,
                     struct params *params)
{
    if (params->format == FORMAT_LINES) {
        export_answer(api, request, params, &lines);
        return;
    }
    params->limit = params->rows > 0 ? params->rows : PAGE_ROWS;
    if (params->limit > PAGE_ROWS_MAX)
        params->limit = PAGE_ROWS_MAX;
    ask_database(api, request, route, params);
}
