#include "shared/net/accept.h"

#include <string.h>
#include <strings.h>

/* One element of the list, cut at its comma: the range and its weight in thousandths. */
struct range {
    const char *text;
    size_t bytes;
    int weight;
};

static size_t trimmed(const char *text, size_t bytes)
{
    while (bytes > 0 && (text[bytes - 1] == ' ' || text[bytes - 1] == '\t'))
        bytes--;
    return bytes;
}

/* 0.8 -> 800, 1 -> 1000; -1 when it is no weight. */
static int parse_weight(const char *text, size_t bytes)
{
    int weight = 0;
    int scale = 1000;

    for (size_t i = 0; i < bytes; i++) {
        if (i == 1 && text[i] == '.')
            continue;
        if (text[i] < '0' || text[i] > '9' || i > 4)
            return -1;
        weight += (text[i] - '0') * scale;
        scale /= 10;
    }
    return bytes > 0 && weight <= 1000 ? weight : -1;
}

static bool next_range(const char **at, struct range *out)
{
    const char *element = *at + strspn(*at, ", \t");
    size_t length = strcspn(element, ",");
    size_t head = strcspn(element, ",;");

    if (!*element)
        return false;
    *at = element + length;
    out->text = element;
    out->bytes = trimmed(element, head);
    out->weight = 1000;
    while (head < length) {
        const char *parameter = element + head + 1;
        size_t bytes;

        parameter += strspn(parameter, " \t");
        bytes = trimmed(parameter, strcspn(parameter, ",;"));
        if (bytes > 2 && strncasecmp(parameter, "q=", 2) == 0) {
            int weight = parse_weight(parameter + 2, bytes - 2);

            out->weight = weight < 0 ? 1000 : weight;
        }
        head = (size_t)(parameter - element) + strcspn(parameter, ",;");
    }
    return true;
}

/* How exactly the range names the type: 0 not at all, 1 by star, 2 by its family, 3 by name. */
static int precision(const struct range *range, const char *type)
{
    size_t family = strcspn(type, "/") + 1;

    if (range->bytes == 3 && strncmp(range->text, "*/*", 3) == 0)
        return 1;
    if (range->bytes == family + 1 && range->text[family] == '*' &&
        strncasecmp(range->text, type, family) == 0)
        return 2;
    if (range->bytes == strlen(type) && strncasecmp(range->text, type, range->bytes) == 0)
        return 3;
    return 0;
}

static int weight_of(const char *accept, const char *type)
{
    struct range range;
    int best = 0;
    int weight = 0;

    while (next_range(&accept, &range)) {
        int found = precision(&range, type);

        if (found > best) {
            best = found;
            weight = range.weight;
        }
    }
    return weight;
}

int accept_choose(const char *accept, const char *const *offered, size_t count)
{
    int best = -1;
    int best_weight = 0;

    if (!accept || !accept[strspn(accept, ", \t")])
        return 0;
    for (size_t i = 0; i < count; i++) {
        int weight = weight_of(accept, offered[i]);

        if (weight > best_weight) {
            best = (int)i;
            best_weight = weight;
        }
    }
    return best;
}

bool accept_takes_gzip(const char *accept_encoding)
{
    struct range range;
    bool takes = false;

    while (accept_encoding && next_range(&accept_encoding, &range)) {
        if (range.bytes == 4 && strncasecmp(range.text, "gzip", 4) == 0)
            return range.weight > 0;
        if (range.bytes == 1 && range.text[0] == '*')
            takes = range.weight > 0;
    }
    return takes;
}
