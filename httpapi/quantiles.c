#include "httpapi/quantiles.h"

#include <string.h>

/* One number; NULL when it is none. */
static const char *parse_one(int *out, const char *text)
{
    int unit = QUANTILE_ONE;

    if (*text != '0' && *text != '1')
        return NULL;
    *out = (*text++ - '0') * unit;
    if (*text == '.') {
        size_t digits = strspn(++text, "0123456789");

        if (digits < 1 || digits > 6)
            return NULL;
        for (; digits > 0; digits--) {
            unit /= 10;
            *out += (*text++ - '0') * unit;
        }
    }
    return *out <= QUANTILE_ONE ? text : NULL;
}

bool quantiles_parse(struct quantiles *out, const char *text)
{
    struct quantiles found = {0};

    do {
        if (found.count == QUANTILES_MAX)
            return false;
        text = parse_one(&found.millionths[found.count++], text);
        if (!text)
            return false;
    } while (*text++ == ',');
    if (text[-1])
        return false;
    *out = found;
    return true;
}

void quantiles_put(struct buffer *out, const struct quantiles *quantiles)
{
    for (size_t i = 0; i < quantiles->count; i++)
        buffer_printf(out, "%s%d.%06d", i > 0 ? "," : "", quantiles->millionths[i] / QUANTILE_ONE,
                      quantiles->millionths[i] % QUANTILE_ONE);
}
