/* A record's fields are noted by what they are called, then resolved with the base fields so far. Times
 * are added in whole microseconds: as doubles, today's have too few digits for that. */
#include "collector/decoders/senml.h"

#include "shared/base/json_write.h"
#include "shared/model/json_token.h"
#include "shared/model/json_walk.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Below it, a time is relative to now: 2^28 s. */
#define ABSOLUTE_FROM_US (INT64_C(268435456) * 1000000)

enum field {
    FIELD_BN,
    FIELD_BT,
    FIELD_BU,
    FIELD_BV,
    FIELD_BS,
    FIELD_BVER,
    FIELD_N,
    FIELD_U,
    FIELD_V,
    FIELD_VS,
    FIELD_VB,
    FIELD_VD,
    FIELD_S,
    FIELD_T,
    FIELD_UT,
    FIELD_COUNT
};

static const struct {
    const char *label;
    enum json_kind kind;
} fields[FIELD_COUNT] = {
    [FIELD_BN] = {"bn", JSON_STRING},  [FIELD_BT] = {"bt", JSON_NUMBER},
    [FIELD_BU] = {"bu", JSON_STRING},  [FIELD_BV] = {"bv", JSON_NUMBER},
    [FIELD_BS] = {"bs", JSON_NUMBER},  [FIELD_BVER] = {"bver", JSON_NUMBER},
    [FIELD_N] = {"n", JSON_STRING},    [FIELD_U] = {"u", JSON_STRING},
    [FIELD_V] = {"v", JSON_NUMBER},    [FIELD_VS] = {"vs", JSON_STRING},
    [FIELD_VB] = {"vb", JSON_BOOLEAN}, [FIELD_VD] = {"vd", JSON_STRING},
    [FIELD_S] = {"s", JSON_NUMBER},    [FIELD_T] = {"t", JSON_NUMBER},
    [FIELD_UT] = {"ut", JSON_NUMBER},
};

/* Base fields keep their values until another record changes them. */
struct senml_pack {
    struct buffer *out;
    int64_t now_us;
    size_t record; /* the number of the one that is read, from 1 */
    size_t written;
    char *error;
    struct json_token base[FIELD_BVER + 1]; /* text NULL: not set */
    int64_t base_time_us;
    struct json_token own[FIELD_COUNT];
};

__attribute__((format(printf, 2, 3))) static bool fail(struct senml_pack *pack, const char *format,
                                                       ...)
{
    va_list args;
    int bytes = snprintf(pack->error, SENML_ERROR_SIZE, "SenML record %zu ", pack->record);

    va_start(args, format);
    vsnprintf(pack->error + bytes, SENML_ERROR_SIZE - (size_t)bytes, format, args);
    va_end(args);
    return false;
}

/* ---- read ----------------------------------------------------------------------------------- */

static int find_field(const struct json_token *label)
{
    int field = 0;

    while (field < FIELD_COUNT &&
           !json_token_is(label, fields[field].label, strlen(fields[field].label)))
        field++;
    return field;
}

/* A label that ends with _ must be understood, and no other is known. */
static bool must_be_understood(const struct json_token *label)
{
    return label->bytes > 0 && label->text[label->bytes - 1] == '_';
}

static bool read_fields(struct senml_pack *pack, const struct json_token *record)
{
    struct json_walk walk;
    struct json_token label;
    struct json_token value;

    memset(pack->own, 0, sizeof(pack->own));
    if (record->kind != JSON_OBJECT)
        return fail(pack, "is no object");
    json_walk_init(&walk, record);
    while (json_walk_next(&walk, &label, &value)) {
        int field = find_field(&label);

        if (field == FIELD_COUNT && must_be_understood(&label))
            return fail(pack, "has a label ending with _, which only who understands it may read");
        if (field == FIELD_COUNT)
            continue;
        if (value.kind != fields[field].kind)
            return fail(pack, "has a \"%s\" of another type than RFC 8428 says",
                        fields[field].label);
        if (pack->own[field].text)
            return fail(pack, "has \"%s\" twice", fields[field].label);
        pack->own[field] = value;
    }
    return true;
}

static bool read_time(struct senml_pack *pack, enum field field, int64_t *out_us)
{
    bool is_exact;

    *out_us = 0;
    if (pack->own[field].text && (!json_token_floor(&pack->own[field], 6, out_us, &is_exact) ||
                                  *out_us > INT64_MAX / 4 || *out_us < INT64_MIN / 4))
        return fail(pack, "has a \"%s\" that is no time", fields[field].label);
    return true;
}

static bool take_base(struct senml_pack *pack)
{
    const struct json_token *version = &pack->own[FIELD_BVER];
    int64_t number = SENML_VERSION;
    bool is_whole = true;

    if (version->text && (!json_token_floor(version, 0, &number, &is_whole) || !is_whole ||
                          number < 1 || number > SENML_VERSION))
        return fail(pack, "is of a version that is not known: 1 to %d are", SENML_VERSION);
    for (int field = 0; field <= FIELD_BVER; field++) {
        if (pack->own[field].text)
            pack->base[field] = pack->own[field];
    }
    return !pack->own[FIELD_BT].text || read_time(pack, FIELD_BT, &pack->base_time_us);
}

/* ---- resolved ------------------------------------------------------------------------------- */

/* Of a name: letters, digits and - : . / _, the first one a letter or a digit. */
static bool is_name(const char *name, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        char c = name[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!is_word && (i == 0 || !strchr("-:./_", c)))
            return false;
    }
    return bytes > 0;
}

static void put_string(struct buffer *out, const char *before, const struct json_token *token)
{
    buffer_put_text(out, before);
    buffer_put_text(out, "\"");
    if (token->text)
        buffer_put(out, token->text, token->bytes);
    buffer_put_text(out, "\"");
}

static bool put_name(struct senml_pack *pack)
{
    struct buffer *out = pack->out;
    const struct json_token *base = &pack->base[FIELD_BN];
    const struct json_token *own = &pack->own[FIELD_N];
    size_t at;

    buffer_put_text(out, pack->written > 0 ? ",{\"n\":\"" : "{\"n\":\"");
    at = out->bytes;
    if (base->text)
        buffer_put(out, base->text, base->bytes);
    if (own->text)
        buffer_put(out, own->text, own->bytes);
    if (!is_name((const char *)out->data + at, out->bytes - at))
        return fail(pack,
                    "has no name of A-Z a-z 0-9 - : . / _ that begins with a letter or digit");
    buffer_put_text(out, "\"");
    put_string(out, ",\"base\":", base);
    put_string(out, ",\"label\":", own);
    return true;
}

static void put_unit(struct senml_pack *pack)
{
    const struct json_token *unit =
        pack->own[FIELD_U].text ? &pack->own[FIELD_U] : &pack->base[FIELD_BU];

    if (unit->text)
        put_string(pack->out, ",\"u\":", unit);
}

static bool put_time(struct senml_pack *pack)
{
    int64_t us;

    if (!read_time(pack, FIELD_T, &us))
        return false;
    us += pack->base_time_us;
    if (us == 0)
        return true;
    if (us < ABSOLUTE_FROM_US) {
        us += pack->now_us;
        buffer_put_text(pack->out, ",\"arrival\":true");
    }
    if (us < 0)
        return fail(pack, "has a time before 1970");
    buffer_printf(pack->out, ",\"t\":%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
    return true;
}

/* A number and its base, of which one may be missing. */
static bool put_sum(struct senml_pack *pack, const char *label, const struct json_token *base,
                    const struct json_token *own)
{
    double sum;

    buffer_printf(pack->out, ",\"%s\":", label);
    if (!base->text || !own->text) {
        const struct json_token *only = base->text ? base : own;

        buffer_put(pack->out, only->text, only->bytes);
        return true;
    }
    sum = json_token_number(base) + json_token_number(own);
    if (!isfinite(sum))
        return fail(pack, "has a \"%s\" that is not finite", label);
    json_write_double(pack->out, sum);
    return true;
}

static bool put_value(struct senml_pack *pack)
{
    const struct json_token *own = pack->own;

    if (own[FIELD_V].text && !put_sum(pack, "v", &pack->base[FIELD_BV], &own[FIELD_V]))
        return false;
    if (own[FIELD_VS].text)
        put_string(pack->out, ",\"vs\":", &own[FIELD_VS]);
    if (own[FIELD_VD].text)
        put_string(pack->out, ",\"vd\":", &own[FIELD_VD]);
    if (own[FIELD_VB].text)
        buffer_printf(pack->out, ",\"vb\":%.*s", (int)own[FIELD_VB].bytes, own[FIELD_VB].text);
    if (own[FIELD_S].text || pack->base[FIELD_BS].text)
        return put_sum(pack, "s", &pack->base[FIELD_BS], &own[FIELD_S]);
    return true;
}

static bool resolve_record(struct senml_pack *pack, const struct json_token *record)
{
    const struct json_token *own = pack->own;
    int values;

    if (!read_fields(pack, record) || !take_base(pack))
        return false;
    values = (own[FIELD_V].text != NULL) + (own[FIELD_VS].text != NULL) +
             (own[FIELD_VB].text != NULL) + (own[FIELD_VD].text != NULL);
    if (values > 1)
        return fail(pack, "has more than one of v, vs, vb and vd");
    if (values == 0 && !own[FIELD_S].text && !pack->base[FIELD_BS].text)
        return own[FIELD_N].text ? fail(pack, "has neither a value nor a sum") : true;
    if (!put_name(pack))
        return false;
    put_unit(pack);
    if (!put_time(pack) || !put_value(pack))
        return false;
    buffer_put_text(pack->out, "}");
    pack->written++;
    return true;
}

bool senml_resolve(struct buffer *out, const struct json_token *root, int64_t now_us, char *error)
{
    struct senml_pack pack = {.out = out, .now_us = now_us, .error = error};
    struct json_walk walk;
    struct json_token name;
    struct json_token record;

    if (root->kind != JSON_ARRAY) {
        snprintf(error, SENML_ERROR_SIZE, "a SenML pack is an array of records");
        return false;
    }
    buffer_put_text(out, "[");
    json_walk_init(&walk, root);
    while (json_walk_next(&walk, &name, &record)) {
        pack.record++;
        if (!resolve_record(&pack, &record))
            return false;
    }
    buffer_put_text(out, "]");
    return true;
}
