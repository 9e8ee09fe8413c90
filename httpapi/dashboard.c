#include "httpapi/dashboard.h"

#include "httpapi/ask.h"
#include "httpapi/board_cache.h"
#include "httpapi/reply.h"
#include "shared/base/hash.h"
#include "shared/base/mem.h"
#include "shared/model/reading_json.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEPT_ANSWERS = 64, /* a power of two */
    KEPT_MAX_BYTES = 256 * 1024
};

const char *const dashboard_bys[] = {"maximum", "deviation", "rise", NULL};

struct dashboard {
    uint64_t generation; /* of the set that all kept answers were made from */
    struct {
        char *target;
        struct server_answer *answer;
    } kept[KEPT_ANSWERS];
};

struct dashboard *dashboard_new(void)
{
    return mem_calloc(1, sizeof(struct dashboard));
}

static void forget_all(struct dashboard *dashboard)
{
    for (size_t i = 0; i < KEPT_ANSWERS; i++) {
        free(dashboard->kept[i].target);
        server_answer_release(dashboard->kept[i].answer);
        dashboard->kept[i].target = NULL;
        dashboard->kept[i].answer = NULL;
    }
}

void dashboard_free(struct dashboard *dashboard)
{
    forget_all(dashboard);
    free(dashboard);
}

static size_t place_of(const char *target)
{
    return hash_bytes(target, strlen(target)) & (KEPT_ANSWERS - 1);
}

bool dashboard_answer_again(struct api *api, struct server_request *request)
{
    struct dashboard *dashboard = api->dashboard;
    size_t place;

    if (dashboard->generation != board_cache_generation(api->boards) ||
        !board_cache_is_current(api->boards, uv_now(api->loop)))
        return false;
    place = place_of(request->target);
    if (!dashboard->kept[place].target ||
        strcmp(dashboard->kept[place].target, request->target) != 0)
        return false;
    api->metrics.cached++;
    server_respond(request, dashboard->kept[place].answer);
    return true;
}

static void keep(struct api *api, const char *target, struct server_answer *answer)
{
    struct dashboard *dashboard = api->dashboard;
    size_t place = place_of(target);

    if (dashboard->generation != board_cache_generation(api->boards)) {
        forget_all(dashboard);
        dashboard->generation = board_cache_generation(api->boards);
    }
    free(dashboard->kept[place].target);
    server_answer_release(dashboard->kept[place].answer);
    dashboard->kept[place].target = mem_strdup(target);
    dashboard->kept[place].answer = server_answer_keep(answer);
}

/* The answer's body out of a set of boards, all with one as-of; false when the set lacks one. */
static bool write_boards(struct api *api, const struct params *params, enum board_set set,
                         struct buffer *out, int64_t *as_of_us)
{
    const struct interval_choice *choice = &params->intervals[0];

    if (choice->index == api->catalog->intervals.count)
        return false;
    for (size_t i = 0; i < params->feature_count; i++) {
        size_t feature = params->features[i];
        struct boards_merged merged;

        if (board_cache_merge(api->boards, set, feature, choice->index, params->order,
                              params->limit, uv_now(api->loop), &merged) != WEIGHED_EXACT)
            return false;
        *as_of_us = merged.as_of_us;
        buffer_printf(out, "%s\"%s\":[", i > 0 ? "," : "{", api->catalog->features.names[feature]);
        for (size_t j = 0; j < merged.count; j++) {
            if (j > 0)
                buffer_put_text(out, ",");
            reading_json_write(out, merged.entries[j].device_id, merged.entries[j].reading,
                               &api->catalog->features);
        }
        buffer_put_text(out, "]");
    }
    buffer_put_text(out, "}");
    return true;
}

/* Boards in memory are of values, of intervals, and of the fleet. */
static bool is_of_boards(const struct params *params)
{
    return !params_have_span(params) && params->by == BY_MAXIMUM && !params->group[0];
}

void dashboard_answer(struct api *api, struct server_request *request, const struct route *route,
                      struct params *params)
{
    struct buffer body = {0};
    struct server_answer *answer;
    int64_t as_of_us;
    size_t bytes;

    if (!is_of_boards(params) || !write_boards(api, params, BOARD_SET_CURRENT, &body, &as_of_us)) {
        buffer_release(&body);
        ask_database(api, request, route, params);
        return;
    }
    api->metrics.from_boards++;
    bytes = body.bytes;
    answer = reply_data(api, REPLY_JSON, REPLY_ASKED_AGAIN, &body, as_of_us, "boards", NULL);
    if (bytes <= KEPT_MAX_BYTES)
        keep(api, request->target, answer);
    server_respond(request, answer);
    server_answer_release(answer);
}

void dashboard_on_failed(struct api *api, struct server_request *request, const struct query *query,
                         const struct problem *problem)
{
    struct buffer body = {0};
    struct server_answer *answer;
    int64_t as_of_us = 0;

    if (problem->status != 503 || !is_of_boards(&query->params) || query->catalog != api->catalog ||
        !write_boards(api, &query->params, BOARD_SET_STANDING, &body, &as_of_us)) {
        buffer_release(&body);
        reply_problem(api, request, problem, NULL);
        return;
    }
    api->metrics.from_old_boards++;
    answer = reply_data(api, REPLY_JSON, REPLY_ASKED_AGAIN, &body, as_of_us, "boards", NULL);
    server_respond(request, answer);
    server_answer_release(answer);
}
