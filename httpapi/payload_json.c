#include "httpapi/payload_json.h"

#include "shared/base/base64.h"
#include "shared/base/invisible.h"
#include "shared/base/json_write.h"
#include "shared/base/utf8.h"

#include <string.h>

enum { CHARACTER_BYTES_MOST = 4 };

/* How many bytes are whole characters. */
static size_t valid_bytes(const unsigned char *text, size_t bytes)
{
    size_t at = 0;

    while (at < bytes) {
        size_t length = utf8_length(text + at, bytes - at);

        if (length == 0)
            break;
        at += length;
    }
    return at;
}

/* Whether these bytes, fewer than a character's, could begin one. */
static bool is_begun(const unsigned char *text, size_t bytes)
{
    size_t wanted = text[0] > 0xf4    ? 0
                    : text[0] >= 0xf0 ? 4
                    : text[0] >= 0xe0 ? 3
                    : text[0] >= 0xc2 ? 2
                                      : 0;

    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return false;
    }
    return wanted > bytes;
}

static void put_shown(struct buffer *out, const unsigned char *text, size_t bytes)
{
    size_t length;

    buffer_put_text(out, "\"");
    for (size_t at = 0; at < bytes; at += length) {
        uint32_t code_point;

        length = utf8_length(text + at, bytes - at);
        code_point = utf8_code_point(text + at, length);
        if (code_point == '\n' || code_point == '\t')
            buffer_put_text(out, code_point == '\n' ? "\\n" : "\\t");
        else if (utf8_printed_length(text + at, bytes - at) == 0 || invisible_is(code_point))
            buffer_printf(out, "\\\\u{%x}", (unsigned)code_point);
        else if (code_point == '"' || code_point == '\\')
            buffer_printf(out, "\\%c", (char)code_point);
        else
            buffer_put(out, text + at, length);
    }
    buffer_put_text(out, "\"");
}

static void put_base64(struct buffer *out, const void *payload, size_t bytes)
{
    buffer_put_text(out, ",\"payload\":null,\"payloadBase64\":\"");
    base64_write(out, payload, bytes);
    buffer_put_text(out, "\"");
}

void payload_json_put_shown(struct buffer *out, const char *payload, size_t bytes, bool is_cut)
{
    const unsigned char *text = (const unsigned char *)payload;
    size_t valid = valid_bytes(text, bytes);

    if (valid < bytes && !(is_cut && bytes - valid < CHARACTER_BYTES_MOST &&
                           is_begun(text + valid, bytes - valid))) {
        put_base64(out, payload, bytes);
        return;
    }
    buffer_put_text(out, ",\"payload\":");
    put_shown(out, text, valid);
    buffer_put_text(out, ",\"payloadBase64\":null");
}

void payload_json_put_whole(struct buffer *out, const char *payload, size_t bytes)
{
    if (valid_bytes((const unsigned char *)payload, bytes) < bytes || memchr(payload, 0, bytes)) {
        put_base64(out, payload, bytes);
        return;
    }
    buffer_put_text(out, ",\"payload\":");
    json_write_string(out, payload); /* libpq ends every value with NUL */
    buffer_put_text(out, ",\"payloadBase64\":null");
}

void payload_json_put_text(struct buffer *out, const char *text)
{
    put_shown(out, (const unsigned char *)text, strlen(text));
}
