/* upkeep_rejected.h: the job of upkeep.h that limits what is kept of rejected messages.
 *
 * Shape    one slice of rejected_forget() (schema/009_rejected.sql) at a time. What went is counted
 *          and, once nothing more has to go, said in one line.
 */
#ifndef HIGHWATER_UPKEEP_REJECTED_H
#define HIGHWATER_UPKEEP_REJECTED_H

#include "collector/stores/postgres/upkeep.h"

void upkeep_put_rejected(struct upkeep *upkeep, struct buffer *sql);
void upkeep_take_rejected(struct upkeep *upkeep, const PGresult *result);

#endif
