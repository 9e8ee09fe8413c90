#include "shared/base/json_write.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_write_string(struct buffer *buffer, const char *text)
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

void json_write_double(struct buffer *buffer, double value)
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
