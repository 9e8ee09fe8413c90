/* Each kind first draws a place in [0, 1] of the range, and one function turns that into a value,
 * so rounding and the ends of the range are dealt with once. */
#include "devicesim/signal.h"

#include "shared/base/buffer.h"
#include "shared/base/random.h"
#include "shared/model/feature_words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALK_STEP 0.05           /* of the range, at most */
#define DAILY_NOISE 0.05         /* of the range, either way */
#define SPIKE_CALM 0.2           /* of the range: where the ordinary values are */
#define SPIKE_CHANCE (1.0 / 500) /* of a reading to be an outlier */
#define SPIKE_HEIGHT 0.05        /* of the range, below its top: where outliers are */
#define TWO_PI 6.283185307179586

static const char *const kind_names[SIGNAL_COUNT] = {"uniform", "walk", "daily", "spike"};

bool signal_kind_parse(enum signal_kind *out, const char *text)
{
    for (int kind = 0; kind < SIGNAL_COUNT; kind++) {
        if (strcmp(text, kind_names[kind]) == 0) {
            *out = (enum signal_kind)kind;
            return true;
        }
    }
    return false;
}

static struct signal_range default_range(const char *name)
{
    if (strcmp(name, "pressure") == 0)
        return (struct signal_range){0, 25};
    if (strcmp(name, "temperature") == 0)
        return (struct signal_range){0, 200};
    return (struct signal_range){0, 100};
}

static bool parse_number(double *out, const char *start, const char *end)
{
    char text[32];
    char *stop;

    if (end - start >= (ptrdiff_t)sizeof(text))
        return false;
    memcpy(text, start, (size_t)(end - start));
    text[end - start] = '\0';
    *out = strtod(text, &stop);
    /* Two decimals must still be there at this size. */
    return stop != text && !*stop && fabs(*out) <= 1e12;
}

static bool parse_range(struct signal_range *out, const char *text)
{
    const char *dots = strstr(text, ".."); /* strtod would take "0." and leave ".25" */

    return dots && parse_number(&out->low, text, dots) &&
           parse_number(&out->high, dots + 2, dots + strlen(dots)) && out->low <= out->high;
}

/* Up to the range: a name, and what is said of it in brackets. */
static size_t named_bytes(const char *item, size_t bytes)
{
    size_t at = 0;

    while (at < bytes && item[at] != '=')
        at += item[at] == '[' ? 1 + strcspn(item + at + 1, "]") : 1;
    return at < bytes ? at : bytes;
}

bool signal_ranges_parse(struct signal_ranges *out, const char *text, char *error,
                         size_t error_bytes)
{
    struct signal_ranges parsed = {0};
    struct buffer names = {0};
    char range_texts[FEATURES_MAX][64];
    size_t count = 0;
    bool is_good;

    for (const char *item = text; item && count < FEATURES_MAX; count++) {
        size_t bytes = feature_item_bytes(item);
        size_t name_bytes = named_bytes(item, bytes);

        buffer_put_text(&names, count > 0 ? "," : "");
        buffer_put(&names, item, name_bytes);
        snprintf(range_texts[count], sizeof(range_texts[count]), "%.*s", (int)(bytes - name_bytes),
                 item + name_bytes);
        text = item = item[bytes] ? item + bytes + 1 : NULL;
    }
    if (text) {
        buffer_put_text(&names, ",");
        buffer_put_text(&names, text);
    }
    is_good = features_parse(&parsed.features, buffer_text(&names), error, error_bytes);
    buffer_release(&names);
    if (!is_good)
        return false;
    for (size_t i = 0; i < count; i++) {
        parsed.ranges[i] = default_range(parsed.features.names[i]);
        if (range_texts[i][0] && !parse_range(&parsed.ranges[i], range_texts[i] + 1)) {
            snprintf(error, error_bytes,
                     "the range of %s is not low..high, two numbers of at most 1e12, such as 0..25",
                     parsed.features.names[i]);
            return false;
        }
    }
    *out = parsed;
    return true;
}

/* A place in [0, 1] as a value with two decimals, still inside the range. */
static double placed(const struct signal_range *range, double place)
{
    double value = range->low + place * (range->high - range->low);
    double rounded = round(value * 100) / 100;

    if (rounded < range->low || rounded > range->high)
        return value;
    return rounded + 0.0; /* never -0 */
}

static double walk_on(uint64_t *random, double *walked)
{
    double place = *walked;

    if (isnan(place))
        place = random_unit(random);
    else
        place += (2 * random_unit(random) - 1) * WALK_STEP;
    if (place < 0)
        place = -place;
    if (place > 1)
        place = 2 - place;
    *walked = place;
    return place;
}

static double in_the_day(uint64_t *random, double day)
{
    double noise = (2 * random_unit(random) - 1) * DAILY_NOISE;

    return 0.5 + (0.5 - DAILY_NOISE) * sin(TWO_PI * (day - floor(day))) + noise;
}

static double calm_or_spike(uint64_t *random)
{
    bool spikes = random_unit(random) < SPIKE_CHANCE;
    double place = random_unit(random);

    return spikes ? 1 - SPIKE_HEIGHT * place : SPIKE_CALM * place;
}

double signal_value(enum signal_kind kind, const struct signal_range *range, uint64_t *random,
                    double day, double *walked)
{
    switch (kind) {
    case SIGNAL_WALK:
        return placed(range, walk_on(random, walked));
    case SIGNAL_DAILY:
        return placed(range, in_the_day(random, day));
    case SIGNAL_SPIKE:
        return placed(range, calm_or_spike(random));
    case SIGNAL_UNIFORM:
    case SIGNAL_COUNT:
        break;
    }
    return placed(range, random_unit(random));
}
