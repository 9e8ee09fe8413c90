/* problem.h: what was wrong, as people and programs can read it.
 *
 * Shape    application/problem+json: type, title, status, detail; for a parameter also its name, the
 *          value that came and what is legal.
 * Errors   none; texts that do not fit are cut.
 * Owner    plain value.
 * Source   RFC 9457.
 */
#ifndef HIGHWATER_PROBLEM_H
#define HIGHWATER_PROBLEM_H

#include "shared/base/buffer.h"

#include <stddef.h>

struct problem {
    int status;
    unsigned retry_after_s; /* 0 = repeating it will not help */
    char parameter[64];     /* "" = it is about no parameter */
    char value[160];        /* escaped: printable ASCII */
    char legal[400];
    char detail[700];
};

void problem_set(struct problem *problem, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A 400 about a parameter. `legal` completes "legal is ...". */
void problem_set_parameter(struct problem *problem, const char *parameter, const char *value,
                           size_t value_bytes, const char *legal);

/* A 400 about a parameter that did not come. */
void problem_set_missing(struct problem *problem, const char *parameter, const char *legal);

/* A 503: what is missing, and when to come again. */
void problem_set_unavailable(struct problem *problem, unsigned retry_after_s, const char *format,
                             ...) __attribute__((format(printf, 3, 4)));

void problem_write(struct buffer *out, const struct problem *problem);

#endif
