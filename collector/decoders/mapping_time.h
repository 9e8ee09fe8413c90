/* mapping_time.h: moments, out of what devices say.
 *
 * Shape    a number, or digits in a text, is s, ms, us or ns since 1970 by its size; a text is
 *          RFC 3339, whose offset may be missing, or what a format says. A time without an offset is a
 *          local one of a zone; where the clock was put back there are two such moments, and the one
 *          nearer to the arrival is meant.
 * Formats  as of strptime(): %Y %y %m %d %e %j %H %I %p %M %S %f (a fraction) %b %a %z %s %T %D %F %R
 *          %% and white space for any of it. One must say a whole date, or %s.
 * Errors   false.
 * Owner    texts are borrowed.
 * Source   RFC 3339; POSIX strptime().
 */
#ifndef HIGHWATER_MAPPING_TIME_H
#define HIGHWATER_MAPPING_TIME_H

#include "collector/decoders/zone.h"
#include "shared/model/json_scan.h"

/* NULL, or what is wrong with a format. */
const char *time_format_check(const char *format);

/* `zone` and `format` may be NULL: UTC, RFC 3339. */
bool mapping_time_read(int64_t *out_us, const struct json_token *token, const struct zone *zone,
                       const char *format, int64_t arrival_us);

#endif
