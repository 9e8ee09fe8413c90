#include "collector/stores/postgres/pg_binary.h"

#include "shared/net/pg_value.h"

#include <math.h>
#include <string.h>

enum { HEADER_BYTES = 19 };

static const unsigned char header[HEADER_BYTES] = "PGCOPY\n\377\r\n"; /* flags and extension 0 */

void pg_put_header(struct buffer *out)
{
    buffer_put(out, header, HEADER_BYTES);
}

void pg_put_trailer(struct buffer *out)
{
    buffer_put_be16(out, 0xffff);
}

void pg_put_row(struct buffer *out, uint16_t field_count)
{
    buffer_put_be16(out, field_count);
}

void pg_put_null(struct buffer *out)
{
    buffer_put_be32(out, 0xffffffff);
}

void pg_put_int2(struct buffer *out, int16_t value)
{
    write_be16(write_be32(buffer_reserve(out, 6), 2), (uint16_t)value);
    out->bytes += 6;
}

void pg_put_int4(struct buffer *out, int32_t value)
{
    write_be32(write_be32(buffer_reserve(out, 8), 4), (uint32_t)value);
    out->bytes += 8;
}

void pg_put_int8(struct buffer *out, int64_t value)
{
    write_be64(write_be32(buffer_reserve(out, 12), 8), (uint64_t)value);
    out->bytes += 12;
}

void pg_put_double(struct buffer *out, double value)
{
    uint64_t bits;

    if (isnan(value)) {
        pg_put_null(out);
        return;
    }
    memcpy(&bits, &value, sizeof(bits));
    pg_put_int8(out, (int64_t)bits);
}

void pg_put_timestamp(struct buffer *out, int64_t us)
{
    pg_put_int8(out, us - PG_EPOCH_US);
}

void pg_put_bytes(struct buffer *out, const void *data, size_t bytes)
{
    buffer_put_be32(out, (uint32_t)bytes);
    buffer_put(out, data, bytes);
}

bool pg_row_start(struct pg_row *row, const char *data, size_t bytes, bool is_first)
{
    *row = (struct pg_row){.at = (const unsigned char *)data,
                           .end = (const unsigned char *)data + bytes};
    if (is_first && bytes >= HEADER_BYTES)
        row->at += HEADER_BYTES;
    if (row->end - row->at < 2 || pg_value_bits(row->at, 2) == 0xffff)
        return false;
    row->at += 2;
    return true;
}

/* The next field and its length; NULL when it is NULL or missing. */
static const unsigned char *next_field(struct pg_row *row, size_t *bytes)
{
    const unsigned char *field;
    uint32_t length;

    *bytes = 0;
    if (row->end - row->at < 4) {
        row->failed = true;
        return NULL;
    }
    length = (uint32_t)pg_value_bits(row->at, 4);
    row->at += 4;
    if (length == 0xffffffff)
        return NULL;
    if ((size_t)(row->end - row->at) < length) {
        row->failed = true;
        return NULL;
    }
    field = row->at;
    row->at += length;
    *bytes = length;
    return field;
}

/* A number of exactly `bytes` bytes; false when NULL. */
static bool read_number(struct pg_row *row, size_t bytes, uint64_t *out)
{
    size_t found;
    const unsigned char *field = next_field(row, &found);

    if (!field)
        return false;
    if (found != bytes) {
        row->failed = true;
        return false;
    }
    *out = pg_value_bits(field, bytes);
    return true;
}

int16_t pg_row_int2(struct pg_row *row, int16_t when_null)
{
    uint64_t value;

    return read_number(row, 2, &value) ? (int16_t)value : when_null;
}

int32_t pg_row_int4(struct pg_row *row)
{
    uint64_t value = 0;

    if (!read_number(row, 4, &value))
        row->failed = true;
    return (int32_t)value;
}

int64_t pg_row_int8(struct pg_row *row)
{
    uint64_t value = 0;

    if (!read_number(row, 8, &value))
        row->failed = true;
    return (int64_t)value;
}

double pg_row_double(struct pg_row *row)
{
    uint64_t bits;

    return read_number(row, 8, &bits) ? pg_value_double(bits) : (double)NAN;
}

int64_t pg_row_timestamp(struct pg_row *row)
{
    return pg_value_timestamp(pg_row_int8(row));
}

const unsigned char *pg_row_bytes(struct pg_row *row, size_t *bytes)
{
    const unsigned char *field = next_field(row, bytes);

    row->failed = row->failed || !field;
    return field;
}

void pg_row_text(struct pg_row *row, char *out, size_t out_bytes)
{
    size_t bytes;
    const unsigned char *field = next_field(row, &bytes);

    out[0] = '\0';
    if (!field || bytes >= out_bytes) {
        row->failed = true;
        return;
    }
    memcpy(out, field, bytes);
    out[bytes] = '\0';
}
