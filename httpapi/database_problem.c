#include "httpapi/database_problem.h"

#include <string.h>

enum { RETRY_DOWN_S = 2, RETRY_FULL_S = 1, RETRY_SLOW_S = 5 };

void database_problem_of_error(struct problem *out, const struct pg_error *error)
{
    if (error->is_connection)
        problem_set_unavailable(out, RETRY_DOWN_S, "the database is not reachable: %s",
                                error->text);
    else if (strcmp(error->sqlstate, "57014") == 0)
        problem_set_unavailable(out, RETRY_SLOW_S,
                                "the database did not answer in time; a shorter time span or "
                                "fewer features are quicker");
    else if (strcmp(error->sqlstate, "HW003") == 0) /* schema/006_peaks.sql, 018_boards_by.sql */
        problem_set(out, 410, "%s", error->text);
    else if (strcmp(error->sqlstate, "42P01") == 0 || strcmp(error->sqlstate, "42703") == 0 ||
             strcmp(error->sqlstate, "42883") == 0) /* no such table, column, function */
        problem_set_unavailable(out, RETRY_SLOW_S,
                                "the database does not have the tables for this yet: %s (a "
                                "collector makes them when it starts, for its FEATURES)",
                                error->text);
    else if (pg_error_class(error) == PG_ERROR_TRANSIENT)
        problem_set_unavailable(out, RETRY_DOWN_S, "the database cannot answer now: %s",
                                error->text);
    else
        problem_set(out, 500, "the database refused the query: %s %s", error->sqlstate,
                    error->text);
}

void database_problem_of_refusal(struct problem *out, enum pool_refusal refusal)
{
    if (refusal == POOL_DOWN)
        problem_set_unavailable(out, RETRY_DOWN_S, "the database is not reachable");
    else
        problem_set_unavailable(out, RETRY_FULL_S, "too many questions wait for the database");
}
