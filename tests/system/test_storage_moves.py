"""Readings that move from readings_default into a new partition are seen by every query meanwhile."""

from __future__ import annotations

import contextlib
import io
import shutil
import threading
from pathlib import Path

import psycopg2
import pytest
from http_tools import insert
from oracle import Database, now_us, reading, to_text
from servers import LOOPBACK, Program, free_port, until
from storage import DAY_US, HOUR_US, migrated

COUNT = 672
WAITING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND application_name = %s AND datname = current_database()"
)
# What partitions there are of days before yesterday: none but those that a test makes.
MOVED = "SELECT count(*) FROM reading_partitions WHERE starts_at < now() - interval '2 days'"


def start_of_day(days_ago):
    return now_us() // DAY_US * DAY_US - days_ago * DAY_US


def store_in_default(database, days_ago=30, count=COUNT):
    """Readings of one second of a day that has no partition; returns that day and second."""
    day = start_of_day(days_ago)
    at = day + DAY_US // 2 + 5_000_000
    insert(database, [reading("d", at + i * 1000, "ON", temperature=float(i)) for i in range(count)])
    return day, at


@contextlib.contextmanager
def move_held_open(database, day):
    """The day has its partition and its readings are in it, when the block ends."""
    mover = database.connect()
    try:
        with mover.cursor() as cursor:
            cursor.execute("SELECT make_partition(%s)", (to_text(day),))
            assert cursor.fetchone() == ("made",)
        yield
        mover.commit()
    finally:
        mover.close()


# Spans that lie in the day, so that plans look into its partition alone once there is one.
QUESTIONS = {
    "/devices/d/histogram?from={0}&to={1}": lambda body: body["d"]["ON"],
    "/devices/d/distribution?feature=temperature&from={0}&to={1}": lambda body: body["count"],
    "/histogram?from={0}&to={1}": lambda body: body["ON"],
    "/devices/d/readings?limit=1000&from={0}&to={1}": lambda body: len(body["readings"]),
    "/devices/d/points?points=10&from={0}&to={1}": lambda body: sum(p["count"] for p in body["points"]),
    # a statement at top level, which needs no care: its snapshot is younger than its locks
    "/dashboard?features=temperature&interval={2}": lambda body: int(body["temperature"][0]["temperature"]) + 1,
}


def ask(stack, at):
    """Every question at once."""
    words = to_text(at - 1_000_000), to_text(at + 1_000_000), f"{(now_us() - at) // HOUR_US + 1}h"
    answers = {}

    def get(question, count):
        answers[question] = count(stack.get_json(question.format(*words)))

    threads = [threading.Thread(target=get, args=one) for one in QUESTIONS.items()]
    for thread in threads:
        thread.start()
    return threads, answers


def assert_complete_while_moving(stack, asked):
    """`asked` is the database that httpapi asks; the readings move in the stack's."""
    day, at = store_in_default(stack.database)
    until(lambda: asked.count() == COUNT)
    stack.start_httpapi(database_url=asked.url, database_connections=len(QUESTIONS))
    all_up = f"database_connections_up {len(QUESTIONS)}\n".encode()
    until(lambda: all_up in stack.get("/metrics")[2], 10, "every question finds a connection")
    complete = dict.fromkeys(QUESTIONS, COUNT)
    threads, answers = ask(stack, at)
    for thread in threads:
        thread.join()
    assert answers == complete
    locked = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'readings'::regclass AND granted"
    with move_held_open(stack.database, day):
        until(lambda: asked.value(locked) == 1, 10, "readings are locked where they are asked for")
        threads, answers = ask(stack, at)
        until(lambda: asked.value(WAITING, ("highwater-httpapi",)) == len(QUESTIONS), 10, "all questions wait")
    for thread in threads:
        thread.join()
    assert answers == complete


def test_answers_are_complete_while_readings_move(stack):
    migrated(stack)
    assert_complete_while_moving(stack, stack.database)


def test_answers_of_a_standby_are_complete_while_readings_move(stack, postgres, area, logs):
    database = migrated(stack)
    server = postgres.standby(area / f"standby-{database.name}", logs / "standby.log")
    server.start()
    try:
        asked = Database(server.url(database.name), server.url(database.name, "postgres"), database.name)
        assert_complete_while_moving(stack, asked)
    finally:
        stack.close()
        server.stop("immediate")


@pytest.fixture
def bouncer(postgres, area, logs):
    """PgBouncer before the test's server, in session mode, its own default."""
    binary = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if binary is None:
        pytest.skip("there is no pgbouncer here: make deps")
    port = free_port()
    settings = Path(area, f"pgbouncer-{port}.ini")
    settings.write_text(
        f"[databases]\n* = host={LOOPBACK} port={postgres.port} user=highwater\n"
        f"[pgbouncer]\nlisten_addr = {LOOPBACK}\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
    )
    program = Program("pgbouncer", [binary, settings], logs / "pgbouncer.log", user="postgres")
    program.start()
    program.wait_for_line("process up", 10)
    yield port
    program.kill9()


def through(bouncer, database):
    url = f"postgresql://highwater@{LOOPBACK}:{bouncer}/{database.name}"
    return Database(url, url, database.name)


def test_answers_through_pgbouncer_are_complete_while_readings_move(stack, bouncer):
    database = migrated(stack)
    assert_complete_while_moving(stack, through(bouncer, database))


# --- People who call the functions themselves ----------------------------------------------------

CALLS = {
    "status_counts": "SELECT sum(readings) FROM status_counts(1, %(from)s, %(to)s)",
    "fleet_histogram": "SELECT sum(readings) FROM fleet_histogram(%(from)s, %(to)s)",
    "feature_summary": "SELECT readings FROM feature_summary(1, 'temperature', %(from)s, %(to)s)",
    "value_histogram": "SELECT sum(readings) FROM value_histogram('d', 'temperature', 5, %(from)s, %(to)s)",
    "device_spans": "SELECT sum(readings) FROM device_spans(ARRAY[1])",
    "device_page": "SELECT count(*) FROM device_page(1, %(from)s, %(to)s, true, 1000)",
    "device_runs": "SELECT sum(readings) FROM device_runs(1, %(from)s, %(to)s, true, 1000)",
    "device_points": "SELECT sum(readings) FROM device_points(1, %(from)s, %(to)s, 10, ARRAY['temperature'])",
}


@pytest.mark.parametrize("call", CALLS)
def test_a_transaction_that_is_older_than_the_move_sees_all_readings(stack, call):
    database = migrated(stack)
    day, at = store_in_default(database)
    span = {"from": to_text(at - 1_000_000), "to": to_text(at + 1_000_000)}
    reader = database.connect()
    reader.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with reader.cursor() as cursor:
        cursor.execute(CALLS[call], span)  # what the session plans once is planned
        reader.commit()
        cursor.execute("SELECT count(*) FROM devices")  # takes the snapshot
        with move_held_open(database, day):
            pass
        cursor.execute(CALLS[call], span)
        assert cursor.fetchone() == (COUNT,)
        reader.commit()
        cursor.execute("SHOW enable_partition_pruning")
        assert cursor.fetchone() == ("on",)
    reader.close()


def test_a_copy_out_of_a_function_sees_all_readings(stack):
    database = migrated(stack)
    day, at = store_in_default(database)
    out = io.BytesIO()

    def copy():
        reader = database.connect()
        with reader.cursor() as cursor:
            query = cursor.mogrify(CALLS["status_counts"], {"from": to_text(at - 1_000_000), "to": to_text(at + 1_000_000)})
            cursor.execute("SET application_name = 'copies'")
            cursor.copy_expert(f"COPY ({query.decode()}) TO STDOUT", out)
        reader.close()

    copying = threading.Thread(target=copy)
    with move_held_open(database, day):
        copying.start()
        until(lambda: database.value(WAITING, ("copies",)) == 1, 10)
    copying.join()
    assert int(out.getvalue()) == COUNT


# --- Who moves them, and who loads ---------------------------------------------------------------


def test_one_day_moves_in_one_transaction(stack):
    """Readers and writers wait for one day's readings at most."""
    database = migrated(stack)
    for days_ago in (30, 29, 27):
        store_in_default(database, days_ago, count=3)
    call = ("SELECT missing, wants_more FROM make_partitions(%s, %s)", (to_text(start_of_day(30)), to_text(start_of_day(25))))
    assert database.rows(*call) == [(0, True)]
    assert database.value(MOVED) == 1 and database.count("readings_default") == 6
    assert database.rows(*call) == [(0, True)]
    assert database.rows(*call) == [(0, True)]
    assert database.count("readings_default") == 0
    assert database.rows(*call) == [(0, False)]
    assert database.value(MOVED) == 5 and database.value("SELECT moves FROM storage_state") == 3


def test_a_start_moves_all_the_days_that_it_makes(stack):
    """As after a week without a collector, into which readings were stored by hand."""
    database = migrated(stack)
    for days in range(4):
        day = to_text(start_of_day(-days))
        name = database.value("SELECT name FROM reading_partitions WHERE starts_at = %s", (day,))
        database.rows(f"DROP TABLE {name}")
    for days in range(4):
        store_in_default(database, -days, count=3)
    database.rows("DELETE FROM partition_requests")
    migrated(stack)
    assert database.count("readings_default") == 0 and database.count() == 12
    assert database.value("SELECT moves FROM storage_state") == 4


def test_boards_are_complete_when_readings_move_during_the_load(stack):
    database = migrated(stack)
    day = start_of_day(2)
    # It begins in that day: else it reaches into days without a partition, and looks everywhere.
    hours = (now_us() - day) // HOUR_US
    at = day + 23 * HOUR_US
    # The best reading of each device is its oldest.
    insert(
        database,
        [
            reading(f"d{d:02}", at + (n * 100 + d) * 1_000_000, "ON", temperature=1000.0 - n + d / 100)
            for n in range(7)
            for d in range(100)
        ],
    )
    database.rows("DELETE FROM partition_requests")  # the collector has no reason to move them before it loads
    boards = stack.listen("collectors/+/boards/temperature/past_days", "collectors/+/status")
    holder = database.connect()
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLE device_sequences IN ACCESS EXCLUSIVE MODE")
    stack.start_collector(intervals=f"past_days={hours}h,all_time", num_top_devices=10)
    until(lambda: database.value(WAITING, ("highwater windows",)) == 1, 10, "the load has its snapshot, and stops there")
    with contextlib.suppress(psycopg2.errors.LockNotAvailable):
        database.rows("SELECT make_partition(%s)", (to_text(day),))
    was_moved = database.value(MOVED)
    holder.commit()
    holder.close()
    until(lambda: (s := boards.latest("collectors/collector/status")) and s.json()["state"] == "live", 20)
    board = until(lambda: boards.latest("collectors/collector/boards/temperature/past_days"), 10).json()["readings"]
    assert [r["temperature"] for r in board] == [1000.0 + d / 100 for d in range(99, 89, -1)]
    assert was_moved == 0, "nothing moves while windows load"

    def is_made():  # it waits 50 ms for its locks, which the collector may have for longer
        with contextlib.suppress(psycopg2.errors.LockNotAvailable):
            return database.value("SELECT make_partition(%s)", (to_text(day),)) == "made"

    until(is_made, 10, "the day has its partition")
