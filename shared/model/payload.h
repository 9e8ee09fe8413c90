/* payload.h: a reading as the contract has it, in the words of whoever sends one.
 *
 * Shape    {"deviceId":..,"timestamp":..,"status":..,"seq":..,<feature>:..}; what is absent is left
 *          out. reading_json_write() writes null instead: that is how Highwater answers.
 * Errors   none.
 * Owner    appends to the caller's buffer.
 */
#ifndef HIGHWATER_PAYLOAD_H
#define HIGHWATER_PAYLOAD_H

#include "shared/base/buffer.h"
#include "shared/model/features.h"
#include "shared/model/reading.h"

/* `seq` below 0 leaves it out. */
void payload_write(struct buffer *out, const char *device_id, const struct reading *reading,
                   const struct features *features, int64_t seq);

#endif
