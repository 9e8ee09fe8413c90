/* quantiles.h: which quantiles are asked for: 0.5,0.95,0.99.
 *
 * Shape    up to QUANTILES_MAX, in the order asked for.
 * Units    millionths, so that what is asked is what is answered, digit by digit.
 * Errors   false, and `out` as it was: not a list of numbers from 0 to 1 of up to six decimals.
 * Owner    plain values.
 */
#ifndef HIGHWATER_QUANTILES_H
#define HIGHWATER_QUANTILES_H

#include "shared/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

enum { QUANTILES_MAX = 16, QUANTILE_ONE = 1000000 };

#define QUANTILES_LEGAL "up to 16 numbers from 0 to 1, with commas, of up to six decimals"

struct quantiles {
    size_t count;
    int millionths[QUANTILES_MAX];
};

bool quantiles_parse(struct quantiles *out, const char *text);

/* As numbers with commas between them. */
void quantiles_put(struct buffer *out, const struct quantiles *quantiles);

#endif
