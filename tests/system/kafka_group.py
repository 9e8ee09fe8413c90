"""Collectors that read a topic in one group, what was written to it, and whether the tables and boards have it.

    group = Group(stack, kafka, rng)
    group.start("a"), group.start("b")
    with group.load(20_000):       # so many records a second
        ...                        # something happens
    group.assert_exact()

Among the records are what a store may get wrong: records of Highwater's own and of programs that know nothing of it,
the same record twice, as a producer that never heard its answer writes it, late readings, readings of one device
in several partitions, values that are none.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2

from kafka import MockKafka, Record, client, consume, new_topic, produce, produce_in_transaction
from kafka_topic import reading_of
from oracle import FEATURES, INTERVAL_SECONDS, Reading, board_by_sql, board_of_json, now_us, stored_readings, to_text, to_us
from published import content_hash
from servers import LOOPBACK, Program, free_port, patience, until

SESSION_S = 6  # after which a member that is silent is one no more


def is_ready(stack: Any, port: int) -> bool:
    """What a collector's listener says; False while nobody answers."""
    with contextlib.suppress(OSError):
        return bool(stack.get("/readyz", port)[0] == 200)
    return False


class Group:
    """`server` is a MockKafka or a PrivateKafka; settings of `start` are the collector's."""

    def __init__(self, stack: Any, server: Any, rng: random.Random, partitions: int = 4, **config: object) -> None:
        self.stack = stack
        self.server = server
        self.topic = new_topic(server, partitions)
        new_topic(server, partitions, f"{self.topic}.rejected")
        self.name = f"group-{self.topic}"
        self.members: dict[str, Program] = {}
        self.readings: list[Reading] = []  # written, each once
        self.poison: list[bytes] = []
        self._rng = rng
        self._ports: dict[str, int] = {}
        self._config: Path | None = None
        self._last_us = 0
        self._lock = threading.Lock()
        if config:
            self._config = stack.logs / "kafka.conf"
            self._config.write_text("".join(f"{key.replace('_', '.')}={value}\n" for key, value in config.items()))

    @property
    def source(self) -> str:
        """Members of a played Kafka have no names, which it does not know: it would wait for those that left."""
        nameless = "&member=-" if isinstance(self.server, MockKafka) else ""
        return f"{self.server.url(self.topic)}?group={self.name}{nameless}"

    # --- Members

    def start(self, name: str, **settings: Any) -> Program:
        """One of this name, again where it has ended."""
        if name not in self.members:
            self._ports[name] = free_port()
            if self._config:
                settings.setdefault("kafka_config", self._config)
            settings = {"collector_id": name, "metrics_listen": f"{LOOPBACK}:{self._ports[name]}", **settings}
            self.members[name] = self.stack.program(
                "collector", log_name=f"collector-{name}", source=self.source, **settings
            )
        self.members[name].start()
        return self.members[name]

    def metrics(self, name: str) -> dict[str, float]:
        return self.stack.metrics(self._ports[name])  # type: ignore[no-any-return]

    def metric(self, name: str, metric: str) -> float:
        """The sum of it over all labels."""
        return sum(v for key, v in self.metrics(name).items() if key.split("{")[0] == metric)

    def batches(self, name: str) -> int:
        """How many this collector has ever stored."""
        with contextlib.suppress(psycopg2.Error):
            rows = self.stack.database.rows("SELECT batches FROM collectors WHERE id = %s", (name,))
            return int(rows[0][0]) if rows else 0
        return 0

    def stores(self, name: str, timeout: float = 60.0) -> None:
        """Waits until it has stored one batch more than now."""
        before = self.batches(name)
        until(lambda: self.batches(name) > before, timeout, f"{name} stores")

    # --- Records

    def make(self) -> list[Record]:
        """One record, mostly; the readings that are in it are expected from now on."""
        rng = self._rng
        chance = rng.random()
        if chance < 0.001:
            with self._lock:
                self.poison.append(b'{"temperature":"%x"}' % rng.getrandbits(64))
                return [Record(self.poison[-1], b"device_1")]
        with self._lock:
            self._last_us = max(now_us() - 2_000_000, self._last_us + 1)
            at_us = self._last_us - (rng.randrange(90_000_000) if chance < 0.05 else 0)
        device = f"device_{rng.randrange(40)}"
        values = {"temperature": rng.randrange(80_000) / 8, "pressure": rng.randrange(800) / 8}
        one = Reading(device, at_us, "ON", tuple(sorted(values.items())))
        record = self._record(one, is_ours=chance < 0.5)
        with self._lock:
            self.readings.append(one)
        return [record, record] if chance > 0.99 else [record]

    def _record(self, one: Reading, is_ours: bool) -> Record:
        value = json.dumps(one.to_json(), separators=(",", ":")).encode()
        partition = 0 if self._rng.random() < 0.01 else -1  # a stranger may put it anywhere
        if not is_ours:
            return Record(value, one.device_id.encode(), partition=partition)
        headers = (
            ("identity", b"%016x" % (content_hash(value) & 0xFFFFFFFFFFFFFFFF)),
            ("arrival", to_text(one.recorded_at_us).encode()),
            ("topic", f"devices/{one.device_id}/readings".encode()),
        )
        return Record(value, one.device_id.encode(), headers, partition=partition)

    def fill_poison(self, count: int) -> None:
        """Writes so many records that are no readings, in all partitions."""
        poison = [b'{"temperature":"%x"}' % self._rng.getrandbits(64) for _ in range(count)]
        self.poison += poison
        produce(self.server, self.topic, [Record(each, b"device_%d" % n) for n, each in enumerate(poison)])

    def fill(self, count: int, **settings: Any) -> None:
        """Writes so many and waits until Kafka has them; settings are librdkafka's."""
        produce(self.server, self.topic, (record for _ in range(count) for record in self.make()), **settings)

    def fill_in_transaction(self, count: int, is_kept: bool) -> None:
        """Writes so many, which are committed or are not."""
        readings, poison = len(self.readings), len(self.poison)
        records = [record for _ in range(count) for record in self.make()]
        produce_in_transaction(self.server, self.topic, records, is_kept)
        if not is_kept:
            del self.readings[readings:], self.poison[poison:]

    @contextlib.contextmanager
    def load(self, rate: float, total: int = 10**9) -> Iterator[None]:
        """So many a second inside the block, or until there are `total`, for whose end it waits."""
        ended = threading.Event()
        failures: list[BaseException] = []

        def records() -> Iterator[Record]:
            start, sent = time.monotonic(), 0
            while sent < total and not (ended.is_set() and total == 10**9):
                due = min(total, int((time.monotonic() - start) * rate))
                for _ in range(due - sent):
                    yield from self.make()
                sent = due
                time.sleep(0.01)

        def run() -> None:
            try:
                produce(self.server, self.topic, records(), enable_idempotence=True, message_timeout_ms=300_000)
            except BaseException as failure:
                failures.append(failure)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(patience(300))
        assert not failures and not thread.is_alive(), failures

    def coordinator(self) -> int:
        """The node that coordinates the group; all have to be there."""

        def found() -> int:
            groups = client("AdminClient", self.server.bootstrap).list_groups(self.name, timeout=patience())
            return next((group.broker.id for group in groups), 0)

        return until(found, 60, "the group has a coordinator")

    def positions(self) -> dict[int, int]:
        """Where the database says that each partition of the topic stands."""
        rows = self.stack.database.rows(
            "SELECT partition, coalesce(next, 0) FROM positions WHERE group_id = %s AND topic = %s", (self.name, self.topic)
        )
        return dict(rows)

    def expect_what_is_left(self) -> None:
        """From now on only what is in the tables or still in the topic is expected to be in the tables."""
        left = consume(self.server, self.topic)
        kept = {*stored_readings(self.stack.database), *(reading_of(r) for r in left if r.value not in self.poison)}
        self.readings = [one for one in self.readings if one in kept]
        rejected = {bytes(row[0]) for row in self.stack.database.rows("SELECT payload FROM rejected_messages")}
        self.poison = [one for one in self.poison if one in rejected | {r.value for r in left}]

    # --- Verdict

    def all_stored(self, timeout: float = 60.0) -> None:
        """Until there are as many rows as readings, and as many rejected messages as poison."""

        def counts() -> tuple[int, int]:
            return self.stack.database.count(), self.stack.database.count("rejected_messages")

        expected = (len(self.readings), len(self.poison))
        try:
            until(lambda: counts() >= expected and counts()[1] >= expected[1], timeout, pause=0.1)
        except AssertionError:
            pass  # the sets tell more

    def assert_tables(self, timeout: float = 60.0) -> None:
        """Every reading is there once, every rejected record is there once, and nothing else is."""
        self.all_stored(timeout)
        stored, written = Counter(stored_readings(self.stack.database)), Counter(self.readings)
        rejected = Counter(bytes(row[0]) for row in self.stack.database.rows("SELECT payload FROM rejected_messages"))
        poison = Counter(self.poison)
        found = {
            "lost": [*(written - stored), *(poison - rejected)],
            "doubled or unexpected": [*(stored - written), *(rejected - poison)],
        }
        assert not any(found.values()), "\n".join(
            [*(f"{name}: {len(some)}: {some[:5]}" for name, some in found.items()), *self._places(found["lost"])]
        )

    def _places(self, lost: list[Any]) -> list[str]:
        """Where in the topic the first of them lie, if anywhere, and where each partition is read from next."""
        at: dict[Any, list[str]] = {}
        for record in consume(self.server, self.topic):
            what = record.value if record.value in self.poison else reading_of(record)
            at.setdefault(what, []).append(f"{record.partition}:{record.offset}")
        return [f"{one} is in the topic at {at.get(one)}" for one in lost[:20]] + [f"next: {self.positions()}"]

    def assert_boards(self) -> None:
        """What httpapi answers out of the members' boards is what SQL says."""
        for feature in FEATURES:
            for interval in INTERVAL_SECONDS:
                path = f"/dashboard?features={feature}&interval={interval}"

                def answer(path: str = path) -> Any:
                    status, headers, body = self.stack.get(path)
                    return (headers, body) if status == 200 and headers["X-Data-Source"] == "boards" else None

                headers, body = until(answer, 60, f"{path} is answered from boards", pause=0.1)
                as_of_us = to_us(headers["X-Data-As-Of"])
                shown = board_of_json(json.loads(body)[feature])
                right = board_by_sql(self.stack.database, feature, interval, as_of_us)
                assert shown == right, f"{path} as of {headers['X-Data-As-Of']}:\n  boards {shown}\n  SQL    {right}"

    def assert_exact(self, timeout: float = 60.0) -> None:
        self.assert_tables(timeout)
        self.assert_boards()
        for name, member in self.members.items():
            assert "please report this" not in member.output(), f"{name}:\n{member.tail()}"
