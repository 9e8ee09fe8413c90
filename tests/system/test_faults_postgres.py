"""What PostgreSQL can do to the collector: go away in every way, stall, run full, answer oddly, change."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import Stack
from faults import (
    STORE,
    answers,
    Books,
    arrived,
    assert_all_well,
    commits_held,
    count_lines,
    database_through,
    proxy_to,
    start_fleet,
    waits_for_lock,
)
from oracle import Database
from servers import PrivatePostgres, is_alive, paused, until

faults = pytest.mark.faults


def store_backend(stack):
    """The process in which PostgreSQL serves the connection that writes."""
    rows = stack.database.rows(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name LIKE 'highwater collector%'"
    )
    return rows[0][0] if rows else None


def stores_again(stack, fleet):
    """Something that is sent now is stored."""
    arrived(stack, fleet.publisher, 30)


# --- It goes away ----------------------------------------------------------------------------------


def fast_restart(stack, postgres):
    postgres.restart("fast")


def immediate_restart(stack, postgres):
    postgres.restart("immediate")


def backend_ended_politely(stack, postgres):
    pid = until(lambda: store_backend(stack), 10)
    postgres.sql(f"SELECT pg_terminate_backend({pid})")


def backend_killed(stack, postgres):
    pid = until(lambda: store_backend(stack), 10)
    os.kill(pid, signal.SIGKILL)
    # PostgreSQL ends all its other sessions, too, and recovers.
    until(lambda: not is_alive(pid))
    answers(postgres)


def postmaster_killed(stack, postgres):
    postgres.kill9()
    postgres.start()


def goes_away_three_times(stack, postgres, rng, how):
    collector, fleet = start_fleet(stack, rng)
    with fleet.load(300):
        for _ in range(3):
            time.sleep(rng.random() / 2)  # the moment of the fault
            how(stack, postgres)
            stores_again(stack, fleet)
    assert_all_well(stack, fleet.publisher, collector)


@pytest.mark.parametrize(
    "how", [fast_restart, pytest.param(backend_killed, marks=faults)], ids=lambda how: how.__name__
)
def test_postgres_goes_away_under_load(stack, postgres, rng, how):
    goes_away_three_times(stack, postgres, rng, how)


@faults
@pytest.mark.parametrize(
    "how", [immediate_restart, backend_ended_politely, postmaster_killed], ids=lambda how: how.__name__
)
def test_postgres_goes_away_under_load_in_other_ways(stack, postgres, rng, how):
    goes_away_three_times(stack, postgres, rng, how)


@faults
def test_postgres_absent_at_the_start(stack, postgres, rng):
    collector, fleet = start_fleet(stack, rng)
    assert collector.terminate() == 0
    postgres.stop()
    fleet.send(200)
    collector.start()
    until(lambda: "not reachable" in collector.output(), 5)
    fleet.send(200)
    # The broker keeps what nobody could store.
    assert "mqtt: connecting" not in collector.output()
    postgres.start()
    assert_all_well(stack, fleet.publisher, collector)


@faults
def test_postgres_absent_for_longer_than_the_keepalive(stack, postgres, rng):
    collector, fleet = start_fleet(stack, rng, keepalive=10)
    with fleet.load(50):
        postgres.stop()
        stopped_at = time.monotonic()
        until(lambda: "leaving the broker until readings can be stored" in collector.output(), 5)
        cpu_s = collector.cpu_seconds()
        since = time.monotonic()
        time.sleep(max(10, 30 - (since - stopped_at)))  # the length of the fault
        used = (collector.cpu_seconds() - cpu_s) / (time.monotonic() - since)
        assert used < 0.05, f"{used:.1%} of a core while there is nothing to do"
        assert count_lines(collector, "mqtt: connecting -> up") == 1
        postgres.start()
        stores_again(stack, fleet)
    assert_all_well(stack, fleet.publisher, collector)
    assert count_lines(collector, "mqtt: connecting -> up") == 2
    assert_in_order(stack, fleet)


def assert_in_order(stack, fleet):
    """The rows came in as their messages were sent."""
    key = {
        (one.device_id, one.recorded_at_us, one.status, dict(one.values).get("temperature")): i
        for i, message in enumerate(fleet.publisher.messages)
        for one in message.readings or ()
    }
    rows = stack.database.rows(
        "SELECT received_at, device_id, (extract(epoch FROM recorded_at) * 1000000)::bigint, status, temperature"
        " FROM device_readings"
    )
    places = [place for _, place in sorted((row[0], key[tuple(row[1:])]) for row in rows)]
    assert places == sorted(places)


# --- It stalls -------------------------------------------------------------------------------------


def test_a_locked_table_is_waited_for(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    with fleet.load(300), commits_held(stack):
        until(lambda: waits_for_lock(stack), 5)
        until(lambda start=fleet.readings: fleet.readings > start + 500, 10)
    assert_all_well(stack, fleet.publisher, collector)
    assert count_lines(collector, "up -> down") == 0


@faults
def test_a_table_locked_for_five_seconds_is_waited_for(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    with fleet.load(300), commits_held(stack):
        time.sleep(5)  # the length of the fault
    assert_all_well(stack, fleet.publisher, collector)
    assert count_lines(collector, "up -> down") == 0


@faults
def test_a_table_locked_for_longer_than_anybody_waits(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    with fleet.load(100), commits_held(stack):
        until(lambda: "55P03" in collector.output(), 15, "the lock is given up")
        until(lambda: waits_for_lock(stack), 5, "and tried again")
    assert_all_well(stack, fleet.publisher, collector)


@faults
@pytest.mark.parametrize("watchdog", ["30s", "2s"])
def test_a_backend_that_stands_still_for_ten_seconds(stack, rng, watchdog):
    collector, fleet = start_fleet(stack, rng, watchdog=watchdog, leave_after="1s")
    with fleet.load(100):
        with paused(store_backend(stack)):
            time.sleep(10)  # the length of the fault
    assert_all_well(stack, fleet.publisher, collector)
    assert ("a query took too long" in collector.output()) == (watchdog == "2s")


# --- It runs full ----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(area):
    """A file system of 128 MB of its own."""
    place = area / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128M", "tmpfs", place]
    mounted = subprocess.run(mount, capture_output=True, text=True)
    if mounted.returncode != 0:
        place.rmdir()
        pytest.skip(f"a small disk cannot be made here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)
    place.rmdir()


@pytest.fixture
def small_postgres(small_disk, logs):
    settings = {"min_wal_size": "32MB", "max_wal_size": "32MB", "shared_buffers": "16MB"}
    server = PrivatePostgres(small_disk / "postgres", settings=settings, log=logs / "postgres.log")
    server.start()
    yield server
    server.stop("immediate")


def fill(place: Path) -> Path:
    filler = place / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(65536))
    return filler


@faults
def test_a_full_disk_holds_everything_until_there_is_room(small_postgres, small_disk, broker, logs, rng):
    url = small_postgres.create_database("small")
    stack = Stack(Database(url, small_postgres.url("small", "postgres"), "small"), broker, logs)
    try:
        collector, fleet = start_fleet(stack, rng)
        with fleet.load(1000):
            filler = fill(small_disk)
            # Where it hurts first is chance: the table (53100), or the log, and then it panics.
            until(lambda: "No space left" in collector.output() or "database: up -> down" in collector.output(), 60)
            until(lambda start=fleet.readings: fleet.readings > start + 500, 10)
            filler.unlink()
            if not small_postgres.is_running():
                small_postgres.start()
            stores_again(stack, fleet)
        assert_all_well(stack, fleet.publisher, collector)
    finally:
        stack.close()


# --- It answers oddly ------------------------------------------------------------------------------


def test_a_commit_of_unknown_outcome_is_one_copy(stack, postgres, rng):
    """The server commits and is ended while it waits for a standby that does not exist."""
    collector, fleet = start_fleet(stack, rng)
    before = stack.database.count()
    postgres.sql("ALTER SYSTEM SET synchronous_standby_names = 'ghost'")
    try:
        postgres.sql("SELECT pg_reload_conf()")
        until(lambda: postgres.sql("SHOW synchronous_standby_names") == "ghost", 5)
        # From a device that is registered: to register one is a commit of its own.
        fleet.publisher.send(fleet.make("marker"))
        # Not whoever waits: a job of the collector's may be committing, too.
        waiting = store_backend(stack)
        waits_for = f"SELECT wait_event FROM pg_stat_activity WHERE pid = {waiting}"
        until(lambda: postgres.sql(waits_for) == "SyncRep", 10, "it is committing")
        assert stack.database.count() == before
        postgres.sql(f"SELECT pg_terminate_backend({waiting})")
        until(lambda: stack.database.count() == before + 1, 10, "it was committed all the same")
    finally:
        postgres.sql("ALTER SYSTEM RESET synchronous_standby_names")
        postgres.sql("SELECT pg_reload_conf()")
    assert_all_well(stack, fleet.publisher, collector)
    Books(stack).until(lambda status: status["duplicates"] == 1, what="the collector tried again, and found it")


def test_a_commit_that_did_not_wait_for_its_standby_is_none(stack, postgres, rng):
    """A person cancels the wait: the server says COMMIT, with a warning, and one machine has it."""
    collector, fleet = start_fleet(stack, rng)
    before = stack.database.count()
    postgres.set("synchronous_standby_names", "ghost")
    try:
        fleet.publisher.send(fleet.make("marker"))
        waiting = store_backend(stack)
        waits_for = f"SELECT wait_event FROM pg_stat_activity WHERE pid = {waiting}"
        for tries in (1, 2):
            until(lambda: postgres.sql(waits_for) == "SyncRep", 10, "it is committing")
            postgres.sql(f"SELECT pg_cancel_backend({waiting})")
            until(lambda: collector.output().count("the wait for the standby was cancelled") == tries, 10)
        assert stack.database.count() == before + 1
        assert stack.metrics()["highwater_readings_in_flight"] == 1
    finally:
        postgres.sql("ALTER SYSTEM RESET synchronous_standby_names")
        postgres.sql("SELECT pg_reload_conf()")
    assert_all_well(stack, fleet.publisher, collector)
    Books(stack).until(lambda status: status["duplicates"] == 1, what="the collector tried again, and found it")


def test_a_commit_answered_with_rollback_is_not_taken_for_one(stack, rng):
    with proxy_to(urlsplit(stack.database.url).port) as link:
        collector, fleet = start_fleet(stack, rng, database_url=database_through(link, stack))
        changed = link.rewrite("up", b";COMMIT\0", b";ABORT \0", only=STORE)
        fleet.send(50)
        changed.wait()
        assert_all_well(stack, fleet.publisher, collector)
        assert "COMMIT was answered with ROLLBACK" in collector.output()


# --- Its tables change -----------------------------------------------------------------------------


def changed_and_mended(stack, rng, change, mend):
    collector, fleet = start_fleet(stack, rng)
    with fleet.load(200):
        stack.database.rows(change)
        until(lambda: "on hold" in collector.output(), 10)
        line = next(line for line in collector.output().splitlines() if "on hold" in line)
        stored = stack.database.count()
        before = fleet.readings
        until(lambda: fleet.readings > before + 1000, 20, "it was tried again several times")
        assert stack.database.count() == stored
        assert count_lines(collector, "on hold") == 1
        stack.database.rows(mend)
        until(lambda: "no longer on hold" in collector.output(), 10)
    assert_all_well(stack, fleet.publisher, collector)
    return line


@faults
def test_a_column_that_is_gone_holds_the_stream_until_it_is_back(stack, rng):
    line = changed_and_mended(
        stack,
        rng,
        "ALTER TABLE readings RENAME COLUMN pressure TO mislaid",
        "ALTER TABLE readings RENAME COLUMN mislaid TO pressure",
    )
    assert "42703" in line and "pressure" in line


@faults
def test_a_column_of_another_type_holds_the_stream_until_it_is_mended(stack, rng):
    line = changed_and_mended(
        stack,
        rng,
        "DROP VIEW device_readings; ALTER TABLE readings ALTER COLUMN pressure TYPE real",
        "ALTER TABLE readings ALTER COLUMN pressure TYPE double precision; SELECT add_feature('pressure')",
    )
    assert "22P03" in line and "pressure" in line


@faults
def test_a_hold_longer_than_the_keepalive_ends_well(stack, rng):
    """With acknowledgements held nothing can be sent, no ping either: the broker ends the connection."""
    collector, fleet = start_fleet(stack, rng, keepalive=5)
    with fleet.load(100):
        with commits_held(stack):
            until(lambda: waits_for_lock(stack), 5)
            time.sleep(25)  # the length of the fault
        arrived(stack, fleet.publisher)
    assert_all_well(stack, fleet.publisher, collector)
    assert count_lines(collector, "mqtt: connecting -> up") <= 5
