/* zone.h: what a local clock shows, from the system's own tables of time zones.
 *
 * Why      devices say their local time and no offset. The C library knows one zone at a time, by the
 *          environment, and of the two moments of an autumn hour gives the one it likes.
 * Shape    zone_parse() reads a TZif file as bytes: its transitions, and the rule behind the last one;
 *          zone_load() finds the file. zone_moments() gives the moments at which a local clock
 *          shows a time: one, two where it was put back, and where it was put forward, which it never
 *          showed, the one that it would be without.
 * Units    seconds since 1970, local ones as if they were UTC.
 * Errors   NULL: there is no such zone, or its file is not what RFC 9636 says.
 * Owner    zone_free() (NULL accepted).
 * Source   RFC 9636 (TZif); POSIX.1-2017, 8.3, the environment variable TZ.
 */
#ifndef HIGHWATER_ZONE_H
#define HIGHWATER_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zone;

struct zone *zone_parse(const void *file, size_t bytes);

/* "Europe/Berlin", out of $TZDIR or /usr/share/zoneinfo; "+05:30" and "UTC" without a file. */
struct zone *zone_load(const char *name);

void zone_free(struct zone *zone);

/* How far ahead of UTC the local clock is. */
int64_t zone_offset_s(const struct zone *zone, int64_t utc_s);

/* Returns how many there are, 1 or 2, the earlier one first. */
int zone_moments(const struct zone *zone, int64_t local_s, int64_t out_s[2]);

#endif
