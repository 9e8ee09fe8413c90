/* What is loaded, and when the windows count as complete; a store that is none says when a load ends. */
#include "collector/reload.h"
#include "shared/base/timestamp.h"
#include "tests/unit/windows_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fake_store {
    struct store store;
    struct store_load load;
    bool is_loading;
    bool is_cancelled;
    unsigned loads;
};

struct test {
    struct windows_fixture *windows;
    struct features features;
    struct intervals intervals;
    struct sinks sinks; /* none */
    struct board_publisher publisher;
    struct devices devices;
    struct sequences sequences;
    struct coverage coverage;
    struct fake_store store;
    struct reload reload;
    uv_loop_t loop;
};

/* ---- a store that is none --------------------------------------------------------------------- */

static bool load(struct store *store, const struct store_load *wanted, char *error,
                 size_t error_bytes)
{
    struct fake_store *f = (void *)store;

    (void)error;
    (void)error_bytes;
    assert_false(f->is_loading);
    f->load = *wanted;
    f->is_loading = true;
    f->is_cancelled = false;
    f->loads++;
    return true;
}

static void cancel_load(struct store *store)
{
    ((struct fake_store *)store)->is_cancelled = true;
}

static const char *const schemes[] = {"fake", NULL};
static const struct store_kind kind = {
    .schemes = schemes, .load = load, .cancel_load = cancel_load};

/* As the loader does: a run that is cancelled brings nothing more, unless it was at its end. */
static void end_load(struct test *t, bool complete)
{
    t->store.is_loading = false;
    t->store.load.on_done(t->store.load.user, complete);
}

/* ---- the rest --------------------------------------------------------------------------------- */

static int64_t settled_until_us(void *user, int64_t now_us)
{
    (void)user;
    (void)now_us;
    return INT64_MIN;
}

static void put_status(void *user, struct buffer *out)
{
    (void)user;
    (void)out;
}

static void on_shown(void *user)
{
    (void)user;
}

static int setup(void **state)
{
    struct test *t = calloc(1, sizeof(*t));
    struct board_publisher_config publisher = {.sinks = &t->sinks,
                                               .collector_id = "c",
                                               .features = &t->features,
                                               .intervals = &t->intervals,
                                               .top_n = TOP_N,
                                               .user = t,
                                               .settled_until_us = settled_until_us,
                                               .put_status = put_status,
                                               .on_shown = on_shown};
    struct reload_config config = {.store = &t->store.store,
                                   .collector_id = "c",
                                   .longest_us = TIMESTAMP_US_PER_S,
                                   .devices = &t->devices,
                                   .sequences = &t->sequences,
                                   .coverage = &t->coverage,
                                   .publisher = &t->publisher};
    char error[128];

    assert_non_null(t);
    fixture_setup((void **)&t->windows);
    publisher.windows = config.windows = &t->windows->windows;
    assert_true(features_parse(&t->features, "one,two", error, sizeof(error)));
    assert_true(intervals_parse(&t->intervals, INTERVALS_DEFAULT, error, sizeof(error)));
    t->store.store.kind = &kind;
    sequences_init(&t->sequences);
    uv_loop_init(&t->loop);
    board_publisher_start(&t->publisher, &t->loop, &publisher);
    reload_init(&t->reload, &config);
    reload_set_active(&t->reload, true);
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
    reload_release(&t->reload);
    sequences_release(&t->sequences);
    coverage_release(&t->coverage);
    fixture_teardown((void **)&t->windows);
    free(t);
    return 0;
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void test_reload__who_becomes_active_loads_it_all(void **state)
{
    struct test *t = *state;

    assert_true(t->store.is_loading);
    assert_null(t->store.load.only);
    assert_false(t->reload.is_complete);
    end_load(t, true);
    assert_true(t->reload.is_complete);
    assert_int_equal(t->store.loads, 1);
}

static void test_reload__who_is_behind_shows_nothing_until_it_is_loaded(void **state)
{
    struct test *t = *state;

    end_load(t, true);
    sequences_loaded(&t->sequences, 1);
    reload_behind(&t->reload);
    assert_false(t->reload.is_complete);
    assert_false(t->sequences.is_loaded); /* others have gone on with the numbers */
    assert_true(t->store.is_loading);
    assert_null(t->store.load.only);
    end_load(t, true);
    assert_true(t->reload.is_complete);
}

static void test_reload__a_load_that_began_before_does_not_count(void **state)
{
    struct test *t = *state;

    reload_behind(&t->reload);
    assert_true(t->store.is_cancelled);
    end_load(t, false);
    assert_false(t->reload.is_complete);
    assert_int_equal(t->store.loads, 2);
    assert_null(t->store.load.only);
    end_load(t, true);
    assert_true(t->reload.is_complete);
}

/* It is too late to cancel it; and there is a list of devices, which is empty by then. */
static void test_reload__nor_one_that_was_just_complete(void **state)
{
    struct test *t = *state;

    reload_device(&t->reload, 0);
    end_load(t, true);
    assert_non_null(t->store.load.only);
    end_load(t, true);
    reload_all(&t->reload);
    reload_behind(&t->reload);
    end_load(t, true);
    assert_false(t->reload.is_complete);
    assert_null(t->store.load.only);
    end_load(t, true);
    assert_true(t->reload.is_complete);
    assert_int_equal(t->store.loads, 4);
}

static void test_reload__what_many_added_during_a_load_is_loaded_after_it(void **state)
{
    struct test *t = *state;

    reload_device(&t->reload, 0);
    end_load(t, true);
    end_load(t, true);
    reload_all(&t->reload);
    assert_true(t->reload.is_complete); /* it can only add */
    reload_all(&t->reload);
    end_load(t, true);
    assert_true(t->store.is_loading);
    assert_null(t->store.load.only);
    end_load(t, true);
    assert_int_equal(t->store.loads, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reload__who_becomes_active_loads_it_all),
        TEST(test_reload__who_is_behind_shows_nothing_until_it_is_loaded),
        TEST(test_reload__a_load_that_began_before_does_not_count),
        TEST(test_reload__nor_one_that_was_just_complete),
        TEST(test_reload__what_many_added_during_a_load_is_loaded_after_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
