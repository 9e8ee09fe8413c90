/* csv.h: readings out of lines of CSV.
 *
 * Shape    a header names the columns: timestamp, deviceId, then in any order the features and, if
 *          there is one, status. An empty field means that the reading has no such value.
 * Units    the timestamp in any form timestamp_parse() takes; the result is in UTC.
 * Errors   false, with a sentence in `error` that names the field and what is legal.
 * Owner    csv_split() writes into the line; the fields point into it.
 * Source   RFC 4180, without line breaks inside of quotes.
 */
#ifndef HIGHWATER_CSV_H
#define HIGHWATER_CSV_H

#include "shared/model/features.h"
#include "shared/model/reading.h"

#include <stdbool.h>
#include <stddef.h>

enum { CSV_FIELDS_MAX = FEATURES_MAX + 16, CSV_ERROR_SIZE = 256 };

struct csv_row {
    size_t count;
    char *fields[CSV_FIELDS_MAX];
};

/* Which column of a file has what. */
struct csv_columns {
    size_t count;
    size_t timestamp;
    size_t device_id;
    size_t status;                 /* CSV_FIELDS_MAX when there is none */
    size_t features[FEATURES_MAX]; /* the column of each feature */
    struct features names;
};

/* Splits a line, without its line break, at its commas. */
bool csv_split(struct csv_row *out, char *line, char *error);

/* Reads the first line of a file. */
bool csv_columns_parse(struct csv_columns *out, const struct csv_row *header, char *error);

/* Makes a reading of a row; `device_id` points into it. The content hash is left at 0. */
bool csv_reading_parse(struct reading *out, const char **device_id,
                       const struct csv_columns *columns, const struct csv_row *row, char *error);

#endif
