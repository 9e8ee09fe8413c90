/* The gate between a source and a store that are none: what is released, and when. */
#include "collector/ingest.h"
#include "collector/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH_SIZE = 4, NONE = 0 };

struct fake_source {
    struct source source;
    uint64_t epoch; /* of the connection */
    bool is_up;
    bool is_paused;
    bool is_releasing;
    bool is_exhausted;
    uint64_t marked;   /* the epoch of the last mark */
    uint64_t released; /* of the last release; NONE = nothing was */
    unsigned joined;
    unsigned left;
    unsigned given_back;
};

struct fake_store {
    struct store store;
    struct batch *batch; /* being stored */
    unsigned given_up;
    bool expects_duplicates;
};

struct test {
    uv_loop_t loop;
    struct devices devices;
    struct features features;
    struct subscriptions subscriptions;
    struct mappings mappings;
    struct fake_source source;
    struct fake_store store;
    struct ingest ingest;
    unsigned committed; /* readings */
    bool is_active;
    bool has_stopped;
};

/* ---- a source that is none -------------------------------------------------------------------- */

static struct fake_source *source_of(struct source *source)
{
    return (void *)source;
}

static const struct fake_source *seen_source(const struct source *source)
{
    return (const void *)source;
}

static void close_source(struct source *source, void (*on_closed)(void *user))
{
    on_closed(source->user);
}

static void identify(struct source *source, const struct mqtt_identity *identity, bool had_session)
{
    (void)source;
    (void)identity;
    (void)had_session;
}

static void join(struct source *source)
{
    source_of(source)->joined++;
}

static void leave(struct source *source)
{
    source_of(source)->left++;
}

static void pause_source(struct source *source)
{
    source_of(source)->is_paused = true;
}

static void resume(struct source *source)
{
    source_of(source)->is_paused = false;
}

static struct source_mark mark(struct source *source)
{
    struct fake_source *f = source_of(source);

    assert_true(f->is_paused); /* or more would come that the mark does not stand for */
    f->marked = f->epoch;
    return (struct source_mark){.epoch = f->epoch};
}

static void release(struct source *source, const struct source_mark *mark)
{
    struct fake_source *f = source_of(source);

    assert_true(f->is_paused);
    f->released = mark->epoch;
}

static void give_back(struct source *source)
{
    source_of(source)->given_back++;
}

static bool is_up(const struct source *source)
{
    return seen_source(source)->is_up;
}

static bool is_current(const struct source *source, const struct source_mark *mark)
{
    return seen_source(source)->epoch == mark->epoch;
}

static bool is_releasing(const struct source *source)
{
    return seen_source(source)->is_releasing;
}

static bool is_exhausted(const struct source *source)
{
    return seen_source(source)->is_exhausted;
}

static const struct source_kind source_kind = {.close = close_source,
                                               .identify = identify,
                                               .join = join,
                                               .leave = leave,
                                               .pause = pause_source,
                                               .resume = resume,
                                               .mark = mark,
                                               .release = release,
                                               .give_back = give_back,
                                               .is_up = is_up,
                                               .is_current = is_current,
                                               .is_releasing = is_releasing,
                                               .is_exhausted = is_exhausted};

/* ---- and a store ------------------------------------------------------------------------------ */

static struct fake_store *store_of(struct store *store)
{
    return (void *)store;
}

static bool start(struct store *store, uv_loop_t *loop, char *error, size_t error_bytes)
{
    (void)store;
    (void)loop;
    (void)error;
    (void)error_bytes;
    return true;
}

static void close_store(struct store *store)
{
    store->on_closed(store->user);
}

static void begin(struct store *store, struct batch *batch, bool expects_duplicates)
{
    struct fake_store *f = store_of(store);

    assert_null(f->batch); /* one at a time */
    assert_int_not_equal(batch->mark.epoch, NONE);
    f->batch = batch;
    f->expects_duplicates = expects_duplicates;
}

static void give_up(struct store *store)
{
    struct fake_store *f = store_of(store);

    f->given_up++;
    f->batch = NULL;
}

static const struct store_kind store_kind = {
    .start = start, .close = close_store, .begin = begin, .give_up = give_up};

/* ---- what they say ---------------------------------------------------------------------------- */

static void be_ready(struct test *t, bool is_turn_new)
{
    t->store.store.is_ready = true;
    t->store.store.events->on_ready(t->store.store.user, is_turn_new);
}

static void connect_source(struct test *t)
{
    t->source.epoch++;
    t->source.is_up = true;
    t->source.source.events->on_up(t->source.source.user);
}

static void deliver(struct test *t, const char *payload)
{
    const struct source_message message = {.topic = "devices/d/readings",
                                           .payload = payload,
                                           .bytes = strlen(payload),
                                           .said_us = INT64_MIN};

    t->source.source.events->on_message(t->source.source.user, &message);
}

/* A run of messages has ended, after which nothing would come. */
static void end_run(struct test *t)
{
    t->source.is_exhausted = true;
    t->source.source.events->on_read(t->source.source.user);
    t->source.is_exhausted = false;
}

static void store_it(struct test *t)
{
    struct batch *batch = t->store.batch;
    const struct store_outcome outcome = {.stored = batch->count};

    t->store.batch = NULL;
    t->store.store.events->on_stored(t->store.store.user, batch, &outcome);
}

static void assert_accounts(const struct test *t)
{
    const struct ingest_counters *n = &t->ingest.counters;

    assert_int_equal(n->received,
                     n->stored + n->duplicates + n->rejected + ingest_in_flight(&t->ingest));
}

/* ---- what ingest reports ---------------------------------------------------------------------- */

static void on_device(struct ingest *ingest, uint32_t device)
{
    (void)ingest;
    (void)device;
}

static void on_committed(struct ingest *ingest, const struct batch *batch)
{
    struct test *t = ingest->config.user;

    t->committed += (unsigned)batch->count;
}

static void on_nothing(struct ingest *ingest)
{
    (void)ingest;
}

static void on_rejected(struct ingest *ingest, const char *topic, enum reading_error error,
                        const char *detail)
{
    (void)ingest;
    (void)topic;
    (void)error;
    (void)detail;
}

static void on_role_change(struct ingest *ingest, bool is_active)
{
    struct test *t = ingest->config.user;

    t->is_active = is_active;
}

static void on_stopped(struct ingest *ingest, bool drained)
{
    struct test *t = ingest->config.user;

    (void)drained;
    t->has_stopped = true;
}

static int setup(void **state)
{
    struct test *t = calloc(1, sizeof(*t));
    char error[128];

    assert_non_null(t);
    assert_true(features_parse(&t->features, FEATURES_DEFAULT, error, sizeof(error)));
    assert_null(subscriptions_add_contract(&t->subscriptions, SUBSCRIBE_DEFAULT));
    t->source.source.kind = &source_kind;
    t->store.store.kind = &store_kind;
    uv_loop_init(&t->loop);
    const struct ingest_config config = {.source = &t->source.source,
                                         .store = &t->store.store,
                                         .devices = &t->devices,
                                         .collector_id = "c",
                                         .rules = {.features = &t->features},
                                         .subscriptions = &t->subscriptions,
                                         .mappings = &t->mappings,
                                         .batch_size = BATCH_SIZE,
                                         .linger_ms = 60000,
                                         .leave_after_ms = 1,
                                         .drain_ms = 60000,
                                         .user = t,
                                         .on_device = on_device,
                                         .on_committed = on_committed,
                                         .on_settled = on_nothing,
                                         .on_rejected = on_rejected,
                                         .on_state = on_nothing,
                                         .on_behind = on_nothing,
                                         .on_role_change = on_role_change};
    assert_true(ingest_start(&t->ingest, &t->loop, &config, error, sizeof(error)));
    *state = t;
    return 0;
}

/* The second call ends it at once. */
static int teardown(void **state)
{
    struct test *t = *state;

    assert_accounts(t);
    ingest_stop(&t->ingest, on_stopped);
    if (t->ingest.state != INGEST_CLOSING)
        ingest_stop(&t->ingest, on_stopped);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    assert_true(t->has_stopped);
    assert_int_equal(uv_loop_close(&t->loop), 0);
    ingest_release(&t->ingest);
    subscriptions_release(&t->subscriptions);
    devices_release(&t->devices);
    free(t);
    return 0;
}

#define READING "{\"temperature\":1}"

static void go_live(struct test *t)
{
    be_ready(t, true);
    connect_source(t);
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void test_ingest__the_source_is_joined_when_the_store_is_ready(void **state)
{
    struct test *t = *state;

    assert_int_equal(t->source.joined, 0);
    be_ready(t, true);
    assert_true(t->source.joined > 0);
    assert_true(t->is_active);
    assert_false(ingest_is_live(&t->ingest));
    connect_source(t);
    assert_true(ingest_is_live(&t->ingest));
}

static void test_ingest__a_message_is_released_once_it_is_stored(void **state)
{
    struct test *t = *state;

    go_live(t);
    deliver(t, READING);
    assert_null(t->store.batch); /* it lingers */
    end_run(t);
    assert_non_null(t->store.batch);
    assert_int_equal(t->source.released, NONE);
    assert_true(t->source.is_paused);
    assert_accounts(t);
    store_it(t);
    assert_int_equal(t->committed, 1);
    assert_int_equal(t->source.released, t->source.epoch);
    assert_false(t->source.is_paused);
}

static void test_ingest__nothing_is_read_until_the_release_has_left(void **state)
{
    struct test *t = *state;

    go_live(t);
    deliver(t, READING);
    end_run(t);
    t->source.is_releasing = true; /* from the release on */
    store_it(t);
    assert_true(t->source.is_paused);
    t->source.is_releasing = false;
    t->source.source.events->on_released(t->source.source.user);
    assert_false(t->source.is_paused);
}

static void test_ingest__a_full_batch_waits_for_no_more(void **state)
{
    struct test *t = *state;

    go_live(t);
    for (int i = 0; i < BATCH_SIZE; i++)
        deliver(t, READING);
    assert_true(t->source.is_paused);
    t->source.source.events->on_read(t->source.source.user);
    assert_non_null(t->store.batch);
    assert_int_equal(t->store.batch->count, BATCH_SIZE);
}

/* The setup's linger is a minute. */
static void test_ingest__who_waited_for_a_slow_commit_does_not_linger_as_long(void **state)
{
    static const struct {
        uint64_t commit_ms;
        uint64_t then_ms; /* until the first message after it */
        uint64_t linger_ms;
    } cases[] = {{0, 0, 60000},      {60000, 0, 60000},  {80000, 0, 40000},
                 {104000, 0, 16000}, {900000, 0, 15000}, {900000, 1000, 60000}};
    struct test *t = *state;

    go_live(t);
    deliver(t, READING);
    assert_int_equal(uv_timer_get_due_in(&t->ingest.linger), 60000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        end_run(t);
        t->ingest.paused_ms -= cases[i].commit_ms;
        store_it(t);
        t->ingest.paused_ms -= cases[i].then_ms;
        t->ingest.resumed_ms -= cases[i].then_ms;
        deliver(t, READING);
        assert_int_equal(uv_timer_get_due_in(&t->ingest.linger), cases[i].linger_ms);
    }
}

static void test_ingest__a_message_in_parts_is_released_with_its_last(void **state)
{
    struct test *t = *state;

    go_live(t);
    deliver(t, "[" READING "," READING "," READING "," READING "," READING "," READING "," READING
               "," READING "]");
    t->source.source.events->on_read(t->source.source.user);
    assert_int_equal(t->store.batch->count, BATCH_SIZE);
    store_it(t);
    assert_int_equal(t->source.released, NONE);
    assert_accounts(t);
    assert_int_equal(t->store.batch->count, BATCH_SIZE);
    store_it(t);
    assert_int_equal(t->committed, 2 * BATCH_SIZE);
    assert_int_equal(t->source.released, t->source.epoch);
}

static void test_ingest__what_was_read_before_the_source_was_lost_is_stale(void **state)
{
    struct test *t = *state;
    uint64_t before;

    go_live(t);
    deliver(t, READING);
    end_run(t);
    before = t->source.epoch;
    t->source.source.events->on_down(t->source.source.user);
    connect_source(t);
    store_it(t);
    assert_int_equal(t->ingest.counters.stale_batches, 1);
    assert_int_equal(t->source.released, before); /* which is not the present one */
    assert_int_not_equal(t->source.released, t->source.epoch);
    deliver(t, READING);
    end_run(t);
    assert_false(t->store.expects_duplicates); /* none was among the last */
}

static void test_ingest__the_first_batch_after_a_connect_expects_duplicates(void **state)
{
    struct test *t = *state;

    go_live(t);
    deliver(t, READING);
    end_run(t);
    assert_true(t->store.expects_duplicates);
}

static void test_ingest__what_another_stored_after_goes_back(void **state)
{
    struct test *t = *state;

    go_live(t);
    deliver(t, READING);
    end_run(t);
    deliver(t, READING); /* which had been read ahead */
    be_ready(t, true);   /* another had the turn */
    assert_int_equal(t->store.given_up, 1);
    assert_int_equal(t->source.given_back, 1);
    assert_int_equal(t->source.released, NONE);
    assert_int_equal(t->ingest.counters.duplicates, 2);
    assert_int_equal(ingest_in_flight(&t->ingest), 0);
    assert_accounts(t);
}

static void test_ingest__the_source_is_left_when_the_store_stays_away(void **state)
{
    struct test *t = *state;

    go_live(t);
    t->store.store.is_ready = false;
    t->store.store.events->on_unready(t->store.store.user);
    assert_int_equal(t->source.left, 0);
    while (t->source.left == 0)
        uv_run(&t->loop, UV_RUN_ONCE);
    be_ready(t, false);
    assert_int_equal(t->source.joined, 2);
    assert_int_equal(t->source.given_back, 0);
}

static void test_ingest__a_drain_stores_what_was_read_and_releases_it(void **state)
{
    struct test *t = *state;

    go_live(t);
    deliver(t, READING);
    ingest_stop(&t->ingest, on_stopped);
    assert_non_null(t->store.batch);
    store_it(t);
    assert_int_equal(t->source.released, t->source.epoch);
    assert_false(t->has_stopped);
}

#define GATE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_ingest__the_source_is_joined_when_the_store_is_ready),
        GATE_TEST(test_ingest__a_message_is_released_once_it_is_stored),
        GATE_TEST(test_ingest__nothing_is_read_until_the_release_has_left),
        GATE_TEST(test_ingest__a_full_batch_waits_for_no_more),
        GATE_TEST(test_ingest__who_waited_for_a_slow_commit_does_not_linger_as_long),
        GATE_TEST(test_ingest__a_message_in_parts_is_released_with_its_last),
        GATE_TEST(test_ingest__what_was_read_before_the_source_was_lost_is_stale),
        GATE_TEST(test_ingest__the_first_batch_after_a_connect_expects_duplicates),
        GATE_TEST(test_ingest__what_another_stored_after_goes_back),
        GATE_TEST(test_ingest__the_source_is_left_when_the_store_stays_away),
        GATE_TEST(test_ingest__a_drain_stores_what_was_read_and_releases_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
