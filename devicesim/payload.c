#include "devicesim/payload.h"

#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <math.h>

void payload_write(struct buffer *out, const char *device_id, const struct reading *reading,
                   const struct features *features, int64_t seq)
{
    const char *status = reading_status_text((enum reading_status)reading->status);
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, reading->recorded_at_us);
    buffer_put_text(out, "{\"deviceId\":");
    json_write_string(out, device_id);
    buffer_put_text(out, ",\"timestamp\":\"");
    buffer_put_text(out, when);
    buffer_put_text(out, "\"");
    if (status) {
        buffer_put_text(out, ",\"status\":\"");
        buffer_put_text(out, status);
        buffer_put_text(out, "\"");
    }
    if (seq >= 0)
        buffer_printf(out, ",\"seq\":%" PRId64, seq);
    for (size_t i = 0; i < features->count; i++) {
        if (isnan(reading->values[i]))
            continue;
        buffer_put_text(out, ",\"");
        buffer_put_text(out, features->names[i]);
        buffer_put_text(out, "\":");
        json_write_double(out, reading->values[i]);
    }
    buffer_put_text(out, "}");
}
