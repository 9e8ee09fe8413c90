/* fleet.h: N devices, each with its readings, in time.
 *
 * Shape    paced in one of three ways: each device by itself, with an interval drawn for each
 *          reading; the whole fleet at a steady rate, device after device; or as fast as messages
 *          are acknowledged. A device whose connection has no room waits and goes on from there,
 *          so no reading is skipped, and none are made up for in a rush.
 * Units    microseconds on the loop's monotonic clock; readings carry the wall clock, or with
 *          `has_fixed_clock` the time they are planned for, counted from `fixed_clock_us`.
 * Errors   none.
 * Owner    embedded; fleet_release() frees the arrays.
 */
#ifndef HIGHWATER_FLEET_H
#define HIGHWATER_FLEET_H

#include "devicesim/device.h"
#include "devicesim/emitter.h"
#include "devicesim/feed.h"
#include "devicesim/pace.h"
#include "devicesim/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fleet_pacing { FLEET_INTERVAL, FLEET_RATE, FLEET_FLAT_OUT };

struct fleet_config {
    struct device_rules rules;
    struct fault_rules faults;
    uint32_t devices;
    uint32_t connections;
    const char *prefix; /* of device ids */
    enum fleet_pacing pacing;
    double rate;
    int64_t ramp_up_us;
    uint64_t count; /* readings over the whole fleet; 0 = no end */
    uint32_t burst_size;
    int64_t clock_step_us; /* times are multiples of it */
    bool has_fixed_clock;
    int64_t fixed_clock_us;
    struct emitter *emitter;
    struct publishers *publishers;
    struct report *report;
};

struct fleet_device {
    uint64_t k;         /* its next reading */
    int64_t planned_us; /* its place in time after the fleet's start */
    int64_t last_us;    /* the timestamp of its last reading, which none may repeat */
    int64_t skew_us;
    uint32_t owed;        /* readings that a bursting device has saved up */
    uint32_t next_parked; /* 1 + the next device in its connection's queue */
    bool bursts;
    bool is_skewed;
};

/* Devices that wait for room on a connection, first come first served. */
struct fleet_queue {
    uint32_t first; /* 1 + device; 0 = none */
    uint32_t last;
};

struct fleet {
    struct fleet_config config;
    struct fleet_device *devices;
    double *walks; /* one for each device and feature */
    struct fleet_queue *parked;
    struct schedule schedule; /* FLEET_INTERVAL */
    struct pace pace;         /* FLEET_RATE */
    uint32_t turn;            /* the device that is next, for the other two */
    uint64_t sent;            /* readings */
    int64_t start_us;
    bool has_started;
    bool is_finished;
};

void fleet_init(struct fleet *fleet, const struct fleet_config *config);
void fleet_release(struct fleet *fleet);

/* The clock of the fleet begins; before that nothing is sent. */
void fleet_start(struct fleet *fleet, int64_t now_us);

/* "device_7" for device 6; `id` holds DEVICE_ID_SIZE bytes. */
void fleet_device_id(char *id, const char *prefix, uint32_t device);

struct feed fleet_source(struct fleet *fleet);

#endif
