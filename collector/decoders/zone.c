#include "collector/decoders/zone.h"

#include "collector/decoders/zone_rule.h"
#include "shared/base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_BYTES = 44, TYPE_BYTES = 6, FILE_BYTES_MOST = 256 * 1024 };

#define FOLDER "/usr/share/zoneinfo"

struct transition {
    int64_t at_s;
    int64_t offset_s; /* from then on */
};

struct zone {
    int64_t first_s; /* the offset before all of them */
    size_t count;
    struct transition *transitions;
    bool has_rule;
    struct zone_rule rule; /* behind the last */
};

void zone_free(struct zone *zone)
{
    if (zone)
        free(zone->transitions);
    free(zone);
}

/* ---- TZif ----------------------------------------------------------------------------------- */

static int64_t read_be(const unsigned char *at, int bytes)
{
    uint64_t value = at[0] & 0x80 ? UINT64_MAX : 0;

    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return (int64_t)value;
}

struct counts {
    size_t utc, standard, leaps, times, types, chars;
};

static bool read_head(const unsigned char *at, size_t bytes, struct counts *out)
{
    size_t *const counts[] = {&out->utc,   &out->standard, &out->leaps,
                              &out->times, &out->types,    &out->chars};

    if (bytes < HEAD_BYTES || memcmp(at, "TZif", 4) != 0 || at[4] < '2')
        return false;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        int64_t count = read_be(at + 20 + 4 * i, 4);

        if (count < 0 || count > FILE_BYTES_MOST)
            return false;
        *counts[i] = (size_t)count;
    }
    return out->types > 0;
}

static size_t block_bytes(const struct counts *counts, size_t time_bytes)
{
    return HEAD_BYTES + counts->times * (time_bytes + 1) + counts->types * TYPE_BYTES +
           counts->chars + counts->leaps * (time_bytes + 4) + counts->standard + counts->utc;
}

static bool read_transitions(struct zone *zone, const unsigned char *at,
                             const struct counts *counts)
{
    const unsigned char *times = at + HEAD_BYTES;
    const unsigned char *indexes = times + 8 * counts->times;
    const unsigned char *types = indexes + counts->times;

    zone->first_s = read_be(types, 4);
    zone->transitions = mem_calloc(counts->times + 1, sizeof(zone->transitions[0]));
    for (size_t i = 0; i < counts->times; i++) {
        if (indexes[i] >= counts->types)
            return false;
        zone->transitions[i] =
            (struct transition){.at_s = read_be(times + 8 * i, 8),
                                .offset_s = read_be(types + (size_t)TYPE_BYTES * indexes[i], 4)};
        if (i > 0 && zone->transitions[i].at_s <= zone->transitions[i - 1].at_s)
            return false;
    }
    zone->count = counts->times;
    return true;
}

/* The rule stands between two newlines; there need be none in it. */
static bool read_rule(struct zone *zone, const char *at, const char *end)
{
    const char *last =
        at < end && *at == '\n' ? memchr(at + 1, '\n', (size_t)(end - at - 1)) : NULL;

    if (!last)
        return false;
    zone->has_rule = last > at + 1;
    return !zone->has_rule || zone_rule_parse(&zone->rule, at + 1, (size_t)(last - at - 1));
}

/* The first block has times of 32 bits, for readers from before 2005. */
struct zone *zone_parse(const void *file, size_t bytes)
{
    const unsigned char *at = file;
    const unsigned char *end = at + bytes;
    struct counts counts;
    struct zone *zone;

    if (bytes > FILE_BYTES_MOST || !read_head(at, bytes, &counts) ||
        block_bytes(&counts, 4) > bytes)
        return NULL;
    at += block_bytes(&counts, 4);
    if (!read_head(at, (size_t)(end - at), &counts) || block_bytes(&counts, 8) > (size_t)(end - at))
        return NULL;
    zone = mem_calloc(1, sizeof(*zone));
    if (!read_transitions(zone, at, &counts) ||
        !read_rule(zone, (const char *)at + block_bytes(&counts, 8), (const char *)end)) {
        zone_free(zone);
        return NULL;
    }
    return zone;
}

/* ---- found ---------------------------------------------------------------------------------- */

static struct zone *zone_fixed(int64_t offset_s)
{
    struct zone *zone = mem_calloc(1, sizeof(*zone));

    zone->first_s = offset_s;
    return zone;
}

/* +hh:mm */
static bool parse_fixed(const char *name, int64_t *out_s)
{
    int hours;
    int minutes;
    int bytes = 0;

    if ((*name != '+' && *name != '-') || strlen(name) != 6 ||
        sscanf(name + 1, "%2d:%2d%n", &hours, &minutes, &bytes) != 2 || // NOLINT(cert-err34-c)
        bytes != 5 || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *out_s = (*name == '-' ? -1 : 1) * ((int64_t)hours * 3600 + minutes * 60);
    return true;
}

static bool is_name(const char *name)
{
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";

    return *name && *name != '/' && strspn(name, letters) == strlen(name);
}

struct zone *zone_load(const char *name)
{
    static const char *const utc[] = {"UTC", "Z", "GMT"};
    const char *folder = getenv("TZDIR");
    unsigned char *bytes;
    struct zone *zone = NULL;
    char path[256];
    ssize_t count;
    int64_t offset_s;
    int file;

    for (size_t i = 0; i < sizeof(utc) / sizeof(utc[0]); i++) {
        if (strcmp(name, utc[i]) == 0)
            return zone_fixed(0);
    }
    if (parse_fixed(name, &offset_s))
        return zone_fixed(offset_s);
    if (!is_name(name) ||
        snprintf(path, sizeof(path), "%s/%s", folder ? folder : FOLDER, name) >= (int)sizeof(path))
        return NULL;
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    bytes = mem_alloc(FILE_BYTES_MOST);
    count = read(file, bytes, FILE_BYTES_MOST); /* of a small regular file: all of it */
    if (count > 0)
        zone = zone_parse(bytes, (size_t)count);
    free(bytes);
    close(file);
    return zone;
}

/* ---- asked ---------------------------------------------------------------------------------- */

int64_t zone_offset_s(const struct zone *zone, int64_t utc_s)
{
    size_t low = 0;
    size_t high = zone->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->transitions[middle].at_s <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->count && zone->has_rule)
        return zone_rule_offset_s(&zone->rule, utc_s);
    return low == 0 ? zone->first_s : zone->transitions[low - 1].offset_s;
}

int zone_moments(const struct zone *zone, int64_t local_s, int64_t out_s[2])
{
    enum { DAY_S = 86400 }; /* further than any offset, and the clock is not changed twice in two */
    int64_t before_s = zone_offset_s(zone, local_s - DAY_S);
    int64_t after_s = zone_offset_s(zone, local_s + DAY_S);
    int count = 0;

    if (zone_offset_s(zone, local_s - before_s) == before_s)
        out_s[count++] = local_s - before_s;
    if (after_s != before_s && zone_offset_s(zone, local_s - after_s) == after_s)
        out_s[count++] = local_s - after_s;
    if (count == 0)
        out_s[count++] = local_s - before_s;
    return count;
}
