"""What the tests of faults share: a steady load, the wait until all of it has arrived, the verdict.

The promise under test: a reading whose PUBACK reached its device is in `readings` exactly once, or
in `rejected_messages` with its reason. The oracle's three sets tell: lost, doubled, unexpected.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg2
from conftest import BUILD_DIR
from oracle import (
    FEATURES,
    INTERVAL_SECONDS,
    Message,
    Publisher,
    Reading,
    board_by_sql,
    board_of_json,
    compare,
    now_us,
    reading,
    to_us,
)
from proxy import Proxy
from servers import PrivatePostgres, Program, ServerError, patience, until

# Who is who on a proxied link: MQTT client ids with their length, and PostgreSQL application names.
INGEST = b"\x00\x1chighwater-collector-"
BOARDS = b"\x00\x23highwater-collector-"
STORE = b"highwater collector"

STATUSES = ("ON", "OFF", "ACTIVE", "INACTIVE", None)
MOST_FDS = 32
MOST_RSS_KB = 200_000 if BUILD_DIR.name != "asan" else 2_000_000


# --- Load ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def sending(send_one: Callable[[], object], rate: float) -> Iterator[None]:
    """One is sent all the while, `rate` times a second."""
    ended = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        start = time.monotonic()
        sent = 0
        try:
            while not ended.wait(0.01):
                due = int((time.monotonic() - start) * rate)
                # After a stall (a slow machine, a paused broker) there is no burst to catch up.
                if due - sent > rate / 2:
                    sent = due
                for _ in range(due - sent):
                    send_one()
                sent = due
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(90)
    assert not failures and not thread.is_alive(), failures


class Fleet:
    """Makes the readings of a few devices, all out of one seed.

    Among them is what a store may get wrong: two different readings of one device in the same
    microsecond, late ones, whole arrays, and payloads that are to be rejected.
    """

    def __init__(self, rng: random.Random, publisher: Publisher, devices: int = 20, per_message: int = 1) -> None:
        self.rng = rng
        self.publisher = publisher
        self.per_message = per_message  # readings, mostly
        self.devices = [f"device_{i}" for i in range(devices)]
        self.readings = 0
        self._clock_us = 0
        self._last_us = 0

    def set_clock(self, ahead_s: float) -> None:
        """The devices' clock is so much ahead of ours."""
        self._clock_us = int(ahead_s * 1e6)
        self._last_us = 0

    def make(self, device: str | None = None, at_us: int | None = None) -> Reading:
        rng = self.rng
        values = {name: rng.randrange(-800, 8000) / 8 for name in FEATURES if rng.random() < 0.9}
        self._last_us = max(now_us() + self._clock_us, self._last_us + 1)
        if at_us is None:
            at_us = self._last_us - (rng.randrange(90_000_000) if rng.random() < 0.05 else 0)
        return reading(device or rng.choice(self.devices), at_us, rng.choice(STATUSES[:4]), **values)

    def send_one(self) -> Message:
        """One message: mostly one reading, sometimes something special."""
        chance = self.rng.random()
        if chance < 0.02:
            self.readings += 1
            payload = f'{{"temperature":"{self.rng.randrange(10**9)}"}}'
            return self.publisher.send_bytes(f"devices/{self.rng.choice(self.devices)}/readings", payload.encode())
        first = self.make()
        several = [first]
        if chance < 0.05:  # twins
            several.append(self.make(first.device_id, first.recorded_at_us))
        elif chance < 0.08:
            several += [self.make(first.device_id) for _ in range(self.per_message + 2)]
        else:
            several += [self.make(first.device_id) for _ in range(self.per_message - 1)]
        self.readings += len(several)
        return self.publisher.send(several if len(several) > 1 else first)

    def send(self, messages: int) -> list[Message]:
        """So many, and waits until the broker has acknowledged them."""
        sent = [self.send_one() for _ in range(messages)]
        self.publisher.wait()
        return sent

    def load(self, rate: float = 300) -> contextlib.AbstractContextManager[None]:
        """with fleet.load(): messages are sent all the while, `rate` of them a second."""
        return sending(self.send_one, rate)


# --- A stack that is up --------------------------------------------------------------------------


def subscribed(publisher: Publisher, device: str = "probe", timeout: float = 15.0) -> None:
    """Waits until there is a subscriber: what is published from now on reaches the collector, or waits for it."""
    deadline = time.monotonic() + patience(timeout)
    while True:
        message = publisher.send(reading(device, temperature=-100.0))
        publisher.wait()
        if message.is_acknowledged:
            return
        assert time.monotonic() < deadline, f"nobody subscribed within {patience(timeout):g} s"
        time.sleep(0.02)


def start_fleet(stack: Any, rng: random.Random, devices: int = 20, **settings: Any) -> tuple[Program, Fleet]:
    """A collector that is subscribed and has stored something, and a fleet that has not begun."""
    collector = stack.start_collector(**settings)
    fleet = Fleet(rng, stack.publisher(), devices)
    subscribed(fleet.publisher)
    arrived(stack, fleet.publisher)
    return collector, fleet


@contextlib.contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()


def mqtt_through(proxy: Proxy) -> str:
    return f"mqtt://127.0.0.1:{proxy.port}"


def database_through(proxy: Proxy, stack: Any) -> str:
    return f"postgresql://highwater@127.0.0.1:{proxy.port}/{stack.database.name}?sslmode=disable"


# --- Verdict -------------------------------------------------------------------------------------


def is_stored(stack: Any, one: Reading) -> bool:
    """False while it, or the table, or the server, is not there."""
    with contextlib.suppress(psycopg2.OperationalError, psycopg2.errors.UndefinedTable, psycopg2.InterfaceError):
        return bool(
            stack.database.value(
                "SELECT EXISTS (SELECT FROM device_readings WHERE device_id = %s"
                " AND recorded_at = timestamptz 'epoch' + %s * interval '1 microsecond')",
                (one.device_id, one.recorded_at_us),
            )
        )
    return False


def arrived(stack: Any, publisher: Publisher, timeout: float = 30.0) -> None:
    """Until everything that was sent has gone through the collector: a last reading, which the broker
    delivers after all others, is stored, and then another. What is not stored by then is lost. (A batch may be stored in
    parts, in the order of its devices; but all of it before the next one.)"""
    publisher.wait(timeout)
    _last_stored(stack, publisher, timeout)
    _last_stored(stack, publisher, timeout)


def _last_stored(stack: Any, publisher: Publisher, timeout: float) -> None:
    last: Message | None = None

    def is_last_stored() -> bool:
        nonlocal last
        # A broker that lost our subscription takes messages for nobody until we have subscribed again.
        if last is None or (last.code is not None and not last.is_acknowledged):
            # Of two hours ago, which is legal wherever a test has set the clock.
            last = publisher.send(reading("marker", now_us() - 7_200_000_000, temperature=-200.0))
        return is_stored(stack, last.readings[0])

    until(is_last_stored, timeout, "the last reading is stored")


def assert_kept(stack: Any, publishers: Publisher | Sequence[Publisher], timeout: float = 30.0) -> None:
    """The promise, for all that these have sent."""
    several = [publishers] if isinstance(publishers, Publisher) else list(publishers)
    for publisher in several:
        arrived(stack, publisher, timeout)
    verdict = compare([m for p in several for m in p.messages], stack.database)
    assert verdict, str(verdict)


def assert_boards(
    stack: Any, collector_id: str = "collector", timeout: float = 8.0, by_arrival: bool = True
) -> None:
    """Every retained board is what SQL says for the board's own moment. Not `by_arrival` when the host's clock was set
    back: what was received before has an arrival after that moment, and is on the boards all the same."""
    listener = stack.listen(f"collectors/{collector_id}/boards/#")
    wrong: list[str] = []

    def all_right() -> bool:
        wrong.clear()
        for feature in FEATURES:
            for interval in INTERVAL_SECONDS:
                received = listener.latest(f"collectors/{collector_id}/boards/{feature}/{interval}")
                if received is None:
                    wrong.append(f"{feature}/{interval}: none")
                    continue
                board = received.json()
                as_of_us = to_us(board["asOf"])
                shown = board_of_json(board["readings"])
                right = board_by_sql(stack.database, feature, interval, as_of_us, by_arrival=by_arrival)
                if shown != right:
                    wrong.append(f"{feature}/{interval} at {board['asOf']}:\n  board {shown}\n  SQL   {right}")
        return not wrong

    try:
        until(all_right, timeout, pause=0.1)
    except AssertionError:
        raise AssertionError("boards differ from SQL:\n" + "\n".join(wrong)) from None
    finally:
        listener.close()


def assert_bounded(collector: Program) -> None:
    assert collector.fd_count() <= MOST_FDS, f"{collector.fd_count()} descriptors"
    assert collector.peak_rss_kb() <= MOST_RSS_KB, f"{collector.peak_rss_kb()} kB"


def assert_all_well(
    stack: Any, publishers: Publisher | Sequence[Publisher], collector: Program, timeout: float = 30.0,
    by_arrival: bool = True,
) -> None:
    """The promise, the boards, the bounds; and the collector's own books balance."""
    assert_kept(stack, publishers, timeout)
    assert_boards(stack, by_arrival=by_arrival)
    assert collector.is_running(), f"the collector ended with {collector.exit_code}:\n{collector.tail()}"
    assert_bounded(collector)
    assert "please report this" not in collector.output(), collector.tail()


# --- Facts about a running collector ---------------------------------------------------------------


class Books:
    """The counters in the collector's status, each second."""

    def __init__(self, stack: Any, collector_id: str = "collector") -> None:
        self._topic = f"collectors/{collector_id}/status"
        self._listener = stack.listen(self._topic)

    def now(self) -> dict[str, Any]:
        """The latest; {} before the first, and while the last will stands in for it."""
        received = self._listener.latest(self._topic)
        status = received.json() if received else {}
        return status if "received" in status else {}

    def until(self, fact: Callable[[dict[str, Any]], bool], timeout: float = 10.0, what: str = "") -> dict[str, Any]:
        def seen() -> dict[str, Any]:
            status = self.now()
            return status if status and fact(status) else {}

        try:
            return until(seen, timeout, what)
        except AssertionError as failure:
            raise AssertionError(f"{failure}; last status: {self.now()}") from None


def answers(postgres: PrivatePostgres) -> None:
    """Waits until PostgreSQL, which ended a session of its own accord and recovers, takes connections again."""

    def does() -> bool:
        with contextlib.suppress(ServerError):
            return postgres.sql("SELECT 1") == "1"
        return False

    until(does, 30, "PostgreSQL answers")


def waits_for_lock(stack: Any) -> bool:
    """The collector's transaction stands before a lock that the test holds."""
    return bool(
        stack.database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'highwater collector%' AND wait_event_type = 'Lock'"
        )
    )


@contextlib.contextmanager
def commits_held(stack: Any, table: str = "readings") -> Iterator[None]:
    """No batch can be stored inside the block; others may read. A batch that is under way stands still."""
    connection = stack.database.connect(superuser=True)

    def is_locked() -> bool:
        """False: a batch has locked a partition and waits for the table, and we the other way round."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            return True
        except psycopg2.errors.DeadlockDetected:
            connection.rollback()
            return False

    try:
        until(is_locked, 30, f"{table} is locked")
        yield
    finally:
        connection.rollback()
        connection.close()


def count_lines(program: Program, text: str) -> int:
    return sum(text in line for line in program.output().splitlines())
