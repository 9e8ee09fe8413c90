/* The names of a setting: the flag's, the variable's, and what people make of both. */
#include "shared/base/options_inner.h"

#include <ctype.h>

const char *option_variable(char out[OPTION_NAME_SIZE], const char *name)
{
    size_t i = 0;

    for (; i < OPTION_NAME_SIZE - 1 && name[i]; i++)
        out[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
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
