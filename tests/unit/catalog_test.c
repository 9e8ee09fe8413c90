#include "httpapi/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { START_MS = 5000, SETTLED_MS = START_MS + CATALOG_GUESS_MS };

static struct catalog *catalog;
static struct catalog_chooser chooser;

static struct features features_of(const char *names)
{
    struct features features;

    catalog_parse_columns(&features, names);
    return features;
}

static struct catalog_offer offer_of(const char *features, const char *intervals)
{
    struct catalog_offer offer = {.features = features_of(features), .is_complete = false};
    char error[300];

    assert_true(intervals_parse(&offer.intervals, intervals, error, sizeof(error)));
    return offer;
}

static const struct catalog_offer nobody;

static int start_with(bool has_features, bool has_intervals)
{
    struct catalog_offer defaults = offer_of(FEATURES_DEFAULT, INTERVALS_DEFAULT);

    catalog_release(catalog);
    catalog = catalog_new(&defaults.features, &defaults.intervals);
    catalog_chooser_init(&chooser, has_features, has_intervals);
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_with(false, false);
}

static int end(void **state)
{
    (void)state;
    catalog_release(catalog);
    catalog = NULL;
    return 0;
}

/* One answer of the database. True when there is another catalog. */
static bool look(const struct catalog_offer *offer, const char *columns, uint64_t now_ms)
{
    struct features parsed = features_of(columns);
    struct catalog *chosen = catalog_choose(&chooser, catalog, offer, &parsed, now_ms);

    if (!chosen)
        return false;
    catalog_release(catalog);
    catalog = chosen;
    return true;
}

static void assert_features(const char *names)
{
    struct features expected = features_of(names);

    assert_int_equal(catalog->features.count, expected.count);
    for (size_t i = 0; i < expected.count; i++)
        assert_string_equal(catalog->features.names[i], expected.names[i]);
}

static void test_catalog__before_a_collector_is_heard_it_is_the_tables(void **state)
{
    (void)state;
    assert_false(look(&nobody, "", START_MS));
    assert_false(chooser.is_settled);
    assert_true(look(&nobody, "a,b", START_MS + 100));
    assert_features("a,b");
    assert_int_equal(catalog->intervals.count, 3);
    assert_false(chooser.is_settled);
    assert_false(look(&nobody, "a,b", SETTLED_MS));
    assert_true(chooser.is_settled);
}

static void test_catalog__collectors_win_over_the_table_at_once(void **state)
{
    struct catalog_offer offer = offer_of("b,c", "past_day=1d");

    (void)state;
    assert_true(look(&offer, "a,b,c", START_MS));
    assert_features("b,c");
    assert_string_equal(catalog->intervals.items[0].name, "past_day");
    assert_false(chooser.is_settled); /* one has not published yet */
    offer = offer_of("a,b", "past_day=1d");
    offer.is_complete = true;
    assert_true(look(&offer, "a,b,c", START_MS + 10));
    assert_features("a,b");
    assert_true(chooser.is_settled);
}

static void test_catalog__a_change_counts_when_it_has_stood(void **state)
{
    struct catalog_offer one = offer_of("a", "past_day=1d");
    struct catalog_offer two = offer_of("b", "past_day=1d");
    struct catalog_offer three = offer_of("a", "past_day=2d");

    (void)state;
    one.is_complete = true;
    assert_true(look(&one, "a,b", START_MS));
    assert_false(look(&two, "a,b", 10000));
    assert_false(look(&three, "a,b", 10900)); /* another one: it begins again */
    assert_false(look(&three, "a,b", 11899));
    assert_false(look(&one, "a,b", 11950)); /* back */
    assert_false(look(&three, "a,b", 12000));
    assert_true(look(&three, "a,b", 13000));
    assert_true(catalog->intervals.items[0].length_us == INT64_C(2) * 86400 * 1000000);
}

static void test_catalog__what_collectors_said_stays_while_none_is_heard(void **state)
{
    struct catalog_offer offer = offer_of("b", "past_day=1d");

    (void)state;
    assert_true(look(&offer, "a,b", START_MS));
    assert_false(look(&nobody, "a,b", 20000));
    assert_false(look(&nobody, "a,b", 60000));
    assert_features("b");
}

static void test_catalog__a_feature_without_a_column_is_none(void **state)
{
    struct catalog_offer offer = offer_of("a,ghost", "past_day=1d");
    struct catalog_offer ghosts = offer_of("ghost", "past_week=7d");

    (void)state;
    offer.is_complete = true;
    assert_true(look(&offer, "a", START_MS));
    assert_features("a");
    assert_false(look(&ghosts, "a", 20000));
    assert_false(look(&ghosts, "a", 30000));
    assert_string_equal(catalog->intervals.items[0].name, "past_day");
}

static void test_catalog__settings_win(void **state)
{
    struct catalog_offer offer = offer_of("a", "past_day=1d");

    (void)state;
    start_with(true, true);
    assert_true(chooser.is_settled);
    assert_false(look(&offer, "a", START_MS));
    start_with(true, false);
    assert_true(look(&offer, "a", START_MS));
    assert_features(FEATURES_DEFAULT);
    assert_string_equal(catalog->intervals.items[0].name, "past_day");
    start_with(false, true);
    assert_true(look(&offer, "a", START_MS));
    assert_features("a");
    assert_int_equal(catalog->intervals.count, 3);
}

static void test_catalog__of_units_the_first_collector_says_and_then_the_column(void **state)
{
    struct catalog_offer offer = offer_of("a[x],b,c", "past_hour=1h");
    struct features other = features_of("a[y|A],b[z],d[u]");

    (void)state;
    catalog_add_features(&offer.features, &other);
    offer.is_complete = true;
    assert_true(look(&offer, "a[p|P],b[q|B],c[r|no, one's],e", 0));
    assert_features("a,b,c");
    assert_string_equal(catalog->features.units[0], "x");
    assert_string_equal(catalog->features.labels[0], "A");
    assert_string_equal(catalog->features.units[1], "z");
    assert_string_equal(catalog->features.labels[1], "B");
    assert_string_equal(catalog->features.units[2], "r");
    assert_string_equal(catalog->features.labels[2], "no, one's");
    offer = offer_of("a[new],b,c", "past_hour=1h");
    assert_false(look(&offer, "a,b,c", 10));
    assert_true(look(&offer, "a,b,c", 10 + CATALOG_STABLE_MS));
    assert_string_equal(catalog->features.units[0], "new");
    assert_string_equal(catalog->features.units[1], "");
}

static void test_catalog__only_legal_names_are_added_each_once(void **state)
{
    static const char *const bad[] = {"", "-a", "a b", "a\"", "device", "a,b", "9", "count"};
    static const char *const bad_intervals[] = {"", "A", "a=1s", "a,b", "everything"};
    struct features features = {0};
    struct intervals intervals = {0};
    char name[8];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        catalog_add_feature(&features, bad[i], NULL, NULL);
    assert_int_equal(features.count, 0);
    for (size_t i = 0; i < FEATURES_MAX + 50; i++) {
        strcpy(name, "f000");
        name[1] = (char)('0' + i / 100);
        name[2] = (char)('0' + i / 10 % 10);
        name[3] = (char)('0' + i % 10);
        catalog_add_feature(&features, name, NULL, NULL);
        catalog_add_feature(&features, name, NULL, NULL);
    }
    assert_int_equal(features.count, FEATURES_MAX);
    for (size_t i = 0; i < sizeof(bad_intervals) / sizeof(bad_intervals[0]); i++)
        catalog_add_interval(&intervals, bad_intervals[i],
                             i == 4 ? INTERVAL_ALL_TIME : INT64_C(1000000));
    catalog_add_interval(&intervals, "none", 0);
    catalog_add_interval(&intervals, "ages", INT64_MAX - 1);
    assert_int_equal(intervals.count, 0);
    catalog_add_interval(&intervals, "all_time", INTERVAL_ALL_TIME);
    catalog_add_interval(&intervals, "past_second", 1000000);
    catalog_add_interval(&intervals, "past_second", 2000000);
    assert_int_equal(intervals.count, 2);
    assert_true(intervals.items[1].length_us == 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_catalog__before_a_collector_is_heard_it_is_the_tables,
                                        start, end),
        cmocka_unit_test_setup_teardown(test_catalog__collectors_win_over_the_table_at_once, start,
                                        end),
        cmocka_unit_test_setup_teardown(test_catalog__a_change_counts_when_it_has_stood, start,
                                        end),
        cmocka_unit_test_setup_teardown(
            test_catalog__what_collectors_said_stays_while_none_is_heard, start, end),
        cmocka_unit_test_setup_teardown(test_catalog__a_feature_without_a_column_is_none, start,
                                        end),
        cmocka_unit_test_setup_teardown(test_catalog__settings_win, start, end),
        cmocka_unit_test_setup_teardown(
            test_catalog__of_units_the_first_collector_says_and_then_the_column, start, end),
        cmocka_unit_test(test_catalog__only_legal_names_are_added_each_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
