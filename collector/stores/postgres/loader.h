/* loader.h: fills the windows from the database, while live readings flow into them.
 *
 * Shape    one run: in one snapshot, how much each collector has stored, the devices, their peaks,
 *          what is known of their numbering, and every reading of the longest finite interval that
 *          can matter, by binary COPY. Inserting into the windows is commutative and idempotent, so
 *          what arrives meanwhile needs no care. A run that loses its connection starts again.
 *          It must begin when this collector has its turn already: then what another of its id has
 *          stored before is in the snapshot.
 * Owner    embedded; on_done comes once per run, after the connection is closed; a run may follow.
 */
#ifndef HIGHWATER_LOADER_H
#define HIGHWATER_LOADER_H

#include "collector/coverage.h"
#include "collector/devices.h"
#include "collector/sequences.h"
#include "collector/store.h"
#include "collector/stores/postgres/pg_binary.h"
#include "collector/stores/postgres/refs.h"
#include "collector/windows.h"
#include "shared/model/features.h"
#include "shared/net/pg_link.h"

struct loader_config {
    const char *database_url;
    const struct features *features;
    struct devices *devices;
    struct refs *refs;
};

struct loader {
    struct loader_config config;
    struct store_load load; /* what is asked for; of `only` the list is in `only_refs` */
    struct pg_link link;
    struct pg_query query;
    struct buffer sql;
    struct buffer source;       /* what the statement reads from: the readings it is about, */
    struct buffer later_source; /* and those after them */
    char *only_refs;            /* with commas */
    struct reading *reading;    /* the one being loaded */
    int64_t started_at_us;
    int64_t now_us; /* one reference time for all layer boundaries of a run */
    int64_t numbers_since_us;
    int64_t latest_from_us; /* where the layers end */
    int64_t later_from_us;
    int step;
    bool has_sources; /* of this step, or it needs none */
    bool is_first_row;
    bool is_running;
    bool is_complete;
    uint64_t devices_loaded;
    uint64_t peaks_loaded;
    uint64_t readings_loaded;
};

bool loader_start(struct loader *loader, uv_loop_t *loop, const struct loader_config *config,
                  const struct store_load *load, char *error, size_t error_bytes);

/* Ends a run early; on_done comes all the same. */
void loader_cancel(struct loader *loader);

#endif
