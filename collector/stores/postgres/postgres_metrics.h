/* postgres_metrics.h: what a store in PostgreSQL counts, as Prometheus text. */
#ifndef HIGHWATER_POSTGRES_METRICS_H
#define HIGHWATER_POSTGRES_METRICS_H

#include "collector/stores/postgres/maintenance.h"
#include "collector/stores/postgres/pg_store.h"

void postgres_put_metrics(const struct pg_store *store, const struct maintenance_stats *stats,
                          const struct prometheus *to);

#endif
