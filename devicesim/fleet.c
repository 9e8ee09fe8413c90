#include "devicesim/fleet.h"

#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Flat out there is no plan to take a time from: with a fixed clock readings are this far apart. */
#define FLAT_OUT_STEP_US 1000

enum { TURNS_AT_ONCE = 20000 };

/* A clock that is further ahead than this when the reading leaves may be refused by the store. */
#define SKEW_TOLERATED_US (INT64_C(50) * TIMESTAMP_US_PER_S)

void fleet_device_id(char *id, const char *prefix, uint32_t device)
{
    snprintf(id, DEVICE_ID_SIZE, "%s%u", prefix, (unsigned)device + 1);
}

/* Readings are shared evenly, so that timing does not decide which ones are sent. */
static uint64_t quota(const struct fleet *fleet, uint32_t device)
{
    uint64_t count = fleet->config.count;
    uint32_t devices = fleet->config.devices;

    return count ? count / devices + (device < count % devices) : UINT64_MAX;
}

void fleet_init(struct fleet *fleet, const struct fleet_config *config)
{
    size_t features = config->rules.ranges->features.count;

    *fleet = (struct fleet){.config = *config};
    fleet->devices = mem_calloc(config->devices, sizeof(fleet->devices[0]));
    fleet->parked = mem_calloc(config->connections, sizeof(fleet->parked[0]));
    if (config->rules.signal == SIGNAL_WALK) {
        fleet->walks = mem_alloc(config->devices * features * sizeof(double) + 1);
        for (size_t i = 0; i < config->devices * features; i++)
            fleet->walks[i] = (double)NAN;
    }
    for (uint32_t i = 0; i < config->devices; i++) {
        struct fleet_device *device = &fleet->devices[i];

        device->bursts = fault_has_trait(&config->faults, FAULT_BURST, i);
        device->is_skewed = fault_has_trait(&config->faults, FAULT_SKEWED, i);
        if (device->is_skewed)
            device->skew_us = fault_skew_us(&config->faults, i);
    }
}

void fleet_release(struct fleet *fleet)
{
    schedule_release(&fleet->schedule);
    free(fleet->devices);
    free(fleet->parked);
    free(fleet->walks);
}

void fleet_start(struct fleet *fleet, int64_t now_us)
{
    const struct fleet_config *config = &fleet->config;

    fleet->has_started = true;
    fleet->start_us = now_us;
    if (config->pacing == FLEET_RATE)
        pace_start(&fleet->pace, config->rate, config->ramp_up_us, now_us);
    if (config->pacing != FLEET_INTERVAL)
        return;
    for (uint32_t i = 0; i < config->devices; i++) {
        struct fleet_device *device = &fleet->devices[i];

        device->planned_us = device_phase_us(&config->rules, i) +
                             (int64_t)((double)config->ramp_up_us * i / config->devices);
        if (quota(fleet, i) > 0)
            schedule_add(&fleet->schedule, now_us + device->planned_us, i);
    }
}

/* ---- one reading ---------------------------------------------------------------------------- */

/* Where reading k of the device is planned, when no schedule says it. */
static int64_t planned_us(const struct fleet *fleet, uint32_t device, uint64_t k)
{
    double turn = (double)k * fleet->config.devices + device;

    if (fleet->config.pacing == FLEET_RATE)
        return (int64_t)(turn * 1e6 / fleet->config.rate);
    return (int64_t)turn * FLAT_OUT_STEP_US;
}

static int64_t clock_of(struct fleet *fleet, uint32_t number)
{
    struct fleet_device *device = &fleet->devices[number];
    int64_t us = timestamp_now();

    if (fleet->config.has_fixed_clock)
        us = fleet->config.fixed_clock_us + (fleet->config.pacing == FLEET_INTERVAL
                                                 ? device->planned_us
                                                 : planned_us(fleet, number, device->k));
    us += device->skew_us;
    us -= us % fleet->config.clock_step_us;
    if (us <= device->last_us)
        us = device->last_us + fleet->config.clock_step_us;
    device->last_us = us;
    return us;
}

static void send_reading(struct fleet *fleet, uint32_t number)
{
    struct fleet_device *device = &fleet->devices[number];
    size_t features = fleet->config.rules.ranges->features.count;
    union reading_storage storage;
    struct reading *reading = &storage.reading;
    struct fault_draw draw;
    char id[DEVICE_ID_SIZE];

    fleet_device_id(id, fleet->config.prefix, number);
    device_reading(&fleet->config.rules, number, device->k,
                   fleet->walks ? &fleet->walks[number * features] : NULL, reading);
    fault_draw(&fleet->config.faults, number, device->k, &draw);
    reading->recorded_at_us = clock_of(fleet, number);
    reading->content_hash = 0;
    if (draw.happens[FAULT_LATE]) {
        reading->recorded_at_us -= draw.late_us - draw.late_us % fleet->config.clock_step_us;
        fleet->config.report->faults[FAULT_LATE]++;
    }
    if (device->is_skewed)
        fleet->config.report->faults[FAULT_SKEWED]++;
    emitter_send(fleet->config.emitter,
                 &(struct emitter_reading){.publisher = number % fleet->config.connections,
                                           .device = number,
                                           .device_id = id,
                                           .k = device->k,
                                           .reading = reading,
                                           .expect = reading->recorded_at_us >
                                                             timestamp_now() + SKEW_TOLERATED_US
                                                         ? TRUTH_EITHER
                                                         : TRUTH_STORED},
                 &draw);
    device->k++;
    fleet->sent++;
}

/* One turn of a device at a steady rate: a bursting one saves up, and then sends all it owes. */
static void run_turn(struct fleet *fleet, uint32_t number)
{
    struct fleet_device *device = &fleet->devices[number];
    uint64_t left = quota(fleet, number) - device->k;

    device->owed++;
    if (device->bursts && device->owed < fleet->config.burst_size && device->owed < left)
        return;
    if (device->bursts)
        fleet->config.report->faults[FAULT_BURST]++;
    for (; device->owed > 0; device->owed--)
        send_reading(fleet, number);
}

/* ---- each device by itself ------------------------------------------------------------------ */

static void park(struct fleet *fleet, uint32_t number)
{
    struct fleet_queue *queue = &fleet->parked[number % fleet->config.connections];

    fleet->devices[number].next_parked = 0;
    if (queue->first)
        fleet->devices[queue->last - 1].next_parked = number + 1;
    else
        queue->first = number + 1;
    queue->last = number + 1;
}

static void on_room(void *self, size_t publisher, int64_t now_us)
{
    struct fleet *fleet = self;
    struct fleet_queue *queue = &fleet->parked[publisher];

    for (uint32_t room = publishers_room(fleet->config.publishers, publisher);
         room > 0 && queue->first; room--) {
        uint32_t number = queue->first - 1;

        queue->first = fleet->devices[number].next_parked;
        schedule_add(&fleet->schedule, now_us, number);
    }
}

/* The delay after reading k. A bursting device has none inside of a burst, and a longer one
 * between two, so it sends as much in the end. */
static int64_t delay_after(struct fleet *fleet, uint32_t number, uint64_t k)
{
    int64_t delay_us = device_delay_us(&fleet->config.rules, number, k);
    uint32_t burst = fleet->config.burst_size;

    if (!fleet->devices[number].bursts)
        return delay_us;
    if ((k + 1) % burst != 0)
        return 0;
    fleet->config.report->faults[FAULT_BURST]++;
    return delay_us * burst;
}

static int64_t pump_intervals(struct fleet *fleet, int64_t now_us)
{
    const struct schedule_entry *first;

    while ((first = schedule_first(&fleet->schedule)) && first->due_us <= now_us) {
        struct schedule_entry entry = *first;
        struct fleet_device *device = &fleet->devices[entry.device];
        int64_t delay_us;

        schedule_remove_first(&fleet->schedule);
        if (!publishers_has_room(fleet->config.publishers,
                                 entry.device % fleet->config.connections)) {
            park(fleet, entry.device);
            continue;
        }
        send_reading(fleet, entry.device);
        delay_us = delay_after(fleet, entry.device, device->k - 1);
        device->planned_us += delay_us;
        if (device->k < quota(fleet, entry.device))
            schedule_add(&fleet->schedule, entry.due_us + delay_us, entry.device);
    }
    return first ? first->due_us : SOURCE_NOTHING_DUE;
}

/* ---- the whole fleet at a rate -------------------------------------------------------------- */

/* The next device that has a reading left and room for it; false when there is none. Neighbours are
 * on different connections, so as many full ones in a row as there are connections are all. */
static bool next_turn(struct fleet *fleet, uint32_t *number)
{
    const struct fleet_config *config = &fleet->config;
    uint32_t full = 0;

    for (uint32_t tries = 0; tries < config->devices && full < config->connections; tries++) {
        uint32_t candidate = fleet->turn;
        const struct fleet_device *device = &fleet->devices[candidate];

        fleet->turn = candidate + 1 < config->devices ? candidate + 1 : 0;
        if (device->k + device->owed >= quota(fleet, candidate))
            continue;
        if (publishers_has_room(config->publishers, candidate % config->connections)) {
            *number = candidate;
            return true;
        }
        full++;
    }
    return false;
}

static int64_t pump_rate(struct fleet *fleet, int64_t now_us)
{
    uint64_t due = pace_due(&fleet->pace, now_us);
    uint32_t number;

    for (; due > 0 && next_turn(fleet, &number); due--) {
        run_turn(fleet, number);
        fleet->pace.done++;
    }
    fleet->config.report->slipped_us = (uint64_t)fleet->pace.slipped_us;
    if (due > 0) /* no connection has room; on_room wakes the loop when one does */
        return SOURCE_NOTHING_DUE;
    return pace_next_us(&fleet->pace);
}

/* What is refused at once takes no room: without an end to its turns the loop would never come to
 * look at the clock, or at a signal. */
static int64_t pump_flat_out(struct fleet *fleet, int64_t now_us)
{
    uint32_t number;

    for (int turns = 0; turns < TURNS_AT_ONCE; turns++) {
        if (!next_turn(fleet, &number))
            return SOURCE_NOTHING_DUE;
        run_turn(fleet, number);
    }
    return now_us;
}

/* ---- as a source ---------------------------------------------------------------------------- */

static int64_t pump(void *self, int64_t now_us)
{
    struct fleet *fleet = self;

    if (!fleet->has_started || fleet->is_finished)
        return SOURCE_NOTHING_DUE;
    switch (fleet->config.pacing) {
    case FLEET_RATE:
        return pump_rate(fleet, now_us);
    case FLEET_FLAT_OUT:
        return pump_flat_out(fleet, now_us);
    case FLEET_INTERVAL:
        break;
    }
    return pump_intervals(fleet, now_us);
}

static void finish(void *self)
{
    struct fleet *fleet = self;
    char id[DEVICE_ID_SIZE];

    fleet->is_finished = true;
    for (uint32_t i = 0; i < fleet->config.devices; i++) {
        fleet_device_id(id, fleet->config.prefix, i);
        emitter_finish(fleet->config.emitter, i % fleet->config.connections, i, id);
    }
}

static bool is_done(const void *self)
{
    const struct fleet *fleet = self;

    return fleet->config.count > 0 && fleet->sent >= fleet->config.count;
}

static double progress(const void *self)
{
    const struct fleet *fleet = self;

    return fleet->config.count ? (double)fleet->sent / (double)fleet->config.count : -1;
}

struct feed fleet_source(struct fleet *fleet)
{
    return (struct feed){.self = fleet,
                         .pump = pump,
                         .on_room = on_room,
                         .finish = finish,
                         .is_done = is_done,
                         .progress = progress};
}
