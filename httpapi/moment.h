/* moment.h: a point in time, as a request may write it.
 *
 * Shape    RFC 3339, as timestamp.h takes it; 2026-11-26, the midnight that begins that day, UTC;
 *          1795737600 or 1795737600.25, seconds since 1970 with six decimals at most; now, now-90m: one
 *          number of one unit before the request.
 * Units    microseconds since 1970-01-01T00:00:00Z.
 * Errors   false. Refused is what could be meant otherwise: 2026 and 20261126 (seconds are 0, or have 9
 *          to 11 digits), milliseconds (13 digits), now+1h, of which nothing can be known. A second of 60
 *          is taken in UTC alone, as a pattern in the contract can say it.
 */
#ifndef HIGHWATER_MOMENT_H
#define HIGHWATER_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#define MOMENT_LEGAL                                                                               \
    "a timestamp as in RFC 3339 (2026-11-23T12:00:00Z), a day (2026-11-23, from midnight UTC), "   \
    "seconds since 1970 (1795521600.5, of 9 to 11 digits, or 0), now, or a duration before it "    \
    "(now-90m)"

/* `is_relative`: it is another one the next time it is asked for. */
bool moment_parse(int64_t *out_us, bool *is_relative, const char *text, int64_t now_us);

/* One number and one unit, 90s, 15m or 6h: as much as a pattern in the contract can say. 99999d are
 * 273 years. */
bool moment_parse_length(int64_t *out_us, const char *text);

#endif
