/* Written by hand, piece by piece: this is done for every reading that goes into a log, and printf would cost
 * more than all the rest. */
#include "shared/model/payload.h"

#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <math.h>

#define PUT_LITERAL(out, literal) buffer_put(out, literal, sizeof(literal) - 1)

static void put_feature(struct buffer *out, const char *name, double value)
{
    PUT_LITERAL(out, ",\"");
    buffer_put_text(out, name); /* of letters and digits, so nothing is to be escaped */
    PUT_LITERAL(out, "\":");
    json_write_double(out, value);
}

void payload_write(struct buffer *out, const char *device_id, const struct reading *reading,
                   const struct features *features, int64_t seq)
{
    const char *status = reading_status_text((enum reading_status)reading->status);
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, reading->recorded_at_us);
    PUT_LITERAL(out, "{\"deviceId\":");
    json_write_string(out, device_id);
    PUT_LITERAL(out, ",\"timestamp\":\"");
    buffer_put(out, when, sizeof(when) - 1);
    PUT_LITERAL(out, "\"");
    if (status) {
        PUT_LITERAL(out, ",\"status\":\"");
        buffer_put_text(out, status);
        PUT_LITERAL(out, "\"");
    }
    if (seq >= 0)
        buffer_printf(out, ",\"seq\":%" PRId64, seq);
    for (size_t i = 0; i < features->count; i++) {
        if (!isnan(reading->values[i]))
            put_feature(out, features->names[i], reading->values[i]);
    }
    PUT_LITERAL(out, "}");
}
