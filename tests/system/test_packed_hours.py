"""Hours of single devices that are packed: bit for bit what rollup_hours had, whatever comes late, goes, or is asked meanwhile."""

from __future__ import annotations

import random
from typing import Any

import psycopg2
import pytest
from oracle import Database, to_text
from packed_days import hours_sql, midnight
from psycopg2.extras import execute_values
from storage import HOUR_US, keep_up, migrated, rolled_until_hours_ago

AFTER = "1 day"
FEATURES = ("temperature", "pressure")
DAYS = 6
COLUMNS = "device, content_hash, recorded_at, received_at, status, temperature, pressure"


def whole(database: Database) -> list[Any]:
    """All hours, as PostgreSQL sends them: doubles with all their bits."""
    return sorted(row[0] for row in database.rows(f"SELECT record_send(ROW(h.*))::text FROM ({hours_sql(database)}) h"))


def rows_left(database: Database) -> int:
    return int(database.value("SELECT count(*) FROM rollup_hours WHERE device > 0"))


def chunks(database: Database) -> int:
    return int(database.value("SELECT count(*) FROM rollup_hour_chunks"))


def pack(database: Database, after: str = AFTER) -> int:
    """Hours alone: days stay as they are. How many hours."""
    packed = 0
    while (some := database.value("SELECT hours_step(%s)", (after,))) is not None:
        packed += some
    return packed


def put(database: Database, rows: list[tuple[Any, ...]]) -> None:
    connection = psycopg2.connect(database.url)
    with connection, connection.cursor() as cursor:
        execute_values(cursor, f"INSERT INTO readings ({COLUMNS}) VALUES %s ON CONFLICT DO NOTHING", rows, page_size=20_000)
    connection.close()


def row(rng: random.Random, device: int, at: int) -> tuple[Any, ...]:
    temperature = rng.choice([None, round(rng.random() * 40, 2), 1 / 3, -0.0, 5e-324, 1e300, float("nan"), 19.5])
    pressure = rng.choice([None, round(1000 + rng.random(), 1), float(device)])
    return device, rng.getrandbits(64) - 2**63, to_text(at), to_text(at + 20_000), rng.choice([None, 1, 2, 3, 4]), temperature, pressure


def rows_of(rng: random.Random, devices: range, days: int = DAYS) -> list[tuple[Any, ...]]:
    """Each hour some, of most devices; some devices are silent for days."""
    found = []
    for device in devices:
        silent = rng.randrange(days) if device % 5 == 0 else None
        for hour in range(days * 24):
            if hour // 24 == silent or rng.random() < 0.1:
                continue
            found += [row(rng, device, midnight(days) + hour * HOUR_US + rng.randrange(HOUR_US)) for _ in range(rng.choice([1, 1, 2]))]
    return found


def assert_counted(database: Database) -> None:
    """Sums of doubles are left out: they depend on the order."""
    ends = ", ".join(f"{f}_count, {f}_min, {f}_max" for f in FEATURES)
    counted = ", ".join(f"count({f}), min({f}), max({f})" for f in FEATURES)
    found = database.rows(f"SELECT device, bucket, readings, status_on, status_off, status_active, status_inactive, first_at, last_at, {ends} FROM ({hours_sql(database)}) h"
                          " WHERE device > 0 ORDER BY device, bucket")
    expected = database.rows(
        "SELECT device, date_bin('1 hour', recorded_at, 'epoch'), count(*), count(*) FILTER (WHERE status = 1), count(*) FILTER (WHERE status = 2),"
        f" count(*) FILTER (WHERE status = 3), count(*) FILTER (WHERE status = 4), min(recorded_at), max(recorded_at), {counted} FROM readings GROUP BY 1, 2 ORDER BY 1, 2")
    assert list(map(repr, found)) == list(map(repr, expected))


@pytest.fixture
def hours(stack, rng) -> Database:
    """Devices in three groups of sixteen, summed up, nothing packed."""
    made = migrated(stack)
    rolled_until_hours_ago(made, 24 * (DAYS + 1))
    made.rows("UPDATE rollup_value_passes p SET until = date_bin(u.length, s.rolled_until, 'epoch') FROM value_units() u, storage_state s WHERE u.unit = p.unit")
    made.rows("INSERT INTO devices (device_id) SELECT 'device_' || n FROM generate_series(1, 40) n")
    while made.value("SELECT wants_more FROM make_partitions(now() - %s * interval '24 hours', now())", (DAYS + 1,)):
        pass
    put(made, rows_of(rng, range(1, 41)))
    keep_up(made)
    return made


def span(database: Database) -> tuple[int, int]:
    """Of the hours that are packed."""
    return tuple(database.rows(  # type: ignore[return-value]
        "SELECT (extract(epoch FROM min(starts_at)) * 1e6)::bigint, (extract(epoch FROM max(starts_at) + interval '48 hours') * 1e6)::bigint FROM rollup_hour_chunks")[0])


def test_what_was_packed_is_what_was_there_bit_for_bit(hours):
    before, count = whole(hours), rows_left(hours)
    view = hours.rows("SELECT row_to_json(h)::text FROM device_hours h ORDER BY device_id, hour")
    assert pack(hours) == count - rows_left(hours) > count / 2
    assert chunks(hours) >= 6 and pack(hours) == 0
    assert whole(hours) == before
    assert hours.rows("SELECT row_to_json(h)::text FROM device_hours h ORDER BY device_id, hour") == view
    assert hours.rows("SELECT FROM rollup_hours h JOIN rollup_hour_chunks c ON c.device_group = h.device >> 4 AND c.starts_at = date_bin('48 hours', h.bucket, 'epoch')"
                         " WHERE h.device > 0") == []


def test_any_device_and_span_is_found_by_its_bounds(hours, rng):
    expected = {(row[0], row[1]): row[2] for row in hours.rows("SELECT device, bucket, temperature_sum FROM rollup_hours WHERE device > 0")}
    pack(hours)
    first = min(bucket for _, bucket in expected)
    for _ in range(60):
        low, high = sorted(rng.randrange(-30, DAYS * 24 + 30) * 3600 + rng.choice([0, 0, 1, 1799]) for _ in range(2))
        device = rng.choice([None, rng.randrange(1, 42), rng.sample(range(1, 42), 3)])
        bounds = hours.rows("SELECT %s + %s * interval '1 second', %s + %s * interval '1 second'", (first, low, first, high))[0]
        some = [device] if isinstance(device, int) else device
        whose = "" if device is None else f" AND device = {device}" if isinstance(device, int) else f" AND device = ANY (ARRAY{some})"
        source = hours.value("SELECT hours_source(%s, %s, NULL, 'temperature_sum', %s)", (*bounds, whose))
        found = hours.rows(f"SELECT device, bucket, temperature_sum FROM {source} r WHERE device > 0 AND bucket >= '{bounds[0]}' AND bucket < '{bounds[1]}'{whose}")
        assert sorted(map(repr, found)) == sorted(
            repr((*key, value)) for key, value in expected.items() if bounds[0] <= key[1] < bounds[1] and (some is None or key[0] in some)
        ), (bounds, device, source == "rollup_hours")


def test_hours_of_a_span_are_found_without_a_look_at_the_others(hours, rng):
    """hours_between() has the rows of the view, and fetches those chunks of the device's group alone that have any of them."""
    pack(hours)
    low, high = span(hours)
    connection = psycopg2.connect(hours.url)
    connection.set_session(isolation_level="REPEATABLE READ")
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        for _ in range(30):
            device, starts = f"device_{rng.randrange(1, 43)}", low + rng.randrange(-10, (high - low) // HOUR_US) * HOUR_US + rng.choice([0, 0, 1])
            bounds = to_text(starts), to_text(starts + rng.choice([0, HOUR_US, 24 * HOUR_US]))
            cursor.execute("SELECT pg_stat_get_xact_tuples_fetched('rollup_hour_chunks'::regclass)")
            before = cursor.fetchone()[0]
            cursor.execute("SELECT row_to_json(h)::text FROM hours_between(%s, %s, %s) h ORDER BY hour", (device, *bounds))
            found = cursor.fetchall()
            cursor.execute("SELECT pg_stat_get_xact_tuples_fetched('rollup_hour_chunks'::regclass)")
            assert cursor.fetchone()[0] - before <= 3, (device, bounds)  # one that says whether any is packed, and two
            cursor.execute("SELECT row_to_json(h)::text FROM device_hours h WHERE device_id = %s AND hour >= %s AND hour < %s ORDER BY hour", (device, *bounds))
            assert cursor.fetchall() == found, (device, bounds)
        cursor.execute("SELECT count(*) FROM hours_between('device_1', '-infinity', 'infinity')")
        everything = cursor.fetchone()[0]
        cursor.execute("SELECT count(*) FROM device_hours WHERE device_id = 'device_1'")
        assert cursor.fetchone()[0] == everything > 24
    connection.close()


def test_late_readings_make_rows_of_some_and_are_packed_again(hours, rng):
    pack(hours)
    low, high = span(hours)
    before = chunks(hours)
    put(hours, [row(rng, 3, low + 5 * HOUR_US + 1), row(rng, 3, low + 5 * HOUR_US + 2), row(rng, 39, high - HOUR_US)])
    assert chunks(hours) == before
    keep_up(hours)
    assert chunks(hours) == before - 2
    assert_counted(hours)
    said = whole(hours)
    pack(hours)
    assert chunks(hours) == before and whole(hours) == said
    # of a device that had none then
    hours.rows("INSERT INTO devices (device_id) VALUES ('late')")
    device = hours.value("SELECT max(id) FROM devices")
    put(hours, [row(rng, device, low + 1)])
    keep_up(hours)
    pack(hours)
    assert hours.value("SELECT count(*) FROM rollup_hour_chunks WHERE %s = ANY (devices)", (device,)) == 1
    assert_counted(hours)


def test_many_late_readings_are_folded_in_parts(hours, rng):
    """So that no transaction makes rows of everything."""
    pack(hours)
    hours.rows("INSERT INTO devices (device_id) SELECT 'many_' || n FROM generate_series(1, 1200) n")
    low, high = span(hours)
    devices = range(41, 41 + 1200, 16)
    put(hours, [row(rng, device, at) for device in devices for at in range(low, high, 24 * HOUR_US)])
    keep_up(hours)
    pack(hours)
    before = chunks(hours)
    assert before > 64 * 2
    put(hours, [row(rng, device, at + 1) for device in devices for at in range(low, high, 48 * HOUR_US)])
    keep_up_but_late(hours)
    late = hours.value("SELECT count(*) FROM rollup_late")
    assert late > 64
    assert hours.value("SELECT rollup_fold_late(10000)") == 10000  # there is more
    assert chunks(hours) == before - 64
    left = hours.value("SELECT count(*) FROM rollup_late")
    assert 0 < left < late
    keep_up(hours)
    assert_counted(hours)


def keep_up_but_late(database: Database) -> None:
    while database.value("SELECT rollup_fold_fleet(10000)") == 10000:
        pass


def test_what_is_taken_out_and_counted_again(hours, rng):
    pack(hours)
    low, high = span(hours)
    assert hours.value("SELECT readings_remove('device_7', %s, %s)", (to_text(low + 7 * HOUR_US), to_text(low + 30 * HOUR_US))) > 0
    assert hours.value("SELECT readings_remove('device_20', '-infinity', 'infinity', 'pressure')") > 0
    assert hours.value("SELECT device_remove('device_33')") > 0
    assert hours.value("SELECT count(*) FROM rollup_hour_chunks WHERE 33 = ANY (devices)") == 0
    assert_counted(hours)
    keep_up(hours)
    pack(hours)
    assert_counted(hours)
    assert chunks(hours) > 4
    assert hours.value("SELECT rollup_rebuild(%s, %s)", (to_text(low), to_text(high - 1))) > 0
    assert chunks(hours) == 0
    assert_counted(hours)
    keep_up(hours)
    said = whole(hours)
    pack(hours)
    assert chunks(hours) > 4 and whole(hours) == said


@pytest.mark.parametrize("todo", ["rollup_value_todo (device, hour) VALUES (17, '{0}')", "rollup_minute_todo (device, hour, due_at) VALUES (17, '{0}', now())"])
def test_hours_that_somebody_is_still_to_read_wait(hours, todo):
    hour = hours.value("SELECT min(bucket) + interval '5 hours' FROM rollup_hours WHERE device = 17")
    hours.rows(f"INSERT INTO {todo.format(hour)}")
    pack(hours)
    of_hour = "SELECT count(*) FROM rollup_hour_chunks WHERE device_group = 1 AND %s >= starts_at AND %s < starts_at + interval '48 hours'"
    assert hours.value(of_hour, (hour, hour)) == 0
    assert chunks(hours) > 3
    hours.rows(f"DELETE FROM {todo.split()[0]}")
    pack(hours)
    assert hours.value(of_hour, (hour, hour)) == 1


def test_hours_are_not_packed_before_they_are_over_and_have_their_values(hours):
    hours.rows("UPDATE rollup_value_passes SET until = '-infinity' WHERE unit = 4")
    assert pack(hours) == 0
    hours.rows("UPDATE rollup_value_passes p SET until = q.until FROM rollup_value_passes q WHERE p.unit = 4 AND q.unit = 3")
    assert pack(hours, "3650 days") == 0
    assert pack(hours) > 0
    assert hours.value("SELECT max(starts_at) + interval '48 hours' <= now() - %s::interval FROM rollup_hour_chunks", (AFTER,))


def test_whoever_packs_days_packs_hours_when_they_are_done(hours):
    did = []
    while (step := hours.value("SELECT did FROM packing_step(%s)", (AFTER,))) is not None:
        did.append(step)
    assert "turned" in did and did[-1] == "hours" and chunks(hours) > 3
    assert "turned" not in did[did.index("hours"):]


def test_a_chunk_that_would_not_say_the_same_is_not_made(hours):
    before, count = whole(hours), rows_left(hours)
    kept = hours.value("SELECT pg_get_functiondef('packed_values'::regproc)")
    hours.rows("CREATE OR REPLACE FUNCTION packed_values(given double precision[]) RETURNS packed_numbers LANGUAGE sql AS $$"
                  " SELECT packed_doubles(ARRAY(SELECT round(x * 1e3) / 1e3 FROM unnest(given) x), 3) $$")
    with pytest.raises(psycopg2.errors.RaiseException, match=r"hours of devices 0 to 15 from .*: \d+ of \d+ are not as they were"):
        pack(hours)
    assert rows_left(hours) == count and whole(hours) == before
    hours.rows(kept)
    assert pack(hours) > 0 and whole(hours) == before


def test_a_feature_that_is_added_later_has_no_values_then(hours, rng):
    pack(hours)
    count = hours.value("SELECT count(*) FROM device_hours")
    hours.rows("SELECT add_features('{humidity}')")
    assert hours.rows("SELECT count(*), sum(humidity_count), count(humidity_min), count(humidity_max), count(humidity_mean) FROM device_hours"
                         ) == [(count, 0, 0, 0, 0)]
    low, _ = span(hours)
    hours.rows("INSERT INTO readings (device, content_hash, recorded_at, received_at, humidity) VALUES (5, 1, %s, now(), 45.5)", (to_text(low + 1),))
    keep_up(hours)
    said = whole(hours)
    pack(hours)
    assert whole(hours) == said
    assert hours.rows("SELECT device_id, humidity_count, humidity_mean, humidity_min FROM device_hours WHERE humidity_count > 0") == [("device_5", 1, 45.5, 45.5)]


def test_forty_features_are_read_another_way(stack):
    features = [f"f{n}" for n in range(40)]
    database = migrated(stack, features=",".join(features))
    database.rows("INSERT INTO devices (device_id) SELECT 'device_' || n FROM generate_series(1, 3) n")
    sums = [f"{f}{x}" for f in features for x in ("_count", "_sum", "_min", "_max")]
    database.rows(
        f"INSERT INTO rollup_hours (device, bucket, readings, status_on, first_at, last_at, {', '.join(sums)})"
        f" SELECT d, at, 60, 60, at + interval '1 s', at + interval '3000 s'{', 60, random(), random(), random()' * 40}"
        " FROM generate_series(1, 3) d, generate_series(date_bin('48 hours', now() - interval '9 days', 'epoch'), now() - interval '5 days', '1 hour') at"
    )
    before = whole_text(database)
    starts = database.value("SELECT date_bin('48 hours', min(bucket), 'epoch') FROM rollup_hours")
    assert database.value("SELECT hours_pack(0, %s)", (starts,)) == 3 * 48
    assert whole_text(database) == before
    assert database.rows("SELECT count(*), count(f39_max) FROM device_hours WHERE device_id = 'device_2'") == [(len(before) // 3, len(before) // 3)]


def whole_text(database: Database) -> list[Any]:
    """Of more columns than a row may be made of."""
    return [row[0] for row in database.rows(f"SELECT h::text FROM ({hours_sql(database)}) h ORDER BY device, bucket")]


@pytest.mark.parametrize("regular", [True, False], ids=["a reading a second", "some are lost"])
def test_an_hour_takes_sixty_bytes_at_most(stack, regular):
    """Index and all, of two features of two decimals, with clocks that jitter by microseconds, where every reading comes; counts that differ from hour to hour take more."""
    database = migrated(stack)
    count = "3600" if regular else "3600 - (random() * 9)::bigint"
    parts = "part_counts(n, ARRAY[600, 1200, 1800, 2400, 3000])" if regular else "part_counts(n, ARRAY[n / 6 - (random() * 3)::int, n / 3, n / 2, 2 * n / 3, 5 * n / 6])"
    feature = "n, {0}::float8 * n + random() * n, round(({0} - random() * 10)::numeric, 2), round(({0} + random() * 10)::numeric, 2), {1}, (random() * 1e18)::bigint"
    columns = ", ".join(f"{f}_count, {f}_sum, {f}_min, {f}_max, {f}_parts, {f}_part_sums" for f in FEATURES)
    database.rows(
        f"INSERT INTO rollup_hours (device, bucket, readings, status_on, status_off, status_active, status_inactive, first_at, last_at, {columns})"
        " SELECT d, at, n, s1, s2, s3, n - s1 - s2 - s3, at + random() * interval '900 ms', at + interval '3599 s' + random() * interval '900 ms',"
        f" {feature.format(50, parts)}, {feature.format(1013, parts)}"
        " FROM generate_series(1, 639) d, generate_series(timestamptz '2026-11-01Z', '2026-11-02T23:00Z', '1 hour') at"
        f" CROSS JOIN LATERAL (SELECT {count} AS n, 900 + (random() * 90)::bigint + d * 0 AS s1, 850 + (random() * 90)::bigint AS s2, 840 + (random() * 90)::bigint AS s3) r"
    )
    before = rows_left(database)
    packed = sum(database.value("SELECT hours_pack(%s, '2026-11-01Z')", (group,)) for group in range(40))
    assert packed == before == 639 * 48
    # without the maps of free space, which take the same for a few rows as for many
    each = float(database.value(
        "SELECT sum(pg_relation_size(c.oid) + pg_indexes_size(c.oid)) FROM pg_class c WHERE c.oid = 'rollup_hour_chunks'::regclass"
        " OR c.oid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'rollup_hour_chunks'::regclass)")) / packed
    assert each <= (60 if regular else 77), each
    if regular:
        assert each == pytest.approx(database.value("SELECT bytes_each FROM disk_expected(639, '1 second') WHERE what = 'a packed hour of a device'"), rel=0.1)
