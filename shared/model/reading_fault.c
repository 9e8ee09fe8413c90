/* The words for a payload that is no reading: a name per error, and a sentence that shows the place. */
#include "shared/model/reading_json_inner.h"

#include "shared/base/log.h"
#include "shared/base/timestamp.h"
#include "shared/base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const error_texts[READING_ERROR_COUNT] = {
    [READING_OK] = "ok",
    [READING_EMPTY] = "empty",
    [READING_NOT_JSON] = "not_json",
    [READING_TRAILING_BYTES] = "trailing_bytes",
    [READING_TOO_DEEP] = "too_deep",
    [READING_INVALID_UTF8] = "invalid_utf8",
    [READING_NUL_CHARACTER] = "nul_character",
    [READING_NOT_AN_OBJECT] = "not_an_object",
    [READING_DUPLICATE_MEMBER] = "duplicate_member",
    [READING_TOO_MANY_MEMBERS] = "too_many_members",
    [READING_WRONG_TYPE] = "wrong_type",
    [READING_NOT_FINITE] = "not_finite",
    [READING_NUMBER_TOO_LONG] = "number_too_long",
    [READING_NO_SUCH_TOPIC] = "no_such_topic",
    [READING_BAD_DEVICE_ID] = "bad_device_id",
    [READING_DEVICE_ID_MISMATCH] = "device_id_mismatch",
    [READING_BAD_TIMESTAMP] = "bad_timestamp",
    [READING_TIMESTAMP_IN_FUTURE] = "timestamp_in_future",
    [READING_TIMESTAMP_TOO_OLD] = "timestamp_too_old",
    [READING_UNKNOWN_STATUS] = "unknown_status",
    [READING_NO_VALUE] = "no_value",
    [READING_UNKNOWN_ALIAS] = "unknown_alias",
    [READING_BAD_ABOUT] = "bad_about",
    [READING_RETAINED] = "retained",
    [READING_REFUSED_BY_DATABASE] = "refused_by_database",
};

const enum reading_error reading_scan_errors[] = {
    [JSON_OK] = READING_OK,
    [JSON_EMPTY] = READING_EMPTY,
    [JSON_MALFORMED] = READING_NOT_JSON,
    [JSON_TRAILING_BYTES] = READING_TRAILING_BYTES,
    [JSON_TOO_DEEP] = READING_TOO_DEEP,
    [JSON_INVALID_UTF8] = READING_INVALID_UTF8,
    [JSON_NUL_CHARACTER] = READING_NUL_CHARACTER,
    [JSON_NUMBER_TOO_LONG] = READING_NUMBER_TOO_LONG,
};

const char *reading_error_text(enum reading_error error)
{
    return error < READING_ERROR_COUNT ? error_texts[error] : "unknown";
}

struct shown reading_show(const char *text, size_t bytes)
{
    struct shown short_text = {""};

    log_escaped(short_text.text, sizeof(short_text.text), text, bytes);
    return short_text;
}

/* What numbers and names are made of. */
static bool is_of_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '-' || c == '.' || c == '_';
}

/* What people and programs write instead of JSON, and what JSON has for it. */
static const char *hint_for(const char *word, size_t bytes)
{
    static const struct {
        const char *word;
        const char *hint;
    } hints[] = {
        {"nan", ": what is no number is null, or not there"},
        {"inf", ": what is no number is null, or not there"},
        {"infinity", ": what is no number is null, or not there"},
        {"'", ": names and texts stand in double quotes"},
        {"\xe2\x80\x9c", ": names and texts stand in straight double quotes"},
        {"\xe2\x80\x9d", ": names and texts stand in straight double quotes"},
        {"true", ": it is written in small letters"},
        {"false", ": it is written in small letters"},
        {"none", ": what is not there is null"},
        {"null", ": it is written in small letters"},
    };

    if (bytes > 1 && (*word == '-' || *word == '+')) {
        word++;
        bytes--;
    }
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (strlen(hints[i].word) == bytes && strncasecmp(word, hints[i].word, bytes) == 0)
            return hints[i].hint;
    }
    return "";
}

static void describe_nul(char *out, const char *text, size_t bytes, size_t at)
{
    size_t last = bytes;

    while (last > at && text[last - 1] == '\0')
        last--;
    if (last == at && bytes - at > 1)
        snprintf(out, READING_DETAIL_SIZE,
                 "%zu NUL bytes after byte %zu: one is taken for the end of a C string, more are "
                 "the rest of a buffer",
                 bytes - at, at);
    else
        snprintf(out, READING_DETAIL_SIZE, "a NUL at byte %zu of %zu", at, bytes);
}

/* Names the word at fault, or else the character. */
static void describe_word(char *out, const char *text, size_t bytes, size_t at)
{
    size_t character = utf8_length((const unsigned char *)text + at, bytes - at);
    size_t from = at;
    size_t to = at;

    while (from > 0 && is_of_word(text[from - 1]))
        from--;
    while (to < bytes && is_of_word(text[to]))
        to++;
    if (from == to)
        to += character > 0 ? character : 1;
    snprintf(out, READING_DETAIL_SIZE, "\"%s\" at byte %zu of %zu is not JSON%s",
             reading_show(text + from, to - from).text, from, bytes,
             hint_for(text + from, to - from));
}

void reading_describe(char *out, enum reading_error error, const char *text, size_t bytes,
                      size_t at)
{
    if (error == READING_EMPTY)
        snprintf(out, READING_DETAIL_SIZE, "nothing where a value should be, at byte %zu of %zu",
                 at, bytes);
    else if (error == READING_NUL_CHARACTER && at < bytes && text[at] == '\0')
        describe_nul(out, text, bytes, at);
    else if (error != READING_NOT_JSON)
        snprintf(out, READING_DETAIL_SIZE, "at byte %zu of %zu", at, bytes);
    else if (reading_starts_with(text, bytes, "\xff\xfe") ||
             reading_starts_with(text, bytes, "\xfe\xff"))
        snprintf(out, READING_DETAIL_SIZE, "UTF-16: JSON is sent as UTF-8");
    else if (at >= bytes)
        snprintf(out, READING_DETAIL_SIZE, "it ends too early, at byte %zu", bytes);
    else if (reading_starts_with(text + at, bytes - at, BYTE_ORDER_MARK))
        snprintf(out, READING_DETAIL_SIZE,
                 "a byte order mark at byte %zu of %zu: only one is taken, at the very start", at,
                 bytes);
    else
        describe_word(out, text, bytes, at);
}

void reading_describe_time(char *out, const struct reading_rules *rules,
                           const struct reading_source *arrival, int64_t us)
{
    int64_t earliest_us = reading_earliest_us(rules, arrival->first_received_at_us);
    char when[TIMESTAMP_TEXT_SIZE];
    char limit[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, us);
    timestamp_format(limit, us < earliest_us ? earliest_us : arrival->received_at_us);
    if (us < earliest_us)
        snprintf(out, READING_DETAIL_SIZE,
                 "timestamp %s is before %s, so of a clock that is wrong (EARLIEST)", when, limit);
    else
        snprintf(out, READING_DETAIL_SIZE, "timestamp %s is more than %g s after its arrival at %s",
                 when, (double)rules->future_tolerance_us / 1e6, limit);
}
