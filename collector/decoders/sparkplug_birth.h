/* sparkplug_birth.h: what a birth certificate has said of its metrics: names and types, by alias.
 *
 * Shape    metrics ordered by alias, those without one behind them, and an order by name.
 *          Names are kept as JSON, with their quotes: they are written far more often than compared.
 * Errors   false, with a reason and a sentence, and then the birth is empty.
 * Owner    sparkplug_names_release() frees it; zeroed is empty.
 */
#ifndef HIGHWATER_SPARKPLUG_BIRTH_H
#define HIGHWATER_SPARKPLUG_BIRTH_H

#include "shared/model/reading_json.h"
#include "shared/model/sparkplug_payload.h"

enum { SPARKPLUG_NAME_MOST = 1024 }; /* bytes */

struct sparkplug_name {
    uint64_t alias;
    const char *json; /* "Oil/Temperature" with the quotes */
    uint32_t json_bytes;
    uint32_t type;
};

struct sparkplug_names {
    struct sparkplug_name *items;
    size_t aliased; /* the first of them, by alias */
    size_t count;
    uint32_t *by_name;
    char *text;
};

/* Appends a text with its quotes; false when it is not UTF-8 or has a NUL, which `error` tells. */
bool sparkplug_put_text(struct buffer *out, const struct sparkplug_text *text,
                        enum reading_error *error);

/* Of what was read last. */
bool sparkplug_names_make(struct sparkplug_names *names, const struct sparkplug_reader *reader,
                          size_t metric_count, enum reading_error *error,
                          char detail[READING_DETAIL_SIZE]);

/* NULL: not there. */
const struct sparkplug_name *sparkplug_names_by_alias(const struct sparkplug_names *names,
                                                      uint64_t alias);
const struct sparkplug_name *sparkplug_names_by_json(const struct sparkplug_names *names,
                                                     const char *json, size_t bytes);

void sparkplug_names_release(struct sparkplug_names *names);

#endif
