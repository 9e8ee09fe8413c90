/* buffer.h: bytes that grow at the end: text for people, binary rows for COPY.
 *
 * Shape    `bytes` bytes at `data`, in one allocation of `capacity`.
 * Units    the put_be functions write big-endian, as MQTT and PostgreSQL want it.
 * Errors   none: no memory ends the process (mem.h).
 * Owner    the one that embeds the struct; zeroed is empty; buffer_release() frees the one array.
 */
#ifndef HIGHWATER_BUFFER_H
#define HIGHWATER_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    unsigned char *data;
    size_t bytes;
    size_t capacity;
};

void buffer_release(struct buffer *buffer);

/* Empties it and keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Room for `bytes` more, not yet counted; the caller fills it and adds to buffer->bytes. */
unsigned char *buffer_reserve(struct buffer *buffer, size_t bytes);

void buffer_put(struct buffer *buffer, const void *data, size_t bytes);
void buffer_put_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_put_be16(struct buffer *buffer, uint16_t value);
void buffer_put_be32(struct buffer *buffer, uint32_t value);
void buffer_put_be64(struct buffer *buffer, uint64_t value);
void buffer_put_double_be(struct buffer *buffer, double value);

/* Big-endian too, at a place that buffer_reserve() gave; the place after it comes back. */
static inline unsigned char *write_be16(unsigned char *at, uint16_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
    return at + 2;
}

static inline unsigned char *write_be32(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)(value >> 24);
    at[1] = (unsigned char)(value >> 16);
    at[2] = (unsigned char)(value >> 8);
    at[3] = (unsigned char)value;
    return at + 4;
}

static inline unsigned char *write_be64(unsigned char *at, uint64_t value)
{
    return write_be32(write_be32(at, (uint32_t)(value >> 32)), (uint32_t)value);
}

/* The content as a C string, with a NUL after the counted bytes. */
const char *buffer_text(struct buffer *buffer);

#endif
