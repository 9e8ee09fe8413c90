/* routes.h: THE table: every path, its parameters, what it answers with and which function makes the answer.
 *
 * Shape    routing, the index page, the metrics' labels and the OpenAPI document come from it.
 */
#ifndef HIGHWATER_ROUTES_H
#define HIGHWATER_ROUTES_H

#include "httpapi/route.h"

#include <stddef.h>

extern const struct route routes[];
extern const size_t routes_count;

#endif
