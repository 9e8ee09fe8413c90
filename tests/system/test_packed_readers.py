"""Whatever is asked, the answer is the same whether the days it is about are packed, half packed, or packed with readings
that came since: as it is over plain rows."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg2
import pytest
from oracle import Database, to_text
from packed_days import (
    DEVICES, SILENT, Asker, Question, Questions, counted, differing, filled, midnight, pack, pack_halfway, pack_some_hours, put, some_rows, step, store,
    twin,
)
from servers import LOOPBACK, free_port, until
from storage import DAY_US, HOUR_US, Session, keep_up

DAYS = 4
QUESTIONS = 48  # in each form


@dataclass
class Pair:
    """The same rows twice, with an httpapi before each: in `other` days are packed."""

    plain: Asker
    other: Asker
    questions: Questions
    since_us: int
    until_us: int

    @property
    def databases(self) -> list[Database]:
        return [self.plain.database, self.other.database]

    def check(self, count: int = QUESTIONS) -> None:
        asked = self.questions.draw(count)
        said: dict[str, set[str]] = {}
        found = differing(self.plain, self.other, asked, said)
        assert not found, f"{len(found)} of {len(asked)} answers differ\n" + "\n".join(found[:5])
        assert count < QUESTIONS or sum(len(answers) > 1 for answers in said.values()) > len(said) / 2, "most kinds of questions are answered alike, whatever is asked"

    def some_rows(self, rng: Any, count: int) -> list[tuple[Any, ...]]:
        return some_rows(rng, count, self.since_us, self.until_us - 2 * DAY_US)


@pytest.fixture(scope="module")
def days(_postgres, area) -> Iterator[Database]:
    """Made once."""
    with filled(_postgres, area, "days", DAYS) as database:
        yield database


@pytest.fixture
def pair(stack, days, rng) -> Iterator[Pair]:
    with contextlib.ExitStack() as opened:
        plain, other = (opened.enter_context(twin(days)) for _ in range(2))
        ports = [free_port(), free_port()]
        for name, database, port in zip(("plain", "packed"), (plain, other), ports):
            program = stack.program("httpapi", log_name=f"httpapi-{name}", database_url=database.url, http_listen=f"{LOOPBACK}:{port}", statement_timeout="60s")
            program.start()
            opened.callback(program.kill9)
        askers = [Asker(database, port) for database, port in zip((plain, other), ports)]
        for asker in askers:
            until(lambda: is_ready(asker), 20, "httpapi answers out of the database")
        since, until_ = midnight(DAYS), midnight(0)
        yield Pair(*askers, Questions(rng, since, until_), since, until_)


def is_ready(asker: Asker) -> bool:
    with contextlib.suppress(OSError, EOFError):
        return asker.get("/distribution?feature=temperature&bins=1").startswith(b"{")
    return False


def packed_readings(database: Database) -> int:
    return int(database.value("SELECT coalesce(sum(readings), 0) FROM reading_chunks"))


# --- The forms -----------------------------------------------------------------------------------


def test_days_that_are_packed_and_half_packed(pair):
    stored = pair.plain.database.count()
    pack_halfway(pair.other.database)
    pack_some_hours(pair.other.database)
    pair.check()
    pack(pair.other.database)
    assert pair.other.database.value("SELECT count(*) FROM rollup_hour_chunks") > 0
    unpacked = pair.other.database.count()
    assert packed_readings(pair.other.database) == stored - unpacked > stored / 3
    assert pair.other.database.value("SELECT count(*) FROM device_readings") == stored
    pair.check(2 * QUESTIONS)


def test_at_every_moment_of_packing(pair):
    """Another session packs, slice by slice; each answer is asked again until nothing is left to pack."""
    failures: list[BaseException] = []
    turns: list[str] = []

    def work() -> None:
        try:
            turns.extend(pack(pair.other.database))
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=work, daemon=True)
    asked = pair.questions.draw(QUESTIONS)
    expected = [pair.plain.ask(question) for question in asked]
    thread.start()
    rounds = 0
    while thread.is_alive() or rounds == 0:
        for question, answer in zip(asked, expected):
            assert pair.other.ask(question) == answer, question
        rounds += 1
    assert not failures and "turned" in turns, (failures, turns)


def test_readings_that_come_late_into_packed_days(pair, rng):
    """Found at once and once, before they are merged and after; a message that comes again is the same one, in either form."""
    first = pair.some_rows(rng, 400)
    again = [row for row in first if row[0] != SILENT]
    put(pair.databases, first)
    pack(pair.other.database)
    assert store([pair.other.database], again) == [0]
    late = [*pair.some_rows(rng, 300), *(row for row in pair.some_rows(rng, 2000) if row[0] == SILENT)]
    added = store(pair.databases, late)
    assert added[0] == added[1] == len(late)
    assert pair.other.database.count() >= len(late)
    pair.check()
    assert store([pair.other.database], late + first) == [0]
    pair.check(QUESTIONS // 4)
    for database in pair.databases:
        keep_up(database)
    assert "merged" in pack(pair.other.database)
    assert store([pair.other.database], late + first) == [0]
    pair.check()


def test_readings_that_come_while_a_day_is_packed(pair, rng):
    """The turn waits for none of them, and leaves none out."""
    pack_halfway(pair.other.database)
    before = counted(pair.databases)
    with Session(pair.other.database) as session:
        for _ in range(60):
            put(pair.databases, pair.some_rows(rng, 3))
            step(session)
    assert "turned" in pack(pair.other.database)
    assert counted(pair.databases) == [count + 180 for count in before]
    pair.check()


def test_readings_that_are_taken_out_of_packed_days(pair, rng):
    pack(pair.other.database)
    counts = []
    for device, feature in (("busy", None), ("jitter", "temperature"), ("doubled", None), ("bare", None), ("odd", "pressure")):
        starts = midnight(DAYS) + rng.randrange(2 * DAY_US) // HOUR_US * HOUR_US
        ends = starts + rng.choice([HOUR_US // 7, 26 * HOUR_US])
        starts, ends = (starts, ends) if device != "busy" else (midnight(DAYS) + 10 * HOUR_US + 1_000_000, midnight(DAYS) + 11 * HOUR_US)
        said = [db.value("SELECT readings_remove(%s, %s, %s, %s)", (device, to_text(starts), to_text(ends), feature)) for db in pair.databases]
        assert said[0] == said[1], (device, said)
        counts.append(said[0])
    assert max(counts) > 3000
    pair.check()
    put(pair.databases, pair.some_rows(rng, 50))
    said = [db.value("SELECT device_remove('whole')") for db in pair.databases]
    assert said[0] == said[1] > 0
    for database in pair.databases:
        keep_up(database)
    pack(pair.other.database)
    said = [db.value("SELECT rollup_rebuild(%s, %s)", (to_text(midnight(DAYS)), to_text(midnight(0)))) for db in pair.databases]
    assert said[0] == said[1] > 0
    pair.check()


def test_a_page_goes_on_after_its_day_was_packed(pair):
    """With the cursor that was handed out before, in both directions, and with one of the packed day."""
    device = DEVICES.index("doubled") + 1
    paths = [f"/devices/{DEVICES[device - 1]}/readings?limit=5&order={order}" for order in ("asc", "desc")]
    expected = [pair.plain.ask(replace(QUESTION, path=path.replace("limit=5", "limit=10000"))) for path in paths]
    begun: dict[str, list[Any]] = {path: [] for path in paths}
    for path in paths:  # every page's cursor
        after = None
        while after is not None or not begun[path]:
            document = json.loads(pair.other.get(path + (f"&after={after}" if after else "")))
            begun[path].append((after, document["readings"]))
            after = document["next"]
    pack(pair.other.database)
    for path, (whole,) in zip(paths, expected):
        seen = 0
        for after, before in begun[path]:
            assert before == whole[seen:seen + 5]
            document = json.loads(pair.other.get(path + (f"&after={after}" if after else "")))
            assert document["readings"] == before, (path, after)
            if document["next"]:
                following = json.loads(pair.other.get(f"{path}&after={document['next']}"))
                assert following["readings"] == whole[seen + 5:seen + 10], (path, after)
            seen += len(before)
        assert seen == len(whole) > 100


QUESTION = Question("page", "")


def test_a_collector_that_starts_loads_packed_days(stack, pair, rng):
    """Its boards, what it says of all time and the numbers that never came are those of plain rows."""
    pack(pair.other.database)
    put(pair.databases, pair.some_rows(rng, 20))
    interval = f"ten_days={10 * 24}h"
    boards = []
    for name, database in zip(("plain", "packed"), pair.databases):
        database.rows("TRUNCATE device_sequences")
        database.rows("UPDATE sequence_marks SET taken_until = '-infinity'")
        listener = stack.listen(f"collectors/{name}/boards/#")
        program = stack.start_collector(
            collector_id=name, log_name=f"collector-{name}", database_url=database.url, metrics_listen="-",
            intervals=f"{interval},all_time", lowest="yes", pack_after="0",
        )
        program.wait_for_line("windows: complete", 60)
        topics = [f"collectors/{name}/boards/{f}/{i}{lowest}" for f in ("temperature", "pressure") for i in ("ten_days", "all_time") for lowest in ("", "/lowest")]
        until(lambda: all(listener.latest(topic) for topic in topics), 30, f"all boards of {name}")
        sequences = database.rows("SELECT device, highest, highest_at, missing, repeats, restarts FROM device_sequences ORDER BY 1")
        boards.append([[listener.latest(topic).json()["readings"] for topic in topics], sequences])
        program.terminate()
    assert boards[0] == boards[1]
    assert min(len(board) for board in boards[0][0]) > 3


def test_the_oracle_sees_one_reading_that_is_not_as_it_was(pair):
    """So that the tests above can fail: each kind of question finds a change of what it is about."""
    other = pair.other.database
    connection = psycopg2.connect(other.url)
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE readings SET temperature = temperature + 0.25, status = 2, seq = coalesce(seq, 0) + 1 WHERE device = 2 AND temperature IS NOT NULL"
                       " AND recorded_at < %s", (to_text(midnight(2)),))
        assert cursor.rowcount > 100
    connection.close()
    other.rows("SELECT rollup_rebuild(%s, %s)", (to_text(midnight(DAYS)), to_text(midnight(0))))
    unseen = set(pair.questions.kinds) - {"storage", "latest", "recent"}  # of no value
    for _ in range(12):  # a question of one device in twelve, of some hours, seldom meets it
        asked = [question for question in pair.questions.draw(10 * len(pair.questions.kinds)) if question.kind in unseen]
        unseen -= {text.partition(":")[0] for text in differing(pair.plain, pair.other, asked)}
        if not unseen:
            break
    assert not unseen
