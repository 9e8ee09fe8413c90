/* PostgreSQL says "permission denied for table x" to who has tried, one table at a time, and not which
 * right it was. Here all are looked up before anybody tries. Tables are found by their names in pg_class:
 * to_regclass() fails where the schema itself is closed. */
#include "shared/net/pg_rights.h"

#define READ                                                                                       \
    "('readings'), ('devices'), ('peaks'), ('device_sequences'), ('collectors'),"                  \
    " ('storage_state'), ('reading_partitions'), ('rollup_hours'), ('rollup_days'),"               \
    " ('rollup_open'), ('rollup_totals'), ('rollup_late'), ('rollup_fleet'),"                      \
    " ('rollup_fleet_log'), ('device_readings'), ('installation'), ('schema_migrations'),"         \
    " ('heartbeat'), ('device_states'), ('reading_chunks'), ('packed_days'),"                      \
    " ('rollup_minutes'), ('rollup_hour_chunks'), ('rollup_sheets')"
#define WRITTEN                                                                                    \
    READ ", ('sequence_marks'), ('rejected_messages'), ('partition_requests')"                     \
         ", ('rejected_minutes'), ('rejected_minutes_log')"

#define TABLES(names)                                                                              \
    "(SELECT c.oid, c.relname, c.relkind, c.relowner FROM pg_class c JOIN (VALUES " names          \
    ") AS t (name) ON t.name = c.relname WHERE c.relnamespace = 'public'::regnamespace)"

#define NO_SCHEMA                                                                                  \
    "SELECT CASE WHEN NOT has_schema_privilege('public', 'USAGE') THEN"                            \
    " format('role %s lacks USAGE on schema public (GRANT USAGE ON SCHEMA public TO %1$I)',"       \
    " current_user)"

/* The tables without a right, in one line; the first right that lacks. */
#define LACKS(names, rights, hint)                                                                 \
    " (SELECT format('role %s lacks %s on %s " hint "', current_user, r.name,"                     \
    " string_agg(t.relname, ', ' ORDER BY t.relname))"                                             \
    " FROM unnest(ARRAY[" rights "]) WITH ORDINALITY AS r (name, n)"                               \
    " JOIN " TABLES(                                                                               \
        names) " t ON NOT has_table_privilege(t.oid, r.name)"                                      \
               " WHERE r.n = 1 OR t.relkind <> 'v' GROUP BY r.name, r.n ORDER BY r.n LIMIT 1)"

#define NO_TABLES                                                                                  \
    " WHEN NOT EXISTS (SELECT FROM " TABLES(                                                       \
        READ) " t WHERE t.relname = 'readings') THEN"                                              \
              " 'its schema public has no table readings yet: a collector makes it, or collector " \
              "--migrate'"

/* Planning it takes the right to read the table, so it is a question of its own. */
#define NEWER                                                                                      \
    " SELECT (SELECT format('a newer version has made this database: it has %s, and this program " \
    "knows"                                                                                        \
    " nothing after " HIGHWATER_SCHEMA "', max(name)) FROM schema_migrations"                      \
    " HAVING max(name COLLATE \"C\") > '" HIGHWATER_SCHEMA "' COLLATE \"C\")"

const char pg_rights_to_read_sql[] = NO_SCHEMA NO_TABLES " ELSE" LACKS(
    READ, "'SELECT'", "(GRANT SELECT ON ALL TABLES IN SCHEMA public TO %1$I)") " END;" NEWER;

const char pg_rights_to_write_sql[] = NO_SCHEMA " WHEN EXISTS (SELECT FROM " TABLES(
    WRITTEN) " t WHERE NOT pg_has_role(t.relowner, 'USAGE')) THEN"
             " (SELECT format('role %s is not the owner of table %s, which belongs to %s, and so"
             " cannot make partitions', current_user, t.relname, pg_get_userbyid(t.relowner))"
             " FROM " TABLES(WRITTEN) " t WHERE NOT pg_has_role(t.relowner, 'USAGE')"
                                      " ORDER BY t.relname LIMIT 1)"
                                      " ELSE" LACKS(WRITTEN, "'SELECT', 'INSERT', 'UPDATE'",
                                                    "(GRANT ALL ON ALL TABLES IN SCHEMA public"
                                                    " TO %1$I)") " END;" NEWER;
