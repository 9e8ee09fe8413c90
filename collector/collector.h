/* collector.h: the program as one struct: its parts, and what is known of the whole.
 *
 * Owner    main.c; only main.c and wiring.c see it. The parts know each other by what wiring.c hands
 *          them.
 */
#ifndef HIGHWATER_COLLECTOR_H
#define HIGHWATER_COLLECTOR_H

#include "collector/board_publisher.h"
#include "collector/coverage.h"
#include "collector/hearing.h"
#include "collector/housekeeping.h"
#include "collector/ingest.h"
#include "collector/monitor.h"
#include "collector/reload.h"
#include "collector/sequences.h"
#include "collector/settings.h"
#include "collector/sink.h"
#include "collector/sinks/sparkplug_host.h"
#include "collector/source.h"
#include "collector/store.h"
#include "collector/threshold_notes.h"
#include "collector/windows.h"
#include "shared/net/service_notify.h"
#include "shared/net/signals.h"

struct collector {
    struct settings settings;
    uv_loop_t *loop;
    struct devices devices;
    struct windows windows;
    struct sequences sequences;
    struct hearing hearing;
    struct coverage coverage;
    struct thresholds thresholds;
    struct threshold_notes threshold_notes;
    struct source *source;
    struct sinks sinks;
    struct sparkplug_host *sparkplug_host; /* NULL: no mapping is of that kind */
    struct store *store;
    struct ingest ingest;
    struct board_publisher publisher;
    struct housekeeping housekeeping;
    struct reload reload;
    struct monitor *monitor;
    struct service_notify notify;
    struct signals signals;
    uv_signal_t sigterm;
    uv_signal_t sigint;
    int64_t started_at_us;
    double batch_lag_ms; /* of the last batch: from its first arrival to its commit */
    bool is_ingesting;
    bool is_stopping;
    bool has_stopped;    /* and holds nothing that may still be stored */
    unsigned complete_s; /* seconds with all windows loaded, up to the end of the start */
    int exit_status;
};

#endif
