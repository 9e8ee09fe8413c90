#include "collector/decoders/zone_rule.h"

#include "shared/base/civil.h"

#include <string.h>

enum { DAY_S = 86400 };

/* ---- read ----------------------------------------------------------------------------------- */

struct text {
    const char *at;
    const char *end;
};

static int peek(const struct text *text)
{
    return text->at < text->end ? (unsigned char)*text->at : -1;
}

static bool take(struct text *text, char c)
{
    if (peek(text) != c)
        return false;
    text->at++;
    return true;
}

static bool read_number(struct text *text, int least, int most, int *out)
{
    const char *from = text->at;
    int number = 0;

    while (peek(text) >= '0' && peek(text) <= '9' && number < 10000)
        number = number * 10 + (*text->at++ - '0');
    *out = number;
    return text->at > from && number >= least && number <= most;
}

static bool read_name(struct text *text)
{
    const char *from = text->at;

    if (take(text, '<')) {
        while (peek(text) >= 0 && peek(text) != '>')
            text->at++;
        return take(text, '>');
    }
    while ((peek(text) | 0x20) >= 'a' && (peek(text) | 0x20) <= 'z')
        text->at++;
    return text->at - from >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(struct text *text, int64_t *out_s)
{
    bool is_negative = take(text, '-');
    int hours;
    int minutes = 0;
    int seconds = 0;

    if (!is_negative)
        take(text, '+');
    if (!read_number(text, 0, 167, &hours))
        return false;
    if (take(text, ':') && !read_number(text, 0, 59, &minutes))
        return false;
    if (take(text, ':') && !read_number(text, 0, 59, &seconds))
        return false;
    *out_s = (int64_t)hours * 3600 + minutes * 60 + seconds;
    if (is_negative)
        *out_s = -*out_s;
    return true;
}

static bool read_day(struct text *text, struct zone_date *out)
{
    if (take(text, 'M')) {
        out->kind = DATE_WEEKDAY;
        return read_number(text, 1, 12, &out->month) && take(text, '.') &&
               read_number(text, 1, 5, &out->week) && take(text, '.') &&
               read_number(text, 0, 6, &out->day);
    }
    out->kind = take(text, 'J') ? DATE_JULIAN : DATE_OF_YEAR;
    return read_number(text, out->kind == DATE_JULIAN, 365, &out->day);
}

static bool read_date(struct text *text, struct zone_date *out)
{
    out->time_s = 2 * 3600;
    return take(text, ',') && read_day(text, out) &&
           (!take(text, '/') || read_time(text, &out->time_s));
}

bool zone_rule_parse(struct zone_rule *out, const char *bytes, size_t length)
{
    struct text text = {.at = bytes, .end = bytes + length};
    struct zone_rule rule = {0};
    int64_t west_s;

    if (!read_name(&text) || !read_time(&text, &west_s))
        return false;
    rule.standard_s = -west_s;
    if (peek(&text) >= 0) {
        rule.has_summer = true;
        rule.summer_s = rule.standard_s + 3600;
        if (!read_name(&text))
            return false;
        if (peek(&text) != ',') {
            if (!read_time(&text, &west_s))
                return false;
            rule.summer_s = -west_s;
        }
        if (!read_date(&text, &rule.begin) || !read_date(&text, &rule.end))
            return false;
    }
    if (peek(&text) >= 0)
        return false;
    *out = rule;
    return true;
}

/* ---- asked ---------------------------------------------------------------------------------- */

/* When the clock is changed in a year, as the local clock shows it before. */
static int64_t local_of(const struct zone_date *date, int64_t year)
{
    int64_t day;

    if (date->kind == DATE_WEEKDAY) {
        int64_t first = civil_days(year, date->month, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        int64_t later = (date->day - weekday + 7) % 7 + (int64_t)7 * (date->week - 1);

        if (later >= civil_days_in_month(year, date->month))
            later -= 7; /* the fifth is the last */
        day = first + later;
    } else {
        day = civil_days(year, 1, 1) + date->day;
        if (date->kind == DATE_JULIAN)
            day -= !civil_is_leap(year) || date->day < 60;
    }
    return day * DAY_S + date->time_s;
}

int64_t zone_rule_offset_s(const struct zone_rule *rule, int64_t utc_s)
{
    int64_t local_s = utc_s + rule->standard_s;
    int64_t year;
    int64_t begin_s;
    int64_t end_s;
    bool is_summer;

    if (!rule->has_summer)
        return rule->standard_s;
    year = civil_year((local_s >= 0 ? local_s : local_s - DAY_S + 1) / DAY_S);
    begin_s = local_of(&rule->begin, year) - rule->standard_s;
    end_s = local_of(&rule->end, year) - rule->summer_s;
    is_summer = begin_s < end_s ? utc_s >= begin_s && utc_s < end_s
                                : utc_s >= begin_s || utc_s < end_s; /* south of the equator */
    return is_summer ? rule->summer_s : rule->standard_s;
}
