/* duration.h: lengths of time as people write them: 250ms, 60s, 90m, 1h, 30d, or 1h30m.
 *
 * Units    microseconds. A bare number is in seconds.
 * Errors   false when the text is no duration, or too long for 64 bits.
 */
#ifndef HIGHWATER_DURATION_H
#define HIGHWATER_DURATION_H

#include <stdbool.h>
#include <stdint.h>

bool duration_parse(int64_t *out_us, const char *text);

#endif
