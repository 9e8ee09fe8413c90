/* The names of a setting: the flag's, the variable's, and what people make of both. */
#include "shared/base/options_inner.h"
#include "shared/base/options_known.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

const char *option_variable(char out[OPTION_NAME_SIZE], const char *name)
{
    size_t i = 0;

    for (; i < OPTION_NAME_SIZE - 1 && name[i]; i++)
        out[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    out[i] = '\0';
    return out;
}

const char *option_flag(char out[OPTION_NAME_SIZE], const char *variable)
{
    size_t i = 0;

    for (; i < OPTION_NAME_SIZE - 1 && variable[i]; i++)
        out[i] = variable[i] == '_' ? '-' : (char)tolower((unsigned char)variable[i]);
    out[i] = '\0';
    return out;
}

const struct option *option_find(const struct option *options, const char *name, size_t bytes)
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

/* Levenshtein's, row by row; what is longer than any name is cut. */
size_t option_distance(const char *name, const char *other)
{
    size_t row[OPTION_NAME_SIZE];
    size_t bytes = strnlen(other, OPTION_NAME_SIZE - 1);

    for (size_t j = 0; j <= bytes; j++)
        row[j] = j;
    for (size_t i = 1; i < OPTION_NAME_SIZE && name[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= bytes; j++) {
            size_t least = diagonal + (name[i - 1] != other[j - 1]);

            diagonal = row[j];
            if (least > row[j] + 1)
                least = row[j] + 1;
            if (least > row[j - 1] + 1)
                least = row[j - 1] + 1;
            row[j] = least;
        }
    }
    return row[bytes];
}

bool option_is_of(const struct known_option *row, const char *section)
{
    return !*section || strcmp(row->program, section) == 0;
}

const char *option_nearest(const char *name, const char *section)
{
    size_t least = SIZE_MAX;
    const char *found = "";

    for (const struct known_option *row = options_known; row->program; row++) {
        size_t distance;

        if (row->option.flag_only || !option_is_of(row, section))
            continue;
        distance = option_distance(name, row->option.name);
        if (distance < least) {
            least = distance;
            found = row->option.name;
        }
    }
    return found;
}

bool option_is_known(const char *name)
{
    for (const struct known_option *row = options_known; row->program; row++) {
        if (strcmp(row->option.name, name) == 0)
            return true;
    }
    return false;
}
