#include "httpapi/moment.h"

#include "shared/base/duration.h"
#include "shared/base/timestamp.h"

#include <stdlib.h>
#include <string.h>

enum {
    LENGTH_DIGITS = 5,
    EPOCH_DIGITS_LEAST =
        9, /* since 1973; what has fewer may be a year, or a day without its dashes */
    EPOCH_DIGITS_MOST = 11, /* until 5138; what has more is milliseconds */
    MOST_CHARACTERS = 64,
    DAY_CHARACTERS = sizeof("2026-11-26") - 1
};

bool moment_parse_length(int64_t *out_us, const char *text)
{
    static const char *const units[] = {"us", "ms", "s", "m", "h", "d"};
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > LENGTH_DIGITS || text[0] == '0')
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits, units[i]) == 0)
            return duration_parse(out_us, text);
    }
    return false;
}

static bool parse_now(int64_t *out_us, const char *text, int64_t now_us)
{
    int64_t before_us = 0;

    if (text[0] != '\0' && !(text[0] == '-' && moment_parse_length(&before_us, text + 1)))
        return false;
    *out_us = now_us - before_us;
    return true;
}

static bool parse_epoch(int64_t *out_us, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    const char *fraction = text + digits;
    int64_t unit_us = TIMESTAMP_US_PER_S;
    int64_t us;

    if (strcmp(text, "0") != 0 &&
        (text[0] == '0' || digits < EPOCH_DIGITS_LEAST || digits > EPOCH_DIGITS_MOST))
        return false;
    us = strtoll(text, NULL, 10) * TIMESTAMP_US_PER_S;
    if (*fraction == '.') {
        digits = strspn(++fraction, "0123456789");
        if (digits == 0 || digits > 6)
            return false;
        for (; digits > 0; digits--, fraction++)
            us += (*fraction - '0') * (unit_us /= 10);
    }
    if (*fraction)
        return false;
    *out_us = us;
    return true;
}

static bool parse_day(int64_t *out_us, const char *text)
{
    char midnight[DAY_CHARACTERS + sizeof("T00:00:00Z")];

    memcpy(midnight, text, DAY_CHARACTERS);
    memcpy(midnight + DAY_CHARACTERS, "T00:00:00Z", sizeof("T00:00:00Z"));
    return timestamp_parse(out_us, midnight);
}

bool moment_parse(int64_t *out_us, bool *is_relative, const char *text, int64_t now_us)
{
    char rfc3339[MOST_CHARACTERS + 1];

    *is_relative = false;
    if (strncmp(text, "now", 3) == 0) {
        *is_relative = true;
        return parse_now(out_us, text + 3, now_us);
    }
    if (parse_epoch(out_us, text))
        return true;
    if (strlen(text) == DAY_CHARACTERS)
        return parse_day(out_us, text);
    if (strlen(text) > MOST_CHARACTERS || (strstr(text, ":60") && !strstr(text, "23:59:60")))
        return false;
    strcpy(rfc3339, text);
    if (strlen(text) > DAY_CHARACTERS && text[DAY_CHARACTERS] == '+')
        rfc3339[DAY_CHARACTERS] = ' '; /* as forms encode it; a day has no offset */
    return timestamp_parse(out_us, rfc3339);
}
