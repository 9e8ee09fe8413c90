"""Days that are packed, half packed, or packed with readings that came since; and the same rows in a database in which
nothing ever was, whose answers are the ones to be held against.

    fill(database, rng, DAYS)                rows, sums and nodes of values, nothing packed
    with twin(database) as other:            a copy of it
        pack(other)                          all days that are over
        store([database, other], rows)       the same statement in both
        differing(Asker(database, ...), Asker(other, ...), Questions(rng, since, until).draw(100))
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg2
from conftest import BUILD_DIR, SEED
from http_tools import Raw
from oracle import Database, now_us, to_text
from psycopg2.extras import execute_values
from servers import Program
from storage import DAY_US, HOUR_US, Session, keep_up, rolled_until_hours_ago

FEATURES = ("temperature", "pressure")
COLUMNS = "device, content_hash, recorded_at, received_at, status, seq, temperature, pressure"
PACK_AFTER = "1 day"

# What a device's readings are like decides what its chunks are made of.
DEVICES = ("busy", "jitter", "hourly", "doubled", "odd", "whole", "bare", "silent")
SILENT = DEVICES.index("silent") + 1  # it sends only what comes late


def midnight(days_ago: int) -> int:
    now = now_us()
    return now - now % DAY_US - days_ago * DAY_US


# --- Rows ----------------------------------------------------------------------------------------


def _status(rng: random.Random) -> int | None:
    return rng.choice([1, 1, 1, 2, 3, 4, None])


def _row(rng: random.Random, device: int, at: int, seq: int | None, temperature: float | None, pressure: float | None) -> tuple[Any, ...]:
    return device, rng.getrandbits(64) - 2**63, to_text(at), to_text(at + rng.randrange(5_000, 90_000)), _status(rng), seq, temperature, pressure


def rows_of_days(rng: random.Random, since_us: int, days: int) -> Iterator[tuple[Any, ...]]:
    """Of each kind of device some thousands."""
    until_us = since_us + days * DAY_US
    for device, name in enumerate(DEVICES, 1):
        if name == "busy":  # a reading a second for two hours in the midst of each day: more than one chunk, and nodes
            for day in range(days):
                for i in range(7200):
                    at = since_us + day * DAY_US + 10 * HOUR_US + i * 1_000_000 + rng.randrange(3_000)
                    yield _row(rng, device, at, day * 7200 + i, round(20 + 5 * rng.random(), 2), 1000 + rng.gauss(0, 3))
        elif name == "jitter":
            for i in range(days * 480):
                yield _row(rng, device, since_us + i * 180_000_000 + rng.randrange(9_000_000), i, rng.randrange(-900, 900) / 10, None if i % 7 == 0 else i / 7)
        elif name == "hourly":
            for i in range(days * 24):
                yield _row(rng, device, since_us + i * HOUR_US, i, 20.0 + i % 24, rng.randrange(9900, 10400) / 10)
        elif name == "doubled":  # several at one moment, and at the ends of slots, hours and days
            for i in range(days * 120):
                at = since_us + rng.randrange(days * DAY_US)
                at -= at % rng.choice([DAY_US, HOUR_US, 600_000_000, 10_000_000])
                for _ in range(rng.choice([1, 2, 3])):
                    yield _row(rng, device, min(max(at - rng.choice([0, 0, 1]), since_us), until_us - 1), None, rng.choice([1.5, -0.0, 0.0, 19.5]), rng.random())
        elif name == "odd":
            for i in range(days * 200):
                value = rng.choice([5e-324, -5e-324, 1e-305, -0.0, 0.1 + 0.2, 1e15 + 0.125, 1e299, -1e299, 1.7976931348623157e308, 1 / 3])
                yield _row(rng, device, since_us + rng.randrange(days * DAY_US), 2**62 + i if i % 3 else None, value if i % 2 else None, -value)
        elif name == "whole":  # whole seconds and numbers, but for a day of its own
            for i in range(days * 300):
                yield _row(rng, device, since_us + i * 288_000_000, i, float(i % 50) if i < days * 200 else i + 0.25, float(i))
        elif name == "bare":  # statuses alone
            for i in range(days * 50):
                yield _row(rng, device, since_us + i * 1_728_000_000 + rng.randrange(1000), None, None, None)


def some_rows(rng: random.Random, count: int, since_us: int, until_us: int) -> list[tuple[Any, ...]]:
    """Of any device and time in a span."""
    return [
        _row(rng, rng.randrange(1, len(DEVICES) + 1), since_us + rng.randrange(until_us - since_us) // 500 * 500, None,
             rng.choice([None, 19.5, rng.randrange(4000) / 100, 1 / 3, 240.0]), rng.choice([None, rng.random(), 999.5]))
        for _ in range(count)
    ]


def put(databases: Sequence[Database], rows: Sequence[tuple[Any, ...]]) -> None:
    """The same rows into each."""
    for database in databases:
        connection = database.connect()
        with connection, connection.cursor() as cursor:
            execute_values(cursor, f"INSERT INTO readings ({COLUMNS}) VALUES %s ON CONFLICT DO NOTHING", rows, page_size=20_000)
        connection.close()


def counted(databases: Sequence[Database]) -> list[int]:
    """How many readings are found in each, packed or not."""
    return [int(database.value("SELECT count(*) FROM device_readings")) for database in databases]


def store(databases: Sequence[Database], rows: Sequence[tuple[Any, ...]]) -> list[int]:
    """The same, and how many were new in each."""
    before = counted(databases)
    put(databases, rows)
    return [now - then for now, then in zip(counted(databases), before)]


# --- Databases -----------------------------------------------------------------------------------


def fill(database: Database, rng: random.Random, days: int) -> None:
    """Puts the days before today into a database with the schema, and sums all of it up."""
    rolled_until_hours_ago(database, 24 * (days + 1))
    database.rows(
        "UPDATE rollup_value_passes p SET until = date_bin(u.length, s.rolled_until, 'epoch')"
        " FROM value_units() u, storage_state s WHERE u.unit = p.unit"
    )
    database.rows("INSERT INTO devices (device_id) SELECT unnest(%s)", (list(DEVICES),))
    while database.value("SELECT wants_more FROM make_partitions(now() - %s * interval '24 hours', now())", (days + 1,)):
        pass
    put([database], list(rows_of_days(rng, midnight(days), days)))
    keep_up(database)
    database.rows("SELECT * FROM tell_storage(0)")


@contextlib.contextmanager
def filled(postgres: Any, area: Path, name: str, days: int) -> Iterator[Database]:
    """A database with the days before today, for a module of tests: they ask twins of it."""
    unique = f"{name}_{uuid.uuid4().hex[:12]}"
    database = Database(postgres.create_database(unique), postgres.url(unique, "postgres"), unique)
    program = Program("migrate", [BUILD_DIR / "collector", "--migrate"], area / f"{unique}.log", env={**os.environ, "DATABASE_URL": database.url})
    program.start()
    assert program.wait(30) == 0, program.tail()
    fill(database, random.Random(f"{SEED} {name}"), days)
    yield database
    postgres.drop_database(unique)


@contextlib.contextmanager
def twin(database: Database) -> Iterator[Database]:
    """A copy of it with the same server. Nobody may be connected to the first."""
    postgres_url = database.superuser_url.rpartition("/")[0] + "/postgres"
    name = f"{database.name}_{uuid.uuid4().hex[:6]}"
    _outside(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE "{database.name}" OWNER highwater')
    try:
        yield Database(database.url.replace(database.name, name), database.superuser_url.replace(database.name, name), name)
    finally:
        _outside(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _outside(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


# --- Packing -------------------------------------------------------------------------------------


def step(database: Database) -> str | None:
    """One slice of packing; what it did. None: there is nothing to do."""
    did = database.value("SELECT did FROM packing_step(%s)", (PACK_AFTER,))
    return None if did is None else str(did)


def pack(database: Database) -> list[str]:
    """Until nothing is left to do: days that are over, and what came late for them. In one session, as the collector does."""
    done = []
    with Session(database) as session:
        while (did := step(session)) is not None:
            done.append(did)
            assert len(done) < 10_000, done[-20:]
    return done


def pack_halfway(database: Database) -> None:
    """A day packed, and another begun and not turned."""
    done = []
    with Session(database) as session:
        while "turned" not in done or done[-1] != "packed":
            did = step(session)
            assert did is not None, done
            done.append(did)


def pack_some_hours(database: Database) -> None:
    """The first two days of what is over."""
    assert database.value("SELECT hours_step(%s)", (PACK_AFTER,)) > 0


def hours_sql(database: Database) -> str:
    """All hours of single devices, packed or not, as rows of rollup_hours."""
    columns = database.value("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'rollup_hours'::regclass AND attnum > 0 AND NOT attisdropped")
    return f"SELECT {columns} FROM {database.value('SELECT hours_source(%s, %s)', ('-infinity', 'infinity'))} h"


# --- Questions -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """What is asked over HTTP, or of SQL (then `path` is the statement)."""

    kind: str
    path: str
    parameters: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.path} {self.parameters or ''}"


class Questions:
    """At random, about spans that begin and end anywhere, and where days, hours and slots do."""

    def __init__(self, rng: random.Random, since_us: int, until_us: int) -> None:
        self.rng = rng
        self.since_us = since_us
        self.until_us = until_us
        self.kinds: dict[str, Callable[[], Question]] = {
            "page": self._page, "csv": self._csv, "points": self._points, "compared": self._compared, "export": self._export,
            "values": self._values, "statuses": self._statuses, "board": self._board, "lines": self._lines, "heat map": self._heatmap,
            "device": self._device, "view": self._view, "storage": self._storage, "summary": self._summary, "moment": self._moment,
            "latest": self._latest, "recent": self._recent, "hours": self._hours,
        }

    def draw(self, count: int) -> list[Question]:
        """Each kind as often as any other."""
        return [make() for _ in range(-(-count // len(self.kinds))) for make in self.kinds.values()]

    def _at(self) -> int:
        rng = self.rng
        at = self.since_us + rng.randrange(self.until_us - self.since_us)
        if rng.random() < 0.4:  # where there are the most readings
            at = at - at % DAY_US + 10 * HOUR_US + rng.randrange(2 * HOUR_US)
        kind = rng.randrange(6)
        at -= at % (DAY_US, HOUR_US, 60_000_000, 10_000_000)[kind] if kind < 4 else 0
        return at - rng.choice([0, 0, 0, 1])

    def _ends(self, is_open: bool = True) -> tuple[int | None, int | None]:
        rng = self.rng
        starts = self._at()
        ends = starts + rng.randrange(1, 4 * HOUR_US) if rng.random() < 0.4 else self._at()
        starts, ends = min(starts, ends), max(starts, ends) + 1
        return (None if is_open and rng.random() < 0.1 else starts), (None if is_open and rng.random() < 0.1 else ends)

    def _span(self, is_open: bool = True) -> dict[str, str]:
        return {name: to_text(us) for name, us in zip(("from", "to"), self._ends(is_open)) if us is not None}

    def _device_path(self) -> str:
        return f"/devices/{quote(self.rng.choice(DEVICES))}"

    def _http(self, kind: str, path: str, **parameters: Any) -> Question:
        return Question(kind, f"{path}?{urlencode(parameters, doseq=True)}" if parameters else path)

    def _page(self) -> Question:
        order = self.rng.choice(["asc", "desc"])
        return self._http("page", f"{self._device_path()}/readings", order=order, limit=self.rng.choice([2, 7, 100, 1000]), **self._span())

    def _csv(self) -> Question:
        return self._http("csv", f"{self._device_path()}/readings", format="csv", order=self.rng.choice(["asc", "desc"]), **self._span())

    def _points(self) -> Question:
        return self._http("points", f"{self._device_path()}/points", points=self.rng.choice([1, 7, 50, 500]), **self._span())

    def _compared(self) -> Question:
        some = self.rng.sample(DEVICES, self.rng.randrange(1, 6))
        return self._http("compared", "/readings", deviceId=some, points=self.rng.choice([1, 24, 300]), features=self.rng.choice(FEATURES), **self._span())

    def _export(self) -> Question:
        some = self.rng.choice([{}, {"deviceId": self.rng.sample(DEVICES, 3)}])
        return self._http("export", "/readings", format=self.rng.choice(["csv", "jsonl"]), **some, **self._span(is_open=False))

    def _values(self) -> Question:
        path = self.rng.choice(["", self._device_path()])
        parameters = {"feature": self.rng.choice(FEATURES), "bins": self.rng.choice([1, 7, 40]), "quantiles": "0,0.05,0.5,0.99,1"}
        return self._http("values", f"{path}/distribution", **parameters, **self._span())

    def _statuses(self) -> Question:
        return self._http("statuses", self.rng.choice(["", self._device_path()]) + "/histogram", **self._span())

    def _board(self) -> Question:
        parameters = {"by": self.rng.choice(["maximum", "deviation", "rise"]), "order": self.rng.choice(["desc", "asc"]),
                      "features": self.rng.choice([*FEATURES, ",".join(FEATURES)]), "limit": self.rng.choice([1, 3, 10])}
        return self._http("board", "/dashboard", **parameters, **self._span(is_open=False))

    def _lines(self) -> Question:
        return self._http("lines", "/boards/history", by=self.rng.choice(["maximum", "rise"]), points=self.rng.choice([10, 60]), **self._span(is_open=False))

    def _heatmap(self) -> Question:
        return self._http("heat map", "/heatmap", feature=self.rng.choice(FEATURES), columns=self.rng.choice([5, 60]), rows=self.rng.choice([4, 20]),
                          **self._span(is_open=False))

    def _device(self) -> Question:
        return Question("device", self._device_path())

    def _view(self) -> Question:
        condition = self.rng.choice(["device_id = %s AND", "device_id <> %s AND"])
        starts, ends = self._ends(is_open=False)
        statement = (f"SELECT * FROM device_readings WHERE {condition} recorded_at >= %s AND recorded_at < %s"
                     " ORDER BY device_id, recorded_at, received_at, status, seq, temperature, pressure")
        return Question("view", statement, (self.rng.choice(DEVICES), to_text(starts or 0), to_text(ends or 0)))

    def _storage(self) -> Question:
        return Question("storage", "SELECT s.since, s.estimated_bytes > 0 FROM device_storage((SELECT id FROM devices WHERE device_id = %s)) s", (self.rng.choice(DEVICES),))

    def _summary(self) -> Question:
        starts, ends = self._ends(is_open=False)
        device = self.rng.choice([0, self.rng.randrange(1, len(DEVICES) + 1)])
        # a mean is as exact as the largest value is: see rounded()
        return Question("summary", "SELECT readings, lowest, highest, CASE WHEN most > 1e-300 THEN round((mean / most)::numeric, 9) END"
                        " FROM feature_summary(%s, %s, %s, %s), greatest(abs(lowest), abs(highest)) most",
                        (device, self.rng.choice(FEATURES), to_text(starts or 0), to_text(ends or 0)))

    def _moment(self) -> Question:
        """A board as it was known at a moment: what had been received by then."""
        return Question("moment", "SELECT b.device_id, (b.best).value, (b.best).recorded_at, (b.best).status FROM board_of(%s, %s, %s, 5, %s) b",
                        (self.rng.choice(FEATURES), self.rng.choice(["desc", "asc"]), to_text(self._at()), to_text(self._at())))

    def _hours(self) -> Question:
        condition = self.rng.choice(["device_id = %s AND", "device_id <> %s AND"])
        starts, ends = self._ends(is_open=False)
        columns = ", ".join(f"{feature}_count, {feature}_min, {feature}_max" for feature in FEATURES)
        return Question("hours", "SELECT device_id, hour, readings, status_on, status_off, status_active, status_inactive, first_at, last_at,"
                        f" {columns} FROM device_hours WHERE {condition} hour >= %s AND hour < %s ORDER BY 1, 2",
                        (self.rng.choice(DEVICES), to_text(starts or 0), to_text(ends or 0)))

    def _latest(self) -> Question:
        return Question("latest", "SELECT device, recorded_at, received_at, status, seq, temperature, pressure FROM devices_latest("
                        "ARRAY(SELECT device FROM device_spans(%s) ORDER BY 1), ARRAY(SELECT last_at FROM device_spans(%s) ORDER BY device)) ORDER BY 1",
                        ([self.rng.randrange(1, len(DEVICES) + 1)],) * 2)

    def _recent(self) -> Question:
        return Question("recent", "SELECT * FROM devices_recent(%s, %s) ORDER BY 1", (list(range(1, len(DEVICES) + 1)), to_text(self._at())))


def rounded(item: Any) -> Any:
    """Sums of doubles differ with the order in which they are added up: by as much as the largest of them is not exact."""
    if isinstance(item, float):
        return float(f"{item:.9g}")
    if isinstance(item, list):
        return [rounded(one) for one in item]
    if isinstance(item, dict):
        exact: dict[str, float] = {}
        for name, beside in (("mean", ("min", "max")), ("change", ("change", "against")), ("against", ("change", "against"))):
            if isinstance(item.get(name), (int, float)) and all(isinstance(item.get(other), (int, float)) for other in beside):
                largest = max(abs(item[other]) for other in beside)
                exact[name] = round(item[name] / largest, 9) + 0.0 if largest > 1e-300 else 0  # what rounds to zero has no sign
        return {name: exact.get(name, rounded(one)) for name, one in item.items()}
    return item


class Asker:
    """Puts questions to one database, and to the httpapi before it."""

    MOST_PAGES = 12

    def __init__(self, database: Database, port: int) -> None:
        self.database = database
        self._port = port

    def ask(self, question: Question) -> Any:
        if question.path.startswith("SELECT"):
            return self.database.rows(question.path, question.parameters)
        if question.kind != "page":
            return self._get(question.path, question.kind)
        pages: list[Any] = []
        after = None
        while len(pages) < self.MOST_PAGES:
            body = self.get(question.path + (f"&after={quote(after)}" if after else ""))
            if not body.startswith(b"{"):
                return [body]  # no such device, any more
            document = json.loads(body)
            pages.append(document["readings"])
            after = document["next"]
            if after is None:
                break
        return pages

    def _get(self, path: str, kind: str) -> Any:
        body = self.get(path)
        if kind in ("points", "compared", "lines", "board") and body.startswith(b"{"):
            document = json.loads(body)
            document.pop("asOf", None)
            return rounded(document)
        if kind == "device" and body.startswith(b"{"):
            document = json.loads(body)
            assert document["storage"].pop("estimatedBytes") is not None  # by what the disk says, so not the same
            return document
        return body

    def get(self, path: str) -> bytes:
        with Raw(self._port) as raw:
            answer = raw.get(path)
        return b"%d %s" % (answer.status, answer.body) if answer.status != 200 else answer.body


def differing(plain: Asker, other: Asker, questions: Sequence[Question], answers: dict[str, set[str]] | None = None) -> list[str]:
    """Sentences. `answers` gets what was answered to each kind."""
    found = []
    for question in questions:
        expected, said = repr(plain.ask(question)), repr(other.ask(question))
        if answers is not None:
            answers.setdefault(question.kind, set()).add(expected)
        if expected != said:
            at = next((i for i, (a, b) in enumerate(zip(expected, said)) if a != b), min(len(expected), len(said)))
            found.append(f"{question}\n    plain  {expected[max(at - 100, 0):at + 200]}\n    packed {said[max(at - 100, 0):at + 200]}")
    return found
