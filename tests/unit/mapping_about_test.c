#include "collector/decoders/mapping_try.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void compile(struct mappings *mappings, struct features *features, const char *text)
{
    static const struct features none;
    char error[MAPPING_ERROR_SIZE];

    if (!mapping_compile(mappings, text, strlen(text), zone_load, error))
        fail_msg("%s: %s", text, error);
    assert_true(mappings_features(mappings, &none, features, error));
    mappings_bind(mappings, features);
}

static const char *tried(const char *keys, const char *payload)
{
    static char lines[4000];
    char text[1000];
    struct reading_rules rules = {.future_tolerance_us = 60000000};
    struct mappings mappings;
    struct features features;
    struct buffer out = {0};

    snprintf(text, sizeof(text), "[{\"topic\":\"a/{device}\",%s}]", keys);
    compile(&mappings, &features, text);
    rules.features = &features;
    mapping_try_message(&out, &mappings, &rules, INT64_C(1795691046000000), "a/d", payload,
                        strlen(payload));
    snprintf(lines, sizeof(lines), "%s", buffer_text(&out));
    buffer_release(&out);
    mappings_release(&mappings);
    return lines;
}

struct try_case {
    const char *keys, *payload, *expected;
};

/* Where `is_part` the lines have it in them. */
static void assert_tried(const struct try_case *cases, size_t count, bool is_part)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = tried(cases[i].keys, cases[i].payload);
        bool is_good =
            is_part ? strstr(got, cases[i].expected) != NULL : strcmp(got, cases[i].expected) == 0;

        if (!is_good)
            fail_msg("%s of %s\n  is  %s\n  not %s", cases[i].keys, cases[i].payload, got,
                     cases[i].expected);
    }
}

#define COUNT(cases) (sizeof(cases) / sizeof((cases)[0]))
#define ABOUT "{\"deviceId\":\"d\",\"about\":"
#define NO_LABEL "\"about\":{\"label\":[\"/n\",\"{/v} {/m}\"]}"
#define DEGREES "\"about\":{\"location\":{\"latitude\":\"/y\",\"longitude\":\"/x\"}}"

static void test_mapping_about__parts_are_found_where_the_rule_says(void **state)
{
    static const struct try_case cases[] = {
        {"\"about\":{\"label\":\"/n\",\"group\":\"Hall {/h}\",\"location\":\"{device}, {/f}\"}",
         "{\"n\":\" Pump \\\"3\\\" \",\"h\":7,\"f\":\"2nd\"}",
         ABOUT "{\"label\":\"Pump \\\"3\\\"\",\"group\":\"Hall 7\",\"location\":\"d, 2nd\"}}\n"},
        {NO_LABEL, "{\"n\":\"\",\"v\":\"IKEA\",\"m\":\"E1603\"}",
         ABOUT "{\"label\":\"IKEA E1603\"}}\n"},
        {NO_LABEL, "{\"n\":null,\"v\":1,\"m\":true}", ABOUT "{\"label\":\"1 true\"}}\n"},
        {NO_LABEL, "{\"n\":\"N\",\"v\":\"IKEA\",\"m\":\"E1603\"}", ABOUT "{\"label\":\"N\"}}\n"},
        {"\"payload\":\"text\",\"about\":{\"group\":\"\"}", " Hall A\n",
         ABOUT "{\"group\":\"Hall A\"}}\n"},
        {"\"when\":{\"/_type\":\"card\"},\"about\":{\"label\":\"/n\"}", "{\"n\":1}",
         "{\"ignored\":\"not_meant\"}\n"},
        {DEGREES, "{\"y\":\"52.5\",\"x\":-13.25}",
         ABOUT "{\"location\":{\"latitude\":52.5,\"longitude\":-13.25}}}\n"},
        {"\"about\":{\"location\":{\"latitude\":{\"at\":\"/y\",\"scale\":1e-7},"
         "\"longitude\":{\"at\":\"/x\",\"scale\":1e-7}}}",
         "{\"y\":525000000,\"x\":0}",
         ABOUT "{\"location\":{\"latitude\":52.5,\"longitude\":0}}}\n"},
        {NO_LABEL, "{\"n\":null}", "{\"ignored\":\"says_none\"}\n"},
        {DEGREES, "{\"y\":null,\"x\":null}", "{\"ignored\":\"says_none\"}\n"},
        {NO_LABEL, "", ABOUT "null}\n"},
        {"\"device\":\"{/id}\"," NO_LABEL, "", "{\"ignored\":\"says_none\"}\n"},
    };

    assert_tried(cases, COUNT(cases), false);
    (void)state;
}

/* Of one device there is one, whichever members and rules say something of it; readings are theirs. */
static void test_mapping_about__one_is_of_each_device_of_a_message(void **state)
{
    static const struct try_case cases[] = {
        {"\"each\":\"/*\",\"device\":\"{/i}\",\"when\":{\"/t\":\"EndDevice\"},"
         "\"about\":{\"label\":\"/l\",\"group\":\"/g\"}",
         "[{\"i\":\"b\",\"t\":\"EndDevice\",\"l\":\"B\"},{\"i\":\"x\",\"t\":\"Coordinator\",\"l\":"
         "\"X\"},{\"i\":\"a/1\",\"t\":\"EndDevice\",\"l\":\"A\",\"g\":\"G\"},{\"i\":\"c\",\"t\":"
         "\"EndDevice\"},{\"i\":\"b\",\"t\":\"EndDevice\",\"l\":\"Last\"}]",
         "{\"deviceId\":\"a.1\",\"about\":{\"label\":\"A\",\"group\":\"G\"}}\n"
         "{\"deviceId\":\"b\",\"about\":{\"label\":\"Last\"}}\n"},
        {"\"each\":\"/m/*\",\"rules\":[{\"when\":{\"/n\":\"Name\"},\"about\":{\"label\":\"/v\"}},"
         "{\"when\":{\"/n\":\"Area\"},\"about\":{\"group\":\"/v\"}},"
         "{\"feature\":{\"name\":\"{/n}\",\"value\":\"/v\",\"rename\":{\"T\":\"t\"}}}]",
         "{\"m\":[{\"n\":\"Area\",\"v\":\"Hall\"},{\"n\":\"Name\",\"v\":\"Pump\"},"
         "{\"n\":\"T\",\"v\":4}]}",
         ABOUT "{\"label\":\"Pump\",\"group\":\"Hall\"}}\n"
               "{\"deviceId\":\"d\",\"timestamp\":\"arrival\",\"t\":4}\n"},
        {"\"each\":\"/*\",\"device\":\"{/i}\",\"about\":{\"label\":\"/l\"}",
         "[{\"i\":\"b\",\"l\":\"B\"},{\"i\":\"..\",\"l\":\"C\"},{\"i\":\"d\",\"l\":\"\\u202e\"}]",
         "{\"deviceId\":\"b\",\"about\":{\"label\":\"B\"}}\n"
         "{\"rejected\":\"bad_device_id\",\"detail\":\"device \\\"..\\\" is not " DEVICE_ID_LEGAL
         "; and 1 more of this message\"}\n"},
    };

    assert_tried(cases, COUNT(cases), false);
    (void)state;
}

static void test_mapping_about__what_is_wrong_is_said_with_what_was_tried(void **state)
{
    char payload[1200];
    static const struct try_case cases[] = {
        {NO_LABEL, "{\"x\":1,\"n\":{}}",
         "\"no_value\",\"detail\":\"it has x, n; nothing of what a device is called; tried "
         "\\\"/n\\\" or \\\"{/v} {/m}\\\"\"}"},
        {DEGREES, "{\"y\":\"far\"}", "is called; tried \\\"/y\\\", \\\"/x\\\"\"}"},
        {NO_LABEL, "{\"n\":\"a\\u0007b\"}",
         "\"bad_about\",\"detail\":\"\\\"label\\\" is \\\"a\\\\x07b\\\", not 1 to 128 bytes of "
         "visible text; tried \\\"/n\\\"\"}"},
        {"\"about\":{\"group\":\"/g/{device}\"}",
         "{\"g\":{\"d\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}}",
         "not 1 to 64 bytes of visible text; tried"},
        {DEGREES, "{\"y\":91,\"x\":0}", "not 1 to 128 bytes of visible text, or {"},
        {DEGREES, "{\"y\":1e300,\"x\":1e300}", "\"bad_about\""},
        {DEGREES, "{\"y\":1}", "has both, latitude and longitude; tried \\\"/y\\\""},
        {"\"device\":\"{/id}\"," NO_LABEL, "{\"n\":\"N\"}", "but no device: \\\"{/id}\\\""},
        {NO_LABEL, "[", "\"not_json\""},
        {NO_LABEL, "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "\"too_deep\""},
        {NO_LABEL, "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "\"no_value\""},
        {"\"features\":{\"t\":\"/t\"}", "[[[[[[[[[]]]]]]]]]", "\"too_deep\""},
    };

    assert_tried(cases, COUNT(cases), true);
    snprintf(payload, sizeof(payload), "{\"n\":\"%01100d\"}", 0);
    assert_non_null(strstr(tried(NO_LABEL, payload), "\\\"/n\\\" comes to more than 1023 bytes"));
    (void)state;
}

static void test_mapping_about__what_is_retained_is_wanted_of_nothing_else(void **state)
{
    static const char *const text =
        "[{\"topic\":\"z/bridge/devices\",\"each\":\"/*\",\"device\":\"{/i}\",\"about\":{\"label\":"
        "\"/l\"}},{\"topic\":\"z/bridge/{rest*}\",\"ignore\":true},"
        "{\"topic\":\"b/{kind}/{device}\",\"only\":{\"kind\":\"c\"},\"about\":{\"label\":\"/l\"}},"
        "{\"topic\":\"b/c/{device}\",\"status\":\"/s\"},"
        "{\"topic\":\"b/d/{device}\",\"rules\":[{\"about\":{\"label\":\"/l\"}},{\"status\":\"/"
        "s\"}]},"
        "{\"topic\":\"z/{device*}\",\"status\":\"/s\"}]";
    struct subscriptions subscriptions = {0};
    struct mappings mappings;
    struct features features;

    compile(&mappings, &features, text);
    assert_true(mappings_are_about(&mappings, "z/bridge/devices"));
    assert_true(mappings_are_about(&mappings, "b/c/x"));
    assert_false(mappings_are_about(&mappings, "b/d/x"));
    assert_false(mappings_are_about(&mappings, "z/bridge/state"));
    assert_false(mappings_are_about(&mappings, "z/x"));
    assert_false(mappings_are_about(&mappings, "nowhere"));
    assert_null(mappings_subscribe(&mappings, true, &subscriptions));
    assert_string_equal(subscriptions.text, "z/bridge/devices,b/+/+,b/c/+,b/d/+,z/#");
    assert_true(subscriptions.is_retained[0] && subscriptions.is_retained[1]);
    assert_false(subscriptions.is_retained[2] || subscriptions.is_retained[3]);
    assert_false(subscriptions.is_retained[4]);
    subscriptions_release(&subscriptions);
    assert_null(mappings_subscribe(&mappings, false, &subscriptions));
    assert_string_equal(subscriptions.text, "b/c/+,b/d/+,z/#");
    subscriptions_release(&subscriptions);
    mappings_release(&mappings);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mapping_about__parts_are_found_where_the_rule_says),
        cmocka_unit_test(test_mapping_about__one_is_of_each_device_of_a_message),
        cmocka_unit_test(test_mapping_about__what_is_wrong_is_said_with_what_was_tried),
        cmocka_unit_test(test_mapping_about__what_is_retained_is_wanted_of_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
