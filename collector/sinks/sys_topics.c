#include "collector/sinks/sys_topics.h"

#include <string.h>

enum { COUNT_DIGITS = 19, VERSION_DIGITS = 6 }; /* whatever they are, they fit */

#define VERSION_HEAD "mosquitto version "

/* The digits at `*at`, `most` of them at most; it is moved past them. */
static bool parse_digits(uint64_t *out, const char **at, const char *end, size_t most)
{
    const char *from = *at;
    const char *to = from;

    while (to < end && *to >= '0' && *to <= '9')
        to++;
    *at = to;
    *out = 0;
    if (to == from || (size_t)(to - from) > most)
        return false;
    for (; from < to; from++)
        *out = *out * 10 + (uint64_t)(*from - '0');
    return true;
}

static bool parse_char(const char **at, const char *end, char c)
{
    if (*at == end || **at != c)
        return false;
    ++*at;
    return true;
}

bool sys_parse_count(uint64_t *out, const void *payload, size_t bytes)
{
    const char *at = payload;
    const char *end = at + bytes;
    uint64_t count;

    if (!parse_digits(&count, &at, end, COUNT_DIGITS) || at != end)
        return false;
    *out = count;
    return true;
}

/* What follows the third number, as in 2.1.0-rc1, is not looked at. */
bool sys_parse_version(struct sys_version *out, const void *payload, size_t bytes)
{
    const size_t head = sizeof(VERSION_HEAD) - 1;
    const char *at = payload;
    const char *end = at + bytes;
    uint64_t parts[3];

    if (bytes < head || memcmp(at, VERSION_HEAD, head) != 0)
        return false;
    at += head;
    if (!parse_digits(&parts[0], &at, end, VERSION_DIGITS) || !parse_char(&at, end, '.') ||
        !parse_digits(&parts[1], &at, end, VERSION_DIGITS) || !parse_char(&at, end, '.') ||
        !parse_digits(&parts[2], &at, end, VERSION_DIGITS))
        return false;
    *out = (struct sys_version){(unsigned)parts[0], (unsigned)parts[1], (unsigned)parts[2]};
    return true;
}
