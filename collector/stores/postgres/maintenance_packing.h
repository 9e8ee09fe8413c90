/* maintenance_packing.h: the jobs that pack partitions which are over (schema/026_packing.sql), a slice
 * at a time, and ask how far that is.
 */
#ifndef HIGHWATER_MAINTENANCE_PACKING_H
#define HIGHWATER_MAINTENANCE_PACKING_H

#include "collector/stores/postgres/maintenance_jobs.h"

void maintenance_put_pack(struct maintenance *maintenance, struct buffer *sql);
void maintenance_read_pack(struct maintenance *maintenance, const PGresult *result);
void maintenance_put_packed(struct maintenance *maintenance, struct buffer *sql);
void maintenance_read_packed(struct maintenance *maintenance, const PGresult *result);

/* How long to leave the database alone after a slice that took so long, while so many partitions wait. */
uint64_t maintenance_pack_pause_ms(uint64_t took_ms, int64_t waiting);

#endif
