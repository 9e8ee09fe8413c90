/* check.h: what --check finds, a line each on standard output.
 *
 * Shape    "ok|warning|error  what: words". A program goes on after an error: whoever has to mend things wants
 *          to see them all.
 * Errors   none; what cannot be seen is \xNN, as in the log.
 */
#ifndef HIGHWATER_CHECK_H
#define HIGHWATER_CHECK_H

enum check_level { CHECK_OK, CHECK_WARNING, CHECK_ERROR };

struct check {
    unsigned errors;
    unsigned warnings;
};

#define CHECK_HELP                                                                                 \
    "try settings, servers, rights and files as a start would,\nchange nothing, print a line for " \
    "each, and exit: 0 = no errors"

void check_say(struct check *check, enum check_level level, const char *what, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

/* Says it in sum; returns the exit status. */
int check_end(const struct check *check);

#endif
