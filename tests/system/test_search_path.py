"""Functions of ours, called by hand: whatever the caller's search_path is, they mean our tables and functions."""

from __future__ import annotations

import psycopg2
import pytest
from http_tools import insert
from oracle import now_us, reading, to_text
from storage import differences, migrated
from test_hostile_settings import as_superuser

HOUR_US = 3_600_000_000

# Nothing in them but operators on their own arguments, and the planner has to see through them.
TAKEN_APART = {"rollup_mean", "rejected_bytes", "hash_matches", "minute_cells", "minute_place"}

PATHS = ("evil", "evil, public", "evil, pg_catalog, public", "pg_temp, public", "pg_temp, evil, pg_catalog")

# Everything of ours under the same name: tables and views without a column of ours, functions that fail.
MAKE_LOOK_ALIKES = """
DO $$
DECLARE
    one record;
BEGIN
    CREATE SCHEMA evil;
    GRANT ALL ON SCHEMA evil TO PUBLIC;
    FOR one IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') LOOP
        EXECUTE format('CREATE TABLE evil.%I (evil integer)', one.relname);
        EXECUTE format('GRANT ALL ON evil.%I TO PUBLIC', one.relname);
    END LOOP;
    FOR one IN SELECT proname, oidvectortypes(proargtypes) AS args FROM pg_proc WHERE pronamespace = 'public'::regnamespace LOOP
        CONTINUE WHEN one.args ~ 'peaks|readings|rejected|summary|regclass';
        EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS text LANGUAGE plpgsql AS ''BEGIN RAISE ''''evil''''; END''', one.proname, one.args);
    END LOOP;
    -- and what is PostgreSQL's, for a path on which pg_catalog is not the first
    FOR one IN SELECT DISTINCT proname, oidvectortypes(proargtypes) AS args, prorettype::regtype AS type FROM pg_proc
               WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND provariadic = 0 AND NOT proretset
               AND proname IN ('date_bin', 'date_part', 'to_regclass', 'set_config', 'current_setting', 'quote_ident', 'now') LOOP
        EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS ''BEGIN RAISE ''''evil''''; END''',
                       one.proname, one.args, one.type);
    END LOOP;
END $$"""

TEMPORARY = """
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') LOOP
        EXECUTE format('CREATE TEMPORARY TABLE %I (evil integer)', one.relname);
    END LOOP;
END $$"""

READ_ONLY = [
    "public.board_of('temperature', 'desc', '-infinity', 10)",
    "public.board_of('temperature', 'asc', pg_catalog.now() OPERATOR(pg_catalog.-) '1 hour'::interval, 10)",
    "public.board_of('temperature', 'desc', pg_catalog.now() OPERATOR(pg_catalog.-) '60 hours'::interval, 10)",
    "public.device_histogram('d1')",
    "public.fleet_histogram()",
    "public.value_histogram('d1', 'temperature', 5)",
    "public.value_histogram(NULL, 'temperature', 5)",
    "public.feature_summary(1, 'temperature', '-infinity', 'infinity')",
    "public.status_counts(0, '-infinity', 'infinity')",
    "public.device_page(1, '-infinity', 'infinity', true, 5)",
    "public.device_runs(1, '-infinity', 'infinity', true, 5, wanted => ARRAY['temperature'])",
    "public.fleet_runs(NULL, '-infinity', 'infinity', 5, 5, wanted => ARRAY['temperature'])",
    "public.device_points(1, '-infinity', 'infinity', 5, ARRAY['temperature'])",
    "public.device_spans(ARRAY[1, 2])",
    "public.storage_status()",
    "public.collectors_seen()",
]

WRITING = [
    "SELECT public.rollup_rebuild(pg_catalog.now() - '3 days'::interval, pg_catalog.now())",
    "SELECT public.peaks_rebuild('-infinity', 'infinity')",
    "SELECT public.make_partition(pg_catalog.now() + '40 days'::interval)",
    "SELECT public.add_feature('humidity')",
    "SELECT public.rollup_set_late_before('2 minutes')",
    "SELECT public.rollup_until(pg_catalog.now() - '1 hour'::interval)",
    "SELECT public.rollup_fold_late(100)",
    "SELECT public.rollup_fold_fleet(100)",
    "SELECT public.rollup_forget()",
    "SELECT public.rejected_forget(pg_catalog.now(), 1000)",
    "SELECT public.detach_partition('2000-01-01')",
    "SELECT public.drop_detached()",
    "SELECT public.collector_enter('c')",
]


def test_each_function_has_a_search_path_of_its_own(stack):
    bare = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    bare += " AND array_to_string(proconfig, ' ') ~ 'search_path' IS NOT TRUE"
    assert {name for name, in migrated(stack).rows(bare)} == TAKEN_APART


@pytest.mark.parametrize("path", PATHS)
def test_a_search_path_that_means_others_changes_nothing(stack, path):
    database = migrated(stack)
    for hours in (0, 1, 30, 100):
        insert(database, [reading(f"d{i}", now_us() - hours * HOUR_US - i * 10**6, temperature=i + hours) for i in range(4)])
    expected = [database.rows(f"SELECT r::text FROM {call} r") for call in READ_ONLY]
    assert all(expected[:-1])
    as_superuser(database, MAKE_LOOK_ALIKES)
    connection = psycopg2.connect(database.url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(TEMPORARY)
        cursor.execute(f"SET search_path = {path}")
        for call, rows in zip(READ_ONLY, expected):
            cursor.execute(f"SELECT r::pg_catalog.text FROM {call} r")
            assert cursor.fetchall() == rows, call
        for statement in WRITING:
            cursor.execute(statement)
        at = to_text(now_us())
        cursor.execute(
            "INSERT INTO public.readings (device, recorded_at, received_at, content_hash, temperature)"
            " VALUES (2, %s, %s, 1, 7), (3, %s, %s, 2, 8)", (at, at, at, at)
        )  # fmt: skip
        cursor.execute(
            "INSERT INTO public.rejected_messages (received_at, topic, payload, reason, detail)"
            " VALUES ('2026-01-01', 't', 'p', 'no_value', '')"
        )
        cursor.execute("SELECT public.readings_remove('d1', '-infinity', 'infinity', 'temperature')")
        assert cursor.fetchone()[0] == 5
        cursor.execute("SELECT public.device_remove('d3')")
    connection.close()
    # d1's are still there but for the one that was nothing but a temperature; of d3 nothing is
    assert database.rows("SELECT device_id, count(*) FROM device_readings GROUP BY 1 ORDER BY 1") == [("d0", 4), ("d1", 4), ("d2", 5)]
    boards = database.rows("SELECT device_id FROM board_of('temperature', 'desc', '-infinity', 10)")
    assert boards == [("d2",), ("d0",)]
    assert database.rows("SELECT (SELECT count(*) FROM rejected_messages), sum(messages) FROM rejected_log") == [(1, 1)]
    assert not differences(database)
