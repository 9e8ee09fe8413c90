/* health_facts.h: what httpapi knows of broker, database and collectors now, for health.h to judge. */
#ifndef HIGHWATER_HEALTH_FACTS_H
#define HIGHWATER_HEALTH_FACTS_H

#include "httpapi/api.h"
#include "httpapi/health.h"

void health_look(struct api *api, struct health *out);

/* Whether the database answers, and does not only keep its connections. */
bool health_has_database(const struct api *api);

#endif
