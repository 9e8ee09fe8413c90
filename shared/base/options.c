/* getopt_long knows flags but neither environment, defaults nor help; one table that makes all
 * four keeps them from drifting apart. */
#include "shared/base/check.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/options_inner.h"
#include "shared/base/secret.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef HIGHWATER_VERSION
#define HIGHWATER_VERSION "unversioned"
#endif

enum { SHOWN_MAX_BYTES = 1024, SAID_MAX_BYTES = 4096 };

static bool is_checking; /* --check: what is wrong with settings is a finding like others */

__attribute__((format(printf, 3, 0))) static void
say(const struct program *program, enum check_level level, const char *format, va_list args)
{
    char text[SAID_MAX_BYTES];
    struct check check = {0};

    vsnprintf(text, sizeof(text), format, args);
    if (is_checking)
        check_say(&check, level, "settings", "%s", text);
    else
        fprintf(stderr, "%s%s: %s\n",
                log_mark(level == CHECK_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING), program->name,
                text);
}

int options_fail(const struct program *program, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(program, CHECK_ERROR, format, args);
    va_end(args);
    return is_checking ? 1 : 2;
}

void options_warn(const struct program *program, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(program, CHECK_WARNING, format, args);
    va_end(args);
}

static int reject(const struct program *program, const char *name, const char *shown,
                  const char *legal)
{
    char place[SHOWN_MAX_BYTES];

    return options_fail(program, "%s%s: \"%s\" is not legal: %s",
                        option_place(place, sizeof(place), name), name, shown, legal);
}

int options_reject(const struct program *program, const char *name, const char *value,
                   const char *legal)
{
    static const char *const nothing[] = {NULL};
    char shown[SHOWN_MAX_BYTES];
    char why[SHOWN_MAX_BYTES];

    secret_value(shown, sizeof(shown), value);
    snprintf(why, sizeof(why), "%s", legal);
    if (strcmp(shown, value) != 0)
        secret_scrub(why, nothing); /* it may quote a part of the value */
    return reject(program, name, shown, why);
}

int options_reject_url(const struct program *program, const char *name, const char *url,
                       const char *legal)
{
    char shown[SHOWN_MAX_BYTES];

    return reject(program, name, secret_url(shown, sizeof(shown), url), legal);
}

int option_apply(const struct program *program, const struct option *option, const char *shown,
                 const char *text)
{
    char legal[OPTION_LEGAL_SIZE];

    option_came_from(option->name, NULL, 0);
    if (option_set(option, text))
        return -1;
    return options_reject(program, shown, text, option_legal_text(legal, option));
}

/* A misspelt flag may carry a password: --database-ulr=..., -psecret, or a connection string alone. */
static int reject_argument(const struct program *program, const char *arg)
{
    size_t shown = strncmp(arg, "--", 2) == 0 ? strcspn(arg, "=:@") : *arg == '-' ? 2 : 0;
    char rest[SHOWN_MAX_BYTES];

    if (shown > strlen(arg))
        shown = strlen(arg);
    if (shown > 0)
        snprintf(rest, sizeof(rest), "%s", arg[shown] ? "..." : "");
    else
        strpbrk(arg, "=:") ? secret_url(rest, sizeof(rest), arg)
                           : secret_value(rest, sizeof(rest), arg);
    return options_fail(program, "unknown argument \"%.*s%s\"; --help lists the legal ones",
                        (int)shown, arg, rest);
}

static const char *taken(const struct option *option, char *value)
{
    return option->kind == OPTION_URL ? secret_pop_argument(value) : value;
}

/* Handles argv[*index]; moves the index past a value taken from the next argument. */
static int parse_flag(const struct program *program, const struct option *options, int argc,
                      char **argv, int *index)
{
    const char *arg = argv[*index];
    const char *equals = strchr(arg, '=');
    size_t bytes = equals ? (size_t)(equals - arg) : strlen(arg);
    const struct option *option =
        strncmp(arg, "--", 2) == 0 ? option_find(options, arg + 2, bytes - 2) : NULL;

    if (!option)
        return reject_argument(program, arg);
    if (equals)
        return option_apply(program, option, option->name, taken(option, argv[*index] + bytes + 1));
    if (option->kind == OPTION_SWITCH)
        return option_apply(program, option, option->name, "1");
    if (*index + 1 >= argc)
        return options_fail(program, "--%s needs a value: %s", option->name,
                            option_kind_text(option->kind));
    (*index)++;
    return option_apply(program, option, option->name, taken(option, argv[*index]));
}

/* What `argv` says about `flag`, whatever else is wrong in it: "" for the flag alone, or NULL. */
static const char *asked(char **argv, const char *flag)
{
    size_t bytes = strlen(flag);

    for (char **arg = argv + 1; *argv && *arg; arg++) {
        if (strncmp(*arg, flag, bytes) != 0)
            continue;
        if ((*arg)[bytes] == '=')
            return *arg + bytes + 1;
        if (!(*arg)[bytes])
            return arg[1] ? arg[1] : "";
    }
    return NULL;
}

/* A user who asks for help may ask because a setting is wrong, here or in the environment: so it is
 * looked for before any of them is. */
static int answer_question(const struct program *program, const struct option *options, char **argv)
{
    const char *what = asked(argv, "--generate");

    if (asked(argv, "--help") || asked(argv, "-h")) {
        options_print_help(program, options);
        return 0;
    }
    if (asked(argv, "--version")) {
        printf("%s %s\n", program->name, HIGHWATER_VERSION);
        return 0;
    }
    return what ? options_generate(program, options, what) : -1;
}

/* The program's own options, and the common ones. They are there for as long as the program is. */
static const struct option *with_common(const struct option *options)
{
    static struct option *all;
    size_t own = 0;
    size_t common = 0;

    while (options[own].name)
        own++;
    while (options_common[common].name)
        common++;
    free(all);
    all = mem_calloc(own + common + 1, sizeof(*all));
    memcpy(all, options, own * sizeof(*all));
    memcpy(all + own, options_common, common * sizeof(*all));
    return all;
}

/* The last --config, or HIGHWATER_CONFIG; NULL without either. It is looked for before flags are read, since
 * they win over what is in it. */
static const char *config_path(const struct option *options, int argc, char **argv)
{
    const char *path = getenv(OPTIONS_PREFIX "CONFIG");

    if (path && !*path)
        path = NULL;
    for (int i = 1; i < argc && argv[i]; i++) {
        const char *equals = strchr(argv[i], '=');
        size_t bytes = equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        const struct option *option =
            strncmp(argv[i], "--", 2) == 0 ? option_find(options, argv[i] + 2, bytes - 2) : NULL;
        const char *value = equals ? equals + 1 : argv[i + 1];

        if (option && value && option->target == &options_common_given.config)
            path = value;
        if (option && !equals && option->kind != OPTION_SWITCH)
            i++;
    }
    return path;
}

static int use_common(const struct program *program)
{
    const char *level = options_common_given.log_level;

    if (log_set_level(level))
        return -1;
    return options_reject(program, "log-level", level, "debug, info, warning or error");
}

static void use_defaults(const struct option *options)
{
    for (; options->name; options++) {
        option_came_from(options->name, NULL, 0);
        if (options->fallback)
            option_set(options, options->fallback);
    }
}

int options_parse(const struct program *program, const struct option *options, int argc,
                  char **argv)
{
    const char *path;
    int status;

    options = with_common(options);
    is_checking = asked(argv, "--check") != NULL;
    status = answer_question(program, options, argv);
    if (status >= 0)
        return status;
    use_defaults(options);
    options_use_credentials(options);
    path = config_path(options, argc, argv);
    if (path)
        status = options_read_config(program, options, path);
    if (status < 0)
        status = options_read_environment(program, options);
    for (int i = 1; i < argc && status < 0; i++)
        status = parse_flag(program, options, argc, argv, &i);
    return status < 0 ? use_common(program) : status;
}
