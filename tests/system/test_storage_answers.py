"""Histograms, summaries, pages and plots of any span are what brute force says, over rollups, late readings and drops."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import pytest
from http_tools import Api, insert
from oracle import now_us, reading, to_text, to_us
from psycopg2.extras import execute_values
from storage import DAY_US, HOUR_US, migrated

MINUTE_US = 60_000_000
SLOT_US = 10_000_000
DEVICES = 4
EVER = 1 << 62  # no bound


@dataclass
class Row:
    device: int
    at: int
    status: int | None
    value: float | None
    is_in_default: bool  # so it outlives the partitions of its time
    is_kept: bool = True


class History:
    """A database, and all that was ever stored in it."""

    def __init__(self, database, rng, days):
        self.database = database
        self.rng = rng
        self.now = now_us()
        self.first = self.now - days * DAY_US
        self.rows = []
        database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, %s) i", (DEVICES,))
        database.rows("SELECT * FROM make_partitions(%s, now())", (to_text(self.first),))
        self._set_rolled(self.first)
        self.read_state()

    def _set_rolled(self, at):
        at -= at % MINUTE_US
        self.database.rows("UPDATE storage_state SET rolled_until = %(at)s, late_before = %(at)s", {"at": to_text(at)})

    def read_state(self):
        state = self.database.rows("SELECT rolled_until, kept_from::text, late_before FROM storage_state")[0]
        self.rolled, self.late_before = to_us(state[0]), to_us(state[2])
        self.kept = -EVER if state[1] == "-infinity" else to_us(state[1].replace(" ", "T") + ":00")

    def borders(self):
        found = [self.rolled, self.late_before, self.now, self.first]
        return found + [self.kept] if self.kept > -EVER else found

    def store(self, count, since, until):
        rows = []
        for _ in range(count):
            at = self.rng.randrange(since, until)
            kind = self.rng.randrange(8)
            if kind < 4:  # on a border, or just before one
                at -= at % (DAY_US, HOUR_US, MINUTE_US, SLOT_US)[kind] + self.rng.randrange(2)
            if at >= until or at < since:
                continue
            value = None if self.rng.random() < 0.2 else self.rng.choice([self.rng.gauss(0, 10), self.rng.randrange(5)])
            rows.append(Row(self.rng.randrange(1, DEVICES + 1), at, self.rng.choice([None, 1, 2, 3, 4]), value, at < self.kept))
        connection = self.database.connect()
        with connection, connection.cursor() as cursor:
            execute_values(
                cursor,
                "INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature) VALUES %s",
                [(r.device, len(self.rows) + i, to_text(r.at), r.status, r.value) for i, r in enumerate(rows)],
                "(%s, %s, %s, now(), %s, %s)",
            )
        connection.close()
        self.rows += rows

    def roll(self, until):
        self.database.rows("UPDATE storage_state SET late_before = greatest(late_before, %s)", (to_text(until - until % MINUTE_US),))
        while self.database.value("SELECT rollup_until(%s) < date_bin('1 minute', %s, 'epoch')", (to_text(until),) * 2):
            pass

    def fold(self, most):
        self.database.rows("SELECT rollup_fold_late(%(most)s), rollup_fold_fleet(%(most)s)", {"most": most})

    def drop(self, before):
        while self.database.value("SELECT detach_partition(%s)", (to_text(before),)):
            pass
        self.database.rows("SELECT drop_detached(), rollup_forget()")
        self.read_state()
        for row in self.rows:
            row.is_kept = row.is_kept and (row.is_in_default or row.at >= self.kept)

    # --- What must be said

    def of(self, device):
        return [r for r in self.rows if device in (0, r.device)]

    def told(self, device, starts, ends):
        """Readings of [starts, ends) that sums can tell: where partitions were dropped, those of whole hours, of
        hours without a reading outside, and what came since."""
        mine = self.of(device)
        cut = {at // HOUR_US for at in (starts, ends) if at < self.kept and abs(at) < EVER and at % HOUR_US}
        cut = {h for h in cut if any(r.at // HOUR_US == h and not starts <= r.at < ends for r in mine)}
        return [r for r in mine if starts <= r.at < ends and (r.at // HOUR_US not in cut or r.is_kept)]

    def kept_rows(self, device, starts, ends):
        return [r for r in self.of(device) if starts <= r.at < ends and r.is_kept]

    def random_bound(self, otherwise):
        rng = self.rng
        kind = rng.randrange(10)
        if kind == 0:
            return otherwise
        if kind == 1:
            at = rng.choice(self.borders())
        elif kind == 2:
            at = rng.choice(self.rows).at
        else:
            at = rng.randrange(self.first - DAY_US, self.now + DAY_US)
            unit = (DAY_US, HOUR_US, HOUR_US // 2, MINUTE_US, SLOT_US, 1, 1)[kind - 3]
            at -= at % unit
        return at + rng.choice([0, 0, 0, 1, -1])

    def random_span(self):
        starts = self.random_bound(-EVER)
        if self.rng.random() < 0.4 and abs(starts) < EVER:  # short ones
            return starts, starts + self.rng.choice([0, 1, SLOT_US, MINUTE_US, HOUR_US, 2 * HOUR_US, DAY_US, self.rng.randrange(3 * HOUR_US)])
        return starts, self.random_bound(EVER)

    # --- What is said

    def check(self, spans):
        connection = self.database.connect()
        connection.autocommit = True
        with connection.cursor() as cursor:
            for _ in range(spans):
                starts, ends = self.random_span()
                words = {"from": word(starts), "to": word(ends)}
                self._check_statuses(cursor, starts, ends, words)
                self._check_summaries(cursor, starts, ends, words)
                device = self.rng.randrange(1, DEVICES + 1)
                self._check_pages(cursor, device, starts, ends, words)
                self._check_values(cursor, self.rng.choice([0, device]), starts, ends, words)
                self._check_points(cursor, device, starts, ends, words)
        connection.close()

    def _check_statuses(self, cursor, starts, ends, words):
        cursor.execute(
            "SELECT id, c.status, c.readings FROM generate_series(0, %(n)s) id, status_counts(id, %(from)s, %(to)s) c",
            {**words, "n": DEVICES},
        )
        for device, status, count in cursor.fetchall():
            assert count == sum(r.status == status for r in self.told(device, starts, ends)), (device, status, words)

    def _check_summaries(self, cursor, starts, ends, words):
        cursor.execute(
            "SELECT id, s.* FROM generate_series(0, %(n)s) id, feature_summary(id, 'temperature', %(from)s, %(to)s) s",
            {**words, "n": DEVICES},
        )
        for device, count, mean, lowest, highest in cursor.fetchall():
            values = [r.value for r in self.told(device, starts, ends) if r.value is not None]
            assert (count, lowest, highest) == (len(values), min(values, default=None), max(values, default=None)), (device, words)
            assert mean == (pytest.approx(math.fsum(values) / len(values), abs=1e-9) if values else None)

    def _check_pages(self, cursor, device, starts, ends, words):
        newest_first = self.rng.random() < 0.5
        most = self.rng.choice([1, 3, 50, 100000])
        expected = sorted((r.at for r in self.kept_rows(device, starts, ends)), reverse=newest_first)
        found, after = [], (None, None)
        while True:
            cursor.execute(
                "SELECT recorded_at, content_hash FROM device_page(%s, %s, %s, %s, %s, %s, %s)",
                (device, words["from"], words["to"], newest_first, most, *after),
            )
            page = cursor.fetchall()
            found += [to_us(at) for at, _ in page]
            if len(page) < most or len(found) > 200:
                break
            after = page[-1]
        assert found == expected[: len(found)] and (len(found) > 200 or len(found) == len(expected)), (device, words)

    def _check_values(self, cursor, device, starts, ends, words):
        bins = self.rng.choice([1, 2, 7, 100])
        cursor.execute(
            "SELECT bin, low, high, readings FROM value_histogram(%(d)s, 'temperature', %(bins)s, %(from)s, %(to)s)",
            {**words, "d": f"d{device}" if device else None, "bins": bins},
        )
        values = [r.value for r in self.kept_rows(device, starts, ends) if r.value is not None]
        check_bins(cursor.fetchall(), values, bins)

    def _check_points(self, cursor, device, starts, ends, words):
        most = self.rng.choice([1, 2, 3, 24, 200, 5000])
        if self.rng.random() < 0.3 and starts > -EVER:  # steps of whole hours, wherever they begin
            ends = starts + most * self.rng.choice([1, 2, 7]) * HOUR_US
            words = {"from": word(starts), "to": word(ends)}
        cursor.execute(
            "SELECT first_at, last_at, step_ms, at, readings, lowest[1], highest[1], mean[1]"
            " FROM device_points(%(d)s, %(from)s, %(to)s, %(most)s, ARRAY['temperature'])",
            {**words, "d": device, "most": most},
        )
        rows = cursor.fetchall()
        # within an hour of dropped partitions there is nothing
        expected = self.told(device, starts, ends)
        if rows[0][3] is None:
            assert len(rows) == 1 and not expected, (words, most)
            return
        step = round(rows[0][2] * 1000)
        low = to_us(rows[0][0])
        assert len(rows) <= most and len({to_us(r[3]) % step for r in rows}) == 1
        assert to_us(rows[0][3]) > low - HOUR_US and all(to_us(r[3]) + step > low for r in rows)
        for _, _, _, at, count, lowest, highest, mean in rows:
            inside = [r for r in expected if to_us(at) <= r.at < to_us(at) + step]
            values = [r.value for r in inside if r.value is not None]
            assert count == len(inside) > 0, (device, words, most, at)
            assert (lowest, highest) == (min(values, default=None), max(values, default=None))
            assert mean == (pytest.approx(math.fsum(values) / len(values), abs=1e-9) if values else None)
        assert sum(r[4] for r in rows) == len(expected), (device, words, most)


def word(us):
    return "-infinity" if us <= -EVER else "infinity" if us >= EVER else to_text(us)


def check_bins(rows, values, bins):
    """Rising edges from the lowest value to the highest, and each value in one bin."""
    if not values:
        assert rows == []
        return
    edges = [row[1] for row in rows] + [rows[-1][2]]
    assert [row[0] for row in rows] == list(range(len(rows))) and len(rows) <= bins
    assert [row[2] for row in rows[:-1]] == edges[1:-1]
    assert (edges[0], edges[-1]) == (min(values), max(values))
    assert all(a < b for a, b in zip(edges, edges[1:])) or edges == [values[0]] * 2
    for number, low, high, count in rows:
        assert count == sum(low <= v < high or (number == len(rows) - 1 and v == high) for v in values)


def test_any_span_is_what_brute_force_says(stack, rng):
    history = History(migrated(stack), rng, days=8)
    history.store(1500, history.first, history.now)
    for until in sorted(rng.randrange(history.first, history.now) for _ in range(3)):
        history.check(12)
        history.roll(until)
        history.read_state()
        history.store(100, history.first, history.now)  # some of them late
        history.check(12)
        history.fold(rng.choice([30, 100000]))
    history.roll(history.now)
    history.drop(history.now - 5 * DAY_US)
    assert history.kept > history.first
    history.check(40)
    history.store(200, history.first, history.now)  # some of days that were dropped
    history.check(40)
    history.fold(100000)
    history.database.rows("SELECT rollup_forget()")
    history.check(40)
    history.drop(history.now + DAY_US)  # all but today's
    history.check(20)


# --- Plots ---------------------------------------------------------------------------------------


def quarters(database, start, hours):
    """Every 15 minutes."""
    insert(database, [reading("d", start + i * HOUR_US // 4, temperature=float(i)) for i in range(4 * hours)])


@pytest.mark.parametrize("hours", [1, 2, 24])
@pytest.mark.parametrize("minutes", [0, 30, 15])
def test_steps_of_whole_hours_begin_where_they_are_asked_for(stack, hours, minutes):
    """Such as the days of a zone that is half an hour off; partly rolled up, with a late one."""
    api = Api(stack)
    start = now_us() // DAY_US * DAY_US - 6 * DAY_US + minutes * MINUTE_US
    count = 5 * hours
    stack.database.rows("UPDATE storage_state SET rolled_until = %(at)s, late_before = %(at)s", {"at": to_text(start - start % HOUR_US - HOUR_US)})
    quarters(stack.database, start - 2 * HOUR_US, count + 4)
    middle = start + 3 * hours * HOUR_US + 20 * MINUTE_US
    stack.database.rows("UPDATE storage_state SET late_before = %s", (to_text(middle),))
    while stack.database.value("SELECT rollup_until(%s) < %s", (to_text(middle),) * 2):
        pass
    insert(stack.database, [reading("d", start + HOUR_US * hours + 7 * MINUTE_US, temperature=1e6)])
    path = f"/devices/d/points?points=5&from={to_text(start)}&to={to_text(start + count * HOUR_US)}"
    plot = api.json(path)
    assert plot["stepMs"] == hours * 3600 * 1000
    assert [to_us(p["timestamp"]) for p in plot["points"]] == [start + i * hours * HOUR_US for i in range(5)]
    assert [p["count"] for p in plot["points"]] == [4 * hours, 4 * hours + 1, 4 * hours, 4 * hours, 4 * hours]
    assert plot["points"][1]["temperature"]["max"] == 1e6
    # a microsecond less is still a step of an hour, of which the last is short
    short = api.json(f"/devices/d/points?points=5&from={to_text(start)}&to={to_text(start + count * HOUR_US - 4)}")
    assert [p["count"] for p in short["points"]] == [p["count"] for p in plot["points"]]


def test_a_plot_of_everything_has_every_hour_of_dropped_partitions(stack, rng):
    """However many steps are asked for: what is left of those days are hours."""
    history = History(migrated(stack), rng, days=6)
    at = history.first - history.first % HOUR_US + 25 * MINUTE_US
    quarters(stack.database, at, 24)
    history.roll(history.now)
    history.fold(100000)
    history.drop(history.now - 2 * DAY_US)
    assert stack.database.count() == 0
    api = Api(stack)
    for points in (1, 5, 24, 25, 500, 10000):
        plot = api.json(f"/devices/d/points?points={points}")
        assert sum(p["count"] for p in plot["points"]) == 96 and len(plot["points"]) <= points
        assert points < 25 or len(plot["points"]) == 25
        assert (plot["points"][0]["temperature"]["min"], plot["points"][-1]["temperature"]["max"]) == (0.0, 95.0)
        assert plot["stepMs"] % 3_600_000 == 0


# --- Histograms of values ------------------------------------------------------------------------

SMALLEST = 5e-324
LARGEST = 1.7976931348623157e308


def neighbours(start, count):
    found = [start]
    while len(found) < count:
        found.append(math.nextafter(found[-1], math.inf))
    return found


ODD_VALUES = [
    neighbours(1.0, 2),
    neighbours(0.1, 5),
    neighbours(1.0 - 2**-52, 12),
    neighbours(-LARGEST, 4),
    [SMALLEST, 2 * SMALLEST],
    [0.0, SMALLEST],
    [-SMALLEST, SMALLEST],
    [-3 * SMALLEST, 5 * SMALLEST, 0.0],
    [1e-310, 2.2250738585072014e-308, 3e-300],
    [SMALLEST, LARGEST],
    [-0.0, 0.0],
    [-0.0, 1.0],
    [1.7e308],
    [1.7e308, 1.75e308],
    [-1.7e308, 1.7e308, 0.0, 1.0],
    [-LARGEST, LARGEST],
    [0.1, 0.2, 0.3, 0.1 + 0.2],
    [1e17, 1e17 + 16, 1e17 + 32],
]


def test_edges_of_any_doubles_rise_and_each_reading_is_in_one_bin(stack, rng):
    database = migrated(stack)
    cases = ODD_VALUES + [
        [struct.unpack(">d", rng.randbytes(8))[0] for _ in range(5)] for _ in range(40)  # any bits at all
    ]
    cases = [[v for v in values if math.isfinite(v)] or [1.0] for values in cases]
    insert(database, [reading(f"{i}", now_us() - j, temperature=v) for i, values in enumerate(cases) for j, v in enumerate(values)])
    connection = database.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("SET extra_float_digits = -15")  # as a session may have it
        for i, values in enumerate(cases):
            for bins in (1, 2, 3, 20, 1000):
                cursor.execute(
                    "SELECT bin, float8send(low), float8send(high), readings FROM value_histogram(%s, 'temperature', %s)",
                    (str(i), bins),
                )
                check_bins(
                    [(n, *struct.unpack(">dd", bytes(low) + bytes(high)), count) for n, low, high, count in cursor.fetchall()],
                    values,
                    bins,
                )
        cursor.execute("SELECT count(*) FROM value_histogram('nobody', 'temperature', 5)")
        assert cursor.fetchone() == (0,)
    connection.close()


# --- Clients ------------------------------------------------------------------------------------


def test_the_style_of_dates_of_a_session_changes_nothing(stack):
    """In India `IST` is half past five ahead of UTC; read back by a PostgreSQL that does not ask where, two hours."""
    database = migrated(stack)
    at = now_us() // HOUR_US * HOUR_US - 50 * HOUR_US + 40 * MINUTE_US
    quarters(database, at, 40)
    span = {"from": to_text(at + HOUR_US), "to": to_text(at + 11 * HOUR_US)}
    calls = (
        "SELECT sum(readings) FROM status_counts(1, %(from)s, %(to)s)",
        "SELECT sum(readings) FROM status_counts(0, %(from)s, %(to)s)",
        "SELECT readings FROM feature_summary(1, 'temperature', %(from)s, %(to)s)",
        "SELECT sum(readings) FROM value_histogram('d', 'temperature', 5, %(from)s, %(to)s)",
        "SELECT count(*) FROM device_page(1, %(from)s, %(to)s, true, 1000)",
        "SELECT count(*) FROM device_page(1, %(from)s, %(to)s, false, 1000, %(from)s, 0)",
        "SELECT sum(readings) FROM device_points(1, %(from)s, %(to)s, 10, ARRAY['temperature'])",
        "SELECT sum(readings) FROM device_points(1, %(from)s, %(to)s, 7, ARRAY['temperature'])",
    )
    for style in ("ISO", "SQL, DMY", "German", "Postgres, MDY"):
        connection = database.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("SET TimeZone = 'Asia/Kolkata'; SET IntervalStyle = 'iso_8601'; SET DateStyle = %s", (style,))
            for call in calls:
                cursor.execute(call, span)
                assert cursor.fetchone() == (40,), (style, call)
        connection.close()
