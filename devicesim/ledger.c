#include "devicesim/ledger.h"

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

void ledger_init(struct ledger *ledger, const struct features *features)
{
    *ledger = (struct ledger){.features = *features};
}

void ledger_release(struct ledger *ledger)
{
    string_table_release(&ledger->devices);
    free(ledger->readings);
    free(ledger->values);
    free(ledger->reading_index.slots);
    free(ledger->rejections);
    free(ledger->rejection_index.slots);
    buffer_release(&ledger->heads);
    free(ledger->by_number);
    *ledger = (struct ledger){0};
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

static uint64_t reading_hash(const struct ledger *ledger, uint32_t device, int64_t recorded_at_us,
                             uint8_t status, const double *values)
{
    uint64_t hash = mixed(mixed(device, (uint64_t)recorded_at_us), status);

    for (size_t i = 0; i < ledger->features.count; i++)
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

static bool same_values(const struct ledger *ledger, const double *a, const double *b)
{
    for (size_t i = 0; i < ledger->features.count; i++) {
        if (bits_of(a[i]) != bits_of(b[i]))
            return false;
    }
    return true;
}

static uint32_t *reading_slot(const struct ledger *ledger, uint32_t device, int64_t recorded_at_us,
                              uint8_t status, const double *values)
{
    const struct ledger_index *index = &ledger->reading_index;
    uint32_t slot = (uint32_t)reading_hash(ledger, device, recorded_at_us, status, values);

    for (;; slot++) {
        uint32_t *at = &index->slots[slot & (index->slot_count - 1)];
        const struct ledger_reading *reading = &ledger->readings[*at - 1];

        if (!*at ||
            (reading->recorded_at_us == recorded_at_us && reading->device == device &&
             reading->status == status &&
             same_values(ledger, values, &ledger->values[(*at - 1) * ledger->features.count])))
            return at;
    }
}

static const char *head_of(const struct ledger *ledger, const struct ledger_rejection *rejection)
{
    return (const char *)ledger->heads.data + rejection->head;
}

static uint32_t *rejection_slot(const struct ledger *ledger, uint32_t device, uint32_t bytes,
                                const char *head)
{
    const struct ledger_index *index = &ledger->rejection_index;
    uint32_t slot = (uint32_t)rejection_hash(device, bytes, head);

    for (;; slot++) {
        uint32_t *at = &index->slots[slot & (index->slot_count - 1)];
        const struct ledger_rejection *rejection = &ledger->rejections[*at - 1];

        if (!*at || (rejection->device == device && rejection->bytes == bytes &&
                     strcmp(head_of(ledger, rejection), head) == 0))
            return at;
    }
}

/* Makes an index twice as large, and empty. */
static void enlarge(struct ledger_index *index)
{
    free(index->slots);
    index->slot_count = index->slot_count ? 2 * index->slot_count : SLOTS_LEAST;
    index->slots = mem_calloc(index->slot_count, sizeof(index->slots[0]));
}

static uint32_t add_reading(struct ledger *ledger, const struct ledger_reading *reading,
                            const double *values)
{
    size_t features = ledger->features.count;
    uint32_t *slot;

    if (2 * (ledger->reading_count + 1) > ledger->reading_index.slot_count) {
        enlarge(&ledger->reading_index);
        for (uint32_t i = 0; i < ledger->reading_count; i++) {
            const struct ledger_reading *old = &ledger->readings[i];

            *reading_slot(ledger, old->device, old->recorded_at_us, old->status,
                          &ledger->values[i * features]) = i + 1;
        }
    }
    slot = reading_slot(ledger, reading->device, reading->recorded_at_us, reading->status, values);
    if (*slot)
        return *slot - 1;
    if (ledger->reading_count == ledger->reading_capacity) {
        uint32_t capacity =
            (uint32_t)mem_grown(ledger->reading_capacity, (size_t)ledger->reading_count + 1);

        ledger->readings = mem_realloc(ledger->readings, capacity * sizeof(ledger->readings[0]));
        ledger->values = mem_realloc(ledger->values, capacity * features * sizeof(double) + 1);
        ledger->reading_capacity = capacity;
    }
    ledger->readings[ledger->reading_count] = *reading;
    memcpy(ledger->values + ledger->reading_count * features, values, features * sizeof(double));
    *slot = ++ledger->reading_count;
    return ledger->reading_count - 1;
}

static uint32_t add_rejection(struct ledger *ledger, uint32_t device, uint32_t bytes,
                              const char *head)
{
    uint32_t *slot;

    if (2 * (ledger->rejection_count + 1) > ledger->rejection_index.slot_count) {
        enlarge(&ledger->rejection_index);
        for (uint32_t i = 0; i < ledger->rejection_count; i++) {
            const struct ledger_rejection *old = &ledger->rejections[i];

            *rejection_slot(ledger, old->device, old->bytes, head_of(ledger, old)) = i + 1;
        }
    }
    slot = rejection_slot(ledger, device, bytes, head);
    if (*slot)
        return *slot - 1;
    if (ledger->rejection_count == ledger->rejection_capacity) {
        ledger->rejection_capacity =
            (uint32_t)mem_grown(ledger->rejection_capacity, (size_t)ledger->rejection_count + 1);
        ledger->rejections = mem_realloc(ledger->rejections, ledger->rejection_capacity *
                                                                 sizeof(ledger->rejections[0]));
    }
    ledger->rejections[ledger->rejection_count] = (struct ledger_rejection){
        .device = device, .bytes = bytes, .head = ledger->heads.bytes, .is_either = true};
    buffer_put(&ledger->heads, head, strlen(head) + 1);
    *slot = ++ledger->rejection_count;
    return ledger->rejection_count - 1;
}

uint32_t ledger_find_reading(const struct ledger *ledger, uint32_t device, int64_t recorded_at_us,
                             uint8_t status, const double *values)
{
    return ledger->reading_count ? *reading_slot(ledger, device, recorded_at_us, status, values) - 1
                                 : LEDGER_NONE;
}

uint32_t ledger_find_rejection(const struct ledger *ledger, uint32_t device, uint32_t bytes,
                               const char *head)
{
    return ledger->rejection_count ? *rejection_slot(ledger, device, bytes, head) - 1 : LEDGER_NONE;
}

void ledger_clear_found(struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->reading_count; i++)
        ledger->readings[i].counts.found = 0;
    for (uint32_t i = 0; i < ledger->rejection_count; i++)
        ledger->rejections[i].counts.found = 0;
}

bool ledger_reading_is_lost(const struct ledger *ledger, uint32_t number)
{
    const struct ledger_reading *reading = &ledger->readings[number];

    if (reading->counts.acked == 0 || reading->counts.found > 0)
        return false;
    return reading->expect != TRUTH_EITHER ||
           ledger->rejections[reading->rejection].counts.found == 0;
}

bool ledger_rejection_is_lost(const struct ledger *ledger, uint32_t number)
{
    const struct ledger_rejection *rejection = &ledger->rejections[number];

    return !rejection->is_either && rejection->counts.found < rejection->counts.acked;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static bool apply_header(struct ledger *ledger, const struct csv_row *row, char *error)
{
    ledger->column_count = 0;
    memset(ledger->columns, 0, sizeof(ledger->columns));
    if (row->count < FIRST_FEATURE + 2 || strcmp(row->fields[DEVICE], "device") != 0) {
        snprintf(error, LEDGER_ERROR_SIZE, "not the header of a file of truth");
        return false;
    }
    for (size_t i = FIRST_FEATURE; i < row->count - 2; i++) {
        size_t feature = features_find(&ledger->features, row->fields[i]);

        if (feature < ledger->features.count)
            ledger->columns[feature] = i;
        else
            snprintf(ledger->ignored, sizeof(ledger->ignored), "%.*s", FEATURE_NAME_MAX,
                     row->fields[i]);
    }
    ledger->column_count = row->count;
    ledger->bytes_column = row->count - 2;
    /* Numbers start anew with each run. */
    for (uint64_t i = 0; i < ledger->number_capacity; i++)
        ledger->by_number[i] = LEDGER_NONE;
    return true;
}

static bool parse_number(uint64_t *out, const char *text)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && end != text && !*end && *out <= UINT32_MAX;
}

static void remember(struct ledger *ledger, uint64_t number, uint32_t what)
{
    if (number >= ledger->number_capacity) {
        uint64_t capacity = mem_grown(ledger->number_capacity, number + 1);

        ledger->by_number = mem_realloc(ledger->by_number, capacity * sizeof(ledger->by_number[0]));
        for (uint64_t i = ledger->number_capacity; i < capacity; i++)
            ledger->by_number[i] = LEDGER_NONE;
        ledger->number_capacity = capacity;
    }
    ledger->by_number[number] = what;
}

/* ---- when ----------------------------------------------------------------------------------- */

static bool apply_event(struct ledger *ledger, const struct csv_row *row, char *error)
{
    struct ledger_span *span = &ledger->span;
    int64_t us;

    if (row->count <= AT || !timestamp_parse(&us, row->fields[AT])) {
        snprintf(error, LEDGER_ERROR_SIZE, "it does not say when");
        return false;
    }
    if (!span->is_there)
        *span = (struct ledger_span){.is_there = true,
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

static void note_recorded(struct ledger *ledger, int64_t us)
{
    struct ledger_span *span = &ledger->span;

    if (us < span->earliest_us)
        span->earliest_us = us;
    if (us > span->latest_us)
        span->latest_us = us;
}

bool ledger_claims_reading(const struct ledger *ledger, int64_t recorded_at_us,
                           int64_t received_at_us)
{
    const struct ledger_span *span = &ledger->span;

    if (!span->is_there)
        return false;
    return (received_at_us >= span->first_us && received_at_us <= span->last_us) ||
           (received_at_us >= span->first_us - CLOCKS_DIFFER_US &&
            recorded_at_us >= span->earliest_us && recorded_at_us <= span->latest_us);
}

bool ledger_claims_rejection(const struct ledger *ledger, int64_t received_at_us)
{
    return ledger->span.is_there && received_at_us >= ledger->span.first_us - CLOCKS_DIFFER_US;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* Which of the two sets a message belongs to, or both, the one pointing to the other. */
static bool apply_sent(struct ledger *ledger, const struct csv_row *row, char *error)
{
    const char *status = row->fields[STATUS];
    const char *bytes_text = row->fields[ledger->bytes_column];
    double values[LEDGER_VALUES_MAX] = {0};
    struct ledger_reading reading = {.rejection = LEDGER_NONE};
    uint64_t number;
    uint64_t bytes = 0;
    uint32_t rejection = LEDGER_NONE;
    uint32_t at;

    if (row->count != ledger->column_count || !parse_number(&number, row->fields[NUMBER]) ||
        !truth_expect_parse(&reading.expect, row->fields[EXPECT]) ||
        (*bytes_text && !parse_number(&bytes, bytes_text))) {
        snprintf(error, LEDGER_ERROR_SIZE, "not a line about something sent");
        return false;
    }
    reading.device = string_table_add(&ledger->devices, row->fields[DEVICE]);
    if (reading.expect != TRUTH_STORED) {
        rejection = add_rejection(ledger, reading.device, (uint32_t)bytes,
                                  row->fields[ledger->bytes_column + 1]);
        ledger->rejections[rejection].counts.sent++;
    }
    if (reading.expect == TRUTH_REJECTED) {
        ledger->rejections[rejection].is_either = false;
        remember(ledger, number, 2 * rejection + 1);
        return true;
    }
    if (!timestamp_parse(&reading.recorded_at_us, row->fields[RECORDED_AT])) {
        snprintf(error, LEDGER_ERROR_SIZE, "\"%.40s\" is not a time", row->fields[RECORDED_AT]);
        return false;
    }
    reading.status = (uint8_t)(*status ? reading_status_parse(status) : STATUS_ABSENT);
    for (size_t i = 0; i < ledger->features.count; i++) {
        const char *text = ledger->columns[i] ? row->fields[ledger->columns[i]] : "";

        values[i] = *text ? strtod(text, NULL) : (double)NAN;
    }
    note_recorded(ledger, reading.recorded_at_us);
    at = add_reading(ledger, &reading, values);
    ledger->readings[at].counts.sent++;
    if (rejection != LEDGER_NONE && ledger->readings[at].expect == TRUTH_EITHER)
        ledger->readings[at].rejection = rejection;
    remember(ledger, number, 2 * at);
    return true;
}

static bool apply_acked(struct ledger *ledger, const struct csv_row *row, char *error)
{
    struct ledger_counts *counts;
    uint64_t number;
    uint64_t reason;
    uint32_t what;

    if (row->count != REASON + 1 || !parse_number(&number, row->fields[NUMBER]) ||
        !parse_number(&reason, row->fields[REASON])) {
        snprintf(error, LEDGER_ERROR_SIZE, "not a line about something acknowledged");
        return false;
    }
    what = number < ledger->number_capacity ? ledger->by_number[number] : LEDGER_NONE;
    if (what == LEDGER_NONE) {
        snprintf(error, LEDGER_ERROR_SIZE, "message %s was acknowledged and never sent",
                 row->fields[NUMBER]);
        return false;
    }
    counts = what % 2 ? &ledger->rejections[what / 2].counts : &ledger->readings[what / 2].counts;
    if (reason == REASON_UNHEARD)
        counts->unheard++;
    else
        counts->acked++;
    return true;
}

bool ledger_apply(struct ledger *ledger, char *line, char *error)
{
    struct csv_row row;

    if (!*line)
        return true;
    if (!csv_split(&row, line, error))
        return false;
    if (strcmp(row.fields[EVENT], "event") == 0)
        return apply_header(ledger, &row, error);
    if (ledger->column_count == 0) {
        snprintf(error, LEDGER_ERROR_SIZE, "it does not begin with the header of a file of truth");
        return false;
    }
    if (strcmp(row.fields[EVENT], "sent") == 0)
        return apply_event(ledger, &row, error) && apply_sent(ledger, &row, error);
    if (strcmp(row.fields[EVENT], "acked") == 0)
        return apply_event(ledger, &row, error) && apply_acked(ledger, &row, error);
    snprintf(error, LEDGER_ERROR_SIZE, "\"%.40s\" is neither sent nor acked", row.fields[EVENT]);
    return false;
}
