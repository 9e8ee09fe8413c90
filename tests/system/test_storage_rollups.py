"""Rollups and readings together are what GROUP BY over all readings says, at every moment."""

from __future__ import annotations

import random
import signal
import time

import psycopg2
import pytest
from conftest import FAILPOINT_DIR
from oracle import compare, now_us, reading, to_text, to_us
from servers import patience, until
from storage import COLUMNS, DAY_US, HOUR_US, Workers, differences, live, migrated, random_span, rolled_until_hours_ago

def random_rows(rng, past_us, count):
    """Of ten devices; some repeat what may be there, most are of the last minutes."""
    now = now_us()
    rows = []
    for _ in range(count):
        age = rng.choice([rng.randrange(200_000_000), rng.randrange(past_us)])
        at = now - age
        if rng.random() < 0.3:
            at -= at % 60_000_000  # comes again, and lies on the borders
        value = rng.randrange(1000) / 8
        rows.append((
            rng.randrange(1, 11), rng.randrange(4), to_text(at), to_text(now),
            rng.choice([None, 1, 2, 3, 4]), None if rng.random() < 0.2 else value, 1e300 if value > 124 else value,
        ))
    return rows


def store_as_anybody(connection, rng, past_us):
    with connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("SET lock_timeout = '10s'")
        for _ in range(rng.randrange(1, 4)):
            rows = random_rows(rng, past_us, rng.randrange(1, 60))
            values = ",".join([f"({','.join(['%s'] * 7)})"] * len(rows))
            cursor.execute(
                f"INSERT INTO readings ({COLUMNS}) VALUES {values} ON CONFLICT DO NOTHING", [v for r in rows for v in r]
            )
        if rng.random() < 0.1:
            time.sleep(rng.random() / 5)
        if rng.random() < 0.9:
            connection.commit()
        else:
            connection.rollback()


def store_as_a_collector(connection, rng):
    """Straight into the partition, as pg_store_transaction.c does, with a guess at what is fresh that may be wrong."""
    fresh_us = now_us() - rng.choice([20_000_000, 90_000_000, 150_000_000])
    with connection.cursor() as cursor:
        connection.autocommit = False
        try:
            cursor.execute("SELECT * FROM ingest_enter(%s)", (to_text(fresh_us),))
            _, partition, starts_at, _ = cursor.fetchone()
            fresh = [r for r in random_rows(rng, 200_000_000, 40) if r[2] >= max(to_text(fresh_us), to_text(to_us(starts_at)))]
            if fresh:
                values = ",".join(["(%s,%s,%s::timestamptz,%s::timestamptz,%s::smallint,%s::float8,%s::float8)"] * len(fresh))
                numbers = [value for row in fresh for value in row]
                cursor.execute("SELECT names, of_readings FROM rollup_sql()")
                names, of_readings = cursor.fetchone()
                cursor.execute(f"INSERT INTO {partition} ({COLUMNS}) VALUES {values}", numbers)
                cursor.execute(
                    f"INSERT INTO rollup_fleet_log (bucket, {names})"
                    f" SELECT date_bin('10 seconds', recorded_at, 'epoch') AS at, {of_readings}"
                    f" FROM (VALUES {values}) v ({COLUMNS}) GROUP BY at",
                    numbers,
                )
            connection.commit()
        except psycopg2.DatabaseError as error:
            if error.pgcode not in ("HW001", "23505"):
                raise
            connection.rollback()


def roll_up(connection, rng, hours):
    """One of two collectors' maintenance: the one with the lock does the jobs, and may be killed at any moment."""
    started = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended('highwater maintenance', 0))")
        if not cursor.fetchone()[0]:
            time.sleep(0.05)
            return
        while time.monotonic() < started + 2:
            # from hours ago to a minute ahead, in jumps
            cursor.execute("SELECT extract(epoch FROM now() - late_before)::float8 FROM storage_state")
            delay = max(cursor.fetchone()[0] - rng.random() * 2 * 3600, -60.0)
            cursor.execute("SELECT rollup_set_late_before(%s * interval '1 second')", (delay,))
            for _ in range(rng.randrange(1, 6)):
                job = rng.randrange(8)
                if job <= 3:
                    minutes = rng.randrange(1, 80)
                    cursor.execute("SELECT rollup_until(rolled_until + %s * interval '1 minute') FROM storage_state", (minutes,))
                elif job <= 5:
                    cursor.execute("SELECT rollup_fold_late(%s)", (rng.choice([3, 50, 1000]),))
                elif job == 6 or rng.random() < 0.7:
                    cursor.execute("SELECT rollup_fold_fleet(%s)", (rng.choice([3, 50, 1000]),))
                else:
                    days = rng.randrange(0, hours // 24 + 1)
                    cursor.execute("SELECT rollup_rebuild(now() - %s * interval '1 day', now() - %s * interval '12 hours')", (days, days))
            if rng.random() < 0.1:
                return


def kill_somebody(connection, rng):
    time.sleep(rng.random() / 2)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query ~ 'rollup_(until|fold|announce|rebuild)'"
            " AND state = 'active' AND pid <> pg_backend_pid() LIMIT 1"
        )


def test_at_every_moment_rollups_and_readings_are_what_group_by_says(stack, rng):
    hours = 50
    database = migrated(stack)
    rolled_until_hours_ago(database, hours)
    database.rows("INSERT INTO devices (device_id) SELECT 'device_' || i FROM generate_series(1, 10) i")
    comparisons = 0
    with Workers(database) as workers:
        for i in range(3):
            workers.start(store_as_anybody, random.Random(rng.random()), hours * HOUR_US)
            workers.start(store_as_a_collector, random.Random(rng.random()))
        for i in range(2):
            workers.start(roll_up, random.Random(rng.random()), hours)
        workers.start(kill_somebody, random.Random(rng.random()))
        began = time.monotonic()
        while (comparisons < 24 or time.monotonic() < began + 12) and not workers.failures:
            assert time.monotonic() < began + patience(120)
            found = differences(database, *random_span(rng, now_us(), hours * HOUR_US + DAY_US))
            found += differences(database)
            assert not found, "\n".join(map(str, found[:10]))
            comparisons += 2
    # and when all is folded in
    database.rows("SELECT rollup_set_late_before('-2 minutes')")
    while database.value("SELECT rollup_until(late_before) < late_before FROM storage_state"):
        pass
    database.rows("SELECT rollup_fold_late(1000000), rollup_fold_fleet(1000000)")
    assert database.count("rollup_late") == 0 and database.count("rollup_fleet_log") == 0
    assert not differences(database)
    assert database.value("SELECT count(*) FROM rollup_days WHERE device > 0") > 0
    totals = "SELECT device, {} FROM {} WHERE device > 0 GROUP BY device ORDER BY device"
    assert database.rows(totals.format("sum(readings)", "rollup_totals")) == database.rows(
        totals.format("sum(readings)", "rollup_days")
    )


@pytest.mark.faults
def test_two_collectors_one_of_them_killed_amid_a_rollup(stack, rng):
    hours = 250
    database = migrated(stack)
    rolled_until_hours_ago(database, hours)
    until_of = "SELECT extract(epoch FROM now() - rolled_until)::float8 FROM storage_state"
    listener = stack.listen("collectors/+/status")
    doomed = stack.start_collector(
        collector_id="doomed", directory=FAILPOINT_DIR, env={"CRASH_AT": "rollup:120"}, rollup_delay="10s", metrics_listen="-"
    )
    doomed.wait_for_line("looks after storage", 20)
    survivor = stack.start_collector(collector_id="survivor", rollup_delay="10s")
    until(lambda: listener.latest("collectors/survivor/status"), 20)
    publisher = stack.publisher()
    began = time.monotonic()
    comparisons = 0
    while time.monotonic() < began + 12 or database.value(until_of) > 200:
        assert time.monotonic() < began + patience(60), f"rolled up until {database.value(until_of)} s ago"
        for _ in range(60):
            age = rng.choice([rng.randrange(2_000_000), rng.randrange(hours * HOUR_US)])
            at = now_us() - age
            at -= at % (1 if rng.random() < 0.8 else 600_000_000)
            one = reading(f"device_{rng.randrange(9)}", at, rng.choice([None, "ON", "OFF"]), temperature=rng.randrange(9))
            publisher.send([one, one] if rng.random() < 0.1 else one)
        found = differences(database, *random_span(rng, now_us(), hours * HOUR_US + DAY_US)) + differences(database)
        assert not found, "\n".join(map(str, found[:10]))
        comparisons += 2
    publisher.wait()
    assert doomed.exit_code in (-signal.SIGKILL, -signal.SIGALRM), doomed.tail()
    assert comparisons > 10
    sent = len({r for message in publisher.messages for r in message.readings})
    until(lambda: database.count() == sent, 20)
    assert compare(publisher.messages, database), str(compare(publisher.messages, database))
    assert not differences(database)
    assert "looks after storage" in survivor.output()


def test_readings_stored_by_hand_count_too(stack):
    database = migrated(stack)
    database.rows("INSERT INTO devices (device_id) VALUES ('by hand')")
    database.rows(
        f"INSERT INTO readings ({COLUMNS}) SELECT 1, i, now() - i * interval '1 day', now(), 1, i, NULL"
        " FROM generate_series(0, 9) i"
    )
    assert database.rows("SELECT status, readings FROM device_histogram('by hand')")[0] == ("ON", 10)
    assert database.rows("SELECT status, readings FROM fleet_histogram()")[0] == ("ON", 10)
    assert database.rows("SELECT readings, lowest, highest FROM feature_summary(1, 'temperature', '-infinity', 'infinity')") == [
        (10, 0, 9)
    ]
    assert database.value("SELECT count(*) FROM device_histogram('nobody')") == 0
    database.rows("DELETE FROM readings WHERE temperature = 9")
    database.rows("SELECT rollup_rebuild(now() - interval '20 days', now())")
    assert not differences(database)
    assert database.rows("SELECT status, readings FROM fleet_histogram()")[0] == ("ON", 9)


def test_a_value_histogram_has_every_reading_in_one_bin(stack, rng):
    database = migrated(stack)
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 3) i")
    rolled_until_hours_ago(database, 30)
    values = [rng.choice([rng.uniform(-5, 5), rng.randrange(-5, 5), 0.1 * rng.randrange(50)]) for _ in range(900)]
    database.rows(
        f"INSERT INTO readings ({COLUMNS}) SELECT 1 + i %% 3, i, now() - i * interval '3 minutes', now(), 1, v, NULL"
        " FROM unnest(%s::float8[]) WITH ORDINALITY u (v, i)",
        (values,),
    )
    database.rows("SELECT rollup_set_late_before('1 hour'), rollup_fold_late(100), rollup_fold_fleet(100)")
    while database.value("SELECT rollup_until(late_before) < late_before FROM storage_state"):
        pass
    for device, mine in ((None, values), ("d2", [v for i, v in enumerate(values, 1) if 1 + i % 3 == 2])):
        for bins in (1, 2, 7, 20, 100):
            rows = database.rows("SELECT bin, low, high, readings FROM value_histogram(%s, 'temperature', %s)", (device, bins))
            assert [row[0] for row in rows] == list(range(bins))
            assert rows[0][1] == min(mine) and rows[-1][2] == max(mine)
            for bin_, low, high, count in rows:
                inside = [v for v in mine if low <= v and (v < high or bin_ == bins - 1)]
                assert count == len(inside), (device, bins, bin_)
    assert database.rows("SELECT readings FROM value_histogram('d1', 'pressure', 5)") == []
    assert database.rows("SELECT sum(readings) FROM value_histogram('d1', 'temperature', 5, now() - interval '1 hour', now())") == [
        (database.value("SELECT count(*) FROM readings WHERE device = 1 AND recorded_at >= now() - interval '1 hour' AND recorded_at < now()"),)
    ]
    database.rows("UPDATE readings SET temperature = 7")
    database.rows("SELECT rollup_rebuild(now() - interval '5 days', now())")
    assert database.rows("SELECT bin, low, high, readings FROM value_histogram(NULL, 'temperature', 5)") == [(0, 7, 7, 900)]


def test_fresh_readings_go_straight_to_their_partition_and_count_all_the_same(stack):
    """Seen by the trigger's absence: what took the other way would be missing in the fleet's sums."""
    database = migrated(stack)
    rolled_until_hours_ago(database, 1)
    live(stack)
    publisher = stack.publisher()
    publisher.send(reading("d", now_us(), "ON", temperature=1.0))
    until(lambda: database.count() == 1, 20)
    database.rows("ALTER TABLE readings DISABLE TRIGGER readings_after_insert")
    for i in range(200):
        publisher.send(reading(f"d{i % 7}", now_us() - i * 300_000, (None, "OFF")[i % 2], temperature=i / 8))
    publisher.wait()
    until(lambda: database.count() == 201)
    # what is in it may have been taken into the sums by now
    until(lambda: database.value("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'rollup_fleet_log'") > 1)
    assert not differences(database)


def test_what_the_database_holds_for_late_is_stored_the_slower_way(stack):
    database = stack.database
    collector = live(stack)
    publisher = stack.publisher()
    publisher.send(reading("d", now_us(), "ON", temperature=0.0))
    until(lambda: database.count() == 1, 20)
    # as if its clock were far ahead of the collector's
    database.rows("UPDATE storage_state SET late_before = date_bin('1 minute', now() + interval '10 minutes', 'epoch')")
    for i in range(50):
        publisher.send(reading("d", now_us(), "OFF", temperature=1.0 + i))
        if i % 10 == 0:
            publisher.wait()
            time.sleep(0.05)
    publisher.wait()
    until(lambda: database.count() == 51)
    assert not differences(database)
    # and when the partition it knows is gone
    today = database.value("SELECT name FROM reading_partitions WHERE starts_at <= now() AND ends_at > now()")
    database.rows("UPDATE storage_state SET late_before = rolled_until")
    publisher.send(reading("d", now_us(), temperature=100.0))
    publisher.wait()
    until(lambda: database.count() == 52)
    database.rows(f"DROP TABLE {today}")
    publisher.send(reading("d", now_us(), temperature=101.0))
    publisher.wait()
    until(lambda: database.count("readings_default") == 1)
    assert collector.is_running()
