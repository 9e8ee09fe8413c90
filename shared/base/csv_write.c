#include "shared/base/csv_write.h"

#include <string.h>

void csv_write_text(struct buffer *out, const char *text)
{
    if (!text[strcspn(text, "\",\r\n")]) {
        buffer_put_text(out, text);
        return;
    }
    buffer_put_text(out, "\"");
    for (; *text; text++) {
        if (*text == '"')
            buffer_put_text(out, "\"");
        buffer_put(out, text, 1);
    }
    buffer_put_text(out, "\"");
}
