#include "devicesim/truth_reader.h"

#include "devicesim/csv.h"
#include "shared/base/mem.h"
#include "shared/base/timestamp.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The columns that come before the features, in truth.h. */
enum { EVENT, NUMBER, AT, EXPECT, KIND, DEVICE, RECORDED_AT, STATUS, FIRST_FEATURE };

enum { REASON = EXPECT, REASON_UNHEARD = 16 };

void truth_reader_init(struct truth_reader *reader, struct ledger *ledger)
{
    *reader = (struct truth_reader){.ledger = ledger};
}

void truth_reader_release(struct truth_reader *reader)
{
    free(reader->by_number);
    *reader = (struct truth_reader){0};
}

static bool apply_header(struct truth_reader *reader, const struct csv_row *row, char *error)
{
    reader->column_count = 0;
    memset(reader->columns, 0, sizeof(reader->columns));
    if (row->count < FIRST_FEATURE + 2 || strcmp(row->fields[DEVICE], "device") != 0) {
        snprintf(error, TRUTH_READER_ERROR_SIZE, "not the header of a file of truth");
        return false;
    }
    for (size_t i = FIRST_FEATURE; i < row->count - 2; i++) {
        size_t feature = features_find(&reader->ledger->features, row->fields[i]);

        if (feature < reader->ledger->features.count)
            reader->columns[feature] = i;
        else
            snprintf(reader->ignored, sizeof(reader->ignored), "%.*s", FEATURE_NAME_MAX,
                     row->fields[i]);
    }
    reader->column_count = row->count;
    reader->bytes_column = row->count - 2;
    /* Each run numbers its messages from 1. */
    for (uint64_t i = 0; i < reader->number_capacity; i++)
        reader->by_number[i] = LEDGER_NONE;
    return true;
}

static bool parse_number(uint64_t *out, const char *text)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && end != text && !*end && *out <= UINT32_MAX;
}

static void remember(struct truth_reader *reader, uint64_t number, uint32_t what)
{
    if (number >= reader->number_capacity) {
        uint64_t capacity = mem_grown(reader->number_capacity, number + 1);

        reader->by_number = mem_realloc(reader->by_number, capacity * sizeof(reader->by_number[0]));
        for (uint64_t i = reader->number_capacity; i < capacity; i++)
            reader->by_number[i] = LEDGER_NONE;
        reader->number_capacity = capacity;
    }
    reader->by_number[number] = what;
}

static bool apply_event(struct truth_reader *reader, const struct csv_row *row, char *error)
{
    int64_t us;

    if (row->count <= AT || !timestamp_parse(&us, row->fields[AT])) {
        snprintf(error, TRUTH_READER_ERROR_SIZE, "it does not say when");
        return false;
    }
    ledger_note_event(reader->ledger, us);
    return true;
}

/* Which of the two sets a message belongs to, or both, the one pointing to the other. */
static bool apply_sent(struct truth_reader *reader, const struct csv_row *row, char *error)
{
    struct ledger *ledger = reader->ledger;
    const char *status = row->fields[STATUS];
    const char *bytes_text = row->fields[reader->bytes_column];
    double values[FEATURES_MAX] = {0};
    struct ledger_reading reading = {.rejection = LEDGER_NONE};
    uint64_t number;
    uint64_t bytes = 0;
    uint32_t rejection = LEDGER_NONE;
    uint32_t at;

    if (row->count != reader->column_count || !parse_number(&number, row->fields[NUMBER]) ||
        !truth_expect_parse(&reading.expect, row->fields[EXPECT]) ||
        (*bytes_text && !parse_number(&bytes, bytes_text))) {
        snprintf(error, TRUTH_READER_ERROR_SIZE, "not a line about something sent");
        return false;
    }
    reading.device = string_table_add(&ledger->devices, row->fields[DEVICE]);
    if (reading.expect != TRUTH_STORED) {
        rejection = ledger_add_rejection(ledger, reading.device, (uint32_t)bytes,
                                         row->fields[reader->bytes_column + 1]);
        ledger->rejections[rejection].counts.sent++;
    }
    if (reading.expect == TRUTH_REJECTED) {
        ledger->rejections[rejection].is_either = false;
        remember(reader, number, 2 * rejection + 1);
        return true;
    }
    if (!timestamp_parse(&reading.recorded_at_us, row->fields[RECORDED_AT])) {
        snprintf(error, TRUTH_READER_ERROR_SIZE, "\"%.40s\" is not a time",
                 row->fields[RECORDED_AT]);
        return false;
    }
    reading.status = (uint8_t)(*status ? reading_status_parse(status) : STATUS_ABSENT);
    for (size_t i = 0; i < ledger->features.count; i++) {
        const char *text = reader->columns[i] ? row->fields[reader->columns[i]] : "";

        values[i] = *text ? strtod(text, NULL) : (double)NAN;
    }
    at = ledger_add_reading(ledger, &reading, values);
    ledger->readings[at].counts.sent++;
    if (rejection != LEDGER_NONE && ledger->readings[at].expect == TRUTH_EITHER)
        ledger->readings[at].rejection = rejection;
    remember(reader, number, 2 * at);
    return true;
}

static bool apply_acked(struct truth_reader *reader, const struct csv_row *row, char *error)
{
    struct ledger *ledger = reader->ledger;
    struct ledger_counts *counts;
    uint64_t number;
    uint64_t reason;
    uint32_t what;

    if (row->count != REASON + 1 || !parse_number(&number, row->fields[NUMBER]) ||
        !parse_number(&reason, row->fields[REASON])) {
        snprintf(error, TRUTH_READER_ERROR_SIZE, "not a line about something acknowledged");
        return false;
    }
    what = number < reader->number_capacity ? reader->by_number[number] : LEDGER_NONE;
    if (what == LEDGER_NONE) {
        snprintf(error, TRUTH_READER_ERROR_SIZE, "message %s was acknowledged and never sent",
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

static bool apply_born(struct truth_reader *reader, const struct csv_row *row, char *error)
{
    struct ledger *ledger = reader->ledger;

    if (row->count != DEVICE + 1 || !row->fields[DEVICE][0]) {
        snprintf(error, TRUTH_READER_ERROR_SIZE, "not a line about a birth");
        return false;
    }
    ledger_add_birth(ledger, string_table_add(&ledger->devices, row->fields[DEVICE]));
    return true;
}

bool truth_reader_apply(struct truth_reader *reader, char *line, char *error)
{
    struct csv_row row;

    if (!*line)
        return true;
    if (!csv_split(&row, line, error))
        return false;
    if (strcmp(row.fields[EVENT], "event") == 0)
        return apply_header(reader, &row, error);
    if (reader->column_count == 0) {
        snprintf(error, TRUTH_READER_ERROR_SIZE,
                 "it does not begin with the header of a file of truth");
        return false;
    }
    if (strcmp(row.fields[EVENT], "sent") == 0)
        return apply_event(reader, &row, error) && apply_sent(reader, &row, error);
    if (strcmp(row.fields[EVENT], "acked") == 0)
        return apply_event(reader, &row, error) && apply_acked(reader, &row, error);
    if (strcmp(row.fields[EVENT], "born") == 0)
        return apply_event(reader, &row, error) && apply_born(reader, &row, error);
    snprintf(error, TRUTH_READER_ERROR_SIZE, "\"%.40s\" is neither sent nor acked nor born",
             row.fields[EVENT]);
    return false;
}
