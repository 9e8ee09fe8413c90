#include "shared/base/log.h"

#include "shared/base/timestamp.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void log_line(enum log_level level, const char *format, ...)
{
    char line[2048];
    char when[TIMESTAMP_TEXT_SIZE];
    va_list args;
    int head;
    size_t used;

    if (level < least)
        return;
    timestamp_format(when, timestamp_now());
    strcpy(when + 23, "Z"); /* milliseconds are enough for people */
    head = snprintf(line, sizeof(line), "%s %s %s ", when, program_name, level_names[level]);
    va_start(args, format);
    vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
    va_end(args);
    used = strlen(line);
    line[used] = '\n';
    fwrite(line, 1, used + 1, stderr);
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
