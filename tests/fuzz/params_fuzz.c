/* Any bytes as a query string, a path segment and an Accept header: what is refused is a problem
 * that is printable, and what is taken has a key that a second reading of it has too. */
#include "httpapi/params.h"
#include "httpapi/routes.h"

#include "shared/base/mem.h"
#include "shared/net/accept.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct features features;
static struct intervals intervals;
static const struct params_rules rules = {
    .features = &features, .intervals = &intervals, .top_devices = 10};

static void check_problem(const struct problem *problem)
{
    struct buffer json = {0};

    assert(problem->status == 400 && problem->detail[0]);
    problem_write(&json, problem);
    for (size_t i = 0; i < json.bytes; i++)
        assert(json.data[i] >= 0x20 && json.data[i] < 0x7f);
    buffer_release(&json);
}

static void check_query(const struct param *table, const char *query)
{
    struct params params;
    struct problem problem;
    struct buffer key = {0};

    params_init(&params, &rules);
    if (!params_parse(&params, table, query, &rules, 1795737600123456, &problem)) {
        check_problem(&problem);
        return;
    }
    assert(params.feature_count >= 1 && params.feature_count <= features.count);
    assert(params.interval_count >= 1 && params.interval_count <= intervals.count);
    params_key(&key, &params, table);
    buffer_release(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char *const offered[] = {"application/json", "text/csv"};
    char error[200];
    char *text = mem_strndup((const char *)data, bytes);
    struct params params;
    struct problem problem;
    int chosen;

    if (features.count == 0) {
        features_parse(&features, FEATURES_DEFAULT, error, sizeof(error));
        intervals_parse(&intervals, INTERVALS_DEFAULT, error, sizeof(error));
    }
    for (size_t i = 0; i < routes_count; i++)
        check_query(routes[i].params, text);
    if (params_parse_device(&params, (const char *)data, bytes, &problem))
        assert(device_id_is_legal(params.device_id, strlen(params.device_id)));
    else
        check_problem(&problem);
    chosen = accept_choose(text, offered, 2);
    assert(chosen >= -1 && chosen < 2);
    accept_takes_gzip(text);
    free(text);
    return 0;
}
