/* A stack of at most JSON_MAX_DEPTH brackets and one state: what may come next. Members are noted
 * of the outermost object only. */
#include "shared/model/json_scan.h"

#include "shared/base/hex.h"
#include "shared/base/utf8.h"

#include <stdint.h>
#include <string.h>

struct scan {
    const unsigned char *at;
    const unsigned char *end;
};

static int peek(const struct scan *scan)
{
    return scan->at < scan->end ? *scan->at : -1;
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
        scan->at++;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static size_t skip_digits(struct scan *scan)
{
    const unsigned char *start = scan->at;

    while (is_digit(peek(scan)))
        scan->at++;
    return (size_t)(scan->at - start);
}

static void note(struct json_token *token, enum json_kind kind, const unsigned char *start,
                 const unsigned char *end)
{
    token->kind = kind;
    token->text = (const char *)start;
    token->bytes = (size_t)(end - start);
}

static enum json_error scan_number(struct scan *scan, struct json_token *token)
{
    const unsigned char *start = scan->at;

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
    note(token, JSON_NUMBER, start, scan->at);
    return token->bytes > JSON_NUMBER_MAX_BYTES ? JSON_NUMBER_TOO_LONG : JSON_OK;
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

/* What follows the backslash. */
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
        if (scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u')
            return JSON_INVALID_UTF8;
        scan->at += 2;
        code = scan_hex4(scan);
        if (code < 0xdc00 || code > 0xdfff)
            return JSON_INVALID_UTF8;
    }
    return JSON_OK;
}

/* Whether a character is ASCII that means itself in a string. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static enum json_error scan_string(struct scan *scan, struct json_token *token)
{
    const unsigned char *start = ++scan->at;

    token->has_escapes = false;
    while (scan->at < scan->end) {
        unsigned char c = *scan->at;
        size_t length;

        if (is_plain(c)) {
            scan->at++;
            continue;
        }
        if (c == '"') {
            note(token, JSON_STRING, start, scan->at);
            scan->at++;
            return JSON_OK;
        }
        if (c == '\\') {
            enum json_error error;

            scan->at++;
            token->has_escapes = true;
            error = scan_escape(scan);
            if (error)
                return error;
            continue;
        }
        if (c == 0)
            return JSON_NUL_CHARACTER;
        if (c < 0x20)
            return JSON_MALFORMED;
        length = utf8_length(scan->at, (size_t)(scan->end - scan->at));
        if (length == 0)
            return JSON_INVALID_UTF8;
        scan->at += length;
    }
    return JSON_MALFORMED;
}

static enum json_error scan_word(struct scan *scan, struct json_token *token)
{
    static const struct {
        const char *text;
        enum json_kind kind;
    } words[] = {{"true", JSON_BOOLEAN}, {"false", JSON_BOOLEAN}, {"null", JSON_NULL}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t length = strlen(words[i].text);

        if ((size_t)(scan->end - scan->at) >= length &&
            memcmp(scan->at, words[i].text, length) == 0) {
            note(token, words[i].kind, scan->at, scan->at + length);
            scan->at += length;
            return JSON_OK;
        }
    }
    return peek(scan) == 0 ? JSON_NUL_CHARACTER : JSON_MALFORMED;
}

static enum json_error scan_scalar(struct scan *scan, struct json_token *token)
{
    int c = peek(scan);

    if (c == '"')
        return scan_string(scan, token);
    if (c == '-' || is_digit(c))
        return scan_number(scan, token);
    return scan_word(scan, token);
}

/* A member's name and its colon. */
static enum json_error scan_name(struct scan *scan, struct json_token *token)
{
    enum json_error error;

    skip_space(scan);
    if (peek(scan) != '"')
        return JSON_MALFORMED;
    error = scan_string(scan, token);
    if (error)
        return error;
    skip_space(scan);
    if (peek(scan) != ':')
        return JSON_MALFORMED;
    scan->at++;
    skip_space(scan);
    return JSON_OK;
}

static enum json_kind kind_of(int c)
{
    return c == '{'               ? JSON_OBJECT
           : c == '['             ? JSON_ARRAY
           : c == '"'             ? JSON_STRING
           : c == 'n'             ? JSON_NULL
           : c == 't' || c == 'f' ? JSON_BOOLEAN
                                  : JSON_NUMBER;
}

static enum json_error scan_value(struct scan *scan, size_t depth_most, struct json_value *out)
{
    char closers[JSON_DEEP_DEPTH] = {0};
    size_t depth = 0;
    struct json_member spare; /* for what is not asked for */
    struct json_member *member = &spare;
    enum json_error error;
    bool is_object = peek(scan) == '{';

    out->kind = kind_of(peek(scan));
    out->member_count = 0;
    for (;;) {
        int c = peek(scan);

        /* Here a value starts. */
        if (c == '{' || c == '[') {
            if (depth == depth_most)
                return JSON_TOO_DEEP;
            if (depth == 1)
                member->value.kind = kind_of(c);
            closers[depth++] = c == '{' ? '}' : ']';
            scan->at++;
            skip_space(scan);
            if (peek(scan) != closers[depth - 1]) {
                if (depth > 1)
                    member = &spare;
                else if (is_object)
                    member = &out->members[out->member_count++];
                if (c == '{' && (error = scan_name(scan, &member->name)))
                    return error;
                continue;
            }
        } else {
            error = scan_scalar(scan, &member->value);
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
        member = &spare;
        if (is_object && depth == 1) {
            if (out->member_count < JSON_MEMBERS_MAX)
                member = &out->members[out->member_count];
            out->member_count++;
        }
        if (closers[depth - 1] == '}' && (error = scan_name(scan, &member->name)))
            return error;
    }
}

static enum json_error scan_at(const char *text, size_t bytes, size_t depth_most, size_t *at,
                               struct json_value *out)
{
    const unsigned char *start = (const unsigned char *)text;
    struct scan scan = {.at = start + *at, .end = start + bytes};
    enum json_error error;

    skip_space(&scan);
    error = scan.at == scan.end ? JSON_EMPTY : scan_value(&scan, depth_most, out);
    *at = (size_t)(scan.at - start);
    return error;
}

enum json_error json_scan_value(const char *text, size_t bytes, size_t *at, struct json_value *out)
{
    return scan_at(text, bytes, JSON_MAX_DEPTH, at, out);
}

/* After the quote that ends a string; `end` when none does. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
    }
    return at < end ? at + 1 : end;
}

bool json_skip_element(const char *text, size_t bytes, size_t *at)
{
    const char *end = text + bytes;
    uint64_t braces = 0; /* a bit for each level, the lowest for the innermost: { or [ */
    size_t depth = 0;

    for (const char *c = text + *at; c < end;) {
        bool is_brace = *c == '{' || *c == '}';

        if (*c == '"') {
            c = skip_string(c, end);
            continue;
        }
        if (*c == '{' || *c == '[') {
            if (depth++ == JSON_SKIP_DEPTH)
                return false;
            braces = braces << 1 | is_brace;
        } else if ((*c == ',' || *c == ']') && depth == 0) {
            *at = (size_t)(c - text);
            return true;
        } else if (*c == '}' || *c == ']') {
            if (depth-- == 0 || (braces & 1) != is_brace)
                return false;
            braces >>= 1;
        }
        c++;
    }
    return false;
}

static enum json_error scan_all(const char *text, size_t bytes, size_t depth_most, size_t *at,
                                struct json_value *out)
{
    enum json_error error;

    *at = 0;
    error = scan_at(text, bytes, depth_most, at, out);
    if (!error && *at < bytes)
        error = text[*at] == '\0' ? JSON_NUL_CHARACTER : JSON_TRAILING_BYTES;
    return error;
}

enum json_error json_scan_document(const char *text, size_t bytes, size_t *at,
                                   struct json_value *out)
{
    return scan_all(text, bytes, JSON_MAX_DEPTH, at, out);
}

enum json_error json_scan_deep(const char *text, size_t bytes, size_t *at, struct json_value *out)
{
    return scan_all(text, bytes, JSON_DEEP_DEPTH, at, out);
}
