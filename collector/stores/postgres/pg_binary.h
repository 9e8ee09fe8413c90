/* pg_binary.h: rows in the binary format of PostgreSQL's COPY.
 *
 * Shape    a header, then per row a count of fields and per field its length and bytes, then a
 *          trailer. Written into a struct buffer, read from what PQgetCopyData() returns.
 * Units    moments as int64_t microseconds since 1970; PostgreSQL's epoch is 2000.
 * Errors   pg_row_* readers set `failed` on a row that does not have the field as asked.
 * Source   PostgreSQL 15 manual, COPY, "Binary Format"; the send functions of src/backend/utils/adt.
 */
#ifndef HIGHWATER_PG_BINARY_H
#define HIGHWATER_PG_BINARY_H

#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void pg_put_header(struct buffer *out);
void pg_put_trailer(struct buffer *out);
void pg_put_row(struct buffer *out, uint16_t field_count);
void pg_put_null(struct buffer *out);
void pg_put_int2(struct buffer *out, int16_t value);
void pg_put_int4(struct buffer *out, int32_t value);
void pg_put_int8(struct buffer *out, int64_t value);
void pg_put_double(struct buffer *out, double value); /* NAN is written as NULL */
void pg_put_timestamp(struct buffer *out, int64_t us);
void pg_put_bytes(struct buffer *out, const void *data, size_t bytes); /* text, bytea */

/* A row being read, field by field. */
struct pg_row {
    const unsigned char *at;
    const unsigned char *end;
    bool failed;
};

/* Starts with one message of COPY TO; false when it holds no row (the trailer). The header, which
 * comes with the first row, is skipped when `is_first`. */
bool pg_row_start(struct pg_row *row, const char *data, size_t bytes, bool is_first);
int16_t pg_row_int2(struct pg_row *row, int16_t when_null);
int32_t pg_row_int4(struct pg_row *row);
int64_t pg_row_int8(struct pg_row *row);
double pg_row_double(struct pg_row *row); /* NAN when NULL */
int64_t pg_row_timestamp(struct pg_row *row);

/* A bytea field as it lies in the row; NULL and failed when there is none. */
const unsigned char *pg_row_bytes(struct pg_row *row, size_t *bytes);

/* Copies a text field and ends it with NUL; failed when it does not fit. */
void pg_row_text(struct pg_row *row, char *out, size_t out_bytes);

#endif
