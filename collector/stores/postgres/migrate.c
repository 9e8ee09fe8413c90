/* The lock is held by the session across all steps, so of several collectors started on an empty
 * database one applies the files and the others find them applied. CREATE TABLE is transactional in
 * PostgreSQL: a file is applied and recorded, or neither. */
#include "collector/stores/postgres/migrate.h"

#include "collector/stores/postgres/schema_sql.h"
#include "shared/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOCK_SQL                                                                                   \
    "SELECT pg_advisory_lock(hashtextextended('highwater schema', 0));"                            \
    "SET lock_timeout = '5s';"                                                                     \
    "CREATE TABLE IF NOT EXISTS schema_migrations ("                                               \
    " name text PRIMARY KEY, hash bigint NOT NULL, applied_at timestamptz NOT NULL DEFAULT "       \
    "now());"                                                                                      \
    "SELECT name, to_jsonb(m) ->> 'hash' AS hash FROM schema_migrations m ORDER BY name"

enum step { STEP_LOCK, STEP_FILES, STEP_FEATURES, STEP_PARTITIONS, STEP_DONE };

static void submit_step(struct migrate *migrate);

static void on_closed(struct pg_link *link)
{
    struct migrate *migrate = link->config.user;

    buffer_release(&migrate->sql);
    applied_release(&migrate->applied);
    migrate->is_running = false;
    migrate->on_done(migrate, migrate->error[0] ? migrate->error : NULL);
}

static void on_result(struct pg_query *query, const PGresult *result)
{
    struct migrate *migrate = query->user;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return;
    if (migrate->step == STEP_PARTITIONS)
        migrate->wants_more = *PQgetvalue(result, 0, 1) == 't';
    if (migrate->step != STEP_LOCK || strcmp(PQfname(result, 0), "name") != 0)
        return;
    applied_clear(&migrate->applied);
    for (int row = 0; row < PQntuples(result) && !migrate->error[0]; row++)
        applied_check(&migrate->applied, PQgetvalue(result, row, 0), PQgetvalue(result, row, 1),
                      migrate->error, sizeof(migrate->error));
}

/* Who waits for the end of a command wants to hear of it. */
static bool is_overdue(const struct migrate *migrate)
{
    return migrate->give_up_after_ms > 0 &&
           uv_now(migrate->link.loop) - migrate->started_ms > migrate->give_up_after_ms;
}

static void on_given_up(struct pg_link *link, const char *reason)
{
    struct migrate *migrate = link->config.user;

    snprintf(migrate->error, sizeof(migrate->error), "the database is not usable: %s", reason);
    pg_link_close(link, on_closed);
}

static void on_done(struct pg_query *query, const struct pg_error *error)
{
    struct migrate *migrate = query->user;

    if (migrate->link.on_closed)
        return; /* cancelled */
    if (error && pg_error_class(error) == PG_ERROR_TRANSIENT && !is_overdue(migrate)) {
        log_warning("schema: %s; trying again", error->text);
        migrate->step = STEP_LOCK; /* goes on in on_up */
        if (!error->is_connection)
            pg_link_reset(&migrate->link, error->text);
        return;
    }
    if (error)
        snprintf(migrate->error, sizeof(migrate->error), "%s (SQLSTATE %s)", error->text,
                 error->sqlstate);
    if (migrate->error[0]) {
        pg_link_close(&migrate->link, on_closed);
        return;
    }
    if (migrate->step == STEP_FILES) {
        log_info("schema: applied %s", schema_files[migrate->next_file].name);
        migrate->next_file++;
    } else if (!migrate->wants_more) {
        migrate->step++;
    }
    submit_step(migrate);
}

static void submit(struct migrate *migrate, const char *sql)
{
    migrate->wants_more = false;
    migrate->query =
        (struct pg_query){.sql = sql, .user = migrate, .on_result = on_result, .on_done = on_done};
    pg_link_submit(&migrate->link, &migrate->query);
}

static void submit_file(struct migrate *migrate)
{
    const struct schema_file *file = &schema_files[migrate->next_file];

    buffer_clear(&migrate->sql);
    buffer_put_text(&migrate->sql, "BEGIN;\n");
    buffer_put(&migrate->sql, file->sql, file->bytes);
    buffer_printf(&migrate->sql,
                  "\n;INSERT INTO schema_migrations (name, hash) VALUES ('%s', %" PRId64
                  ");\nCOMMIT",
                  file->name, applied_hash(file));
    submit(migrate, buffer_text(&migrate->sql));
}

static void put_names(struct buffer *sql, const struct features *features)
{
    buffer_put_text(sql, "ARRAY[");
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(sql, "%s'%s'", i > 0 ? ", " : "", features->names[i]);
    buffer_put_text(sql, "]");
}

/* What people read of the features becomes comments of their columns. */
static void put_descriptions(struct migrate *migrate)
{
    const struct features *features = migrate->features;
    struct buffer *sql = &migrate->sql;

    buffer_put_text(sql, "SELECT describe_features(");
    put_names(sql, features);
    buffer_put_text(sql, ", ARRAY[");
    for (size_t i = 0; i < features->count; i++) {
        char words[FEATURE_UNIT_MAX + FEATURE_LABEL_MAX + sizeof("[|]")] = "";
        char *literal;

        if (*features->labels[i])
            snprintf(words, sizeof(words), "[%s|%s]", features->units[i], features->labels[i]);
        else if (*features->units[i])
            snprintf(words, sizeof(words), "[%s]", features->units[i]);
        literal = PQescapeLiteral(migrate->link.conn, words, strlen(words));
        buffer_printf(sql, "%s%s", i > 0 ? ", " : "", literal ? literal : "''");
        PQfreemem(literal);
    }
    buffer_put_text(sql, "])");
}

static void submit_step(struct migrate *migrate)
{
    struct buffer *sql = &migrate->sql;

    if (migrate->step == STEP_LOCK) {
        migrate->next_file = 0;
        submit(migrate, LOCK_SQL);
        return;
    }
    if (migrate->step == STEP_FILES) {
        migrate->next_file = applied_next(&migrate->applied, migrate->next_file);
        if (migrate->next_file < schema_file_count) {
            submit_file(migrate);
            return;
        }
        migrate->step = STEP_FEATURES;
    }
    buffer_clear(sql);
    if (migrate->step == STEP_FEATURES) {
        buffer_put_text(sql, "SELECT add_features(");
        put_names(sql, migrate->features);
        buffer_put_text(sql, ");");
        put_descriptions(migrate);
        submit(migrate, buffer_text(sql));
    } else if (migrate->step == STEP_PARTITIONS) {
        buffer_printf(sql, MAKE_PARTITIONS_SQL, migrate->partition);
        submit(migrate, buffer_text(sql));
    } else {
        pg_link_close(&migrate->link, on_closed);
    }
}

static void on_up(struct pg_link *link)
{
    struct migrate *migrate = link->config.user;

    migrate->step = STEP_LOCK;
    submit_step(migrate);
}

bool migrate_start(struct migrate *migrate, uv_loop_t *loop, const char *database_url,
                   const struct features *features, const char *partition,
                   uint64_t give_up_after_ms, void *user,
                   void (*on_finished)(struct migrate *migrate, const char *error), char *error,
                   size_t error_bytes)
{
    struct pg_link_config config = {.name = "schema",
                                    .url = database_url,
                                    .application_name = "highwater schema",
                                    .warns = true,
                                    .session = {.lock_timeout_ms = give_up_after_ms},
                                    .give_up_after_ms = give_up_after_ms,
                                    .on_given_up = on_given_up,
                                    .user = migrate,
                                    .on_up = on_up};

    *migrate = (struct migrate){.features = features,
                                .partition = partition,
                                .user = user,
                                .on_done = on_finished,
                                .give_up_after_ms = give_up_after_ms,
                                .started_ms = uv_now(loop)};
    migrate->is_running = pg_link_start(&migrate->link, loop, &config, error, error_bytes);
    if (migrate->is_running)
        applied_init(&migrate->applied, schema_files, schema_file_count);
    return migrate->is_running;
}

void migrate_cancel(struct migrate *migrate)
{
    if (!migrate->is_running || migrate->link.on_closed)
        return;
    snprintf(migrate->error, sizeof(migrate->error), "cancelled");
    pg_link_close(&migrate->link, on_closed);
}
