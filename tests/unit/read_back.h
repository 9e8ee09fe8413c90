/* read_back.h: a payload that the simulator wrote, as the store's own parser reads it.
 *
 * Shape    device READ_BACK_DEVICE's, received at READ_BACK_AT_US, with read_back_features.
 * Owner    what was read stays until the next call.
 */
#ifndef HIGHWATER_READ_BACK_H
#define HIGHWATER_READ_BACK_H

#include "shared/base/buffer.h"
#include "shared/model/reading_json.h"

#include <stdint.h>

#define READ_BACK_DEVICE "device_1"
#define READ_BACK_AT_US INT64_C(1795000000123456)

struct read_back {
    unsigned items;
    enum reading_error error;             /* of the last */
    const union reading_storage *reading; /* of the last that was one */
};

extern struct features read_back_features;

int read_back_setup(void **state);
struct read_back read_back(struct buffer *payload);

/* A reading as there are many. */
void read_back_ordinary(union reading_storage *out);

#endif
