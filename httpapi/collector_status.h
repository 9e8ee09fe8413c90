/* collector_status.h: what a collector says of itself, read strictly.
 *
 * Shape    one JSON object of known members, each of its type. Who speaks, the topic says: a
 *          "collectorId" is not looked at. Members that are not known are left out.
 * Vouch    a status vouches for boards when it names its turn, a span of time and one generation
 *          per board: at every point of the grid in [since, asOf], this collector's
 *          boards were those. `generations` has them by our own positions; 0 = not vouched for, also
 *          where the collector keeps no such board, or one of another length.
 * Units    timestamps in microseconds since 1970.
 * Errors   false when the text is no such object, has a member twice, or a known one that is of the
 *          wrong type, too long, negative or invisible; `fault` says in a sentence what is wrong.
 * Owner    collector_status_release() frees what the struct holds.
 */
#ifndef HIGHWATER_COLLECTOR_STATUS_H
#define HIGHWATER_COLLECTOR_STATUS_H

#include "httpapi/catalog.h"
#include "shared/model/board.h"
#include "shared/model/features.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COLLECTOR_STATUS_FAULT_SIZE = 160 };

enum collector_state {
    COLLECTOR_UNKNOWN,
    COLLECTOR_WARMING,
    COLLECTOR_LIVE,
    COLLECTOR_DEGRADED,
    COLLECTOR_STOPPED,
    COLLECTOR_LOST
};

/* What keeps it from storing what it receives. */
enum collector_lack { COLLECTOR_LACKS_NOTHING, COLLECTOR_LACKS_STORE, COLLECTOR_LACKS_SOURCE };

/* How much of another collector stood in the snapshot that the windows were loaded from. */
struct loaded {
    char *id;
    int64_t batches;
};

enum { INSTALLATION_SIZE = 17 };

struct collector_status {
    enum collector_state state;
    enum collector_lack lacks;
    int64_t beyond;    /* thresholds: of all of them the devices; -1 = it does not know yet */
    int64_t oldest_ms; /* how long its oldest reading has waited to be committed; 0 = not said */
    char installation[INSTALLATION_SIZE]; /* the mark of its database; "" = not said */
    int64_t as_of_us;                     /* 0 = not said, as in a last will */
    int64_t since_us;
    int64_t latest_us; /* of all timestamps in it */
    int64_t turn;
    size_t limit;
    bool is_vouching;
    struct catalog_offer kept; /* by its own names; those that are not legal are left out */
    int64_t *generations;      /* [board_position()] */
    size_t loaded_count;
    struct loaded *loaded;
    char *shown; /* for people: ,"state":"live","asOf":... */
};

/* The place of a board among all that can be asked for. */
size_t board_count(const struct features *features, const struct intervals *intervals);
size_t board_position(const struct intervals *intervals, size_t feature, size_t interval,
                      enum sort_order order);

bool collector_status_parse(struct collector_status *out, const struct features *features,
                            const struct intervals *intervals, const char *json, size_t bytes,
                            char *fault);
void collector_status_release(struct collector_status *status);

#endif
