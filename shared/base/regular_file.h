/* regular_file.h: files that can be read without waiting.
 *
 * Why      settings and secrets are read at a start and, many of them, again while the loop runs. A FIFO would be
 *          waited for, perhaps for ever, and a device has no end.
 * Errors   -1, and `flaw` says why in a few words: a text that stays valid until the next call.
 */
#ifndef HIGHWATER_REGULAR_FILE_H
#define HIGHWATER_REGULAR_FILE_H

#include <sys/stat.h>

/* A descriptor to read the file by, and what is known of it. */
int regular_file_open(const char *path, struct stat *status, const char **flaw);

#endif
