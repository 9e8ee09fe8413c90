/* strptime, timegm and gmtime_r would do, but each needs a second pass for fractions and offsets
 * and takes the time of a whole JSON parse. The calendar is a dozen lines. */
#include "shared/base/timestamp.h"

#include "shared/base/civil.h"

#include <assert.h>
#include <time.h>

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

static bool digits(const char **text, int count, int *out)
{
    int number = 0;

    for (int i = 0; i < count; i++) {
        char c = (*text)[i];

        if (c < '0' || c > '9')
            return false;
        number = number * 10 + (c - '0');
    }
    *text += count;
    *out = number;
    return true;
}

static bool literal(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

/* The offset in minutes; the text must end after it. */
static bool parse_offset(const char *text, int *out)
{
    int sign = *text == '-' ? -1 : 1;
    int hours;
    int minutes = 0;

    *out = 0;
    if (!*text || ((*text == 'Z' || *text == 'z') && !text[1]))
        return true;
    if (*text != '+' && *text != '-')
        return false;
    text++;
    if (!digits(&text, 2, &hours))
        return false;
    if (*text) {
        literal(&text, ':');
        if (!digits(&text, 2, &minutes))
            return false;
    }
    if (*text || hours > 23 || minutes > 59)
        return false;
    *out = sign * (hours * 60 + minutes);
    return true;
}

/* Whether a leap second may have come before a time: there have been some at the end of June and
 * December, and never elsewhere. */
static bool is_behind_leap_second(int64_t us)
{
    int64_t year;
    int month, day;

    if (us % TIMESTAMP_US_PER_DAY != 0)
        return false;
    civil_from_days(us / TIMESTAMP_US_PER_DAY, &year, &month, &day);
    return day == 1 && (month == 1 || month == 7);
}

bool timestamp_parse(int64_t *out_us, const char *text)
{
    int year, month, day, hour, minute, second, offset;
    int64_t fraction_us = 0;
    int64_t us;

    if (!digits(&text, 4, &year) || !literal(&text, '-') || !digits(&text, 2, &month) ||
        !literal(&text, '-') || !digits(&text, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > civil_days_in_month(year, month))
        return false;
    if (!literal(&text, 'T') && !literal(&text, 't') && !literal(&text, ' '))
        return false;
    if (!digits(&text, 2, &hour) || !literal(&text, ':') || !digits(&text, 2, &minute) ||
        !literal(&text, ':') || !digits(&text, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    if (literal(&text, '.')) {
        int64_t unit_us = 100000;

        if (*text < '0' || *text > '9')
            return false;
        for (; *text >= '0' && *text <= '9'; text++) {
            fraction_us += (*text - '0') * unit_us;
            unit_us /= 10;
        }
    }
    if (!parse_offset(text, &offset))
        return false;
    us = civil_days(year, month, day) * TIMESTAMP_US_PER_DAY +
         ((int64_t)hour * 3600 + (int64_t)(minute - offset) * 60 + second) * TIMESTAMP_US_PER_S;
    if (second == 60 && !is_behind_leap_second(us))
        return false;
    *out_us = us + fraction_us;
    return true;
}

static char *put_digits(char *out, int64_t number, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return out + count;
}

int64_t timestamp_day(int64_t us)
{
    return us >= 0 ? us / TIMESTAMP_US_PER_DAY
                   : -((-us + TIMESTAMP_US_PER_DAY - 1) / TIMESTAMP_US_PER_DAY);
}

void timestamp_format(char *out, int64_t us)
{
    static const int64_t least = INT64_C(-62135596800) * TIMESTAMP_US_PER_S;    /* year 1 */
    static const int64_t most = INT64_C(253402300800) * TIMESTAMP_US_PER_S - 1; /* year 9999 */
    int64_t clamped = us < least ? least : us > most ? most : us;
    int64_t day = timestamp_day(clamped);
    int64_t rest = clamped - day * TIMESTAMP_US_PER_DAY;
    int64_t year;
    int month, day_of_month;

    civil_from_days(day, &year, &month, &day_of_month);
    out = put_digits(out, year, 4);
    *out++ = '-';
    out = put_digits(out, month, 2);
    *out++ = '-';
    out = put_digits(out, day_of_month, 2);
    *out++ = 'T';
    out = put_digits(out, rest / (3600 * TIMESTAMP_US_PER_S), 2);
    *out++ = ':';
    out = put_digits(out, rest / (60 * TIMESTAMP_US_PER_S) % 60, 2);
    *out++ = ':';
    out = put_digits(out, rest / TIMESTAMP_US_PER_S % 60, 2);
    *out++ = '.';
    out = put_digits(out, rest % TIMESTAMP_US_PER_S, 6);
    *out++ = 'Z';
    *out = '\0';
}

int64_t timestamp_now(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);

    assert(!failed);
    (void)failed;
    return (int64_t)now.tv_sec * TIMESTAMP_US_PER_S + now.tv_nsec / 1000;
}
