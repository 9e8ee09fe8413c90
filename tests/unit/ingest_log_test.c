/* The gate between a log and a store that keeps its positions, both of which are none. */
#include "collector/ingest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH_SIZE = 4, PARTITIONS = 2, LOST = -9 };

/* A reader of a log of which every record is a message with one reading, or a text that is none. */
struct fake_log {
    struct source source;
    bool is_paused;
    bool is_held; /* what is placed does not have the record */
    bool is_ours[PARTITIONS];
    int64_t from[PARTITIONS]; /* not released; LOST = nothing is in hand */
    int64_t to[PARTITIONS];   /* delivered up to here */
    struct source_position marked[PARTITIONS];
    unsigned releases;
    unsigned given_back;
};

struct fake_store {
    struct store store;
    struct batch *batch; /* being stored */
    int64_t next[PARTITIONS];
    bool is_asked[PARTITIONS];
};

struct test {
    uv_loop_t loop;
    struct devices devices;
    struct features features;
    struct subscriptions subscriptions;
    struct mappings mappings;
    struct fake_log log;
    struct fake_store store;
    struct ingest ingest;
    unsigned committed; /* readings, */
    unsigned loads;     /* and how often the windows were to be loaded again */
    bool has_stopped;
    bool has_drained;
};

static struct source_position position_of(int32_t partition, int64_t from, int64_t to)
{
    return (struct source_position){
        .group = "g", .topic = "readings", .partition = partition, .from = from, .to = to};
}

/* ---- a log that is none ----------------------------------------------------------------------- */

static struct fake_log *log_of(struct source *source)
{
    return (void *)source;
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

static void ignore(struct source *source)
{
    (void)source;
}

static void pause_source(struct source *source)
{
    log_of(source)->is_paused = true;
}

static void resume(struct source *source)
{
    log_of(source)->is_paused = false;
}

static struct source_mark mark(struct source *source)
{
    struct fake_log *f = log_of(source);
    size_t count = 0;

    for (int32_t p = 0; p < PARTITIONS; p++) {
        if (f->from[p] != LOST && f->to[p] > f->from[p])
            f->marked[count++] = position_of(p, f->from[p], f->to[p]);
    }
    return (struct source_mark){.epoch = 1, .positions = f->marked, .position_count = count};
}

static void release(struct source *source, const struct source_mark *mark)
{
    struct fake_log *f = log_of(source);

    f->releases++;
    for (size_t i = 0; i < mark->position_count; i++) {
        const struct source_position *position = &mark->positions[i];

        assert_int_equal(f->from[position->partition], position->from);
        f->from[position->partition] = position->to;
    }
}

static void gain(struct test *t, int32_t partition)
{
    const struct source_position position = position_of(partition, LOST, LOST);

    t->log.is_ours[partition] = true;
    t->log.source.events->on_gained(t->log.source.user, &position, 1);
}

static void lose(struct test *t, int32_t partition)
{
    const struct source_position position = position_of(partition, LOST, LOST);

    t->log.is_ours[partition] = false;
    t->log.source.events->on_lost(t->log.source.user, &position, 1);
}

static void give_back(struct source *source)
{
    struct test *t = ((struct ingest *)source->user)->config.user;
    struct fake_log *f = log_of(source);

    f->given_back++;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        f->from[p] = f->to[p] = LOST;
        if (f->is_ours[p])
            gain(t, p);
    }
}

static bool place(struct source *source, const struct source_position *positions, size_t count)
{
    struct fake_log *f = log_of(source);

    for (size_t i = 0; i < count; i++)
        f->from[positions[i].partition] = f->to[positions[i].partition] = positions[i].from;
    return !f->is_held;
}

static bool is_up(const struct source *source)
{
    (void)source;
    return true;
}

static bool is_current(const struct source *source, const struct source_mark *mark)
{
    (void)source;
    (void)mark;
    return true;
}

static bool is_never(const struct source *source)
{
    (void)source;
    return false;
}

static const struct source_kind log_kind = {.reads_on = true,
                                            .close = close_source,
                                            .identify = identify,
                                            .join = ignore,
                                            .leave = ignore,
                                            .pause = pause_source,
                                            .resume = resume,
                                            .mark = mark,
                                            .release = release,
                                            .give_back = give_back,
                                            .place = place,
                                            .is_up = is_up,
                                            .is_current = is_current,
                                            .is_releasing = is_never,
                                            .is_exhausted = is_never};

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
    (void)expects_duplicates;
    assert_null(store_of(store)->batch); /* one at a time */
    store_of(store)->batch = batch;
}

static void give_up(struct store *store)
{
    store_of(store)->batch = NULL;
}

static void find_positions(struct store *store, const struct source_position *positions,
                           size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_of(store)->is_asked[positions[i].partition] = true;
}

static const struct store_kind store_kind = {.start = start,
                                             .close = close_store,
                                             .begin = begin,
                                             .give_up = give_up,
                                             .find_positions = find_positions};

/* Says where they stand. */
static void answer(struct test *t)
{
    struct fake_store *f = &t->store;

    for (int32_t p = 0; p < PARTITIONS; p++) {
        const struct source_position position = position_of(p, f->next[p], f->next[p]);

        if (f->is_asked[p])
            f->store.events->on_positions(f->store.user, &position, 1);
        f->is_asked[p] = false;
    }
}

static bool can_move(const struct fake_store *f)
{
    for (size_t i = 0; i < f->batch->mark.position_count; i++) {
        if (f->batch->mark.positions[i].from != f->next[f->batch->mark.positions[i].partition])
            return false;
    }
    return true;
}

/* By compare and swap. */
static void store_it(struct test *t)
{
    struct fake_store *f = &t->store;
    struct batch *batch = f->batch;
    const struct source_mark *mark = &batch->mark;
    const struct store_outcome outcome = {.stored = batch->count};
    bool is_ours = can_move(f);

    f->batch = NULL;
    f->store.outcome = (struct store_outcome){0};
    for (size_t i = 0; is_ours && !batch->is_part && i < mark->position_count; i++)
        f->next[mark->positions[i].partition] = mark->positions[i].to;
    if (is_ours)
        f->store.events->on_stored(f->store.user, batch, &outcome);
    else
        f->store.events->on_fenced(f->store.user, batch);
}

/* ---- what they say ---------------------------------------------------------------------------- */

static void deliver_text(struct test *t, int32_t partition, const char *payload)
{
    const struct source_message message = {.topic = "devices/d/readings",
                                           .payload = payload,
                                           .bytes = strlen(payload),
                                           .said_us = INT64_MIN};

    assert_int_not_equal(t->log.from[partition], LOST); /* nothing before it is placed */
    t->log.to[partition]++;
    t->log.source.events->on_message(t->log.source.user, &message);
    t->log.source.events->on_read(t->log.source.user);
}

static void deliver(struct test *t, int32_t partition, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        deliver_text(t, partition, "{\"temperature\":1}");
}

/* The batch has lingered. */
static void linger(struct test *t)
{
    uv_timer_stop(&t->ingest.linger);
    t->log.source.events->on_down(t->log.source.user); /* which looks what is to be done */
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

    assert_true(batch_has_rows(batch));
    t->committed += (unsigned)batch->count;
}

static void on_nothing(struct ingest *ingest)
{
    (void)ingest;
}

static void on_behind(struct ingest *ingest)
{
    struct test *t = ingest->config.user;

    t->loads++;
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
    (void)ingest;
    (void)is_active;
}

static void on_stopped(struct ingest *ingest, bool drained)
{
    struct test *t = ingest->config.user;

    t->has_drained = drained;
    t->has_stopped = true;
}

static int setup(void **state)
{
    struct test *t = calloc(1, sizeof(*t));
    char error[128];

    assert_non_null(t);
    assert_true(features_parse(&t->features, FEATURES_DEFAULT, error, sizeof(error)));
    assert_null(subscriptions_add_contract(&t->subscriptions, SUBSCRIBE_DEFAULT));
    t->log.source.kind = &log_kind;
    t->store.store.kind = &store_kind;
    for (int p = 0; p < PARTITIONS; p++) {
        t->log.from[p] = t->log.to[p] = LOST;
        t->store.next[p] = 100;
    }
    uv_loop_init(&t->loop);
    const struct ingest_config config = {.source = &t->log.source,
                                         .store = &t->store.store,
                                         .devices = &t->devices,
                                         .collector_id = "c",
                                         .rules = {.features = &t->features},
                                         .subscriptions = &t->subscriptions,
                                         .mappings = &t->mappings,
                                         .batch_size = BATCH_SIZE,
                                         .linger_ms = 60000,
                                         .leave_after_ms = 60000,
                                         .drain_ms = 60000,
                                         .user = t,
                                         .on_device = on_device,
                                         .on_committed = on_committed,
                                         .on_settled = on_nothing,
                                         .on_rejected = on_rejected,
                                         .on_state = on_nothing,
                                         .on_behind = on_behind,
                                         .on_role_change = on_role_change};
    assert_true(ingest_start(&t->ingest, &t->loop, &config, error, sizeof(error)));
    t->store.store.is_ready = true;
    t->store.store.events->on_ready(t->store.store.user, true);
    *state = t;
    return 0;
}

/* The second call ends it at once. */
static int teardown(void **state)
{
    struct test *t = *state;

    assert_accounts(t);
    for (int i = 0; i < 2 && t->ingest.state != INGEST_CLOSING; i++)
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

static void own(struct test *t, int32_t partition)
{
    gain(t, partition);
    answer(t);
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void test_ingest__a_partition_starts_where_the_store_says(void **state)
{
    struct test *t = *state;

    gain(t, 1);
    assert_int_equal(t->log.from[1], LOST);
    answer(t);
    assert_int_equal(t->log.from[1], 100);
    assert_int_equal(t->log.from[0], LOST);
}

static void test_ingest__windows_are_loaded_once_it_is_known_where(void **state)
{
    struct test *t = *state;

    gain(t, 0);
    assert_int_equal(t->loads, 0); /* what its last owner stores until then would not be in them */
    answer(t);
    assert_int_equal(t->loads, 1);
}

static void test_ingest__a_partition_that_is_held_brings_nothing_to_load(void **state)
{
    struct test *t = *state;

    t->log.is_held = true;
    own(t, 0);
    assert_int_equal(t->loads, 0); /* or boards would be withdrawn each time that it is looked at */
    t->log.is_held = false;
    own(t, 0);
    assert_int_equal(t->loads, 1);
}

static void test_ingest__positions_move_with_the_batch(void **state)
{
    struct test *t = *state;

    own(t, 0);
    own(t, 1);
    deliver(t, 0, 3);
    assert_null(t->store.batch);
    deliver(t, 1, 1);
    assert_int_equal(t->store.batch->mark.position_count, 2);
    store_it(t);
    assert_int_equal(t->store.next[0], 103);
    assert_int_equal(t->store.next[1], 101);
    assert_int_equal(t->log.from[0], 103);
    assert_int_equal(t->committed, 4);
}

static void test_ingest__the_next_batch_fills_while_one_is_stored(void **state)
{
    struct test *t = *state;

    own(t, 0);
    deliver(t, 0, BATCH_SIZE);
    assert_non_null(t->store.batch);
    assert_false(t->log.is_paused);
    deliver(t, 0, BATCH_SIZE - 1);
    assert_false(t->log.is_paused);
    deliver(t, 0, 1);
    assert_true(t->log.is_paused);
    assert_int_equal(t->store.batch->count, BATCH_SIZE);
    assert_accounts(t);
    store_it(t);
    assert_int_equal(t->store.batch->mark.positions[0].from, 104);
    assert_int_equal(t->store.batch->mark.positions[0].to, 108);
    assert_false(t->log.is_paused);
    store_it(t);
    assert_int_equal(t->store.next[0], 108);
}

static void test_ingest__records_that_give_nothing_move_the_position_too(void **state)
{
    struct test *t = *state;

    own(t, 0);
    t->log.to[0]++;
    t->ingest.filling->message_count++; /* a mapping passes it over */
    linger(t);
    assert_non_null(t->store.batch);
    assert_false(batch_has_rows(t->store.batch));
    assert_true(ingest_settled_until_us(&t->ingest, 1000) == 999); /* nothing waits */
    store_it(t);
    assert_int_equal(t->store.next[0], 101);
}

static void test_ingest__a_rejected_record_moves_the_position_too(void **state)
{
    struct test *t = *state;

    own(t, 0);
    deliver_text(t, 0, "nonsense");
    linger(t);
    assert_int_equal(t->store.batch->rejected_count, 1);
    store_it(t);
    assert_int_equal(t->store.next[0], 101);
    assert_int_equal(t->ingest.counters.rejected, 1);
}

static void test_ingest__a_message_in_parts_moves_the_position_with_its_last(void **state)
{
    struct test *t = *state;

    own(t, 0);
    deliver(t, 0, 1);
    deliver_text(t, 0,
                 "[{\"temperature\":1},{\"temperature\":2},{\"temperature\":3},{\"temperature\":4},"
                 "{\"temperature\":5},{\"temperature\":6}]");
    assert_true(t->store.batch->is_part);
    store_it(t);
    assert_int_equal(t->store.next[0], 100);
    assert_int_equal(t->log.releases, 0);
    linger(t);
    assert_false(t->store.batch->is_part);
    assert_int_equal(t->store.batch->mark.positions[0].from, 100);
    store_it(t);
    assert_int_equal(t->store.next[0], 102);
    assert_int_equal(t->committed, 7);
}

static void
test_ingest__a_fenced_batch_is_dropped_and_comes_from_where_the_store_stands(void **state)
{
    struct test *t = *state;

    own(t, 0);
    own(t, 1);
    t->loads = 0;
    deliver(t, 0, BATCH_SIZE);
    deliver(t, 1, 2); /* of the next batch */
    t->store.next[0] = 103;
    store_it(t);
    assert_int_equal(t->committed, 0);
    assert_int_equal(t->log.releases, 0);
    assert_int_equal(t->log.given_back, 1);
    assert_int_equal(t->ingest.counters.fenced_batches, 1);
    assert_int_equal(ingest_in_flight(&t->ingest), 0);
    assert_accounts(t);
    assert_int_equal(t->loads, 1); /* it may have been ours, of a try whose end was not seen */
    answer(t);
    assert_int_equal(t->log.from[0], 103);
    assert_int_equal(t->log.from[1], 100);
    assert_false(t->log.is_paused);
    deliver(t, 0, 1);
    deliver(t, 1, 3);
    store_it(t);
    assert_int_equal(t->store.next[0], 104);
    assert_int_equal(t->store.next[1], 103);
    assert_int_equal(t->committed, 4);
}

static void test_ingest__a_loser_that_owns_nothing_more_loads_all_the_same(void **state)
{
    struct test *t = *state;

    own(t, 0);
    deliver(t, 0, BATCH_SIZE);
    lose(t, 0);
    t->loads = 0;
    t->store.next[0] = 104;
    store_it(t);
    assert_int_equal(t->loads, 1);
    assert_false(t->store.is_asked[0]);
    assert_int_equal(t->ingest.state, INGEST_READING);
}

static void test_ingest__what_is_in_hand_of_a_lost_partition_is_stored_at_once(void **state)
{
    struct test *t = *state;

    own(t, 0);
    own(t, 1);
    deliver(t, 0, 1);
    deliver(t, 1, 1);
    lose(t, 0);
    assert_null(t->store.batch);
    uv_run(&t->loop, UV_RUN_NOWAIT);
    assert_non_null(t->store.batch); /* nobody else has stored it yet */
    store_it(t);
    assert_int_equal(t->store.next[0], 101);
    assert_int_equal(t->committed, 2);
}

static void test_ingest__a_partition_lost_while_its_batch_is_under_way(void **state)
{
    struct test *t = *state;

    own(t, 0);
    deliver(t, 0, BATCH_SIZE);
    lose(t, 0);
    store_it(t);
    assert_int_equal(t->store.next[0], 104);
    assert_int_equal(t->ingest.counters.fenced_batches, 0);
}

static void test_ingest__a_drain_that_is_fenced_has_nothing_left_to_store(void **state)
{
    struct test *t = *state;

    own(t, 0);
    deliver(t, 0, 1);
    ingest_stop(&t->ingest, on_stopped);
    assert_non_null(t->store.batch);
    t->store.next[0] = 101;
    store_it(t);
    assert_int_equal(t->log.given_back, 0);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    assert_true(t->has_stopped);
    assert_true(t->has_drained);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ingest__a_partition_starts_where_the_store_says),
        TEST(test_ingest__windows_are_loaded_once_it_is_known_where),
        TEST(test_ingest__a_partition_that_is_held_brings_nothing_to_load),
        TEST(test_ingest__positions_move_with_the_batch),
        TEST(test_ingest__the_next_batch_fills_while_one_is_stored),
        TEST(test_ingest__records_that_give_nothing_move_the_position_too),
        TEST(test_ingest__a_rejected_record_moves_the_position_too),
        TEST(test_ingest__a_message_in_parts_moves_the_position_with_its_last),
        TEST(test_ingest__a_fenced_batch_is_dropped_and_comes_from_where_the_store_stands),
        TEST(test_ingest__a_loser_that_owns_nothing_more_loads_all_the_same),
        TEST(test_ingest__what_is_in_hand_of_a_lost_partition_is_stored_at_once),
        TEST(test_ingest__a_partition_lost_while_its_batch_is_under_way),
        TEST(test_ingest__a_drain_that_is_fenced_has_nothing_left_to_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
