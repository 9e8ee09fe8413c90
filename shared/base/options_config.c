/* A file of settings, for all programs: each checks all of its names, so that one which nobody has is found
 * by whichever starts first, and takes what is its own. */
#include "shared/base/config_file.h"
#include "shared/base/mem.h"
#include "shared/base/options_inner.h"
#include "shared/base/options_known.h"
#include "shared/base/secret.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LIBPQ "pg" /* what its variables begin with, and no setting does */

enum { SAID_SIZE = 400 };

/* ---- where a value came from ---------------------------------------------------------------- */

static struct origin {
    const char *name;
    const char *path;
    unsigned line;
} *origins;

static size_t origin_count;
static size_t origin_capacity;

static bool is_same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        if (strncasecmp(a, b, 1) != 0 && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
            return false;
    }
    return *a == *b;
}

static struct origin *find_origin(const char *name)
{
    for (size_t i = 0; i < origin_count; i++) {
        if (is_same_name(origins[i].name, name))
            return &origins[i];
    }
    return NULL;
}

void option_came_from(const char *name, const char *path, unsigned line)
{
    struct origin *origin = find_origin(name);

    if (!origin) {
        origins = mem_grow_zeroed(origins, &origin_capacity, origin_count + 1, sizeof(*origins));
        origin = &origins[origin_count++];
    }
    *origin = (struct origin){.name = name, .path = path, .line = line};
}

const char *option_place(char *out, size_t bytes, const char *name)
{
    const struct origin *origin = find_origin(name);

    out[0] = '\0';
    if (origin && origin->line > 0)
        snprintf(out, bytes, "%s:%u: ", origin->path, origin->line);
    return out;
}

/* ---- which names are legal where ------------------------------------------------------------ */

static bool is_program(const char *name)
{
    for (const struct known_option *row = options_known; row->program; row++) {
        if (strcmp(row->program, name) == 0)
            return true;
    }
    return false;
}

static const struct known_option *find(const char *name, const char *section, bool is_flag)
{
    for (const struct known_option *row = options_known; row->program; row++) {
        if (row->option.flag_only == is_flag && option_is_of(row, section) &&
            strcmp(row->option.name, name) == 0)
            return row;
    }
    return NULL;
}

/* What is wrong with a name where it stands; false when nothing is. */
static bool has_fault(const struct config_entry *entry, char said[SAID_SIZE])
{
    const struct known_option *other = find(entry->name, "", false);
    char variable[OPTION_NAME_SIZE];
    char better[OPTION_NAME_SIZE];

    if (find(entry->name, entry->section, false))
        return false;
    option_variable(variable, entry->name);
    if (find(entry->name, entry->section, true))
        snprintf(said, SAID_SIZE, "%s is no setting, only a flag: --%s", variable, entry->name);
    else if (other)
        snprintf(said, SAID_SIZE, "%s has no setting %s, which %s has", entry->section, variable,
                 other->program);
    else if (strncmp(entry->name, LIBPQ, strlen(LIBPQ)) == 0)
        snprintf(said, SAID_SIZE,
                 "%s is a variable of libpq, for the environment; here are DATABASE_URL and "
                 "DATABASE_PASSWORD_FILE",
                 variable);
    else
        snprintf(said, SAID_SIZE, "%s is no setting of %s; the nearest is %s", variable,
                 *entry->section ? entry->section : "any program",
                 option_variable(better, option_nearest(entry->name, entry->section)));
    return true;
}

static bool has_strange_section(const struct config_entry *entry, char said[SAID_SIZE])
{
    int used;

    if (!*entry->section || is_program(entry->section))
        return false;
    used =
        snprintf(said, SAID_SIZE, "no program is called \"%.60s\"; sections are", entry->section);
    for (const struct known_option *row = options_known; row->program; row++) {
        if (row == options_known || strcmp(row[-1].program, row->program) != 0)
            used += snprintf(said + used, SAID_SIZE - (size_t)used, " [%s]", row->program);
    }
    return true;
}

/* ---- the file ------------------------------------------------------------------------------- */

static int reject_line(const struct program *program, const char *path, unsigned line,
                       const char *said)
{
    if (line > 0)
        return options_fail(program, "%s:%u: %s", path, line, said);
    return options_fail(program, "the file \"%s\": %s", path, said);
}

static int check_names(const struct program *program, const struct config_file *file,
                       const char *path)
{
    char said[SAID_SIZE];

    for (size_t i = 0; i < file->count; i++) {
        const struct config_entry *entry = &file->entries[i];

        if (has_strange_section(entry, said) || has_fault(entry, said))
            return reject_line(program, path, entry->line, said);
    }
    return -1;
}

/* As a variable does, an empty value sets nothing. */
static int apply_section(const struct program *program, const struct option *options,
                         const struct config_file *file, const char *path, const char *section)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct config_entry *entry = &file->entries[i];
        const struct option *option;
        char variable[OPTION_NAME_SIZE];
        char legal[OPTION_LEGAL_SIZE];

        if (strcmp(entry->section, section) != 0 || !*entry->value)
            continue;
        option = option_find(options, entry->name, strlen(entry->name));
        if (!option || option->flag_only)
            continue; /* another program's */
        option_came_from(option->name, path, entry->line);
        if (!option_set(option, entry->value))
            return options_reject(program, option_variable(variable, option->name), entry->value,
                                  option_legal_text(legal, option));
    }
    return -1;
}

static void warn_of_secret(const struct program *program, const struct config_file *file,
                           const char *path)
{
    for (size_t i = 0; i < file->count && file->is_open; i++) {
        if (!secret_is_in(file->entries[i].value))
            continue;
        options_warn(program,
                     "%s:%u: this holds a password, and everybody may read the file: chmod o-r, or "
                     "a file of its own",
                     path, file->entries[i].line);
        return;
    }
}

int options_read_config(const struct program *program, const struct option *options,
                        const char *path)
{
    static struct config_file file; /* there for as long as the program is */
    struct config_fault fault;
    int status;

    config_file_release(&file);
    if (!config_file_read(&file, path, &fault))
        return reject_line(program, path, fault.line, fault.text);
    warn_of_secret(program, &file, path);
    status = check_names(program, &file, path);
    if (status < 0)
        status = apply_section(program, options, &file, path, "");
    if (status < 0)
        status = apply_section(program, options, &file, path, program->name);
    return status;
}
