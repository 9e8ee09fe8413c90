/* options.h: settings from flags, environment and a file, and all that is made of the same table: the help,
 * the manual, a file with every setting, completion for a shell.
 *
 * Shape    a table of struct option, ended by {0}. A flag --num-top-devices is the variable
 *          NUM_TOP_DEVICES; the flag wins; an empty variable counts as not set. Underscores in a
 *          flag are read as dashes. --help and --version are always there, and answered whatever else
 *          is given: so neither can be the value of another flag.
 * Units    OPTION_DURATION in microseconds (text as in duration.h), OPTION_BYTES in bytes.
 * Errors   one line on standard error that shows the value and what is legal; exit status 2.
 * Owner    text values point into argv, the environment or the table; a URL that came as a flag is a copy
 *          for good.
 */
#ifndef HIGHWATER_OPTIONS_H
#define HIGHWATER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum option_kind {
    OPTION_TEXT,        /* const char * */
    OPTION_URL,         /* the same; may hold a password, so it is not left for ps to show */
    OPTION_SECRET_FILE, /* const char *; the path of a file with a secret; its name ends with -file */
    OPTION_COUNT,       /* uint64_t */
    OPTION_NUMBER,      /* double */
    OPTION_DURATION,    /* int64_t, microseconds */
    OPTION_BYTES,       /* uint64_t; takes k, M, G, with or without B */
    OPTION_SWITCH       /* bool; the flag alone, or 1/0, true/false, yes/no, on/off */
};

struct option {
    const char *name; /* the flag without its dashes */
    enum option_kind kind;
    void *target;
    const char *fallback; /* as text; NULL leaves the target alone */
    double least;         /* smallest and largest legal value; both 0 = any */
    double most;
    const char *value_name; /* for the help, such as URL */
    const char *help;       /* may have several lines; its first word lower case */
    bool flag_only;         /* no environment variable: an action rather than a setting */
};

enum { PROGRAM_STATUSES = 3 };

/* Texts are laid out where they are shown; each but the first may be NULL. The manual needs them all. */
struct program {
    const char *name;
    const char *summary;                       /* one sentence */
    const char *brief;                         /* what it does, in less than 70 bytes */
    const char *epilogue;                      /* further help, or NULL */
    const char *signals;                       /* what they do */
    const char *exit_status[PROGRAM_STATUSES]; /* what 0, 1 and 2 mean: "when all is done" */
};

/* Fills the targets. Returns -1 to go on, or the exit status with which to end now: 0 after
 * --help and --version (standard output), 2 after a wrong setting. */
int options_parse(const struct program *program, const struct option *options, int argc,
                  char **argv);

/* Says on standard error that the settings are wrong, or strange; with --check as a finding. Returns the exit
 * status. */
int options_fail(const struct program *program, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void options_warn(const struct program *program, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says on standard error that a setting is wrong, in the one form all programs use. Returns the exit status. */
int options_reject(const struct program *program, const char *name, const char *value,
                   const char *legal);

/* The same of a URL or connection string, of which only what cannot be a password is shown. */
int options_reject_url(const struct program *program, const char *name, const char *url,
                       const char *legal);

#endif
