"""Partitions: made ahead and on demand, dropped by age, and never in the way of who stores."""

from __future__ import annotations

import contextlib
import gzip
import time
from datetime import datetime, timedelta, timezone

import pytest
from oracle import board_by_sql, board_of_json, compare, now_us, reading, to_us
from servers import CLONE, until
from storage import COLUMNS, DAY_US, differences, live, migrated

DAYS = "SELECT name, starts_at, ends_at FROM reading_partitions ORDER BY starts_at"


def partitions(database):
    return {name: (starts, ends) for name, starts, ends in database.rows(DAYS)}


def day_of(us):
    return datetime.fromtimestamp(us / 1e6, timezone.utc).strftime("readings_%Y_%m_%d")


@contextlib.contextmanager
def reader(database, query="SELECT count(*) FROM readings"):
    """A client that looks at readings, and takes its time."""
    connection = database.connect()
    with connection.cursor() as cursor:
        cursor.execute(query)
        yield
    connection.close()


def test_partitions_are_made_a_week_ahead(stack):
    database = migrated(stack)
    ahead = day_of(now_us() + 6 * DAY_US)
    database.rows(f"DROP TABLE {ahead}")
    database.rows("DELETE FROM reading_partitions WHERE name = %s", (ahead,))
    live(stack)
    until(lambda: ahead in partitions(database), 10)
    bounds = [(starts, ends) for starts, ends in partitions(database).values()]
    assert len(bounds) == 9
    for (starts, ends), (following, _) in zip(bounds, bounds[1:]):
        assert ends == following and ends - starts == timedelta(days=1)


def test_a_late_reading_gets_a_partition_of_its_day(stack):
    live(stack)
    at = now_us() - 30 * DAY_US
    publisher = stack.publish(reading("d", at, "ON", temperature=1.0), reading("d", at + 1, temperature=2.0))
    day = day_of(at)
    until(lambda: day in partitions(stack.database), 10, "the day has its partition")
    until(lambda: stack.database.count(day) == 2)
    assert stack.database.count("readings_default") == 0 and stack.database.count("partition_requests") == 0
    publisher.send(reading("d", at + 2, temperature=3.0))
    publisher.send(reading("d", at, "ON", temperature=1.0))  # again
    publisher.wait()
    until(lambda: stack.database.count(day) == 3)
    assert compare(publisher.messages, stack.database)
    assert not differences(stack.database)


@pytest.mark.faults
def test_a_reading_older_than_the_span_lies_in_the_default_partition_and_shows_in_the_metrics(stack):
    live(stack, partition_span="100d")
    stack.publish(reading("d", now_us() - 200 * DAY_US, "ON", temperature=1.0), reading("d", now_us() - 900 * DAY_US, temperature=2.0))
    until(lambda: stack.database.count() == 2)
    until(lambda: stack.metrics().get("highwater_default_readings") == 2, 15)
    until(lambda: stack.metrics()["highwater_partition_requests_refused"] == 2, 15)
    answers = stack.database.rows("SELECT DISTINCT answer FROM partition_requests")
    assert answers == [("older than PARTITION_SPAN",)]
    assert stack.database.count("readings_default_old") == 1  # the rest is what ATTACH has to look through
    assert not differences(stack.database)


@pytest.mark.faults
def test_readings_are_stored_while_a_partition_has_to_wait(stack):
    live(stack)
    publisher = stack.publish(reading("d", now_us(), temperature=0.0))
    until(lambda: stack.database.count() == 1)
    day = day_of(now_us() - 30 * DAY_US)
    with reader(stack.database):  # all of it, so what waited for the reader would never come
        publisher.send(reading("d", now_us() - 30 * DAY_US, temperature=1.0))
        for i in range(20):
            publisher.send(reading("d", now_us() - (i % 2) * 30 * DAY_US, temperature=2.0 + i))
            publisher.wait()
            until(lambda i=i: stack.database.count() == 3 + i, 5)
        assert day not in partitions(stack.database)
    until(lambda: day in partitions(stack.database), 20)
    until(lambda: stack.database.count("readings_default") == 0)
    assert compare(publisher.messages, stack.database)


def test_a_day_with_too_many_readings_in_the_default_partition_stays_there(stack):
    database = migrated(stack)
    database.rows("INSERT INTO devices (device_id) VALUES ('d')")
    database.rows(
        f"INSERT INTO readings ({COLUMNS}) SELECT 1, i, date_trunc('day', now(), 'UTC') - interval '20 days' + i * interval '1 second',"
        " now(), 1, i, NULL FROM generate_series(1, 25000) i"
    )
    live(stack)
    answer = until(lambda: database.rows("SELECT answer FROM partition_requests WHERE answer IS NOT NULL"), 10)
    assert "too many" in answer[0][0] and database.count("readings_default") == 25000
    assert not differences(database)


@pytest.mark.parametrize("zone, style", [("America/New_York", "German"), ("Asia/Kolkata", "SQL, DMY")])
def test_the_settings_of_the_database_change_nothing(stack, zone, style):
    settings = {"timezone": zone, "datestyle": style, "default_transaction_isolation": "repeatable read"}
    for name, value in settings.items():
        stack.database.rows(f'ALTER DATABASE "{stack.database.name}" SET {name} = %s', (value,))
    live(stack)
    until(lambda: stack.metrics().get("highwater_rollup_timestamp_seconds", 0) > time.time() - 600, 20, "it rolls up")
    # around the end of summer time in New York, and a midnight
    for moment in ("2026-11-01T05:30:00+00:00", "2026-11-01T06:30:00+00:00", "2026-11-01T23:59:59.999999+00:00", "2026-11-02T00:00:00+00:00"):
        stack.publish(reading("d", to_us(moment), temperature=1.0))
    until(lambda: {"readings_2026_11_01", "readings_2026_11_02"} <= partitions(stack.database).keys(), 10)
    for starts, ends in partitions(stack.database).values():
        assert ends - starts == timedelta(days=1) and starts.astimezone(timezone.utc).hour == 0
    until(lambda: stack.database.count("readings_2026_11_01") == 3 and stack.database.count("readings_2026_11_02") == 1)
    stack.database.rows("SELECT rollup_fold_late(100), rollup_fold_fleet(100)")
    assert not differences(stack.database)
    hours = stack.database.rows("SELECT extract(epoch FROM bucket)::bigint % 3600 FROM rollup_hours")
    assert hours and not any(rest for (rest,) in hours)
    days = stack.database.rows("SELECT extract(epoch FROM bucket)::bigint % 86400 FROM rollup_days")
    assert days and not any(rest for (rest,) in days)
    # what is fresh goes straight to its partition with its sums, past the trigger
    stack.database.rows("ALTER TABLE readings DISABLE TRIGGER readings_after_insert")
    stack.publish(reading("d", now_us(), temperature=2.0))
    until(lambda: stack.database.count() == 5)
    assert not differences(stack.database)


def test_a_change_of_the_unit_fills_what_is_left(stack):
    first = live(stack)
    assert first.terminate() == 0
    before = partitions(stack.database)
    live(stack, partition="month")
    stack.publish(reading("d", now_us() - 3 * DAY_US, temperature=1.0), reading("d", now_us() - 70 * DAY_US, temperature=2.0))
    until(lambda: stack.database.count() == 2 and stack.database.count("readings_default") == 0, 10)
    after = partitions(stack.database)
    assert before.items() <= after.items()
    bounds = sorted(after.values())
    assert all(ends <= following for (_, ends), (following, _) in zip(bounds, bounds[1:]))
    assert any(ends - starts >= timedelta(days=28) for starts, ends in bounds)


def old_readings(database, days):
    """Of three devices, twelve a day, with partitions."""
    database.rows("INSERT INTO devices (device_id) SELECT 'device_' || i FROM generate_series(1, 3) i")
    database.rows("SELECT make_partitions(now() - %s * interval '1 day', now())", (days,))
    database.rows(
        f"INSERT INTO readings ({COLUMNS}) SELECT 1 + i %% 3, i, now() - i * interval '2 hours', now(), 1 + i %% 4, 1000 - i, i"
        " FROM generate_series(1, %s * 12 - 1) i",
        (days,),
    )


def test_retention_drops_partitions_and_keeps_boards_and_histograms(stack):
    database = migrated(stack)
    old_readings(database, 40)
    histograms = "SELECT id, (h).* FROM (SELECT id, status_counts(id, '-infinity', 'infinity') AS h FROM (SELECT 0 AS id UNION SELECT id FROM devices) d) h ORDER BY 1, 2"
    before = database.rows(histograms)
    hours = (
        "SELECT id, (h).* FROM (SELECT id, status_counts(id, date_trunc('day', now(), 'UTC') - interval '30 days' + interval '2 hours',"
        " date_trunc('day', now(), 'UTC') - interval '20 days' - interval '2 hours') AS h"
        " FROM (SELECT 0 AS id UNION SELECT id FROM devices) d) h ORDER BY 1, 2"
    )
    of_hours = database.rows(hours)
    summary = "SELECT * FROM feature_summary(0, 'pressure', '-infinity', now() - interval '20 days')"
    board = board_by_sql(database, "pressure", "all_time", now_us())
    too_old = {name for name, (_, ends) in partitions(database).items() if to_us(ends) < now_us() - 10 * DAY_US}
    live(stack, retention="10d")
    listener = stack.listen("collectors/+/boards/#")
    until(lambda: not too_old & partitions(database).keys(), 30)
    until(lambda: database.value("SELECT count(*) FROM pg_class WHERE relname ~ '^dropped_'") == 0, 10)
    assert database.count() < 12 * 12
    assert database.rows(histograms) == before
    assert database.value(f"SELECT readings FROM ({summary}) s") > 200
    assert database.rows(hours) == of_hours and sum(row[2] for row in of_hours) > 200
    database.rows("SELECT rollup_fold_fleet(100000), rollup_forget()")
    assert database.value("SELECT min(bucket) >= min(kept_from) FROM rollup_fleet, storage_state")
    assert database.rows(hours) == of_hours
    published = until(lambda: listener.latest("collectors/collector/boards/pressure/all_time"), 10).json()
    assert board_of_json(published["readings"]) == board
    # what is older than the retention gets no partition again, and counts all the same
    stack.publish(reading("device_1", now_us() - 30 * DAY_US, "ON", temperature=5.0))
    until(lambda: database.count("readings_default") == 1)
    until(lambda: database.rows("SELECT answer FROM partition_requests") == [("older than RETENTION",)], 10)
    assert sum(row[2] for row in database.rows(histograms)) == sum(row[2] for row in before) + 2
    bins = database.rows("SELECT sum(readings) FROM value_histogram('device_1', 'temperature', 10)")
    assert bins == [(database.value("SELECT count(*) FROM readings JOIN devices ON id = device WHERE device_id = 'device_1'"),)]


def test_retention_waits_for_readers_and_nobody_waits_for_retention(stack):
    database = migrated(stack)
    old_readings(database, 20)
    count = len(partitions(database))
    with reader(database):
        live(stack, retention="10d")
        for i in range(10):
            stack.publish(reading("device_1", now_us(), temperature=float(i)))
            until(lambda i=i: database.value("SELECT count(*) FROM readings WHERE recorded_at > now() - interval '1 minute'") == i + 1, 5)
        assert len(partitions(database)) == count
    database.rows("SELECT detach_partition(now() - interval '10 days')")
    assert len(partitions(database)) == count - 1


@pytest.mark.faults
def test_one_of_two_collectors_looks_after_storage(stack):
    first = live(stack, collector_id="first")
    port = stack.metrics_port
    until(lambda: stack.metrics(port)["highwater_maintenance_holder"] == 1, 10)
    second = live(stack, collector_id="second", metrics_listen="-")
    assert "looks after storage" not in second.output()
    first.kill9()
    second.wait_for_line("looks after storage", 20)


def test_a_month_of_hourly_readings_is_replayed_into_an_empty_database(stack):
    """All of it is older than the default span: it lies in one place, and every answer is right."""
    sample = CLONE / "data" / "beijing-stations-2013-03.csv.gz"
    with gzip.open(sample, "rt") as lines:
        rows = sum(1 for _ in lines) - 1
    live(stack, earliest="2013-01-01")
    stack.devicesim("--replay", str(sample))
    until(lambda: stack.database.count() == rows, 30)
    assert len(partitions(stack.database)) == 9 and stack.database.count("readings_default") == rows
    assert not differences(stack.database)
    assert stack.database.value("SELECT rollup_fold_late(1000000)") > 0
    assert not differences(stack.database)


def test_every_table_view_and_column_explains_itself(stack):
    live(stack, features="temperature,pressure,co2_min")
    silent = stack.database.rows(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition"
        " AND NOT a.attisdropped AND (a.attnum > 0 AND col_description(c.oid, a.attnum) IS NULL"
        " OR obj_description(c.oid, 'pg_class') IS NULL)"
    )
    assert silent == []
    said = stack.database.value(
        "SELECT col_description('device_hours'::regclass, attnum) FROM pg_attribute"
        " WHERE attrelid = 'device_hours'::regclass AND attname = 'co2_min_max'"
    )
    assert said == "The highest co2_min."
