"""A collector that stores what devices send into a topic, and whether all of it is there."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager
from typing import Any

from faults import Fleet, sending
from kafka import consume, end_offsets, new_topic
from kafka_group import is_ready
from kafka_topic import assert_written, reading_of
from oracle import Reading, reading
from servers import until


class Edge:
    """A collector that stores into Kafka, and devices that send to it all the while."""

    def __init__(self, stack: Any, kafka: Any, rng: random.Random, rate: float = 1000) -> None:
        self.stack, self.kafka, self.rate = stack, kafka, rate
        self.topic = new_topic(kafka, 4)
        new_topic(kafka, 1, f"{self.topic}.rejected")
        self.collector = stack.start_collector(store=kafka.url(self.topic), database_url=None)
        until(self.is_ready, 30, "the collector is ready")
        self.fleet = Fleet(rng, stack.publisher())

    def is_ready(self) -> bool:
        return is_ready(self.stack, self.stack.metrics_port)

    def load(self) -> AbstractContextManager[None]:
        return sending(self.fleet.send_one, self.rate)

    def arrives(self, more: int = 300) -> None:
        """Waits until so many more are in the topic."""
        count = self.count() + more
        until(lambda: self.count() >= count, 60, f"{count} are in the topic")

    def count(self) -> int:
        return sum(end for _, end in end_offsets(self.kafka, self.topic).values())

    def arrived(self) -> None:
        """Until what was sent last, which the broker hands on after all else, is in the topic, and then another: all of a
        batch is in it before the next one begins."""
        for _ in range(2):
            last = self.fleet.publisher.send(reading("marker", temperature=1.0))
            self.fleet.publisher.wait()
            until(lambda last=last: self._has(last.readings[0]), 60, "the last reading is in the topic", pause=0.2)

    def _has(self, one: Reading) -> bool:
        return any(r.key == b"marker" and reading_of(r) == one for r in consume(self.kafka, self.topic))

    def assert_kept(self) -> None:
        self.arrived()
        assert_written(self.kafka, self.topic, self.fleet.publisher.messages)
        assert self.collector.is_running(), self.collector.tail()
        assert "please report this" not in self.collector.output(), self.collector.tail()
