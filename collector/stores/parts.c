#include "collector/stores/parts.h"

#include <assert.h>

static size_t at_least_one(size_t count)
{
    return count > 0 ? count : 1;
}

static void set_part(struct parts *parts, size_t wanted)
{
    size_t left = parts->count - parts->from;

    if (wanted > parts->most)
        wanted = parts->most;
    parts->to = parts->from + (wanted < left ? wanted : left);
}

void parts_begin(struct parts *parts, size_t count, size_t most)
{
    *parts = (struct parts){.count = count, .most = at_least_one(most)};
    set_part(parts, count);
}

void parts_commit(struct parts *parts)
{
    parts->from = parts->to;
    if (parts->suspect_to > parts->from)
        set_part(parts, at_least_one((parts->suspect_to - parts->from) / 2));
    else
        set_part(parts, at_least_one(2 * (parts->from - parts->since)));
}

void parts_halve(struct parts *parts)
{
    assert(parts->to - parts->from > 1);
    parts->suspect_to = parts->to;
    set_part(parts, (parts->to - parts->from) / 2);
}

void parts_refuse(struct parts *parts)
{
    size_t distance = parts->from - parts->since;
    bool is_first = parts->since == 0; /* and mostly the only one */

    parts->from++;
    parts->since = parts->from;
    parts->suspect_to = 0;
    set_part(parts, is_first ? parts->count : at_least_one(2 * distance));
}

void parts_limit(struct parts *parts, size_t most)
{
    size_t wanted = parts->to - parts->from;

    parts->most = at_least_one(most);
    set_part(parts, wanted);
}
