#include "collector/decoders/mapping_inner.h"

#include "shared/model/json_token.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool mapping_find(struct mapping_run *run, const struct place_list *at, struct json_token *out)
{
    size_t i = 0;

    while (i < at->count && !place_find(&at->items[i], &run->found, &run->scope, out))
        i++;
    return i < at->count;
}

void mapping_note(struct mapping_run *run, const char *text, size_t bytes)
{
    run->said_elsewhere =
        mapping_hash_mix(run->said_elsewhere, (uint64_t)reading_content_hash(text, bytes));
}

/* Of a value: what stands at the root is no part of the member. */
static bool find_value(struct mapping_run *run, const struct place_list *at, struct json_token *out)
{
    for (size_t i = 0; i < at->count; i++) {
        if (!place_find(&at->items[i], &run->found, &run->scope, out))
            continue;
        if (at->items[i].of_root)
            mapping_note(run, out->text, out->bytes);
        return true;
    }
    return false;
}

/* Of a value that was not found. */
static enum mapping_reading_of missing(const struct mapping_run *run, const struct place_list *at)
{
    size_t i = 0;

    while (i < at->count && !place_is_null(&at->items[i], &run->found))
        i++;
    return i < at->count ? VALUE_NONE : VALUE_ABSENT;
}

bool mapping_is_one_of(const struct text_list *texts, const char *text, size_t bytes)
{
    size_t i = 0;

    while (i < texts->count &&
           (strlen(texts->items[i]) != bytes || memcmp(texts->items[i], text, bytes) != 0))
        i++;
    return i < texts->count;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static bool says_none(const struct text_span *span)
{
    static const char *const words[] = {"",     "nan",     "-nan",        "+nan", "null",
                                        "none", "unknown", "unavailable", "n/a"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == span->bytes && strncasecmp(span->text, words[i], span->bytes) == 0)
            return true;
    }
    return false;
}

/* As JSON writes numbers, except that a + may stand before, and zeros. */
static bool is_number(struct text_span span, struct json_token *out)
{
    struct json_value value;
    size_t at = 0;

    if (span.bytes > 1 && *span.text == '+' && span.text[1] != '-') {
        span.text++;
        span.bytes--;
    }
    while (span.bytes > 1 && *span.text == '0' && span.text[1] >= '0' && span.text[1] <= '9') {
        span.text++;
        span.bytes--;
    }
    *out = (struct json_token){.text = span.text, .bytes = span.bytes, .kind = JSON_NUMBER};
    return span.bytes > 0 && !is_white(*span.text) &&
           json_scan_document(span.text, span.bytes, &at, &value) == JSON_OK &&
           value.kind == JSON_NUMBER;
}

/* Raw and scaled. A number with an exponent is scaled as a double. */
static void set_number(const struct number_rule *rule, const struct json_token *token, double *raw,
                       double *scaled)
{
    char text[JSON_NUMBER_MAX_BYTES + 8];

    *raw = json_token_number(token);
    if (rule->power == 0 || memchr(token->text, 'e', token->bytes) ||
        memchr(token->text, 'E', token->bytes)) {
        *scaled = rule->divides ? *raw / rule->factor : *raw * rule->factor;
        return;
    }
    snprintf(text, sizeof(text), "%.*se%d", (int)token->bytes, token->text, rule->power);
    *scaled = strtod(text, NULL);
}

static enum mapping_reading_of number_of_text(const struct number_rule *rule,
                                              const struct json_token *token, double *raw,
                                              double *scaled)
{
    struct json_text text;
    struct json_token number;
    struct text_span span;
    enum mapping_reading_of outcome = VALUE_ABSENT;

    json_text_init(&text, token);
    span = (struct text_span){text.chars, strlen(text.chars)};
    span_trim(&span);
    if (is_number(span, &number)) {
        set_number(rule, &number, raw, scaled);
        outcome = VALUE_THERE;
    } else if (says_none(&span)) {
        outcome = VALUE_NONE;
    }
    json_text_release(&text);
    return outcome;
}

static enum mapping_reading_of number_of(const struct number_rule *rule,
                                         const struct json_token *token, double *raw,
                                         double *scaled)
{
    if (token->kind == JSON_STRING)
        return number_of_text(rule, token, raw, scaled);
    if (token->kind != JSON_NUMBER)
        return VALUE_ABSENT;
    set_number(rule, token, raw, scaled);
    return VALUE_THERE;
}

static bool is_bad(const struct number_rule *rule, double raw)
{
    size_t i = 0;

    while (i < rule->bad_count && rule->bad[i] != raw)
        i++;
    return i < rule->bad_count;
}

enum mapping_reading_of mapping_number(struct mapping_run *run, const struct number_rule *rule,
                                       double *out)
{
    struct json_token token;
    enum mapping_reading_of outcome;
    double raw;
    double number;

    if (!find_value(run, &rule->at, &token))
        return missing(run, &rule->at);
    outcome = number_of(rule, &token, &raw, &number);
    if (outcome != VALUE_THERE)
        return outcome;
    if (is_bad(rule, raw))
        return VALUE_NONE;
    number += rule->offset;
    if (!isfinite(number))
        return VALUE_ABSENT;
    /* Adding zero makes -0 a 0: the two are equal, so they must be stored alike. */
    *out = number + 0.0;
    return VALUE_THERE;
}

int64_t mapping_seq(struct mapping_run *run, const struct place_list *at)
{
    static const int64_t most = INT64_C(9007199254740992);
    struct json_token token;
    struct json_token number;
    struct text_span span;
    bool is_whole;
    int64_t seq;

    if (!mapping_find(run, at, &token) || (token.kind != JSON_NUMBER && token.kind != JSON_STRING))
        return -1;
    span = (struct text_span){token.text, token.bytes};
    span_trim(&span);
    if (!is_number(span, &number) || !json_token_floor(&number, 0, &seq, &is_whole))
        return -1;
    return is_whole && seq >= 0 && seq <= most ? seq : -1;
}

/* ---- status --------------------------------------------------------------------------------- */

/* Without a map the four words mean themselves. */
static enum reading_status status_of(const struct status_rule *rule, const char *text)
{
    if (rule->word_count == 0) {
        enum reading_status status = reading_status_parse(text);

        return status == STATUS_COUNT ? STATUS_ABSENT : status;
    }
    for (size_t i = 0; i < rule->word_count; i++) {
        if (strcmp(rule->words[i].text, text) == 0)
            return rule->words[i].status;
    }
    return STATUS_ABSENT;
}

enum mapping_reading_of mapping_status(struct mapping_run *run, const struct status_rule *rule,
                                       enum reading_status *out)
{
    struct json_token token;
    struct json_text text;

    *out = STATUS_ABSENT;
    if (!find_value(run, &rule->at, &token))
        return missing(run, &rule->at);
    if (!scalar_text(&text, &token))
        return VALUE_ABSENT;
    *out = status_of(rule, text.chars);
    json_text_release(&text);
    return *out == STATUS_ABSENT ? VALUE_NONE : VALUE_THERE;
}
