#include "shared/board.h"

#include "shared/mem.h"
#include "shared/reading_json.h"
#include "shared/timestamp.h"

#include <cjson/cJSON.h>

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

static const char *string_member(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(member) ? member->valuestring : NULL;
}

/* A whole number from 0 on that a double holds exactly; 0 when there is none. */
static int64_t count_member(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!cJSON_IsNumber(member) || !(member->valuedouble >= 0 && member->valuedouble < 0x1p53))
        return 0;
    return (int64_t)member->valuedouble;
}

static bool copy_member(char *out, size_t out_bytes, const cJSON *object, const char *name)
{
    const char *text = string_member(object, name);

    if (!text || strlen(text) >= out_bytes)
        return false;
    strcpy(out, text);
    return true;
}

static bool parse_reading(struct reading *out, const struct features *features, const cJSON *object)
{
    const char *when = string_member(object, "timestamp");
    const char *status = string_member(object, "status");

    memset(out, 0, reading_size(features->count));
    if (!when || !timestamp_parse(&out->recorded_at_us, when))
        return false;
    if (status) {
        enum reading_status parsed = reading_status_parse(status);

        if (parsed == STATUS_COUNT)
            return false;
        out->status = (uint8_t)parsed;
    }
    for (size_t i = 0; i < features->count; i++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, features->names[i]);

        out->values[i] = cJSON_IsNumber(value) ? value->valuedouble : (double)NAN;
    }
    return true;
}

/* Sixteen digits; nothing at all is 0. */
static bool parse_hash(int64_t *out, const cJSON *hash)
{
    const char *text = "";

    *out = 0;
    if (!hash)
        return true;
    if (cJSON_IsString(hash))
        text = hash->valuestring;
    if (strspn(text, "0123456789abcdef") != 16 || text[16])
        return false;
    *out = (int64_t)strtoull(text, NULL, 16);
    return true;
}

static bool parse_entries(struct board *board, const struct features *features,
                          const cJSON *readings, const cJSON *hashes)
{
    size_t stride = reading_size(features->count);
    size_t slot = stride + DEVICE_ID_SIZE + 7; /* a reading and its device id, aligned */
    size_t count = (size_t)cJSON_GetArraySize(readings);
    const cJSON *hash = hashes ? hashes->child : NULL;
    const cJSON *item;

    slot -= slot % 8;
    if (count > BOARD_ENTRIES_MAX || (hashes && (size_t)cJSON_GetArraySize(hashes) != count))
        return false;
    board->entries = mem_calloc(count + 1, sizeof(board->entries[0]));
    board->memory = mem_alloc(count * slot + 1);
    cJSON_ArrayForEach(item, readings)
    {
        unsigned char *memory = board->memory + board->count * slot;
        struct reading *reading = (struct reading *)(void *)memory;
        char *device_id = (char *)memory + stride;

        if (!copy_member(device_id, DEVICE_ID_SIZE, item, "deviceId") ||
            !device_id_is_legal(device_id, strlen(device_id)) ||
            !parse_reading(reading, features, item) || !parse_hash(&reading->content_hash, hash))
            return false;
        hash = hash ? hash->next : NULL;
        board->entries[board->count++] =
            (struct board_entry){.device_id = device_id, .reading = reading};
    }
    return true;
}

bool board_parse(struct board *out, const struct features *features, const char *json, size_t bytes)
{
    struct board board = {0};
    cJSON *root = cJSON_ParseWithLength(json, bytes);
    const cJSON *readings = cJSON_GetObjectItemCaseSensitive(root, "readings");
    const char *as_of = string_member(root, "asOf");
    const char *order = string_member(root, "order");
    bool parsed =
        copy_member(board.feature, sizeof(board.feature), root, "feature") &&
        copy_member(board.interval, sizeof(board.interval), root, "interval") && as_of &&
        timestamp_parse(&board.as_of_us, as_of) && order && sort_order_parse(&board.order, order) &&
        cJSON_IsArray(readings) &&
        parse_entries(&board, features, readings, cJSON_GetObjectItemCaseSensitive(root, "hashes"));

    board.generation = count_member(root, "generation");
    board.is_exact = !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(root, "exact"));
    cJSON_Delete(root);
    if (parsed)
        *out = board;
    else
        board_release(&board);
    return parsed;
}

void board_release(struct board *board)
{
    free(board->entries);
    free(board->memory);
    *board = (struct board){0};
}
