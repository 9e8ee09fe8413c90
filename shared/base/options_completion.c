/* Completion for bash: flags, and the values that can be listed. It is loaded by name, from
 * /usr/share/bash-completion/completions/highwater-PROGRAM, and needs nothing of bash-completion. */
#include "shared/base/options_inner.h"

#include <string.h>

/* A value of few words. Which they are is said in help, for people, and checked where it is used. */
static const struct listed {
    const char *name;
    const char *words;
} listed[] = {{"generate", "config man bash-completion"},
              {"log-level", "debug info warning error"},
              {"mqtt-version", "5 3.1.1"},
              {"partition", "day week month"}};

enum { LISTED_COUNT = sizeof(listed) / sizeof(listed[0]) };

static bool is_file(const struct option *option)
{
    return option->value_name && strcmp(option->value_name, "FILE") == 0;
}

static bool is_listed(const struct option *option)
{
    for (size_t i = 0; i < LISTED_COUNT; i++) {
        if (strcmp(option->name, listed[i].name) == 0)
            return true;
    }
    return false;
}

static bool is_other(const struct option *option)
{
    return option->kind != OPTION_SWITCH && !is_file(option) && !is_listed(option);
}

static bool is_any(const struct option *option)
{
    return option != NULL;
}

static void put_flags(struct buffer *out, const struct option *options,
                      bool (*is_wanted)(const struct option *), const char *between)
{
    const char *before = "";

    for (; options->name; options++) {
        if (!is_wanted(options))
            continue;
        buffer_printf(out, "%s--%s", before, options->name);
        before = between;
    }
}

static void put_listed(struct buffer *out, const struct option *options)
{
    for (size_t i = 0; i < LISTED_COUNT; i++) {
        if (option_find(options, listed[i].name, strlen(listed[i].name)))
            buffer_printf(out,
                          "        --%s)\n"
                          "            mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$word\")\n"
                          "            return\n"
                          "            ;;\n",
                          listed[i].name, listed[i].words);
    }
}

void options_put_completion(struct buffer *out, const struct program *program,
                            const struct option *options)
{
    buffer_printf(out,
                  "# highwater-%s and bash; made by highwater-%s --generate bash-completion\n\n"
                  "_highwater_%s()\n"
                  "{\n"
                  "    local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]}\n"
                  "\n"
                  "    COMPREPLY=()\n"
                  "    # --flag=value comes as three words\n"
                  "    [[ $word == \"=\" ]] && word=\n"
                  "    [[ $flag == \"=\" ]] && flag=${COMP_WORDS[COMP_CWORD-2]}\n"
                  "    case $flag in\n",
                  program->name, program->name, program->name);
    put_listed(out, options);
    buffer_put_text(out, "        ");
    put_flags(out, options, is_file, " | ");
    buffer_put_text(out, ")\n"
                         "            compopt -o filenames\n"
                         "            mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
                         "            return\n"
                         "            ;;\n"
                         "        ");
    put_flags(out, options, is_other, " | ");
    buffer_put_text(out, ")\n"
                         "            return\n"
                         "            ;;\n"
                         "    esac\n"
                         "    mapfile -t COMPREPLY < <(compgen -W '");
    put_flags(out, options, is_any, " ");
    buffer_printf(out,
                  " --help --version' -- \"$word\")\n"
                  "}\n\n"
                  "complete -F _highwater_%s highwater-%s\n",
                  program->name, program->name);
}
