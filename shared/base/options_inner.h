/* options_inner.h: what the files of options know of each other; nobody else includes it. */
#ifndef HIGHWATER_OPTIONS_INNER_H
#define HIGHWATER_OPTIONS_INNER_H

#include "shared/base/buffer.h"
#include "shared/base/options.h"

#define OPTIONS_PREFIX "HIGHWATER_"

enum { OPTION_NAME_SIZE = 64, OPTION_LEGAL_SIZE = 256 };

struct known_option;

/* What every program has besides its own, ended by {0}: options_common.c. */
extern const struct option options_common[];

struct options_common_given {
    const char *config;
    const char *generate;
    const char *log_level;
};

extern struct options_common_given options_common_given;

/* ---- options.c ---- */

/* Sets it to what a flag or variable of the name `shown` says. Returns -1, or 2 after saying that it is not
 * legal. */
int option_apply(const struct program *program, const struct option *option, const char *shown,
                 const char *text);

/* ---- options_environment.c ---- */

/* Sets what variables say. Returns -1, or the exit status. */
int options_read_environment(const struct program *program, const struct option *options);

/* Sets the files of secrets to those that systemd has for the program, where there are such. */
void options_use_credentials(const struct option *options);

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

/* And back. */
const char *option_flag(char out[OPTION_NAME_SIZE], const char *variable);

/* The one of that name, with dashes or underscores, or NULL. */
const struct option *option_find(const struct option *options, const char *name, size_t bytes);

/* How many letters to add, remove or replace make one of the other. */
size_t option_distance(const char *name, const char *other);

/* Whether a row is of the program, or with "" of any. */
bool option_is_of(const struct known_option *row, const char *program);

/* The setting of the program, or with "" of any, whose name is nearest. */
const char *option_nearest(const char *name, const char *program);

/* Whether any program has a flag of that name. */
bool option_is_known(const char *name);

/* ---- options_config.c ---- */

/* Sets what the file says for this program. Returns -1, or the exit status after a line that says what is
 * wrong. The file's text stays, for options point into it. */
int options_read_config(const struct program *program, const struct option *options,
                        const char *path);

/* Where the value of an option came from, for whoever finds later that it is wrong: a line of a file,
 * or with a line of 0 from somewhere that its name says. */
void option_came_from(const char *name, const char *path, unsigned line);

/* "FILE:LINE: " or "" of an option, by the name of the flag or of the variable. */
const char *option_place(char *out, size_t bytes, const char *name);

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
