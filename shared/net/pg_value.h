/* pg_value.h: a value of PostgreSQL's binary format, in COPY as in results.
 *
 * Units    timestamps in microseconds since 1970; PostgreSQL counts from 2000.
 * Errors   none: the caller has looked at the length.
 * Source   PostgreSQL 15 manual, COPY, "Binary Format"; the send functions of src/backend/utils/adt.
 */
#ifndef HIGHWATER_PG_VALUE_H
#define HIGHWATER_PG_VALUE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PG_EPOCH_US (INT64_C(946684800) * 1000000) /* 2000-01-01T00:00:00Z */

static inline uint64_t pg_value_bits(const void *data, size_t bytes)
{
    const unsigned char *at = data;
    uint64_t bits = 0;

    for (size_t i = 0; i < bytes; i++)
        bits = bits << 8 | at[i];
    return bits;
}

/* smallint, integer or bigint, by its length. */
static inline int64_t pg_value_integer(const void *data, size_t bytes)
{
    uint64_t bits = pg_value_bits(data, bytes);

    return bytes == 2 ? (int16_t)bits : bytes == 4 ? (int32_t)bits : (int64_t)bits;
}

static inline double pg_value_double(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline int64_t pg_value_timestamp(int64_t since_2000_us)
{
    return since_2000_us + PG_EPOCH_US;
}

#endif
