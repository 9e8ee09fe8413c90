"""Histograms and quantiles of values are what brute force says, whatever part of them comes out of nodes, and however
late readings come and go."""

from __future__ import annotations

import bisect
import math
import re
import time
from fractions import Fraction

import pytest
from http_tools import Api, insert
from oracle import now_us, reading, to_text
from psycopg2.extras import execute_values
from servers import patience
from storage import COLUMNS, DAY_US, HOUR_US, Session, Workers, come_late_and_go, keep_up, migrated, random_span, rolled_until_hours_ago

QUANTILES = [0.0, 0.07, 0.5, 0.95, 0.99, 1.0]
CELLS = 1023  # at least so many between the lowest and the highest value

# One statement, so that both sides are of one snapshot.
ASKED = """
    SELECT false, bin, quantile, low, high, readings
    FROM value_distribution(%(device)s, '{0}', %(bins)s, %(quantiles)s, %(from)s, %(to)s)
    UNION ALL
    SELECT true, NULL, NULL, {0}, NULL, NULL FROM readings
    WHERE recorded_at >= %(from)s AND recorded_at < %(to)s AND {0} IS NOT NULL
    AND (%(device)s::text IS NULL OR device = (SELECT id FROM devices WHERE device_id = %(device)s))
"""


def nodes_of_few(database):
    """A node is worth it from four readings on."""
    units = database.value("SELECT pg_get_functiondef('value_units'::regproc)")
    database.rows(re.sub(r"\b(4096|1024)\b", "4", units))


def begin(stack, hours):
    database = Session(migrated(stack))
    nodes_of_few(database)
    rolled_until_hours_ago(database, hours)
    database.rows(
        "UPDATE rollup_value_passes p SET until = date_bin(u.length, s.rolled_until, 'epoch')"
        " FROM value_units() u, storage_state s WHERE u.unit = p.unit"
    )
    database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 3) i")
    database.rows("SELECT * FROM make_partitions(now() - %s * interval '1 hour', now())", (hours,))
    return database


def values(rng, is_odd):
    """Of temperature, which repeats, and pressure, which does not."""
    temperature = rng.choice([rng.randrange(-300, 300) / 100, rng.randrange(5) * 1.0, -0.0, 0.1, 19.5])
    pressure = rng.choice([rng.random(), rng.gauss(0, 3), 0.5, 1 / 3])
    if rng.random() < 0.01:
        temperature = -9999.0
    if is_odd and rng.random() < 0.1:
        pressure = rng.choice([5e-324, -5e-324, 1e-305, -0.0, 1e15 + 0.125, 1e299, -1e299, 1e305, -1.7976931348623157e308, 1e308])
    return (None if rng.random() < 0.2 else temperature), (None if rng.random() < 0.4 else pressure)


def store(connection, rng, count, past_us, is_odd=True):
    """Of the past, many of them at one moment, or at the end of an hour."""
    now = now_us()
    rows = []
    for _ in range(count):
        at = now - rng.randrange(past_us)
        kind = rng.randrange(6)
        at -= at % (DAY_US, HOUR_US, 600_000_000, 10_000_000)[kind] if kind < 4 else 0
        at -= rng.randrange(2)
        rows.append((rng.randrange(1, 4), rng.getrandbits(62), to_text(at), 1, *values(rng, is_odd)))
    with connection.cursor() as cursor:
        execute_values(cursor, f"INSERT INTO readings ({COLUMNS}) VALUES %s ON CONFLICT DO NOTHING", rows, "(%s, %s, %s, now(), %s, %s, %s)")


def ask(database, feature, **question):
    """(rows of bins, rows of quantiles, the values, sorted)"""
    rows = database.rows(ASKED.format(feature), question)
    bins = [(number, low, high, count) for is_value, number, _, low, high, count in rows if not is_value and number is not None]
    quantiles = [(q, low, high) for is_value, _, q, low, high, _ in rows if not is_value and q is not None]
    return bins, quantiles, sorted(low for is_value, _, _, low, _, _ in rows if is_value)


def check(database, rng, starts, ends):
    for feature in ("temperature", "pressure"):
        bins = rng.choice([1, 2, 7, 100, 1000])
        question = {"device": rng.choice([None, "d1", "d2"]), "bins": bins, "quantiles": QUANTILES, "from": starts, "to": ends}
        told, quantiles, found = ask(database, feature, **question)
        if not found:
            assert not told and not quantiles, question
            continue
        edges = [low for _, low, _, _ in told] + [told[-1][2]]
        assert [number for number, *_ in told] == list(range(len(told))) and len(told) <= bins
        assert [high for _, _, high, _ in told[:-1]] == edges[1:-1]
        assert (edges[0], edges[-1]) == (found[0], found[-1]), (feature, question)
        assert all(a < b for a, b in zip(edges, edges[1:])) or edges == [found[0]] * 2
        for number, low, high, count in told:
            end = bisect.bisect_right if number == len(told) - 1 else bisect.bisect_left
            assert count == end(found, high) - bisect.bisect_left(found, low), (feature, question, number)
        wide = Fraction(found[-1]) - Fraction(found[0])
        if len(told) == bins:
            for i, edge in enumerate(edges):
                assert abs(Fraction(edge) - Fraction(found[0]) - wide * i / bins) <= wide / CELLS / 2 + Fraction(math.ulp(edge)), (question, i)
        assert [q for q, _, _ in quantiles] == sorted(QUANTILES)
        for q, low, high in quantiles:
            exact = found[max(math.ceil(Fraction(str(q)) * len(found)), 1) - 1]
            assert low <= exact <= high and Fraction(high) - Fraction(low) <= wide / CELLS, (feature, question, q, exact, low, high)


# Every node is what is in readings of its span, less what is late.
WRONG_NODES = """
    WITH said AS (
        SELECT s.device, s.unit, s.bucket, f.feature, coalesce(sum(n), 0) AS n
        FROM rollup_value_spans s CROSS JOIN (VALUES ('temperature'), ('pressure')) f (feature)
        LEFT JOIN rollup_values v USING (device, unit, bucket, feature)
        LEFT JOIN LATERAL unnest(coalesce(v.counts::bigint[], v.counts_wide)) n ON true GROUP BY 1, 2, 3, 4)
    SELECT said.*, r.n, late.n FROM said JOIN value_units() u USING (unit)
    CROSS JOIN LATERAL (
        SELECT CASE said.feature WHEN 'temperature' THEN count(temperature) ELSE count(pressure) END AS n FROM readings r
        WHERE said.device IN (0, r.device) AND r.recorded_at >= bucket AND r.recorded_at < bucket + u.length) r
    CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM rollup_late_values l
        WHERE l.device = said.device AND l.feature = said.feature AND l.recorded_at >= bucket AND l.recorded_at < bucket + u.length) late
    JOIN rollup_value_passes p USING (unit)
    WHERE said.n <> r.n - late.n AND bucket >= (SELECT kept_from FROM storage_state) AND NOT (said.device = 0 AND unit < 2 AND bucket >= p.until)
"""


def test_any_span_is_what_brute_force_says(stack, rng):
    hours = 26
    database = begin(stack, hours)
    connection = database.connect()
    connection.autocommit = True

    def check_all(spans):
        assert not database.rows(WRONG_NODES)
        for _ in range(spans):
            check(database, rng, *random_span(rng, now_us(), hours * HOUR_US))

    store(connection, rng, 500, hours * HOUR_US)
    check_all(3)
    recent = 0
    for minutes in (rng.randrange(60, 700), rng.randrange(60, 700), None):
        keep_up(database, minutes)
        recent += database.value("SELECT values_recent()")
        check_all(4)
        store(connection, rng, 200, hours * HOUR_US)  # some of them late
        check_all(4)
        database.value("SELECT values_fold_late(1)")
        check_all(4)
    assert recent > 0
    assert database.value("SELECT count(DISTINCT unit) FROM rollup_value_spans") >= 5
    assert database.value("SELECT count(*) FROM rollup_values WHERE step IS NOT NULL") > 20
    for feature in (None, "temperature", None):
        starts, ends = random_span(rng, now_us(), hours * HOUR_US)
        database.rows("SELECT readings_remove('d1', %s, least(%s, %s::timestamptz + interval '5 hours'), %s)", (starts, ends, starts, feature))
        check_all(4)
        keep_up(database)
        check_all(4)
    database.rows("DELETE FROM readings WHERE temperature = 19.5")
    database.rows("SELECT rollup_rebuild(now() - interval '3 days', now())")
    check_all(4)
    keep_up(database)
    assert database.count("rollup_value_todo") == 0
    check_all(4)
    while database.value("SELECT detach_partition(now() - interval '12 hours')"):
        pass
    check_all(4)
    database.rows("SELECT drop_detached(), rollup_forget()")
    assert database.value("SELECT min(bucket) >= (SELECT kept_from FROM storage_state) FROM rollup_value_spans")
    store(connection, rng, 200, hours * HOUR_US)  # some of days that were dropped
    check_all(4)
    database.rows("SELECT device_remove('d2')")
    check_all(4)
    for table in ("rollup_values", "rollup_value_spans", "rollup_late_values", "rollup_value_todo"):
        assert database.value(f"SELECT count(*) FROM {table} WHERE device = 2") == 0, table
    connection.close()
    database.close()


def test_the_newest_minutes_of_the_fleet_have_nodes(stack, rng):
    """Before they are rolled up; as long as nothing comes to them; and then they stay."""
    database = begin(stack, 1)
    past_us = 300_000_000
    connection = database.connect()
    connection.autocommit = True

    def make():
        while database.value("SELECT values_recent()"):
            pass

    def check_all():
        for _ in range(3):
            check(database, rng, *random_span(rng, now_us(), past_us))
        check(database, rng, "-infinity", "infinity")
        assert not database.rows(WRONG_NODES)

    def left():
        return database.value(
            "SELECT count(*) FROM value_cover(0, now() - interval '6 minutes', now() - interval '15 seconds') c JOIN readings r ON c.rest @> r.recorded_at"
        )

    store(connection, rng, 700, past_us)
    check_all()
    without = left()
    make()
    check_all()
    whole = left()
    assert whole < without * 2 / 3 and database.value("SELECT count(DISTINCT unit) FROM rollup_value_spans") == 2
    for _ in range(3):
        store(connection, rng, 5, past_us - 60_000_000)
        check_all()
    stale = left()
    assert stale > whole
    make()
    assert left() < stale
    store(connection, rng, 40, past_us)
    database.value("SELECT readings_remove('d1', now() - interval '2 minutes', now() - interval '1 minute')")
    check_all()
    make()
    check_all()
    database.rows("SELECT rollup_set_late_before('0 s')")
    store(connection, rng, 20, past_us)  # late, and not rolled up
    assert database.count("rollup_late_values") > 0
    check_all()
    make()
    check_all()
    database.value("SELECT values_fold_late(1)")
    check_all()
    store(connection, rng, 5, past_us)
    made = "SELECT bucket, xmin::text FROM rollup_value_spans WHERE device = 0 AND unit = 0"
    before = set(database.rows(made))
    keep_up(database)
    assert before & set(database.rows(made)), "none was taken over"
    check_all()
    connection.close()
    database.close()


def test_at_every_moment_while_readings_come_late_and_go(stack, rng):
    hours = 30
    database = begin(stack, hours)

    def look_after(cursor, rng):
        cursor.execute("SELECT values_recent()")
        for _ in range(rng.randrange(30)):
            cursor.execute("SELECT values_pass()")
        cursor.execute("SELECT values_fold_late(%s)", (rng.choice([1, 50]),))

    with Workers(database) as workers:
        come_late_and_go(workers, rng, hours, store, look_after)
        began = time.monotonic()
        checks = 0
        while (checks < 24 or time.monotonic() < began + 5) and not workers.failures:
            assert time.monotonic() < began + patience(120)
            check(database, rng, *random_span(rng, now_us(), hours * HOUR_US))
            checks += 1
            if checks % 8 == 0:
                assert not database.rows(WRONG_NODES)
    keep_up(database)
    while database.value("SELECT values_fold_late(1)"):
        pass
    assert database.count("rollup_late_values") == 0
    assert not database.rows(WRONG_NODES)
    assert database.count("rollup_value_spans") > 100
    for _ in range(10):
        check(database, rng, *random_span(rng, now_us(), hours * HOUR_US))
    database.close()


@pytest.mark.parametrize("kind", ["few decimals", "many decimals", "any", "far apart", "huge", "tiny", "one"])
def test_a_node_has_each_value_in_its_cell(stack, rng, kind):
    """Made at once, of parts, and with some of it taken out again; few cells, none of them too wide."""
    database = migrated(stack)
    make = {
        "few decimals": lambda: rng.randrange(2000) / 100,
        "many decimals": lambda: rng.randrange(-100_000, 100_000) / 1000,
        "any": lambda: rng.gauss(1013, 4),
        "far apart": lambda: rng.choice([-9999.0, 20.25, rng.random()]),
        "huge": lambda: rng.choice([-1, 1]) * rng.random() * 9e299,
        "tiny": lambda: rng.random() * 1e-288,
        "one": lambda: 0.1 + 0.2,
    }[kind]
    found = [make() for _ in range(9000)]
    node = (
        "WITH made AS (SELECT * FROM value_node(%(plain)s, %(lows)s, %(times)s, %(step)s)) SELECT v.is_refused, v.step, c.low, c.n FROM made v"
        " LEFT JOIN LATERAL (SELECT * FROM ("
    )
    node = node.replace("SELECT * FROM value_node", "SELECT *, 1 AS device FROM value_node") + database.value("SELECT value_cells_sql('(SELECT v.*) v')") + ") c) c ON true"

    def made(plain, lows=None, times=None, step=None):
        rows = database.rows(node, {"plain": plain, "lows": lows, "times": times, "step": step})
        assert not rows[0][0]
        return rows[0][1], {low: n for _, _, low, n in rows if low is not None}

    def expected(step):
        counts = {}
        for value in found:
            low = value if step is None else float(math.floor(Fraction(value) / Fraction(step)) * Fraction(step))
            counts[low] = counts.get(low, 0) + 1
        return counts

    step, cells = made(found)
    assert cells == expected(step) and len(cells) <= 4096
    assert (step is None) == (kind in ("few decimals", "one"))
    assert step is None or (math.frexp(step)[0] == 0.5 and Fraction(step) * CELLS <= Fraction(max(found)) - Fraction(min(found)))
    parts = [made(found[:3000]), made(found[3000:9000])]
    gone = found[:500]
    lows = [low for _, part in parts for low in part] + gone
    times = [n for _, part in parts for n in part.values()] + [-1] * len(gone)
    steps = [part_step for part_step, _ in parts if part_step is not None]
    found = found[500:]
    step, cells = made(None, lows, times, max(steps, default=None))
    assert cells == expected(step)


def test_what_no_cell_can_tell_is_read(stack):
    """Beyond 1e300 there is no node, and what is not a number by hand makes none either."""
    database = migrated(stack)
    for values in ([1e301, 1.0], [float("nan"), 1.0], [-1.7e308, 1.7e308], [float("inf"), 0.0], [5e-324, 1e-300]):
        assert database.value("SELECT is_refused FROM value_node(%s, NULL, NULL, NULL)", (values,)), values
    assert database.rows("SELECT is_refused, base FROM value_node(NULL, NULL, NULL, NULL)") == [(None, None)]
    assert database.rows("SELECT is_refused, base, cells FROM value_node(ARRAY[5e-324]::float8[], NULL, NULL, NULL)") == [(False, 5e-324, None)]


def test_of_a_long_span_next_to_no_reading_is_looked_at(stack, rng):
    """As nodes really are: what they leave of a span is bounded, however long it is."""
    database = migrated(stack)
    database.rows("INSERT INTO devices (device_id) VALUES ('d1')")
    database.rows("SELECT * FROM make_partitions(now() - interval '48 hours', now())")
    database.rows("UPDATE storage_state SET rolled_until = date_bin('1 day', now(), 'epoch') - interval '1 day', late_before = date_bin('1 day', now(), 'epoch') - interval '1 day'")
    database.rows("UPDATE rollup_value_passes p SET until = date_bin(u.length, s.rolled_until, 'epoch') FROM value_units() u, storage_state s WHERE u.unit = p.unit")
    database.rows(
        f"INSERT INTO readings ({COLUMNS}) SELECT 1, i, date_bin('1 day', now(), 'epoch') - interval '1 day' + i * interval '3 seconds', now(), 1, round(i), i / 7.0"
        " FROM generate_series(0, 28000) i"
    )
    keep_up(database)
    rolled = database.value("SELECT rolled_until FROM storage_state")
    for device in (0, 1):
        left = database.value(
            "SELECT count(*) FROM storage_state s, value_cover(%s, date_bin('1 day', now(), 'epoch') - interval '1 day', s.rolled_until) c"
            " JOIN readings r ON c.rest @> r.recorded_at WHERE r.recorded_at < s.rolled_until", (device,)
        )
        assert left < 6 * 4096 and database.count() == 28001, (device, left)
    plan = "\n".join(row[0] for row in database.rows("EXPLAIN SELECT FROM rollup_value_spans s WHERE device = 1 AND unit = 5 AND bucket >= now() AND bucket < now()"))
    assert "Index" in plan


def test_a_node_may_begin_before_the_first_reading(stack):
    """Of 96 hours, say: it is taken, so that hours say the same whether they are packed, in two days at a time, or not."""
    database = begin(stack, 24 * 12)
    node = database.value("SELECT date_bin('96 hours', now(), 'epoch') - interval '96 hours'")
    database.rows(
        f"INSERT INTO readings ({COLUMNS}) SELECT 1, i, %s + interval '25 hours' + i * interval '10 minutes', now(), 1, i / 7.0, NULL"
        " FROM generate_series(0, 399) i", (node,)
    )
    keep_up(database)
    steps = dict(database.rows("SELECT unit, max(step) FROM rollup_values WHERE device = 1 GROUP BY 1"))
    assert steps[6] > steps[5]
    question = {"device": "d1", "bins": 7, "quantiles": QUANTILES, "from": "-infinity", "to": "infinity"}
    said = ask(database, "temperature", **question)
    assert max(high - low for _, low, high in said[1]) == steps[6] and len(said[2]) == 400
    assert database.value("SELECT hours_step('1 day')") > 0
    assert ask(database, "temperature", **question) == said


def test_quantiles_over_http(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", now_us() - i * 1_000_000, temperature=i / 4) for i in range(101)])
    for path in ("/distribution", "/devices/d/distribution"):
        found = api.json(f"{path}?feature=temperature&bins=5&quantiles=0.99,0.5,0,1,0.000001")
        assert [(q["quantile"], q["value"], q["error"]) for q in found["quantiles"]] == [
            (0, 0, 0), (0.000001, 0, 0), (0.5, 12.5, 0), (0.99, 24.75, 0), (1, 25, 0),
        ]
        assert found["count"] == 101 and len(found["counts"]) == 5
        assert api.json(f"{path}?feature=temperature&quantiles=0.5&to=1999-01-01T00:00:00Z")["quantiles"] == []
        for wrong in ("", "0.5,,1", "-0", "1.1", "0.5%00", "0x1", "9" * 300, "0.5" + ",0.5" * 16):
            refused = api.get(f"{path}?feature=temperature&quantiles={wrong}")
            assert refused.status == 400 and refused.json()["parameter"] == "quantiles", wrong
