/* loader_sql.c: what the loader asks for readings.
 *
 * Readings of days that are packed lie in chunks, and what stands in FROM for both kinds is for the
 * database to say (readings_source(), schema/023_packed.sql). It is asked before each of these
 * statements, in their snapshot; where nothing is packed it is the table. */
#include "collector/stores/postgres/loader_sql.h"

#include "shared/base/timestamp.h"

void loader_put_columns(struct buffer *sql, const struct features *features)
{
    buffer_put_text(sql, "device, content_hash, recorded_at, status");
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(sql, ", \"%s\"", features->names[i]);
}

/* Calls `put` for each ranking: a feature, and which way. */
static void put_rankings(const struct loader *loader, struct buffer *sql,
                         void (*put)(struct buffer *sql, const char *feature, size_t number,
                                     bool is_highest))
{
    for (size_t i = 0; i < loader->config.features->count; i++) {
        if (loader->load.windows->orders & WINDOWS_HIGHEST)
            put(sql, loader->config.features->names[i], i, true);
        if (loader->load.windows->orders & WINDOWS_LOWEST)
            put(sql, loader->config.features->names[i], i, false);
    }
}

static void put_best(struct buffer *sql, const char *feature, size_t number, bool is_highest)
{
    buffer_printf(sql, ", %s(\"%s\") AS %s%zu", is_highest ? "max" : "min", feature,
                  is_highest ? "h" : "l", number);
}

/* An element for every device there is, and no NULL: PostgreSQL finds one at once only in an array
 * that has none. */
static void put_array(struct buffer *sql, const char *feature, size_t number, bool is_highest)
{
    const char *name = is_highest ? "h" : "l";

    (void)feature;
    buffer_printf(sql, ", array_agg(coalesce(%s%zu, '%sInfinity') ORDER BY i) AS %s%zu", name,
                  number, is_highest ? "-" : "", name, number);
}

static void put_beats(struct buffer *sql, const char *feature, size_t number, bool is_highest)
{
    buffer_printf(sql, " OR \"%s\" %s (SELECT %s%zu FROM a)[device]", feature,
                  is_highest ? ">" : "<", is_highest ? "h" : "l", number);
}

void loader_put_layer(struct loader *loader, struct buffer *sql, int64_t from_us, int64_t until_us)
{
    char from[TIMESTAMP_TEXT_SIZE];
    char until[TIMESTAMP_TEXT_SIZE];

    timestamp_format(from, from_us);
    timestamp_format(until, until_us);
    buffer_put_text(sql, "COPY (WITH b AS MATERIALIZED (SELECT device");
    put_rankings(loader, sql, put_best);
    buffer_printf(sql,
                  " FROM %s r WHERE recorded_at > '%s' GROUP BY device),"
                  " a AS MATERIALIZED (SELECT count(*)",
                  buffer_text(&loader->later_source), until);
    put_rankings(loader, sql, put_array);
    buffer_put_text(sql, " FROM generate_series(1, (SELECT max(id) FROM devices)) i"
                         " LEFT JOIN b ON b.device = i) SELECT ");
    loader_put_columns(sql, loader->config.features);
    buffer_printf(sql, " FROM %s r WHERE recorded_at > '%s' AND recorded_at <= '%s' AND (false",
                  buffer_text(&loader->source), from, until);
    put_rankings(loader, sql, put_beats);
    buffer_put_text(sql, ")) TO STDOUT (FORMAT binary)");
}

void loader_put_only(const struct loader *loader, struct buffer *sql, const char *column)
{
    if (loader->load.only)
        buffer_printf(sql, " AND %s = ANY ('{%s}')", column, loader->only_refs);
}

/* ---- sources -------------------------------------------------------------------------------- */

/* What is needed beside device and recorded_at. */
static void put_needed(struct buffer *sql, const char *first, const struct features *features)
{
    buffer_printf(sql, "ARRAY[%s", first);
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(sql, "%s'%s'", i > 0 || first[0] ? ", " : "", features->names[i]);
    buffer_put_text(sql, "]::text[]");
}

void loader_put_sources(const struct loader *loader, struct buffer *sql, int64_t from_us,
                        int64_t until_us)
{
    const struct features *features = loader->config.features;
    char from[TIMESTAMP_TEXT_SIZE];
    char until[TIMESTAMP_TEXT_SIZE];
    char ends[TIMESTAMP_TEXT_SIZE];

    timestamp_format(from, from_us);
    buffer_printf(sql, "COPY (SELECT readings_source('%s', ", from);
    if (until_us == INT64_MAX) {
        buffer_put_text(sql, "'infinity', NULL, ");
        put_needed(sql, "'content_hash', 'status'", features);
        buffer_put_text(sql, "), 'readings'");
    } else {
        timestamp_format(until, until_us);
        timestamp_format(ends, until_us + 1);
        buffer_printf(sql, "'%s', NULL, ", ends);
        put_needed(sql, "'content_hash', 'status'", features);
        buffer_printf(sql, "), readings_source('%s', 'infinity', NULL, ", until);
        put_needed(sql, "", features);
        buffer_put_text(sql, ")");
    }
    buffer_put_text(sql, ") TO STDOUT (FORMAT binary)");
}

/* Of packed days only those to which something came since: most are packed for long. */
void loader_put_numbers_source(struct buffer *sql, const char *since)
{
    buffer_put_text(sql, "COPY (SELECT readings_source(coalesce(min(starts_at), 'infinity'),"
                         " coalesce(max(ends_at), 'infinity'), NULL, '{seq,received_at}'");
    if (since[0])
        buffer_printf(sql, ", received_after => '''%s'''", since);
    buffer_put_text(sql, "), 'readings' FROM packed_days WHERE is_packed");
    if (since[0])
        buffer_printf(sql, " AND changed_at > '%s'", since);
    buffer_put_text(sql, ") TO STDOUT (FORMAT binary)");
}
