/* The document says what the table of routes does: the one is read by people, the other by httpapi. */
#include "httpapi/openapi.h"

#include "httpapi/routes.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct buffer document;
static struct json_token root;

static void write_with(const char *feature_names, bool asks_for_tokens)
{
    struct features features;
    struct intervals intervals;
    struct params_rules rules = {.features = &features, .intervals = &intervals, .top_devices = 77};
    char error[300];

    assert_true(features_parse(&features, feature_names, error, sizeof(error)));
    assert_true(intervals_parse(&intervals, "past_day=1d,all_time", error, sizeof(error)));
    buffer_clear(&document);
    openapi_write(&document, &rules, asks_for_tokens);
    /* deeper than readings may be, so it is only walked through; the system tests read it strictly */
    root = (struct json_token){
        .kind = JSON_OBJECT, .text = buffer_text(&document), .bytes = document.bytes - 1};
    assert_int_equal(root.text[0], '{');
    assert_int_equal(root.text[root.bytes - 1], '}');
}

static int start(void **state)
{
    (void)state;
    write_with("temperature,pressure", true);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buffer_release(&document);
    return 0;
}

/* The member, or `kind` JSON_NULL with no text. */
static struct json_token find(const struct json_token *object, const char *wanted)
{
    struct json_token name;
    struct json_token value;
    struct json_walk walk;

    if (object->kind == JSON_OBJECT) {
        json_walk_init(&walk, object);
        while (json_walk_next(&walk, &name, &value)) {
            if (json_token_is(&name, wanted, strlen(wanted)))
                return value;
        }
    }
    return (struct json_token){.kind = JSON_NULL};
}

/* get(&root, "components schemas Reading"): member by member, the names between blanks */
static struct json_token get(const struct json_token *from, const char *names)
{
    struct json_token at = *from;
    char copy[100];
    char *rest = NULL;

    assert_true(strlen(names) < sizeof(copy));
    strcpy(copy, names);
    for (char *name = strtok_r(copy, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        at = find(&at, name);
    return at;
}

static size_t count(const struct json_token *container)
{
    size_t parts = 0;

    assert_true(json_walk_is_sound(container, SIZE_MAX, &parts));
    return parts;
}

static struct json_token element(const struct json_token *array, size_t number)
{
    struct json_walk walk;
    struct json_token name;
    struct json_token value = {.kind = JSON_NULL};
    size_t at = 0;

    json_walk_init(&walk, array);
    while (json_walk_next(&walk, &name, &value) && at++ < number)
        ;
    return value;
}

static void assert_text(struct json_token token, const char *text)
{
    assert_int_equal(token.kind, JSON_STRING);
    if (!json_token_is(&token, text, strlen(text)))
        fail_msg("%.*s where the table has %s", (int)token.bytes, token.text, text);
}

static void assert_number(struct json_token token, uint64_t number)
{
    int64_t found;
    bool is_exact;

    assert_int_equal(token.kind, JSON_NUMBER);
    assert_true(json_token_floor(&token, 0, &found, &is_exact) && is_exact);
    assert_true((uint64_t)found == number);
}

static void check_param(const struct json_token *described, const struct param *param)
{
    struct json_token schema = find(described, "schema");

    assert_text(find(described, "name"), param->name);
    assert_text(find(described, "in"), "query");
    assert_int_equal(find(described, "description").kind, JSON_STRING);
    assert_int_equal(find(described, "required").text != NULL, param->is_required);
    if (param->kind == PARAM_COUNT || param->kind == PARAM_TOP) {
        assert_number(find(&schema, "minimum"), param->least);
        assert_number(find(&schema, "maximum"), param->most);
    }
    for (size_t i = 0; param->kind == PARAM_CHOICE && param->choices[i]; i++) {
        struct json_token choices = find(&schema, "enum");

        assert_text(element(&choices, i), param->choices[i]);
    }
    if (param->kind == PARAM_TOP)
        assert_number(find(&schema, "default"), 77);
    else if (param->kind == PARAM_COUNT && param->fallback)
        assert_number(find(&schema, "default"), strtoull(param->fallback, NULL, 10));
    else if (param->kind == PARAM_ORDER || (param->kind == PARAM_CHOICE && param->fallback))
        assert_text(find(&schema, "default"), param->fallback);
    else
        assert_null(find(&schema, "default").text);
}

static void check_params(const struct json_token *described, const struct route *route)
{
    const struct param *param = route->params;
    bool has_device = strchr(route->path, '{') != NULL;
    struct json_token name;
    struct json_token value;
    struct json_walk walk;

    json_walk_init(&walk, described);
    if (has_device) {
        assert_true(json_walk_next(&walk, &name, &value));
        assert_text(find(&value, "name"), "deviceId");
        assert_text(find(&value, "in"), "path");
    }
    for (; param->name; param++) {
        assert_true(json_walk_next(&walk, &name, &value));
        check_param(&value, param);
    }
    assert_false(json_walk_next(&walk, &name, &value));
}

/* The document as a whole asks for a token; a route for which there is no group says that it does not. */
static void check_security(const struct json_token *operation, const struct route *route)
{
    struct json_token security = find(operation, "security");
    bool is_open = route->group == TOKEN_OPEN;

    assert_int_equal(security.text != NULL, is_open);
    assert_int_equal(get(operation, "responses 401").text != NULL, !is_open);
    assert_int_equal(get(operation, "responses 403").text != NULL, !is_open);
    if (is_open)
        assert_int_equal(count(&security), 0);
}

/* Which may be unknown. */
static bool names_devices(const struct route *route)
{
    const struct param *param = route->params;

    while (param->name && param->kind != PARAM_DEVICES)
        param++;
    return param->name || strchr(route->path, '{');
}

static void check_responses(const struct json_token *responses, const struct route *route)
{
    struct json_token content = get(responses, "200 content");
    size_t types = 0;

    for (; route->types[types]; types++) {
        char bare[64];

        snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(route->types[types], ";"),
                 route->types[types]);
        assert_int_equal(find(&content, bare).kind, JSON_OBJECT);
    }
    assert_int_equal(count(&content), types);
    assert_int_equal(find(responses, "404").text != NULL, names_devices(route));
    assert_int_equal(find(responses, "500").text != NULL, route->query != NULL);
    assert_int_equal(get(responses, "200 headers X-Data-As-Of").text != NULL, route->query != NULL);
    if (route->query) {
        assert_non_null(find(responses, "304").text);
        assert_non_null(find(responses, "503").text);
    }
}

static void test_openapi__every_route_is_described_as_the_table_has_it(void **state)
{
    struct json_token paths = find(&root, "paths");

    (void)state;
    assert_int_equal(count(&paths), routes_count);
    for (size_t i = 0; i < routes_count; i++) {
        struct json_token path = find(&paths, routes[i].path);
        struct json_token operation = find(&path, "get");
        struct json_token parameters = find(&operation, "parameters");
        struct json_token responses = find(&operation, "responses");

        if (!path.text)
            fail_msg("%s is not described", routes[i].path);
        assert_int_equal(count(&path), 1);
        assert_text(find(&operation, "operationId"), routes[i].name);
        assert_text(find(&operation, "summary"), routes[i].summary);
        check_params(&parameters, &routes[i]);
        check_security(&operation, &routes[i]);
        check_responses(&responses, &routes[i]);
    }
}

static void test_openapi__features_and_intervals_are_filled_in(void **state)
{
    static const char *const texts[] = {
        "\"enum\": [\"temperature\", \"pressure\"]", "\"enum\": [\"past_day\", \"all_time\"]",
        "\"required\": [\"timestamp\", \"count\", \"temperature\", \"pressure\"]",
        "\"default\": 77"};
    struct json_token reading = get(&root, "components schemas Reading properties");
    struct json_token board = get(&root, "components schemas Dashboard properties");

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_non_null(strstr(buffer_text(&document), texts[i]));
    assert_non_null(strstr(buffer_text(&document), "\"version\": \"" HIGHWATER_VERSION "\""));
    assert_int_equal(count(&reading), 5);
    assert_int_equal(count(&board), 2);
    assert_null(strstr(buffer_text(&document), "${"));
}

static void test_openapi__tokens_are_asked_for_where_there_are_some(void **state)
{
    struct json_token security = find(&root, "security");
    struct json_token schemes = get(&root, "components securitySchemes");

    (void)state;
    assert_int_equal(count(&security), 2);
    assert_int_equal(count(&schemes), 2);
    assert_non_null(
        strstr(buffer_text(&document), "\"security\": [{\"bearer\": []}, {\"basic\": []}],"));
    write_with("a", false);
    security = find(&root, "security");
    assert_int_equal(count(&security), 0);
}

static void test_openapi__it_is_json_with_any_number_of_features(void **state)
{
    char names[FEATURES_MAX * (FEATURE_NAME_MAX + 1)] = "";
    size_t bytes = 0;
    struct json_token board;

    (void)state;
    for (size_t i = 1; i <= FEATURES_MAX; i++) {
        bytes +=
            (size_t)snprintf(names + bytes, sizeof(names) - bytes, "%sf%zu", i > 1 ? "," : "", i);
        write_with(names, false);
        board = get(&root, "components schemas Dashboard properties");
        assert_int_equal(count(&board), i);
    }
}

static void test_openapi__it_says_what_people_read_of_features(void **state)
{
    struct json_token a;

    (void)state;
    write_with("a[\"\\|Rotor \"x\"],b,c[bar]", false);
    a = get(&root, "components schemas Reading properties a title");
    assert_true(json_token_is(&a, "Rotor \"x\"", 9));
    a = get(&root, "components schemas Reading properties a x-unit");
    assert_true(json_token_is(&a, "\"\\", 2));
    a = get(&root, "components schemas Reading properties b");
    assert_int_equal(count(&a), 1);
    a = get(&root, "components schemas Reading properties c");
    assert_int_equal(count(&a), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_openapi__every_route_is_described_as_the_table_has_it,
                                        start, end),
        cmocka_unit_test_setup_teardown(test_openapi__features_and_intervals_are_filled_in, start,
                                        end),
        cmocka_unit_test_setup_teardown(test_openapi__tokens_are_asked_for_where_there_are_some,
                                        start, end),
        cmocka_unit_test_setup_teardown(test_openapi__it_says_what_people_read_of_features, start,
                                        end),
        cmocka_unit_test_setup_teardown(test_openapi__it_is_json_with_any_number_of_features, start,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
