#include "httpapi/run.h"

#include "shared/base/mem.h"
#include "shared/net/pg_value.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* The fields of packed_numbers. */
enum { SCALE, BASE, STEP, SMALL, WIDE, LARGE, EXACT, FIELDS };

enum { SCALE_MOST = 9 };

static const int64_t powers[SCALE_MOST + 1] = {1,      10,      100,      1000,      10000,
                                               100000, 1000000, 10000000, 100000000, 1000000000};

/* What is still to be read of a cell. */
struct reader {
    const char *at;
    size_t bytes;
};

static const char *take(struct reader *reader, size_t bytes)
{
    const char *at = reader->at;

    assert(bytes <= reader->bytes);
    reader->at += bytes;
    reader->bytes -= bytes;
    return at;
}

static int64_t take_integer(struct reader *reader, size_t bytes)
{
    return pg_value_integer(take(reader, bytes), bytes);
}

static struct run_cell take_cell(struct reader *reader)
{
    int64_t bytes = take_integer(reader, 4);

    if (bytes < 0)
        return (struct run_cell){0};
    return (struct run_cell){.data = take(reader, (size_t)bytes), .bytes = (size_t)bytes};
}

/* What follows are the elements of an array of one dimension, or of an empty one; how many. */
static size_t take_array(struct reader *reader)
{
    int64_t dimensions = take_integer(reader, 4);
    int64_t count;

    take(reader, 8); /* whether there is a NULL, and of what type it is */
    if (dimensions == 0)
        return 0;
    assert(dimensions == 1);
    count = take_integer(reader, 4);
    take(reader, 4); /* the lower bound */
    return (size_t)count;
}

static void take_record(struct run_cell *fields, struct run_cell record)
{
    struct reader reader = {record.data, record.bytes};

    if (take_integer(&reader, 4) != FIELDS)
        assert(!"packed_numbers has other fields");
    for (size_t i = 0; i < FIELDS; i++) {
        take(&reader, 4); /* its type */
        fields[i] = take_cell(&reader);
    }
}

static int64_t integer(struct run_cell cell, int64_t none)
{
    return cell.data ? pg_value_integer(cell.data, cell.bytes) : none;
}

/* ---- columns -------------------------------------------------------------------------------- */

/* (base + i * step + residual) * unit + origin of each that has a residual, `none` of the others. Unsigned: what does not
 * fit is no number that packing has made. */
static void put_integers(const struct run_cell *fields, size_t count, int64_t unit, int64_t origin,
                         int64_t none, int64_t *out)
{
    struct run_cell residuals = fields[SMALL].data  ? fields[SMALL]
                                : fields[WIDE].data ? fields[WIDE]
                                                    : fields[LARGE];
    struct reader reader = {residuals.data, residuals.bytes};
    uint64_t line = (uint64_t)integer(fields[BASE], 0);
    uint64_t step = (uint64_t)integer(fields[STEP], 0);

    if (residuals.data && take_array(&reader) != count)
        assert(!"a column is as long as its run");
    for (size_t i = 0; i < count; i++) {
        struct run_cell residual = {0};

        line += step;
        if (residuals.data)
            residual = take_cell(&reader);
        if (residuals.data && !residual.data)
            out[i] = none;
        else
            out[i] = (int64_t)((line + (uint64_t)integer(residual, 0)) * (uint64_t)unit +
                               (uint64_t)origin);
    }
}

static void put_exact(struct run_cell exact, size_t count, double *out)
{
    struct reader reader = {exact.data, exact.bytes};

    if (take_array(&reader) != count)
        assert(!"a column is as long as its run");
    for (size_t i = 0; i < count; i++) {
        struct run_cell value = take_cell(&reader);

        out[i] = value.data ? pg_value_double(pg_value_bits(value.data, 8)) : (double)NAN;
    }
}

static int64_t power(const struct run_cell *fields)
{
    int64_t scale = integer(fields[SCALE], 0);

    assert(scale >= 0 && scale <= SCALE_MOST);
    return powers[scale];
}

/* Values with a decimal point become whole numbers first, in `scratch`. A number with no residual is told by INT64_MIN, which
 * has no decimal point: packing would have kept it as a double. */
static void put_values(struct run_cell column, size_t count, int64_t *scratch, double *out)
{
    struct run_cell fields[FIELDS];
    double divisor;

    if (!column.data) {
        for (size_t i = 0; i < count; i++)
            out[i] = (double)NAN;
        return;
    }
    take_record(fields, column);
    if (fields[EXACT].data) {
        put_exact(fields[EXACT], count, out);
        return;
    }
    divisor = (double)power(fields);
    put_integers(fields, count, 1, 0, INT64_MIN, scratch);
    for (size_t i = 0; i < count; i++)
        out[i] = scratch[i] == INT64_MIN ? (double)NAN : (double)scratch[i] / divisor;
}

static void put_moments(const struct run_cells *cells, size_t count, int64_t *out)
{
    struct run_cell fields[FIELDS];
    struct reader reader = {cells->moments.data, cells->moments.bytes};

    if (!cells->moments.data) {
        assert(cells->recorded_at.data);
        take_record(fields, cells->recorded_at);
        put_integers(fields, count, power(fields), cells->first_at_us, 0, out);
        return;
    }
    if (take_array(&reader) != count)
        assert(!"a column is as long as its run");
    for (size_t i = 0; i < count; i++)
        out[i] = pg_value_timestamp(integer(take_cell(&reader), 0));
}

static void make_room(struct run *run, size_t count, size_t values)
{
    if (count > run->room) {
        run->room = mem_grown(run->room, count);
        run->moments_us = mem_realloc(run->moments_us, run->room * sizeof(*run->moments_us));
        run->statuses = mem_realloc(run->statuses, run->room * sizeof(*run->statuses));
    }
    if (values > run->values_room) {
        run->values_room = mem_grown(run->values_room, values);
        run->values = mem_realloc(run->values, run->values_room * sizeof(*run->values));
    }
}

void run_read(struct run *run, const struct run_cells *cells, size_t count, size_t feature_count,
              bool newest_first)
{
    struct run_cell fields[FIELDS];
    struct reader features = {cells->features.data, cells->features.bytes};

    make_room(run, count, count * feature_count);
    run->count = count;
    run->feature_count = feature_count;
    run->is_backward = newest_first && !cells->moments.data;
    if (cells->features.data && take_array(&features) != feature_count)
        assert(!"features were asked for that were not told");
    for (size_t i = 0; i < feature_count; i++)
        put_values(take_cell(&features), count, run->statuses, run->values + i * count);
    put_moments(cells, count, run->moments_us);
    memset(run->statuses, 0, count * sizeof(*run->statuses));
    if (cells->status.data) {
        take_record(fields, cells->status);
        put_integers(fields, count, 1, 0, 0, run->statuses);
    }
}

void run_release(struct run *run)
{
    free(run->moments_us);
    free(run->statuses);
    free(run->values);
    *run = (struct run){0};
}
