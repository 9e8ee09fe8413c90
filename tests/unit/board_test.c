/* Ranking against brute force, and the JSON there and back. */
#include "shared/base/json_write.h"
#include "shared/model/board.h"

#include "shared/base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES = 60 };

static struct features features;
static const char *const ids[] = {"a", "b", "c", "d", "e", "f", "g"};

struct fixture {
    _Alignas(8) unsigned char readings[ENTRIES][sizeof(struct reading) + 2 * sizeof(double)];
    struct board_entry entries[ENTRIES];
    size_t count;
};

static void fill(struct fixture *fixture, uint64_t *random)
{
    fixture->count = random_below(random, ENTRIES);
    for (size_t i = 0; i < fixture->count; i++) {
        struct reading *reading = (void *)fixture->readings[i];

        reading->recorded_at_us = (int64_t)random_below(random, 4);
        reading->content_hash = ((int64_t)random_below(random, 3) - 1) * INT64_C(0x100000000);
        reading->values[0] = (double)random_below(random, 5);
        reading->values[1] = (double)NAN;
        fixture->entries[i] =
            (struct board_entry){.device_id = ids[random_below(random, 7)], .reading = reading};
    }
}

/* Sort everything, then take each device the first time it comes. */
static size_t rank_plainly(struct board_entry *entries, size_t count, enum sort_order order,
                           size_t limit)
{
    struct board_entry sorted[ENTRIES];
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        size_t at = i;

        for (; at > 0 && board_entry_compare(&entries[i], &sorted[at - 1], 0, order) < 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = entries[i];
    }
    for (size_t i = 0; i < count && kept < limit; i++) {
        bool is_known = false;

        for (size_t j = 0; j < kept; j++)
            is_known = is_known || strcmp(entries[j].device_id, sorted[i].device_id) == 0;
        if (!is_known)
            entries[kept++] = sorted[i];
    }
    return kept;
}

static void test_board__ranking_equals_brute_force(void **state)
{
    static struct fixture fixture;

    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        uint64_t random = seed;
        struct board_entry plain[ENTRIES];
        size_t limit;
        enum sort_order order;
        size_t plain_count;
        size_t count;

        fill(&fixture, &random);
        limit = 1 + random_below(&random, 9);
        order = (enum sort_order)random_below(&random, 2);
        memcpy(plain, fixture.entries, sizeof(plain));
        plain_count = rank_plainly(plain, fixture.count, order, limit);
        count = board_rank(fixture.entries, fixture.count, 0, order, limit);
        if (count != plain_count)
            fail_msg("seed %llu: %zu entries, not %zu", (unsigned long long)seed, count,
                     plain_count);
        for (size_t i = 0; i < count; i++) {
            if (board_entry_compare(&fixture.entries[i], &plain[i], 0, order) != 0)
                fail_msg("seed %llu: entry %zu differs", (unsigned long long)seed, i);
        }
    }
}

static void test_board__json_there_and_back(void **state)
{
    union reading_storage storage = {
        .reading = {.recorded_at_us = 1795435200123456, .status = STATUS_ACTIVE}};
    struct board_entry entry = {.device_id = "d \"1\"", .reading = &storage.reading};
    struct buffer json = {0};
    struct board board;

    (void)state;
    storage.reading.values[0] = 199.99;
    storage.reading.values[1] = (double)NAN;
    storage.reading.content_hash = INT64_C(-0x123456789abcdef);
    board_write(&json, &features,
                &(struct board_head){.feature = "temperature",
                                     .interval = "past_minute",
                                     .order = ORDER_LOWEST,
                                     .as_of_us = 1795435201000000,
                                     .generation = 1795435200000017},
                &entry, 1);
    assert_true(board_parse(&board, &features, (const char *)json.data, json.bytes));
    assert_string_equal(board.feature, "temperature");
    assert_string_equal(board.interval, "past_minute");
    assert_int_equal(board.order, ORDER_LOWEST);
    assert_int_equal(board.as_of_us, 1795435201000000);
    assert_int_equal(board.generation, 1795435200000017);
    assert_false(board.is_exact);
    assert_int_equal(board.count, 1);
    assert_string_equal(board.entries[0].device_id, "d \"1\"");
    assert_true(board.entries[0].reading->content_hash == storage.reading.content_hash);
    assert_true(board.entries[0].reading->values[0] == 199.99);
    assert_true(isnan(board.entries[0].reading->values[1]));
    board_release(&board);
    buffer_release(&json);
}

static void test_board__a_moment_is_the_last_tenth_of_a_second(void **state)
{
    (void)state;
    assert_int_equal(board_as_of(1795435200123456), 1795435200100000);
    assert_int_equal(board_as_of(1795435200100000), 1795435200100000);
    assert_int_equal(board_as_of(1795435200099999), 1795435200000000);
    assert_int_equal(board_as_of(-1), -BOARD_GRID_US);
    assert_int_equal(board_as_of(-BOARD_GRID_US), -BOARD_GRID_US);
}

/* A board with something more in it, in its entry, and after that. */
#define GOOD(in_board, in_entry, behind_entry)                                                     \
    "{\"feature\":\"t\",\"interval\":\"i\",\"order\":\"desc\",\"asOf\":\"2026-11-23T12:00:"        \
    "00Z\"" in_board                                                                               \
    ",\"readings\":[{\"deviceId\":\"a\",\"timestamp\":\"2026-11-23T12:00:00Z\"" in_entry           \
    "}" behind_entry "]}"

static void test_board__what_is_no_board_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "{}",
        "[]",
        "{\"feature\":\"t\",\"interval\":\"i\",\"order\":\"desc\",\"asOf\":\"now\",\"readings\":[]"
        "}",
        "{\"feature\":\"t\",\"interval\":\"i\",\"order\":\"up\",\"asOf\":\"2026-11-23T12:00:00Z\","
        "\"readings\":[]}",
        "{\"feature\":\"t\",\"interval\":\"i\",\"order\":\"desc\",\"asOf\":\"2026-11-23T12:00:"
        "00Z\","
        "\"readings\":[{}]}",
        "{\"feature\":\"t\",\"interval\":\"i\",\"order\":\"desc\",\"asOf\":\"2026-11-23T12:00:"
        "00Z\","
        "\"readings\":[{\"deviceId\":\"a/b\",\"timestamp\":\"2026-11-23T12:00:00Z\"}]}",
        "{\"feature\":\"t\",\"interval\":\"i\",\"order\":\"desc\",\"asOf\":\"2026-11-23T12:00:"
        "00Z\",\"readings\":[],\"hashes\":[\"0123456789abcdef\"]}",
        "{\"feature\":\"t\",\"interval\":\"i\",\"order\":\"desc\",\"asOf\":\"2026-11-23T12:00:"
        "00Z\",\"readings\":[{\"deviceId\":\"a\",\"timestamp\":\"2026-11-23T12:00:00Z\"}],"
        "\"hashes\":[\"0123456789abcde\"]}",
        GOOD("", "", "") "]",
        "\xef\xbb\xbf" GOOD("", "", ""),
        GOOD(",\"order\":\"desc\"", "", ""),
        GOOD(",\"x\":1,\"x\":1", "", ""),
        GOOD(",\"exact\":1", "", ""),
        GOOD(",\"generation\":-1", "", ""),
        GOOD(",\"generation\":1.5", "", ""),
        GOOD(",\"generation\":\"1\"", "", ""),
        GOOD(",\"hashes\":null", "", ""),
        GOOD("", ",\"deviceId\":\"b\"", ""),
        GOOD("", ",\"temperature\":1e999", ""),
        GOOD("", ",\"temperature\":\"1\"", ""),
        GOOD("", ",\"status\":1", ""),
        GOOD("", ",\"status\":\"on\"", ""),
        GOOD("", ",\"x\":\"\xff\"", ""),
        GOOD("", ",\"x\":\"\\u0000\"", ""),
        GOOD("", "", ",7"),
        GOOD("", "", ",{\"deviceId\":\"b\"}"),
    };
    struct board good;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct board board;

        if (board_parse(&board, &features, cases[i], strlen(cases[i])))
            fail_msg("%s was accepted", cases[i]);
    }
    assert_true(board_parse(&good, &features, GOOD(",\"x\":[{}]", ",\"x\":1", ""),
                            strlen(GOOD(",\"x\":[{}]", ",\"x\":1", ""))));
    board_release(&good);
}

static void test_board__numbers_print_shortest_and_exact(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "1"},
        {-1, "-1"},
        {101.3, "101.3"},
        {12.55, "12.55"},
        {0.05, "0.05"},
        {-0.5, "-0.5"},
        {1e300, "1e+300"},
        {0.1 + 0.2, "0.30000000000000004"},
        {123456789.25, "123456789.25"},
        {1e-7, "1e-07"},
        {(double)NAN, "null"},
    };
    struct buffer out = {0};
    uint64_t random = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_clear(&out);
        json_write_double(&out, cases[i].value);
        assert_string_equal(buffer_text(&out), cases[i].text);
    }
    for (int i = 0; i < 100000; i++) {
        double value = (random_unit(&random) - 0.5) * pow(10, (double)random_below(&random, 14));
        double again;

        if (i % 2)
            value = round(value * 100) / 100;
        buffer_clear(&out);
        json_write_double(&out, value);
        assert_int_equal(sscanf(buffer_text(&out), "%lf", &again), 1);
        assert_true(again == value);
    }
    buffer_release(&out);
}

static int setup(void **state)
{
    char error[128];

    (void)state;
    return features_parse(&features, FEATURES_DEFAULT, error, sizeof(error)) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_board__ranking_equals_brute_force),
        cmocka_unit_test(test_board__json_there_and_back),
        cmocka_unit_test(test_board__a_moment_is_the_last_tenth_of_a_second),
        cmocka_unit_test(test_board__what_is_no_board_is_refused),
        cmocka_unit_test(test_board__numbers_print_shortest_and_exact),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
