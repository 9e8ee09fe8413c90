#include "devicesim/payload_shape.h"

#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

bool payload_shape_parse(enum payload_shape *out, const char *text)
{
    static const char *const names[PAYLOAD_SHAPES] = {"contract", "tasmota", "text", "senml",
                                                      "sparkplug"};

    for (int i = 0; i < PAYLOAD_SHAPES; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (enum payload_shape)i;
            return true;
        }
    }
    return false;
}

static void put_members(struct buffer *out, const struct reading *reading,
                        const struct features *features)
{
    bool is_first = true;

    for (size_t i = 0; i < features->count; i++) {
        if (isnan(reading->values[i]))
            continue;
        buffer_printf(out, "%s\"%s\":", is_first ? "" : ",", features->names[i]);
        json_write_double(out, reading->values[i]);
        is_first = false;
    }
}

/* With members beside them that nobody wants, as a plug has. */
static void write_tasmota(struct buffer *out, const struct reading *reading,
                          const struct features *features, int64_t seq)
{
    const char *status = reading_status_text((enum reading_status)reading->status);
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, reading->recorded_at_us);
    when[strlen(when) - 1] = '\0'; /* the Z */
    buffer_printf(out, "{\"Time\":\"%s\",", when);
    if (status)
        buffer_printf(out, "\"POWER\":\"%s\",", status);
    if (seq >= 0)
        buffer_printf(out, "\"Seq\":%" PRId64 ",", seq);
    buffer_put_text(out, "\"Sensor\":{");
    put_members(out, reading, features);
    buffer_put_text(out,
                    "},\"ENERGY\":{\"TotalStartTime\":\"2026-01-03T09:12:44\",\"Total\":412.118,"
                    "\"Period\":3,\"Factor\":0.65,\"Voltage\":231},\"TempUnit\":\"C\"}");
}

static void write_text(struct buffer *out, const struct reading *reading,
                       const struct features *features)
{
    size_t i = 0;

    while (i < features->count && isnan(reading->values[i]))
        i++;
    if (i < features->count)
        json_write_double(out, reading->values[i]);
    else
        buffer_put_text(out, "nan");
}

static void write_senml(struct buffer *out, const struct reading *reading,
                        const struct features *features)
{
    const char *status = reading_status_text((enum reading_status)reading->status);
    int64_t us = reading->recorded_at_us;

    buffer_printf(out, "[{\"bn\":\"urn:dev:sim:\",\"bt\":%" PRId64 ".%06" PRId64 "}", us / 1000000,
                  us % 1000000);
    for (size_t i = 0; i < features->count; i++) {
        if (isnan(reading->values[i]))
            continue;
        buffer_printf(out, ",{\"n\":\"%s\",\"v\":", features->names[i]);
        json_write_double(out, reading->values[i]);
        buffer_put_text(out, "}");
    }
    if (status)
        buffer_printf(out, ",{\"n\":\"status\",\"vs\":\"%s\"}", status);
    buffer_put_text(out, "]");
}

void payload_write_as(struct buffer *out, enum payload_shape shape, const char *device_id,
                      const struct reading *reading, const struct features *features, int64_t seq)
{
    switch (shape) {
    case PAYLOAD_TASMOTA:
        write_tasmota(out, reading, features, seq);
        break;
    case PAYLOAD_TEXT:
        write_text(out, reading, features);
        break;
    case PAYLOAD_SENML:
        write_senml(out, reading, features);
        break;
    case PAYLOAD_SPARKPLUG:
        break;
    case PAYLOAD_CONTRACT:
    case PAYLOAD_SHAPES:
        payload_write(out, device_id, reading, features, seq);
        break;
    }
}
