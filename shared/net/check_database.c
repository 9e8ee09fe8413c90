/* The same looks as at a start, in a session that is read-only: pg_session_open() has the encoding, poolers
 * and settings, pg_rights.h the rights and tables that are too new. */
#include "shared/net/check_database.h"

#include "shared/net/pg_rights.h"
#include "shared/net/pg_session.h"
#include "shared/net/pg_url.h"

#include <stdio.h>
#include <string.h>

#define WHAT "database"

/* Whether there are tables is asked of pg_class: to_regclass() fails where the schema is closed. */
#define PLACE_SQL                                                                                  \
    "SELECT current_database(), current_user, current_setting('server_version'),"                  \
    " current_setting('fsync'), pg_is_in_recovery(),"                                              \
    " EXISTS (SELECT FROM pg_class WHERE relname = 'schema_migrations' AND"                        \
    " relnamespace = 'public'::regnamespace),"                                                     \
    " has_schema_privilege('public', 'CREATE')"

enum { DATABASE, USER, VERSION, FSYNC, IS_STANDBY, HAS_TABLES, MAY_CREATE };

static bool is_true(const PGresult *result, int column)
{
    return *PQgetvalue(result, 0, column) == 't';
}

static void say_failure(struct check *check, PGconn *conn)
{
    char text[512];

    pg_session_failure(conn, text, sizeof(text));
    pg_url_scrub(conn, text);
    check_say(check, CHECK_ERROR, WHAT, "%s", text);
}

/* Two questions of one row each, NULL or a sentence. */
static bool has_rights(struct check *check, PGconn *conn, const char *sql, uint64_t timeout_ms)
{
    bool is_sent = PQsendQuery(conn, sql) == 1;
    bool is_good = true;

    while (is_sent && pg_session_wait(conn, timeout_ms)) {
        PGresult *result = PQgetResult(conn);
        bool is_answer = PQresultStatus(result) == PGRES_TUPLES_OK;

        if (!result)
            return is_good;
        if (is_good && !is_answer)
            say_failure(check, conn);
        else if (is_good && !PQgetisnull(result, 0, 0))
            check_say(check, CHECK_ERROR, WHAT, "%s", PQgetvalue(result, 0, 0));
        is_good = is_good && is_answer && PQgetisnull(result, 0, 0);
        PQclear(result);
    }
    say_failure(check, conn);
    return false;
}

static void look_at_version(struct check *check, PGconn *conn,
                            const struct check_database *database)
{
    PGresult *result = pg_session_ask(
        conn, "SELECT max(name COLLATE \"C\") FROM public.schema_migrations", database->timeout_ms);
    const char *name = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "";

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        say_failure(check, conn);
    else if (strcmp(name, HIGHWATER_SCHEMA) == 0)
        check_say(check, CHECK_OK, WHAT, "its schema is this version's, %s", name);
    else
        check_say(check, CHECK_WARNING, WHAT,
                  "its schema is older than this program: %s, not %s; %s", *name ? name : "none",
                  HIGHWATER_SCHEMA,
                  database->writes ? "the collector brings it up to date when it starts"
                                   : "a collector of this version brings it up to date");
    PQclear(result);
}

static void look_at_empty(struct check *check, const PGresult *place)
{
    if (is_true(place, MAY_CREATE))
        check_say(
            check, CHECK_OK, WHAT,
            "it has no tables yet, and role %s may make them: the collector does when it starts",
            PQgetvalue(place, 0, USER));
    else
        check_say(check, CHECK_ERROR, WHAT,
                  "it has no tables yet, and role %s lacks CREATE on schema public (ALTER DATABASE "
                  "%s OWNER TO %s)",
                  PQgetvalue(place, 0, USER), PQgetvalue(place, 0, DATABASE),
                  PQgetvalue(place, 0, USER));
}

static void look_at_tables(struct check *check, PGconn *conn, const PGresult *place,
                           const struct check_database *database)
{
    if (database->writes && !is_true(place, HAS_TABLES)) {
        look_at_empty(check, place);
        return;
    }
    if (!has_rights(check, conn, database->writes ? pg_rights_to_write_sql : pg_rights_to_read_sql,
                    database->timeout_ms))
        return;
    check_say(check, CHECK_OK, WHAT, "role %s has the rights it needs", PQgetvalue(place, 0, USER));
    look_at_version(check, conn, database);
}

static void look(struct check *check, PGconn *conn, const struct check_database *database)
{
    PGresult *place = pg_session_ask(conn, PLACE_SQL, database->timeout_ms);

    if (PQntuples(place) != 1) {
        say_failure(check, conn);
        PQclear(place);
        return;
    }
    check_say(check, CHECK_OK, WHAT, "connected to %s as %s, PostgreSQL %s",
              PQgetvalue(place, 0, DATABASE), PQgetvalue(place, 0, USER),
              PQgetvalue(place, 0, VERSION));
    if (database->writes && is_true(place, IS_STANDBY))
        check_say(check, CHECK_ERROR, WHAT, "this is a standby, which takes no readings");
    if (database->writes && strcmp(PQgetvalue(place, 0, FSYNC), "on") != 0)
        check_say(check, CHECK_ERROR, WHAT, "fsync is off: what is committed may be lost");
    look_at_tables(check, conn, place, database);
    PQclear(place);
}

void check_database_run(struct check *check, const struct check_database *database)
{
    const struct pg_session session = {.reads_only = true,
                                       .statement_timeout_ms = database->timeout_ms};
    char reason[512];
    PGconn *conn = pg_session_open(database->url, database->application_name, &session,
                                   database->timeout_ms, reason, sizeof(reason));

    if (!conn) {
        check_say(check, CHECK_ERROR, WHAT, "%s", reason);
        return;
    }
    look(check, conn, database);
    pg_session_close(conn);
}
