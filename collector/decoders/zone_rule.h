/* zone_rule.h: the rule by which a zone's clock is put forward and back every year: CET-1CEST,M3.5.0,M10.5.0/3.
 *
 * Errors   false: the text is no such rule.
 * Owner    a plain value.
 * Source   POSIX.1-2017, 8.3, with RFC 9636's hours from -167 to 167.
 */
#ifndef HIGHWATER_ZONE_RULE_H
#define HIGHWATER_ZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zone_date {
    enum { DATE_WEEKDAY, DATE_JULIAN, DATE_OF_YEAR } kind;
    int month, week, day;
    int64_t time_s;
};

struct zone_rule {
    int64_t standard_s;
    int64_t summer_s;
    bool has_summer;
    struct zone_date begin, end;
};

bool zone_rule_parse(struct zone_rule *out, const char *bytes, size_t length);

int64_t zone_rule_offset_s(const struct zone_rule *rule, int64_t utc_s);

#endif
