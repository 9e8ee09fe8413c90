/* parts.h: how much of a batch is tried at once: by a database in one transaction.
 *
 * Shape    at first all, or `most`. A row that the store refuses is searched for by halves; what
 *          was taken is committed and not tried again. After the first all the rest is tried,
 *          after another twice as much as lay between the last two: one row among n costs log2(n)
 *          tries and one for the rest, and n refused ones cost n.
 * Units    positions among the rows as they are sorted.
 * Errors   none.
 * Owner    a value.
 */
#ifndef HIGHWATER_PARTS_H
#define HIGHWATER_PARTS_H

#include <stdbool.h>
#include <stddef.h>

struct parts {
    size_t count;
    size_t most; /* in a part */
    size_t from; /* the part to be tried: [from, to); what lies before it is settled */
    size_t to;
    size_t since;      /* after the last refused one */
    size_t suspect_to; /* [from, suspect_to) has a refused one, when it is after `from` */
};

void parts_begin(struct parts *parts, size_t count, size_t most);

/* The part was stored. */
void parts_commit(struct parts *parts);

/* The part, of more than one row, has one that is refused. */
void parts_halve(struct parts *parts);

/* The row at `from` was refused and is settled. */
void parts_refuse(struct parts *parts);

/* So much may be tried at once from now on, this part included. */
void parts_limit(struct parts *parts, size_t most);

/* The row at `from` must be the refused one, for all others were taken. */
static inline bool parts_know_refused(const struct parts *parts)
{
    return parts->suspect_to == parts->from + 1;
}

static inline bool parts_are_all(const struct parts *parts)
{
    return parts->from == 0 && parts->to == parts->count;
}

#endif
