#include "collector/decoders/mapping_time.h"

#include "collector/decoders/scope.h"
#include "shared/base/civil.h"
#include "shared/base/timestamp.h"
#include "shared/model/json_token.h"

#include <string.h>
#include <strings.h>

#define US_PER_S TIMESTAMP_US_PER_S

/* ---- numbers ------------------------------------------------------------------------------- */

/* Whether a text is what JSON would call a number. */
static bool is_number(const char *text, struct json_token *token)
{
    struct json_value value;
    size_t at;

    if (*text == ' ' || json_scan_document(text, strlen(text), &at, &value) != JSON_OK ||
        value.kind != JSON_NUMBER)
        return false;
    *token =
        (struct json_token){.text = text, .bytes = strcspn(text, " \t\r\n"), .kind = JSON_NUMBER};
    return true;
}

/* ---- formats -------------------------------------------------------------------------------- */

struct fields {
    int year, month, day, day_of_year, hour, minute, second;
    bool is_pm, has_half;
    int64_t fraction_us;
    bool has_offset;
    int64_t offset_s;
    bool has_epoch;
    int64_t epoch_s;
};

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_number(const char **text, int most_digits, int least, int most, int *out)
{
    const char *from = *text;
    int number = 0;

    while (*text - from < most_digits && is_digit(**text))
        number = number * 10 + (*(*text)++ - '0');
    *out = number;
    return *text > from && number >= least && number <= most;
}

/* By its first three letters; the rest of the word is passed over. */
static bool read_word(const char **text, const char *const *words, int count, int *out)
{
    for (int i = 0; i < count; i++) {
        if (strncasecmp(*text, words[i], 3) != 0)
            continue;
        while (is_letter(**text))
            ++*text;
        *out = i;
        return true;
    }
    return false;
}

static bool read_half(const char **text, struct fields *out)
{
    bool is_am = strncasecmp(*text, "am", 2) == 0;

    out->is_pm = strncasecmp(*text, "pm", 2) == 0;
    out->has_half = true;
    if (!is_am && !out->is_pm)
        return false;
    *text += 2;
    return true;
}

static bool read_fraction(const char **text, int64_t *out_us)
{
    int64_t unit_us = US_PER_S / 10;

    if (!is_digit(**text))
        return false;
    for (*out_us = 0; is_digit(**text); ++*text) {
        *out_us += (**text - '0') * unit_us;
        unit_us /= 10;
    }
    return true;
}

static bool read_offset(const char **text, struct fields *out)
{
    int sign = **text == '-' ? -1 : 1;
    int hours;
    int minutes = 0;

    out->has_offset = true;
    if (**text == 'Z' || **text == 'z') {
        ++*text;
        return true;
    }
    if (**text != '+' && **text != '-')
        return false;
    ++*text;
    if (!read_number(text, 2, 0, 23, &hours))
        return false;
    if (**text == ':')
        ++*text;
    if (is_digit(**text) && !read_number(text, 2, 0, 59, &minutes))
        return false;
    out->offset_s = sign * ((int64_t)hours * 3600 + minutes * 60);
    return true;
}

static bool read_epoch(const char **text, struct fields *out)
{
    const char *from = *text;

    out->has_epoch = true;
    while (is_digit(**text) && *text - from < 11)
        out->epoch_s = out->epoch_s * 10 + (*(*text)++ - '0');
    return *text > from;
}

static bool read_by(const char **text, const char *format, struct fields *out);

static bool read_field(const char **text, char kind, struct fields *out)
{
    int ignored;

    switch (kind) {
    case 'Y':
        return read_number(text, 4, 1, 9999, &out->year);
    case 'y':
        if (!read_number(text, 2, 0, 99, &out->year))
            return false;
        out->year += out->year < 69 ? 2000 : 1900;
        return true;
    case 'm':
        return read_number(text, 2, 1, 12, &out->month);
    case 'b':
        if (!read_word(text, months, 12, &out->month))
            return false;
        out->month++;
        return true;
    case 'e':
        while (is_white(**text))
            ++*text;
        return read_number(text, 2, 1, 31, &out->day);
    case 'd':
        return read_number(text, 2, 1, 31, &out->day);
    case 'j':
        return read_number(text, 3, 1, 366, &out->day_of_year);
    case 'H':
        return read_number(text, 2, 0, 23, &out->hour);
    case 'I':
        return read_number(text, 2, 1, 12, &out->hour);
    case 'p':
        return read_half(text, out);
    case 'M':
        return read_number(text, 2, 0, 59, &out->minute);
    case 'S':
        return read_number(text, 2, 0, 60, &out->second);
    case 'f':
        return read_fraction(text, &out->fraction_us);
    case 'z':
        return read_offset(text, out);
    case 's':
        return read_epoch(text, out);
    case 'a':
        return read_word(text, weekdays, 7, &ignored);
    case 'T':
        return read_by(text, "%H:%M:%S", out);
    case 'R':
        return read_by(text, "%H:%M", out);
    case 'F':
        return read_by(text, "%Y-%m-%d", out);
    case 'D':
        return read_by(text, "%m/%d/%y", out);
    case '%':
        return *(*text)++ == '%';
    default:
        return false;
    }
}

static bool read_by(const char **text, const char *format, struct fields *out)
{
    for (; *format; format++) {
        if (is_white(*format)) {
            while (is_white(**text))
                ++*text;
        } else if (*format == '%') {
            if (!read_field(text, *++format, out))
                return false;
        } else if (*(*text)++ != *format) {
            return false;
        }
    }
    return true;
}

const char *time_format_check(const char *format)
{
    bool has[128] = {false};

    for (; *format; format++) {
        if (*format != '%')
            continue;
        format++;
        if (!*format || !strchr("YymbedjHIpMSfzsaTRFD%", *format))
            return "has a % that is none of %Y %y %m %b %d %e %j %H %I %p %M %S %f %z %s %a %T %R "
                   "%F %D %%";
        has[(unsigned char)*format] = true;
    }
    if (has['I'] != has['p'])
        return "has one of %I and %p without the other";
    if (has['s'] || has['F'] || has['D'])
        return NULL;
    if ((has['Y'] || has['y']) && (has['j'] || ((has['m'] || has['b']) && (has['d'] || has['e']))))
        return NULL;
    return "says no whole date: year, month and day, or %s";
}

/* ---- moments -------------------------------------------------------------------------------- */

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

static int64_t moment_of(int64_t local_us, const struct zone *zone, int64_t arrival_us)
{
    int64_t local_s =
        local_us >= 0 ? local_us / US_PER_S : -((-local_us + US_PER_S - 1) / US_PER_S);
    int64_t fraction_us = local_us - local_s * US_PER_S;
    int64_t moments_s[2] = {local_s, local_s};
    int count = zone ? zone_moments(zone, local_s, moments_s) : 1;
    int64_t first_us = moments_s[0] * US_PER_S + fraction_us;
    int64_t second_us = moments_s[count - 1] * US_PER_S + fraction_us;

    return distance(second_us, arrival_us) < distance(first_us, arrival_us) ? second_us : first_us;
}

static bool moment_by(int64_t *out_us, const char *text, const struct zone *zone,
                      const char *format, int64_t arrival_us)
{
    struct fields fields = {0};
    int64_t days;
    int64_t local_us;

    if (!read_by(&text, format, &fields))
        return false;
    while (is_white(*text))
        text++;
    if (*text)
        return false;
    if (fields.has_epoch) {
        *out_us = fields.epoch_s * US_PER_S + fields.fraction_us;
        return true;
    }
    if (fields.day_of_year > 0) {
        days = civil_days(fields.year, 1, fields.day_of_year);
        if (fields.day_of_year > 365 + civil_is_leap(fields.year))
            return false;
    } else {
        days = civil_days(fields.year, fields.month, fields.day);
        if (fields.month < 1 || fields.day > civil_days_in_month(fields.year, fields.month))
            return false;
    }
    if (fields.has_half)
        fields.hour = fields.hour % 12 + (fields.is_pm ? 12 : 0);
    local_us = (days * 86400 + fields.hour * 3600 + fields.minute * 60 + fields.second) * US_PER_S +
               fields.fraction_us;
    *out_us = fields.has_offset ? local_us - fields.offset_s * US_PER_S
                                : moment_of(local_us, zone, arrival_us);
    return true;
}

/* What timestamp_parse() has taken: whether an offset ends it. */
static bool has_offset(const char *text)
{
    enum { OF_DATE_AND_TIME = 19 }; /* 2026-11-23T12:00:00 */

    return text[OF_DATE_AND_TIME + strspn(text + OF_DATE_AND_TIME, ".0123456789")] != '\0';
}

static bool text_moment(int64_t *out_us, const char *text, const struct zone *zone,
                        const char *format, int64_t arrival_us)
{
    struct json_token number;

    if (format)
        return moment_by(out_us, text, zone, format, arrival_us);
    if (is_number(text, &number))
        return json_token_epoch(&number, out_us);
    if (!timestamp_parse(out_us, text))
        return false;
    if (zone && !has_offset(text))
        *out_us = moment_of(*out_us, zone, arrival_us);
    return true;
}

bool mapping_time_read(int64_t *out_us, const struct json_token *token, const struct zone *zone,
                       const char *format, int64_t arrival_us)
{
    struct json_text text;
    bool is_time;

    if (token->kind == JSON_NUMBER && !format)
        return json_token_epoch(token, out_us);
    if (token->kind != JSON_STRING && token->kind != JSON_NUMBER)
        return false;
    json_text_init(&text, token);
    is_time = text_moment(out_us, text.chars, zone, format, arrival_us);
    json_text_release(&text);
    return is_time;
}
