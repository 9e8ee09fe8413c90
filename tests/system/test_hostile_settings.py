"""Whatever a role, a database, a URL or the environment sets: readings go in exactly, answers are right,
maintenance works; and what cannot work is refused with the reason."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import psycopg2
import pytest
from oracle import Database, now_us, reading, stored_readings, to_text, to_us
from servers import LOOPBACK, PrivatePostgres, Program, free_port, until
from storage import DAY_US
from test_collector import live_collector

# Each of them is legal, each changes what some text or query means, or how long it may take.
HOSTILE = {
    "datestyle": "'German, DMY'",
    "intervalstyle": "'sql_standard'",
    "timezone": "'Asia/Kathmandu'",
    "client_encoding": "'LATIN1'",
    "extra_float_digits": "-15",
    "bytea_output": "'escape'",
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "xmloption": "'document'",
    "default_transaction_isolation": "'serializable'",
    "default_transaction_deferrable": "on",
    "default_transaction_read_only": "on",
    "synchronous_commit": "off",
    "statement_timeout": "'2s'",
    "lock_timeout": "'1ms'",
    "idle_in_transaction_session_timeout": "'50ms'",
    "idle_session_timeout": "'500ms'",
    "check_function_bodies": "off",
    "jit": "on",
    "jit_above_cost": "0",
    "work_mem": "'64kB'",
    "plan_cache_mode": "'force_generic_plan'",
    "constraint_exclusion": "on",
    "max_parallel_workers_per_gather": "0",
    "client_min_messages": "'debug1'",
    "search_path": "evil",
}
HOSTILE |= {f"enable_{what}": "off" for what in ("seqscan", "indexscan", "bitmapscan", "nestloop", "sort", "hashagg")}
HOSTILE |= {"enable_partition_pruning": "off", "enable_memoize": "off", "enable_material": "off"}

# Of another's schema, and of the one that "$user" means: things that are called as ours are.
LOOK_ALIKES = [
    f"CREATE SCHEMA {schema} AUTHORIZATION highwater;"
    f"CREATE TABLE {schema}.readings (x integer); CREATE TABLE {schema}.devices (x integer);"
    f"CREATE TABLE {schema}.peaks (x integer); CREATE TABLE {schema}.schema_migrations (x integer);"
    f"CREATE FUNCTION {schema}.readings_settle() RETURNS void LANGUAGE sql AS 'SELECT 1/0';"
    f"ALTER TABLE {schema}.readings OWNER TO highwater"
    for schema in ("evil", "highwater")
]

VALUES = (0.1 + 0.2, 1e-300, -1.7e308, 199.87)


def as_superuser(database: Database, *statements: str) -> None:
    connection = database.connect(superuser=True)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def hostile_to(database: Database) -> dict[str, str]:
    """With the one that PostgreSQL 16 has renamed, by the name that it has here."""
    parallel = "SELECT name FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')"
    return {**HOSTILE, database.value(parallel): "on"}


def hostile_by(way: str, database: Database) -> dict[str, object]:
    """Makes the settings hold in one of the ways there are; returns the stack's settings for it."""
    as_superuser(database, *LOOK_ALIKES)
    settings = hostile_to(database)
    if way in ("role", "database"):
        whose = f"ROLE highwater IN DATABASE {database.name}" if way == "role" else f"DATABASE {database.name}"
        as_superuser(database, *(f"ALTER {whose} SET {name} = {value}" for name, value in settings.items()))
        return {}
    words = " ".join(f"-c {name}={value.strip(chr(39)).replace(' ', '')}" for name, value in settings.items())
    if way == "PGOPTIONS":
        return {"pgoptions": words}
    port, name = database.url.rpartition(":")[2].split("/")
    return {"database_url": f"host={LOOPBACK} port={port} user=highwater dbname={name} options='{words}'"}


def assert_all_works(stack, settings: dict[str, object]) -> None:
    """Stores, shows and counts a few readings, also of a day that has no partition yet."""
    truth_file = stack.logs / "truth"
    collector = live_collector(stack, rollup_delay="10s", **settings)
    now = now_us()
    old = now - 40 * 86_400_000_000
    sent = [reading("\u00e4 I\u0131i", at, "ON", temperature=value, pressure=1.0)
            for at, value in zip((old, old + 1, now - 7_200_000_001, now), VALUES)]
    publisher = stack.publish(*sent)
    publisher.send_bytes("devices/d\\'\"/readings", b'{"temperature":"\\u00e4\\\\"}')
    publisher.wait()
    stack.devicesim("--num-devices", "3", "--count", "300", "--truth", str(truth_file), "--rate", "max")
    until(lambda: stack.metrics()["highwater_readings_stored_total"] == 304, 30)
    stack.devicesim("--truth", str(truth_file), "--verify", str(settings.get("database_url", stack.database.url)),
                    "--verify-wait", "10s", env={"PGOPTIONS": str(settings.get("pgoptions", ""))})
    assert_answers(stack, sent, "boards", settings)
    # maintenance: the old day got its partition, and nothing failed
    until(lambda: stack.metrics()["highwater_default_readings"] == 0, 30)
    until(lambda: stack.metrics()["highwater_rollup_timestamp_seconds"] > now / 1e6 - 60, 30)
    assert stack.metrics()["highwater_maintenance_failures_total"] == 0
    assert collector.terminate() == 0
    output = collector.output()
    assert "trying again" not in output and "on hold" not in output, output
    assert_answers(stack, sent, "database", settings)
    collector = live_collector(stack, **settings)  # windows and peaks come out of the tables
    until(lambda: stack.get("/readyz")[0] == 200, 20)
    assert_answers(stack, sent, "boards", settings)
    rejected = stack.program("collector", ["--rejected", "--export", "-"], log_name="rejected", **settings)
    rejected.start()
    assert rejected.wait() == 0 and '\\\\u00e4' in rejected.output(), rejected.output()


def numbers(cells: list[str]) -> list[float]:
    return [float(cell) for cell in cells if re.fullmatch(r"[-+.e0-9]+", cell)]


def assert_answers(stack, sent, source: str, settings: dict[str, object]) -> None:
    if not any(program.name == "httpapi" for program in stack._programs):
        stack.start_httpapi(**settings)
        until(lambda: stack.get("/readyz")[0] == 200, 20)
    board = "/dashboard?interval=all_time&features=temperature&limit=100"
    until(lambda: stack.get(board)[1]["X-Data-Source"] == source, 20)
    status, _, body = stack.get(board)
    assert status == 200
    assert f'"temperature":{VALUES[3]!r}'.encode() in body
    device = "/devices/%C3%A4%20I%C4%B1i"
    history = stack.get_json(f"{device}/readings?order=asc")["readings"]
    assert [(to_us(r["timestamp"]), r["temperature"]) for r in history] == [
        (r.recorded_at_us, dict(r.values)["temperature"]) for r in sent
    ]
    _, _, csv = stack.get(f"{device}/readings?format=csv&order=asc")
    rows = [line.split(",") for line in csv.decode().splitlines()[1:]]
    assert len(rows) == 4 and [to_text(r.recorded_at_us) in row for r, row in zip(sent, rows)] == [True] * 4
    assert [f"{value!r}" in row or value in numbers(row) for value, row in zip(VALUES, rows)] == [True] * 4
    assert stack.get_json(f"{device}/histogram")["\u00e4 I\u0131i"]["ON"] == 4
    values = stack.get_json(f"{device}/distribution?feature=temperature&bins=3")
    assert (values["count"], values["edges"][0], values["edges"][-1]) == (4, min(VALUES), max(VALUES))
    plot = stack.get_json(f"{device}/points?points=50")["points"]
    assert sum(point["count"] for point in plot) == 4


SLOW = pytest.mark.faults


@pytest.mark.parametrize("way", ["role", "URL", pytest.param("database", marks=SLOW), pytest.param("PGOPTIONS", marks=SLOW)])
def test_settings_from_anywhere_change_nothing(stack, way):
    assert_all_works(stack, hostile_by(way, stack.database))


# What an operator tunes and no answer depends on.
LEFT_ALONE = {"backslash_quote", "jit_above_cost", "max_parallel_workers_per_gather"}


def settings_of_a_session(stack):
    """As the one that stores has them, by name."""
    as_superuser(stack.database, "TRUNCATE public.seen")
    collector = live_collector(stack)
    as_superuser(
        stack.database,
        "CREATE OR REPLACE TRIGGER see AFTER UPDATE ON public.collectors FOR EACH ROW WHEN (new.batches > old.batches)"
        " EXECUTE FUNCTION public.see()",
    )
    stack.publish(reading("d", temperature=1))
    connection = stack.database.connect(superuser=True)  # which nothing is set for
    connection.autocommit = True

    def seen():
        with connection.cursor() as cursor:
            cursor.execute("SELECT lower(name), replace(value, '\"', '') FROM public.seen")
            return dict(cursor.fetchall())

    settings = until(seen)
    connection.close()
    assert collector.terminate() == 0
    return settings


def test_a_session_has_none_of_these_settings(stack):
    as_superuser(
        stack.database,
        "CREATE TABLE public.seen (name text, value text)",
        "ALTER TABLE public.seen OWNER TO highwater",
        "CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.seen SELECT name, setting FROM pg_settings; RETURN NULL; END'",
    )
    as_superuser(stack.database, f"ALTER DATABASE {stack.database.name} SET jit = on")  # as PostgreSQL has it by itself
    usual = settings_of_a_session(stack)
    names = list(hostile_to(stack.database))  # asked before a session of ours has their short statement_timeout
    hostile_by("role", stack.database)
    hostile = settings_of_a_session(stack)
    changed = {name: hostile[name] for name in names if hostile[name] != usual[name]}
    assert set(changed) == LEFT_ALONE
    assert (usual["row_security"], usual["jit"], usual["search_path"]) == ("off", "off", "public, pg_temp")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param("LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C.UTF-8' ENCODING 'UTF8'", id="Turkish"),
        pytest.param("LOCALE 'C' ENCODING 'UTF8'", id="C", marks=SLOW),
    ],
)
def test_no_collation_changes_anything(stack, postgres, options):
    name = f"{stack.database.name}_c"
    postgres.sql(f'CREATE DATABASE "{name}" OWNER highwater TEMPLATE template0 {options}')
    other = Database(postgres.url(name), postgres.url(name, "postgres"), name)
    try:
        stack.database, mine = other, stack.database
        assert_all_works(stack, {})
        assert [d["deviceId"] for d in stack.get_json("/devices")["devices"]][-1] == "\u00e4 I\u0131i"
    finally:
        stack.close()
        stack.database = mine
        postgres.drop_database(name)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_of_another_encoding_is_refused_with_the_reason(stack, postgres, encoding):
    name = f"{stack.database.name}_e"
    postgres.sql(f"CREATE DATABASE \"{name}\" OWNER highwater TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    url = postgres.url(name)
    try:
        collector = stack.start_collector(database_url=url)
        stack.start_httpapi(database_url=url)
        collector.wait_for_line(f"encoding of database {name} is {encoding}: it must be UTF8")
        until(lambda: f"is {encoding}" in stack.get("/readyz")[2].decode())
        assert collector.is_running()
    finally:
        stack.close()
        postgres.drop_database(name)


def test_stricter_commits_stay_and_weaker_ones_do_not(stack):
    """remote_apply waits for more than on does."""
    for wanted, kept in (("remote_apply", "remote_apply"), ("local", "on"), ("remote_write", "on"), ("off", "on")):
        as_superuser(stack.database, f"ALTER ROLE highwater IN DATABASE {stack.database.name} SET synchronous_commit = {wanted}")
        as_superuser(
            stack.database,
            "CREATE TABLE IF NOT EXISTS public.seen (value text)",
            "TRUNCATE public.seen",
            "ALTER TABLE public.seen OWNER TO highwater",
            "CREATE OR REPLACE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN INSERT INTO public.seen VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END'",
        )
        collector = live_collector(stack)
        as_superuser(
            stack.database,
            "CREATE OR REPLACE TRIGGER see AFTER UPDATE ON public.collectors FOR EACH ROW WHEN (new.batches > old.batches)"
            " EXECUTE FUNCTION public.see()",
        )
        stack.publish(reading("d", temperature=1))
        until(lambda: stack.database.count("seen") == 1)
        assert stack.database.value("SELECT value FROM seen") == kept
        assert ("synchronous_commit is off" in collector.output()) == (wanted == "off")
        assert collector.terminate() == 0


def test_sessions_whose_triggers_do_not_fire_are_refused(stack):
    as_superuser(stack.database, f"ALTER DATABASE {stack.database.name} SET session_replication_role = replica")
    stack.start_collector().wait_for_line("not usable: .*session_replication_role")


# --- Poolers ---------------------------------------------------------------------------------------


@pytest.fixture
def pooler(postgres, area, logs):
    """Starts PgBouncer before the test's server, in any mode."""
    binary = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if binary is None:
        pytest.skip("there is no pgbouncer here: make deps")
    programs = []

    def start(mode: str, more: str = "") -> int:
        port = free_port()
        settings = Path(area, f"pgbouncer-{port}.ini")
        settings.write_text(
            f"[databases]\n* = host={LOOPBACK} port={postgres.port} user=highwater\n"
            f"[pgbouncer]\nlisten_addr = {LOOPBACK}\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {mode}\n{more}\n"
        )
        program = Program("pgbouncer", [binary, settings], logs / f"pgbouncer-{port}.log", user="postgres")
        program.start()
        program.wait_for_line("process up", 10)
        programs.append(program)
        return port

    yield start
    for program in programs:
        program.kill9()


@pytest.mark.parametrize(
    "mode, more",
    [
        ("transaction", ""),
        pytest.param("transaction", "server_round_robin = 1", marks=SLOW),
        pytest.param("statement", "", marks=SLOW),
    ],
)
def test_a_pooler_that_shares_sessions_is_refused_with_the_reason(stack, pooler, mode, more):
    url = f"postgresql://highwater@{LOOPBACK}:{pooler(mode, more)}/{stack.database.name}"
    collector = stack.start_collector(database_url=url)
    stack.start_httpapi(database_url=url)
    collector.wait_for_line("not usable: the pooler before it gives our session to others")
    until(lambda: "pool_mode = session" in stack.get("/readyz")[2].decode())
    for argv in (["collector", "--rejected"], ["devicesim", "--truth", "/dev/null", "--verify", url]):
        program = stack.program(argv[0], argv[1:], log_name="command", database_url=url)
        program.start()
        assert program.wait() != 0 and "pool_mode = session" in program.output()
    # nothing that we set has come to anybody else
    through = psycopg2.connect(url)
    through.autocommit = True
    with through.cursor() as cursor:
        for _ in range(9):
            cursor.execute("SELECT current_setting('default_transaction_read_only')")
            assert cursor.fetchone() == ("off",)
    through.close()
    assert stack.database.value("SELECT to_regclass('readings')") is None


def test_a_pooler_that_keeps_sessions_apart_works(stack, pooler):
    port = pooler("session", "server_reset_query =")  # nothing is cleared between two clients either
    url = f"postgresql://highwater@{LOOPBACK}:{port}/{stack.database.name}"
    assert_all_works(stack, {"database_url": url})


# Nothing is cleared between two clients, and who comes next is given the session that was free for longest.
CLEARS_NOTHING = "server_reset_query =\nserver_round_robin = 1"


def test_days_are_packed_behind_a_pooler_that_clears_nothing(stack, pooler):
    """A collector that comes after another is given any of its sessions: a lock that stayed in another one would make it wait
    for ever."""
    port = pooler("session", CLEARS_NOTHING)
    settings = {"database_url": f"postgresql://highwater@{LOOPBACK}:{port}/{stack.database.name}", "rollup_delay": "10s", "pack_after": "10s"}
    sent = []
    for days in (3, 4, 5):
        collector = live_collector(stack, **settings)
        sent += [reading("d", now_us() - days * DAY_US + i, temperature=i) for i in range(50)]
        stack.publish(*sent)
        until(lambda days=days: stack.database.value("SELECT packed_days FROM packing_status('10 seconds')") == days - 2, 60)
        assert set(stored_readings(stack.database)) == set(sent) and len(stored_readings(stack.database)) == len(sent)
        assert collector.terminate() == 0


LEFT_IN_A_SESSION = """
    SELECT pg_backend_pid(), (SELECT array_agg(channel) FROM pg_listening_channels() channel),
        (SELECT array_agg(name) FROM pg_prepared_statements),
        (SELECT array_agg(name || ' = ' || setting) FROM pg_settings WHERE source = 'session' AND name <> 'application_name')
"""


def test_a_pooler_that_clears_nothing_is_given_its_sessions_as_they_were(stack, pooler):
    """Locks, temporary tables, subscriptions, prepared statements, settings: of services and of commands."""
    port = pooler("session", CLEARS_NOTHING)
    url = f"postgresql://highwater@{LOOPBACK}:{port}/{stack.database.name}"
    truth = stack.logs / "truth"
    collector = live_collector(stack, database_url=url)
    api = stack.start_httpapi(database_url=url)
    stack.devicesim("--num-devices", "3", "--count", "30", "--truth", str(truth), "--rate", "max")
    until(lambda: stack.get("/readyz")[0] == 200, 20)
    stack.get_json("/devices")
    stack.devicesim("--truth", str(truth), "--verify", url)
    for argv in (["--rejected"], ["--check"]):
        command = stack.program("collector", argv, log_name=argv[0].strip("-"), database_url=url)
        command.start()
        assert command.wait() == 0, command.tail()
    assert api.terminate() == 0 and collector.terminate() == 0
    database = stack.database
    until(lambda: database.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0, 10, "no lock is left")
    assert database.value("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == 0
    seen = {}
    clients = []
    while not seen.keys() >= set(database_backends(stack)):  # each of them is held until all are seen
        clients.append(psycopg2.connect(url))
        with clients[-1].cursor() as cursor:
            cursor.execute(LEFT_IN_A_SESSION)
            pid, *left = cursor.fetchone()
        seen[pid] = left
    for client in clients:
        client.close()
    assert seen
    assert {pid: left for pid, left in seen.items() if any(left)} == {}


def database_backends(stack):
    rows = stack.database.rows("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    return [pid for (pid,) in rows]


def test_a_collector_comes_after_one_that_was_killed_behind_a_pooler_that_clears_nothing(stack, pooler):
    """What it could not give back is cleared by whoever of ours is given its sessions."""
    port = pooler("session", CLEARS_NOTHING)
    url = f"postgresql://highwater@{LOOPBACK}:{port}/{stack.database.name}"
    for i in range(3):
        collector = live_collector(stack, database_url=url)
        collector.wait_for_line("this collector looks after storage", 20)
        stack.publish(reading("d", now_us(), temperature=i))
        until(lambda i=i: stack.database.count() == i + 1)
        collector.kill9()


def test_what_others_left_in_a_poolers_sessions_is_not_used(stack, pooler):
    """Tables of the names of ours hide ours; a lock is nobody's any more."""
    url = f"postgresql://highwater@{LOOPBACK}:{pooler('session', CLEARS_NOTHING)}/{stack.database.name}"
    strangers = [psycopg2.connect(url) for _ in range(12)]  # more than a collector has, whichever it is given
    for stranger in strangers:
        stranger.autocommit = True
        with stranger.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE readings_stage (x integer); CREATE TEMP TABLE peaks_stage (x integer); LISTEN highwater;"
                           "PREPARE enter AS SELECT 1; SET search_path = pg_temp")
    for stranger in strangers:
        stranger.close()
    live_collector(stack, database_url=url)
    one = reading("d", now_us(), temperature=1)
    stack.publish(one, one)
    until(lambda: stack.metrics()["highwater_readings_duplicate_total"] == 1, 20)
    stack.publish(one)  # which goes through the staging table by itself
    until(lambda: stack.metrics()["highwater_readings_duplicate_total"] == 2, 20)
    assert stored_readings(stack.database) == [one]


# --- Servers that keep less than they say, or wait for nobody ----------------------------------------


def test_a_server_that_weakens_the_promise_is_warned_of(stack, area, logs):
    server = PrivatePostgres(Path(area, f"weak-{free_port()}"), settings={"full_page_writes": "off"}, log=logs / "weak.log")
    server.start()
    try:
        url = server.create_database("weak")
        collector = live_collector(stack, database_url=url)
        assert collector.output().count("full_page_writes is off") == 1
        server.sql("ALTER SYSTEM SET synchronous_standby_names = 'elsewhere'")
        server.sql("ALTER SYSTEM SET full_page_writes = on")
        server.settings.clear()
        assert collector.terminate() == 0
        server.restart()
        collector = stack.start_collector(database_url=url)
        line = collector.wait_for_line("no synchronous standby is connected: commits wait")
        assert "'elsewhere'" in line
    finally:
        stack.close()
        server.stop("immediate")
