#include "shared/model/board.h"

#include "shared/base/mem.h"
#include "shared/base/timestamp.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"
#include "shared/model/reading_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const order_texts[ORDER_COUNT] = {"desc", "asc"};

const char *sort_order_text(enum sort_order order)
{
    return order_texts[order];
}

bool sort_order_parse(enum sort_order *out, const char *text)
{
    for (int order = 0; order < ORDER_COUNT; order++) {
        if (strcmp(text, order_texts[order]) == 0) {
            *out = (enum sort_order)order;
            return true;
        }
    }
    return false;
}

int board_entry_compare(const struct board_entry *a, const struct board_entry *b, size_t feature,
                        enum sort_order order)
{
    double sign = order == ORDER_HIGHEST ? 1 : -1;
    int rank = reading_rank(sign * a->reading->values[feature], a->reading->recorded_at_us,
                            sign * b->reading->values[feature], b->reading->recorded_at_us);

    if (rank != 0)
        return -rank;
    if (strcmp(a->device_id, b->device_id) != 0)
        return reading_id_is_before(a->device_id, b->device_id) ? -1 : 1;
    if (reading_is_better(a->reading, b->reading, feature, sign))
        return -1;
    return reading_is_better(b->reading, a->reading, feature, sign);
}

size_t board_rank(struct board_entry *entries, size_t count, size_t feature, enum sort_order order,
                  size_t limit)
{
    size_t kept = 0;

    /* Insertion sort that forgets what falls off the end: boards are a few dozen entries. */
    for (size_t i = 0; i < count; i++) {
        struct board_entry entry = entries[i];
        size_t at = 0;
        size_t end = kept;

        while (at < kept && board_entry_compare(&entries[at], &entry, feature, order) <= 0 &&
               strcmp(entries[at].device_id, entry.device_id) != 0)
            at++;
        if (at < kept && board_entry_compare(&entries[at], &entry, feature, order) <= 0)
            continue; /* the device stands there already, with a better one */
        for (size_t j = at; j < kept; j++) {
            if (strcmp(entries[j].device_id, entry.device_id) == 0) {
                end = j; /* its worse one makes room */
                break;
            }
        }
        if (at == limit)
            continue;
        if (end == kept) {
            if (kept < limit)
                kept++;
            else
                end = kept - 1;
        }
        memmove(&entries[at + 1], &entries[at], (end - at) * sizeof(entry));
        entries[at] = entry;
    }
    return kept;
}

void board_topic(struct buffer *out, const char *collector_id, const char *feature,
                 const char *interval, enum sort_order order)
{
    buffer_printf(out, "collectors/%s/boards/%s/%s%s", collector_id, feature, interval,
                  order == ORDER_LOWEST ? "/lowest" : "");
}

void board_write(struct buffer *out, const struct features *features, const struct board_head *head,
                 const struct board_entry *entries, size_t count)
{
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, head->as_of_us);
    buffer_printf(out,
                  "{\"feature\":\"%s\",\"interval\":\"%s\",\"order\":\"%s\",\"asOf\":\"%s\","
                  "\"generation\":%" PRId64 ",%s\"readings\":[",
                  head->feature, head->interval, sort_order_text(head->order), when,
                  head->generation, head->is_exact ? "" : "\"exact\":false,");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_put_text(out, ",");
        reading_json_write(out, entries[i].device_id, entries[i].reading, features);
    }
    buffer_put_text(out, "],\"hashes\":[");
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%s\"%016" PRIx64 "\"", i > 0 ? "," : "",
                      (uint64_t)entries[i].reading->content_hash);
    buffer_put_text(out, "]}");
}

/* ---- reading one ---------------------------------------------------------------------------- */

enum { ROOT_MOST = 64, ENTRY_MOST = FEATURES_MAX + 32, HASH_DIGITS = 16 };

/* What a board may have; text is NULL where it has it not. */
enum part { FEATURE, INTERVAL, ORDER, AS_OF, GENERATION, EXACT, READINGS, HASHES, PARTS };

static bool collect(struct json_token parts[PARTS], const struct json_token *root)
{
    static const char *const names[PARTS] = {
        [FEATURE] = "feature",   [INTERVAL] = "interval",     [ORDER] = "order",
        [AS_OF] = "asOf",        [GENERATION] = "generation", [EXACT] = "exact",
        [READINGS] = "readings", [HASHES] = "hashes"};
    struct json_token member;
    struct json_token value;
    struct json_walk walk;

    memset(parts, 0, PARTS * sizeof(parts[0]));
    if (root->kind != JSON_OBJECT || !json_walk_is_sound(root, ROOT_MOST, NULL))
        return false;
    json_walk_init(&walk, root);
    while (json_walk_next(&walk, &member, &value)) {
        for (size_t i = 0; i < PARTS; i++) {
            if (json_token_is(&member, names[i], strlen(names[i])))
                parts[i] = value;
        }
    }
    return true;
}

static bool copy_string(char *out, size_t out_bytes, const struct json_token *token)
{
    struct json_text text;
    bool fits;

    if (!token->text || token->kind != JSON_STRING)
        return false;
    json_text_init(&text, token);
    fits = strlen(text.chars) < out_bytes;
    if (fits)
        strcpy(out, text.chars);
    json_text_release(&text);
    return fits;
}

static bool read_timestamp(int64_t *out_us, const struct json_token *token)
{
    char text[2 * TIMESTAMP_TEXT_SIZE];

    return copy_string(text, sizeof(text), token) && timestamp_parse(out_us, text);
}

/* A whole number that a double holds exactly; 0 when there is none. */
static bool read_generation(int64_t *out, const struct json_token *token)
{
    bool is_whole = true;

    *out = 0;
    if (!token->text)
        return true;
    return token->kind == JSON_NUMBER && json_token_floor(token, 0, out, &is_whole) && is_whole &&
           *out >= 0 && *out < INT64_C(1) << 53;
}

static bool read_exact(bool *out, const struct json_token *token)
{
    *out = !token->text || token->text[0] == 't';
    return !token->text || token->kind == JSON_BOOLEAN;
}

static bool read_order(enum sort_order *out, const struct json_token *token)
{
    char text[8];

    return copy_string(text, sizeof(text), token) && sort_order_parse(out, text);
}

static bool read_status(struct reading *out, const struct json_token *value)
{
    enum reading_status status;
    char text[16];

    if (value->kind == JSON_NULL)
        return true;
    if (!copy_string(text, sizeof(text), value))
        return false;
    status = reading_status_parse(text);
    out->status = (uint8_t)status;
    return status != STATUS_COUNT;
}

static bool read_value(double *out, const struct json_token *value)
{
    if (value->kind == JSON_NULL)
        return true;
    if (value->kind != JSON_NUMBER)
        return false;
    *out = json_token_number(value);
    return isfinite(*out);
}

/* What is stored under an id that is legal no longer is on boards all the same, and one entry must
 * not cost the whole board. */
static bool read_device_id(char *out, const struct json_token *value)
{
    return copy_string(out, DEVICE_ID_SIZE, value) && device_id_is_storable(out, strlen(out));
}

static bool read_entry(struct reading *out, char *device_id, const struct features *features,
                       const struct json_token *entry)
{
    struct json_token member;
    struct json_token value;
    struct json_walk walk;
    int64_t recorded_at_us = 0;
    bool has_id = false;
    bool has_time = false;
    bool is_good = true;

    memset(out, 0, reading_size(features->count));
    for (size_t i = 0; i < features->count; i++)
        out->values[i] = (double)NAN;
    if (entry->kind != JSON_OBJECT || !json_walk_is_sound(entry, ENTRY_MOST, NULL))
        return false;
    json_walk_init(&walk, entry);
    while (is_good && json_walk_next(&walk, &member, &value)) {
        char name[FEATURE_NAME_MAX + 1];
        size_t feature;

        member.kind = JSON_STRING;
        if (!copy_string(name, sizeof(name), &member))
            continue;
        feature = features_find(features, name);
        if (strcmp(name, "deviceId") == 0)
            is_good = has_id = read_device_id(device_id, &value);
        else if (strcmp(name, "timestamp") == 0)
            is_good = has_time = read_timestamp(&recorded_at_us, &value);
        else if (strcmp(name, "status") == 0)
            is_good = read_status(out, &value);
        else if (feature < features->count)
            is_good = read_value(&out->values[feature], &value);
    }
    out->recorded_at_us = recorded_at_us;
    return is_good && has_id && has_time;
}

/* Sixteen digits. */
static bool read_hash(int64_t *out, const struct json_token *token)
{
    char text[HASH_DIGITS + 1];

    if (!copy_string(text, sizeof(text), token) || strspn(text, "0123456789abcdef") != HASH_DIGITS)
        return false;
    *out = (int64_t)strtoull(text, NULL, 16);
    return true;
}

static bool read_entries(struct board *board, const struct features *features,
                         const struct json_token *list)
{
    size_t stride = reading_size(features->count);
    size_t slot = stride + DEVICE_ID_SIZE + 7; /* a reading and its device id, aligned */
    struct json_token name;
    struct json_token value;
    struct json_walk walk;
    size_t count;

    slot -= slot % 8;
    if (!list->text || list->kind != JSON_ARRAY ||
        !json_walk_is_sound(list, BOARD_ENTRIES_MAX, &count))
        return false;
    board->entries = mem_calloc(count + 1, sizeof(board->entries[0]));
    board->memory = mem_alloc(count * slot + 1);
    board->bytes = count * (slot + sizeof(board->entries[0]));
    json_walk_init(&walk, list);
    while (json_walk_next(&walk, &name, &value)) {
        unsigned char *memory = board->memory + board->count * slot;
        struct reading *reading = (struct reading *)(void *)memory;
        char *device_id = (char *)memory + stride;

        if (!read_entry(reading, device_id, features, &value))
            return false;
        board->entries[board->count] =
            (struct board_entry){.device_id = device_id, .reading = reading};
        board->count++;
    }
    return true;
}

/* As many as there are entries, or none at all. */
static bool read_hashes(struct board *board, const struct json_token *list)
{
    size_t stride = board->count > 1 ? (size_t)((const unsigned char *)board->entries[1].reading -
                                                (const unsigned char *)board->entries[0].reading)
                                     : 0;
    struct json_token name;
    struct json_token value;
    struct json_walk walk;
    size_t count;

    if (!list->text)
        return true;
    if (list->kind != JSON_ARRAY || !json_walk_is_sound(list, board->count, &count) ||
        count != board->count)
        return false;
    json_walk_init(&walk, list);
    for (size_t i = 0; i < board->count; i++) {
        struct reading *reading = (struct reading *)(void *)(board->memory + i * stride);

        if (!json_walk_next(&walk, &name, &value) || !read_hash(&reading->content_hash, &value))
            return false;
    }
    return true;
}

bool board_parse(struct board *out, const struct features *features, const char *json, size_t bytes)
{
    struct board board = {0};
    struct json_token parts[PARTS];
    struct json_token root;
    bool is_good =
        json_walk_open(&root, json, bytes) == JSON_OK && collect(parts, &root) &&
        copy_string(board.feature, sizeof(board.feature), &parts[FEATURE]) &&
        copy_string(board.interval, sizeof(board.interval), &parts[INTERVAL]) &&
        read_order(&board.order, &parts[ORDER]) && read_timestamp(&board.as_of_us, &parts[AS_OF]) &&
        read_generation(&board.generation, &parts[GENERATION]) &&
        read_exact(&board.is_exact, &parts[EXACT]) &&
        read_entries(&board, features, &parts[READINGS]) && read_hashes(&board, &parts[HASHES]);

    if (is_good)
        *out = board;
    else
        board_release(&board);
    return is_good;
}

void board_release(struct board *board)
{
    free(board->entries);
    free(board->memory);
    *board = (struct board){0};
}
