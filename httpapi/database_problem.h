/* database_problem.h: why the database did not answer, as a problem: 503 with when to come again, or
 * 500 where coming again will not help. */
#ifndef HIGHWATER_DATABASE_PROBLEM_H
#define HIGHWATER_DATABASE_PROBLEM_H

#include "httpapi/pool.h"
#include "httpapi/problem.h"

void database_problem_of_error(struct problem *out, const struct pg_error *error);
void database_problem_of_refusal(struct problem *out, enum pool_refusal refusal);

#endif
