/* secret.h: passwords stay out of everything that others can read.
 *
 * Shape    A setting that may hold a password, or a text that quotes one, goes through here before it is
 *          printed. What is shown of a URL is what can be told from a password: its scheme and host. A
 *          text that cannot be taken apart is not shown at all: where its password begins is unknown.
 * Errors   none; what does not fit is cut.
 */
#ifndef HIGHWATER_SECRET_H
#define HIGHWATER_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Copies into `out` what may be shown of a URL or connection string, whether it is legal or not, with
 * three asterisks for the rest; returns `out`. */
const char *secret_url(char *out, size_t out_bytes, const char *url);

/* Copies any other value or argument, as it is unless it looks as if it held a password. */
const char *secret_value(char *out, size_t out_bytes, const char *value);

/* Whether a value seems to hold a password: a URL with one before its @, or the word. */
bool secret_is_in(const char *value);

/* Whether what is given as the path of a file that holds a secret can be one: there is such a file, or
 * the folder that it names. Otherwise it may be the secret itself. */
bool secret_is_path(const char *path);

/* Copies it if it can be a path, else three asterisks and why. */
const char *secret_path(char *out, size_t out_bytes, const char *path);

/* Replaces in place: each of `known` (ended by NULL) and whatever stands between :// and @. */
void secret_scrub(char *text, const char *const *known);

/* Returns a copy of an argument, which stays, and overwrites the argument: ps shows it to everybody. */
const char *secret_pop_argument(char *argument);

/* Reads a password from a file, without the line's end; NULL, with the reason, when there is none.
 * `is_open`: anybody may read the file. */
char *secret_read_file(const char *path, bool *is_open, char *reason, size_t reason_bytes);

/* No core dumps, and only root may read our memory and environment. Call first. */
void secret_protect_process(void);

#endif
