/* Each kind of setting: what is legal, how it is read, and how that is said. */
#include "shared/base/duration.h"
#include "shared/base/options_inner.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOUND_SIZE = 32 };

const char *option_kind_text(enum option_kind kind)
{
    switch (kind) {
    case OPTION_TEXT:
    case OPTION_URL:
    case OPTION_SECRET_FILE:
        return "text";
    case OPTION_COUNT:
        return "a whole number";
    case OPTION_NUMBER:
        return "a number";
    case OPTION_DURATION:
        return "a duration such as 10ms, 5s, 1h";
    case OPTION_BYTES:
        return "a size such as 65536, 64k, 256MB, 1G";
    case OPTION_SWITCH:
        return "one of 1, 0, true, false, yes, no, on, off";
    }
    return "";
}

/* In the largest unit that leaves a whole number. */
static void bytes_text(char *out, size_t bytes, double bound)
{
    static const char *const units[] = {"", "k", "M", "G"};
    size_t unit = 0;

    while (unit < 3 && bound >= 1024 && fmod(bound, 1024) == 0) {
        bound /= 1024;
        unit++;
    }
    snprintf(out, bytes, "%.15g%s", bound, units[unit]);
}

static void bound_text(char out[BOUND_SIZE], enum option_kind kind, double bound)
{
    if (kind == OPTION_DURATION)
        duration_format(out, (int64_t)bound);
    else if (kind == OPTION_BYTES)
        bytes_text(out, BOUND_SIZE, bound);
    else
        snprintf(out, BOUND_SIZE, "%.15g", bound);
}

const char *option_range_text(char *out, size_t bytes, const struct option *option)
{
    char least[BOUND_SIZE];
    char most[BOUND_SIZE];

    bound_text(least, option->kind, option->least);
    bound_text(most, option->kind, option->most);
    out[0] = '\0';
    if (option->least != 0 || option->most != 0)
        snprintf(out, bytes, "from %s to %s", least, most);
    return out;
}

const char *option_legal_text(char out[OPTION_LEGAL_SIZE], const struct option *option)
{
    size_t bytes = (size_t)snprintf(out, OPTION_LEGAL_SIZE, "%s ", option_kind_text(option->kind));

    if (!*option_range_text(out + bytes, OPTION_LEGAL_SIZE - bytes, option))
        out[bytes - 1] = '\0';
    return out;
}

static bool in_range(const struct option *option, double value)
{
    if (option->least == 0 && option->most == 0)
        return true;
    return value >= option->least && value <= option->most;
}

static bool parse_whole(uint64_t *out, const char *text, char **end)
{
    if (!isdigit((unsigned char)*text))
        return false;
    *out = strtoull(text, end, 10);
    return *out < (UINT64_C(1) << 53);
}

/* 65536, 64k, 64kB, 64KiB; a k is always 1024. */
static bool parse_bytes(uint64_t *out, const char *text)
{
    static const char units[] = "kMG";
    uint64_t factor = 1;
    const char *unit;
    char *end;

    if (!parse_whole(out, text, &end))
        return false;
    unit = *end ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;
    if (unit) {
        factor <<= 10 * (unit - units + 1);
        end++;
        if (strncmp(end, "iB", 2) == 0)
            end++;
    }
    if (*end == 'B')
        end++;
    if (*end || *out > UINT64_MAX / factor)
        return false;
    *out *= factor;
    return true;
}

static bool parse_switch(bool *out, const char *text)
{
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

bool option_set(const struct option *option, const char *text)
{
    uint64_t count;
    int64_t duration;
    double number;
    char *end = NULL;

    switch (option->kind) {
    case OPTION_TEXT:
    case OPTION_URL:
    case OPTION_SECRET_FILE:
        *(const char **)option->target = text;
        return true;
    case OPTION_COUNT:
        if (!parse_whole(&count, text, &end) || *end || !in_range(option, (double)count))
            return false;
        *(uint64_t *)option->target = count;
        return true;
    case OPTION_NUMBER:
        number = strtod(text, &end);
        if (end == text || *end || !isfinite(number) || !in_range(option, number))
            return false;
        *(double *)option->target = number;
        return true;
    case OPTION_DURATION:
        if (!duration_parse(&duration, text) || !in_range(option, (double)duration))
            return false;
        *(int64_t *)option->target = duration;
        return true;
    case OPTION_BYTES:
        if (!parse_bytes(&count, text) || !in_range(option, (double)count))
            return false;
        *(uint64_t *)option->target = count;
        return true;
    case OPTION_SWITCH:
        return parse_switch(option->target, text);
    }
    return false;
}
