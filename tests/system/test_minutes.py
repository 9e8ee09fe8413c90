"""Plots of any steps are what brute force says, whatever part of them comes out of cells, and however late readings come and go."""

from __future__ import annotations

import math
import re
import time

import pytest
from http_tools import Api
from oracle import now_us, to_text, to_us
from psycopg2.extras import execute_values
from servers import patience
from storage import COLUMNS, DAY_US, HOUR_US, Session, Workers, come_late_and_go, keep_up, migrated, random_span, rolled_until_hours_ago

MINUTE_US = 60_000_000
FEATURES = ("temperature", "pressure")

# One statement, so that both sides are of one snapshot. The last row is of the whole span.
ASKED = """
    WITH told AS MATERIALIZED (
        SELECT * FROM device_points(%(device)s, %(from)s, %(to)s, %(most)s, ARRAY['temperature', 'pressure'], %(cell)s)),
    mine AS MATERIALIZED (
        SELECT * FROM readings WHERE device = %(device)s AND recorded_at >= %(from)s AND recorded_at < %(to)s)
    SELECT t.at, t.step_ms, t.readings, t.lowest, t.highest, t.mean, r.*
    FROM told t CROSS JOIN LATERAL (
        SELECT count(*), ARRAY[min(temperature), min(pressure)], ARRAY[max(temperature), max(pressure)],
               ARRAY[avg(temperature), avg(CASE WHEN abs(pressure) <= 1e290 THEN pressure END)], ARRAY[max(abs(temperature)), max(abs(pressure))]
        FROM mine WHERE recorded_at >= t.at AND recorded_at < t.at + t.step_ms * 1000 * interval '1 us') r
    WHERE t.at IS NOT NULL
    UNION ALL SELECT NULL, NULL, sum(readings), NULL, NULL, NULL, (SELECT count(*) FROM mine), NULL, NULL, NULL, NULL FROM told
"""

# Rows that are looked at are what readings of their hour say: every cell of them, and every longer one.
WRONG_ROWS = """
    SELECT m.device, m.hour, m.feature, c.level, c.i, c.n, r.n, c.l, r.l, c.h, r.h
    FROM rollup_minutes m JOIN rollup_minutes t ON t.device = m.device AND t.hour = m.hour AND t.feature = ''
    JOIN (VALUES (360, 360, 1, 426), (360, 60, 361, 426), (360, 6, 421, 426), (60, 60, 1, 66), (60, 6, 61, 66)) v (cells, level, first, whole) ON v.cells = m.cells
    CROSS JOIN LATERAL (
        SELECT v.level, i, v.whole <> cardinality(coalesce(t.counts::integer[], t.counts_wide)) AS is_odd,
               (coalesce(m.counts::integer[], m.counts_wide, t.counts::integer[], t.counts_wide))[v.first + i] AS n,
               (m.base + (coalesce(m.lowest_small::float8[], m.lowest))[v.first + i]) / m.scale AS l,
               (m.base + (coalesce(m.highest_small::float8[], m.highest))[v.first + i]) / m.scale AS h
        FROM generate_series(0, v.level - 1) i) c
    CROSS JOIN LATERAL (
        SELECT count(*) AS n, min(value) AS l, max(value) AS h
        FROM (SELECT CASE m.feature WHEN 'temperature' THEN temperature WHEN 'pressure' THEN pressure ELSE 0 END AS value FROM readings r
              WHERE r.device = m.device AND r.recorded_at >= m.hour + c.i * interval '1 hour' / c.level
              AND r.recorded_at < m.hour + (c.i + 1) * interval '1 hour' / c.level) r WHERE value IS NOT NULL) r
    WHERE (c.is_odd OR c.n IS DISTINCT FROM r.n OR m.feature <> '' AND (c.l IS DISTINCT FROM r.l OR c.h IS DISTINCT FROM r.h))
    AND NOT EXISTS (SELECT FROM rollup_late l WHERE l.device = m.device AND l.bucket >= m.hour AND l.bucket < m.hour + interval '1 hour')
"""


def cells_of_few(database):
    """Hours have cells from three readings on, and steps are made of whole cells where four are spared."""
    for name, numbers in (("minute_cells", {"10000": "9", "600": "3"}), ("plot_cell", {"50000": "4"})):
        text = database.value(f"SELECT pg_get_functiondef('{name}'::regproc)")
        for old, new in numbers.items():
            assert re.search(rf"\b{old}\b", text)
            text = re.sub(rf"\b{old}\b", new, text)
        database.rows(text)


def begin(stack, hours):
    database = Session(migrated(stack))
    cells_of_few(database)
    rolled_until_hours_ago(database, hours)
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 3) i")
    database.rows("SELECT * FROM make_partitions(now() - %s * interval '1 hour', now())", (hours,))
    return database


def store(connection, rng, count, past_us):
    """Of the past, many of them at the ends of cells, or together in one."""
    now = now_us()
    rows = []
    for _ in range(count):
        at = now - rng.randrange(past_us)
        kind = rng.randrange(7)
        at -= at % (DAY_US, HOUR_US, MINUTE_US, 10_000_000, HOUR_US)[kind] if kind < 5 else 0
        at += rng.randrange(MINUTE_US) if kind == 4 else -rng.randrange(2)
        temperature = rng.choice([rng.randrange(-300, 300) / 100, -0.0, 19.5, None])
        pressure = rng.choice([rng.gauss(1000, 3), None, None, 5e-324, 1e305, -1.7976931348623157e308])
        rows.append((rng.choice([1, 1, 2, 3]), rng.getrandbits(62), to_text(at), 1, temperature, pressure))
    with connection.cursor() as cursor:
        execute_values(cursor, f"INSERT INTO readings ({COLUMNS}) VALUES %s ON CONFLICT DO NOTHING", rows, "(%s, %s, %s, now(), %s, %s, %s)")


def ask_sql(database, rng, starts, ends, device=None, most=None, cell=-1):
    question = {"device": device or rng.randrange(1, 4), "from": starts, "to": ends, "most": most or rng.choice([1, 2, 7, 60, 500, 1000, 10000]), "cell": cell}
    rows = database.rows(ASKED, question)
    *steps, whole = rows
    assert (whole[2] or 0) == whole[6], (question, whole)
    assert len(steps) <= question["most"]
    for at, _, readings, lowest, highest, mean, count, low, high, average, largest in steps:
        assert (readings, lowest, highest) == (count, low, high), (question, at)
        for told, expected, size in zip(mean, average, largest):
            if size is None or size <= 1e290:
                assert told == (None if expected is None else pytest.approx(expected, abs=1e-9 * max(size, 1e-290))), (question, at)
    return steps


def check(database, rng, hours, spans):
    assert not database.rows(WRONG_ROWS)
    for _ in range(spans):
        starts, ends = random_span(rng, now_us(), hours * HOUR_US)
        if rng.random() < 0.6:  # steps shorter than an hour, or as long
            most = rng.choice([7, 60, 500])
            starts = now_us() - rng.randrange(hours * HOUR_US)
            starts -= starts % rng.choice([1, 1, MINUTE_US])
            ends = starts + most * rng.choice([MINUTE_US, 7 * MINUTE_US, 20 * MINUTE_US, HOUR_US, 90_000_000, 10_000_000, rng.randrange(HOUR_US)]) + rng.choice([0, 0, -1, 1])
            ask_sql(database, rng, to_text(starts), to_text(ends), most=most, cell=rng.choice([-1, None]))  # None: steps as they are, few readings or many
        else:
            ask_sql(database, rng, starts, ends)


def test_any_span_in_any_steps_is_what_brute_force_says(stack, rng):
    hours = 26
    database = begin(stack, hours)
    connection = database.connect()
    connection.autocommit = True
    store(connection, rng, 600, hours * HOUR_US)
    check(database, rng, hours, 5)
    for minutes in (rng.randrange(60, 700), rng.randrange(60, 700), None):
        keep_up(database, minutes, passes=rng.randrange(30))
        check(database, rng, hours, 8)
        keep_up(database, minutes)
        check(database, rng, hours, 8)
        store(connection, rng, 60, hours * HOUR_US)  # some of them late
        check(database, rng, hours, 8)
    keep_up(database)
    assert database.count("rollup_minute_todo") == 0
    assert {row[0] for row in database.rows("SELECT DISTINCT cells FROM rollup_minutes")} == {60, 360}
    check(database, rng, hours, 10)
    for feature in (None, "temperature", None):
        starts, ends = random_span(rng, now_us(), hours * HOUR_US)
        database.rows("SELECT readings_remove('d1', %s, least(%s, %s::timestamptz + interval '5 hours'), %s)", (starts, ends, starts, feature))
        check(database, rng, hours, 8)
        keep_up(database)
        check(database, rng, hours, 4)
    database.rows("DELETE FROM readings WHERE temperature = 19.5")
    database.rows("SELECT rollup_rebuild(now() - interval '3 days', now())")
    check(database, rng, hours, 8)
    keep_up(database)
    assert database.count("rollup_minute_todo") == 0 and database.count("rollup_minutes") > 20
    check(database, rng, hours, 8)
    while database.value("SELECT detach_partition(now() - interval '12 hours')"):
        pass
    database.rows("SELECT drop_detached(), rollup_forget()")
    assert database.value("SELECT min(hour) >= (SELECT kept_from FROM storage_state) FROM rollup_minutes")
    kept = to_us(database.value("SELECT kept_from FROM storage_state"))
    for _ in range(10):
        ask_sql(database, rng, to_text(kept + rng.randrange(HOUR_US)), to_text(now_us()))
    assert database.value("SELECT count(*) FROM rollup_minutes WHERE device = 2") > 0
    database.rows("SELECT device_remove('d2')")
    for table in ("rollup_minutes", "rollup_minute_todo"):
        assert database.value(f"SELECT count(*) FROM {table} WHERE device = 2") == 0, table
    connection.close()


def test_at_every_moment_while_readings_come_late_and_go(stack, rng):
    hours = 30
    database = begin(stack, hours)

    def look_after(cursor, rng):
        cursor.execute("UPDATE rollup_minute_todo SET due_at = now() WHERE random() < 0.5")
        for _ in range(rng.randrange(30)):
            cursor.execute("SELECT minutes_pass()")

    with Workers(database) as workers:
        come_late_and_go(workers, rng, hours, store, look_after)
        began = time.monotonic()
        checks = 0
        while (checks < 20 or time.monotonic() < began + 5) and not workers.failures:
            assert time.monotonic() < began + patience(120)
            check(database, rng, hours, 3)
            checks += 1
    keep_up(database)
    assert database.count("rollup_late") == 0 and database.count("rollup_minute_todo") == 0
    assert database.count("rollup_minutes") > 20
    check(database, rng, hours, 10)


def test_a_feature_that_is_new_has_no_cells_before(stack, rng):
    database = begin(stack, 5)
    connection = database.connect()
    connection.autocommit = True
    store(connection, rng, 200, 5 * HOUR_US)
    keep_up(database)
    before = database.count("rollup_minutes")
    database.rows("SELECT add_features(ARRAY['humidity'])")
    asked = "SELECT sum(readings), max(highest[1]), count(*) FROM device_points(1, now() - interval '5 hours', now(), 60, ARRAY['humidity'])"
    assert database.rows(asked)[0][1] is None and database.rows(asked)[0][0] > 0
    at = database.value("SELECT hour FROM rollup_minutes WHERE device = 1 ORDER BY hour DESC LIMIT 1")
    database.rows("INSERT INTO readings (device, content_hash, recorded_at, received_at, humidity) VALUES (1, 1, %s, now(), 77.5)", (at,))
    for _ in range(2):
        assert database.rows(asked)[0][1] == 77.5
        keep_up(database)
    assert database.value("SELECT count(*) FROM rollup_minutes WHERE feature = 'humidity'") == 1 and database.count("rollup_minutes") == before + 1
    connection.close()


def test_steps_of_many_readings_are_whole_cells(stack):
    """The page asks for the last steps alone, with the step that it was told: they are the same ones."""
    database = begin(stack, 30)
    first = now_us() // HOUR_US * HOUR_US - 20 * HOUR_US
    database.rows(
        f"INSERT INTO readings ({COLUMNS}) SELECT 1, i, %s::timestamptz + i * interval '7 minutes 13 seconds', now(), 1, i, i / 7.0 FROM generate_series(0, 120) i",
        (to_text(first),),
    )
    keep_up(database)
    api = Api(stack)
    ends = first + 14 * HOUR_US
    for points in (500, 101, 60, 15, 3, 1):
        whole = api.json(f"/devices/d1/points?points={points}&from={to_text(first + 1)}&to={to_text(ends)}")
        step = round(whole["stepMs"] * 1000)
        assert len(whole["points"]) <= points and step % MINUTE_US == 0 or step >= HOUR_US
        if points < 60:
            continue
        assert all(to_us(p["timestamp"]) % step == 0 for p in whole["points"])
        since = (ends // step - 3) * step
        tail = api.json(f"/devices/d1/points?points=4&from={to_text(since)}&to={to_text(since + 4 * step)}")
        assert tail["stepMs"] == whole["stepMs"]
        assert [p for p in tail["points"] if to_us(p["timestamp"]) < ends - step] == [p for p in whole["points"] if since <= to_us(p["timestamp"]) < ends - step]
    several = api.json(f"/readings?deviceId=d1&deviceId=d2&points=101&from={to_text(first + 1)}&to={to_text(ends)}")
    alone = api.json(f"/devices/d1/points?points=101&from={to_text(first + 1)}&to={to_text(ends)}")
    assert several["devices"][0]["points"] == alone["points"] and math.isclose(several["stepMs"], alone["stepMs"])


def test_of_a_long_span_next_to_no_reading_is_looked_at(stack):
    """As cells really are: what they leave of a span is bounded, however many readings it has."""
    database = Session(migrated(stack))
    rolled_until_hours_ago(database, 14)
    database.rows("INSERT INTO devices (device_id) VALUES ('d1')")
    database.rows("SELECT * FROM make_partitions(now() - interval '14 hours', now())")
    database.rows(
        f"INSERT INTO readings ({COLUMNS}) SELECT 1, i, date_bin('1 hour', now(), 'epoch') - interval '12 hours' + i * interval '1 second', now(), 1, round(i), i / 7.0"
        " FROM generate_series(0, 43200) i"
    )
    keep_up(database)
    left = database.value(
        "SELECT count(*) FROM (SELECT tstzmultirange(tstzrange(now() - interval '11 hours 7 seconds', now() - interval '3 hours')) AS span) s"
        " JOIN readings r ON r.recorded_at <@ (s.span - minutes_cover(1, s.span, date_bin('180 s', now() - interval '11 hours 7 seconds', 'epoch'), 180000000))"
    )
    assert left < 2 * 60
    plan = "\n".join(row[0] for row in database.rows("EXPLAIN SELECT FROM rollup_minutes WHERE device = 1 AND feature = '' AND hour >= now() AND hour < now()"))
    assert "Index" in plan
