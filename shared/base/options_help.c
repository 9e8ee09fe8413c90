/* --help, and how text for people is laid out. */
#include "shared/base/options_inner.h"

#include <stdio.h>
#include <string.h>

enum { HELP_COLUMN = 34, HELP_WIDTH = 100 };

void options_put_wrapped(struct buffer *out, const char *text, const char *prefix, size_t width)
{
    static const char blanks[] = " \n";
    size_t column = 0;

    for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
        size_t bytes = strcspn(text, blanks);

        if (column > 0 && column + 1 + bytes > width) {
            buffer_put_text(out, "\n");
            column = 0;
        }
        buffer_put_text(out, column == 0 ? prefix : " ");
        buffer_put(out, text, bytes);
        column += (column == 0 ? strlen(prefix) : 1) + bytes;
        text += bytes;
    }
    buffer_put_text(out, "\n");
}

/* One line of help, its text starting in HELP_COLUMN and indented there on every further line. */
static void print_entry(const char *head, const char *text)
{
    int column = printf("  %s", head);

    if (column > HELP_COLUMN - 2) {
        printf("\n");
        column = 0;
    }
    printf("%*s", HELP_COLUMN - column, "");
    for (; *text; text++) {
        if (*text == '\n')
            printf("\n%*s", HELP_COLUMN, "");
        else
            putchar(*text);
    }
    printf("\n");
}

static void print_option(const struct option *option)
{
    bool is_switch = option->kind == OPTION_SWITCH;
    char head[128];
    char text[1024];

    snprintf(head, sizeof(head), "--%s%s%s", option->name, is_switch ? "" : " ",
             is_switch ? "" : option->value_name);
    if (option->fallback && !is_switch && *option->fallback)
        snprintf(text, sizeof(text), "%s\n[default %s%s]", option->help, option->fallback,
                 option->flag_only ? ", flag only" : "");
    else
        snprintf(text, sizeof(text), "%s%s", option->help, option->flag_only ? " (flag only)" : "");
    print_entry(head, text);
}

static void put_exit_status(struct buffer *out, const struct program *program)
{
    struct buffer text = {0};

    buffer_put_text(&text, "Exit status: ");
    for (size_t i = 0; i < PROGRAM_STATUSES; i++)
        buffer_printf(&text, "%s%zu %s", i > 0 ? "; " : "", i, program->exit_status[i]);
    buffer_put_text(&text, ".");
    options_put_wrapped(out, buffer_text(&text), "", HELP_WIDTH);
    buffer_release(&text);
}

static void print_epilogue(const struct program *program)
{
    struct buffer out = {0};

    if (program->epilogue)
        options_put_wrapped(&out, program->epilogue, "", HELP_WIDTH);
    if (program->signals)
        options_put_wrapped(&out, program->signals, "", HELP_WIDTH);
    if (program->exit_status[0])
        put_exit_status(&out, program);
    if (out.bytes > 0)
        printf("\n%s", buffer_text(&out));
    buffer_release(&out);
}

void options_print_help(const struct program *program, const struct option *options)
{
    struct buffer summary = {0};

    options_put_wrapped(&summary, program->summary, "", HELP_WIDTH);
    printf("Usage: %s [options]\n\n%s\nOptions (and the environment variables of the same name, "
           "in capitals, with or without\nHIGHWATER_ before it):\n",
           program->name, buffer_text(&summary));
    buffer_release(&summary);
    for (; options->name; options++)
        print_option(options);
    print_entry("--help", "show this and exit");
    print_entry("--version", "show the version and exit");
    print_epilogue(program);
}
