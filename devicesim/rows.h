/* rows.h: the lines of a text file, plain or gzip, one at a time.
 *
 * Errors   rows_open() is false, rows_next() ends early; rows_failure() then says why.
 * Owner    embedded; rows_close() frees the buffer. A line is the caller's to change until the
 * next.
 * Source   zlib's gzread(), which passes through what is not gzip.
 */
#ifndef HIGHWATER_ROWS_H
#define HIGHWATER_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gzFile_s;

struct rows {
    struct gzFile_s *file;
    char *data;
    size_t capacity;
    size_t start; /* of what has not been given out */
    size_t end;
    bool at_end;
    uint64_t line;       /* number of the last one given out, from 1 */
    uint64_t file_bytes; /* size on disk; 0 when it is no regular file */
    char failure[128];
};

bool rows_open(struct rows *rows, const char *path);
void rows_close(struct rows *rows);

/* The next line without its line break; NULL at the end of the file, or of what can be read. */
char *rows_next(struct rows *rows);

/* NULL when the file was read to its end, as far as it has been read. */
const char *rows_failure(const struct rows *rows);

/* How much of the file has been read, 0 to 1; below 0 when that is not known. */
double rows_progress(const struct rows *rows);

#endif
