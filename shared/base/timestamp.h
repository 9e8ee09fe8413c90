/* timestamp.h: points in time, as RFC 3339 text.
 *
 * Shape    int64_t microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
 * Errors   timestamp_parse() is false when the text is no time between the years 1 and 9999.
 * Source   RFC 3339 section 5.6; the civil calendar as days in 400-year eras.
 */
#ifndef HIGHWATER_TIMESTAMP_H
#define HIGHWATER_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIMESTAMP_TEXT_SIZE = 28 }; /* "2026-11-23T12:00:00.123456Z" and its NUL */

#define TIMESTAMP_US_PER_S INT64_C(1000000)
#define TIMESTAMP_US_PER_DAY (INT64_C(86400) * TIMESTAMP_US_PER_S)

/* An offset is legal as Z, +08:00, +0800 or +08; none means UTC. `T` may be a space. Digits below a
 * microsecond are cut off. A second of 60, which is the first of the next minute, is legal where
 * leap seconds come: at the end of June or December, 23:59 UTC (RFC 3339 appendix D). */
bool timestamp_parse(int64_t *out_us, const char *text);

/* Always UTC, always six decimals. `out` holds TIMESTAMP_TEXT_SIZE bytes. Years outside 1..9999
 * are clamped: no reading that was accepted has one. */
void timestamp_format(char *out, int64_t us);

/* The day number (since 1970-01-01) that a time falls into, in UTC. */
int64_t timestamp_day(int64_t us);

/* The wall clock. Edges read it and hand it on; pure code takes it as an argument. */
int64_t timestamp_now(void);

#endif
