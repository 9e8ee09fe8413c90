#include "httpapi/file_name.h"

#include "shared/base/timestamp.h"

#include <string.h>

enum { NAMED_DEVICES = 3 }; /* more of them are counted */

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.';
}

/* A letter beyond ASCII is one underscore, of however many bytes. */
static void put_device(struct buffer *out, const char *id)
{
    buffer_put_text(out, "-");
    for (; *id; id++) {
        if ((*id & 0xc0) != 0x80)
            buffer_put(out, is_plain(*id) ? id : "_", 1);
    }
}

static void put_devices(struct buffer *out, const struct params *params)
{
    if (params->device_id[0]) {
        put_device(out, params->device_id);
    } else if (params->device_count == 0) {
        buffer_put_text(out, "-fleet");
    } else if (params->device_count > NAMED_DEVICES) {
        buffer_printf(out, "-%zu_devices", params->device_count);
    } else {
        for (size_t i = 0; i < params->device_count; i++)
            put_device(out, params->device_ids[i]);
    }
}

/* 20261126T000000Z: seconds, without the colons that file names may not have. */
static void put_moment(struct buffer *out, const char *name, int64_t us)
{
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, us);
    buffer_printf(out, "-%s-", name);
    for (const char *c = when; *c && *c != '.'; c++) {
        if (*c != '-' && *c != ':')
            buffer_put(out, c, 1);
    }
    buffer_put_text(out, "Z");
}

void file_name_put_disposition(struct buffer *out, const char *what, const struct params *params)
{
    buffer_printf(out, "attachment; filename=\"%s", what);
    put_devices(out, params);
    if (params->from_us != INT64_MIN)
        put_moment(out, "from", params->from_us);
    if (params->to_us != INT64_MAX)
        put_moment(out, "to", params->to_us);
    buffer_printf(out, ".%s\"", params->format == FORMAT_LINES ? "jsonl" : "csv");
}
