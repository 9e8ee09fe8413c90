#include "shared/model/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_topic__a_filter_has_one_level_for_the_device(void **state)
{
    static const struct {
        const char *text;
        bool is_legal;
    } cases[] = {
        {"devices/+/readings", true},
        {"site-a/devices/+/readings", true},
        {"+", true},
        {"+/readings", true},
        {"devices/+", true},
        {"$share/group/devices/+/readings", true},
        {"devices/readings", false},
        {"devices/+/+", false},
        {"devices/#", false},
        {"devices/+/#", false},
        {"devices/d+/readings", false},
        {"devices/+d/readings", false},
        {"$share/group", false},
        {"$share//devices/+/readings", false},
        {"$share/+/devices/readings", false},
        {"devices/+/readings\n", false},
        {"devices\x7f/+/readings", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct topic_filter filter;

        if (topic_filter_parse(&filter, cases[i].text) != cases[i].is_legal)
            fail_msg("\"%s\"", cases[i].text);
    }
}

static void test_topic__the_device_id_is_what_stands_for_the_plus(void **state)
{
    static const struct {
        const char *filter;
        const char *topic;
        const char *id; /* NULL = none */
    } cases[] = {
        {"devices/+/readings", "devices/device_1/readings", "device_1"},
        {"$share/g/devices/+/readings", "devices/d/readings", "d"},
        {"+", "d", "d"},
        {"devices/+",
         "devices/r\xc3\xbc"
         "be",
         "r\xc3\xbc"
         "be"},
        {"devices/+/readings", "devices//readings", NULL},
        {"devices/+/readings", "devices/a/b/readings", NULL},
        {"devices/+/readings", "devices/readings", NULL},
        {"devices/+/readings", "devices/d/readings/x", NULL},
        {"devices/+/readings", "elsewhere/d/readings", NULL},
        {"devices/+", "devices/a\x01", NULL},
        {"devices/+", "devices/a\x7f", NULL},
        {"devices/+", "devices/a\xc2\x85", NULL},
        {"devices/+", "devices/a\xff", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct topic_filter filter;
        char id[DEVICE_ID_SIZE];
        bool found;

        assert_true(topic_filter_parse(&filter, cases[i].filter));
        found = topic_device_id(id, &filter, cases[i].topic);
        if (found != (cases[i].id != NULL) || (found && strcmp(id, cases[i].id) != 0))
            fail_msg("%s under %s", cases[i].topic, cases[i].filter);
    }
}

static void test_topic__a_device_id_has_64_characters_not_bytes(void **state)
{
    char id[4 * 65 + 1];

    (void)state;
    for (size_t i = 0; i < 65; i++)
        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): no C string */
        memcpy(id + 4 * i, "\xf0\x9f\x8c\x8a", 4);
    assert_true(device_id_is_legal(id, 4 * 64));
    assert_false(device_id_is_legal(id, 4 * 65));
    assert_false(device_id_is_legal(id, 4 * 64 - 1));
    assert_false(device_id_is_legal(id, 0));
}

static void test_topic__ids_that_look_like_others_are_refused(void **state)
{
    static const struct {
        const char *id;
        bool is_legal;
    } cases[] = {
        {".", false},
        {"..", false},
        {"...", true},
        {".a", true},
        {"a.", true},
        {"a b", true},
        {"\u202ea", false},     /* right to left override; NOLINT(misc-misleading-bidirectional) */
        {"a\u200b", false},     /* zero width space */
        {"a\u00ad", false},     /* soft hyphen */
        {"\ufeffa", false},     /* byte order mark */
        {"a\u2060", false},     /* word joiner */
        {"a\u2028", false},     /* line separator */
        {"a\U000e0041", false}, /* tag */
        {"a\ufe0f", false},     /* variation selector */
        {"\u3164", false},      /* Hangul filler: a letter, and blank */
        {"a\ufffe", false},     /* noncharacter */
        {"a\U0010ffff", false}, /* the last one */
        {"\xc2\x85", false},    /* control */
        {"r\u00fcbe \u6e29\u5ea6", true},
        {"\U0001f600", true},
        {"\ue000", true},     /* private use */
        {"a\u00a0b", true},   /* a space, if one that keeps words together */
        {"cafe\u0301", true}, /* combining acute accent */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (device_id_is_legal(cases[i].id, strlen(cases[i].id)) != cases[i].is_legal)
            fail_msg("case %zu, \"%s\"", i, cases[i].id);
    }
}

static void test_topic__wide_filters_cover_narrow_ones(void **state)
{
    static const struct {
        const char *wide, *narrow;
        bool covers;
    } cases[] = {
        {"#", "a/b", true},         {"a/#", "a/+/c", true},
        {"a/#", "a", true},         {"a/#", "a/#", true},
        {"a/+", "a/b", true},       {"a/+", "a/+", true},
        {"a/+", "a/#", false},      {"a/+", "a", false},
        {"a/b", "a/+", false},      {"a/+/c", "a/b/d", false},
        {"+/b", "a/b", true},       {"+/b", "$SYS/b", false},
        {"#", "$share/g/a", false}, {"$share/g/#", "$share/g/a/b", true},
        {"a/+/#", "a", false},      {"a/#", "b", false},
        {"a", "a/#", false},        {"a/#", "ab", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s %s\n", cases[i].wide, cases[i].narrow);
        assert_int_equal(topic_filter_covers(cases[i].wide, cases[i].narrow), cases[i].covers);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topic__wide_filters_cover_narrow_ones),
        cmocka_unit_test(test_topic__a_filter_has_one_level_for_the_device),
        cmocka_unit_test(test_topic__the_device_id_is_what_stands_for_the_plus),
        cmocka_unit_test(test_topic__a_device_id_has_64_characters_not_bytes),
        cmocka_unit_test(test_topic__ids_that_look_like_others_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
