/* pg_cell.h: one value of a result in PostgreSQL's binary format. */
#ifndef HIGHWATER_PG_CELL_H
#define HIGHWATER_PG_CELL_H

#include "shared/net/pg_value.h"

#include <libpq-fe.h>
#include <math.h>

/* smallint, integer or bigint; 0 for NULL. */
static inline int64_t pg_cell_integer(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return 0;
    return pg_value_integer(PQgetvalue(result, row, column),
                            (size_t)PQgetlength(result, row, column));
}

/* NAN for NULL. */
static inline double pg_cell_double(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return (double)NAN;
    return pg_value_double(pg_value_bits(PQgetvalue(result, row, column), 8));
}

/* Microseconds since 1970. */
static inline int64_t pg_cell_timestamp(const PGresult *result, int row, int column)
{
    return pg_value_timestamp(pg_cell_integer(result, row, column));
}

#endif
