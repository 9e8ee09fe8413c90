#include "shared/model/json_token.h"

#include "shared/base/hex.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/base/utf8.h"

#include <float.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- strings -------------------------------------------------------------------------------- */

/* Of four digits that are known to be hexadecimal. */
static uint32_t hex4(const char *at)
{
    uint32_t code = 0;

    for (int i = 0; i < 4; i++)
        code = code << 4 | (uint32_t)hex_value(at[i]);
    return code;
}

/* What follows \u, with the second half of a surrogate pair where it is the first. Moves `*at` after it. */
static size_t decode_unicode(char *out, const char **at)
{
    uint32_t code = hex4(*at);

    *at += 4;
    if (code >= 0xd800 && code <= 0xdbff) {
        code = 0x10000 + ((code & 0x3ff) << 10) + (hex4(*at + 2) & 0x3ff);
        *at += 6;
    }
    return utf8_encode(out, code);
}

static char decode_letter(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c; /* " \ / */
    }
}

/* An escape is longer than what it means, so the text is large enough for it. */
static char *decode(const struct json_token *token)
{
    char *text = mem_strndup(token->text, token->bytes);
    const char *at = token->text;
    const char *end = at + token->bytes;
    char *out = text;

    while (at < end) {
        char c = *at++;

        if (c != '\\') {
            *out++ = c;
        } else if (*at == 'u') {
            at++;
            out += decode_unicode(out, &at);
        } else {
            *out++ = decode_letter(*at++);
        }
    }
    *out = '\0';
    return text;
}

char *json_token_decode(struct json_token *token)
{
    char *decoded;

    if (!token->has_escapes)
        return NULL;
    decoded = decode(token);
    token->text = decoded;
    token->bytes = strlen(decoded);
    token->has_escapes = false;
    return decoded;
}

void json_text_init(struct json_text *text, const struct json_token *token)
{
    text->chars = text->space;
    text->allocated = NULL;
    if (!token->has_escapes && token->bytes < sizeof(text->space)) {
        memcpy(text->space, token->text, token->bytes);
        text->space[token->bytes] = '\0';
        return;
    }
    text->allocated = token->has_escapes ? decode(token) : mem_strndup(token->text, token->bytes);
    text->chars = text->allocated;
}

void json_text_release(struct json_text *text)
{
    free(text->allocated);
}

bool json_token_timestamp(const struct json_token *token, int64_t *out_us)
{
    struct json_text text;
    bool is_legal;

    json_text_init(&text, token);
    is_legal = timestamp_parse(out_us, text.chars);
    json_text_release(&text);
    return is_legal;
}

bool json_token_is(const struct json_token *token, const char *text, size_t bytes)
{
    struct json_text decoded;
    bool is_equal;

    if (!token->has_escapes)
        return token->bytes == bytes && memcmp(token->text, text, bytes) == 0;
    json_text_init(&decoded, token);
    is_equal = strlen(decoded.chars) == bytes && memcmp(decoded.chars, text, bytes) == 0;
    json_text_release(&decoded);
    return is_equal;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* Most readings have a few digits, and strtod() takes a tenth of a microsecond for each. When the
 * digits are a whole number below 2^53 and the power of ten is one that a double holds exactly, one
 * multiplication or division rounds once, and so correctly (Clinger, How to Read Floating Point
 * Numbers Accurately, 1990). False for all others. */
static bool read_short(const struct json_token *token, double *out)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const char *at = token->text;
    const char *end = at + token->bytes;
    const char *point = NULL;
    uint64_t digits = 0;
    double value;

    if (FLT_EVAL_METHOD != 0 || token->bytes > 16)
        return false; /* at most 15 digits, or their number is not exact */
    if (*at == '-')
        at++;
    for (; at < end; at++) {
        if (*at == '.')
            point = at;
        else if (*at >= '0' && *at <= '9')
            digits = digits * 10 + (uint64_t)(*at - '0');
        else
            return false;
    }
    if (digits >> 53)
        return false;
    value = (double)digits;
    if (point)
        value /= powers[end - point - 1];
    *out = token->text[0] == '-' ? -value : value;
    return true;
}

double json_token_number(const struct json_token *token)
{
    char text[JSON_NUMBER_MAX_BYTES + 1];
    double value;

    if (read_short(token, &value))
        return value;
    memcpy(text, token->text, token->bytes);
    text[token->bytes] = '\0';
    return strtod(text, NULL);
}

/* The exponent of a number token, 0 when it has none; what is far out of all reach is cut short. */
static int exponent(const char *at, const char *end)
{
    bool is_negative = false;
    int value = 0;

    while (at < end && *at != 'e' && *at != 'E')
        at++;
    if (at++ == end)
        return 0;
    if (*at == '+' || *at == '-')
        is_negative = *at++ == '-';
    for (; at < end && value < 100000; at++)
        value = value * 10 + (*at - '0');
    return is_negative ? -value : value;
}

/* Nearly all are nothing but digits, and few. */
static bool read_digits(const struct json_token *token, int64_t *out)
{
    int64_t value = 0;

    if (token->bytes > 18)
        return false;
    for (size_t i = 0; i < token->bytes; i++) {
        if (token->text[i] < '0' || token->text[i] > '9')
            return false;
        value = value * 10 + (token->text[i] - '0');
    }
    *out = value;
    return true;
}

static bool floor_of_digits(const struct json_token *token, int power_of_ten, int64_t *out,
                            bool *is_exact)
{
    const char *at = token->text;
    const char *end = at + token->bytes;
    bool is_negative = *at == '-';
    int wanted = exponent(at, end) + power_of_ten; /* digits, from the first on */
    int seen = 0;
    bool is_whole = true;
    int64_t value = 0;

    at += is_negative;
    for (const char *c = at; c < end && *c >= '0' && *c <= '9'; c++)
        wanted++;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.')
            continue;
        if (seen++ >= wanted) {
            is_whole = is_whole && *at == '0';
            continue;
        }
        if (value > INT64_MAX / 10 - 1)
            return false;
        value = value * 10 + (*at - '0');
    }
    for (; seen < wanted && value > 0; seen++) {
        if (value > INT64_MAX / 10)
            return false;
        value *= 10;
    }
    *is_exact = is_whole;
    *out = is_negative ? -value - !is_whole : value;
    return true;
}

bool json_token_floor(const struct json_token *token, int power_of_ten, int64_t *out,
                      bool *is_exact)
{
    if (power_of_ten != 0 || !read_digits(token, out))
        return floor_of_digits(token, power_of_ten, out, is_exact);
    *is_exact = true;
    return true;
}

static bool is_within(int64_t number, int64_t limit)
{
    return number > -limit && number < limit;
}

/* A clock reads today between 1e9 and 1e10 in seconds, and each finer unit is a thousand times
 * that, so the size tells the unit for every time from 1973 to 5138. */
bool json_token_epoch(const struct json_token *token, int64_t *out_us)
{
    int64_t number;
    bool is_whole;
    int power_of_ten;

    if (!json_token_floor(token, 0, &number, &is_whole))
        return false;
    power_of_ten = is_within(number, INT64_C(100000000000))         ? 6
                   : is_within(number, INT64_C(100000000000000))    ? 3
                   : is_within(number, INT64_C(100000000000000000)) ? 0
                                                                    : -3;
    if (!is_whole || power_of_ten < 0)
        return json_token_floor(token, power_of_ten, out_us, &is_whole);
    *out_us = number * (power_of_ten == 6 ? 1000000 : power_of_ten == 3 ? 1000 : 1);
    return true;
}
