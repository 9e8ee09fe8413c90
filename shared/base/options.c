/* getopt_long knows flags but neither environment, defaults nor help; one table that makes all
 * four keeps them from drifting apart. */
#include "shared/base/options.h"

#include "shared/base/duration.h"
#include "shared/base/secret.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef HIGHWATER_VERSION
#define HIGHWATER_VERSION "unversioned"
#endif

enum { NAME_MAX_BYTES = 64, HELP_COLUMN = 34, SHOWN_MAX_BYTES = 1024 };

static int reject(const struct program *program, const char *name, const char *shown,
                  const char *legal)
{
    fprintf(stderr, "%s: %s: \"%s\" is not legal: %s\n", program->name, name, shown, legal);
    return 2;
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

static void variable_name(char *out, const char *name)
{
    size_t i = 0;

    for (; i < NAME_MAX_BYTES - 1 && name[i]; i++)
        out[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    out[i] = '\0';
}

static const char *kind_text(enum option_kind kind)
{
    switch (kind) {
    case OPTION_TEXT:
    case OPTION_URL:
        return "text";
    case OPTION_COUNT:
        return "a whole number";
    case OPTION_NUMBER:
        return "a number";
    case OPTION_DURATION:
        return "a duration such as 10ms, 5s, 1h";
    case OPTION_BYTES:
        return "a size such as 65536, 64k, 256MB, 1G";
    case OPTION_SWITCH:
        return "one of 1, 0, true, false, yes, no, on, off";
    }
    return "";
}

/* In the largest unit that leaves a whole number. */
static void bytes_text(char *out, size_t bytes, double bound)
{
    static const char *const units[] = {"", "k", "M", "G"};
    size_t unit = 0;

    while (unit < 3 && bound >= 1024 && fmod(bound, 1024) == 0) {
        bound /= 1024;
        unit++;
    }
    snprintf(out, bytes, "%.15g%s", bound, units[unit]);
}

static void bound_text(char *out, size_t bytes, enum option_kind kind, double bound)
{
    if (kind == OPTION_DURATION)
        snprintf(out, bytes, "%.15gs", bound / 1e6);
    else if (kind == OPTION_BYTES)
        bytes_text(out, bytes, bound);
    else
        snprintf(out, bytes, "%.15g", bound);
}

static void legal_text(char *out, size_t bytes, const struct option *option)
{
    char least[32];
    char most[32];

    bound_text(least, sizeof(least), option->kind, option->least);
    bound_text(most, sizeof(most), option->kind, option->most);
    if (option->least != 0 || option->most != 0)
        snprintf(out, bytes, "%s from %s to %s", kind_text(option->kind), least, most);
    else
        snprintf(out, bytes, "%s", kind_text(option->kind));
}

static bool in_range(const struct option *option, double value)
{
    if (option->least == 0 && option->most == 0)
        return true;
    return value >= option->least && value <= option->most;
}

static bool parse_whole(uint64_t *out, const char *text, char **end)
{
    if (!isdigit((unsigned char)*text))
        return false;
    *out = strtoull(text, end, 10);
    return *out < (UINT64_C(1) << 53);
}

/* 65536, 64k, 64kB, 64KiB; a k is always 1024. */
static bool parse_bytes(uint64_t *out, const char *text)
{
    static const char units[] = "kMG";
    uint64_t factor = 1;
    const char *unit;
    char *end;

    if (!parse_whole(out, text, &end))
        return false;
    unit = *end ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;
    if (unit) {
        factor <<= 10 * (unit - units + 1);
        end++;
        if (strncmp(end, "iB", 2) == 0)
            end++;
    }
    if (*end == 'B')
        end++;
    if (*end || *out > UINT64_MAX / factor)
        return false;
    *out *= factor;
    return true;
}

static bool parse_switch(bool *out, const char *text)
{
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

/* Stores `text` in the option's target; false when it is not legal. */
static bool set_value(const struct option *option, const char *text)
{
    uint64_t count;
    int64_t duration;
    double number;
    char *end = NULL;

    switch (option->kind) {
    case OPTION_TEXT:
    case OPTION_URL:
        *(const char **)option->target = text;
        return true;
    case OPTION_COUNT:
        if (!parse_whole(&count, text, &end) || *end || !in_range(option, (double)count))
            return false;
        *(uint64_t *)option->target = count;
        return true;
    case OPTION_NUMBER:
        number = strtod(text, &end);
        if (end == text || *end || !isfinite(number) || !in_range(option, number))
            return false;
        *(double *)option->target = number;
        return true;
    case OPTION_DURATION:
        if (!duration_parse(&duration, text) || !in_range(option, (double)duration))
            return false;
        *(int64_t *)option->target = duration;
        return true;
    case OPTION_BYTES:
        if (!parse_bytes(&count, text) || !in_range(option, (double)count))
            return false;
        *(uint64_t *)option->target = count;
        return true;
    case OPTION_SWITCH:
        return parse_switch(option->target, text);
    }
    return false;
}

static int apply(const struct program *program, const struct option *option, const char *shown,
                 const char *text)
{
    char legal[256];

    if (set_value(option, text))
        return -1;
    legal_text(legal, sizeof(legal), option);
    return options_reject(program, shown, text, legal);
}

static const struct option *find(const struct option *options, const char *name, size_t bytes)
{
    for (; options->name; options++) {
        size_t i = 0;

        while (i < bytes && options->name[i] &&
               (options->name[i] == name[i] || (options->name[i] == '-' && name[i] == '_')))
            i++;
        if (i == bytes && !options->name[i])
            return options;
    }
    return NULL;
}

/* One line of help, its text starting in HELP_COLUMN and indented there on every further line. */
static void print_help_entry(const char *head, const char *text)
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

static void print_help(const struct program *program, const struct option *options)
{
    printf("Usage: %s [options]\n\n%s\n\nOptions (and the environment variables of the same name, "
           "in capitals):\n",
           program->name, program->summary);
    for (; options->name; options++) {
        char head[128];
        char text[1024];
        char variable[NAME_MAX_BYTES];

        snprintf(head, sizeof(head), "--%s%s%s", options->name,
                 options->kind == OPTION_SWITCH ? "" : " ",
                 options->kind == OPTION_SWITCH ? "" : options->value_name);
        variable_name(variable, options->name);
        if (options->fallback && options->kind != OPTION_SWITCH && *options->fallback)
            snprintf(text, sizeof(text), "%s\n[default %s%s]", options->help, options->fallback,
                     options->flag_only ? ", flag only" : "");
        else
            snprintf(text, sizeof(text), "%s%s", options->help,
                     options->flag_only ? " (flag only)" : "");
        print_help_entry(head, text);
    }
    print_help_entry("--help", "show this and exit");
    print_help_entry("--version", "show the version and exit");
    if (program->epilogue)
        printf("\n%s\n", program->epilogue);
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
    fprintf(stderr, "%s: unknown argument \"%.*s%s\"; --help lists the legal ones\n", program->name,
            (int)shown, arg, rest);
    return 2;
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
        strncmp(arg, "--", 2) == 0 ? find(options, arg + 2, bytes - 2) : NULL;

    if (!option)
        return reject_argument(program, arg);
    if (equals)
        return apply(program, option, option->name, taken(option, argv[*index] + bytes + 1));
    if (option->kind == OPTION_SWITCH)
        return apply(program, option, option->name, "1");
    if (*index + 1 >= argc) {
        fprintf(stderr, "%s: --%s needs a value: %s\n", program->name, option->name,
                kind_text(option->kind));
        return 2;
    }
    (*index)++;
    return apply(program, option, option->name, taken(option, argv[*index]));
}

/* A user who asks for help may ask because a setting is wrong, here or in the environment: so it is
 * looked for before any of them is. */
static int answer_question(const struct program *program, const struct option *options, int argc,
                           char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(program, options);
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("%s %s\n", program->name, HIGHWATER_VERSION);
            return 0;
        }
    }
    return -1;
}

int options_parse(const struct program *program, const struct option *options, int argc,
                  char **argv)
{
    int status = answer_question(program, options, argc, argv);

    for (const struct option *option = options; option->name && status < 0; option++) {
        char variable[NAME_MAX_BYTES];
        const char *text;

        if (option->fallback)
            set_value(option, option->fallback);
        if (option->flag_only)
            continue;
        variable_name(variable, option->name);
        text = getenv(variable);
        if (text && *text)
            status = apply(program, option, variable, text);
    }
    for (int i = 1; i < argc && status < 0; i++)
        status = parse_flag(program, options, argc, argv, &i);
    return status;
}
