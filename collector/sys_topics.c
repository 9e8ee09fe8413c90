#include "collector/sys_topics.h"

#include <string.h>

enum { COUNT_DIGITS = 19, VERSION_DIGITS = 6 }; /* whatever they are, they fit */

#define VERSION_HEAD "mosquitto version "

/* The digits at `*at`, which is moved behind them. */
static bool take_digits(uint64_t *out, const char **at, const char *end, int most)
{
    uint64_t value = 0;
    int count = 0;

    while (*at < end && **at >= '0' && **at <= '9' && count++ < most)
        value = value * 10 + (uint64_t)(*(*at)++ - '0');
    *out = value;
    return count > 0 && count <= most;
}

static bool take_char(const char **at, const char *end, char c)
{
    return *at < end && *(*at)++ == c;
}

bool sys_parse_count(uint64_t *out, const void *payload, size_t bytes)
{
    const char *at = payload;
    const char *end = at + bytes;
    uint64_t count;

    if (!take_digits(&count, &at, end, COUNT_DIGITS) || at != end)
        return false;
    *out = count;
    return true;
}

/* What stands behind the third number, as in 2.1.0-rc1, is not looked at. */
bool sys_parse_version(struct sys_version *out, const void *payload, size_t bytes)
{
    const size_t head = sizeof(VERSION_HEAD) - 1;
    const char *at = payload;
    const char *end = at + bytes;
    uint64_t parts[3];

    if (bytes < head || memcmp(at, VERSION_HEAD, head) != 0)
        return false;
    at += head;
    if (!take_digits(&parts[0], &at, end, VERSION_DIGITS) || !take_char(&at, end, '.') ||
        !take_digits(&parts[1], &at, end, VERSION_DIGITS) || !take_char(&at, end, '.') ||
        !take_digits(&parts[2], &at, end, VERSION_DIGITS))
        return false;
    *out = (struct sys_version){(unsigned)parts[0], (unsigned)parts[1], (unsigned)parts[2]};
    return true;
}
