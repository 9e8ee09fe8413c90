/* loader_sql.h: the statements of the loader that read readings. */
#ifndef HIGHWATER_LOADER_SQL_H
#define HIGHWATER_LOADER_SQL_H

#include "collector/stores/postgres/loader.h"

/* The columns that readings and peaks share, as load_reading() expects them. */
void loader_put_columns(struct buffer *sql, const struct features *features);

/* AND column = ANY ('{1,2}'), if it is about some devices only. */
void loader_put_only(const struct loader *loader, struct buffer *sql, const char *column);

/* The readings recorded in (from, until] that beat all later ones of their device. */
void loader_put_layer(struct loader *loader, struct buffer *sql, int64_t from_us, int64_t until_us);

/* Asks for the sources of readings recorded in (from, until], and of later ones; without later ones
 * if `until_us` is INT64_MAX. */
void loader_put_sources(const struct loader *loader, struct buffer *sql, int64_t from_us,
                        int64_t until_us);

/* Asks for the source of readings that were received since a moment. */
void loader_put_numbers_source(struct buffer *sql, const char *since);

#endif
