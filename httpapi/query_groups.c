/* Counted are devices as /devices lists them: one that only says what it is is not among them yet. */
#include "httpapi/query_parts.h"

#include "httpapi/pg_cell.h"
#include "shared/base/json_write.h"

#include <inttypes.h>

enum { GROUPS_MOST = 1000 };

static void build_groups(struct query *query)
{
    query_sql(query, "SELECT a.group_name, count(*), count(*) OVER () FROM device_abouts a"
                     " JOIN device_states s ON s.device_id = a.device_id"
                     " WHERE a.group_name IS NOT NULL GROUP BY a.group_name ORDER BY a.group_name"
                     " LIMIT ");
    query_bind_count(query, GROUPS_MOST);
}

static void write_groups(struct query *query, const PGresult *result)
{
    struct buffer *out = &query->body;

    buffer_put_text(out, "{\"groups\":[");
    for (int row = 0; row < PQntuples(result); row++) {
        buffer_put_text(out, row > 0 ? ",{\"group\":" : "{\"group\":");
        json_write_string(out, PQgetvalue(result, row, 0));
        buffer_printf(out, ",\"devices\":%" PRId64 "}", pg_cell_integer(result, row, 1));
    }
    buffer_printf(out, "],\"total\":%" PRId64 "}",
                  PQntuples(result) > 0 ? pg_cell_integer(result, 0, 2) : 0);
}

const struct query_kind query_groups = {build_groups, write_groups};
