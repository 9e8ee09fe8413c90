/* weighing.h: as of when are the boards of all collectors together whole?
 *
 * The rule  The database says which collectors there are (table `collectors`), not what the broker
 *           remembers. What was heard before the table was asked is weighed against its answer:
 *           - a collector is merged when it is live and its status is of the row's turn, and not of
 *             another database;
 *           - nobody else is heard to be there, loading or without the database: what it holds it
 *             will store, and that was received before now;
 *           - every other row that has stored anything needs a merged collector that had loaded all
 *             of its batches, or its newest reading must have left the interval;
 *           - the as-of is the latest that lies in a span of every merged collector.
 *           Merged boards as of that time lack nothing, and have nothing that expired before it.
 *           No clock is compared with another's, and what was once weighed stays true: it only ages.
 * Shape     a span is what one status vouches for: from..until these were the collector's boards.
 *           weighing_new() is a function of what was heard and of the table's rows.
 * Owner     spans, versions of boards and weighed sets are counted: each owner holds one.
 * Source    tests/model/coverage.pml, where each part of the rule is missed when it is left out.
 */
#ifndef HIGHWATER_WEIGHING_H
#define HIGHWATER_WEIGHING_H

#include "httpapi/collector_status.h"
#include "shared/model/board.h"
#include "shared/model/features.h"
#include "shared/model/topic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum weighing_verdict {
    WEIGHED_EXACT,
    WEIGHED_INCOMPLETE, /* a merged collector does not vouch for the board, or not for so many */
    WEIGHED_UNCOVERED,  /* a collector has stored readings that no merged collector has */
    WEIGHED_UNSETTLED,  /* a collector is there and vouches for nothing */
    WEIGHED_WARMING,    /* the same, and it is loading its windows */
    WEIGHED_APART,      /* the collectors vouch for no common time */
    WEIGHED_NOT_LIVE,   /* no collector is */
    WEIGHED_UNKNOWN     /* the database has not said which collectors there are */
};

/* One published board. */
struct board_version {
    unsigned holds;
    struct board board;
};

struct span {
    unsigned holds;
    uint64_t number; /* of the message */
    uint64_t heard_ms;
    char installation[INSTALLATION_SIZE];
    int64_t turn;
    int64_t since_us;
    int64_t until_us;
    size_t limit;
    size_t loaded_count;
    struct loaded *loaded;
    size_t bytes; /* that it takes itself, about */
    size_t board_count;
    int64_t *generations;
    struct board_version **versions; /* NULL where it has not come, or is not vouched for */
};

/* A row of the table. */
struct roster_row {
    char id[DEVICE_ID_SIZE];
    int64_t turn;
    int64_t batches;
    int64_t newest_us;
    char installation[INSTALLATION_SIZE]; /* the mark of the database that says it; "" = unknown */
};

/* What was heard of one collector. */
struct heard {
    const char *id;
    enum collector_state state;
    bool is_there; /* it has said something lately, and not that it ends */
    size_t span_count;
    struct span *const *spans; /* oldest first */
};

struct weighing {
    unsigned holds;
    enum weighing_verdict verdict; /* EXACT: there is an as-of, and it covers every interval */
    int64_t as_of_us;              /* INT64_MIN: there is none, and no spans either */
    bool is_covered[INTERVALS_MAX];
    size_t count;
    struct span **spans;
    size_t *merged; /* whose they are: positions in what was heard */
};

/* Takes what the status has parsed. */
struct span *span_new(struct collector_status *status, size_t boards, uint64_t number,
                      uint64_t heard_ms);
struct span *span_hold(struct span *span);
void span_release(struct span *span);

struct board_version *board_version_new(struct board *board);
struct board_version *board_version_hold(struct board_version *version);
void board_version_release(struct board_version *version);

/* Weighs the spans whose number is at most `mark`: those that had come when the table was asked. */
struct weighing *weighing_new(const struct heard *heard, size_t heard_count,
                              const struct roster_row *rows, size_t row_count, uint64_t mark,
                              const struct intervals *intervals);
struct weighing *weighing_hold(struct weighing *weighed);
void weighing_release(struct weighing *weighed);

/* True when both say the same of every board. */
bool weighing_is_same(const struct weighing *a, const struct weighing *b);

/* "the boards are current", "no collector is live", ... */
const char *weighing_verdict_text(enum weighing_verdict verdict);

#endif
