/* file_name.h: what a download is called: what it is, of whom, of which time.
 *
 * Shape    the value of Content-Disposition, such as attachment; filename="readings-pump_1-from-20261126T000000Z.csv".
 *          Of ids, what is no letter or digit of ASCII, hyphen or dot becomes an underscore: so no system
 *          has trouble with the name, and two ids may look alike there. The ids themselves are in the file.
 * Source   RFC 6266.
 */
#ifndef HIGHWATER_FILE_NAME_H
#define HIGHWATER_FILE_NAME_H

#include "httpapi/params.h"
#include "shared/base/buffer.h"

/* `what` is "readings" or "steps"; the devices are those of `params`: the path's, those named, or the fleet. */
void file_name_put_disposition(struct buffer *out, const char *what, const struct params *params);

#endif
