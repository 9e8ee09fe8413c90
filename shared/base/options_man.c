/* A program's manual, in roff with the man macros, so that `man` can show it wherever it is installed.
 *
 * The date is that of SOURCE_DATE_EPOCH, where a build says so, and else today's: a manual that is made
 * of tables is as old as the program. */
#include "shared/base/options_inner.h"
#include "shared/base/options_known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef HIGHWATER_VERSION
#define HIGHWATER_VERSION "unversioned"
#endif

enum { WIDTH = 76 };

/* A minus that can be copied, no escape that was not meant. */
static void put_escaped(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '-')
            buffer_put_text(out, "\\-");
        else if (*text == '\\')
            buffer_put_text(out, "\\e");
        else if (*text == '\'')
            buffer_put_text(out, "\\(aq");
        else
            buffer_put(out, text, 1);
    }
}

/* Text in lines. One that begins with a dot would be a macro. */
static void put_text(struct buffer *out, const char *text)
{
    struct buffer escaped = {0};
    struct buffer lines = {0};
    const char *line;

    put_escaped(&escaped, text);
    options_put_wrapped(&lines, buffer_text(&escaped), "", WIDTH);
    line = buffer_text(&lines);
    while (*line) {
        size_t bytes = strcspn(line, "\n") + 1;

        if (*line == '.')
            buffer_put_text(out, "\\&");
        buffer_put(out, line, bytes);
        line += bytes;
    }
    buffer_release(&escaped);
    buffer_release(&lines);
}

static void put_date(struct buffer *out)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t now = epoch && *epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
    char date[16] = "1970-01-01";
    struct tm parts;

    if (gmtime_r(&now, &parts))
        strftime(date, sizeof(date), "%Y-%m-%d", &parts);
    buffer_put_text(out, date);
}

static void put_head(struct buffer *out, const struct program *program)
{
    char capitals[OPTION_NAME_SIZE];

    buffer_printf(out, ".\\\" Made by highwater-%s --generate man.\n.TH HIGHWATER\\-%s 1 \"",
                  program->name, option_variable(capitals, program->name));
    put_date(out);
    buffer_printf(out,
                  "\" \"Highwater %s\" \"Highwater\"\n"
                  ".SH NAME\nhighwater\\-%s \\- ",
                  HIGHWATER_VERSION, program->name);
    put_text(out, program->brief);
    buffer_printf(out,
                  ".SH SYNOPSIS\n.B highwater\\-%s\n.RI [ options ]\n"
                  ".SH DESCRIPTION\n",
                  program->name);
    put_text(out, program->summary);
    if (program->epilogue) {
        buffer_put_text(out, ".PP\n");
        put_text(out, program->epilogue);
    }
}

static void put_entry(struct buffer *out, const char *name, const char *value, const char *text)
{
    buffer_put_text(out, ".TP\n.B");
    if (value)
        buffer_put_text(out, "I");
    buffer_put_text(out, " \\-\\-");
    put_escaped(out, name);
    if (value)
        buffer_printf(out, " \" %s\"", value);
    buffer_put_text(out, "\n");
    put_text(out, text);
}

static void put_option(struct buffer *out, const struct option *option)
{
    struct buffer text = {0};
    char range[OPTION_LEGAL_SIZE];
    bool is_switch = option->kind == OPTION_SWITCH;

    buffer_put_text(&text, option->help);
    if (*option_range_text(range, sizeof(range), option))
        buffer_printf(&text, " (%s)", range);
    if (option->fallback && *option->fallback && !is_switch)
        buffer_printf(&text, " [default %s]", option->fallback);
    if (option->flag_only)
        buffer_put_text(&text, " [flag only]");
    put_entry(out, option->name, is_switch ? NULL : option->value_name, buffer_text(&text));
    buffer_release(&text);
}

static void put_environment(struct buffer *out)
{
    static const char *const others[][2] = {
        {"HIGHWATER_CONFIG", "the file of settings, as if by --config"},
        {"PGHOST, PGUSER, PGPASSWORD and so on",
         "libpq's own, for what DATABASE_URL does not say; see PostgreSQL's manual"},
    };

    buffer_put_text(out, ".SH ENVIRONMENT\n");
    put_text(out, "Each setting is also a variable: its name in capitals, with underscores, and "
                  "HIGHWATER_ before it, such as HIGHWATER_LOG_LEVEL. The name alone, LOG_LEVEL, "
                  "is read where that is not set. An empty variable counts as not set. Flags win "
                  "over variables, and these over the file of settings.");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        buffer_put_text(out, ".TP\n.B ");
        put_escaped(out, others[i][0]);
        buffer_put_text(out, "\n");
        put_text(out, others[i][1]);
    }
}

static void put_others(struct buffer *out, const struct program *program)
{
    const char *seen = program->name;

    for (const struct known_option *row = options_known; row->program; row++) {
        if (strcmp(row->program, program->name) == 0 || strcmp(row->program, seen) == 0)
            continue;
        seen = row->program;
        buffer_printf(out, ",\n.BR highwater\\-%s (1)", seen);
    }
}

static void put_end(struct buffer *out, const struct program *program)
{
    buffer_put_text(out, ".SH FILES\n.TP\n.I /etc/highwater/highwater.conf\n");
    put_text(out, "settings; read where --config or HIGHWATER_CONFIG says so, as the systemd "
                  "units do. See highwater.conf(5).");
    buffer_put_text(out, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < PROGRAM_STATUSES; i++) {
        buffer_printf(out, ".TP\n.B %zu\n", i);
        put_text(out, program->exit_status[i]);
    }
    buffer_put_text(out, ".SH SIGNALS\n");
    put_text(out, program->signals);
    buffer_put_text(out, ".SH SEE ALSO\n"
                         ".BR highwater (7),\n"
                         ".BR highwater.conf (5)");
    put_others(out, program);
    buffer_put_text(out, "\n");
}

void options_put_man(struct buffer *out, const struct program *program,
                     const struct option *options)
{
    put_head(out, program);
    buffer_put_text(out, ".SH OPTIONS\n");
    for (; options->name; options++)
        put_option(out, options);
    put_entry(out, "help", NULL, "show all this in short, and exit");
    put_entry(out, "version", NULL, "show the version, and exit");
    put_environment(out);
    put_end(out, program);
}
