/* replay.h: real readings out of a file, in the order of its lines.
 *
 * Shape    at the file's own pace times a speed, or as fast as messages are acknowledged. Readings
 *          keep their timestamps, or get the time at which they are sent.
 * Units    microseconds.
 * Errors   replay_open() is false, with a sentence. A line in the middle of the file that is no
 *          reading stops the replay: `error` is then set.
 * Owner    embedded; replay_close() frees everything.
 */
#ifndef HIGHWATER_REPLAY_H
#define HIGHWATER_REPLAY_H

#include "devicesim/csv.h"
#include "devicesim/emitter.h"
#include "devicesim/feed.h"
#include "devicesim/gz_lines.h"
#include "devicesim/string_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay_config {
    const char *path;
    double speed; /* 0 = as fast as acknowledged */
    bool shift_to_now;
    uint64_t count; /* readings at most; 0 = all */
    uint32_t connections;
    struct fault_rules faults;
    struct emitter *emitter;
    struct publishers *publishers;
};

struct replay {
    struct replay_config config;
    struct gz_lines lines;
    struct csv_columns columns;
    struct csv_row row;
    struct string_table devices;
    uint64_t *sent_of; /* readings of each device so far */
    size_t sent_capacity;
    union reading_storage *next; /* the reading that is due next */
    uint32_t next_device;
    bool has_next;
    bool is_finished;
    uint64_t sent;
    int64_t start_us;   /* when the first reading was sent */
    int64_t first_us;   /* and which time it had in the file */
    int64_t stamped_us; /* the last timestamp given out with shift_to_now */
    char error[CSV_ERROR_SIZE + 64];
};

/* Reads up to the first reading, so that a file that cannot be replayed is noticed at once. */
bool replay_open(struct replay *replay, const struct replay_config *config);
void replay_close(struct replay *replay);

/* What the file's header calls its features. */
const struct features *replay_features(const struct replay *replay);

struct feed replay_source(struct replay *replay);

#endif
