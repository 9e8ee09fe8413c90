#include "httpapi/board_history.h"

#include "httpapi/ask.h"
#include "httpapi/board_cache.h"
#include "shared/base/json_write.h"

/* [["device_1",0],["device_7",0],["device_1",1]]: who is on which feature's board; false when no board in memory
 * says it for certain. */
static bool list_rows(struct api *api, const struct params *params, struct buffer *out)
{
    const struct interval_choice *choice = &params->intervals[0];
    bool is_first = true;

    if (params->by != BY_MAXIMUM || params->group[0] || params_have_span(params) ||
        choice->index == api->catalog->intervals.count)
        return false;
    buffer_put_text(out, "[");
    for (size_t i = 0; i < params->feature_count; i++) {
        struct boards_merged merged;

        if (board_cache_merge(api->boards, BOARD_SET_CURRENT, params->features[i], choice->index,
                              params->order, params->limit, uv_now(api->loop),
                              &merged) != WEIGHED_EXACT)
            return false;
        for (size_t j = 0; j < merged.count; j++) {
            buffer_put_text(out, is_first ? "[" : ",[");
            json_write_string(out, merged.entries[j].device_id);
            buffer_printf(out, ",%zu]", i);
            is_first = false;
        }
    }
    buffer_put_text(out, "]");
    return true;
}

void board_history_answer(struct api *api, struct server_request *request,
                          const struct route *route, struct params *params)
{
    uint64_t most = BOARD_HISTORY_ROWS / params->feature_count;
    struct buffer rows = {0};

    if (params->limit > most)
        params->limit = most;
    if (list_rows(api, params, &rows))
        ask_about(api, request, route, route->query, params, &rows);
    else
        ask_database(api, request, route, params);
    buffer_release(&rows);
}
