/* housekeeping.h: what has to be done each second, whatever broker and database do.
 *
 * Shape    a timer of its own: the accounting of ingest.h is checked, windows are swept, numbers are saved,
 *          the source looks after itself; clock, memory and the store are watched, and what is wrong is said
 *          once, and once when it is over.
 * Owner    embedded; housekeeping_close() ends it.
 */
#ifndef HIGHWATER_HOUSEKEEPING_H
#define HIGHWATER_HOUSEKEEPING_H

#include "collector/board_publisher.h"
#include "collector/devices.h"
#include "collector/hearing.h"
#include "collector/ingest.h"
#include "collector/sequences.h"
#include "collector/source.h"
#include "collector/store.h"
#include "collector/windows.h"

struct housekeeping_config {
    struct ingest *ingest;
    struct source *source;
    struct store *store;
    struct board_publisher *publisher;
    struct windows *windows;
    const struct devices *devices;
    struct sequences *sequences;
    struct hearing *hearing;
    uint64_t windows_memory;
    void *user;
    void (*on_second)(void *user);
    void (*on_clock_back)(void *user); /* it shows a time before the as-of time of the boards */
};

struct housekeeping {
    struct housekeeping_config config;
    uv_timer_t timer;
    bool was_wrong;   /* as of the last second */
    bool was_coarse;  /* so, too: the windows */
    bool stood_still; /* and the store */
    uint64_t accounting_mismatches;
    uint64_t received_before; /* a second ago, for the rate */
    uint64_t rate;            /* readings a second */
};

void housekeeping_start(struct housekeeping *housekeeping, uv_loop_t *loop,
                        const struct housekeeping_config *config);

void housekeeping_close(struct housekeeping *housekeeping);

#endif
