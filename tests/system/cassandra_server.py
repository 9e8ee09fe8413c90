"""Cassandra for the system tests: a real node, the consumer that writes into it, and what tests read there.

    cassandra   a node of which each test has a keyspace of its own; shared by the tests of a process, which may kill it

For tests marked `engines`. What is in a table is read with the official driver, as by a stranger's program.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from private_cassandra import JARS, PrivateCassandra, java_can
from servers import CLONE, LOOPBACK, Program, free_port, patience, until

PROGRAM = CLONE / "deploy" / "cassandra" / "highwater_cassandra.py"
# A reading that the node refuses, for it takes more than 48 KiB.
TOO_LARGE = {"\U0001d6fc" * 61 + f"{number:03}": 1.0 for number in range(198)}


def needs_cassandra() -> None:
    pytest.importorskip("cassandra")
    pytest.importorskip("xxhash")
    if not java_can():
        pytest.skip("Cassandra needs Java 11 or 17")
    if not (JARS / ".complete").exists():
        pytest.skip("no Cassandra in build/engines: make engines")


@pytest.fixture(scope="session")
def cassandra_server(area: Path) -> Iterator[PrivateCassandra]:
    needs_cassandra()
    home = Path(tempfile.mkdtemp(dir=area, prefix="cassandra-"))
    server = PrivateCassandra(home, area / "cassandra.log", {"max_mutation_size": "48KiB"})
    yield server
    server.kill9()


class Store:
    """A keyspace of a node, and consumers that write into it."""

    def __init__(self, server: PrivateCassandra, logs: Path, more: str = "") -> None:
        self.server = server
        self.keyspace = f"test_{uuid.uuid4().hex[:12]}"
        self.url = server.url(self.keyspace) + more
        self.logs = logs
        self.consumers: list[Consumer] = []

    def consumer(self, source: str, *args: str, name: str = "consumer", **settings: str) -> Consumer:
        """Not started. Settings are environment variables."""
        consumer = Consumer(self, source, args, name, settings)
        self.consumers.append(consumer)
        return consumer

    def create(self, *args: str) -> None:
        program = Program(
            "create",
            [PROGRAM, "--create-schema", "--store", self.url, "--replication", "1", *args],
            self.logs / "create.log",
        )
        program.start()
        assert program.wait(60) == 0, program.tail()

    def session(self) -> contextlib.AbstractContextManager[Any]:
        return session(self.server, self.keyspace)

    def rows(self) -> list[Any]:
        """All of the table."""
        with self.session() as asked:
            return list(
                asked.execute("SELECT device, day, recorded_at, id, received_at, status, seq, features FROM readings")
            )

    def keys(self) -> Counter[tuple[str, int, int, int]]:
        """(device, day since 1970, microsecond of it, id) of each row, with how often it is there."""
        with self.session() as asked:
            found = asked.execute("SELECT device, day, recorded_at, id FROM readings")
            return Counter(
                (r.device, r.day.days_from_epoch, r.recorded_at.nanosecond_time // 1000, r.id) for r in found
            )

    def close(self) -> None:
        for consumer in self.consumers:
            consumer.program.kill9()


@contextlib.contextmanager
def session(server: PrivateCassandra, keyspace: str | None = None, **settings: Any) -> Iterator[Any]:
    from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile  # noqa: PLC0415

    profile = ExecutionProfile(request_timeout=patience())
    cluster = Cluster(
        [LOOPBACK], port=server.port, protocol_version=4, connect_timeout=patience(),
        execution_profiles={EXEC_PROFILE_DEFAULT: profile}, **settings,
    )  # fmt: skip
    try:
        yield cluster.connect(keyspace)
    finally:
        cluster.shutdown()


class Consumer:
    def __init__(self, store: Store, source: str, args: tuple[str, ...], name: str, settings: dict[str, str]) -> None:
        self.port = free_port()
        environment = {**os.environ, "SOURCE": source, "STORE": store.url, "METRICS_LISTEN": str(self.port)}
        environment.update({key.upper(): value for key, value in settings.items()})
        self.program = Program(name, [PROGRAM, *args], store.logs / f"{name}.log", env=environment)

    def start(self) -> Consumer:
        self.program.start()
        return self

    def get(self, path: str) -> tuple[int, str]:
        """(status, body); (0, "") while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}{path}", timeout=patience()) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> dict[str, float]:
        """By name without the prefix, with labels; empty while nobody answers."""
        samples = (line.rsplit(" ", 1) for line in self.get("/metrics")[1].splitlines() if not line.startswith("#"))
        return {name.removeprefix("highwater_cassandra_"): float(value) for name, value in samples}

    def metric(self, name: str) -> float:
        """Of all its labels together."""
        return sum(value for key, value in self.metrics().items() if key.split("{")[0] == name)

    def wait_for(self, name: str, least: float, timeout: float = 60.0) -> None:
        def reached() -> bool:
            assert self.program.is_running(), f"it ended with {self.program.exit_code}:\n{self.program.tail()}"
            return self.metric(name) >= least

        until(reached, timeout, f"{name} >= {least}")

    def stop(self) -> None:
        """A good end: all is written and committed."""
        assert self.program.terminate(60) == 0, self.program.tail()


@pytest.fixture
def cassandra(cassandra_server: PrivateCassandra, logs: Path) -> Iterator[Store]:
    """A keyspace with the table."""
    if not cassandra_server.is_running():
        cassandra_server.start()
    store = Store(cassandra_server, logs)
    store.create()
    yield store
    store.close()
