#include "httpapi/thresholds.h"

#include "httpapi/ask.h"
#include "httpapi/board_cache.h"
#include "httpapi/query_parts.h"
#include "httpapi/reply.h"
#include "shared/base/json_write.h"
#include "shared/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const thresholds_sides[] = {"above", "below", NULL};

/* "feature":"temperature","above":90 */
static void put_threshold(struct buffer *out, const struct crossing *crossing)
{
    buffer_printf(out, "\"feature\":\"%.*s\",\"%s\":", (int)crossing->feature_bytes, crossing->text,
                  crossing->is_below ? "below" : "above");
    json_write_double(out, crossing->limit);
}

static void put_device(struct buffer *out, const struct crossing *crossing)
{
    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, crossing_device(crossing));
    buffer_put_text(out, ",");
    put_threshold(out, crossing);
    buffer_put_text(out, ",\"value\":");
    json_write_double(out, crossing->value);
    buffer_put_text(out, ",\"since\":");
    query_put_timestamp(out, crossing->since_us);
    buffer_put_text(out, ",\"collectorId\":");
    json_write_string(out, crossing_collector(crossing));
    buffer_put_text(out, ",\"about\":null}"); /* the database puts it there: query_thresholds.c */
}

/* Those that the database knows and that nobody hears now, as a list; returns how many are heard. */
static size_t put_silent(struct buffer *out, const struct speakers *speakers, uint64_t now_ms)
{
    const char *before = "[";
    size_t live = 0;

    for (size_t i = 0; i < speakers->known_count; i++) {
        const char *id = speakers->known[i];
        const struct speaker *speaker = speakers_find(speakers, id, strlen(id));

        if (speaker && speaker_is_live(speaker, now_ms)) {
            live++;
            continue;
        }
        buffer_put_text(out, before);
        before = ",";
        json_write_string(out, id);
    }
    buffer_put_text(out, *before == '[' ? "[]" : "]");
    return live;
}

static void put_page(struct buffer *out, const struct crossings_page *page, struct buffer *silent)
{
    buffer_put_text(out, "{\"thresholds\":[");
    for (size_t i = 0; i < page->threshold_count; i++) {
        buffer_put_text(out, i > 0 ? ",{" : "{");
        put_threshold(out, page->thresholds[i].one);
        buffer_printf(out, ",\"devices\":%zu}", page->thresholds[i].devices);
    }
    buffer_printf(out, "],\"total\":%zu,\"isComplete\":%s,\"notHeard\":%s,\"next\":", page->total,
                  page->is_complete && silent->bytes == 2 ? "true" : "false", buffer_text(silent));
    if (page->has_more)
        buffer_printf(out, "\"%" PRId64 "_%" PRId64 "\"", page->items[page->count - 1]->since_us,
                      (int64_t)page->items[page->count - 1]->hash);
    else
        buffer_put_text(out, "null");
    buffer_put_text(out, ",\"devices\":[");
    for (size_t i = 0; i < page->count; i++) {
        buffer_put_text(out, i > 0 ? "," : "");
        put_device(out, page->items[i]);
    }
    buffer_put_text(out, "]}");
}

/* False when nobody can say it now. */
static bool write_answer(struct api *api, const struct params *params, struct buffer *out)
{
    const struct speakers *speakers = board_cache_speakers(api->boards);
    uint64_t now_ms = uv_now(api->loop);
    const struct crossings_question question = {
        .feature = params->feature < api->catalog->features.count
                       ? api->catalog->features.names[params->feature]
                       : NULL,
        .is_of_side = params->side != SIDE_ANY,
        .is_below = params->side == SIDE_BELOW,
        .is_newest_first = params->order == ORDER_HIGHEST,
        .limit = params->limit,
        .after = &params->cursor};
    struct crossings_page *page;
    struct buffer silent = {0};
    bool is_said = put_silent(&silent, speakers, now_ms) > 0;

    if (is_said) {
        page = mem_calloc(1, sizeof(*page));
        crossings_ask(api->crossings, speakers, now_ms, &question, page);
        put_page(out, page, &silent);
        free(page);
    }
    buffer_release(&silent);
    return is_said;
}

static void reply_nobody(struct api *api, struct server_request *request)
{
    struct problem problem;

    problem_set_unavailable(&problem, 2,
                            "no collector is live that the database knows: who is beyond a "
                            "threshold now cannot be said; see /collectors");
    reply_problem(api, request, &problem, NULL);
}

void thresholds_answer(struct api *api, struct server_request *request, const struct route *route,
                       struct params *params)
{
    struct buffer body = {0};

    if (write_answer(api, params, &body))
        ask_about(api, request, route, params, &body);
    else
        reply_nobody(api, request);
    buffer_release(&body);
}

void thresholds_on_failed(struct api *api, struct server_request *request,
                          const struct query *query, const struct problem *problem)
{
    struct buffer body = {0};
    struct server_answer *answer;

    if (problem->status != 503 || query->catalog != api->catalog ||
        !write_answer(api, &query->params, &body)) {
        reply_problem(api, request, problem, NULL);
        buffer_release(&body);
        return;
    }
    answer = reply_data(api, REPLY_JSON, REPLY_ASKED_AGAIN, &body, query->as_of_us, "boards", NULL);
    server_respond(request, answer);
    server_answer_release(answer);
}
