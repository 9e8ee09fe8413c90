/* The document is openapi.json, as it lies beside this file. What depends on the settings or on other
 * sources stands there as a placeholder; a line that names ${feature} stands for one line for each of
 * them. So it can be read, and checked, as the JSON that it is. Rejected: to make it of the table of
 * routes, since then nobody reads what is promised. A test holds the two together instead. */
#include "httpapi/openapi.h"

#include "httpapi/openapi_json.h"
#include "shared/base/invisible.h"
#include "shared/base/json_write.h"

#include <inttypes.h>
#include <string.h>

struct filling {
    const struct params_rules *rules;
    const char *feature; /* of this line; NULL = of none */
    bool asks_for_tokens;
};

/* ---- what the placeholders stand for -------------------------------------------------------- */

static void put_features(struct buffer *out, const struct filling *filling)
{
    const struct features *features = filling->rules->features;

    for (size_t i = 0; i < features->count; i++)
        buffer_printf(out, "%s\"%s\"", i > 0 ? ", " : "", features->names[i]);
}

static void put_intervals(struct buffer *out, const struct filling *filling)
{
    const struct intervals *intervals = filling->rules->intervals;

    for (size_t i = 0; i < intervals->count; i++)
        buffer_printf(out, "%s\"%s\"", i > 0 ? ", " : "", intervals->items[i].name);
}

static void put_feature(struct buffer *out, const struct filling *filling)
{
    buffer_put_text(out, filling->feature);
}

/* What people read of the feature, as members before others; nothing where nothing is said. */
static void put_words(struct buffer *out, const struct filling *filling)
{
    const struct features *features = filling->rules->features;
    size_t i = features_find(features, filling->feature);

    if (*features->labels[i]) {
        buffer_put_text(out, "\"title\": ");
        json_write_string(out, features->labels[i]);
        buffer_put_text(out, ", ");
    }
    if (*features->units[i]) {
        buffer_put_text(out, "\"x-unit\": ");
        json_write_string(out, features->units[i]);
        buffer_put_text(out, ", ");
    }
}

static void put_top_devices(struct buffer *out, const struct filling *filling)
{
    buffer_printf(out, "%" PRIu64, filling->rules->top_devices);
}

static void put_version(struct buffer *out, const struct filling *filling)
{
    (void)filling;
    buffer_put_text(out, HIGHWATER_VERSION);
}

static void put_security(struct buffer *out, const struct filling *filling)
{
    buffer_put_text(out, filling->asks_for_tokens ? "[{\"bearer\": []}, {\"basic\": []}]" : "[]");
}

/* One more range of the characters that an id must not have. Beyond the first plane there is no
 * escape that all kinds of regular expressions have, so those stand for themselves. */
static void put_range(struct buffer *out, uint32_t first, uint32_t last)
{
    const uint32_t ends[] = {first, last};

    for (size_t i = 0; i < 2; i++) {
        uint32_t c = ends[i];
        const unsigned char text[] = {
            (unsigned char)(0xf0 | c >> 18), (unsigned char)(0x80 | (c >> 12 & 0x3f)),
            (unsigned char)(0x80 | (c >> 6 & 0x3f)), (unsigned char)(0x80 | (c & 0x3f))};

        buffer_put_text(out, i > 0 ? "-" : "");
        if (c < 0x10000)
            buffer_printf(out, "\\\\u%04x", (unsigned)c);
        else
            buffer_put(out, text, sizeof(text));
    }
}

static void put_invisible(struct buffer *out, const struct filling *filling)
{
    uint32_t first = 0;
    bool was_invisible = false;

    (void)filling;
    for (uint32_t c = 0xa0; c <= 0x110000; c++) {
        bool is_invisible = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) && invisible_is(c);

        if (is_invisible && !was_invisible)
            first = c;
        else if (!is_invisible && was_invisible)
            put_range(out, first, c - 1);
        was_invisible = is_invisible;
    }
}

/* With their quotes where those belong to the placeholder and not to what comes in its place. */
static const struct placeholder {
    const char *text;
    void (*put)(struct buffer *out, const struct filling *filling);
} placeholders[] = {
    {"\"${features}\"", put_features},          {"\"${intervals}\"", put_intervals},
    {"\"${topDevices}\"", put_top_devices},     {"${version}", put_version},
    {"\"${security}\"", put_security},          {"${invisible}", put_invisible},
    {"\"x-words\": \"${words}\", ", put_words}, {"${feature}", put_feature},
};

/* ---- the document --------------------------------------------------------------------------- */

static const struct placeholder *find_placeholder(const char *at)
{
    for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
        if (strncmp(at, placeholders[i].text, strlen(placeholders[i].text)) == 0)
            return &placeholders[i];
    }
    return NULL;
}

static void put_line(struct buffer *out, const char *line, size_t bytes,
                     const struct filling *filling)
{
    for (size_t i = 0; i < bytes;) {
        size_t plain = strcspn(line + i, "\"$");
        const struct placeholder *placeholder;

        if (plain > bytes - i)
            plain = bytes - i;
        buffer_put(out, line + i, plain);
        i += plain;
        placeholder = i < bytes ? find_placeholder(line + i) : NULL;
        if (placeholder) {
            placeholder->put(out, filling);
            i += strlen(placeholder->text);
        } else if (i < bytes) {
            buffer_put(out, line + i++, 1);
        }
    }
}

/* The line once for each feature, with commas between them. */
static void put_feature_lines(struct buffer *out, const char *line, size_t bytes,
                              const struct params_rules *rules)
{
    bool has_comma = bytes > 0 && line[bytes - 1] == ',';

    for (size_t i = 0; i < rules->features->count; i++) {
        const struct filling filling = {.rules = rules, .feature = rules->features->names[i]};
        bool is_last = i + 1 == rules->features->count;

        put_line(out, line, bytes - has_comma, &filling);
        buffer_put_text(out, has_comma || !is_last ? ",\n" : "\n");
    }
}

static bool names_feature(const char *line, size_t bytes)
{
    const char *found = strstr(line, "${feature}");

    return found && found < line + bytes;
}

void openapi_write(struct buffer *out, const struct params_rules *rules, bool asks_for_tokens)
{
    const struct filling filling = {.rules = rules, .asks_for_tokens = asks_for_tokens};
    const char *line = (const char *)openapi_json;

    while (*line) {
        size_t bytes = strcspn(line, "\n");

        if (names_feature(line, bytes)) {
            put_feature_lines(out, line, bytes, rules);
        } else {
            put_line(out, line, bytes, &filling);
            buffer_put_text(out, "\n");
        }
        line += bytes + (line[bytes] == '\n');
    }
}
