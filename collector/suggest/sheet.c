#include "collector/suggest/sheet.h"

#include "shared/base/log.h"
#include "shared/base/mem.h"

#include <stdlib.h>

struct sheet_line *sheet_add(struct sheet *sheet, bool is_out)
{
    sheet->lines =
        mem_grow_zeroed(sheet->lines, &sheet->capacity, sheet->count + 1, sizeof(sheet->lines[0]));
    sheet->lines[sheet->count].is_out = is_out;
    sheet->keys += !is_out;
    return &sheet->lines[sheet->count++];
}

void sheet_put_shown(struct buffer *out, const char *text, size_t bytes)
{
    char shown[128];

    buffer_put_text(out, log_escaped(shown, sizeof(shown), text, bytes));
}

void sheet_write(struct buffer *out, const struct sheet *sheet, const char *indent, const char *end)
{
    size_t left = sheet->keys;

    for (size_t i = 0; i < sheet->count; i++) {
        struct sheet_line *line = &sheet->lines[i];

        left -= !line->is_out;
        buffer_put_text(out, indent);
        buffer_put_text(out, line->is_out ? "// " : "");
        buffer_put(out, line->text.data, line->text.bytes);
        buffer_put_text(out, line->is_out ? "" : left > 0 ? "," : end);
        if (line->note.bytes > 0) {
            buffer_put_text(out, line->is_out ? "  " : " // ");
            buffer_put(out, line->note.data, line->note.bytes);
        }
        buffer_put_text(out, "\n");
    }
}

void sheet_release(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->count; i++) {
        buffer_release(&sheet->lines[i].text);
        buffer_release(&sheet->lines[i].note);
    }
    free(sheet->lines);
    *sheet = (struct sheet){0};
}
