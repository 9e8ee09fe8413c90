#include "shared/base/buffer.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
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

void buffer_put_json_string(struct buffer *buffer, const char *text)
{
    buffer_put(buffer, "\"", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            buffer_printf(buffer, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buffer_printf(buffer, "\\u%04x", c);
        else
            buffer_put(buffer, text, 1);
    }
    buffer_put(buffer, "\"", 1);
}

/* Most readings have two decimals at most, and printf takes half a microsecond for each. A double
 * that equals a whole number of hundredths is written as that; false for all others. */
static bool put_hundredths(struct buffer *buffer, double value)
{
    double scaled = round(value * 100);
    uint64_t hundredths;
    char text[24];
    char *at = text + sizeof(text);

    if (fabs(value) > 1e12 || scaled / 100 != value || (value == 0 && signbit(value)))
        return false;
    hundredths = (uint64_t)fabs(scaled);
    if (hundredths % 100 != 0) {
        if (hundredths % 10 != 0)
            *--at = (char)('0' + hundredths % 10);
        *--at = (char)('0' + hundredths / 10 % 10);
        *--at = '.';
    }
    hundredths /= 100;
    do {
        *--at = (char)('0' + hundredths % 10);
        hundredths /= 10;
    } while (hundredths > 0);
    if (value < 0)
        *--at = '-';
    buffer_put(buffer, at, (size_t)(text + sizeof(text) - at));
    return true;
}

void buffer_put_json_double(struct buffer *buffer, double value)
{
    char text[32];

    if (!isfinite(value)) {
        buffer_put_text(buffer, "null");
        return;
    }
    if (put_hundredths(buffer, value))
        return;
    /* 15 digits without their trailing zeros are the shortest where they suffice, except below the
     * normal numbers, where there are fewer to begin with */
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buffer_put_text(buffer, text);
}

const char *buffer_text(struct buffer *buffer)
{
    *buffer_reserve(buffer, 1) = '\0';
    return (const char *)buffer->data;
}
