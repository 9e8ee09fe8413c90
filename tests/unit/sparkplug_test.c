#include "collector/decoders/sparkplug.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NBIRTH "spBv1.0/G/NBIRTH/E"
#define NDEATH "spBv1.0/G/NDEATH/E"
#define DBIRTH "spBv1.0/G/DBIRTH/E/D"
#define DDATA "spBv1.0/G/DDATA/E/D"
#define DDEATH "spBv1.0/G/DDEATH/E/D"

enum { T0 = 1000 };

struct fixture {
    struct sparkplug state;
    struct buffer json;
    struct sparkplug_result result;
    uint64_t epoch;
    int64_t now_us;
    bool is_again;
};

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    f = (struct fixture){.epoch = 1, .now_us = 1000000};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sparkplug_release(&f.state);
    buffer_release(&f.json);
    return 0;
}

static enum sparkplug_outcome take(const char *topic, int seq, uint64_t at_ms,
                                   const struct sparkplug_metric *metrics, size_t count)
{
    const struct sparkplug_payload payload = {.has_timestamp = at_ms > 0,
                                              .timestamp_ms = at_ms,
                                              .has_seq = seq >= 0,
                                              .seq = (uint64_t)seq,
                                              .metric_count = count};
    struct buffer bytes = {0};
    struct sparkplug_message message = {
        .topic = topic, .epoch = f.epoch, .now_us = f.now_us, .is_again = f.is_again};
    enum sparkplug_outcome outcome;

    sparkplug_write(&bytes, &payload, metrics);
    message.payload = bytes.data;
    message.bytes = bytes.bytes;
    buffer_clear(&f.json);
    outcome = sparkplug_take(&f.state, &message, &f.json, &f.result);
    buffer_release(&bytes);
    return outcome;
}

static enum sparkplug_outcome nbirth(int bd_seq, int seq, uint64_t at_ms)
{
    const struct sparkplug_metric metric = {.name = {"bdSeq", 5},
                                            .type = SPARKPLUG_INT64,
                                            .field = SPARKPLUG_IN_LONG,
                                            .whole = (uint64_t)bd_seq};

    return take(NBIRTH, seq, at_ms, &metric, 1);
}

static enum sparkplug_outcome ndeath(int bd_seq)
{
    const struct sparkplug_metric metric = {
        .name = {"bdSeq", 5}, .field = SPARKPLUG_IN_LONG, .whole = (uint64_t)bd_seq};

    return take(NDEATH, -1, T0, &metric, 1);
}

/* Alias 1 is an Int16. */
static enum sparkplug_outcome dbirth_as(const char *name, int seq, uint64_t at_ms)
{
    const struct sparkplug_metric metric = {.name = {name, strlen(name)},
                                            .has_alias = true,
                                            .alias = 1,
                                            .type = SPARKPLUG_INT16,
                                            .field = SPARKPLUG_IN_INT,
                                            .whole = 20};

    return take(DBIRTH, seq, at_ms, &metric, 1);
}

static enum sparkplug_outcome dbirth(int seq, uint64_t at_ms)
{
    return dbirth_as("Oil", seq, at_ms);
}

static enum sparkplug_outcome data(uint64_t alias, int seq, uint64_t at_ms)
{
    const struct sparkplug_metric metric = {
        .has_alias = true, .alias = alias, .field = SPARKPLUG_IN_INT, .whole = 0xffff};

    return take(DDATA, seq, at_ms, &metric, 1);
}

static size_t requests(void)
{
    size_t count = 0;

    while (sparkplug_next_request(&f.state))
        count++;
    return count;
}

static void be_born(void)
{
    assert_int_equal(nbirth(3, 0, T0), SPARKPLUG_READ);
    assert_int_equal(dbirth(1, T0), SPARKPLUG_READ);
    assert_int_equal(requests(), 0);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void test_sparkplug__data_gets_name_and_type_of_its_birth(void **state)
{
    (void)state;
    be_born();
    assert_int_equal(data(1, 2, T0 + 1), SPARKPLUG_READ);
    assert_string_equal(
        buffer_text(&f.json),
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
    assert_int_equal(take(DBIRTH, 1, 0, metrics, 8), SPARKPLUG_READ);
    assert_string_equal(
        buffer_text(&f.json),
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
    be_born();
    assert_int_equal(take(DDATA, 2, T0, &metric, 1), SPARKPLUG_READ);
    assert_non_null(strstr(buffer_text(&f.json), "\"value\":-2"));
    assert_int_equal(take(DDATA, 3, T0, &stranger, 1), SPARKPLUG_REJECTED);
    assert_int_equal(f.result.error, READING_UNKNOWN_ALIAS);
}

static void test_sparkplug__an_alias_of_two_names_is_no_birth(void **state)
{
    const struct sparkplug_metric metrics[] = {
        {.name = {"a", 1}, .has_alias = true, .alias = 9, .field = SPARKPLUG_IN_FLOAT},
        {.name = {"b", 1}, .has_alias = true, .alias = 9, .field = SPARKPLUG_IN_FLOAT},
    };

    (void)state;
    assert_int_equal(take(DBIRTH, 1, T0, metrics, 2), SPARKPLUG_REJECTED);
    assert_int_equal(f.result.error, READING_DUPLICATE_MEMBER);
    assert_non_null(strstr(f.result.detail, "alias 9"));
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
    assert_int_equal(take(DBIRTH, 1, T0, metrics, 40), SPARKPLUG_READ);
    for (size_t i = 0; i < 40; i++) {
        char wanted[32];

        snprintf(wanted, sizeof(wanted), "{\"name\":\"m%zu\"", i);
        assert_int_equal(data(metrics[i].alias, 2 + (int)i, T0), SPARKPLUG_READ);
        assert_non_null(strstr(buffer_text(&f.json), wanted));
        assert_int_equal(data(metrics[i].alias + 1, 2, T0), SPARKPLUG_REJECTED);
    }
}

static void test_sparkplug__a_name_that_is_no_text_is_rejected(void **state)
{
    const struct sparkplug_metric bad = {.name = {"\xff", 1}, .field = SPARKPLUG_IN_FLOAT};
    const struct sparkplug_metric nul = {.name = {"a\0", 2}, .field = SPARKPLUG_IN_FLOAT};

    (void)state;
    assert_int_equal(take(DBIRTH, 1, T0, &bad, 1), SPARKPLUG_REJECTED);
    assert_int_equal(f.result.error, READING_INVALID_UTF8);
    assert_int_equal(take(DDATA, 2, T0, &nul, 1), SPARKPLUG_REJECTED);
    assert_int_equal(f.result.error, READING_NUL_CHARACTER);
}

/* ---- the sequence --------------------------------------------------------------------------- */

static void test_sparkplug__the_sequence_goes_round(void **state)
{
    (void)state;
    be_born();
    for (int seq = 2; seq < 600; seq++)
        assert_int_equal(data(1, seq % 256, T0), SPARKPLUG_READ);
    assert_int_equal(requests(), 0);
}

static void test_sparkplug__a_gap_asks_for_a_birth_and_loses_nothing(void **state)
{
    const struct sparkplug_node *node;

    (void)state;
    be_born();
    assert_int_equal(data(1, 3, T0), SPARKPLUG_READ);
    node = sparkplug_next_request(&f.state);
    assert_string_equal(node->group, "G");
    assert_string_equal(node->edge, "E");
    assert_int_equal(requests(), 0);
    f.now_us += 600000000;
    be_born();
    assert_int_equal(data(1, 2, T0), SPARKPLUG_READ);
    assert_int_equal(requests(), 0);
}

static void test_sparkplug__the_same_number_again_and_one_out_of_range_are_gaps(void **state)
{
    static const int bad[] = {1, 0, 255, 258, 256};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        f.now_us += 600000000;
        be_born();
        data(1, bad[i], T0);
        assert_int_equal(requests(), 1);
    }
}

static void test_sparkplug__a_node_that_does_not_answer_is_asked_less_and_less(void **state)
{
    size_t asked = 0;

    (void)state;
    for (int s = 0; s < 3600; s++) {
        f.now_us += 1000000;
        data(1, s % 256, T0);
        asked += requests();
    }
    assert_in_range(asked, 15, 25);
    f.now_us += 600000000;
    be_born();
    data(1, 9, T0);
    assert_int_equal(requests(), 1);
}

static void
test_sparkplug__births_that_follow_gaps_are_not_asked_for_more_than_once_a_second(void **state)
{
    size_t asked = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        f.now_us += 10000;
        nbirth(3, 0, T0);
        data(1, 100, T0);
        asked += requests();
    }
    assert_in_range(asked, 9, 11);
}

static void test_sparkplug__what_is_sent_again_after_a_reconnect_is_no_gap(void **state)
{
    (void)state;
    be_born();
    for (int seq = 2; seq < 9; seq++)
        data(1, seq, T0 + (uint64_t)seq);
    f.epoch++;
    for (int seq = 6; seq < 12; seq++)
        assert_int_equal(data(1, seq, T0 + (uint64_t)seq), SPARKPLUG_READ);
    assert_int_equal(requests(), 0);
}

static void test_sparkplug__a_gap_after_a_reconnect_is_one(void **state)
{
    (void)state;
    be_born();
    f.epoch++;
    data(1, 4, T0 + 5);
    assert_int_equal(requests(), 1);
}

static void test_sparkplug__an_old_number_with_a_new_time_is_a_gap_after_a_reconnect(void **state)
{
    (void)state;
    be_born();
    data(1, 2, T0);
    f.epoch++;
    data(1, 1, T0 + 5);
    assert_int_equal(requests(), 1);
}

/* Its aliases may have been others then. */
static void test_sparkplug__what_is_sent_again_is_not_read_by_a_later_birth(void **state)
{
    (void)state;
    be_born();
    assert_int_equal(data(1, 2, T0 + 1), SPARKPLUG_READ);
    nbirth(4, 0, T0 + 10);
    dbirth_as("Gas", 1, T0 + 10);
    data(1, 2, T0 + 11);
    f.epoch++;
    assert_int_equal(data(1, 2, T0 + 1), SPARKPLUG_REJECTED);
    assert_int_equal(f.result.error, READING_UNKNOWN_ALIAS);
    nbirth(4, 0, T0 + 10);
    dbirth_as("Gas", 1, T0 + 10);
    assert_int_equal(data(1, 2, T0 + 11), SPARKPLUG_READ);
    assert_int_equal(requests(), 0);
}

/* ---- unknown -------------------------------------------------------------------------------- */

static void test_sparkplug__data_before_its_birth_is_rejected_and_read_after_it(void **state)
{
    (void)state;
    assert_int_equal(data(1, 7, T0), SPARKPLUG_REJECTED);
    assert_int_equal(f.result.error, READING_UNKNOWN_ALIAS);
    assert_int_equal(requests(), 1);
    be_born();
    f.is_again = true;
    assert_int_equal(data(1, 7, T0), SPARKPLUG_READ);
    f.is_again = false;
    assert_int_equal(data(1, 2, T0), SPARKPLUG_READ);
    assert_int_equal(requests(), 0);
}

static void test_sparkplug__an_unknown_alias_of_a_node_that_was_born_asks(void **state)
{
    (void)state;
    be_born();
    assert_int_equal(data(2, 2, T0), SPARKPLUG_REJECTED);
    assert_int_equal(requests(), 1);
    assert_int_equal(f.state.counters.unknown, 1);
}

static void test_sparkplug__a_device_has_to_be_born_again_with_its_node(void **state)
{
    (void)state;
    be_born();
    nbirth(3, 0, T0);
    assert_int_equal(data(1, 1, T0), SPARKPLUG_REJECTED);
    assert_int_equal(requests(), 1);
}

/* ---- deaths --------------------------------------------------------------------------------- */

static void test_sparkplug__a_node_takes_its_devices_along(void **state)
{
    const struct sparkplug_death *deaths;
    size_t count;

    (void)state;
    be_born();
    assert_int_equal(ndeath(3), SPARKPLUG_DIED);
    deaths = sparkplug_deaths(&f.state, &count);
    assert_int_equal(count, 2);
    assert_string_equal(deaths[0].edge, "E");
    assert_true(strcmp(deaths[0].device, "D") == 0 || strcmp(deaths[1].device, "D") == 0);
    assert_int_equal(requests(), 0);
    assert_int_equal(data(1, 2, T0), SPARKPLUG_REJECTED);
    assert_int_equal(requests(), 1);
}

static void test_sparkplug__a_death_of_an_earlier_birth_is_late(void **state)
{
    (void)state;
    be_born();
    assert_int_equal(ndeath(2), SPARKPLUG_NOTHING);
    assert_int_equal(data(1, 2, T0), SPARKPLUG_READ);
    assert_int_equal(f.state.counters.late_deaths, 1);
    assert_int_equal(ndeath(3), SPARKPLUG_DIED);
    assert_int_equal(ndeath(3), SPARKPLUG_NOTHING);
}

static void test_sparkplug__a_device_dies_alone_and_in_sequence(void **state)
{
    size_t count;

    (void)state;
    be_born();
    assert_int_equal(take(DDEATH, 2, T0 + 4, NULL, 0), SPARKPLUG_DIED);
    assert_string_equal(sparkplug_deaths(&f.state, &count)->device, "D");
    assert_int_equal(count, 1);
    assert_true(f.result.has_timestamp && f.result.timestamp_ms == T0 + 4);
    assert_int_equal(requests(), 0);
    assert_int_equal(dbirth(3, T0), SPARKPLUG_READ);
    assert_int_equal(requests(), 0);
}

/* ---- what is saved -------------------------------------------------------------------------- */

static void load(struct sparkplug *state, const struct sparkplug_changes *changes)
{
    for (size_t i = 0; i < changes->node_count; i++)
        assert_true(sparkplug_load_node(state, &changes->nodes[i]));
    for (size_t i = 0; i < changes->birth_count; i++) {
        if (changes->births[i].payload)
            assert_true(sparkplug_load_birth(state, &changes->births[i]));
    }
}

static void start_again(void)
{
    struct sparkplug_changes changes = {0};

    sparkplug_take_changes(&f.state, &changes);
    sparkplug_clear(&f.state);
    assert_int_equal(f.state.node_count, 0);
    load(&f.state, &changes);
    assert_false(sparkplug_has_changes(&f.state));
    sparkplug_changes_release(&changes);
    f.epoch++;
}

static void test_sparkplug__after_a_start_nothing_has_to_be_born_again(void **state)
{
    (void)state;
    be_born();
    data(1, 2, T0);
    start_again();
    assert_int_equal(data(1, 3, T0), SPARKPLUG_READ);
    assert_non_null(
        strstr(buffer_text(&f.json), "{\"name\":\"Oil\",\"timestamp\":1000,\"value\":-1}"));
    assert_int_equal(ndeath(2), SPARKPLUG_NOTHING);
    assert_int_equal(requests(), 0);
    assert_int_equal(data(1, 5, T0), SPARKPLUG_READ);
    assert_int_equal(requests(), 1);
}

static void test_sparkplug__what_has_not_changed_is_not_saved_again(void **state)
{
    struct sparkplug_changes changes = {0};

    (void)state;
    be_born();
    sparkplug_take_changes(&f.state, &changes);
    assert_int_equal(changes.node_count, 1);
    assert_int_equal(changes.birth_count, 2);
    sparkplug_changes_clear(&changes);
    data(1, 2, T0);
    data(1, 3, T0 + 1);
    sparkplug_take_changes(&f.state, &changes);
    assert_int_equal(changes.node_count, 1);
    assert_int_equal(changes.nodes[0].seq, 3);
    assert_int_equal(changes.nodes[0].heard_ms, T0 + 1);
    assert_int_equal(changes.birth_count, 0);
    sparkplug_changes_clear(&changes);
    ndeath(3);
    sparkplug_take_changes(&f.state, &changes);
    assert_false(changes.nodes[0].is_born);
    assert_int_equal(changes.birth_count, 2);
    assert_null(changes.births[0].payload);
    sparkplug_changes_release(&changes);
}

/* ---- what is odd ---------------------------------------------------------------------------- */

static void test_sparkplug__commands_and_other_topics_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(take("spBv1.0/G/NCMD/E", -1, T0, NULL, 0), SPARKPLUG_NOTHING);
    assert_int_equal(take("spBv1.0/G/DCMD/E/D", -1, T0, NULL, 0), SPARKPLUG_NOTHING);
    assert_int_equal(take("spBv1.0/STATE/x", -1, T0, NULL, 0), SPARKPLUG_NOTHING);
    assert_int_equal(take("spBv1.0/G/DBIRTH/E", 0, T0, NULL, 0), SPARKPLUG_REJECTED);
    assert_int_equal(f.result.error, READING_NO_SUCH_TOPIC);
    assert_int_equal(ndeath(0), SPARKPLUG_NOTHING);
    assert_false(sparkplug_has_changes(&f.state));
}

static void test_sparkplug__a_name_in_the_topic_may_be_too_long(void **state)
{
    char topic[300] = "spBv1.0/G/NBIRTH/";

    (void)state;
    memset(topic + strlen(topic), 'x', SPARKPLUG_ID_MOST + 1);
    assert_int_equal(take(topic, 0, T0, NULL, 0), SPARKPLUG_REJECTED);
    assert_int_equal(f.result.error, READING_BAD_DEVICE_ID);
    topic[strlen(topic) - 1] = '\0';
    assert_int_equal(take(topic, 0, T0, NULL, 0), SPARKPLUG_READ);
}

static void test_sparkplug__strangers_are_known_up_to_a_number(void **state)
{
    char topic[64];

    (void)state;
    for (int i = 0; i < SPARKPLUG_NODES_MOST; i++) {
        snprintf(topic, sizeof(topic), "spBv1.0/G/NDATA/%d", i);
        assert_int_equal(take(topic, 0, T0, NULL, 0), SPARKPLUG_READ);
    }
    assert_int_equal(take("spBv1.0/G/NDATA/x", 0, T0, NULL, 0), SPARKPLUG_REJECTED);
    assert_int_equal(f.result.error, READING_TOO_MANY_MEMBERS);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sparkplug__data_gets_name_and_type_of_its_birth),
        TEST(test_sparkplug__values_are_written_as_what_they_are),
        TEST(test_sparkplug__a_name_without_an_alias_has_its_type_of_the_birth),
        TEST(test_sparkplug__an_alias_of_two_names_is_no_birth),
        TEST(test_sparkplug__far_apart_aliases_are_found),
        TEST(test_sparkplug__a_name_that_is_no_text_is_rejected),
        TEST(test_sparkplug__the_sequence_goes_round),
        TEST(test_sparkplug__a_gap_asks_for_a_birth_and_loses_nothing),
        TEST(test_sparkplug__the_same_number_again_and_one_out_of_range_are_gaps),
        TEST(test_sparkplug__a_node_that_does_not_answer_is_asked_less_and_less),
        TEST(test_sparkplug__births_that_follow_gaps_are_not_asked_for_more_than_once_a_second),
        TEST(test_sparkplug__what_is_sent_again_after_a_reconnect_is_no_gap),
        TEST(test_sparkplug__a_gap_after_a_reconnect_is_one),
        TEST(test_sparkplug__an_old_number_with_a_new_time_is_a_gap_after_a_reconnect),
        TEST(test_sparkplug__what_is_sent_again_is_not_read_by_a_later_birth),
        TEST(test_sparkplug__data_before_its_birth_is_rejected_and_read_after_it),
        TEST(test_sparkplug__an_unknown_alias_of_a_node_that_was_born_asks),
        TEST(test_sparkplug__a_device_has_to_be_born_again_with_its_node),
        TEST(test_sparkplug__a_node_takes_its_devices_along),
        TEST(test_sparkplug__a_death_of_an_earlier_birth_is_late),
        TEST(test_sparkplug__a_device_dies_alone_and_in_sequence),
        TEST(test_sparkplug__after_a_start_nothing_has_to_be_born_again),
        TEST(test_sparkplug__what_has_not_changed_is_not_saved_again),
        TEST(test_sparkplug__commands_and_other_topics_change_nothing),
        TEST(test_sparkplug__a_name_in_the_topic_may_be_too_long),
        TEST(test_sparkplug__strangers_are_known_up_to_a_number),
        TEST(test_sparkplug__a_request_is_what_the_specification_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
