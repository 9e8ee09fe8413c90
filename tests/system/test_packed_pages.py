"""Pages over packed days: each is held against the same rows in a database in which none is."""

from __future__ import annotations

import contextlib
import os
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import BUILD_DIR, CLONE, SEED
from oracle import Database
from packed_days import COLUMNS, DEVICES, fill, midnight, pack, pack_halfway, some_rows, store, twin
from servers import Program

pytestmark = pytest.mark.skipif(not (CLONE / "schema" / "026_packing.sql").exists(), reason="days are not packed yet")

DAYS = 3
TOLD = "recorded_at, content_hash, received_at, status, seq, temperature, pressure"
NUMBERS = range(1, len(DEVICES) + 1)


@pytest.fixture(scope="module")
def days(_postgres, area) -> Iterator[Database]:
    """Made once."""
    name = f"pages_{uuid.uuid4().hex[:12]}"
    database = Database(_postgres.create_database(name), _postgres.url(name, "postgres"), name)
    program = Program("migrate", [BUILD_DIR / "collector", "--migrate"], area / f"{name}.log", env={**os.environ, "DATABASE_URL": database.url})
    program.start()
    assert program.wait(30) == 0, program.tail()
    fill(database, random.Random(f"{SEED} pages"), DAYS)
    yield database
    _postgres.drop_database(name)


@pytest.fixture
def twins(days) -> Iterator[tuple[Database, Database]]:
    with contextlib.ExitStack() as opened:
        yield opened.enter_context(twin(days)), opened.enter_context(twin(days))
        while _sessions:
            _sessions.popitem()[1].close()


_sessions: dict[str, Any] = {}


def page(database: Database, device: int, newest_first: bool, most: int, after: Any = (None, None), span: Any = ("-infinity", "infinity")) -> list[Any]:
    """In one session for all, which has its functions ready."""
    if database.name not in _sessions:
        _sessions[database.name] = database.connect()
        _sessions[database.name].autocommit = True
    with _sessions[database.name].cursor() as cursor:
        cursor.execute(f"SELECT {TOLD} FROM device_page(%s, %s, %s, %s, %s, %s, %s)", (device, *span, newest_first, most, *after))
        return list(cursor.fetchall())


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
    store(twins, rows)
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
