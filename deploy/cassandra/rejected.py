"""Records that can never be written: kept in a topic of their own, whole, with their reason.

A copy has the key, the value and the headers of the record, and `reason`, `detail`, `origin` (topic, partition
and offset). The record is done when Kafka has the copy; until then its offset is not committed, however long that
takes. What is mended is written by reading that topic: --source kafka://.../readings.cassandra-rejected.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from errors import backoff_s
from metrics import Metrics
from progress import Record
from settings import Settings
from topic import client_settings

log = logging.getLogger("highwater.kafka")


class Copy:
    def __init__(self, record: Record, reason: str, detail: str) -> None:
        message: Message = record.message
        origin = f"{message.topic()} {message.partition()} {message.offset()}"
        ours = {"reason": reason, "detail": detail, "origin": origin}
        self.record = record
        self.reason = reason
        self.key = message.key()
        self.value = message.value()
        self.headers = [(n, v) for n, v in message.headers() or () if n not in ours]
        self.headers += [(n, v.encode(errors="backslashreplace")) for n, v in ours.items()]
        self.attempts = 0
        self.due = 0.0


class Rejected:
    def __init__(self, settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._producer: Producer | None = None  # most never need one
        self._later: deque[Copy] = deque()
        self.waiting = 0  # not kept yet
        self.trouble = ""  # why they are not

    def keep(self, record: Record, reason: str, detail: str) -> None:
        """Ends one of the record's when its copy is in Kafka."""
        self.waiting += 1
        self._send(Copy(record, reason, detail))

    def step(self, now: float) -> None:
        if self._producer:
            self._producer.poll(0)
        for _ in range(len(self._later)):
            copy = self._later.popleft()
            if copy.due <= now:
                self._send(copy)
            else:
                self._later.append(copy)

    def _send(self, copy: Copy) -> None:
        try:
            if not self._producer:
                self._producer = Producer({
                    **client_settings(self._settings), "enable.idempotence": True, "acks": "all", "message.timeout.ms": 0,
                    "linger.ms": 20, "partitioner": "murmur2_random",
                })  # fmt: skip
            self._producer.produce(
                self._settings.rejected_topic, copy.value, copy.key, headers=copy.headers,
                on_delivery=lambda error, _: self._on_delivery(copy, error),
            )  # fmt: skip
        except BufferError:
            self._try_again(copy, "too many wait for Kafka")
        except KafkaException as error:
            self._on_delivery(copy, error.args[0])

    def _on_delivery(self, copy: Copy, error: KafkaError | None) -> None:
        if error is None:
            self.waiting -= 1
            self.trouble = ""
            self._metrics.add("rejected_total", reason=copy.reason)
            copy.record.end_one()
        elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE and copy.value:
            copy.headers.append(("cut", str(len(copy.value)).encode()))  # `origin` says where it is whole
            copy.value = copy.value[:10_000]
            self._send(copy)
        else:
            if error.fatal() or error.code() == KafkaError._FATAL:
                self._producer = None  # another one can go on
            self._try_again(copy, error.str())

    def _try_again(self, copy: Copy, why: str) -> None:
        copy.attempts += 1
        self.trouble = f"{self._settings.rejected_topic}: {why}"
        copy.due = self._clock() + backoff_s(copy.attempts)
        self._later.append(copy)
        if copy.attempts in (1, 5) or copy.attempts % 10 == 0:
            log.error("a rejected record is not in %s, which is tried again: %s", self._settings.rejected_topic, why)

    def close(self) -> None:
        """What is under way may still arrive."""
        if self._producer:
            self._producer.flush(1)
