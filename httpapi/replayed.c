#include "httpapi/replayed.h"

#include "shared/base/timestamp.h"

#include <stdlib.h>

void replayed_read_at(struct replayed *out, const PGresult *result, int row, int column)
{
    int64_t now_us = timestamp_now();

    out->is_standby = *PQgetvalue(result, row, column) == 't';
    out->is_known = !PQgetisnull(result, row, column + 1);
    out->as_of_us = strtoll(PQgetvalue(result, row, column + 1), NULL, 10);
    if (!out->is_known || out->as_of_us > now_us)
        out->as_of_us = now_us;
}

void replayed_read(struct replayed *out, const PGresult *result)
{
    replayed_read_at(out, result, 0, 0);
}
