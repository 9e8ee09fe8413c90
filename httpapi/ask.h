/* ask.h: routes whose answer is the database's: the way there and back. */
#ifndef HIGHWATER_ASK_H
#define HIGHWATER_ASK_H

#include "httpapi/coalescer.h"
#include "httpapi/route.h"

/* The handler of a route that has a query: asks it with these parameters. */
void ask_database(struct api *api, struct server_request *request, const struct route *route,
                  struct params *params);

/* The same with a kind of query of the handler's choice. */
void ask_query(struct api *api, struct server_request *request, const struct route *route,
               const struct query_kind *kind, const struct params *params);

/* The same about rows that the handler knows; it releases what is left of them. */
void ask_about(struct api *api, struct server_request *request, const struct route *route,
               const struct query_kind *kind, const struct params *params, struct buffer *rows);

/* The callbacks of coalescer.h; `user` is the struct api. */
struct server_answer *ask_on_answer(void *user, struct query *query);
void ask_on_failed(void *user, struct server_request *request, const struct query *query,
                   const struct problem *problem);

#endif
