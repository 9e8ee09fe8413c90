/* run.h: readings of a device in columns, as device_runs() has them (schema/029_runs.sql).
 *
 * Shape    a chunk as it is stored (schema/023_packed.sql: number i of n is (base + i * step + residual) / 10^scale), or rows put
 *          together. Read as a whole, column by column, and told one by one in the order that was asked for.
 * Units    moments in microseconds since 1970; a value that is not there is NAN, such a status 0.
 * Errors   none: what device_runs() cannot have said is a fault of the program (assert).
 * Owner    whoever embeds the struct; zeroed is empty; run_release() frees its arrays. They are used again for the next run.
 * Source   PostgreSQL 15 manual, "Rows and Columns"; record_send() and array_send() of src/backend/utils/adt.
 */
#ifndef HIGHWATER_RUN_H
#define HIGHWATER_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value in PostgreSQL's binary format. */
struct run_cell {
    const char *data; /* NULL where it is NULL */
    size_t bytes;
};

struct run_cells {
    struct run_cell moments;     /* timestamptz[]; or */
    struct run_cell recorded_at; /* packed_numbers, since first_at */
    int64_t first_at_us;
    struct run_cell status;   /* packed_numbers */
    struct run_cell features; /* packed_numbers[] */
};

struct run {
    size_t count;
    size_t feature_count;
    bool is_backward; /* the last is told first */
    int64_t *moments_us;
    int64_t *statuses;
    double *values; /* of the first feature `count`, of the next ... */
    size_t room;    /* numbers that each of the first two has room for */
    size_t values_room;
};

void run_read(struct run *run, const struct run_cells *cells, size_t count, size_t feature_count,
              bool newest_first);
void run_release(struct run *run);

/* Where in the arrays the reading is that is told at this place, both from 0. */
static inline size_t run_index(const struct run *run, size_t place)
{
    return run->is_backward ? run->count - 1 - place : place;
}

#endif
