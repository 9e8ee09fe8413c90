/* reload.h: what is due to be loaded into the windows, and whether they are complete.
 *
 * Shape    all devices are due when this collector becomes active, when the clock went back, and when
 *          another collector is gone that stored more than we loaded; single devices are due when
 *          others changed their rows in the database. One load at a time (store.h): what becomes
 *          due meanwhile follows when it has ended.
 * Shown    boards are shown while a load runs that can only add to the windows. When they may hold
 *          what they should not, or lack what we said they hold, none is shown until it has ended.
 * Owner    embedded; reload_stop() ends a load, whose connection then closes by itself;
 *          reload_release() frees the rest.
 */
#ifndef HIGHWATER_RELOAD_H
#define HIGHWATER_RELOAD_H

#include "collector/board_publisher.h"
#include "collector/coverage.h"
#include "collector/devices.h"
#include "collector/sequences.h"
#include "collector/store.h"
#include "collector/thresholds.h"
#include "collector/windows.h"

struct reload_config {
    struct store *store;
    const char *collector_id;
    int64_t longest_us; /* interval */
    struct devices *devices;
    struct windows *windows;
    struct sequences *sequences;
    struct coverage *coverage;
    struct thresholds *thresholds; /* NULL = there are none */
    struct board_publisher *publisher;
};

struct reload {
    struct reload_config config;
    bool is_loading;
    bool is_loading_all;    /* not only of some devices */
    int64_t began_us;       /* the load that is under way, or was last */
    bool is_complete;       /* the windows are */
    bool is_active;         /* this collector is */
    bool is_stopping;       /* no load begins any more */
    bool loads_again;       /* when that has ended */
    bool loads_all;         /* that one those of all devices, not only of these: */
    struct buffer changed;  /* uint32_t each: devices that others have changed */
    size_t changed_loading; /* so many bytes of `changed` are being loaded */
    bool sees_company;      /* another collector is live */
    bool lacks_readings;    /* of a collector that is gone */
    int64_t rests_until_us; /* before it loads those */
};

void reload_init(struct reload *reload, const struct reload_config *config);
void reload_stop(struct reload *reload);
void reload_release(struct reload *reload);

/* This collector has become active, or is on standby. */
void reload_set_active(struct reload *reload, bool is_active);

/* Loads everything again, and shows nothing meanwhile. */
void reload_from_scratch(struct reload *reload);

/* What is stored may be more than the windows have, and than the numbers say that were taken. */
void reload_behind(struct reload *reload);

/* Others stored readings without us: of many devices, or of this one. */
void reload_all(struct reload *reload);
void reload_device(struct reload *reload, uint32_t device);

/* Others took readings out of the tables; the device's windows have been cleared. */
void reload_cleared_device(struct reload *reload, uint32_t device);

/* One of the collectors in the database's table; NULL = that was the last of them. */
void reload_note_collector(struct reload *reload, const char *id, bool is_live, int64_t batches);

#endif
