/* options_known.h: the settings of all programs, made from their tables when they are built.
 *
 * Shape    rows as in the tables, without targets, in the tables' order, each with its program; the
 *          common ones of options_common.c come after a program's own. Ended by {0}.
 * Use      a file of settings is for all programs, so each of them tells a name that another has from one
 *          that none has, and any can print the file with every setting.
 */
#ifndef HIGHWATER_OPTIONS_KNOWN_H
#define HIGHWATER_OPTIONS_KNOWN_H

#include "shared/base/options.h"

struct known_option {
    const char *program;
    struct option option;
};

extern const struct known_option options_known[];

#endif
