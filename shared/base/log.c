#include "shared/base/log.h"

#include "shared/base/timestamp.h"
#include "shared/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 2048 };

static const char *program_name = "highwater";
static enum log_level least = LOG_LEVEL_INFO;
static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_init(const char *program)
{
    const char *wanted = getenv("LOG_LEVEL");

    program_name = program;
    for (int i = LOG_LEVEL_DEBUG; wanted && i <= LOG_LEVEL_ERROR; i++) {
        if (strcmp(wanted, level_names[i]) == 0)
            least = (enum log_level)i;
    }
}

/* Copies what can be seen, and the rest as \xNN, as far as it fits; returns its length. Whoever logs
 * what others have said escapes it; this is for what a library has said in their words. */
static size_t put_visible(char *out, size_t out_bytes, const char *text, size_t bytes)
{
    size_t used = 0;
    size_t length;

    for (size_t left = bytes; left > 0; left -= length, text += length) {
        bool is_seen;

        length = utf8_length((const unsigned char *)text, left);
        is_seen = length > 0 && utf8_is_visible(text, length);
        if (!is_seen)
            length = 1;
        if (used + (is_seen ? length : 4) >= out_bytes)
            break;
        if (is_seen)
            memcpy(out + used, text, length);
        else
            snprintf(out + used, 5, "\\x%02x", (unsigned char)*text);
        used += is_seen ? length : 4;
    }
    return used;
}

void log_line(enum log_level level, const char *format, ...)
{
    char text[LINE_SIZE];
    char line[LINE_SIZE];
    char when[TIMESTAMP_TEXT_SIZE];
    va_list args;
    size_t used;

    if (level < least)
        return;
    timestamp_format(when, timestamp_now());
    strcpy(when + 23, "Z"); /* milliseconds are enough for people */
    used =
        (size_t)snprintf(line, sizeof(line), "%s %s %s ", when, program_name, level_names[level]);
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    used += put_visible(line + used, sizeof(line) - used - 1, text, strlen(text));
    line[used] = '\n';
    fwrite(line, 1, used + 1, stderr);
}

void log_complaint(const char *what, const char *text)
{
    char line[LINE_SIZE];

    fprintf(stderr, "%s: %s: ", program_name, what);
    do {
        size_t bytes = strcspn(text, "\n");
        size_t indented = strspn(text, "\t ");

        fprintf(stderr, "%s%.*s\n", indented > 0 ? "  " : "",
                (int)put_visible(line, sizeof(line), text + indented, bytes - indented), line);
        text += bytes + (text[bytes] == '\n');
    } while (*text);
}

const char *log_escaped(char *out, size_t out_bytes, const void *data, size_t bytes)
{
    const unsigned char *in = data;
    size_t used = 0;

    for (size_t i = 0; i < bytes; i++) {
        size_t needed = in[i] >= 0x20 && in[i] < 0x7f && in[i] != '\\' ? 1 : 4;

        if (used + needed + 4 > out_bytes) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        if (needed == 1)
            out[used] = (char)in[i];
        else
            snprintf(out + used, 5, "\\x%02x", in[i]);
        used += needed;
    }
    out[used] = '\0';
    return out;
}
