#include "devicesim/run.h"

#include "devicesim/nap.h"
#include "shared/base/log.h"

#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

enum { TICK_MS = 200 }; /* live line, phases that end by time, news about connections */

static void close_parts(struct run *run);

int64_t run_now_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* ---- phases --------------------------------------------------------------------------------- */

static void enter(struct run *run, enum phase phase)
{
    int64_t now_us = run_now_us();

    phases_enter(&run->phases, phase, now_us);
    if (phase == PHASE_SENDING && !run->settings.replay_path)
        fleet_start(&run->fleet, now_us);
    else if (phase == PHASE_DRAINING)
        run->source.finish(run->source.self); /* sends what is kept back */
    else if (phase == PHASE_CLOSING)
        close_parts(run);
}

/* To the phase that is due, which may have come to its end as well. */
static void move_on(struct run *run)
{
    for (;;) {
        enum phase next = phases_next(
            &run->phases,
            &(struct phase_facts){.now_us = run_now_us(),
                                  .wanted = run->publishers.config.count,
                                  .connected = run->publishers.connected,
                                  .connected_us = run->news.connected_us,
                                  .is_done = run->source.is_done(run->source.self),
                                  .is_answered = report_outstanding(&run->report) == 0 &&
                                                 !oversize_is_busy(&run->oversize)});

        if (next == run->phases.now)
            return;
        enter(run, next);
    }
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void on_due(uv_timer_t *timer)
{
    struct run *run = timer->data;

    run->due_us = SOURCE_NOTHING_DUE; /* the loop is awake: on_prepare does the rest */
}

static void set_due(struct run *run, int64_t due_us)
{
    int64_t now = run_now_us();
    int64_t wait_ms;

    if (due_us == run->due_us)
        return;
    run->due_us = due_us;
    if (due_us == SOURCE_NOTHING_DUE) {
        uv_timer_stop(&run->due);
        return;
    }
    uv_update_time(&run->loop);
    wait_ms = due_us > now ? (due_us - now + 999) / 1000 : 0;
    uv_timer_start(&run->due, on_due, (uint64_t)wait_ms, 0);
}

static void send_what_is_due(struct run *run)
{
    int64_t due_us;
    int64_t end_us = run->phases.sending_us + run->settings.duration_us;

    if (run->phases.now != PHASE_SENDING)
        return;
    due_us = run->source.pump(run->source.self, run_now_us());
    set_due(run, run->settings.duration_us > 0 && end_us < due_us ? end_us : due_us);
}

static void note_failures(struct run *run)
{
    if (run->has_failed)
        return;
    if (run->truth.failed) {
        run->has_failed = true;
        live_line_erase(&run->line);
        log_error("truth: %s cannot be written: %s", run->settings.truth_path,
                  strerror(run->truth.failed));
        if (run->phases.now < PHASE_DRAINING)
            enter(run, PHASE_DRAINING);
    } else if (run->replay.error[0]) { /* is_done() ends the sending */
        run->has_failed = true;
        live_line_erase(&run->line);
        log_error("replay: %s, %s", run->settings.replay_path, run->replay.error);
    }
}

static void on_awake(uv_idle_t *idle)
{
    (void)idle;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct run *run = prepare->data;

    move_on(run);
    run->has_room = false;
    send_what_is_due(run);
    publishers_flush(&run->publishers);
    if (run->is_flat_out && run->settings.qos == 1 && run->phases.now == PHASE_SENDING)
        nap(nap_us(&run->report,
                   (double)run->settings.connections * (double)run->settings.inflight));
    if (run->has_room) /* with QoS 0 writing is all it takes, and nothing will wake us */
        uv_idle_start(&run->awake, on_awake);
    else
        uv_idle_stop(&run->awake);
    note_failures(run);
}

static double progress(const struct run *run, int64_t now_us)
{
    double by_source = run->source.progress(run->source.self);
    double by_time = phases_progress(&run->phases, now_us);

    return by_source > by_time ? by_source : by_time;
}

static void on_tick(uv_timer_t *timer)
{
    struct run *run = timer->data;
    int64_t now_us = run_now_us();

    connection_news_look(&run->news, now_us);
    if (run->phases.now == PHASE_SENDING)
        flapping_tick(&run->flapping, &run->publishers);
    live_line_draw(&run->line, &run->report, now_us, progress(run, now_us));
}

void run_on_room(struct run *run, size_t publisher)
{
    run->has_room = true;
    run->source.on_room(run->source.self, publisher, run_now_us());
}

/* ---- signals -------------------------------------------------------------------------------- */

/* The first ends the sending, the second the waiting. */
static void on_signal(uv_signal_t *signal_handle, int number)
{
    struct run *run = signal_handle->data;

    (void)number;
    if (run->phases.now == PHASE_CLOSING)
        return;
    run->is_interrupted = true;
    live_line_erase(&run->line);
    if (run->phases.now >= PHASE_DRAINING) {
        log_info("ending at once, with %" PRIu64 " messages unacknowledged",
                 report_outstanding(&run->report));
        enter(run, PHASE_CLOSING);
        return;
    }
    log_info("ending, after the acknowledgement of %" PRIu64 " messages",
             report_outstanding(&run->report));
    enter(run, PHASE_DRAINING);
}

static void on_hangup(void *user)
{
    struct run *run = user;

    live_line_erase(&run->line);
    if (run->phases.now < PHASE_CLOSING)
        publishers_reload(&run->publishers);
}

/* ---- start and end -------------------------------------------------------------------------- */

void run_start(struct run *run)
{
    uv_prepare_init(&run->loop, &run->prepare);
    uv_idle_init(&run->loop, &run->awake);
    uv_timer_init(&run->loop, &run->due);
    uv_timer_init(&run->loop, &run->tick);
    uv_signal_init(&run->loop, &run->sigint);
    uv_signal_init(&run->loop, &run->sigterm);
    run->prepare.data = run->due.data = run->tick.data = run;
    run->sigint.data = run->sigterm.data = run;
    uv_prepare_start(&run->prepare, on_prepare);
    uv_timer_start(&run->tick, on_tick, TICK_MS, TICK_MS);
    uv_signal_start(&run->sigint, on_signal, SIGINT);
    uv_signal_start(&run->sigterm, on_signal, SIGTERM);
    signals_start(&run->signals, &run->loop, on_hangup, run);
    run->due_us = SOURCE_NOTHING_DUE;
    run->news = (struct connection_news){.publishers = &run->publishers, .line = &run->line};
    flapping_init(&run->flapping, run->settings.rules.seed, run->settings.flap_every_us,
                  (int64_t)TICK_MS * 1000);
}

static void on_part_closed(struct run *run)
{
    if (--run->open > 0)
        return;
    uv_close((uv_handle_t *)&run->prepare, NULL);
    uv_close((uv_handle_t *)&run->awake, NULL);
    uv_close((uv_handle_t *)&run->due, NULL);
    uv_close((uv_handle_t *)&run->tick, NULL);
    uv_close((uv_handle_t *)&run->sigint, NULL);
    signals_close(&run->signals);
    uv_close((uv_handle_t *)&run->sigterm, NULL);
}

static void on_publishers_closed(struct publishers *publishers)
{
    on_part_closed((struct run *)((char *)publishers - offsetof(struct run, publishers)));
}

static void on_oversize_closed(struct oversize *oversize)
{
    on_part_closed((struct run *)((char *)oversize - offsetof(struct run, oversize)));
}

static void on_watcher_closed(struct watcher *watcher)
{
    on_part_closed((struct run *)((char *)watcher - offsetof(struct run, watcher)));
}

static void close_parts(struct run *run)
{
    connection_news_close(&run->news);
    run->has_connected = run->publishers.connected > 0;
    run->open = run->settings.until_stored ? 3 : 2;
    uv_timer_stop(&run->tick);
    if (run->settings.until_stored)
        watcher_close(&run->watcher, on_watcher_closed);
    publishers_close(&run->publishers, on_publishers_closed);
    oversize_close(&run->oversize, on_oversize_closed);
}
