#include "collector/store.h"

#include "collector/sequences.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A store that only takes batches: no schema, no boards, no list of what was rejected. */
static void begin(struct store *store, struct batch *batch, bool expects_duplicates)
{
    const struct store_outcome outcome = {.stored = batch->count};

    assert_false(expects_duplicates);
    assert_int_equal(store_progress(store)->stored, 0);
    store->outcome = outcome;
    store->events->on_stored(store->user, batch, &outcome);
}

static const char *const schemes[] = {"plain", NULL};
static const struct store_kind plain_kind = {.schemes = schemes, .begin = begin};

static unsigned calls;

static void on_migrated(struct store *store, const char *error)
{
    assert_ptr_equal(store->config.user, &calls);
    assert_null(error);
    calls++;
}

static void on_stored(void *user, struct batch *batch, const struct store_outcome *outcome)
{
    assert_ptr_equal(user, &calls);
    assert_int_equal(outcome->stored, batch->count);
    calls++;
}

static void test_store__what_a_kind_has_not_is_done_without(void **state)
{
    const struct store_load load = {0};
    struct store store = {.kind = &plain_kind, .config = {.user = &calls}};
    struct sequences sequences;
    char error[128] = "";

    (void)state;
    sequences_init(&sequences);
    assert_true(store_migrate(&store, NULL, 0, on_migrated, error, sizeof(error)));
    assert_int_equal(calls, 1); /* at once */
    store_cancel_migration(&store);
    assert_false(store_has_boards(&store));
    assert_false(store_load(&store, &load, error, sizeof(error)));
    assert_non_null(strstr(error, "plain"));
    store_cancel_load(&store);
    store_save_sequences(&store, &sequences, INT64_MIN);
    assert_false(store_is_ready(&store));
    assert_false(store_is_held(&store));
    store_free(NULL);
}

static void test_store__progress_is_of_the_batch_that_was_begun_last(void **state)
{
    const struct store_events events = {.on_stored = on_stored};
    struct store store = {.kind = &plain_kind, .events = &events, .user = &calls};
    struct batch batch = {.count = 3};

    (void)state;
    calls = 0;
    store_begin(&store, &batch, false);
    assert_int_equal(store_progress(&store)->stored, 3);
    store_begin(&store, &batch, false);
    assert_int_equal(calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store__what_a_kind_has_not_is_done_without),
        cmocka_unit_test(test_store__progress_is_of_the_batch_that_was_begun_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
