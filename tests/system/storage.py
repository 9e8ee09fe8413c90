"""What the rollups should say, by GROUP BY over the readings, and how that differs from what they say.

Each comparison is one statement, so both sides are of one snapshot however much is being stored.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import psycopg2
from oracle import Database, now_us, to_text
from servers import Program, until

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000

# What a row made by hand is made of.
COLUMNS = "device, content_hash, recorded_at, received_at, status, temperature, pressure"


def migrated(stack: Any, **settings: Any) -> Database:
    """The stack's database with the schema."""
    program = stack.program("collector", ["--migrate"], log_name="migrate", **settings)
    program.start()
    assert program.wait() == 0, program.tail()
    return stack.database  # type: ignore[no-any-return]


def live(stack: Any, collector_id: str = "collector", **settings: Any) -> Program:
    """A collector that is subscribed."""
    topic = f"collectors/{collector_id}/status"
    listener = stack.listen(topic)
    program = stack.start_collector(collector_id=collector_id, **settings)
    until(lambda: (s := listener.latest(topic)) and s.json()["state"] == "live", 20, "the collector is live")
    return program  # type: ignore[no-any-return]


_STATUSES = """
    WITH span AS (SELECT %(from)s::timestamptz AS starts, %(to)s::timestamptz AS ends),
    counted AS (
        SELECT device, status, count(*) AS n FROM (
            SELECT device, status FROM ALL_READINGS r, span
            WHERE recorded_at >= starts AND recorded_at < ends
            UNION ALL
            SELECT 0, status FROM ALL_READINGS r, span
            WHERE recorded_at >= starts AND recorded_at < ends) r
        GROUP BY device, status),
    said AS (
        SELECT d.id AS device, c.status, c.readings AS n
        FROM (SELECT id FROM devices UNION SELECT 0) d, span, status_counts(d.id, starts, ends) c
        WHERE c.readings <> 0)
    SELECT device, status, counted.n, said.n
    FROM counted FULL JOIN said USING (device, status)
    WHERE counted.n IS DISTINCT FROM said.n AND status IS NOT NULL
    UNION ALL
    SELECT device, NULL, counted.n, said.n
    FROM (SELECT device, n FROM counted WHERE status IS NULL) counted
    FULL JOIN (SELECT device, n FROM said WHERE status IS NULL) said USING (device)
    WHERE counted.n IS DISTINCT FROM said.n
"""

_SUMMARIES = """
    WITH span AS (SELECT %(from)s::timestamptz AS starts, %(to)s::timestamptz AS ends),
    counted AS (
        SELECT device, count({0}) AS n, sum({0}) AS s, min({0}) AS l, max({0}) AS h FROM (
            SELECT device, {0} FROM ALL_READINGS r, span WHERE recorded_at >= starts AND recorded_at < ends
            UNION ALL
            SELECT 0, {0} FROM ALL_READINGS r, span WHERE recorded_at >= starts AND recorded_at < ends) r
        GROUP BY device)
    SELECT d.id, n, readings, s / nullif(n, 0), mean, l, lowest, h, highest
    FROM (SELECT id FROM devices UNION SELECT 0) d CROSS JOIN span
    CROSS JOIN LATERAL feature_summary(d.id, '{0}', starts, ends) said
    LEFT JOIN counted ON counted.device = d.id
    WHERE coalesce(n, 0) <> readings OR l IS DISTINCT FROM lowest OR h IS DISTINCT FROM highest
       OR abs(s / nullif(n, 0) - mean) > 1e-9 * greatest(abs(l), abs(h))
"""


def differences(
    database: Database, since: str = "-infinity", until: str = "infinity", features: Sequence[str] = ("temperature",)
) -> list[Any]:
    """Where status_counts() and feature_summary() of any device, or of all (0), are not what is in readings."""
    span = {"from": since, "to": until}
    found: list[Any] = database.rows_of_all(_STATUSES, span)
    for feature in features:
        found += database.rows_of_all(_SUMMARIES.format(feature), span)
    return [(since, until, *row) for row in found]


def random_span(rng: random.Random, now_us: int, past_us: int) -> tuple[str, str]:
    """A span in the past, with bounds of every kind: whole hours, whole days, anything, none."""

    def bound(otherwise: str) -> str:
        at = now_us - rng.randrange(-60_000_000, past_us)
        kind = rng.randrange(8)
        if kind == 0:
            return otherwise
        if kind <= 4:
            at -= at % (DAY_US, HOUR_US, 60_000_000, 10_000_000)[kind - 1]
        return to_text(at)

    return bound("-infinity"), bound("infinity")


def rolled_until_hours_ago(database: Database, hours: float) -> None:
    """As if the last rollup were so long ago: what comes next has much to do, and crosses days."""
    database.rows(
        "UPDATE storage_state SET rolled_until = date_bin('1 minute', now() - %(h)s * interval '1 hour', 'epoch'),"
        " late_before = date_bin('1 minute', now() - %(h)s * interval '1 hour', 'epoch')",
        {"h": hours},
    )


class Session(Database):
    """The same over one connection, each statement a transaction: functions are compiled once."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.url, database.superuser_url, database.name)
        self._connection = self.connect()
        self._connection.autocommit = True

    def rows(self, query: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def keep_up(database: Database, minutes: int | None = None, passes: int | None = None) -> None:
    """As the collector does that looks after storage: until now, or by so many minutes. `passes`: cells are made by so many, not to the end."""
    with Session(database) as session:
        if minutes is None:
            session.rows("SELECT rollup_set_late_before('0 s')")
        else:
            session.rows("SELECT rollup_set_late_before(now() - late_before - %s * interval '1 minute') FROM storage_state", (minutes,))
        while session.value("SELECT rollup_until(late_before) < late_before FROM storage_state"):
            pass
        while session.value("SELECT rollup_fold_late(100000)") == 100_000:
            pass
        session.rows("SELECT rollup_fold_fleet(100000)")
        session.rows("UPDATE rollup_minute_todo SET due_at = now()")
        while session.value("SELECT values_pass()"):
            pass
        while passes != 0 and session.value("SELECT minutes_pass()"):
            passes = passes and passes - 1


class Workers:
    """Threads that go on until the block ends; what one of them raises, the block raises."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.stopping = threading.Event()
        self.failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def start(self, work: Callable[..., None], *args: Any) -> None:
        def run() -> None:
            while not self.stopping.is_set():
                connection = self.database.connect()
                connection.autocommit = True
                try:
                    work(connection, *args)
                except psycopg2.OperationalError:
                    pass  # the backend was terminated
                except psycopg2.errors.LockNotAvailable:
                    pass
                except BaseException as failure:
                    self.failures.append(failure)
                    self.stopping.set()
                finally:
                    with suppress(psycopg2.Error):
                        connection.close()

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join(30)
        if self.failures:
            raise self.failures[0]


def come_late_and_go(
    workers: Workers, rng: random.Random, hours: int, store: Callable[..., None], look_after: Callable[..., None]
) -> None:
    """Readings of these hours come (`store(connection, rng, count, past_us)`), those of d3 are taken out, and rollups
    follow, or are made anew; `look_after(cursor, rng)` is what else follows."""

    def write(connection: Any, rng: random.Random) -> None:
        for _ in range(20):
            with suppress(psycopg2.errors.DeadlockDetected):
                store(connection, rng, rng.choice([1, 5, 30]), hours * HOUR_US)

    def follow(connection: Any, rng: random.Random) -> None:
        with connection.cursor() as cursor:
            for _ in range(20):
                cursor.execute("SELECT rollup_set_late_before(now() - late_before - %s * interval '1 minute') FROM storage_state", (rng.randrange(90),))
                cursor.execute("SELECT rollup_until(late_before) FROM storage_state")
                cursor.execute("SELECT rollup_fold_late(200), rollup_fold_fleet(1000)")
                look_after(cursor, rng)

    def take_out(connection: Any, rng: random.Random) -> None:
        time.sleep(rng.random())  # so that there is something
        with connection.cursor() as cursor:
            starts, ends = random_span(rng, now_us(), hours * HOUR_US)
            cursor.execute("SELECT readings_remove('d3', %s, least(%s, %s::timestamptz + interval '1 hour'))", (starts, ends, starts))
            if rng.random() < 0.2:
                cursor.execute("SELECT rollup_rebuild(now() - interval '1 day', now())")

    for work in (write, write, follow, take_out):
        workers.start(work, random.Random(rng.random()))
