"""Kafka for the system tests: one that librdkafka plays, and a real one; and what tests write to topics and read there.

    mock_kafka      three brokers played by one program, for the ordinary tests; skipped after `make KAFKA=no`
    kafka           a real node, shared by the tests of a process, which each have topics and groups of their own
    kafka_cluster   three real nodes of this test's own

The real ones are for tests marked `engines`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from private_kafka import PrivateKafka
from servers import CLONE, LOOPBACK, patience, until

# --- Servers -------------------------------------------------------------------------------------


class MockKafka:
    """tests/engines/kafka_mock.c; brokers are numbered from 1."""

    PROGRAM = CLONE / "build" / "engines" / "kafka_mock"

    # Kinds of requests, and answers to them, by their numbers in the protocol.
    PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, OFFSET_FETCH = 0, 1, 2, 3, 8, 9
    FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP, INIT_PRODUCER_ID = 10, 11, 12, 13, 14, 22
    OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, NOT_LEADER, TIMED_OUT = 1, 3, 5, 6, 7
    TOO_LARGE, COORDINATOR_LOADING, NO_COORDINATOR, NOT_COORDINATOR, NOT_ENOUGH_COPIES = 10, 14, 15, 16, 19
    ILLEGAL_GENERATION, UNKNOWN_MEMBER, REBALANCE_IN_PROGRESS, TOPIC_FORBIDDEN, GROUP_FORBIDDEN = 22, 25, 27, 29, 30
    STORAGE_ERROR, OUT_OF_ORDER, UNKNOWN_PRODUCER, FENCED_MEMBER = 56, 45, 59, 82

    def __init__(self, log: Path, brokers: int = 3) -> None:
        self._process = subprocess.Popen(
            [self.PROGRAM, str(brokers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("ab"), text=True
        )
        self.bootstrap = self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, f"kafka_mock ended with {self._process.wait()}"
        return line

    def _tell(self, *words: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        assert answer == "ok", f"{words}: {answer}"

    def url(self, topic: str) -> str:
        """For --source and --store."""
        return f"kafka://{self.bootstrap}/{topic}"

    def topic(self, name: str, partitions: int = 4) -> str:
        self._tell("topic", name, partitions)
        return name

    def down(self, broker: int) -> None:
        self._tell("down", broker)

    def up(self, broker: int) -> None:
        self._tell("up", broker)

    def rtt(self, broker: int, ms: int) -> None:
        """The broker answers so much later; 0 ends it."""
        self._tell("rtt", broker, ms)

    def error(self, api: int, code: int, times: int = 1) -> None:
        """The next so many requests of this kind are refused."""
        self._tell("error", api, code, times)

    def forgive(self, api: int) -> None:
        self._tell("forgive", api)

    def coordinator(self, group: str, broker: int) -> None:
        self._tell("coordinator", group, broker)

    def leader(self, topic: str, partition: int, broker: int) -> None:
        self._tell("leader", topic, partition, broker)

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(patience())


@pytest.fixture
def mock_kafka(logs: Path) -> Iterator[MockKafka]:
    if not MockKafka.PROGRAM.exists():
        pytest.skip("built without Kafka")
    mock = MockKafka(logs / "kafka_mock.log")
    yield mock
    mock.close()


@pytest.fixture(scope="session")
def kafka_server(area: Path) -> Iterator[PrivateKafka]:
    server = PrivateKafka(Path(tempfile.mkdtemp(dir=area, prefix="kafka-")), logs=area / "kafka-logs")
    yield server
    server.kill9_all()


@pytest.fixture
def kafka(kafka_server: PrivateKafka) -> PrivateKafka:
    """A test may stop or kill it; the next one finds it running."""
    kafka_server.start()
    return kafka_server


@pytest.fixture
def kafka_cluster(area: Path, logs: Path) -> Iterator[PrivateKafka]:
    server = PrivateKafka(Path(tempfile.mkdtemp(dir=area, prefix="kafka-")), nodes=3, logs=logs)
    server.start()
    yield server
    server.kill9_all()


# --- Clients -------------------------------------------------------------------------------------

_QUIET = {"log_level": 2}  # or a client complains for as long as a broker is away


def client(kind: str, bootstrap: str, **settings: Any) -> Any:
    """A Producer, Consumer or AdminClient of confluent_kafka; settings are librdkafka's, with _ for each dot."""
    module = pytest.importorskip("confluent_kafka")
    if kind == "AdminClient":
        module = pytest.importorskip("confluent_kafka.admin")
    named = {name.replace("_", "."): value for name, value in settings.items()}
    return getattr(module, kind)({"bootstrap.servers": bootstrap, **_QUIET, **named})


def new_topic(server: Any, partitions: int = 4, name: str = "", **settings: str) -> str:
    """Makes a topic that no other test has; settings are Kafka's, with _ for each dot."""
    name = name or f"readings-{uuid.uuid4().hex[:8]}"
    if isinstance(server, MockKafka):
        return server.topic(name, partitions)
    admin = client("AdminClient", server.bootstrap)
    from confluent_kafka.admin import NewTopic  # noqa: PLC0415

    config = {key.replace("_", "."): value for key, value in settings.items()}
    topic = NewTopic(name, partitions, replication_factor=len(server.ports), config=config)
    _done(admin.create_topics([topic]))
    return name


def add_partitions(server: PrivateKafka, topic: str, total: int) -> None:
    admin = client("AdminClient", server.bootstrap)
    from confluent_kafka.admin import NewPartitions  # noqa: PLC0415

    _done(admin.create_partitions([NewPartitions(topic, total)]))


def delete_topic(server: PrivateKafka, topic: str) -> None:
    """Returns when it is gone, so that another of its name can be made."""
    admin = client("AdminClient", server.bootstrap)
    _done(admin.delete_topics([topic]))
    until(lambda: topic not in admin.list_topics(timeout=patience()).topics, 30, f"{topic} is gone")


def _done(futures: dict[Any, Any]) -> None:
    for future in futures.values():
        future.result(timeout=patience())


@dataclass(frozen=True)
class Record:
    """One record of a topic; a header is a pair, and may be there twice."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = 0  # 0: when it is sent
    partition: int = -1  # -1: by key
    offset: int = -1

    def header(self, name: str) -> str | None:
        """The first of this name, as text."""
        return next((v.decode() for n, v in self.headers if n == name and v is not None), None)


def produce(server: Any, topic: str, records: Iterable[Record | bytes], **settings: Any) -> None:
    """Sends them and waits until Kafka has each; as any other program than ours would."""
    producer = _producer(server, **settings)
    failures: list[Any] = []
    for record in records:
        _send(producer, topic, record, failures)
    left = producer.flush(patience())
    assert not left and not failures, f"{left} records are not in Kafka: {failures[:3]}"


def produce_in_transaction(server: Any, topic: str, records: Iterable[Record | bytes], is_kept: bool) -> None:
    """Sends them in one transaction, which is committed or aborted."""
    producer = _producer(server, transactional_id=f"transaction-{topic}")
    failures: list[Any] = []
    producer.init_transactions(patience())
    producer.begin_transaction()
    for record in records:
        _send(producer, topic, record, failures)
    left = producer.flush(patience())
    assert not left and not failures, f"{left} records are not in Kafka: {failures[:3]}"
    if is_kept:
        producer.commit_transaction(patience())
    else:
        producer.abort_transaction(patience())


# One request at a time: else librdkafka takes a refused one for delivered when a new partition has taken the next.
def _producer(server: Any, **settings: Any) -> Any:
    defaults = {"max_in_flight": 1, "partitioner": "murmur2_random", "linger_ms": 5}
    defaults["topic_metadata_refresh_interval_ms"] = 1000  # partitions may be added
    return client("Producer", server.bootstrap, **{**defaults, **settings})


def _send(producer: Any, topic: str, each: Record | bytes, failures: list[Any]) -> None:
    record = each if isinstance(each, Record) else Record(each)
    arguments = {"timestamp": record.timestamp_ms} if record.timestamp_ms else {}
    while True:
        try:
            producer.produce(
                topic, record.value, record.key, partition=record.partition, headers=list(record.headers),
                on_delivery=lambda error, _: error and failures.append(error), **arguments,
            )  # fmt: skip
            return
        except BufferError:
            producer.poll(0.1)


def end_offsets(server: Any, topic: str) -> dict[int, tuple[int, int]]:
    """(first, next) offset of each partition; {} while there is no such topic. Asked anew until all is answered: what a
    client knows of leaders may be of before one was killed, and librdkafka before 2.3 may ask that one for ever."""
    answers: list[dict[int, tuple[int, int]]] = []

    def is_answered() -> bool:
        asking = threading.Thread(target=_ask_offsets, args=(server, topic, answers), daemon=True)
        asking.start()
        asking.join(10)
        return bool(answers)

    until(is_answered, 60, f"where {topic} ends")
    return answers[0]


def _ask_offsets(server: Any, topic: str, answers: list[dict[int, tuple[int, int]]]) -> None:
    from confluent_kafka import KafkaException, TopicPartition  # noqa: PLC0415

    consumer = client("Consumer", server.bootstrap, group_id="offsets")
    with contextlib.suppress(KafkaException):
        known = consumer.list_topics(topic, timeout=5).topics[topic]
        partitions = [] if known.error else known.partitions
        answers.append({n: consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=5) for n in partitions})
    consumer.close()


def consume(server: Any, topic: str) -> list[Record]:
    """Everything that is in a topic now, each partition in order."""
    from confluent_kafka import OFFSET_BEGINNING, TopicPartition  # noqa: PLC0415

    ends = {p: end for p, (first, end) in end_offsets(server, topic).items() if end > first}
    records: list[Record] = []
    consumer = client("Consumer", server.bootstrap, group_id="reader", enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in ends])

    def take() -> bool:
        for message in consumer.consume(10_000, timeout=0.2) if ends else ():
            assert message.error() is None, message.error()
            records.append(_record(message))
            if message.offset() + 1 >= ends.get(message.partition(), 0):
                ends.pop(message.partition(), None)
        return not ends

    try:
        until(take, 60, f"everything in {topic} is read", pause=0)
    finally:
        consumer.close()
    return sorted(records, key=lambda r: (r.partition, r.offset))


def _record(message: Any) -> Record:
    headers = tuple(message.headers() or ())
    return Record(
        message.value(), message.key(), headers, message.timestamp()[1], message.partition(), message.offset()
    )


def delete_records(server: PrivateKafka, topic: str, before: dict[int, int]) -> None:
    """Truncates a node's partitions: what is older than an offset goes, as when its retention is over. By hand, since
    older clients have no call for it."""
    name = topic.encode()
    partitions = b"".join(struct.pack(">iq", *each) for each in before.items())
    body = struct.pack(">ih", 1, len(name)) + name + struct.pack(">i", len(before)) + partitions
    request = struct.pack(">hhih", 21, 0, 1, -1) + body + struct.pack(">i", 30_000)  # DeleteRecords, version 0
    with socket.create_connection((LOOPBACK, server.ports[1]), patience()) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.makefile("rb")
        reply = answer.read(struct.unpack(">i", answer.read(4))[0])
    results = reply[-14 * len(before) :]
    for partition, low, error in struct.iter_unpack(">iqh", results):
        assert error == 0 and low >= before[partition], f"{topic}/{partition}: error {error}, from {low}"
