/* catalog.h: which features and intervals can be asked for, and where httpapi has them from.
 *
 * Shape    a catalog never changes. Whoever keeps positions in it holds it: a change makes another
 *          one, and what was asked under the old one is answered under it.
 *          A chooser says when another one is due. What the settings say wins; else it is what the
 *          collectors keep, all of them together, as far as the table has columns for it; until one
 *          was heard, the columns of the table with the default intervals.
 *          Units and labels: the settings' when they name the features; else, for each feature and
 *          for unit and label apart, the first collector that says one, in the order of their ids;
 *          else the comment of the column.
 * When     a change counts once it has stood for CATALOG_STABLE_MS. Until every collector of the
 *          database was heard, at most CATALOG_GUESS_MS after its first answer, the catalog is a
 *          guess.
 * Units    `now_ms` is the loop's monotonic clock.
 * Errors   names that are not legal are left out, and so is what there is no room for.
 * Owner    catalogs are counted; a chooser is a plain value.
 */
#ifndef HIGHWATER_CATALOG_H
#define HIGHWATER_CATALOG_H

#include "shared/model/features.h"

#include <stdbool.h>
#include <stdint.h>

enum { CATALOG_STABLE_MS = 1000, CATALOG_GUESS_MS = 3000 };

struct catalog {
    unsigned holds;
    struct features features;
    struct intervals intervals;
};

struct catalog *catalog_new(const struct features *features, const struct intervals *intervals);
struct catalog *catalog_hold(struct catalog *catalog);
void catalog_release(struct catalog *catalog);

/* Appends what is legal and not there yet. Of two intervals with one name the first stays, and so does
 * what was said first of a feature; NULL says nothing. */
void catalog_add_feature(struct features *out, const char *name, const char *unit,
                         const char *label);
/* Appends those of another list, with what that says of them. */
void catalog_add_features(struct features *out, const struct features *of);
void catalog_add_interval(struct intervals *out, const char *name, int64_t length_us);

/* "temperature[°C],pressure", as the database names the columns and what their comments say. */
void catalog_parse_columns(struct features *out, const char *columns);

/* What collectors keep; no features = none was heard. */
struct catalog_offer {
    struct features features;
    struct intervals intervals;
    bool is_complete; /* all collectors that the database knows were heard */
};

struct catalog_chooser {
    bool has_features; /* set, and so never to be changed */
    bool has_intervals;
    bool is_settled; /* what is not in the catalog is not there */
    bool is_offered; /* the catalog is of collectors */
    bool is_waiting;
    uint64_t first_ms; /* of the first look; 0 = there was none */
    uint64_t since_ms; /* while is_waiting: the candidate stands since then */
    struct catalog_offer candidate;
};

void catalog_chooser_init(struct catalog_chooser *chooser, bool has_features, bool has_intervals);

/* Whenever the database has answered. `columns` has no features when there is no table yet. The
 * catalog to be used from now on in the place of `current`, NULL when that stays. */
struct catalog *catalog_choose(struct catalog_chooser *chooser, const struct catalog *current,
                               const struct catalog_offer *offer, const struct features *columns,
                               uint64_t now_ms);

#endif
