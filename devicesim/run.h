/* run.h: one run of the simulator on its loop, from the first connection to the last
 * acknowledgement.
 *
 * Shape    before the loop goes to sleep it asks the source for what is due and writes it to the
 *          sockets, so that whatever became possible in one turn of the loop leaves in one piece.
 *          When a run goes from phase to phase is decided in phase.h, what is sent and when in the
 *          source; main.c puts the parts together.
 * Units    microseconds on the monotonic clock.
 * Errors   what fails meanwhile is logged, and `has_failed`.
 * Owner    heap, by main.c, since it is large; parts are opened there, and closed here.
 */
#ifndef HIGHWATER_RUN_H
#define HIGHWATER_RUN_H

#include "devicesim/connection_news.h"
#include "devicesim/edge_nodes.h"
#include "devicesim/emitter.h"
#include "devicesim/feed.h"
#include "devicesim/flapping.h"
#include "devicesim/fleet.h"
#include "devicesim/identity.h"
#include "devicesim/live_line.h"
#include "devicesim/oversize.h"
#include "devicesim/phase.h"
#include "devicesim/publishers.h"
#include "devicesim/replay.h"
#include "devicesim/report.h"
#include "devicesim/settings.h"
#include "devicesim/truth.h"
#include "devicesim/watcher.h"
#include "shared/net/signals.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct run {
    struct settings settings;
    struct phases phases;

    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_idle_t awake; /* runs while the loop must not sleep */
    uv_timer_t due;
    uv_timer_t tick;
    uv_signal_t sigint;
    uv_signal_t sigterm;
    struct signals signals;

    struct report report;
    struct truth truth;
    struct publishers publishers;
    struct oversize oversize;
    struct emitter emitter;
    struct edge_nodes nodes; /* with --sparkplug */
    struct watcher watcher;  /* started with --until-stored */
    struct fleet fleet;      /* the source is this, or the replay */
    struct replay replay;
    struct feed source;
    struct live_line line;
    struct connection_news news;
    struct flapping flapping;

    char client_suffix[IDENTITY_SUFFIX_SIZE];
    bool has_failed;
    bool has_connected;
    bool is_interrupted; /* by a signal */
    bool is_flat_out;    /* as fast as acknowledged */
    bool has_room;       /* a connection has got some since the source was asked last */
    int64_t due_us;      /* what the timer is set to */
    unsigned open;       /* parts that are not closed yet */
};

int64_t run_now_us(void);

/* Starts timers and signals; the parts are there. From then on uv_run() is the run. */
void run_start(struct run *run);

/* To be called when a connection comes up, or has room again. */
void run_on_room(struct run *run, size_t publisher);

#endif
