/* gz_lines.h: the lines of a text file, plain or gzip, one at a time.
 *
 * Errors   gz_lines_open() is false, gz_lines_next() ends early; gz_lines_failure() then says why.
 * Owner    embedded; gz_lines_close() frees the buffer. A line is the caller's to change until
 *          the next.
 * Source   zlib's gzread(), which passes through what is not gzip.
 */
#ifndef HIGHWATER_GZ_LINES_H
#define HIGHWATER_GZ_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gzFile_s;

struct gz_lines {
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

bool gz_lines_open(struct gz_lines *lines, const char *path);
void gz_lines_close(struct gz_lines *lines);

/* The next line without its line break; NULL at the end of the file, or of what can be read. */
char *gz_lines_next(struct gz_lines *lines);

/* NULL when the file was read to its end, as far as it has been read. */
const char *gz_lines_failure(const struct gz_lines *lines);

/* How much of the file has been read, 0 to 1; below 0 when that is not known. */
double gz_lines_progress(const struct gz_lines *lines);

#endif
