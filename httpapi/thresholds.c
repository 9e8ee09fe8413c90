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

/* What the database found: ids in the order of strcmp(), and what each says of itself, as JSON. */
struct found {
    size_t count;
    struct found_device {
        const char *id;
        const char *about;
    } *devices;
};

/* Points into `texts`, in which are two for each of so many. */
static void found_init(struct found *found, struct buffer *texts, size_t count)
{
    const char *at = buffer_text(texts);

    found->count = count;
    found->devices = mem_calloc(count + 1, sizeof(found->devices[0]));
    for (size_t i = 0; i < count; i++) {
        found->devices[i].id = at;
        found->devices[i].about = at += strlen(at) + 1;
        at += strlen(at) + 1;
    }
}

static int compare_id(const void *id, const void *device)
{
    return strcmp(id, ((const struct found_device *)device)->id);
}

static const struct found_device *find(const struct found *found, const char *id)
{
    return bsearch(id, found->devices, found->count, sizeof(found->devices[0]), compare_id);
}

static bool is_found(const void *found, const char *id)
{
    return find(found, id) != NULL;
}

static void put_device(struct buffer *out, const struct crossing *crossing,
                       const struct found *found)
{
    const char *id = crossing_device(crossing);

    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, id);
    buffer_put_text(out, ",");
    put_threshold(out, crossing);
    buffer_put_text(out, ",\"value\":");
    json_write_double(out, crossing->value);
    buffer_put_text(out, ",\"since\":");
    query_put_timestamp(out, crossing->since_us);
    buffer_put_text(out, ",\"collectorId\":");
    json_write_string(out, crossing_collector(crossing));
    /* where it is not known yet the database puts it there: query_thresholds.c */
    buffer_printf(out, ",\"about\":%s}", found ? find(found, id)->about : "null");
}

static bool is_heard(const struct speakers *speakers, const char *id, uint64_t now_ms)
{
    const struct speaker *speaker = speakers_find(speakers, id, strlen(id));

    return speaker && speaker_is_live(speaker, now_ms);
}

/* Whether anybody can say it now: a collector that the database knows. */
static bool is_said(const struct api *api)
{
    const struct speakers *speakers = board_cache_speakers(api->boards);
    size_t i = 0;

    while (i < speakers->known_count && !is_heard(speakers, speakers->known[i], uv_now(api->loop)))
        i++;
    return i < speakers->known_count;
}

/* Those that the database knows and that nobody hears now, as a list. */
static void put_silent(struct buffer *out, const struct speakers *speakers, uint64_t now_ms)
{
    const char *before = "[";

    for (size_t i = 0; i < speakers->known_count; i++) {
        if (is_heard(speakers, speakers->known[i], now_ms))
            continue;
        buffer_put_text(out, before);
        before = ",";
        json_write_string(out, speakers->known[i]);
    }
    buffer_put_text(out, *before == '[' ? "[]" : "]");
}

static void put_page(struct buffer *out, const struct crossings_page *page,
                     const struct found *found, struct buffer *silent)
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
        put_device(out, page->items[i], found);
    }
    buffer_put_text(out, "]}");
}

static struct crossings_question question_of(const struct params *params,
                                             const struct features *features)
{
    return (struct crossings_question){
        .feature = params->feature < features->count ? features->names[params->feature] : NULL,
        .is_of_side = params->side != SIDE_ANY,
        .is_below = params->side == SIDE_BELOW,
        .is_newest_first = params->order == ORDER_HIGHEST,
        .limit = params->limit,
        .after = &params->cursor};
}

/* Of all, or of those that were found. */
static void write_answer(struct api *api, const struct params *params,
                         const struct features *features, const struct found *found,
                         struct buffer *out)
{
    const struct speakers *speakers = board_cache_speakers(api->boards);
    struct crossings_question question = question_of(params, features);
    struct crossings_page *page = mem_calloc(1, sizeof(*page));
    struct buffer silent = {0};

    if (found) {
        question.is_wanted = is_found;
        question.wanted = found;
    }
    crossings_ask(api->crossings, speakers, uv_now(api->loop), &question, page);
    put_silent(&silent, speakers, uv_now(api->loop));
    put_page(out, page, found, &silent);
    free(page);
    buffer_release(&silent);
}

static bool looks_for_some(const struct params *params)
{
    return params->group[0] || params->q[0];
}

/* Asks which of those that are beyond are meant. */
static void look_for_some(struct api *api, struct server_request *request,
                          const struct route *route, const struct params *params)
{
    const struct crossings_question question = question_of(params, &api->catalog->features);
    struct buffer devices = {0};

    crossings_put_devices(api->crossings, board_cache_speakers(api->boards), uv_now(api->loop),
                          &question, &devices);
    ask_about(api, request, route, &query_thresholds_found, params, &devices);
    buffer_release(&devices);
}

void thresholds_write_found(struct api *api, struct query *query)
{
    struct buffer texts = query->body;
    struct found found;

    query->body = (struct buffer){0};
    found_init(&found, &texts, query->rows);
    write_answer(api, &query->params, query->features, &found, &query->body);
    free(found.devices);
    buffer_release(&texts);
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

    if (!is_said(api)) {
        reply_nobody(api, request);
        return;
    }
    if (looks_for_some(params)) {
        look_for_some(api, request, route, params);
        return;
    }
    write_answer(api, params, &api->catalog->features, NULL, &body);
    ask_about(api, request, route, route->query, params, &body);
    buffer_release(&body);
}

void thresholds_on_failed(struct api *api, struct server_request *request,
                          const struct query *query, const struct problem *problem)
{
    struct buffer body = {0};
    struct server_answer *answer;

    if (problem->status != 503 || looks_for_some(&query->params) || !is_said(api)) {
        reply_problem(api, request, problem, NULL);
        return;
    }
    write_answer(api, &query->params, query->features, NULL, &body);
    answer = reply_data(api, REPLY_JSON, REPLY_ASKED_AGAIN, &body, query->as_of_us, "boards", NULL);
    server_respond(request, answer);
    server_answer_release(answer);
}
