/* options_inner.h: what the files of options know of each other; nobody else includes it. */
#ifndef HIGHWATER_OPTIONS_INNER_H
#define HIGHWATER_OPTIONS_INNER_H

#include "shared/base/buffer.h"
#include "shared/base/options.h"

enum { OPTION_NAME_SIZE = 64, OPTION_LEGAL_SIZE = 256 };

/* What every program has besides its own, ended by {0}: options_common.c. */
extern const struct option options_common[];

struct options_common_given {
    const char *config;
    const char *generate;
    const char *log_level;
};

extern struct options_common_given options_common_given;

/* ---- options_value.c ---- */

/* Stores `text` in the option's target; false when it is not legal. */
bool option_set(const struct option *option, const char *text);

/* What is legal for it, in words. */
const char *option_kind_text(enum option_kind kind);
const char *option_legal_text(char out[OPTION_LEGAL_SIZE], const struct option *option);

/* The bounds alone, such as "from 1s to 1d"; empty when there are none. */
const char *option_range_text(char *out, size_t bytes, const struct option *option);

/* ---- options_name.c ---- */

/* NUM_TOP_DEVICES of num-top-devices. */
const char *option_variable(char out[OPTION_NAME_SIZE], const char *name);

/* The one of that name, with dashes or underscores, or NULL. */
const struct option *option_find(const struct option *options, const char *name, size_t bytes);

/* ---- options_help.c: all that is printed goes to standard output ---- */

/* `options` are the program's and the common ones. */
void options_print_help(const struct program *program, const struct option *options);

/* Lays out `text` in lines of at most `width` bytes with `prefix` before each; any white space in it is
 * a blank. */
void options_put_wrapped(struct buffer *out, const char *text, const char *prefix, size_t width);

/* ---- options_generate.c and the files of what it makes ---- */

/* Prints it; returns the exit status. */
int options_generate(const struct program *program, const struct option *options, const char *what);

void options_put_template(struct buffer *out);
void options_put_man(struct buffer *out, const struct program *program,
                     const struct option *options);
void options_put_completion(struct buffer *out, const struct program *program,
                            const struct option *options);

#endif
