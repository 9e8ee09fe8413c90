/* What devices say of themselves (schema/017_names.sql), in the transaction of the batch that it came in. */
#include "collector/stores/postgres/pg_store_inner.h"

#include <string.h>

static void put_text(struct pg_store *store, const char *before, const char *text)
{
    char *literal = text ? PQescapeLiteral(store->link.conn, text, strlen(text)) : NULL;

    buffer_printf(&store->sql, "%s%s", before, literal ? literal : "NULL");
    PQfreemem(literal);
}

void pg_store_put_abouts(struct pg_store *store)
{
    const struct abouts *abouts = &store->batch->abouts;

    if (abouts->count == 0 || store->parts.to < store->parts.count)
        return;
    buffer_put_text(&store->sql, "SELECT devices_describe(ARRAY[");
    for (size_t i = 0; i < abouts->count; i++) {
        const struct about *about = &abouts->items[i];

        put_text(store, i > 0 ? ",ROW(" : "ROW(", about->device);
        put_text(store, ",", about->label);
        put_text(store, ",", about->group);
        put_text(store, ",", about->location);
        buffer_put_text(&store->sql, ")::device_about");
    }
    buffer_put_text(&store->sql, "]);");
    pg_store_note_statement(store, PG_STORE_OTHER);
}
