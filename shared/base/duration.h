/* duration.h: lengths of time as people write them: 250ms, 60s, 90m, 1h, 30d, or 1h30m.
 *
 * Units    microseconds. A bare number is in seconds; beside others, each number has its unit.
 * Errors   false when the text is no duration, or too long for 64 bits.
 */
#ifndef HIGHWATER_DURATION_H
#define HIGHWATER_DURATION_H

#include <stdbool.h>
#include <stdint.h>

enum { DURATION_TEXT_SIZE = 24 };

bool duration_parse(int64_t *out_us, const char *text);

/* In the largest unit that it is a whole number of: 36h, 7d, 250ms. Returns `out`. */
const char *duration_format(char out[DURATION_TEXT_SIZE], int64_t us);

#endif
