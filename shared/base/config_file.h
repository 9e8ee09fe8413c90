/* config_file.h: a file of settings, taken apart.
 *
 * Shape    A line is blank, a comment (its first visible character is #), a [section], or NAME = value.
 *          Blanks around names and values, a carriage return at a line's end and a byte order mark at the
 *          start of all count for nothing; neither does `export` before a name.
 *          A value is what follows, to the line's end, or stands in "..." or '...' alone. Nothing in it
 *          is special: no escapes, no variables. What another reader of such files (a shell, systemd)
 *          would read in another way is refused rather than guessed at: a blank and # behind an unquoted
 *          value, a backslash in double quotes or at a line's end.
 *          Names come out as flags have them: without HIGHWATER_, in small letters, with dashes.
 * Errors   false, with the line (0: the file itself) and what is wrong there. No value is in it.
 * Owner    entries and their texts are the struct's, until config_file_release().
 */
#ifndef HIGHWATER_CONFIG_FILE_H
#define HIGHWATER_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum { CONFIG_FILE_MOST_BYTES = 1 << 20, CONFIG_FILE_MOST_ENTRIES = 2000, CONFIG_FAULT_SIZE = 200 };

struct config_entry {
    const char *section; /* "" before the first */
    const char *name;
    const char *value; /* "" is an empty one */
    unsigned line;
};

struct config_file {
    char *text;
    struct config_entry *entries;
    size_t count;
    size_t capacity;
    bool is_open; /* anybody may read the file */
};

struct config_fault {
    unsigned line;
    char text[CONFIG_FAULT_SIZE];
};

/* Takes a copy of `bytes` bytes of text. */
bool config_file_parse(struct config_file *out, const char *text, size_t bytes,
                       struct config_fault *fault);

/* The same of a file, which has to be a regular one. */
bool config_file_read(struct config_file *out, const char *path, struct config_fault *fault);

void config_file_release(struct config_file *file);

#endif
