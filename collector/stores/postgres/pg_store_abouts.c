/* What devices say of themselves (schema/017_names.sql), in the transaction of the batch that it came in. */
#include "collector/stores/postgres/pg_store_inner.h"

void pg_store_put_abouts(struct pg_store *store)
{
    const struct abouts *abouts = &store->batch->abouts;

    if (abouts->count == 0 || store->parts.to < store->parts.count)
        return;
    buffer_put_text(&store->sql, "SELECT devices_describe(ARRAY[");
    for (size_t i = 0; i < abouts->count; i++) {
        const struct about *about = &abouts->items[i];

        const char *const texts[] = {about->device, about->label, about->group, about->location};

        buffer_put_text(&store->sql, i > 0 ? ",ROW(" : "ROW(");
        for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
            buffer_put_text(&store->sql, j > 0 ? "," : "");
            pg_store_put_literal(store, &store->sql, texts[j]);
        }
        buffer_put_text(&store->sql, ")::device_about");
    }
    buffer_put_text(&store->sql, "]);");
    pg_store_note_statement(store, PG_STORE_OTHER);
}
