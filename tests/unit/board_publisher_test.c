/* What the publisher gives to its sinks, and what it vouches for; two sinks that are none. */
#include "collector/board_publisher_inner.h"
#include "shared/base/timestamp.h"
#include "tests/unit/windows_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SINKS = 2, BOARDS = FEATURES * INTERVALS };

struct fake_sink {
    struct sink sink;
    bool is_ready;
    bool is_full;  /* takes no board */
    int lacking;   /* the board that it refused; -1 = none */
    size_t boards; /* put */
    size_t statuses;
    size_t lines;
    char last_key[64];
    size_t last_count;       /* of entries */
    int64_t last_generation; /* of a board */
};

struct test {
    struct windows_fixture *windows;
    struct features features;
    struct intervals intervals;
    struct fake_sink fakes[SINKS];
    struct sinks sinks;
    struct board_publisher publisher;
    uv_loop_t loop;
    int64_t as_of_us;   /* of the last boards */
    int64_t settled_us; /* INT64_MIN: tests say themselves what is reached */
};

static struct fake_sink *fake(struct sink *sink)
{
    return (void *)sink;
}

static bool put(struct sink *sink, const struct sink_item *item)
{
    struct fake_sink *f = fake(sink);

    assert_true(f->is_ready);
    snprintf(f->last_key, sizeof(f->last_key), "%s", item->key);
    f->boards += item->what == SINK_BOARD;
    f->statuses += item->what == SINK_STATUS;
    f->lines += item->what == SINK_LINE;
    f->last_count = item->entry_count;
    if (item->what == SINK_BOARD)
        f->last_generation = item->head->generation;
    return item->what != SINK_BOARD || !f->is_full;
}

static bool is_ready(const struct sink *sink)
{
    return ((const struct fake_sink *)sink)->is_ready;
}

static bool lacks(const struct sink *sink, size_t board)
{
    return ((const struct fake_sink *)sink)->lacking == (int)board;
}

static void nothing(struct sink *sink)
{
    (void)sink;
}

static void close_fake(struct sink *sink, void (*on_closed)(void *user))
{
    on_closed(sink->user);
}

static const struct sink_kind kind = {.put = put,
                                      .close = close_fake,
                                      .join = nothing,
                                      .leave = nothing,
                                      .tick = nothing,
                                      .hold = nothing,
                                      .flush = nothing,
                                      .is_ready = is_ready,
                                      .takes_boards = is_ready,
                                      .lacks = lacks};

static int64_t settled_until_us(void *user, int64_t now_us)
{
    const struct test *t = user;

    (void)now_us;
    return t->settled_us;
}

static void put_status(void *user, struct buffer *out)
{
    (void)user;
    buffer_put_text(out, "\"state\":\"live\"");
}

static void on_shown(void *user)
{
    (void)user;
}

static int setup(void **state)
{
    struct test *t = calloc(1, sizeof(*t));
    struct board_publisher_config config = {.sinks = &t->sinks,
                                            .collector_id = "c",
                                            .features = &t->features,
                                            .intervals = &t->intervals,
                                            .top_n = TOP_N,
                                            .user = t,
                                            .settled_until_us = settled_until_us,
                                            .put_status = put_status,
                                            .on_shown = on_shown};
    char error[128];

    assert_non_null(t);
    t->settled_us = INT64_MIN;
    fixture_setup((void **)&t->windows);
    fixture_add_devices(t->windows);
    config.windows = &t->windows->windows;
    assert_true(features_parse(&t->features, "one,two", error, sizeof(error)));
    assert_true(intervals_parse(&t->intervals, INTERVALS_DEFAULT, error, sizeof(error)));
    assert_true(t->intervals.count >= INTERVALS);
    t->sinks.count = SINKS;
    for (size_t i = 0; i < SINKS; i++) {
        t->fakes[i] = (struct fake_sink){.sink = {.kind = &kind}, .lacking = -1};
        t->sinks.items[i] = &t->fakes[i].sink;
    }
    uv_loop_init(&t->loop);
    board_publisher_start(&t->publisher, &t->loop, &config);
    t->as_of_us = board_as_of(timestamp_now()) - 1000 * BOARD_GRID_US;
    board_publisher_rewind(&t->publisher, t->as_of_us);
    board_publisher_set_complete(&t->publisher, true);
    *state = t;
    return 0;
}

static void on_closed(struct board_publisher *publisher)
{
    (void)publisher;
}

static int teardown(void **state)
{
    struct test *t = *state;

    board_publisher_close(&t->publisher, on_closed);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t->loop), 0);
    fixture_teardown((void **)&t->windows);
    free(t);
    return 0;
}

/* A reading of all features has come, and its boards are due. */
static void step(struct test *t)
{
    t->as_of_us += BOARD_GRID_US;
    board_publisher_note_news(&t->publisher);
    fixture_insert2(t->windows, 0, t->as_of_us - 1, 1, 2, t->as_of_us);
    t->as_of_us += BOARD_GRID_US;
    board_publisher_reach(&t->publisher, t->as_of_us);
}

static void become_ready(struct test *t, size_t sink)
{
    t->fakes[sink].is_ready = true;
    t->fakes[sink].sink.events->on_ready(t->fakes[sink].sink.user, &t->fakes[sink].sink);
}

static size_t vouched(const struct test *t)
{
    size_t count = 0;

    for (size_t i = 0; i < BOARDS; i++)
        count += t->publisher.copies[i].generation > 0;
    return count;
}

static void test_board_publisher__nothing_is_put_before_a_sink_is_ready(void **state)
{
    struct test *t = *state;

    step(t);
    board_publisher_publish_status(&t->publisher);
    assert_int_equal(t->fakes[0].boards + t->fakes[1].boards + t->fakes[0].statuses, 0);
    assert_int_equal(vouched(t), 0);
}

static void test_board_publisher__a_sink_gets_all_boards_when_it_is_ready(void **state)
{
    struct test *t = *state;

    become_ready(t, 0);
    step(t);
    assert_int_equal(t->fakes[0].boards, BOARDS);
    assert_true(t->fakes[0].statuses > 0);
    assert_int_equal(vouched(t), BOARDS);
    t->settled_us = t->as_of_us;
    become_ready(t, 1);
    assert_int_equal(t->fakes[1].boards, BOARDS);
    assert_true(t->fakes[1].statuses > 0);
    assert_int_equal(t->fakes[0].boards, BOARDS); /* which are the same, and not made anew for it */
    assert_int_equal(t->fakes[1].last_generation, t->fakes[0].last_generation);
}

static void test_board_publisher__what_another_lacks_it_gets_as_long_as_it_holds(void **state)
{
    struct test *t = *state;

    become_ready(t, 0);
    become_ready(t, 1);
    step(t);
    t->fakes[1].lacking = 2;
    board_publisher_retry(&t->publisher); /* a batch is under way, or the database is away */
    assert_int_equal(t->fakes[1].boards, BOARDS);
    t->settled_us = t->as_of_us;
    board_publisher_retry(&t->publisher);
    assert_int_equal(t->fakes[1].boards, BOARDS + 1);
    assert_int_equal(t->fakes[1].last_generation, t->publisher.copies[2].generation);
    assert_int_equal(t->fakes[0].boards, BOARDS);
    board_publisher_set_complete(&t->publisher, false);
    board_publisher_retry(&t->publisher);
    assert_int_equal(t->fakes[1].boards, BOARDS + 1);
}

static void test_board_publisher__a_board_says_what_is_on_it_and_where_it_belongs(void **state)
{
    struct test *t = *state;

    become_ready(t, 0);
    step(t);
    assert_string_equal(t->fakes[0].last_key, "collectors/c/status");
    board_publisher_report_rejected(&t->publisher, "t", "not_json", "?");
    assert_string_equal(t->fakes[0].last_key, "collectors/c/rejected");
    assert_int_equal(t->fakes[0].lines, 1);
    assert_true(
        t->fakes[0].sink.events->is_kept(&t->publisher, board_publisher_key(&t->publisher, 0, 0)));
    assert_false(t->fakes[0].sink.events->is_kept(&t->publisher, "collectors/c/boards/gone/1m"));
}

static void test_board_publisher__what_the_first_sink_does_not_take_is_not_vouched_for(void **state)
{
    struct test *t = *state;

    t->fakes[0].is_full = true;
    become_ready(t, 0);
    become_ready(t, 1);
    step(t);
    assert_int_equal(t->fakes[1].boards, BOARDS);
    assert_int_equal(vouched(t), 0);
}

static void
test_board_publisher__what_another_sink_does_not_take_is_vouched_for_all_the_same(void **state)
{
    struct test *t = *state;

    t->fakes[1].is_full = true;
    become_ready(t, 0);
    become_ready(t, 1);
    step(t);
    assert_int_equal(vouched(t), BOARDS);
    t->fakes[1].sink.events->on_lacking(t->fakes[1].sink.user, &t->fakes[1].sink, 2);
    assert_int_equal(vouched(t), BOARDS);
}

static void test_board_publisher__what_was_refused_later_is_put_again(void **state)
{
    struct test *t = *state;
    size_t before;

    become_ready(t, 0);
    step(t);
    before = t->fakes[0].boards;
    t->fakes[0].lacking = 2;
    t->fakes[0].sink.events->on_lacking(t->fakes[0].sink.user, &t->fakes[0].sink, 2);
    assert_int_equal(vouched(t), BOARDS - 1);
    board_publisher_retry(&t->publisher);
    t->as_of_us += BOARD_GRID_US;
    board_publisher_reach(&t->publisher, t->as_of_us);
    assert_int_equal(t->fakes[0].boards, before + 1);
    assert_int_equal(vouched(t), BOARDS);
}

#define PUBLISHER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PUBLISHER_TEST(test_board_publisher__nothing_is_put_before_a_sink_is_ready),
        PUBLISHER_TEST(test_board_publisher__a_sink_gets_all_boards_when_it_is_ready),
        PUBLISHER_TEST(test_board_publisher__a_board_says_what_is_on_it_and_where_it_belongs),
        PUBLISHER_TEST(test_board_publisher__what_the_first_sink_does_not_take_is_not_vouched_for),
        PUBLISHER_TEST(
            test_board_publisher__what_another_sink_does_not_take_is_vouched_for_all_the_same),
        PUBLISHER_TEST(test_board_publisher__what_was_refused_later_is_put_again),
        PUBLISHER_TEST(test_board_publisher__what_another_lacks_it_gets_as_long_as_it_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
