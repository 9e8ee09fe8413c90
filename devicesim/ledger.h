/* ledger.h: what was sent and acknowledged, and what of it a store turned out to have.
 *
 * Shape    two sets: readings, known by device, time, status and values; and messages that must
 *          be rejected, known by device, length and the beginning of their bytes. Each counts how
 *          often it was sent, acknowledged, and found in the store.
 * Units    microseconds since 1970; numbers compare bit for bit.
 * Errors   none.
 * Owner    embedded; ledger_init() before use; ledger_release() frees everything.
 */
#ifndef HIGHWATER_LEDGER_H
#define HIGHWATER_LEDGER_H

#include "devicesim/string_table.h"
#include "devicesim/truth.h"
#include "shared/base/hash_index.h"
#include "shared/model/features.h"
#include "shared/model/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_NONE HASH_INDEX_NONE

struct ledger_counts {
    uint32_t sent;
    uint32_t acked;   /* with a subscriber */
    uint32_t unheard; /* acknowledged with "no matching subscribers" */
    uint32_t found;
};

struct ledger_reading {
    int64_t recorded_at_us;
    uint32_t device;
    enum truth_expect expect;
    uint32_t rejection; /* TRUTH_EITHER: the same message among the rejections */
    struct ledger_counts counts;
    uint8_t status;
};

struct ledger_rejection {
    uint32_t device;
    uint32_t bytes;
    size_t head; /* in `heads`, NUL-terminated hexadecimal */
    bool is_either;
    struct ledger_counts counts;
};

/* When the events of the ledger happened; nothing before the first line about something sent. */
struct ledger_span {
    bool is_there;
    int64_t first_us; /* the first event */
    int64_t last_us;
    int64_t earliest_us; /* recorded_at of all readings; after latest_us when there are none */
    int64_t latest_us;
};

/* How often a Sparkplug device was born, and how often the store has said since that it is gone. */
struct ledger_lives {
    uint32_t births;
    uint32_t deaths;
};

struct ledger {
    struct features features; /* that are compared */
    struct string_table devices;
    struct ledger_span span;

    struct ledger_reading *readings;
    double *values; /* features.count for each reading */
    uint32_t reading_count;
    uint32_t reading_capacity;
    struct hash_index reading_index;

    struct ledger_rejection *rejections;
    uint32_t rejection_count;
    size_t rejection_capacity;
    struct hash_index rejection_index;
    struct buffer heads;

    struct ledger_lives *lives; /* by device */
    size_t lives_capacity;
};

/* `features` are the ones to compare: what the store does not keep cannot be missed. */
void ledger_init(struct ledger *ledger, const struct features *features);
void ledger_release(struct ledger *ledger);

/* Enters a reading or a rejection that was not seen before, with counts of its own; returns its
 * number, or that of the one that is there. Counting is the caller's. */
uint32_t ledger_add_reading(struct ledger *ledger, const struct ledger_reading *reading,
                            const double *values);
uint32_t ledger_add_rejection(struct ledger *ledger, uint32_t device, uint32_t bytes,
                              const char *head);

void ledger_add_birth(struct ledger *ledger, uint32_t device);

/* True, and counted, for a row that says INACTIVE and nothing else, as a host writes it when a device
 * dies: at most once for each birth. */
bool ledger_takes_death(struct ledger *ledger, uint32_t device, uint8_t status,
                        const double *values);

/* Something was sent or acknowledged at that time. */
void ledger_note_event(struct ledger *ledger, int64_t us);

/* Forgets what was found, for another look. */
void ledger_clear_found(struct ledger *ledger);

/* LEDGER_NONE when that was never sent. `values` in the order of the features, NAN = absent. */
uint32_t ledger_find_reading(const struct ledger *ledger, uint32_t device, int64_t recorded_at_us,
                             uint8_t status, const double *values);
uint32_t ledger_find_rejection(const struct ledger *ledger, uint32_t device, uint32_t bytes,
                               const char *head);

/* True for a row of one of the devices, not found in the ledger, that can only be of this run: it
 * was received during the run; or after its start (less a minute, as clocks differ) with a time
 * that lies among those recorded in it. The same devices may have sent many rows in other runs. */
bool ledger_claims_reading(const struct ledger *ledger, int64_t recorded_at_us,
                           int64_t received_at_us);

/* The same of a rejected message, of which only the time of receipt is known: one that came before
 * the run must not count in place of one that is lost. */
bool ledger_claims_rejection(const struct ledger *ledger, int64_t received_at_us);

/* True when it was acknowledged, and the store does not have it. */
bool ledger_reading_is_lost(const struct ledger *ledger, uint32_t number);
bool ledger_rejection_is_lost(const struct ledger *ledger, uint32_t number);

#endif
