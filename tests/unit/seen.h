/* seen.h: what the parser of readings gives out for a message, element by element.
 *
 * Shape    the messages are device d's, received at NOW_US, with the default features.
 * Errors   fail the test.
 */
#ifndef HIGHWATER_SEEN_H
#define HIGHWATER_SEEN_H

#include "shared/model/reading_json.h"

#include <stddef.h>
#include <stdint.h>

#define NOW_US INT64_C(1795521600000000) /* 2026-11-24T12:00:00Z or so */

enum { SEEN_MAX = 8 };

struct seen {
    size_t count;
    enum reading_error errors[SEEN_MAX];
    int64_t recorded_at_us[SEEN_MAX];
    double temperature[SEEN_MAX];
    double pressure[SEEN_MAX];
    int status[SEEN_MAX];
    int64_t hash[SEEN_MAX];
    int64_t seq[SEEN_MAX];
    unsigned unknown[SEEN_MAX];
    char bytes[SEEN_MAX][128];
    char detail[SEEN_MAX][READING_DETAIL_SIZE];
    unsigned taken_off;
};

extern struct features seen_features;
extern struct reading_rules seen_rules; /* a test may change them, and puts them back */
extern const struct reading_source seen_source;

int seen_setup(void **state);
struct seen seen_parse(const char *text);
struct seen seen_parse_bytes(const char *text, size_t bytes);

/* For reading_json_parse(), with a struct seen as `user`. */
void seen_on_item(void *user, const struct reading_item *item);

#endif
