#include "devicesim/csv.h"

#include "shared/base/timestamp.h"
#include "shared/model/topic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Removes the quotes of a field in place. Returns what follows it; NULL when a quote is missing, or
 * anything comes between the closing quote and the comma. */
static char *unquote(char *field)
{
    char *to = field;
    char *from = field + 1;

    for (; *from; from++) {
        if (*from == '"') {
            if (from[1] != '"')
                break;
            from++;
        }
        *to++ = *from;
    }
    if (*from != '"' || (from[1] && from[1] != ','))
        return NULL;
    from++;
    if (*from == ',')
        *from = '\1'; /* the comma may be where the text ends now */
    *to = '\0';
    return from;
}

bool csv_split(struct csv_row *out, char *line, char *error)
{
    size_t bytes = strlen(line);

    out->count = 0;
    if (bytes > 0 && line[bytes - 1] == '\r')
        line[bytes - 1] = '\0';
    for (;;) {
        bool goes_on;

        if (out->count == CSV_FIELDS_MAX) {
            snprintf(error, CSV_ERROR_SIZE, "more than %d fields", CSV_FIELDS_MAX);
            return false;
        }
        out->fields[out->count++] = line;
        if (*line == '"') {
            line = unquote(line);
            if (!line) {
                snprintf(error, CSV_ERROR_SIZE, "field %zu: its quotes do not match", out->count);
                return false;
            }
            goes_on = *line == '\1';
        } else {
            line += strcspn(line, ",");
            goes_on = *line == ',';
        }
        if (!goes_on)
            return true;
        *line++ = '\0';
    }
}

bool csv_columns_parse(struct csv_columns *out, const struct csv_row *header, char *error)
{
    struct csv_columns columns = {.count = header->count,
                                  .timestamp = CSV_FIELDS_MAX,
                                  .device_id = CSV_FIELDS_MAX,
                                  .status = CSV_FIELDS_MAX};
    char names[FEATURES_MAX * (FEATURE_NAME_MAX + 1) + 1] = "";
    size_t used = 0;
    size_t features = 0;

    for (size_t i = 0; i < header->count; i++) {
        const char *name = header->fields[i];

        if (strcmp(name, "timestamp") == 0) {
            columns.timestamp = i;
        } else if (strcmp(name, "deviceId") == 0) {
            columns.device_id = i;
        } else if (strcmp(name, "status") == 0) {
            columns.status = i;
        } else if (features == FEATURES_MAX || strlen(name) > FEATURE_NAME_MAX) {
            snprintf(error, CSV_ERROR_SIZE,
                     "more than %d features, or a name of more than %d bytes", FEATURES_MAX,
                     FEATURE_NAME_MAX);
            return false;
        } else {
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                     features ? "," : "", name);
            columns.features[features++] = i;
        }
    }
    if (columns.timestamp == CSV_FIELDS_MAX || columns.device_id == CSV_FIELDS_MAX ||
        features == 0) {
        snprintf(error, CSV_ERROR_SIZE,
                 "the header does not name timestamp, deviceId and at least one feature");
        return false;
    }
    if (!features_parse(&columns.names, names, error, CSV_ERROR_SIZE))
        return false;
    if (columns.names.count != features) {
        snprintf(error, CSV_ERROR_SIZE, "a name in the header has a comma in it");
        return false;
    }
    *out = columns;
    return true;
}

static bool parse_value(double *out, const char *text)
{
    char *end;

    if (!*text) {
        *out = (double)NAN;
        return true;
    }
    *out = strtod(text, &end) + 0.0; /* never -0 */
    return end != text && !*end && isfinite(*out);
}

bool csv_reading_parse(struct reading *out, const char **device_id,
                       const struct csv_columns *columns, const struct csv_row *row, char *error)
{
    const char *id;
    const char *when;
    int64_t recorded_at_us;

    if (row->count != columns->count) {
        snprintf(error, CSV_ERROR_SIZE, "%zu fields instead of %zu", row->count, columns->count);
        return false;
    }
    id = row->fields[columns->device_id];
    when = row->fields[columns->timestamp];
    *out = (struct reading){0};
    if (!device_id_is_legal(id, strlen(id))) {
        snprintf(error, CSV_ERROR_SIZE, "deviceId \"%.64s\" is not " DEVICE_ID_LEGAL, id);
        return false;
    }
    if (!timestamp_parse(&recorded_at_us, when)) {
        snprintf(error, CSV_ERROR_SIZE,
                 "timestamp \"%.64s\" is not RFC 3339 such as 2013-03-01T00:00:00+08:00", when);
        return false;
    }
    out->recorded_at_us = recorded_at_us;
    if (columns->status < CSV_FIELDS_MAX && row->fields[columns->status][0]) {
        enum reading_status status = reading_status_parse(row->fields[columns->status]);

        if (status == STATUS_COUNT) {
            snprintf(error, CSV_ERROR_SIZE,
                     "status \"%.64s\" is not one of ON, OFF, ACTIVE, INACTIVE",
                     row->fields[columns->status]);
            return false;
        }
        out->status = (uint8_t)status;
    }
    for (size_t i = 0; i < columns->names.count; i++) {
        const char *text = row->fields[columns->features[i]];

        if (!parse_value(&out->values[i], text)) {
            snprintf(error, CSV_ERROR_SIZE, "%s \"%.64s\" is not a finite number",
                     columns->names.names[i], text);
            return false;
        }
    }
    *device_id = id;
    return true;
}
