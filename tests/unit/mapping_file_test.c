#include "collector/decoders/mapping_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define RULE "\"features\":{\"t\":\"/t\"}"

static const char *compiled(const char *text)
{
    static char error[MAPPING_ERROR_SIZE];
    struct mappings mappings;

    error[0] = '\0';
    if (mapping_compile(&mappings, text, strlen(text), zone_load, error)) {
        assert_string_equal(error, "");
        mappings_release(&mappings);
    } else {
        assert_string_not_equal(error, "");
    }
    return error;
}

#define LONG "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" /* 64 */

static void test_mapping_file__mistakes_are_told_with_line_and_key(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"", "line 1: empty"},
        {"[\n{\"topic\":\"a\",}]", "line 2: not_json"},
        {"[] x", "line 1: trailing_bytes"},
        {"[\n\n/* x\n]", "line 3: the comment has no end"},
        {"{}", "line 1: is an object, not an array"},
        {"[]", "there is no mapping"},
        {"[{" RULE "}]", "has no \"topic\""},
        {"[\n{\"topic\":\"a/+\"," RULE "}]", "line 2, topic: \"a/+\" has + or #"},
        {"[{\"topic\":5," RULE "}]", "is a number, not a string"},
        {"[{\"topic\":\"{device}/" LONG LONG LONG LONG "\"," RULE "}]", "is longer than 255 bytes"},
        {"[{\"topic\":\"a/{device}\"}]", "says nothing of a device"},
        {"[{\"topic\":\"a/b\"," RULE "}]", "neither \"topic\" nor \"match\" has a {device}"},
        {"[{\"topic\":\"a/{device}\",\"payload\":\"xml\"," RULE "}]",
         "payload: \"xml\" is not json, text, senml or sparkplug"},
        {"[{\"topic\":\"a/{device}\",\n\"fetures\":{}}]",
         "line 2: there is no key \"fetures\" here; there are each, match"},
        {"[{\"topic\":\"a/{device}\",\"topic\":\"b\"," RULE "}]", "\"topic\" stands there twice"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":\"/a\",\n\"t\":\"/b\"}}]",
         "line 2, features: \"t\" stands there twice"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":\"temp\"}}]",
         "features.t: \"temp\" is no pointer"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":\"/*/x\"}}]",
         "only \"each\" and \"unpack\" have"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":[]}}]", "is an empty list"},
        {"[{\"topic\":\"a/{device}\",\"features\":{}}]", "names no feature"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"a b\":\"/t\"}}]",
         "features.a b: \"a b\" is no name of a feature"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":{\"scale\":2}}}]",
         "features.t: has no \"at\""},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":{\"at\":\"/t\",\"scale\":0}}}]",
         "a scale of 0"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":{\"at\":\"/t\",\"scale\":\"2\"}}}]",
         "is a string, not a number"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":{\"at\":\"/t\",\"units\":\"C\"}}}]",
         "no key \"units\" here; there are at, scale"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":{\"at\":\"/t\",\"unit\":\"a|b\"}}}]",
         "the unit \"a|b\" is not 1 to 24 bytes"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":{\"at\":\"/t\",\"label\":\"\"}}}]",
         "the label \"\" is not 1 to 80 bytes"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":{\"at\":\"/t\",\"unit\":7}}}]",
         "is a number, not a string"},
        {"[{\"topic\":\"a/{device}\",\"features\":{\"t\":{\"at\":\"/t\",\"unit\":\"C\"}}},"
         "{\"topic\":\"b/{device}\",\"features\":{\"t\":{\"at\":\"/t\",\"unit\":\"K\"}}}]",
         "the unit \"K\" is \"C\" elsewhere in the file"},
        {"[{\"topic\":\"a/{device}\",\"feature\":{\"name\":\"x\",\"value\":{\"at\":\"/"
         "t\",\"unit\":\"C\"}}}]",
         "unit stands below a name in \"features\""},
        {"[{\"topic\":\"a/{device}\",\"status\":{\"at\":\"\",\"map\":{\"1\":\"on\"}}}]",
         "status: \"on\" is not one of ON"},
        {"[{\"topic\":\"a/{device}\",\"status\":{\"at\":\"\",\"map\":{}}}]",
         "no text means a status"},
        {"[{\"topic\":\"a/{device}\",\"time\":{\"at\":\"/t\",\"zone\":\"Europe/Nowhere\"}," RULE
         "}]",
         "time: \"Europe/Nowhere\" is no zone"},
        {"[{\"topic\":\"a/{device}\",\"time\":{\"at\":\"/t\",\"format\":\"%H\"}," RULE "}]",
         "time: \"%H\" says no whole date"},
        {"[{\"topic\":\"a/{device}\",\"device\":\"{nobody}\"," RULE "}]",
         "device: \"{nobody}\" has a name in braces"},
        {"[{\"topic\":\"a/{device}\",\"device\":\"{device\"," RULE "}]",
         "a brace without the other one"},
        {"[{\"topic\":\"a/{device}\",\"each\":\"/{device}/*\"," RULE "}]",
         "each: \"/{device}/*\" has a name in braces"},
        {"[{\"topic\":\"a/{device}\",\"match\":{\"{/x}\":\"{device}.{b}\"}," RULE "}]",
         "match: \"{device}.{b}\" has a name that is there already"},
        {"[{\"topic\":\"a/{device}\",\"when\":{\"/x\":[]}," RULE "}]", "when: is an empty list"},
        {"[{\"topic\":\"a/{device}\",\"feature\":{\"name\":\"{/n}\"}}]",
         "feature: needs \"name\" and \"value\""},
        {"[{\"topic\":\"a/{device}\",\"only\":{\"type\":\"x\"}," RULE "}]",
         "only: the topic has no {type}"},
        {"[{\"topic\":\"a/{device}\",\"ignore\":true," RULE "}]", "it is to be ignored"},
        {"[{\"topic\":\"a/{device}\",\"ignore\":1}]", "neither true nor false"},
        {"[{\"topic\":\"a/{device}\",\"payload\":\"text\",\"unpack\":\"/a\"," RULE "}]",
         "unpack is for JSON only"},
        {"[{\"topic\":\"a/{device}\",\"rules\":[]}]", "rules: is an empty list"},
        {"[{\"topic\":\"a/{device}\",\"rules\":[{" RULE "}]," RULE "}]",
         "rules: \"features\" stands beside"},
        {"[{\"topic\":\"a/{device}\",\"rules\":[{\"unpack\":\"/a\"," RULE "}]}]",
         "rules: there is no key \"unpack\""},
        {"[{\"topic\":\"a/{device}\",\"about\":{}}]", "about: says nothing: it needs \"label\""},
        {"[{\"topic\":\"a/{device}\",\"about\":\"/n\"}]", "about: is a string, not an object"},
        {"[{\"topic\":\"a/{device}\",\"about\":{\"name\":\"/n\"}}]",
         "about: there is no key \"name\" here; there are label, group, location"},
        {"[{\"topic\":\"a/{device}\",\"about\":{\"label\":[]}}]", "about.label: is an empty list"},
        {"[{\"topic\":\"a/{device}\",\"about\":{\"label\":7}}]", "about.label: is a number, not"},
        {"[{\"topic\":\"a/{device}\",\"about\":{\"group\":\"{name}\"}}]",
         "about.group: \"{name}\" has a name in braces that is not known here"},
        {"[{\"topic\":\"a/{device}\",\"about\":{\"group\":\"/*/x\"}}]",
         "about.group: \"/*/x\" has a *"},
        {"[{\"topic\":\"a/{device}\",\"about\":{\"location\":{\"latitude\":\"/y\"}}}]",
         "about.location: needs \"latitude\" and \"longitude\""},
        {"[{\"topic\":\"a/{device}\",\"about\":{\"label\":\"/n\"}," RULE "}]",
         "\"features\" stands beside \"about\", which gives no reading"},
        {"[{\"topic\":\"a/{device}\",\"rules\":[{\"about\":{\"label\":\"/n\"},\"time\":\"/t\"}]}]",
         "rules: \"time\" stands beside \"about\""},
        {"[{\"topic\":\"a/{device}\",\"rules\":[{" RULE "}],\"about\":{\"label\":\"/n\"}}]",
         "rules: \"about\" stands beside \"rules\""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *error = compiled(cases[i].text);

        if (!strstr(error, cases[i].told))
            fail_msg("%s\n  says %s\n  not  %s", cases[i].text, error, cases[i].told);
    }
    (void)state;
}

static void test_mapping_file__comments_may_stand_anywhere(void **state)
{
    assert_string_equal(
        compiled("// a\n[/* b */{\"topic\":/**/\"http://{device}/*x*/\", // \"c\n" RULE "}]\n//"),
        "");
    assert_string_equal(compiled("[{\"topic\":\"a/{device}\",\"features\":{\"t\":\"/a\\\"//\"}}]"),
                        "");
    (void)state;
}

static void test_mapping_file__features_follow_in_their_order(void **state)
{
    static const char *const text =
        "[{\"topic\":\"a/{device}\",\"features\":{\"b\":\"/b\",\"a.x\":\"/a\"}},"
        "{\"topic\":\"b/{device}\",\"feature\":{\"name\":\"{/"
        "n}\",\"value\":\"\",\"rename\":{\"q\":\"Q-1\",\"r\":\"b\"}}}]";
    char error[MAPPING_ERROR_SIZE];
    struct mappings mappings;
    struct features features;
    static const struct features none;

    assert_true(mapping_compile(&mappings, text, strlen(text), zone_load, error));
    assert_true(mappings_features(&mappings, &none, &features, error));
    assert_int_equal(features.count, 3);
    assert_string_equal(features.names[0], "b");
    assert_string_equal(features.names[1], "a.x");
    assert_string_equal(features.names[2], "Q-1");
    assert_int_equal(mappings.items[1].line, 1);
    mappings_release(&mappings);
    (void)state;
}

static void test_mapping_file__features_have_units_and_labels(void **state)
{
    static const char *const text = "[{\"topic\":\"a/{device}\",\"features\":{\"a\":{\"at\":\"/"
                                    "a\",\"unit\":\"V\",\"label\":\"Battery\"},"
                                    "\"b\":{\"at\":\"/b\",\"unit\":\"A\"}}},"
                                    "{\"topic\":\"b/{device}\",\"features\":{\"a\":\"/"
                                    "a\",\"b\":{\"at\":\"/x\",\"unit\":\"A\"}}}]";
    char error[MAPPING_ERROR_SIZE];
    struct mappings mappings;
    struct features features;
    struct features more;

    assert_true(features_parse(&more, "c[W],a[mV]", error, sizeof(error)));
    assert_true(mapping_compile(&mappings, text, strlen(text), zone_load, error));
    assert_true(mappings_features(&mappings, &more, &features, error));
    assert_int_equal(features.count, 3);
    assert_string_equal(features.units[0], "mV");       /* FEATURES wins, */
    assert_string_equal(features.labels[0], "Battery"); /* where it says something */
    assert_string_equal(features.units[1], "A");
    assert_string_equal(features.units[2], "W");
    mappings_release(&mappings);
    (void)state;
}

static void test_mapping_file__a_file_that_is_not_there_says_so(void **state)
{
    char error[MAPPING_ERROR_SIZE];
    struct mappings mappings;

    assert_false(mapping_load(&mappings, "/nowhere/at/all.json", error));
    assert_non_null(strstr(error, "cannot be read"));
    assert_false(mapping_load(&mappings, "/", error));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mapping_file__mistakes_are_told_with_line_and_key),
        cmocka_unit_test(test_mapping_file__comments_may_stand_anywhere),
        cmocka_unit_test(test_mapping_file__features_follow_in_their_order),
        cmocka_unit_test(test_mapping_file__features_have_units_and_labels),
        cmocka_unit_test(test_mapping_file__a_file_that_is_not_there_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
