/* The text is copied once and cut up in place; entries point into it. */
#include "shared/base/config_file.h"

#include "shared/base/mem.h"
#include "shared/base/regular_file.h"
#include "shared/base/trim.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define BLANKS " \t"
#define PREFIX "highwater-"
#define EXPORT "export"

static bool fail(struct config_fault *fault, const char *text)
{
    snprintf(fault->text, sizeof(fault->text), "%s", text);
    return false;
}

/* As flags are written. False when it is no name. */
static bool make_name(char **name)
{
    char *at = *name;

    if (!*at)
        return false;
    for (; *at; at++) {
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-')
            return false;
        *at = *at == '_' ? '-' : (char)tolower((unsigned char)*at);
    }
    if (strncmp(*name, PREFIX, strlen(PREFIX)) == 0)
        *name += strlen(PREFIX);
    return **name != '\0';
}

/* Takes the quotes off a value, in place. */
static bool make_value(char **value, struct config_fault *fault)
{
    char *text = *value;
    size_t bytes = strlen(text);
    char quote = *text;
    char *end;

    if (quote != '"' && quote != '\'') {
        if (strstr(text, " #") || strstr(text, "\t#"))
            return fail(fault, "a blank and # in a value: a comment has a line of its own, and a "
                               "value that has them stands in quotes");
        if (bytes > 0 && text[bytes - 1] == '\\')
            return fail(fault, "a backslash at the end: a value stands in one line");
        return true;
    }
    end = strchr(text + 1, quote);
    if (!end)
        return fail(fault, "the quote at the value's start is not closed");
    if (end[1])
        return fail(fault, "something follows the quote that closes the value");
    *end = '\0';
    *value = text + 1;
    if (quote == '"' && strchr(*value, '\\'))
        return fail(fault, "a backslash in double quotes: in single ones it is itself");
    return true;
}

static bool add(struct config_file *file, const struct config_entry *entry,
                struct config_fault *fault)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct config_entry *other = &file->entries[i];

        if (strcmp(other->section, entry->section) == 0 && strcmp(other->name, entry->name) == 0) {
            snprintf(fault->text, sizeof(fault->text), "%.60s stands in line %u, too", entry->name,
                     other->line);
            return false;
        }
    }
    if (file->count == CONFIG_FILE_MOST_ENTRIES)
        return fail(fault, "more settings than there are");
    file->entries =
        mem_grow_zeroed(file->entries, &file->capacity, file->count + 1, sizeof(*file->entries));
    file->entries[file->count++] = *entry;
    return true;
}

static bool parse_setting(struct config_file *file, const char *section, char *line,
                          struct config_fault *fault)
{
    struct config_entry entry = {.section = section, .line = fault->line};
    char *equals = strchr(line, '=');
    char *name = line;
    char *value;

    if (strncmp(name, EXPORT, strlen(EXPORT)) == 0 && strchr(BLANKS, name[strlen(EXPORT)]))
        name += strlen(EXPORT);
    if (equals) {
        *equals = '\0';
        name = trim(name, BLANKS);
    }
    if (!equals || !make_name(&name))
        return fail(fault,
                    "this is neither NAME = value nor [section] nor a comment with # before it");
    value = trim(equals + 1, BLANKS);
    if (!make_value(&value, fault))
        return false;
    entry.name = name;
    entry.value = value;
    return add(file, &entry, fault);
}

static bool is_text(const char *line, size_t bytes, struct config_fault *fault)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)line[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            snprintf(fault->text, sizeof(fault->text), "a control character (0x%02x)", c);
            return false;
        }
    }
    return true;
}

static bool parse_line(struct config_file *file, const char **section, char *line,
                       struct config_fault *fault)
{
    size_t bytes;

    line = trim(line, BLANKS);
    bytes = strlen(line);
    if (*line == '\0' || *line == '#')
        return true;
    if (*line != '[')
        return parse_setting(file, *section, line, fault);
    if (line[bytes - 1] != ']')
        return fail(fault, "a [section] ends with ] and stands alone");
    line[bytes - 1] = '\0';
    *section = trim(line + 1, BLANKS);
    return **section || fail(fault, "a [section] has the name of a program");
}

bool config_file_parse(struct config_file *out, const char *text, size_t bytes,
                       struct config_fault *fault)
{
    static const char mark[] = "\xef\xbb\xbf";
    const char *section = "";
    char *at;
    char *end;

    *out = (struct config_file){.text = mem_alloc(bytes + 1)};
    *fault = (struct config_fault){0};
    memcpy(out->text, text, bytes);
    end = out->text + bytes;
    *end = '\0';
    at = out->text;
    if (bytes >= strlen(mark) && memcmp(at, mark, strlen(mark)) == 0)
        at += strlen(mark);
    while (at < end) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        char *stop = newline ? newline : end;
        char *last = stop > at && stop[-1] == '\r' ? stop - 1 : stop;

        fault->line++;
        *last = '\0';
        if (!is_text(at, (size_t)(last - at), fault) || !parse_line(out, &section, at, fault)) {
            config_file_release(out);
            return false;
        }
        at = stop + 1;
    }
    return true;
}

static char *read_whole(int fd, size_t *bytes, struct config_fault *fault)
{
    char *text = mem_alloc(CONFIG_FILE_MOST_BYTES + 1);

    *bytes = 0;
    for (;;) {
        ssize_t got = read(fd, text + *bytes, CONFIG_FILE_MOST_BYTES + 1 - *bytes);

        if (got > 0)
            *bytes += (size_t)got;
        else if (got == 0 || errno != EINTR) {
            if (got == 0 && *bytes <= CONFIG_FILE_MOST_BYTES)
                return text;
            fail(fault, got == 0 ? "it has more than 1 MB, and so no settings" : strerror(errno));
            free(text);
            return NULL;
        }
    }
}

bool config_file_read(struct config_file *out, const char *path, struct config_fault *fault)
{
    struct stat status = {0};
    const char *flaw;
    int fd = regular_file_open(path, &status, &flaw);
    char *text;
    size_t bytes;
    bool is_read;

    *fault = (struct config_fault){0};
    if (fd < 0)
        return fail(fault, flaw);
    text = read_whole(fd, &bytes, fault);
    close(fd);
    if (!text)
        return false;
    is_read = config_file_parse(out, text, bytes, fault);
    free(text);
    out->is_open = is_read && (status.st_mode & S_IROTH) != 0;
    return is_read;
}

void config_file_release(struct config_file *file)
{
    free(file->text);
    free(file->entries);
    *file = (struct config_file){0};
}
