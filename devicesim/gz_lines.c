#include "devicesim/gz_lines.h"

#include "shared/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { CHUNK_BYTES = 64 * 1024, LINE_MAX_BYTES = 4 * 1024 * 1024 };

bool gz_lines_open(struct gz_lines *lines, const char *path)
{
    struct stat about;

    *lines = (struct gz_lines){0};
    lines->file = gzopen(path, "rb");
    if (!lines->file) {
        snprintf(lines->failure, sizeof(lines->failure), "%s",
                 errno ? strerror(errno) : "no memory");
        return false;
    }
    gzbuffer(lines->file, CHUNK_BYTES);
    if (stat(path, &about) == 0 && S_ISREG(about.st_mode))
        lines->file_bytes = (uint64_t)about.st_size;
    return true;
}

void gz_lines_close(struct gz_lines *lines)
{
    if (lines->file)
        gzclose(lines->file);
    free(lines->data);
    *lines = (struct gz_lines){0};
}

/* Reads more, after what is there; false when there is no more. */
static bool fill(struct gz_lines *lines)
{
    const char *text;
    int code;
    int got;

    if (lines->at_end)
        return false;
    if (lines->start > 0) {
        memmove(lines->data, lines->data + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    }
    if (lines->capacity - lines->end < CHUNK_BYTES + 1) {
        lines->capacity = mem_grown(lines->capacity, lines->end + CHUNK_BYTES + 1);
        lines->data = mem_realloc(lines->data, lines->capacity);
    }
    got = gzread(lines->file, lines->data + lines->end, CHUNK_BYTES);
    if (got > 0) {
        lines->end += (size_t)got;
        return true;
    }
    lines->at_end = true;
    text = gzerror(lines->file, &code);
    if (code < 0) /* also at the end of a gzip file that was cut off */
        snprintf(lines->failure, sizeof(lines->failure), "%s",
                 code == Z_ERRNO ? strerror(errno) : text);
    return false;
}

char *gz_lines_next(struct gz_lines *lines)
{
    char *line;
    size_t seen = 0;

    for (;;) {
        char *end =
            lines->end > lines->start + seen
                ? memchr(lines->data + lines->start + seen, '\n', lines->end - lines->start - seen)
                : NULL;

        if (end) {
            *end = '\0';
            line = lines->data + lines->start;
            lines->start = (size_t)(end - lines->data) + 1;
            break;
        }
        seen = lines->end - lines->start;
        if (seen > LINE_MAX_BYTES) {
            snprintf(lines->failure, sizeof(lines->failure), "line %llu has more than %d bytes",
                     (unsigned long long)lines->line + 1, LINE_MAX_BYTES);
            lines->at_end = true;
            return NULL;
        }
        if (!fill(lines)) {
            if (lines->failure[0] || seen == 0)
                return NULL;
            lines->data[lines->end] = '\0'; /* a last line without its break */
            line = lines->data + lines->start;
            lines->start = lines->end;
            break;
        }
    }
    lines->line++;
    return line;
}

const char *gz_lines_failure(const struct gz_lines *lines)
{
    return lines->failure[0] ? lines->failure : NULL;
}

double gz_lines_progress(const struct gz_lines *lines)
{
    double done;

    if (lines->file_bytes == 0)
        return -1;
    done = (double)gzoffset(lines->file) / (double)lines->file_bytes;
    return done < 1 ? done : 1;
}
