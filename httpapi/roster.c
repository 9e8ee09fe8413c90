#include "httpapi/roster.h"

#include "httpapi/replayed.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/net/pg_link.h"
#include "shared/net/pg_rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATEMENT_TIMEOUT_MS = 1000, WATCHDOG_MS = 3000, RIGHTS_EVERY_MS = 5000 };

struct roster {
    struct roster_config config;
    struct pg_link link;
    struct pg_query question;
    uv_timer_t again; /* the next question that is known of */
    bool is_asking;
    bool is_wanted; /* once more, when the answer is here */
    struct replayed replayed;
    bool has_said_standby;
    bool is_closing;
    struct pg_query rights;
    char lacks[320];       /* what we may not, or whose tables these are; "" = all is well */
    char lacks_found[320]; /* by the question under way */
    bool is_asking_rights;
    uint64_t rights_due_ms;
    uint64_t asked_ms;
    uint64_t mark; /* of the question under way */
    size_t count;
    size_t capacity;
    struct roster_row *rows;
    char columns[FEATURES_MAX * 160];
    char complaint[6]; /* the SQLSTATE that was said last */
    bool is_refused;   /* the last question: tables or rights lack */
    uint64_t heard_ms;
    uint64_t stored_ms;
    size_t collectors; /* that the last answer had */
    int64_t batches;   /* of all of them; -1 = not known yet */
    uint64_t answers;
    uint64_t failures;
    unsigned open_parts;
    void (*on_closed)(void *user);
    void *closed_user;
};

static void on_timer(uv_timer_t *timer);

static int64_t integer_at(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

static void on_result(struct pg_query *query, const PGresult *result)
{
    struct roster *roster = query->user;

    if (PQntuples(result) > 0)
        snprintf(roster->columns, sizeof(roster->columns), "%s", PQgetvalue(result, 0, 7));
    roster->replayed = (struct replayed){0};
    if (PQntuples(result) > 0)
        replayed_read_at(&roster->replayed, result, 0, 4);
    for (int i = 0; i < PQntuples(result); i++) {
        struct roster_row *row;

        if (PQgetisnull(result, i, 0) || PQgetlength(result, i, 0) >= DEVICE_ID_SIZE)
            continue; /* no collector's name is that long */
        if (roster->count == roster->capacity) {
            roster->capacity = mem_grown(roster->capacity, roster->count + 1);
            roster->rows = mem_realloc(roster->rows, roster->capacity * sizeof(roster->rows[0]));
        }
        row = &roster->rows[roster->count++];
        *row = (struct roster_row){.turn = integer_at(result, i, 1),
                                   .batches = integer_at(result, i, 2),
                                   .newest_us = PQgetisnull(result, i, 3)
                                                    ? INT64_MAX /* whatever it has stored */
                                                    : integer_at(result, i, 3)};
        strcpy(row->id, PQgetvalue(result, i, 0));
        snprintf(row->installation, sizeof(row->installation), "%s", PQgetvalue(result, i, 6));
    }
}

/* What collectors have stored since the last answer shows in it. */
static void note_batches(struct roster *roster)
{
    int64_t batches = 0;

    for (size_t i = 0; i < roster->count; i++)
        batches += roster->rows[i].batches;
    if (roster->batches >= 0 && batches > roster->batches)
        roster->stored_ms = uv_now(roster->again.loop);
    roster->batches = batches;
    roster->collectors = roster->count;
}

/* A standby answers with what it has heard by now, which may be older than the question; then
 * nothing can be weighed against it. */
static void hand_over(struct roster *roster)
{
    roster->answers++;
    roster->complaint[0] = '\0';
    note_batches(roster);
    if (!roster->replayed.is_standby) {
        roster->has_said_standby = false;
        roster->config.on_rows(roster->config.user, roster->rows, roster->count, roster->mark);
    } else if (!roster->has_said_standby) {
        roster->has_said_standby = true;
        log_info("database: it is a standby, which may lag: all boards come out of it");
    }
    roster->config.on_columns(roster->config.user, roster->columns);
}

/* Without the table, or the right to read it, it would be the same line every second. */
static void complain(struct roster *roster, const struct pg_error *error)
{
    roster->failures++;
    if (error->is_connection || strcmp(roster->complaint, error->sqlstate) == 0)
        return;
    strcpy(roster->complaint, error->sqlstate);
    log_warning("database: it does not say which collectors there are: %s %s", error->sqlstate,
                error->text);
}

/* That it took too long, behind a lock, say, is no answer. */
static bool is_refusal(const struct pg_error *error)
{
    return !error->is_connection && pg_error_class(error) == PG_ERROR_SCHEMA;
}

static void on_done(struct pg_query *query, const struct pg_error *error)
{
    struct roster *roster = query->user;

    roster->is_asking = false;
    roster->is_refused = error && is_refusal(error);
    if (!error || roster->is_refused)
        roster->heard_ms = uv_now(roster->again.loop);
    if (error)
        complain(roster, error);
    else
        hand_over(roster);
    if (roster->is_wanted)
        roster_ask(roster);
}

static void on_rights_result(struct pg_query *query, const PGresult *result)
{
    struct roster *roster = query->user;

    if (PQntuples(result) == 1 && !PQgetisnull(result, 0, 0) && !roster->lacks_found[0])
        snprintf(roster->lacks_found, sizeof(roster->lacks_found), "%s", PQgetvalue(result, 0, 0));
}

static void on_rights(struct pg_query *query, const struct pg_error *error)
{
    struct roster *roster = query->user;

    roster->is_asking_rights = false;
    if (error && (error->is_connection || !roster->lacks_found[0]))
        return;
    if (roster->lacks_found[0] && strcmp(roster->lacks, roster->lacks_found) != 0)
        log_warning("database: %s", roster->lacks_found);
    memcpy(roster->lacks, roster->lacks_found, sizeof(roster->lacks));
}

static void ask_rights(struct roster *roster)
{
    uint64_t now_ms = uv_now(roster->again.loop);

    if (roster->is_asking_rights || now_ms < roster->rights_due_ms)
        return;
    roster->is_asking_rights = true;
    roster->rights_due_ms = now_ms + RIGHTS_EVERY_MS;
    roster->lacks_found[0] = '\0';
    roster->rights = (struct pg_query){.sql = pg_rights_to_read_sql,
                                       .timeout_ms = WATCHDOG_MS,
                                       .user = roster,
                                       .on_result = on_rights_result,
                                       .on_done = on_rights};
    pg_link_submit(&roster->link, &roster->rights);
}

bool roster_is_standby(const struct roster *roster, int64_t *as_of_us)
{
    *as_of_us = roster->replayed.as_of_us;
    return roster->replayed.is_standby;
}

const char *roster_lacks(const struct roster *roster)
{
    return roster->lacks;
}

/* The features of a reading are what it has of this type, with what describe_features() says of them. */
#define COLUMNS                                                                                    \
    "(SELECT string_agg(a.attname || coalesce(substring(d.description FROM "                       \
    "'^[^][ ]+(\\[[^][]+\\]) as the device sent it'), ''), ',' ORDER BY a.attnum)"                 \
    " FROM pg_attribute a LEFT JOIN pg_description d ON d.classoid = 'pg_class'::regclass"         \
    " AND d.objoid = a.attrelid AND d.objsubid = a.attnum"                                         \
    " WHERE a.attrelid = to_regclass('readings') AND a.attnum > 0 AND NOT a.attisdropped"          \
    " AND a.atttypid = 'float8'::regtype)"

static void ask_now(struct roster *roster)
{
    roster->question =
        (struct pg_query){.sql = "SELECT id, turn, batches, CASE WHEN isfinite(newest) "
                                 "THEN (extract(epoch FROM newest) * 1000000)::bigint END, "
                                 "pg_is_in_recovery(), replayed_until(), "
                                 "(SELECT i.id FROM installation i), " COLUMNS
                                 " FROM (SELECT 1) one LEFT JOIN collectors ON true",
                          .timeout_ms = WATCHDOG_MS,
                          .user = roster,
                          .on_result = on_result,
                          .on_done = on_done};
    roster->is_asking = true;
    roster->is_wanted = false;
    roster->count = 0;
    roster->asked_ms = uv_now(roster->again.loop);
    roster->mark = roster->config.get_mark(roster->config.user);
    uv_timer_start(&roster->again, on_timer, ROSTER_EVERY_MS, 0);
    pg_link_submit(&roster->link, &roster->question);
    ask_rights(roster);
}

void roster_ask(struct roster *roster)
{
    uint64_t due_ms = roster->asked_ms + ROSTER_PAUSE_MS;
    uint64_t now_ms = uv_now(roster->again.loop);

    if (roster->link.state != PG_LINK_UP || roster->is_closing)
        return; /* on_up() comes back here */
    if (roster->is_asking)
        roster->is_wanted = true;
    else if (due_ms <= now_ms)
        ask_now(roster);
    else if (uv_timer_get_due_in(&roster->again) > due_ms - now_ms)
        uv_timer_start(&roster->again, on_timer, due_ms - now_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct roster *roster = timer->data;

    uv_timer_start(timer, on_timer, ROSTER_EVERY_MS, 0);
    roster_ask(roster);
}

/* ---- the connection ------------------------------------------------------------------------- */

static void on_up(struct pg_link *link)
{
    struct roster *roster = link->config.user;

    roster->rights_due_ms = 0; /* it may be another server */
    roster_ask(roster);
}

struct roster *roster_start(uv_loop_t *loop, const struct roster_config *config, char *error,
                            size_t error_bytes)
{
    struct roster *roster = mem_calloc(1, sizeof(*roster));
    struct pg_link_config link = {.name = "database (collectors)",
                                  .url = config->url,
                                  .application_name = "highwater-httpapi",
                                  .user = roster,
                                  .session = {.reads_only = true,
                                              .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
                                              .lock_timeout_ms = STATEMENT_TIMEOUT_MS},
                                  .on_up = on_up};

    roster->config = *config;
    roster->batches = -1;
    if (!pg_link_start(&roster->link, loop, &link, error, error_bytes)) {
        free(roster);
        return NULL;
    }
    uv_timer_init(loop, &roster->again);
    roster->again.data = roster;
    uv_timer_start(&roster->again, on_timer, ROSTER_EVERY_MS, 0);
    return roster;
}

static void on_part_closed(struct roster *roster)
{
    void (*on_closed)(void *user) = roster->on_closed;
    void *user = roster->closed_user;

    if (--roster->open_parts > 0)
        return;
    free(roster->rows);
    free(roster);
    on_closed(user);
}

static void on_link_closed(struct pg_link *link)
{
    on_part_closed(link->config.user);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

void roster_close(struct roster *roster, void (*on_closed)(void *user), void *user)
{
    roster->is_closing = true;
    roster->on_closed = on_closed;
    roster->closed_user = user;
    roster->open_parts = 2;
    uv_close((uv_handle_t *)&roster->again, on_timer_closed);
    pg_link_close(&roster->link, on_link_closed);
}

bool roster_is_heard(const struct roster *roster)
{
    return roster->heard_ms > 0 && uv_now(roster->again.loop) < roster->heard_ms + ROSTER_HEARD_MS;
}

uint64_t roster_heard_ms(const struct roster *roster)
{
    return roster->heard_ms;
}

uint64_t roster_stored_ms(const struct roster *roster)
{
    return roster->stored_ms;
}

size_t roster_collector_count(const struct roster *roster)
{
    return roster->collectors;
}

bool roster_complains(const struct roster *roster)
{
    return roster->is_refused;
}

uint64_t roster_answer_count(const struct roster *roster)
{
    return roster->answers;
}

uint64_t roster_failure_count(const struct roster *roster)
{
    return roster->failures;
}
