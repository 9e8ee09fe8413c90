/* payload_json.h: bytes that anybody may have sent, as JSON that is safe to look at.
 *
 * Shape    to be shown: of UTF-8 each character that cannot be seen (controls but line feed and tab, format
 *          characters, directions, NUL) as \u{202e}, which is no escape of JSON's, so a terminal or
 *          a page does nothing with it. Whole: the text as it is. What is not UTF-8 is base64.
 *          `,"payload":"...","payloadBase64":null`, or the other one.
 * Errors   none.
 * Owner    appends to the caller's buffer.
 */
#ifndef HIGHWATER_PAYLOAD_JSON_H
#define HIGHWATER_PAYLOAD_JSON_H

#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* `is_cut`: more came behind it, so a character may be cut through at its end, which is left out then. */
void payload_json_put_shown(struct buffer *out, const char *payload, size_t bytes, bool is_cut);

/* With a NUL in it it is base64, as of collector --rejected --export. */
void payload_json_put_whole(struct buffer *out, const char *payload, size_t bytes);

/* A string of valid UTF-8, to be shown. */
void payload_json_put_text(struct buffer *out, const char *text);

#endif
