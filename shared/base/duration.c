#include "shared/base/duration.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double unit_us(const char **text)
{
    static const struct {
        const char *name;
        double us;
    } units[] = {{"us", 1},     {"ms", 1e3},    {"s", 1e6},        {"m", 60e6},
                 {"h", 3600e6}, {"d", 86400e6}, {"w", 7 * 86400e6}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t bytes = strlen(units[i].name);

        if (strncmp(*text, units[i].name, bytes) == 0 && !isalpha((unsigned char)(*text)[bytes])) {
            *text += bytes;
            return units[i].us;
        }
    }
    return 0;
}

bool duration_parse(int64_t *out_us, const char *text)
{
    const char *start = text;
    double total = 0;

    if (!*text)
        return false;
    while (*text) {
        char *end;
        size_t digits = strspn(text, "0123456789.");
        double number = strtod(text, &end);
        double unit;

        /* strtod() alone would take 0x10, 1e3 and 1., too. */
        if (!isdigit((unsigned char)*text) || end != text + digits ||
            !isdigit((unsigned char)end[-1]))
            return false;
        unit = *end || text != start ? unit_us((const char **)&end) : 1e6;
        if (unit == 0)
            return false;
        text = end;
        total += number * unit;
    }
    if (!isfinite(total) || total > 9e18)
        return false;
    *out_us = llround(total);
    return true;
}

const char *duration_format(char out[DURATION_TEXT_SIZE], int64_t us)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"d", INT64_C(86400000000)},
                 {"h", INT64_C(3600000000)},
                 {"m", 60000000},
                 {"s", 1000000},
                 {"ms", 1000},
                 {"us", 1}};
    size_t i = 0;

    while (us % units[i].us != 0)
        i++;
    snprintf(out, DURATION_TEXT_SIZE, "%" PRId64 "%s", us / units[i].us,
             us == 0 ? "" : units[i].name);
    return out;
}
