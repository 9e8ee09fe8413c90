/* maintenance_rejected.h: the job of maintenance.h that limits what is kept of rejected messages.
 *
 * Shape    one slice of rejected_forget() (schema/009_rejected.sql) at a time. What went is counted
 *          and, once nothing more has to go, said in one line.
 */
#ifndef HIGHWATER_MAINTENANCE_REJECTED_H
#define HIGHWATER_MAINTENANCE_REJECTED_H

#include "collector/stores/postgres/maintenance.h"

void maintenance_put_rejected(struct maintenance *maintenance, struct buffer *sql);
void maintenance_read_rejected(struct maintenance *maintenance, const PGresult *result);

#endif
