/* A stack of at most JSON_MAX_DEPTH brackets and one state: what may come next. */
#include "shared/json_scan.h"

#include "shared/topic.h"

#include <stdbool.h>
#include <string.h>

struct scan {
    const unsigned char *text;
    size_t bytes;
    size_t at;
};

static int peek(const struct scan *scan)
{
    return scan->at < scan->bytes ? scan->text[scan->at] : -1;
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->bytes && (scan->text[scan->at] == ' ' || scan->text[scan->at] == '\n' ||
                                      scan->text[scan->at] == '\t' || scan->text[scan->at] == '\r'))
        scan->at++;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static size_t skip_digits(struct scan *scan)
{
    size_t start = scan->at;

    while (is_digit(peek(scan)))
        scan->at++;
    return scan->at - start;
}

static enum json_error scan_number(struct scan *scan)
{
    size_t start = scan->at;

    if (peek(scan) == '-')
        scan->at++;
    if (peek(scan) == '0')
        scan->at++;
    else if (skip_digits(scan) == 0)
        return JSON_MALFORMED;
    if (peek(scan) == '.') {
        scan->at++;
        if (skip_digits(scan) == 0)
            return JSON_MALFORMED;
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        scan->at++;
        if (peek(scan) == '+' || peek(scan) == '-')
            scan->at++;
        if (skip_digits(scan) == 0)
            return JSON_MALFORMED;
    }
    return scan->at - start > JSON_NUMBER_MAX_BYTES ? JSON_NUMBER_TOO_LONG : JSON_OK;
}

static int hex_value(int c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The four hex digits of a \u escape; -1 when they are not there. */
static int scan_hex4(struct scan *scan)
{
    int code = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_value(peek(scan));

        if (digit < 0)
            return -1;
        code = code * 16 + digit;
        scan->at++;
    }
    return code;
}

/* Behind the backslash. */
static enum json_error scan_escape(struct scan *scan)
{
    int c = peek(scan);
    int code;

    if (c < 0 || !strchr("\"\\/bfnrtu", c) || c == 0)
        return JSON_MALFORMED;
    scan->at++;
    if (c != 'u')
        return JSON_OK;
    code = scan_hex4(scan);
    if (code < 0)
        return JSON_MALFORMED;
    if (code == 0)
        return JSON_NUL_CHARACTER;
    if (code >= 0xdc00 && code <= 0xdfff)
        return JSON_INVALID_UTF8;
    if (code >= 0xd800 && code <= 0xdbff) {
        if (scan->bytes - scan->at < 6 || scan->text[scan->at] != '\\' ||
            scan->text[scan->at + 1] != 'u')
            return JSON_INVALID_UTF8;
        scan->at += 2;
        code = scan_hex4(scan);
        if (code < 0xdc00 || code > 0xdfff)
            return JSON_INVALID_UTF8;
    }
    return JSON_OK;
}

static enum json_error scan_string(struct scan *scan)
{
    scan->at++;
    while (scan->at < scan->bytes) {
        unsigned char c = scan->text[scan->at];
        size_t length;

        if (c == '"') {
            scan->at++;
            return JSON_OK;
        }
        if (c == '\\') {
            enum json_error error;

            scan->at++;
            error = scan_escape(scan);
            if (error)
                return error;
            continue;
        }
        if (c == 0)
            return JSON_NUL_CHARACTER;
        if (c < 0x20)
            return JSON_MALFORMED;
        length = utf8_length(scan->text + scan->at, scan->bytes - scan->at);
        if (length == 0)
            return JSON_INVALID_UTF8;
        scan->at += length;
    }
    return JSON_MALFORMED;
}

static enum json_error scan_word(struct scan *scan)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t length = strlen(words[i]);

        if (scan->bytes - scan->at >= length &&
            memcmp(scan->text + scan->at, words[i], length) == 0) {
            scan->at += length;
            return JSON_OK;
        }
    }
    return peek(scan) == 0 ? JSON_NUL_CHARACTER : JSON_MALFORMED;
}

static enum json_error scan_scalar(struct scan *scan)
{
    int c = peek(scan);

    if (c == '"')
        return scan_string(scan);
    if (c == '-' || is_digit(c))
        return scan_number(scan);
    return scan_word(scan);
}

/* A member's name and its colon. */
static enum json_error scan_name(struct scan *scan)
{
    enum json_error error;

    skip_space(scan);
    if (peek(scan) != '"')
        return JSON_MALFORMED;
    error = scan_string(scan);
    if (error)
        return error;
    skip_space(scan);
    if (peek(scan) != ':')
        return JSON_MALFORMED;
    scan->at++;
    skip_space(scan);
    return JSON_OK;
}

static enum json_error scan_value(struct scan *scan)
{
    char closers[JSON_MAX_DEPTH];
    size_t depth = 0;
    enum json_error error;

    for (;;) {
        int c = peek(scan);

        /* Here a value starts. */
        if (c == '{' || c == '[') {
            if (depth == JSON_MAX_DEPTH)
                return JSON_TOO_DEEP;
            closers[depth++] = c == '{' ? '}' : ']';
            scan->at++;
            skip_space(scan);
            if (peek(scan) != closers[depth - 1]) {
                if (c == '{' && (error = scan_name(scan)))
                    return error;
                continue;
            }
        } else {
            error = scan_scalar(scan);
            if (error)
                return error;
            skip_space(scan);
        }
        /* Here a value has ended, or a container is about to. */
        while (depth > 0 && peek(scan) == closers[depth - 1]) {
            scan->at++;
            depth--;
            skip_space(scan);
        }
        if (depth == 0)
            return JSON_OK;
        if (peek(scan) != ',')
            return JSON_MALFORMED;
        scan->at++;
        skip_space(scan);
        if (closers[depth - 1] == '}' && (error = scan_name(scan)))
            return error;
    }
}

enum json_error json_scan_value(const char *text, size_t bytes, size_t *at)
{
    struct scan scan = {.text = (const unsigned char *)text, .bytes = bytes, .at = *at};
    enum json_error error;

    skip_space(&scan);
    error = scan.at == bytes ? JSON_EMPTY : scan_value(&scan);
    *at = scan.at;
    return error;
}

enum json_error json_scan_document(const char *text, size_t bytes, size_t *at)
{
    enum json_error error;

    *at = 0;
    error = json_scan_value(text, bytes, at);
    if (!error && *at < bytes)
        error = text[*at] == '\0' ? JSON_NUL_CHARACTER : JSON_TRAILING_BYTES;
    return error;
}
