#include "devicesim/record.h"

#include "devicesim/csv.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The columns that stand before the features, in truth.h. */
enum { EVENT, NUMBER, AT, EXPECT, KIND, DEVICE, RECORDED_AT, STATUS, FIRST_FEATURE };

#define CLOCKS_DIFFER_US (60 * TIMESTAMP_US_PER_S)

enum { SLOTS_LEAST = 1024, REASON = EXPECT, REASON_UNHEARD = 16 };

void record_init(struct record *record, const struct features *features)
{
    *record = (struct record){.features = *features};
}

void record_release(struct record *record)
{
    names_release(&record->devices);
    free(record->readings);
    free(record->values);
    free(record->reading_index.slots);
    free(record->rejections);
    free(record->rejection_index.slots);
    buffer_release(&record->heads);
    free(record->by_number);
    *record = (struct record){0};
}

/* ---- the two sets --------------------------------------------------------------------------- */

static uint64_t mixed(uint64_t hash, uint64_t x)
{
    hash = (hash ^ x) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    if (isnan(value))
        return UINT64_MAX; /* one kind of absent */
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static uint64_t reading_hash(const struct record *record, uint32_t device, int64_t recorded_at_us,
                             uint8_t status, const double *values)
{
    uint64_t hash = mixed(mixed(device, (uint64_t)recorded_at_us), status);

    for (size_t i = 0; i < record->features.count; i++)
        hash = mixed(hash, bits_of(values[i]));
    return hash;
}

static uint64_t rejection_hash(uint32_t device, uint32_t bytes, const char *head)
{
    uint64_t hash = mixed(mixed(0, device), bytes);

    for (; *head; head++)
        hash = mixed(hash, (unsigned char)*head);
    return hash;
}

static bool same_values(const struct record *record, const double *a, const double *b)
{
    for (size_t i = 0; i < record->features.count; i++) {
        if (bits_of(a[i]) != bits_of(b[i]))
            return false;
    }
    return true;
}

static uint32_t *reading_slot(const struct record *record, uint32_t device, int64_t recorded_at_us,
                              uint8_t status, const double *values)
{
    const struct record_index *index = &record->reading_index;
    uint32_t slot = (uint32_t)reading_hash(record, device, recorded_at_us, status, values);

    for (;; slot++) {
        uint32_t *at = &index->slots[slot & (index->slot_count - 1)];
        const struct record_reading *reading = &record->readings[*at - 1];

        if (!*at ||
            (reading->recorded_at_us == recorded_at_us && reading->device == device &&
             reading->status == status &&
             same_values(record, values, &record->values[(*at - 1) * record->features.count])))
            return at;
    }
}

static const char *head_of(const struct record *record, const struct record_rejection *rejection)
{
    return (const char *)record->heads.data + rejection->head;
}

static uint32_t *rejection_slot(const struct record *record, uint32_t device, uint32_t bytes,
                                const char *head)
{
    const struct record_index *index = &record->rejection_index;
    uint32_t slot = (uint32_t)rejection_hash(device, bytes, head);

    for (;; slot++) {
        uint32_t *at = &index->slots[slot & (index->slot_count - 1)];
        const struct record_rejection *rejection = &record->rejections[*at - 1];

        if (!*at || (rejection->device == device && rejection->bytes == bytes &&
                     strcmp(head_of(record, rejection), head) == 0))
            return at;
    }
}

/* Makes an index twice as large, and empty. */
static void enlarge(struct record_index *index)
{
    free(index->slots);
    index->slot_count = index->slot_count ? 2 * index->slot_count : SLOTS_LEAST;
    index->slots = mem_calloc(index->slot_count, sizeof(index->slots[0]));
}

static uint32_t add_reading(struct record *record, const struct record_reading *reading,
                            const double *values)
{
    size_t features = record->features.count;
    uint32_t *slot;

    if (2 * (record->reading_count + 1) > record->reading_index.slot_count) {
        enlarge(&record->reading_index);
        for (uint32_t i = 0; i < record->reading_count; i++) {
            const struct record_reading *old = &record->readings[i];

            *reading_slot(record, old->device, old->recorded_at_us, old->status,
                          &record->values[i * features]) = i + 1;
        }
    }
    slot = reading_slot(record, reading->device, reading->recorded_at_us, reading->status, values);
    if (*slot)
        return *slot - 1;
    if (record->reading_count == record->reading_capacity) {
        uint32_t capacity =
            (uint32_t)mem_grown(record->reading_capacity, (size_t)record->reading_count + 1);

        record->readings = mem_realloc(record->readings, capacity * sizeof(record->readings[0]));
        record->values = mem_realloc(record->values, capacity * features * sizeof(double) + 1);
        record->reading_capacity = capacity;
    }
    record->readings[record->reading_count] = *reading;
    memcpy(record->values + record->reading_count * features, values, features * sizeof(double));
    *slot = ++record->reading_count;
    return record->reading_count - 1;
}

static uint32_t add_rejection(struct record *record, uint32_t device, uint32_t bytes,
                              const char *head)
{
    uint32_t *slot;

    if (2 * (record->rejection_count + 1) > record->rejection_index.slot_count) {
        enlarge(&record->rejection_index);
        for (uint32_t i = 0; i < record->rejection_count; i++) {
            const struct record_rejection *old = &record->rejections[i];

            *rejection_slot(record, old->device, old->bytes, head_of(record, old)) = i + 1;
        }
    }
    slot = rejection_slot(record, device, bytes, head);
    if (*slot)
        return *slot - 1;
    if (record->rejection_count == record->rejection_capacity) {
        record->rejection_capacity =
            (uint32_t)mem_grown(record->rejection_capacity, (size_t)record->rejection_count + 1);
        record->rejections = mem_realloc(record->rejections, record->rejection_capacity *
                                                                 sizeof(record->rejections[0]));
    }
    record->rejections[record->rejection_count] = (struct record_rejection){
        .device = device, .bytes = bytes, .head = record->heads.bytes, .is_either = true};
    buffer_put(&record->heads, head, strlen(head) + 1);
    *slot = ++record->rejection_count;
    return record->rejection_count - 1;
}

uint32_t record_find_reading(const struct record *record, uint32_t device, int64_t recorded_at_us,
                             uint8_t status, const double *values)
{
    return record->reading_count ? *reading_slot(record, device, recorded_at_us, status, values) - 1
                                 : RECORD_NONE;
}

uint32_t record_find_rejection(const struct record *record, uint32_t device, uint32_t bytes,
                               const char *head)
{
    return record->rejection_count ? *rejection_slot(record, device, bytes, head) - 1 : RECORD_NONE;
}

void record_clear_found(struct record *record)
{
    for (uint32_t i = 0; i < record->reading_count; i++)
        record->readings[i].counts.found = 0;
    for (uint32_t i = 0; i < record->rejection_count; i++)
        record->rejections[i].counts.found = 0;
}

bool record_reading_is_lost(const struct record *record, uint32_t number)
{
    const struct record_reading *reading = &record->readings[number];

    if (reading->counts.acked == 0 || reading->counts.found > 0)
        return false;
    return reading->expect != TRUTH_EITHER ||
           record->rejections[reading->rejection].counts.found == 0;
}

bool record_rejection_is_lost(const struct record *record, uint32_t number)
{
    const struct record_rejection *rejection = &record->rejections[number];

    return !rejection->is_either && rejection->counts.found < rejection->counts.acked;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static bool take_header(struct record *record, const struct csv_row *row, char *error)
{
    record->column_count = 0;
    memset(record->columns, 0, sizeof(record->columns));
    if (row->count < FIRST_FEATURE + 2 || strcmp(row->fields[DEVICE], "device") != 0) {
        snprintf(error, RECORD_ERROR_SIZE, "not the header of a file of truth");
        return false;
    }
    for (size_t i = FIRST_FEATURE; i < row->count - 2; i++) {
        size_t feature = features_find(&record->features, row->fields[i]);

        if (feature < record->features.count)
            record->columns[feature] = i;
        else
            snprintf(record->ignored, sizeof(record->ignored), "%.*s", FEATURE_NAME_MAX,
                     row->fields[i]);
    }
    record->column_count = row->count;
    record->bytes_column = row->count - 2;
    /* Numbers start anew with each run. */
    for (uint64_t i = 0; i < record->number_capacity; i++)
        record->by_number[i] = RECORD_NONE;
    return true;
}

static bool parse_number(uint64_t *out, const char *text)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && end != text && !*end && *out <= UINT32_MAX;
}

static void remember(struct record *record, uint64_t number, uint32_t what)
{
    if (number >= record->number_capacity) {
        uint64_t capacity = mem_grown(record->number_capacity, number + 1);

        record->by_number = mem_realloc(record->by_number, capacity * sizeof(record->by_number[0]));
        for (uint64_t i = record->number_capacity; i < capacity; i++)
            record->by_number[i] = RECORD_NONE;
        record->number_capacity = capacity;
    }
    record->by_number[number] = what;
}

/* ---- when ----------------------------------------------------------------------------------- */

static bool take_event(struct record *record, const struct csv_row *row, char *error)
{
    struct record_span *span = &record->span;
    int64_t us;

    if (row->count <= AT || !timestamp_parse(&us, row->fields[AT])) {
        snprintf(error, RECORD_ERROR_SIZE, "it does not say when");
        return false;
    }
    if (!span->is_there)
        *span = (struct record_span){.is_there = true,
                                     .first_us = us,
                                     .last_us = us,
                                     .earliest_us = INT64_MAX,
                                     .latest_us = INT64_MIN};
    if (us < span->first_us)
        span->first_us = us;
    if (us > span->last_us)
        span->last_us = us;
    return true;
}

static void note_recorded(struct record *record, int64_t us)
{
    struct record_span *span = &record->span;

    if (us < span->earliest_us)
        span->earliest_us = us;
    if (us > span->latest_us)
        span->latest_us = us;
}

bool record_claims_reading(const struct record *record, int64_t recorded_at_us,
                           int64_t received_at_us)
{
    const struct record_span *span = &record->span;

    if (!span->is_there)
        return false;
    return (received_at_us >= span->first_us && received_at_us <= span->last_us) ||
           (received_at_us >= span->first_us - CLOCKS_DIFFER_US &&
            recorded_at_us >= span->earliest_us && recorded_at_us <= span->latest_us);
}

bool record_claims_rejection(const struct record *record, int64_t received_at_us)
{
    return record->span.is_there && received_at_us >= record->span.first_us - CLOCKS_DIFFER_US;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* Which of the two sets a message belongs to, or both, the one pointing to the other. */
static bool take_sent(struct record *record, const struct csv_row *row, char *error)
{
    const char *status = row->fields[STATUS];
    const char *bytes_text = row->fields[record->bytes_column];
    double values[RECORD_VALUES_MAX] = {0};
    struct record_reading reading = {.rejection = RECORD_NONE};
    uint64_t number;
    uint64_t bytes = 0;
    uint32_t rejection = RECORD_NONE;
    uint32_t at;

    if (row->count != record->column_count || !parse_number(&number, row->fields[NUMBER]) ||
        !truth_expect_parse(&reading.expect, row->fields[EXPECT]) ||
        (*bytes_text && !parse_number(&bytes, bytes_text))) {
        snprintf(error, RECORD_ERROR_SIZE, "not a line about something sent");
        return false;
    }
    reading.device = names_add(&record->devices, row->fields[DEVICE]);
    if (reading.expect != TRUTH_STORED) {
        rejection = add_rejection(record, reading.device, (uint32_t)bytes,
                                  row->fields[record->bytes_column + 1]);
        record->rejections[rejection].counts.sent++;
    }
    if (reading.expect == TRUTH_REJECTED) {
        record->rejections[rejection].is_either = false;
        remember(record, number, 2 * rejection + 1);
        return true;
    }
    if (!timestamp_parse(&reading.recorded_at_us, row->fields[RECORDED_AT])) {
        snprintf(error, RECORD_ERROR_SIZE, "\"%.40s\" is not a time", row->fields[RECORDED_AT]);
        return false;
    }
    reading.status = (uint8_t)(*status ? reading_status_parse(status) : STATUS_ABSENT);
    for (size_t i = 0; i < record->features.count; i++) {
        const char *text = record->columns[i] ? row->fields[record->columns[i]] : "";

        values[i] = *text ? strtod(text, NULL) : (double)NAN;
    }
    note_recorded(record, reading.recorded_at_us);
    at = add_reading(record, &reading, values);
    record->readings[at].counts.sent++;
    if (rejection != RECORD_NONE && record->readings[at].expect == TRUTH_EITHER)
        record->readings[at].rejection = rejection;
    remember(record, number, 2 * at);
    return true;
}

static bool take_acked(struct record *record, const struct csv_row *row, char *error)
{
    struct record_counts *counts;
    uint64_t number;
    uint64_t reason;
    uint32_t what;

    if (row->count != REASON + 1 || !parse_number(&number, row->fields[NUMBER]) ||
        !parse_number(&reason, row->fields[REASON])) {
        snprintf(error, RECORD_ERROR_SIZE, "not a line about something acknowledged");
        return false;
    }
    what = number < record->number_capacity ? record->by_number[number] : RECORD_NONE;
    if (what == RECORD_NONE) {
        snprintf(error, RECORD_ERROR_SIZE, "message %s was acknowledged and never sent",
                 row->fields[NUMBER]);
        return false;
    }
    counts = what % 2 ? &record->rejections[what / 2].counts : &record->readings[what / 2].counts;
    if (reason == REASON_UNHEARD)
        counts->unheard++;
    else
        counts->acked++;
    return true;
}

bool record_take(struct record *record, char *line, char *error)
{
    struct csv_row row;

    if (!*line)
        return true;
    if (!csv_split(&row, line, error))
        return false;
    if (strcmp(row.fields[EVENT], "event") == 0)
        return take_header(record, &row, error);
    if (record->column_count == 0) {
        snprintf(error, RECORD_ERROR_SIZE, "it does not begin with the header of a file of truth");
        return false;
    }
    if (strcmp(row.fields[EVENT], "sent") == 0)
        return take_event(record, &row, error) && take_sent(record, &row, error);
    if (strcmp(row.fields[EVENT], "acked") == 0)
        return take_event(record, &row, error) && take_acked(record, &row, error);
    snprintf(error, RECORD_ERROR_SIZE, "\"%.40s\" is neither sent nor acked", row.fields[EVENT]);
    return false;
}
