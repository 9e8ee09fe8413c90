/* The file of settings with every one there is, as a comment: what to read, and where to begin. */
#include "shared/base/options_inner.h"
#include "shared/base/options_known.h"

#include <string.h>

enum { WIDTH = 99 };

static const char head[] = "# Settings of highwater-collector, highwater-httpapi and "
                           "highwater-devicesim; each line with one\n"
                           "# is a comment and shows its default. highwater.conf(5) has more.\n"
                           "#\n"
                           "# NAME = value, one a line, with or without quotes around the value. # "
                           "begins a comment where a\n"
                           "# line begins. An empty value sets nothing. Flags (--name) and the "
                           "environment (HIGHWATER_NAME,\n"
                           "# NAME) win over this file. It is read at the start, not with SIGHUP; "
                           "highwater-PROGRAM --check\n"
                           "# says whether all of it is right.\n"
                           "#\n"
                           "# What stands before the first [section] is for every program that has "
                           "such a setting, what stands\n"
                           "# in a section for that program alone, where it wins. So a line at the "
                           "end of this file is in its\n"
                           "# last section. Passwords are better in files of their own, which only "
                           "root and the program can\n"
                           "# read (..._PASSWORD_FILE).\n";

static const char *fallback_of(const struct option *option)
{
    return option->fallback ? option->fallback : "";
}

static bool is_alike(const struct option *a, const struct option *b)
{
    return a->kind == b->kind && strcmp(fallback_of(a), fallback_of(b)) == 0;
}

/* The next one of that name, after or at `row`, of any program. */
static const struct known_option *next_of(const struct known_option *row, const char *name)
{
    while (row->program && (row->option.flag_only || strcmp(row->option.name, name) != 0))
        row++;
    return row->program ? row : NULL;
}

/* Whether one line can set it for several programs: it means the same to each that has it, which two
 * defaults would belie. */
static bool is_common(const char *name)
{
    const struct known_option *first = next_of(options_known, name);
    const struct known_option *row = first;
    size_t count = 0;

    for (; row; row = next_of(row + 1, name)) {
        if (!is_alike(&row->option, &first->option))
            return false;
        count++;
    }
    return count > 1;
}

static void put_programs(struct buffer *out, const char *name)
{
    const char *before = "# for ";

    for (const struct known_option *row = next_of(options_known, name); row;
         row = next_of(row + 1, name)) {
        buffer_printf(out, "%s%s", before, row->program);
        before = ", ";
    }
    buffer_put_text(out, "\n");
}

static void put_option(struct buffer *out, const struct option *option)
{
    char variable[OPTION_NAME_SIZE];
    char range[OPTION_LEGAL_SIZE];

    options_put_wrapped(out, option->help, "# ", WIDTH);
    if (option->kind == OPTION_SWITCH)
        buffer_put_text(out, "# 1 or 0\n");
    else if (*option_range_text(range, sizeof(range), option))
        buffer_printf(out, "# %s\n", range);
    buffer_printf(out, "#%s =%s%s\n", option_variable(variable, option->name),
                  *fallback_of(option) ? " " : "", fallback_of(option));
}

static void put_common(struct buffer *out)
{
    for (const struct known_option *row = options_known; row->program; row++) {
        const char *name = row->option.name;

        if (row->option.flag_only || row != next_of(options_known, name) || !is_common(name))
            continue;
        buffer_put_text(out, "\n");
        put_programs(out, name);
        put_option(out, &row->option);
    }
}

static void put_sections(struct buffer *out)
{
    const char *section = "";

    for (const struct known_option *row = options_known; row->program; row++) {
        if (row->option.flag_only || is_common(row->option.name))
            continue;
        if (strcmp(section, row->program) != 0)
            buffer_printf(out, "\n[%s]\n", row->program);
        section = row->program;
        buffer_put_text(out, "\n");
        put_option(out, &row->option);
    }
}

void options_put_template(struct buffer *out)
{
    buffer_put_text(out, head);
    put_common(out);
    put_sections(out);
}
