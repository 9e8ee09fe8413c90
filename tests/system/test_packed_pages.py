"""Pages, removals and starts over packed days: each is held against the same rows in a database in which none is."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from oracle import Database, to_text
from packed_days import COLUMNS, DEVICES, FEATURES, filled, hours_sql, midnight, pack, pack_halfway, put, some_rows, twin
from servers import until
from storage import DAY_US, HOUR_US, keep_up

DAYS = 3
TOLD = "recorded_at, content_hash, received_at, status, seq, temperature, pressure"
NUMBERS = range(1, len(DEVICES) + 1)


@pytest.fixture(scope="module")
def days(_postgres, area) -> Iterator[Database]:
    """Made once."""
    with filled(_postgres, area, "pages", DAYS) as database:
        yield database


@pytest.fixture
def twins(days) -> Iterator[tuple[Database, Database]]:
    with contextlib.ExitStack() as opened:
        yield opened.enter_context(twin(days)), opened.enter_context(twin(days))
        while _sessions:
            _sessions.popitem()[1].close()


_sessions: dict[str, Any] = {}


def asked(database: Database, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
    """In one session for all, which has its functions ready."""
    if database.name not in _sessions:
        _sessions[database.name] = database.connect()
        _sessions[database.name].autocommit = True
    with _sessions[database.name].cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def page(database: Database, device: int, newest_first: bool, most: int, after: Any = (None, None), span: Any = ("-infinity", "infinity")) -> list[Any]:
    return asked(database, f"SELECT {TOLD} FROM device_page(%s, %s, %s, %s, %s, %s, %s)", (device, *span, newest_first, most, *after))


def known(rows: list[Any]) -> list[Any]:
    """What a packed reading still says of its hash: the upper 16 bits."""
    return [(at, content_hash >> 48, *rest) for at, content_hash, *rest in rows]


def late_rows(rng: Any, count: int = 150) -> list[tuple[Any, ...]]:
    return some_rows(rng, count, midnight(DAYS), midnight(1))


# --- Pages ---------------------------------------------------------------------------------------


def test_a_cursor_that_was_handed_out_before_the_turn_goes_on_after_it(twins, rng):
    plain, other = twins
    wanted = {}
    for device in NUMBERS:
        for newest_first in (False, True):
            rows = page(plain, device, newest_first, 1_000_000)
            places = range(0, len(rows) - 1, 3) if DEVICES[device - 1] == "doubled" else sorted(rng.sample(range(len(rows)), min(10, len(rows))))
            wanted.update({(device, newest_first, rows[place][:2]): known(rows[place + 1 : place + 4]) for place in places})
    assert len(wanted) > 200
    pack_halfway(other)
    for form in ("half packed", "packed"):
        for (device, newest_first, cursor), rows in wanted.items():
            found = known(page(other, device, newest_first, 3, cursor))
            assert found == rows, f"{form}: {DEVICES[device - 1]} {'before' if newest_first else 'after'} {cursor}"
        pack(other)
    forms = other.rows("SELECT count((content_hash).small), count((content_hash).large) FROM reading_chunks")
    assert min(forms[0]) > 0, "hashes that were cut, and whole ones"


@pytest.mark.parametrize("size", [1, 999, 2001])
def test_pages_follow_each_other(twins, rng, size):
    plain, other = twins
    rows = late_rows(rng)
    pack(other)
    put(twins, rows)
    for device in NUMBERS if size > 1 else [DEVICES.index("hourly") + 1]:
        for newest_first in (False, True):
            walked: list[Any] = []
            cursor: Any = (None, None)
            while rows := page(other, device, newest_first, size, cursor):
                walked += rows
                cursor = rows[-1][:2]
            assert known(walked) == known(page(plain, device, newest_first, 1_000_000)), DEVICES[device - 1]


def test_a_page_of_any_span(twins, rng):
    plain, other = twins
    pack(other)
    for device in (DEVICES.index(name) + 1 for name in ("busy", "jitter", "hourly", "doubled")):
        times = [row[0] for row in page(plain, device, False, 1_000_000)]
        for _ in range(30):
            first = rng.randrange(len(times) - 1)
            span = (times[first], times[min(first + rng.choice([1, 2, 10, 5000]), len(times) - 1)])
            for newest_first in (False, True):
                most = rng.choice([1, 5, 3000])
                assert known(page(other, device, newest_first, most, span=span)) == known(page(plain, device, newest_first, most, span=span)), span


def test_what_is_not_asked_for_is_not_told(twins):
    other = twins[1]
    pack(other)
    rows = other.rows(f"SELECT {TOLD} FROM device_page(1, '-infinity', 'infinity', false, 5, wanted => ARRAY['status', 'pressure'])")
    assert len(rows) == 5
    for _at, _hash, received_at, _status, seq, temperature, pressure in rows:
        assert (received_at, seq, temperature) == (None, None, None) and pressure is not None


FIELDS = ("scale", "base", "step", "small", "wide", "large", "exact")


def unpacked(count: int, fields: tuple[Any, ...]) -> list[Any]:
    scale, base, step, small, wide, large, exact = fields
    if exact is not None:
        return list(exact)
    residuals = next((some for some in (small, wide, large) if some is not None), None if base is None else [0] * count)
    if residuals is None:
        return [None] * count
    assert len(residuals) == count
    return [None if rest is None else (base + i * step + rest) / 10 ** (scale or 0) for i, rest in enumerate(residuals, 1)]


def runs(database: Database, device: int, newest_first: bool, most: int, span: Any) -> tuple[list[Any], int]:
    """What device_runs() tells, page by page: time, status, temperature. And how many of its runs are chunks."""
    told: list[Any] = []
    chunks = 0
    place: tuple[Any, ...] = (None, None)
    columns = ", ".join(f"({of}).{field}" for of in ("recorded_at", "status", "features[1]") for field in FIELDS)
    while True:
        rows = asked(
            database, f"SELECT next_at, next_hash, readings, first_at, moments, {columns} FROM device_runs(%s, %s, %s, %s, %s, %s, %s, ARRAY['temperature'])",
            (device, *span, newest_first, most, *place))
        for next_at, next_hash, count, first_at, moments, *rest in rows:
            place = (next_at, next_hash)
            if moments is None:
                chunks += 1
                steps = unpacked(count, (0, *rest[1:7]))
                times = [first_at + timedelta(microseconds=int(number) * 10 ** rest[0]) for number in steps]
            else:
                times = moments
            statuses = [None if status is None else int(status) for status in unpacked(count, tuple(rest[7:14]))]
            run = list(zip(times, statuses, unpacked(count, tuple(rest[14:21])), strict=True))
            told += run[::-1] if newest_first and moments is None else run
        if sum(row[2] for row in rows) < most:
            return [row for row in told if span[0] <= row[0] < span[1]], chunks


def test_runs_tell_what_pages_tell(twins, rng):
    """Chunks as they are where nothing lies between their readings, rows elsewhere; none left out and none twice, from both ends."""
    plain, other = twins
    everything = plain.rows("SELECT timestamptz '2000-01-01Z', timestamptz '2100-01-01Z'")[0]
    rows = late_rows(rng, 12)
    pack(other)
    chunks = dict(other.rows("SELECT device, count(*) FROM reading_chunks GROUP BY 1"))
    for form in ("packed", "with late ones", "merged"):
        for device in NUMBERS:
            expected = [(row[0], row[3], row[5]) for row in page(plain, device, False, 1_000_000)]
            if device not in chunks and not expected:
                continue
            times = [row[0] for row in expected]
            spans = [everything, *(sorted((rng.choice(times), rng.choice(times))) for _ in range(3))]
            for span in spans:
                for newest_first in (False, True):
                    wanted = [row for row in expected if span[0] <= row[0] < span[1]]
                    found, whole = runs(other, device, newest_first, rng.choice([700, 5000, 100_000]), span)
                    assert list(map(repr, found)) == list(map(repr, wanted[::-1] if newest_first else wanted)), (form, DEVICES[device - 1], span)
                    if span is everything and form == "packed":
                        assert whole == chunks.get(device, 0)
        if form == "packed":
            put(twins, rows)
        elif form == "with late ones":
            pack(other)


def test_a_reading_of_the_same_moment_and_16_bits_is_left_out_by_no_cursor(twins):
    """It came late, and differs in its status: so it is another one, and no cursor that names it means the packed one."""
    plain, other = twins
    pack(other)
    device = DEVICES.index("hourly") + 1
    rows = page(other, device, False, 10)
    before, packed, after = rows[4:7]
    at, kept, _received_at, status, *rest = packed
    whole = {row[0]: row[1] for row in page(plain, device, False, 10)}[at]
    assert kept & (2**48 - 1) == 0 and kept >> 48 == whole >> 48 and kept != whole
    late = kept + 5
    other.rows(f"INSERT INTO readings ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, NULL, 7.25, NULL)", (device, late, at, at, 3 if status != 3 else 4))
    for form in ("in readings", "merged"):
        assert [row[:2] for row in page(other, device, True, 2, (at, late))] == [(at, kept), before[:2]], form
        assert [row[:2] for row in page(other, device, True, 2, after[:2])] == [(at, late), (at, kept)], form
        assert [row[:2] for row in page(other, device, False, 2, (at, kept))] == [(at, late), after[:2]], form
        # the cursor of before the turn
        assert [row[:2] for row in page(other, device, True, 2, (at, whole))] == ([(at, late), before[:2]] if late < whole else [before[:2]]), form
        pack(other)


# --- Removals ------------------------------------------------------------------------------------

SUMS = ("rollup_hours", "rollup_days", "rollup_totals", "rollup_open", "rollup_fleet")


def left(database: Database) -> dict[str, list[dict[str, Any]]]:
    """All that is known of readings."""
    found = {table: f"SELECT * FROM {table}" for table in SUMS}
    found["rollup_hours"] = hours_sql(database)
    found["readings"] = "SELECT * FROM device_readings"
    found["peaks"] = f"SELECT device, feature, sort_order, recorded_at, content_hash >> 48 AS hash, value, status, {', '.join(FEATURES)} FROM peaks"
    found["values"] = "SELECT device, unit, bucket, readings FROM rollup_value_spans"
    said = {}
    for name, query in found.items():
        rows = [row[0] for row in database.rows(f"SELECT row_to_json(r) FROM ({query}) r")]
        said[name] = sorted(rows, key=lambda row: sorted((key, str(value)) for key, value in row.items() if not key.endswith("_sum")))
    return said


def assert_alike(plain: Database, other: Database) -> None:
    """Sums of doubles are added up in another order."""
    ours, theirs = left(plain), left(other)
    for name, rows in ours.items():
        assert len(rows) == len(theirs[name]), name
        for one, another in zip(rows, theirs[name]):
            for key, value in one.items():
                if key.endswith("_sum"):
                    scale = one[key.replace("_sum", "_count")] * max(abs(one[key.replace("_sum", m)] or 0) for m in ("_min", "_max"))
                    assert math.isclose(value, another[key], rel_tol=1e-12, abs_tol=1e-12 * scale), (name, one, another)
                else:
                    assert value == another[key], (name, one, another)


def assert_counted(database: Database) -> None:
    counted = "SELECT coalesce(sum(c.readings), 0) FROM reading_chunks c WHERE c.first_at >= d.starts_at AND c.first_at < d.ends_at"
    assert database.rows(f"SELECT d.partition FROM packed_days d WHERE d.is_packed AND d.readings <> ({counted})") == []


@pytest.mark.parametrize("form", ["packed", "half packed", "late into packed"])
def test_a_removal_leaves_what_it_leaves_of_plain_rows(twins, rng, form):
    plain, other = twins
    if form == "half packed":
        pack_halfway(other)
    else:
        pack(other)
    if form == "late into packed":
        put(twins, late_rows(rng))
        for database in twins:
            keep_up(database)
    removed = 0
    for name in DEVICES[:7]:
        starts = midnight(DAYS) + rng.randrange(2 * DAY_US)
        ends = starts + rng.choice([HOUR_US, 7 * HOUR_US, DAY_US])
        for feature in (rng.choice(FEATURES), None):
            arguments = (name, to_text(starts), to_text(ends), feature)
            counts = [database.value("SELECT readings_remove(%s, %s, %s, %s)", arguments) for database in twins]
            assert counts[0] == counts[1], arguments
            removed += counts[0]
            starts += HOUR_US // 2
    assert removed > 50
    assert_alike(plain, other)
    assert_counted(other)
    pack(other)
    for database in twins:
        keep_up(database)
    assert_alike(plain, other)
    assert_counted(other)


def test_of_a_device_that_is_removed_no_chunk_stays(twins, rng):
    plain, other = twins
    pack(other)
    put(twins, late_rows(rng))
    of_busy = "SELECT count(*) FROM reading_chunks WHERE device = 1"
    assert other.value(of_busy) > 0
    counts = [database.value("SELECT device_remove('busy')") for database in twins]
    assert counts[0] == counts[1] > 20_000
    assert other.value(of_busy) == 0
    assert_alike(plain, other)
    assert_counted(other)


def test_a_value_that_was_taken_out_is_in_no_peak_of_another(twins):
    """The peak names a whole hash, its reading a part of one."""
    plain, other = twins
    pack(other)
    packed = "SELECT device, recorded_at FROM peaks WHERE device IN (1, 2, 6) AND feature = 'pressure' AND temperature IS NOT NULL AND recorded_at < %s LIMIT 1"
    device, at = plain.rows(packed, (to_text(midnight(1)),))[0]
    for database in twins:
        arguments = (DEVICES[device - 1], at, at)
        assert database.value("SELECT readings_remove(%s, %s, %s + interval '1 microsecond', 'temperature')", arguments) == 1
        of_it = "SELECT temperature IS NULL, pressure IS NULL FROM peaks WHERE device = %s AND recorded_at = %s AND feature = 'pressure'"
        assert database.rows(of_it, (device, at)) == [(True, False)]
    assert_alike(plain, other)


# --- Starts of a collector -----------------------------------------------------------------------


def test_windows_longer_than_what_is_not_packed_are_loaded_from_chunks(stack, twins, rng):
    plain, other = twins
    pack(other)
    put(twins, late_rows(rng))
    topics = [f"boards/{feature}/past_days" for feature in FEATURES]
    listener = stack.listen("collectors/+/boards/+/past_days", "collectors/+/status")
    for name, database in zip(("plain", "packed"), twins):
        stack.program(
            "collector", log_name=name, collector_id=name, database_url=database.url, intervals=f"past_days={24 * DAYS}h,all_time",
            num_top_devices=8, pack_after="0", metrics_listen="-",
        ).start()  # fmt: skip

    def boards(name: str) -> Any:
        state = listener.latest(f"collectors/{name}/status")
        said = [listener.latest(f"collectors/{name}/{topic}") for topic in topics]
        return None if state is None or state.json()["state"] != "live" or None in said else [board.json()["readings"] for board in said]

    until(lambda: (ours := boards("plain")) is not None and ours == boards("packed"), 60, "the same boards")
    assert all(len(board) >= 5 for board in boards("packed"))


@pytest.mark.parametrize("mark", ["none", "in a packed day"])
def test_numbers_are_taken_from_chunks(stack, twins, rng, mark):
    for database in twins:
        database.rows("DELETE FROM device_sequences")
        database.rows("DELETE FROM sequence_marks")
        if mark != "none":
            database.rows("INSERT INTO sequence_marks VALUES ('plain', %s), ('packed', %s)", (to_text(midnight(2) + 11 * HOUR_US),) * 2)
    pack(twins[1])
    for name, database in zip(("plain", "packed"), twins):
        stack.program("collector", log_name=name, collector_id=name, database_url=database.url, pack_after="0", metrics_listen="-").start()
    found = "SELECT device, highest, highest_at, missing, repeats, restarts FROM device_sequences ORDER BY 1"
    until(lambda: (rows := twins[0].rows(found)) and rows == twins[1].rows(found), 60, "the same numbers")
    assert twins[0].value("SELECT count(*) FROM device_sequences") >= 3


# --- Sizes ---------------------------------------------------------------------------------------


def test_what_is_packed_is_counted_apart(twins):
    other = twins[1]
    before = dict(other.rows("SELECT what, bytes FROM disk_bytes()"))
    assert "packed" not in before
    pack(other)
    after = dict(other.rows("SELECT what, bytes FROM disk_bytes()"))
    assert after["packed"] == other.value("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('reading_chunks') WHERE isleaf") > 0
    assert after["readings"] + after["keys"] + after["packed"] < (before["readings"] + before["keys"]) * 0.7
