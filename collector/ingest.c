/* proceed() derives the next action from the current state; every callback records its fact, then
 * calls it. Rejected: a commit per message (a round trip each), a second ingest session to overlap
 * reading and committing (a broker already fills the socket's buffer meanwhile, and measured no
 * faster), and holding back single acknowledgements (the library releases all or none). */
#include "collector/ingest.h"

#include "collector/ingest_account.h"
#include "collector/ingest_linger.h"
#include "collector/ingest_relay.h"
#include "collector/intake.h"
#include "shared/base/failpoint.h"
#include "shared/base/log.h"
#include "shared/base/timestamp.h"
#include "shared/model/board.h"

#include <assert.h>
#include <inttypes.h>

static void proceed(struct ingest *ingest);

static struct batch *other_batch(struct ingest *ingest, const struct batch *batch)
{
    return batch == &ingest->batches[0] ? &ingest->batches[1] : &ingest->batches[0];
}

/* ---- what arrives --------------------------------------------------------------------------- */

static void on_linger(uv_timer_t *timer);

static void start_linger(struct ingest *ingest, uint64_t wait_ms)
{
    ingest->linger_wait_ms = wait_ms;
    uv_timer_start(&ingest->linger, on_linger, wait_ms, 0);
}

static void on_linger(uv_timer_t *timer)
{
    struct ingest *ingest = timer->data;

    if (ingest_goes_on_lingering(ingest))
        start_linger(ingest, (ingest->config.linger_ms + 1) / 2);
    else
        proceed(ingest);
}

/* Read no more: the batch has all the readings or bytes it takes, or the rest of a message waits. */
static bool is_full(const struct ingest *ingest)
{
    return !backlog_is_empty(&ingest->backlog) || intake_is_full(ingest);
}

static void on_message(void *user, const struct source_message *message)
{
    struct ingest *ingest = user;

    if (batch_is_empty(ingest->filling)) {
        ingest->filling_since_ms = uv_now(ingest->linger.loop);
        ingest->lingered_count = 0;
        start_linger(ingest, ingest_linger_ms(ingest));
    }
    if (ingest->waiting_since_ms == 0)
        ingest->waiting_since_ms = uv_now(ingest->linger.loop);
    intake_begin(ingest, message);
    if (is_full(ingest))
        source_pause(ingest->source);
}

static void on_read(void *user)
{
    struct ingest *ingest = user;

    if (is_full(ingest) || source_is_exhausted(ingest->source))
        proceed(ingest);
}

/* ---- the round ------------------------------------------------------------------------------ */

static void set_state(struct ingest *ingest, enum ingest_state state)
{
    bool was_waiting = ingest->state == INGEST_WAITING;

    ingest->state = state;
    if (was_waiting != (state == INGEST_WAITING))
        ingest->config.on_state(ingest);
}

static void on_leave(uv_timer_t *timer);

/* Nothing of the batch is in flight any more. */
static void settle(struct ingest *ingest)
{
    batch_clear(ingest->committing);
    ingest->committing = NULL;
    if (backlog_is_empty(&ingest->backlog)) /* or the rest of a message is as old as before */
        ingest->waiting_since_ms = batch_is_empty(ingest->filling) ? 0 : ingest->filling_since_ms;
}

/* What is left of a message must not be released. Of a source that reads on the mark knows; what it has
 * delivered since is no part of it. */
static void release(struct ingest *ingest, const struct source_mark *mark, bool is_part)
{
    set_state(ingest, INGEST_RELEASING);
    if (source_reads_on(ingest->source) ? !is_part : backlog_is_empty(&ingest->backlog))
        source_release(ingest->source, mark);
}

/* A batch of messages that give nothing to be stored is just done with, unless a log's position moves. */
static void commit(struct ingest *ingest)
{
    struct source_mark mark;

    if (!source_reads_on(ingest->source)) {
        source_pause(ingest->source);
        ingest->paused_ms = ingest->resumed_ms = uv_now(ingest->linger.loop);
    }
    mark = source_mark(ingest->source);
    uv_timer_stop(&ingest->linger);
    ingest->committing = ingest->filling;
    sparkplug_take_changes(&ingest->sparkplug, &ingest->committing->sparkplug);
    ingest->committing->mark = mark;
    ingest->committing->is_part = !backlog_is_empty(&ingest->backlog);
    ingest->filling = other_batch(ingest, ingest->filling);
    assert(batch_is_empty(ingest->filling));
    set_state(ingest, INGEST_COMMITTING);
    if (source_reads_on(ingest->source) && !is_full(ingest) && !ingest->is_draining)
        source_resume(ingest->source); /* it fills the next one meanwhile */
    if (!batch_has_rows(ingest->committing) && mark.position_count == 0) {
        settle(ingest);
        release(ingest, &mark, false);
        proceed(ingest);
        return;
    }
    uv_timer_start(&ingest->leave, on_leave, ingest->config.leave_after_ms,
                   ingest->config.leave_after_ms + 1);
    commit_times_begin(&ingest->times, timestamp_now(), ingest->last_arrival_us, uv_hrtime());
    store_begin(ingest->store, ingest->committing, ingest->expects_duplicates);
}

static void on_part_closed(struct ingest *ingest)
{
    if (--ingest->open_parts > 0)
        return;
    ingest->on_stopped(ingest, ingest->drained_in_time);
}

static void on_source_closed(void *user)
{
    on_part_closed(user);
}

static void on_store_closed(void *user)
{
    on_part_closed(user);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

static void close_all(struct ingest *ingest)
{
    if (ingest->state == INGEST_CLOSING)
        return;
    ingest->state = INGEST_CLOSING;
    ingest->closed_at_us = timestamp_now();
    ingest->open_parts = 6;
    source_close(ingest->source, on_source_closed);
    store_close(ingest->store, on_store_closed);
    uv_close((uv_handle_t *)&ingest->linger, on_timer_closed);
    uv_close((uv_handle_t *)&ingest->leave, on_timer_closed);
    uv_close((uv_handle_t *)&ingest->deadline, on_timer_closed);
    uv_close((uv_handle_t *)&ingest->slice, on_timer_closed);
}

static bool lingered(const struct ingest *ingest)
{
    return !uv_is_active((const uv_handle_t *)&ingest->linger);
}

static void on_slice(uv_timer_t *timer)
{
    proceed(timer->data);
}

/* The next part of what waits. When that was little, more of it follows in the next turn of the loop. */
static void go_on_with_backlog(struct ingest *ingest)
{
    if (backlog_is_empty(&ingest->backlog) || intake_is_full(ingest))
        return;
    intake_go_on(ingest);
    if (!backlog_is_empty(&ingest->backlog) && !intake_is_full(ingest))
        uv_timer_start(&ingest->slice, on_slice, 0, 0);
}

/* Whether the batch that fills is to be committed now. */
static bool is_due(const struct ingest *ingest)
{
    bool waits_in_vain = ingest->state == INGEST_WAITING && !batch_has_rows(ingest->filling);

    if (batch_is_empty(ingest->filling) || waits_in_vain)
        return false;
    return intake_is_full(ingest) ||
           (backlog_is_empty(&ingest->backlog) &&
            (source_is_exhausted(ingest->source) || lingered(ingest) || ingest->is_draining));
}

/* While we have the lock no other process of our id receives anything; it goes with the store. So the
 * boards as of the time after our last reading, a tenth of a second away at most, are made before that.
 * A later time is for another to vouch for. */
static bool awaits_last_boards(struct ingest *ingest)
{
    int64_t left_us = board_as_of(ingest->last_arrival_us) + BOARD_GRID_US - timestamp_now();

    if (left_us <= 0 || left_us > BOARD_GRID_US || !ingest_is_live(ingest))
        return false;
    uv_timer_start(&ingest->linger, on_linger, (uint64_t)left_us / 1000 + 1, 0);
    return true;
}

static void proceed(struct ingest *ingest)
{
    bool is_idle = ingest->state == INGEST_READING || ingest->state == INGEST_WAITING;

    if (ingest->state == INGEST_RELEASING && !source_is_releasing(ingest->source)) {
        set_state(ingest, store_is_ready(ingest->store) ? INGEST_READING : INGEST_WAITING);
        if (!source_reads_on(ingest->source))
            ingest->resumed_ms = uv_now(ingest->linger.loop);
        is_idle = true;
    }
    if (!is_idle)
        return;
    go_on_with_backlog(ingest);
    if (is_due(ingest)) {
        commit(ingest);
    } else if (!backlog_is_empty(&ingest->backlog)) {
        return; /* on_slice() goes on */
    } else if (ingest->is_draining) {
        if (awaits_last_boards(ingest))
            return;
        ingest->drained_in_time = true;
        close_all(ingest);
    } else {
        source_resume(ingest->source);
    }
}

static void on_stored(void *user, struct batch *batch, const struct store_outcome *outcome)
{
    struct ingest *ingest = user;
    const struct source_mark mark = batch->mark;
    const bool is_part = batch->is_part;

    FAILPOINT("commit_ok_before_flush");
    assert(batch == ingest->committing);
    ingest->expects_duplicates = outcome->duplicates > 0;
    uv_timer_stop(&ingest->leave);
    if (!ingest->is_draining)
        source_join(ingest->source); /* it was left while the store was on hold */
    if (batch_has_rows(batch))
        ingest->config.on_committed(ingest, batch);
    FAILPOINT("window_apply");
    ingest_account_stored(ingest, outcome);
    commit_times_end(&ingest->times, batch, timestamp_now(), uv_hrtime());
    settle(ingest);
    if (!source_is_current(ingest->source, &mark))
        ingest->counters.stale_batches++;
    release(ingest, &mark, is_part);
    ingest->config.on_settled(ingest);
    proceed(ingest);
}

static void on_released(void *user)
{
    FAILPOINT("after_flush");
    proceed(user);
}

/* ---- coming and going ----------------------------------------------------------------------- */

/* What was read and not released comes again first. */
static void on_up(void *user)
{
    struct ingest *ingest = user;

    ingest->expects_duplicates = true;
    ingest->mapped.run.epoch++;
}

static void on_down(void *user)
{
    proceed(user); /* what is being released has no one to go to */
}

/* The sooner what is in hand is stored, the less of it will be stored by another first. */
static void on_lost(void *user, const struct source_position *positions, size_t count)
{
    struct ingest *ingest = user;

    (void)positions;
    (void)count;
    uv_timer_stop(&ingest->linger);
    uv_timer_start(&ingest->slice, on_slice, 0, 0);
}

static const struct source_events source_events = {.on_up = on_up,
                                                   .on_down = on_down,
                                                   .on_message = on_message,
                                                   .on_read = on_read,
                                                   .on_released = on_released,
                                                   .on_gained = ingest_relay_gained,
                                                   .on_lost = on_lost};

static void on_leave(uv_timer_t *timer)
{
    struct ingest *ingest = timer->data;

    if (store_is_ready(ingest->store) && !store_is_held(ingest->store))
        return; /* a commit that takes its time: look again later */
    uv_timer_stop(timer);
    source_leave(ingest->source);
}

/* What was received and not committed when another process of this id began to store is no longer
 * ours. That one has vouched for boards of moments at which it had been received, and did not know of
 * it. So it is not stored; the source, where it was not released, delivers it again, and it is
 * received then. */
static void give_back(struct ingest *ingest)
{
    uint64_t dropped;

    if (ingest_in_flight(ingest) == 0 && backlog_is_empty(&ingest->backlog))
        return;
    dropped = ingest_account_dropped(ingest);
    log_warning("store: another collector with COLLECTOR_ID %s has stored meanwhile; %" PRIu64
                " readings that were received before go back to the broker",
                ingest->config.collector_id, dropped);
    store_give_up(ingest->store);
    if (ingest->is_draining) {
        close_all(ingest);
        return;
    }
    source_give_back(ingest->source);
    if (ingest->state == INGEST_COMMITTING)
        set_state(ingest, INGEST_WAITING);
}

/* What was delivered after the batch goes with it, for its positions begin where those of the batch end. And
 * what the store has may be this very batch, of a try whose end we did not see: the windows lack it. */
static void on_fenced(void *user, struct batch *batch)
{
    struct ingest *ingest = user;
    uint64_t dropped;

    assert(batch == ingest->committing);
    uv_timer_stop(&ingest->leave);
    ingest->counters.fenced_batches++;
    ingest->config.on_behind(ingest);
    dropped = ingest_account_dropped(ingest);
    log_warning("store: what was read of the log is stored already; %" PRIu64
                " readings are let go, to go on where the store stands",
                dropped);
    if (!ingest->is_draining)
        source_give_back(ingest->source);
    set_state(ingest, INGEST_READING);
    proceed(ingest);
}

static void on_ready(void *user, bool is_turn_new)
{
    struct ingest *ingest = user;

    uv_timer_stop(&ingest->leave);
    if (is_turn_new)
        give_back(ingest);
    if (ingest->is_draining)
        return;
    source_identify(ingest->source, store_identity(ingest->store),
                    store_had_session(ingest->store));
    if (!ingest->is_active || is_turn_new) {
        ingest->is_active = true;
        ingest->config.on_role_change(ingest, true);
    }
    source_join(ingest->source);
    if (ingest->state == INGEST_WAITING)
        set_state(ingest, INGEST_READING);
    else
        ingest->config.on_state(ingest);
    proceed(ingest);
}

static void on_locked_out(void *user)
{
    struct ingest *ingest = user;

    if (ingest->is_active) {
        ingest->is_active = false;
        ingest->config.on_role_change(ingest, false);
    }
}

static void on_unready(void *user)
{
    struct ingest *ingest = user;

    if (ingest->is_draining)
        return;
    uv_timer_start(&ingest->leave, on_leave, ingest->config.leave_after_ms,
                   ingest->config.leave_after_ms + 1);
    if (ingest->state == INGEST_READING)
        set_state(ingest, INGEST_WAITING);
    else
        ingest->config.on_state(ingest);
}

/* Nobody waits for it to be released, but what came before it is released with it. */
static void on_again(void *user, const struct source_message *message)
{
    struct ingest *ingest = user;

    if (ingest->is_draining)
        return; /* its row stays, and is found at the next start */
    backlog_put(&ingest->backlog, message);
    uv_timer_start(&ingest->slice, on_slice, 0, 0);
}

static const struct store_events store_events = {.on_ready = on_ready,
                                                 .on_unready = on_unready,
                                                 .on_locked_out = on_locked_out,
                                                 .on_device = ingest_relay_device,
                                                 .on_removed = ingest_relay_removed,
                                                 .on_added = ingest_relay_added,
                                                 .on_added_many = ingest_relay_added_many,
                                                 .on_stored = on_stored,
                                                 .on_fenced = on_fenced,
                                                 .on_positions = ingest_relay_positions,
                                                 .put_topic = ingest_relay_put_topic,
                                                 .on_nodes = ingest_relay_nodes,
                                                 .on_node = ingest_relay_node,
                                                 .on_birth = ingest_relay_birth,
                                                 .on_again = on_again};

bool ingest_start(struct ingest *ingest, uv_loop_t *loop, const struct ingest_config *config,
                  char *error, size_t error_bytes)
{
    *ingest = (struct ingest){.config = *config,
                              .source = config->source,
                              .store = config->store,
                              .devices = config->devices};
    ingest->filling = &ingest->batches[0];
    for (size_t i = 0; i < 2; i++)
        batch_init(&ingest->batches[i], config->rules.features->count);

    intake_init(ingest);
    source_attach(ingest->source, &source_events, ingest);
    if (!store_start(ingest->store, loop, &store_events, ingest, error, error_bytes))
        return false;
    uv_timer_init(loop, &ingest->linger);
    uv_timer_init(loop, &ingest->leave);
    uv_timer_init(loop, &ingest->deadline);
    uv_timer_init(loop, &ingest->slice);
    ingest->linger.data = ingest->leave.data = ingest->deadline.data = ingest->slice.data = ingest;
    return true;
}

static void on_deadline(uv_timer_t *timer)
{
    close_all(timer->data);
}

void ingest_stop(struct ingest *ingest, void (*on_stopped)(struct ingest *ingest, bool drained))
{
    ingest->on_stopped = on_stopped;
    if (ingest->is_draining) {
        close_all(ingest);
        return;
    }
    ingest->is_draining = true;
    source_pause(ingest->source);
    uv_timer_start(&ingest->deadline, on_deadline, ingest->config.drain_ms, 0);
    proceed(ingest);
}

void ingest_release(struct ingest *ingest)
{
    batch_release(&ingest->batches[0]);
    batch_release(&ingest->batches[1]);
    backlog_release(&ingest->backlog);
    rejects_release(&ingest->rejects);
    intake_release(ingest);
}
