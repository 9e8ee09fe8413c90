#include "collector/suggest/feature_names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TEXT_SIZE = 256 };

/* Temperature and CO2, but not batteryLow or mV. */
static bool is_plain_capitals(const char *text, size_t bytes)
{
    bool has_lower = false;
    bool has_upper = false;

    for (size_t i = 0; i < bytes; i++) {
        has_lower |= islower((unsigned char)text[i]) != 0;
        has_upper |= i > 0 && isupper((unsigned char)text[i]);
    }
    return !has_lower || !has_upper;
}

/* One step of a pointer, as far as a name may have it. */
static void put_step(char *out, const char *step, size_t bytes)
{
    size_t used = strlen(out);
    bool is_lowered = is_plain_capitals(step, bytes);

    for (size_t i = 0; i < bytes && used + 1 < TEXT_SIZE; i++) {
        unsigned char c = (unsigned char)step[i];

        if (c == '~' && i + 1 < bytes)
            i++;
        if (isalnum(c) && c < 128)
            out[used++] = (char)(is_lowered ? tolower(c) : c);
        else if (used > 0 && out[used - 1] != '_')
            out[used++] = '_';
    }
    while (used > 0 && out[used - 1] == '_')
        used--;
    out[used] = '\0';
}

static bool says_nothing(const char *step, size_t bytes)
{
    static const char *const words[] = {"value", "val", "v",    "total",
                                        "today", "now", "last", "raw"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == bytes && strncasecmp(words[i], step, bytes) == 0)
            return true;
    }
    return strspn(step, "0123456789") >= bytes;
}

/* The last `steps` of them that are names. True when there are no more. */
static bool name_of(char out[TEXT_SIZE], const char *text, size_t steps)
{
    const char *from[32];
    size_t bytes[32];
    size_t count = 0;

    for (const char *at = text; *at && count < 32;) {
        at += *at == '/';
        bytes[count] = strcspn(at, "/");
        from[count] = at;
        at += bytes[count];
        if (bytes[count] > 0 && *from[count] != '*')
            count++;
    }
    out[0] = '\0';
    for (size_t i = count > steps ? count - steps : 0; i < count; i++) {
        size_t used = strlen(out);

        if (used > 0 && used + 1 < TEXT_SIZE)
            memcpy(out + used, "_", 2);
        put_step(out, from[i], bytes[i]);
    }
    return steps >= count;
}

static size_t steps_at_first(const char *text)
{
    const char *last = strrchr(text, '/');

    return last && last > text && says_nothing(last + 1, strlen(last + 1)) ? 2 : 1;
}

/* Cut, with a letter first, and none that means something else (features.h). */
static void make_legal(char out[FEATURE_NAME_MAX + 1], const char *text)
{
    char plain[FEATURE_NAME_MAX + 1];
    size_t bytes = strlen(text);

    if (bytes > FEATURE_NAME_MAX)
        text += bytes - FEATURE_NAME_MAX;
    if (isalpha((unsigned char)*text))
        snprintf(out, FEATURE_NAME_MAX + 1, "%s", text);
    else
        snprintf(out, FEATURE_NAME_MAX + 1, "n%s",
                 strlen(text) == FEATURE_NAME_MAX ? text + 1 : text);
    if (!feature_name_taken(out))
        return;
    memcpy(plain, out, sizeof(plain));
    snprintf(out, FEATURE_NAME_MAX + 1, "measured_%.20s", plain);
}

static void add(struct features *features, const char *name)
{
    if (features_find(features, name) == features->count)
        memcpy(features->names[features->count++], name, strlen(name) + 1);
}

enum { KEPT_EACH = 8, KEPT_MOST = FEATURES_MAX * 3 / 4 };

void feature_names_begin(struct feature_names *names, size_t groups_to_come)
{
    names->begun_at = names->all.count;
    names->kept = groups_to_come < KEPT_MOST / KEPT_EACH ? groups_to_come * KEPT_EACH : KEPT_MOST;
}

/* Another one would be one too many, or one of those that are kept for others. */
static bool is_full(const struct feature_names *names)
{
    return names->all.count == FEATURES_MAX || (names->all.count + names->kept >= FEATURES_MAX &&
                                                names->all.count >= names->begun_at + KEPT_EACH);
}

bool feature_names_take(struct feature_names *names, const char *text,
                        char out[FEATURE_NAME_MAX + 1])
{
    char whole[TEXT_SIZE];
    char base[FEATURE_NAME_MAX + 1];
    size_t steps = steps_at_first(text);
    bool is_all;

    do {
        is_all = name_of(whole, text, steps++);
        make_legal(out, whole);
    } while (features_find(&names->here, out) < names->here.count && !is_all);
    make_legal(base, whole);
    for (unsigned i = 2; features_find(&names->here, out) < names->here.count; i++)
        snprintf(out, FEATURE_NAME_MAX + 1, "%.24s_%u", base, i % 10000);
    if (names->here.count == FEATURES_MAX ||
        (is_full(names) && features_find(&names->all, out) == names->all.count)) {
        names->left_out++;
        return false;
    }
    add(&names->all, out);
    add(&names->here, out);
    return true;
}
