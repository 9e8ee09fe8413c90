/* thresholds.h: the answer to /thresholds: which devices are beyond one, as their collectors say (crossings.h).
 *
 * Shape    the answer as a whole is written out of memory; the database adds what devices say of themselves,
 *          and where it cannot, the answer is given without. Of a group, or of a text in an id or label, it is
 *          first asked which devices these are.
 * Errors   503 while no collector that the database knows is live: then nobody can say it; and of a group or
 *          a text while the database does not answer.
 */
#ifndef HIGHWATER_THRESHOLDS_ANSWER_H
#define HIGHWATER_THRESHOLDS_ANSWER_H

#include "httpapi/crossings.h"
#include "httpapi/query.h"
#include "httpapi/route.h"

extern const char *const thresholds_sides[]; /* as enum threshold_side_asked */

void thresholds_answer(struct api *api, struct server_request *request, const struct route *route,
                       struct params *params);
void thresholds_on_failed(struct api *api, struct server_request *request,
                          const struct query *query, const struct problem *problem);

/* Makes the answer of what query_thresholds_found found. */
void thresholds_write_found(struct api *api, struct query *query);

#endif
