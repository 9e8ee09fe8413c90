/* Most classes are the ordinary payload with one thing done to it: a member added, a value
 * replaced, bytes before or after. So each row of the table has a function and the text it works
 * with, and only what does not fit gets a function of its own. */
#include "devicesim/malformed.h"

#include "shared/base/json_write.h"
#include "shared/base/timestamp.h"
#include "shared/model/payload.h"

#include <math.h>
#include <string.h>

enum {
    DEEP_LEVELS = 1000,
    DEEPEST_LEVELS = 100000,
    MANY_MEMBERS = 100000,
    LONG_STRING_BYTES = 900000, /* below the packet limit of the development broker */
    NUMBER_DIGITS = 64
};

struct malformed_draft {
    struct buffer *out;
    const char *device_id;
    struct reading *reading;
    const struct features *features;
    const char *text; /* the row's */
    size_t bytes;
};

struct row {
    struct malformed_class class;
    void (*write)(const struct malformed_draft *draft);
    const char *text;
    size_t bytes;
};

static void put_ordinary(const struct malformed_draft *draft)
{
    payload_write(draft->out, draft->device_id, draft->reading, draft->features, -1);
}

/* The ordinary payload up to its closing brace. */
static void put_open(const struct malformed_draft *draft)
{
    put_ordinary(draft);
    draft->out->bytes--;
}

/* deviceId and timestamp, without a closing brace. */
static void put_head(const struct malformed_draft *draft, int64_t at_us)
{
    char when[TIMESTAMP_TEXT_SIZE];

    timestamp_format(when, at_us);
    buffer_put_text(draft->out, "{\"deviceId\":");
    json_write_string(draft->out, draft->device_id);
    buffer_printf(draft->out, ",\"timestamp\":\"%s\"", when);
}

static void put_feature_name(const struct malformed_draft *draft)
{
    buffer_printf(draft->out, ",\"%s\":", draft->features->names[0]);
}

static void write_text(const struct malformed_draft *draft)
{
    buffer_put(draft->out, draft->text, draft->bytes);
}

static void write_after(const struct malformed_draft *draft)
{
    put_ordinary(draft);
    write_text(draft);
}

static void write_half(const struct malformed_draft *draft)
{
    size_t start = draft->out->bytes;

    put_ordinary(draft);
    draft->out->bytes = start + (draft->out->bytes - start) / 2;
}

/* A further member, given with its comma. */
static void write_member(const struct malformed_draft *draft)
{
    put_open(draft);
    write_text(draft);
    buffer_put_text(draft->out, "}");
}

/* Nothing but the head and one member. */
static void write_only_member(const struct malformed_draft *draft)
{
    put_head(draft, draft->reading->recorded_at_us);
    write_text(draft);
    buffer_put_text(draft->out, "}");
}

/* The first feature with another value. */
static void write_value(const struct malformed_draft *draft)
{
    put_head(draft, draft->reading->recorded_at_us);
    put_feature_name(draft);
    write_text(draft);
    buffer_put_text(draft->out, "}");
}

static void write_twice(const struct malformed_draft *draft)
{
    put_open(draft);
    put_feature_name(draft);
    buffer_put_text(draft->out, "1}");
}

static void write_bad_time(const struct malformed_draft *draft)
{
    buffer_put_text(draft->out, "{\"deviceId\":");
    json_write_string(draft->out, draft->device_id);
    buffer_put_text(draft->out, ",\"status\":\"ON\",\"timestamp\":");
    write_text(draft);
    buffer_put_text(draft->out, "}");
}

static void put_repeated(struct buffer *out, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        buffer_put_text(out, text);
}

static void put_nested(const struct malformed_draft *draft, size_t levels)
{
    put_open(draft);
    buffer_put_text(draft->out, ",\"nested\":");
    put_repeated(draft->out, "[", levels - 1);
    put_repeated(draft->out, "]", levels - 1);
    buffer_put_text(draft->out, "}");
}

static void write_depth_9(const struct malformed_draft *draft)
{
    put_nested(draft, 9);
}

static void write_deep(const struct malformed_draft *draft)
{
    put_nested(draft, DEEP_LEVELS);
}

static void write_deepest(const struct malformed_draft *draft)
{
    put_nested(draft, DEEPEST_LEVELS);
}

static void write_many_members(const struct malformed_draft *draft)
{
    put_open(draft);
    for (unsigned i = 0; i < MANY_MEMBERS; i++)
        buffer_printf(draft->out, ",\"%x\":0", i);
    buffer_put_text(draft->out, "}");
}

static void write_long_string(const struct malformed_draft *draft)
{
    put_head(draft, draft->reading->recorded_at_us);
    buffer_put_text(draft->out, ",\"status\":\"");
    put_repeated(draft->out, "OOOOOOOOOO", LONG_STRING_BYTES / 10);
    buffer_put_text(draft->out, "\"}");
}

static void write_long_number(const struct malformed_draft *draft)
{
    put_head(draft, draft->reading->recorded_at_us);
    put_feature_name(draft);
    put_repeated(draft->out, "1", NUMBER_DIGITS);
    buffer_put_text(draft->out, "}");
}

static void write_two(const struct malformed_draft *draft)
{
    put_ordinary(draft);
    put_ordinary(draft);
}

/* The legal ones: the reading becomes what the payload says. */

static void keep_first_value(const struct malformed_draft *draft, double value)
{
    draft->reading->status = STATUS_ABSENT;
    for (size_t i = 0; i < draft->features->count; i++)
        draft->reading->values[i] = i == 0 ? value : (double)NAN;
}

static void write_minus_zero(const struct malformed_draft *draft)
{
    keep_first_value(draft, 0);
    write_value(draft);
}

static void write_huge(const struct malformed_draft *draft)
{
    keep_first_value(draft, 1e308);
    write_value(draft);
}

/* Two that are legal, with something around them that is no part of them. */
static void write_marked(const struct malformed_draft *draft)
{
    buffer_put_text(draft->out, "\xef\xbb\xbf");
    keep_first_value(draft, -1e307);
    write_value(draft);
}

static void write_c_string(const struct malformed_draft *draft)
{
    keep_first_value(draft, 1e307);
    write_value(draft);
    buffer_put(draft->out, "", 1);
}

#define TEXT(bytes) bytes, sizeof(bytes) - 1

static const struct row rows[] = {
    {{"empty", false, false}, write_text, TEXT("")},
    {{"blank", false, false}, write_text, TEXT(" \r\n\t")},
    {{"brace", false, false}, write_text, TEXT("{")},
    {{"plain_text", false, false}, write_text, TEXT("temperature=21.5")},
    {{"half", false, false}, write_half, TEXT("")},
    {{"byte_order_mark", true, false}, write_marked, TEXT("-1e307")},
    {{"trailing_nul", true, false}, write_c_string, TEXT("1e307")},
    {{"nul_byte", false, false}, write_member, TEXT(",\"note\":\"a\0b\"")},
    {{"nul_escape", false, false}, write_member, TEXT(",\"note\":\"a\\u0000b\"")},
    {{"cut_utf8", false, false}, write_member, TEXT(",\"note\":\"\xe2\x82\"")},
    {{"overlong_utf8", false, false}, write_member, TEXT(",\"note\":\"\xc0\xaf\"")},
    {{"lone_surrogate", false, false}, write_member, TEXT(",\"note\":\"\\ud800\"")},
    {{"control_character", false, false}, write_member, TEXT(",\"note\":\"a\x01\"")},
    {{"depth_9", false, false}, write_depth_9, TEXT("")},
    {{"depth_1000", false, false}, write_deep, TEXT("")},
    {{"depth_100000", false, true}, write_deepest, TEXT("")},
    {{"members_100000", false, true}, write_many_members, TEXT("")},
    {{"duplicate_member", false, false}, write_twice, TEXT("")},
    {{"infinite", false, false}, write_value, TEXT("1e999")},
    {{"nan", false, false}, write_value, TEXT("NaN")},
    {{"infinity", false, false}, write_value, TEXT("Infinity")},
    {{"leading_zero", false, false}, write_value, TEXT("01")},
    {{"dangling_point", false, false}, write_value, TEXT("1.")},
    {{"digits_64", false, false}, write_long_number, TEXT("")},
    {{"value_is_text", false, false}, write_value, TEXT("\"21.5\"")},
    {{"value_is_object", false, false}, write_value, TEXT("{\"v\":21.5}")},
    {{"long_string", false, true}, write_long_string, TEXT("")},
    {{"empty_array", false, false}, write_text, TEXT("[]")},
    {{"number_root", false, false}, write_text, TEXT("42")},
    {{"trailing_bytes", false, false}, write_after, TEXT("#")},
    {{"two_documents", false, false}, write_two, TEXT("")},
    {{"unknown_status", false, false}, write_only_member, TEXT(",\"status\":\"BROKEN\"")},
    {{"no_value", false, false}, write_only_member, TEXT("")},
    {{"bad_timestamp", false, false}, write_bad_time, TEXT("\"yesterday\"")},
    {{"february_30", false, false}, write_bad_time, TEXT("\"2026-02-30T00:00:00Z\"")},
    {{"far_future", false, false}, write_bad_time, TEXT("\"2999-01-01T00:00:00Z\"")},
    {{"minus_zero", true, false}, write_minus_zero, TEXT("-0")},
    {{"huge", true, false}, write_huge, TEXT("1e308")},
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

_Static_assert((int)ROW_COUNT <= (int)MALFORMED_MAX, "a set has a bit for each class");

size_t malformed_count(void)
{
    return ROW_COUNT;
}

const struct malformed_class *malformed_class(size_t class)
{
    return &rows[class].class;
}

static malformed_set all_illegal(bool heavy_too)
{
    malformed_set set = 0;

    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (!rows[i].class.is_legal && (heavy_too || !rows[i].class.is_heavy))
            set |= UINT64_C(1) << i;
    }
    return set;
}

bool malformed_set_parse(malformed_set *out, const char *text)
{
    malformed_set set = 0;

    while (text) {
        size_t bytes = strcspn(text, ",");
        size_t found = 0;

        while (found < ROW_COUNT && (strlen(rows[found].class.name) != bytes ||
                                     strncmp(rows[found].class.name, text, bytes) != 0))
            found++;
        if (found < ROW_COUNT)
            set |= UINT64_C(1) << found;
        else if (bytes == 3 && strncmp(text, "all", 3) == 0)
            set |= all_illegal(true);
        else if (bytes == 5 && strncmp(text, "light", 5) == 0)
            set |= all_illegal(false);
        else
            return false;
        text = text[bytes] ? text + bytes + 1 : NULL;
    }
    *out = set;
    return true;
}

size_t malformed_pick(malformed_set set, uint64_t draw)
{
    unsigned skip = (unsigned)((double)(draw >> 11) * 0x1.0p-53 * __builtin_popcountll(set));

    while (skip-- > 0)
        set &= set - 1;
    return (size_t)__builtin_ctzll(set);
}

void malformed_list(struct buffer *out)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        buffer_printf(out, "%s%s", i ? ", " : "", rows[i].class.name);
}

void malformed_write(struct buffer *out, size_t class, const char *device_id,
                     struct reading *reading, const struct features *features)
{
    const struct row *row = &rows[class];
    struct malformed_draft draft = {.out = out,
                                    .device_id = device_id,
                                    .reading = reading,
                                    .features = features,
                                    .text = row->text,
                                    .bytes = row->bytes};

    row->write(&draft);
}
