#include "devicesim/rows.h"

#include "shared/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { CHUNK_BYTES = 64 * 1024, LINE_MAX_BYTES = 4 * 1024 * 1024 };

bool rows_open(struct rows *rows, const char *path)
{
    struct stat about;

    *rows = (struct rows){0};
    rows->file = gzopen(path, "rb");
    if (!rows->file) {
        snprintf(rows->failure, sizeof(rows->failure), "%s", errno ? strerror(errno) : "no memory");
        return false;
    }
    gzbuffer(rows->file, CHUNK_BYTES);
    if (stat(path, &about) == 0 && S_ISREG(about.st_mode))
        rows->file_bytes = (uint64_t)about.st_size;
    return true;
}

void rows_close(struct rows *rows)
{
    if (rows->file)
        gzclose(rows->file);
    free(rows->data);
    *rows = (struct rows){0};
}

/* Reads more behind what is there; false when there is no more. */
static bool fill(struct rows *rows)
{
    const char *text;
    int code;
    int got;

    if (rows->at_end)
        return false;
    if (rows->start > 0) {
        memmove(rows->data, rows->data + rows->start, rows->end - rows->start);
        rows->end -= rows->start;
        rows->start = 0;
    }
    if (rows->capacity - rows->end < CHUNK_BYTES + 1) {
        rows->capacity = mem_grown(rows->capacity, rows->end + CHUNK_BYTES + 1);
        rows->data = mem_realloc(rows->data, rows->capacity);
    }
    got = gzread(rows->file, rows->data + rows->end, CHUNK_BYTES);
    if (got > 0) {
        rows->end += (size_t)got;
        return true;
    }
    rows->at_end = true;
    text = gzerror(rows->file, &code);
    if (code < 0) /* also at the end of a gzip file that was cut off */
        snprintf(rows->failure, sizeof(rows->failure), "%s",
                 code == Z_ERRNO ? strerror(errno) : text);
    return false;
}

char *rows_next(struct rows *rows)
{
    char *line;
    size_t seen = 0;

    for (;;) {
        char *end = rows->end > rows->start + seen ? memchr(rows->data + rows->start + seen, '\n',
                                                            rows->end - rows->start - seen)
                                                   : NULL;

        if (end) {
            *end = '\0';
            line = rows->data + rows->start;
            rows->start = (size_t)(end - rows->data) + 1;
            break;
        }
        seen = rows->end - rows->start;
        if (seen > LINE_MAX_BYTES) {
            snprintf(rows->failure, sizeof(rows->failure), "line %llu has more than %d bytes",
                     (unsigned long long)rows->line + 1, LINE_MAX_BYTES);
            rows->at_end = true;
            return NULL;
        }
        if (!fill(rows)) {
            if (rows->failure[0] || seen == 0)
                return NULL;
            rows->data[rows->end] = '\0'; /* a last line without its break */
            line = rows->data + rows->start;
            rows->start = rows->end;
            break;
        }
    }
    rows->line++;
    return line;
}

const char *rows_failure(const struct rows *rows)
{
    return rows->failure[0] ? rows->failure : NULL;
}

double rows_progress(const struct rows *rows)
{
    double done;

    if (rows->file_bytes == 0)
        return -1;
    done = (double)gzoffset(rows->file) / (double)rows->file_bytes;
    return done < 1 ? done : 1;
}
