#include "tests/unit/sparkplug_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- names -------------------------------------------------------------------------------- */

static void test_sparkplug__data_gets_name_and_type_of_its_birth(void **state)
{
    (void)state;
    sp_be_born();
    assert_int_equal(sp_data(1, 2, T0 + 1), SPARKPLUG_READ);
    assert_string_equal(
        buffer_text(&sp.json),
        "{\"timestamp\":1001,\"seq\":2,\"metrics\":[{\"name\":\"Oil\",\"timestamp\":1001,"
        "\"value\":-1}]}");
}

static void test_sparkplug__values_are_written_as_what_they_are(void **state)
{
    const struct sparkplug_metric metrics[] = {
        {.name = {"f", 1},
         .field = SPARKPLUG_IN_FLOAT,
         .real = 58.5,
         .has_timestamp = true,
         .timestamp_ms = 7},
        {.name = {"d", 1}, .field = SPARKPLUG_IN_DOUBLE, .real = 0.1},
        {.name = {"b", 1}, .field = SPARKPLUG_IN_BOOLEAN, .whole = 1, .is_historical = true},
        {.name = {"\"\n", 2}, .field = SPARKPLUG_IN_STRING, .text = {"\\", 1}},
        {.name = {"n", 1}, .is_null = true},
        {.name = {"u", 1},
         .type = SPARKPLUG_UINT64,
         .field = SPARKPLUG_IN_LONG,
         .whole = UINT64_MAX},
        {.name = {"i", 1},
         .type = SPARKPLUG_INT64,
         .field = SPARKPLUG_IN_LONG,
         .whole = UINT64_C(1) << 63},
        {.field = SPARKPLUG_IN_INT, .whole = 1},
    };

    (void)state;
    assert_int_equal(sp_take(DBIRTH, 1, 0, metrics, 8), SPARKPLUG_READ);
    assert_string_equal(
        buffer_text(&sp.json),
        "{\"seq\":1,\"metrics\":[{\"name\":\"f\",\"timestamp\":7,\"value\":58.5},"
        "{\"name\":\"d\",\"value\":0.1},"
        "{\"name\":\"b\",\"value\":true},"
        "{\"name\":\"\\\"\\u000a\",\"value\":\"\\\\\"},{\"name\":\"n\",\"value\":null},"
        "{\"name\":\"u\",\"value\":18446744073709551615},"
        "{\"name\":\"i\",\"value\":-9223372036854775808}]}");
}

static void test_sparkplug__a_name_without_an_alias_has_its_type_of_the_birth(void **state)
{
    const struct sparkplug_metric metric = {
        .name = {"Oil", 3}, .field = SPARKPLUG_IN_INT, .whole = 0xfffe};
    const struct sparkplug_metric stranger = {
        .name = {"Gas", 3}, .field = SPARKPLUG_IN_INT, .whole = 0xfffe};

    (void)state;
    sp_be_born();
    assert_int_equal(sp_take(DDATA, 2, T0, &metric, 1), SPARKPLUG_READ);
    assert_non_null(strstr(buffer_text(&sp.json), "\"value\":-2"));
    assert_int_equal(sp_take(DDATA, 3, T0, &stranger, 1), SPARKPLUG_REJECTED);
    assert_int_equal(sp.result.error, READING_UNKNOWN_ALIAS);
}

static void test_sparkplug__an_alias_of_two_names_is_no_birth(void **state)
{
    const struct sparkplug_metric metrics[] = {
        {.name = {"a", 1}, .has_alias = true, .alias = 9, .field = SPARKPLUG_IN_FLOAT},
        {.name = {"b", 1}, .has_alias = true, .alias = 9, .field = SPARKPLUG_IN_FLOAT},
    };

    (void)state;
    assert_int_equal(sp_take(DBIRTH, 1, T0, metrics, 2), SPARKPLUG_REJECTED);
    assert_int_equal(sp.result.error, READING_DUPLICATE_MEMBER);
    assert_non_null(strstr(sp.result.detail, "alias 9"));
}

static void test_sparkplug__far_apart_aliases_are_found(void **state)
{
    struct sparkplug_metric metrics[40];
    char names[40][8];

    (void)state;
    for (size_t i = 0; i < 40; i++) {
        snprintf(names[i], sizeof(names[i]), "m%zu", i);
        metrics[i] = (struct sparkplug_metric){.name = {names[i], strlen(names[i])},
                                               .has_alias = true,
                                               .alias = (40 - i) * (40 - i) * 1000003,
                                               .type = SPARKPLUG_INT8,
                                               .field = SPARKPLUG_IN_INT};
    }
    assert_int_equal(sp_take(DBIRTH, 1, T0, metrics, 40), SPARKPLUG_READ);
    for (size_t i = 0; i < 40; i++) {
        char wanted[32];

        snprintf(wanted, sizeof(wanted), "{\"name\":\"m%zu\"", i);
        assert_int_equal(sp_data(metrics[i].alias, 2 + (int)i, T0), SPARKPLUG_READ);
        assert_non_null(strstr(buffer_text(&sp.json), wanted));
        assert_int_equal(sp_data(metrics[i].alias + 1, 2, T0), SPARKPLUG_REJECTED);
    }
}

static void test_sparkplug__a_name_that_is_no_text_is_rejected(void **state)
{
    const struct sparkplug_metric bad = {.name = {"\xff", 1}, .field = SPARKPLUG_IN_FLOAT};
    const struct sparkplug_metric nul = {.name = {"a\0", 2}, .field = SPARKPLUG_IN_FLOAT};

    (void)state;
    assert_int_equal(sp_take(DBIRTH, 1, T0, &bad, 1), SPARKPLUG_REJECTED);
    assert_int_equal(sp.result.error, READING_INVALID_UTF8);
    assert_int_equal(sp_take(DDATA, 2, T0, &nul, 1), SPARKPLUG_REJECTED);
    assert_int_equal(sp.result.error, READING_NUL_CHARACTER);
}

/* ---- unknown ------------------------------------------------------------------------------ */

static void test_sparkplug__data_before_its_birth_is_rejected_and_read_after_it(void **state)
{
    (void)state;
    assert_int_equal(sp_data(1, 7, T0), SPARKPLUG_REJECTED);
    assert_int_equal(sp.result.error, READING_UNKNOWN_ALIAS);
    assert_int_equal(sp_requests(), 1);
    sp_be_born();
    sp.is_again = true;
    assert_int_equal(sp_data(1, 7, T0), SPARKPLUG_READ);
    sp.is_again = false;
    assert_int_equal(sp_data(1, 2, T0), SPARKPLUG_READ);
    assert_int_equal(sp_requests(), 0);
}

static void test_sparkplug__an_unknown_alias_of_a_node_that_was_born_asks(void **state)
{
    (void)state;
    sp_be_born();
    assert_int_equal(sp_data(2, 2, T0), SPARKPLUG_REJECTED);
    assert_int_equal(sp_requests(), 1);
    assert_int_equal(sp.state.counters.unknown, 1);
}

static void test_sparkplug__a_device_has_to_be_born_again_with_its_node(void **state)
{
    (void)state;
    sp_be_born();
    sp_nbirth(3, 0, T0);
    assert_int_equal(sp_data(1, 1, T0), SPARKPLUG_REJECTED);
    assert_int_equal(sp_requests(), 1);
}

/* ---- what is odd -------------------------------------------------------------------------- */

static void test_sparkplug__commands_and_other_topics_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(sp_take("spBv1.0/G/NCMD/E", -1, T0, NULL, 0), SPARKPLUG_NOTHING);
    assert_int_equal(sp_take("spBv1.0/G/DCMD/E/D", -1, T0, NULL, 0), SPARKPLUG_NOTHING);
    assert_int_equal(sp_take("spBv1.0/STATE/x", -1, T0, NULL, 0), SPARKPLUG_NOTHING);
    assert_int_equal(sp_take("spBv1.0/G/DBIRTH/E", 0, T0, NULL, 0), SPARKPLUG_REJECTED);
    assert_int_equal(sp.result.error, READING_NO_SUCH_TOPIC);
    assert_int_equal(sp_ndeath(0), SPARKPLUG_NOTHING);
    assert_false(sparkplug_has_changes(&sp.state));
}

static void test_sparkplug__a_name_in_the_topic_may_be_too_long(void **state)
{
    char topic[300] = "spBv1.0/G/NBIRTH/";

    (void)state;
    memset(topic + strlen(topic), 'x', SPARKPLUG_ID_MOST + 1);
    assert_int_equal(sp_take(topic, 0, T0, NULL, 0), SPARKPLUG_REJECTED);
    assert_int_equal(sp.result.error, READING_BAD_DEVICE_ID);
    topic[strlen(topic) - 1] = '\0';
    assert_int_equal(sp_take(topic, 0, T0, NULL, 0), SPARKPLUG_READ);
}

static void test_sparkplug__strangers_are_known_up_to_a_number(void **state)
{
    char topic[64];

    (void)state;
    for (int i = 0; i < SPARKPLUG_NODES_MOST; i++) {
        snprintf(topic, sizeof(topic), "spBv1.0/G/NDATA/%d", i);
        assert_int_equal(sp_take(topic, 0, T0, NULL, 0), SPARKPLUG_READ);
    }
    assert_int_equal(sp_take("spBv1.0/G/NDATA/x", 0, T0, NULL, 0), SPARKPLUG_REJECTED);
    assert_int_equal(sp.result.error, READING_TOO_MANY_MEMBERS);
}

static void test_sparkplug__a_request_is_what_the_specification_says(void **state)
{
    struct sparkplug_reader reader = {0};
    struct sparkplug_payload payload;
    struct sparkplug_metric metric;
    struct buffer bytes = {0};

    (void)state;
    sparkplug_put_request(&bytes, 5000);
    assert_int_equal(sparkplug_read(&reader, bytes.data, bytes.bytes, &payload), SPARKPLUG_FINE);
    metric = sparkplug_metric_at(&reader, 0);
    assert_true(payload.has_timestamp && payload.timestamp_ms == 5 && !payload.has_seq);
    assert_int_equal(metric.name.bytes, strlen("Node Control/Rebirth"));
    assert_memory_equal(metric.name.text, "Node Control/Rebirth", metric.name.bytes);
    assert_true(metric.type == 11 && metric.field == SPARKPLUG_IN_BOOLEAN && metric.whole == 1);
    sparkplug_reader_release(&reader);
    buffer_release(&bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sp_setup, sp_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sparkplug__data_gets_name_and_type_of_its_birth),
        TEST(test_sparkplug__values_are_written_as_what_they_are),
        TEST(test_sparkplug__a_name_without_an_alias_has_its_type_of_the_birth),
        TEST(test_sparkplug__an_alias_of_two_names_is_no_birth),
        TEST(test_sparkplug__far_apart_aliases_are_found),
        TEST(test_sparkplug__a_name_that_is_no_text_is_rejected),
        TEST(test_sparkplug__data_before_its_birth_is_rejected_and_read_after_it),
        TEST(test_sparkplug__an_unknown_alias_of_a_node_that_was_born_asks),
        TEST(test_sparkplug__a_device_has_to_be_born_again_with_its_node),
        TEST(test_sparkplug__commands_and_other_topics_change_nothing),
        TEST(test_sparkplug__a_name_in_the_topic_may_be_too_long),
        TEST(test_sparkplug__strangers_are_known_up_to_a_number),
        TEST(test_sparkplug__a_request_is_what_the_specification_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
