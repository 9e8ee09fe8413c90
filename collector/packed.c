/* Devices send decimals of a few digits. As doubles these look random, and no general compression
 * makes less of single values; as the integers that they were before somebody put a point into them
 * they take two or three bytes. Division is exact enough to find them again: the quotient of two
 * integers that doubles hold exactly is the double nearest to it, which is what strtod() made of
 * the decimal in the first place.
 *
 * Rejected: a bitmap of the features and then the values (25 bytes for ten of 200 features); the set
 * of features held once for the fleet (a device that leaves out what has not changed has thousands);
 * differences from the reading before (to read one would be to read them all). */
#include "collector/packed.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

/* How a value is written: the low five bits of the byte in front of it. The high three are how many
 * features are left out before it, or that the next byte says so. */
enum {
    FORM_ZERO = 0,
    FORM_DECIMAL = 1, /* + 4 * decimals + (bytes - 1) */
    FORM_FLOAT = 29,
    FORM_DOUBLE = 30,
    FORM_END = 31,
    FORM_BITS = 5,
    DECIMALS_MOST = 6,
    GAP_ASIDE = 7,
};

static const double powers_of_ten[DECIMALS_MOST + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

static_assert(offsetof(struct packed, items) == PACKED_HEAD, "a packed reading has no holes");
static_assert(FORM_DECIMAL + 4 * (DECIMALS_MOST + 1) == FORM_FLOAT, "forms do not overlap");
static_assert(FEATURES_MAX <= UINT8_MAX, "a feature, and the gap before it, is one byte");

size_t packed_carried(const struct reading *reading, size_t feature_count,
                      uint8_t carried[FEATURES_MAX])
{
    size_t count = 0;

    for (size_t f = 0; f < feature_count; f++) {
        carried[count] = (uint8_t)f;
        count += !isnan(reading->values[f]);
    }
    return count;
}

/* Whether a value times a power of ten may have been an integer: multiplications are off by half of
 * the last bit. */
static bool is_near_integer(double scaled)
{
    return fabs(scaled - (double)(int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5))) <=
           fabs(scaled) * 0x1p-52;
}

/* Whether the value is an integer of four bytes with so many decimals. Zero has a sign, which an
 * integer does not. */
static bool is_decimal(double value, unsigned decimals, int32_t *integer)
{
    double scaled = value * powers_of_ten[decimals];

    if (!(fabs(scaled) < INT32_MAX) || !is_near_integer(scaled))
        return false;
    *integer = (int32_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
    return *integer != 0 && (double)*integer / powers_of_ten[decimals] == value;
}

/* The integer and how many decimals it has, of which as many as the value before had are tried
 * first; false when there is none. */
static bool find_decimal(double value, int32_t *integer, unsigned *decimals)
{
    if (is_decimal(value, *decimals, integer))
        return true;
    /* Nearly all doubles that are no decimals are found out at once: what is an integer with fewer
     * decimals is one with the most, too. (The product fits 64 bits.) */
    if (!(fabs(value) < INT32_MAX) || !is_near_integer(value * powers_of_ten[DECIMALS_MOST]))
        return false;
    for (unsigned d = 0; d <= DECIMALS_MOST; d++)
        if (is_decimal(value, d, integer)) {
            *decimals = d;
            return true;
        }
    return false;
}

static size_t bytes_of(int32_t integer)
{
    if (integer >= INT8_MIN && integer <= INT8_MAX)
        return 1;
    if (integer >= INT16_MIN && integer <= INT16_MAX)
        return 2;
    return integer >= -(INT32_C(1) << 23) && integer < INT32_C(1) << 23 ? 3 : 4;
}

/* Least significant byte first, on any machine. All eight are written, in one store, and so many
 * count: what follows overwrites the others. */
static unsigned char *put_bytes(unsigned char *at, uint64_t bits, size_t bytes)
{
    for (size_t i = 0; i < sizeof(bits); i++)
        at[i] = (unsigned char)(bits >> 8 * i);
    return at + bytes;
}

static uint64_t bits_at(const unsigned char *at, size_t bytes)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < bytes; i++)
        bits |= (uint64_t)at[i] << 8 * i;
    return bits;
}

static unsigned char *put_value(unsigned char *at, double value, unsigned *decimals, unsigned *form)
{
    uint64_t bits;
    int32_t integer;
    float single;

    memcpy(&bits, &value, sizeof(bits));
    if (bits == 0) {
        *form = FORM_ZERO;
        return at;
    }
    if (find_decimal(value, &integer, decimals)) {
        size_t bytes = bytes_of(integer);

        *form = FORM_DECIMAL + 4 * *decimals + (unsigned)bytes - 1;
        return put_bytes(at, (uint32_t)integer, bytes);
    }
    single = fabs(value) <= FLT_MAX ? (float)value : 0;
    if (single == value) {
        uint32_t single_bits;

        memcpy(&single_bits, &single, sizeof(single_bits));
        *form = FORM_FLOAT;
        return put_bytes(at, single_bits, sizeof(single_bits));
    }
    *form = FORM_DOUBLE;
    return put_bytes(at, bits, sizeof(bits));
}

void packed_write(union packed_storage *out, const struct reading *reading, const uint8_t *carried,
                  size_t count)
{
    struct packed *packed = &out->packed;
    unsigned char *at = packed->items;
    unsigned decimals = 0;
    unsigned next = 0; /* the feature whose item would say that none is left out */

    packed->recorded_at_us = reading->recorded_at_us;
    packed->status = reading->status;
    packed->content_hash = reading->content_hash;
    for (size_t i = 0; i < count; i++) {
        unsigned gap = carried[i] - next, form;
        unsigned char *tag = at++;

        if (gap >= GAP_ASIDE)
            *at++ = (unsigned char)gap;
        at = put_value(at, reading->values[carried[i]], &decimals, &form);
        *tag = (unsigned char)((gap < GAP_ASIDE ? gap : GAP_ASIDE) << FORM_BITS | form);
        next = carried[i] + 1u;
    }
    while ((size_t)(at - out->bytes) % PACKED_WORD != 0)
        *at++ = FORM_END;
    packed->words = (uint16_t)((size_t)(at - out->bytes) / PACKED_WORD);
}

static const unsigned char *get_value(const unsigned char *at, unsigned form, double *value)
{
    size_t bytes;

    if (form == FORM_ZERO) {
        *value = 0;
        return at;
    }
    if (form == FORM_DOUBLE) {
        uint64_t bits = bits_at(at, sizeof(bits));

        memcpy(value, &bits, sizeof(bits));
        return at + sizeof(bits);
    }
    if (form == FORM_FLOAT) {
        uint32_t bits = (uint32_t)bits_at(at, sizeof(bits));
        float single;

        memcpy(&single, &bits, sizeof(bits));
        *value = single;
        return at + sizeof(bits);
    }
    bytes = (form - FORM_DECIMAL) % 4 + 1;
    /* From the top of the word back down, so that the sign comes along. */
    *value =
        (double)((int32_t)((uint32_t)bits_at(at, bytes) << 8 * (4 - bytes)) >> 8 * (4 - bytes)) /
        powers_of_ten[(form - FORM_DECIMAL) / 4];
    return at + bytes;
}

void packed_read(const struct packed *packed, struct reading *out, size_t feature_count)
{
    const unsigned char *at = packed->items;
    const unsigned char *end = (const unsigned char *)packed + packed_bytes(packed);
    size_t feature = 0;

    out->recorded_at_us = packed->recorded_at_us;
    out->status = packed->status;
    out->content_hash = packed->content_hash;
    for (size_t f = 0; f < feature_count; f++)
        out->values[f] = NAN;
    while (at < end && *at != FORM_END) {
        unsigned tag = *at++;
        unsigned gap = tag >> FORM_BITS;

        feature += gap < GAP_ASIDE ? gap : *at++;
        assert(feature < feature_count);
        at = get_value(at, tag & ((1u << FORM_BITS) - 1), &out->values[feature++]);
    }
}
