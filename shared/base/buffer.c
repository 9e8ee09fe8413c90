#include "shared/base/buffer.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->bytes = 0;
}

unsigned char *buffer_reserve(struct buffer *buffer, size_t bytes)
{
    if (buffer->capacity - buffer->bytes < bytes) {
        buffer->capacity = mem_grown(buffer->capacity, buffer->bytes + bytes);
        buffer->data = mem_realloc(buffer->data, buffer->capacity);
    }
    return buffer->data + buffer->bytes;
}

void buffer_put(struct buffer *buffer, const void *data, size_t bytes)
{
    if (bytes == 0)
        return;
    memcpy(buffer_reserve(buffer, bytes), data, bytes);
    buffer->bytes += bytes;
}

void buffer_put_text(struct buffer *buffer, const char *text)
{
    buffer_put(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_list again;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(length >= 0);
    vsnprintf((char *)buffer_reserve(buffer, (size_t)length + 1), (size_t)length + 1, format,
              again);
    va_end(again);
    buffer->bytes += (size_t)length;
}

void buffer_put_be16(struct buffer *buffer, uint16_t value)
{
    write_be16(buffer_reserve(buffer, 2), value);
    buffer->bytes += 2;
}

void buffer_put_be32(struct buffer *buffer, uint32_t value)
{
    write_be32(buffer_reserve(buffer, 4), value);
    buffer->bytes += 4;
}

void buffer_put_be64(struct buffer *buffer, uint64_t value)
{
    write_be64(buffer_reserve(buffer, 8), value);
    buffer->bytes += 8;
}

void buffer_put_double_be(struct buffer *buffer, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    buffer_put_be64(buffer, bits);
}

const char *buffer_text(struct buffer *buffer)
{
    *buffer_reserve(buffer, 1) = '\0';
    return (const char *)buffer->data;
}
