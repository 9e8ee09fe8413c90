#include "devicesim/replay.h"

#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads the next reading of the file into `next`; false at its end. */
static bool read_next(struct replay *replay)
{
    char error[CSV_ERROR_SIZE];
    const char *device_id;
    char *line = gz_lines_next(&replay->lines);

    replay->has_next = false;
    while (line && !*line) /* an empty line at the end of a file is common */
        line = gz_lines_next(&replay->lines);
    if (!line) {
        if (gz_lines_failure(&replay->lines))
            snprintf(replay->error, sizeof(replay->error), "after line %" PRIu64 ": %s",
                     replay->lines.line, gz_lines_failure(&replay->lines));
        return false;
    }
    if (!csv_split(&replay->row, line, error) ||
        !csv_reading_parse(&replay->next->reading, &device_id, &replay->columns, &replay->row,
                           error)) {
        snprintf(replay->error, sizeof(replay->error), "line %" PRIu64 ": %s", replay->lines.line,
                 error);
        return false;
    }
    replay->next_device = string_table_add(&replay->devices, device_id);
    replay->has_next = true;
    return true;
}

bool replay_open(struct replay *replay, const struct replay_config *config)
{
    char error[CSV_ERROR_SIZE];
    char *line;

    *replay = (struct replay){.config = *config};
    replay->next = mem_calloc(1, sizeof(*replay->next));
    if (!gz_lines_open(&replay->lines, config->path)) {
        snprintf(replay->error, sizeof(replay->error), "%s", gz_lines_failure(&replay->lines));
        return false;
    }
    line = gz_lines_next(&replay->lines);
    if (!line) {
        snprintf(replay->error, sizeof(replay->error), "%s",
                 gz_lines_failure(&replay->lines) ? gz_lines_failure(&replay->lines)
                                                  : "it is empty");
        return false;
    }
    if (!csv_split(&replay->row, line, error) ||
        !csv_columns_parse(&replay->columns, &replay->row, error)) {
        snprintf(replay->error, sizeof(replay->error), "line 1: %s", error);
        return false;
    }
    return read_next(replay) || !replay->error[0];
}

void replay_close(struct replay *replay)
{
    gz_lines_close(&replay->lines);
    string_table_release(&replay->devices);
    free(replay->sent_of);
    free(replay->next);
}

const struct features *replay_features(const struct replay *replay)
{
    return &replay->columns.names;
}

/* The device's number for its next reading. */
static uint64_t next_k(struct replay *replay)
{
    uint32_t device = replay->next_device;

    replay->sent_of = mem_grow_zeroed(replay->sent_of, &replay->sent_capacity, (size_t)device + 1,
                                      sizeof(replay->sent_of[0]));
    return replay->sent_of[device]++;
}

/* When the next reading is due on the monotonic clock. */
static int64_t due_us(struct replay *replay, int64_t now_us)
{
    int64_t recorded_us = replay->next->reading.recorded_at_us;

    if (replay->config.speed <= 0)
        return now_us;
    if (replay->sent == 0) {
        replay->start_us = now_us;
        replay->first_us = recorded_us;
    }
    return replay->start_us +
           (int64_t)((double)(recorded_us - replay->first_us) / replay->config.speed);
}

/* The present, but never the same time twice: two readings of one device must not become one. */
static int64_t stamp(struct replay *replay)
{
    int64_t now_us = timestamp_now();

    if (now_us <= replay->stamped_us)
        now_us = replay->stamped_us + 1;
    replay->stamped_us = now_us;
    return now_us;
}

static void send_next(struct replay *replay, size_t publisher)
{
    struct fault_draw draw;
    uint64_t k = next_k(replay);

    if (replay->config.shift_to_now)
        replay->next->reading.recorded_at_us = stamp(replay);
    fault_draw(&replay->config.faults, replay->next_device, k, &draw);
    emitter_send(replay->config.emitter,
                 &(struct emitter_reading){.publisher = publisher,
                                           .device = replay->next_device,
                                           .device_id = replay->devices.texts[replay->next_device],
                                           .k = k,
                                           .reading = &replay->next->reading,
                                           .expect = TRUTH_STORED},
                 &draw);
    replay->sent++;
}

static bool is_done(const void *self)
{
    const struct replay *replay = self;

    return !replay->has_next || (replay->config.count && replay->sent >= replay->config.count);
}

static int64_t pump(void *self, int64_t now_us)
{
    struct replay *replay = self;

    while (!replay->is_finished && !is_done(replay)) {
        size_t publisher = replay->next_device % replay->config.connections;
        int64_t due = due_us(replay, now_us);

        if (due > now_us)
            return due;
        if (!publishers_has_room(replay->config.publishers, publisher))
            return SOURCE_NOTHING_DUE;
        send_next(replay, publisher);
        read_next(replay);
    }
    return SOURCE_NOTHING_DUE;
}

static void on_room(void *self, size_t publisher, int64_t now_us)
{
    (void)self;
    (void)publisher;
    (void)now_us; /* pump() asks for room before each reading */
}

static void finish(void *self)
{
    struct replay *replay = self;

    replay->is_finished = true;
    for (uint32_t i = 0; i < replay->devices.count; i++)
        emitter_finish(replay->config.emitter, i % replay->config.connections, i,
                       replay->devices.texts[i]);
}

static double progress(const void *self)
{
    const struct replay *replay = self;

    if (replay->config.count)
        return (double)replay->sent / (double)replay->config.count;
    return gz_lines_progress(&replay->lines);
}

struct feed replay_source(struct replay *replay)
{
    return (struct feed){.self = replay,
                         .pump = pump,
                         .on_room = on_room,
                         .finish = finish,
                         .is_done = is_done,
                         .progress = progress};
}
