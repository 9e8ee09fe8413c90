#include "shared/base/log.h"

#include "shared/base/timestamp.h"
#include "shared/base/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_SIZE = 2048 };

static const char *program_name = "highwater";
static enum log_level least = LOG_LEVEL_INFO;
static const char *const level_names[] = {"debug", "info", "warning", "error"};

/* JOURNAL_STREAM names the journal's end of standard error, as device:inode. Whoever has sent ours elsewhere
 * has left the variable behind, so it is compared. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char ours[64];
    struct stat status;

    if (!stream || fstat(STDERR_FILENO, &status) < 0)
        return false;
    snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, ours) == 0;
}

const char *log_mark(enum log_level level)
{
    static const char *const marks[] = {"<7>", "<6>", "<4>", "<3>"};

    return is_journal() ? marks[level] : "";
}

void log_init(const char *program)
{
    program_name = program;
}

bool log_set_level(const char *name)
{
    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++) {
        if (strcasecmp(name, level_names[i]) == 0) {
            least = (enum log_level)i;
            return true;
        }
    }
    return false;
}

size_t log_visible(char *out, size_t out_bytes, const char *text, size_t bytes)
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
    out[used] = '\0';
    return used;
}

/* What stands before the text; returns its length. */
static size_t put_head(char *out, size_t out_bytes, enum log_level level)
{
    const char *mark = log_mark(level);
    char when[TIMESTAMP_TEXT_SIZE];

    if (*mark)
        return (size_t)snprintf(out, out_bytes, "%s", mark);
    timestamp_format(when, timestamp_now());
    strcpy(when + 23, "Z"); /* milliseconds are enough for people */
    return (size_t)snprintf(out, out_bytes, "%s %s %s ", when, program_name, level_names[level]);
}

void log_line(enum log_level level, const char *format, ...)
{
    char text[LINE_SIZE];
    char line[LINE_SIZE];
    va_list args;
    size_t used;

    if (level < least)
        return;
    used = put_head(line, sizeof(line), level);
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    used += log_visible(line + used, sizeof(line) - used - 1, text, strlen(text));
    line[used] = '\n';
    fwrite(line, 1, used + 1, stderr);
}

void log_complaint(const char *what, const char *text)
{
    char line[LINE_SIZE];
    const char *mark = "";

    fprintf(stderr, "%s%s: %s: ", log_mark(LOG_LEVEL_ERROR), program_name, what);
    do {
        size_t bytes = strcspn(text, "\n");
        size_t indented = strspn(text, "\t ");

        fprintf(stderr, "%s%s%.*s\n", mark, indented > 0 ? "  " : "",
                (int)log_visible(line, sizeof(line), text + indented, bytes - indented), line);
        text += bytes + (text[bytes] == '\n');
        mark = log_mark(LOG_LEVEL_ERROR);
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
