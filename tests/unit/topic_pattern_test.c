#include "collector/decoders/topic_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int release(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* "a=x,b=y", "no" or what is wrong. */
static const char *matched(bool is_topic, const char *pattern, const char *text)
{
    static char out[200];
    struct topic_pattern compiled;
    struct names names = {0};
    struct text_span captures[NAMES_MAX];
    const char *fault = is_topic ? topic_pattern_parse(&compiled, &arena, &names, pattern)
                                 : text_pattern_parse(&compiled, &arena, &names, pattern);
    int used = 0;

    if (fault)
        return fault;
    if (!topic_pattern_match(&compiled, text, strlen(text), captures))
        return "no";
    out[0] = '\0';
    for (size_t i = 0; i < names.count; i++)
        used += snprintf(out + used, sizeof(out) - (size_t)used, "%s%s=%.*s", i > 0 ? "," : "",
                         names.items[i], (int)captures[i].bytes, captures[i].text);
    return out;
}

struct match_case {
    const char *pattern, *text, *expected;
};

static void test_topic_pattern__levels_are_taken_apart(void **state)
{
    static const struct match_case cases[] = {
        {"tele/{device}/SENSOR", "tele/boiler/SENSOR", "device=boiler"},
        {"tele/{device}/SENSOR", "tele/boiler/STATE", "no"},
        {"tele/{device}/SENSOR", "tele/a/b/SENSOR", "no"},
        {"tele/{device}/SENSOR", "tele//SENSOR", "no"},
        {"tele/{device}/SENSOR", "tele/boiler/SENSOR/", "no"},
        {"{device}/a", "x/a", "device=x"},
        {"/neuron/{n}", "/neuron/n1", "n=n1"},
        {"z/{device*}", "z/a/b/c", "device=a/b/c"},
        {"z/{device*}", "z/a", "device=a"},
        {"z/{device*}", "z/", "no"},
        {"z/{device*}", "z", "no"},
        {"{all*}", "a/b", "all=a/b"},
        {"h/{n}/${attribute}", "h/a/$unit", "n=a,attribute=unit"},
        {"h/{n}/${attribute}", "h/a/unit", "no"},
        {"s/{device}_temperature/state", "s/hot_room_temperature/state", "device=hot_room"},
        {"s/{device}_temperature/state", "s/_temperature/state", "no"},
        {"s/{device}_temperature/state", "s/x/state", "no"},
        {"a/b", "a/b", ""},
        {"$share/g/a/{x}", "a/1", "x=1"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(matched(true, cases[i].pattern, cases[i].text), cases[i].expected);
    (void)state;
}

static void test_topic_pattern__texts_are_taken_apart(void **state)
{
    static const struct match_case cases[] = {
        {"{plant}.{device}.{tag}", "a.b.c", "plant=a,device=b,tag=c"},
        {"{plant}.{device}.{tag}", "a.b", "no"},
        {"{plant}.{device}.{tag}", "a.b.c.d", "no"},
        {"{plant}.{tag*}", "a.b.c.d", "plant=a,tag=b.c.d"},
        {"{device*}_{what}", "hot_room_temperature", "device=hot_room,what=temperature"},
        {"{device*}_{what}", "temperature", "no"},
        {"urn:dev:{id}:{n}", "urn:dev:ow1:t", "id=ow1,n=t"},
        {"n={x}", "n=5", "x=5"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(matched(false, cases[i].pattern, cases[i].text), cases[i].expected);
    (void)state;
}

static void test_topic_pattern__subscriptions_have_wildcards(void **state)
{
    static const char *const cases[][2] = {
        {"tele/{device}/SENSOR", "tele/+/SENSOR"}, {"z/{device*}", "z/#"},       {"{all*}", "#"},
        {"h/{n}/${attribute}", "h/+/+"},           {"/neuron/{n}", "/neuron/+"}, {"a/b", "a/b"},
        {"$share/g/a/{x}", "$share/g/a/+"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct topic_pattern compiled;
        struct names names = {0};

        assert_null(topic_pattern_parse(&compiled, &arena, &names, cases[i][0]));
        assert_string_equal(topic_pattern_subscription(&compiled, &arena), cases[i][1]);
    }
    (void)state;
}

static void test_topic_pattern__mistakes_are_told(void **state)
{
    static const char *const wrong[] = {
        "",       "a/+",     "a/#",      "a/{}",      "a/{1}",        "a/{b",
        "a/b}",   "a/{b c}", "{a}/{a}",  "{key}/x",   "{a}{b}/c",     "{a}-{b}/c",
        "{a*}/b", "x{a*}",   "$share/g", "$share//a", "$share/{g}/a", "a/{b*c}"};
    struct topic_pattern compiled;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct names names = {0};

        print_message("%s\n", wrong[i]);
        assert_non_null(topic_pattern_parse(&compiled, &arena, &names, wrong[i]));
    }
    assert_non_null(text_pattern_parse(&compiled, &arena, &(struct names){0}, "{a*}.{b*}"));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topic_pattern__levels_are_taken_apart),
        cmocka_unit_test(test_topic_pattern__texts_are_taken_apart),
        cmocka_unit_test(test_topic_pattern__subscriptions_have_wildcards),
        cmocka_unit_test(test_topic_pattern__mistakes_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, release);
}
