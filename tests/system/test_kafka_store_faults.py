"""Kafka refuses, is slow, loses brokers and moves what it leads, or the collector is killed: what was acknowledged to a
device is on the topic.

Played by librdkafka's mock cluster; test_engines_kafka.py has the same at a real one.
"""

from __future__ import annotations

import time

import pytest

from faults import Fleet, sending
from kafka import MockKafka as Mock
from kafka import end_offsets, new_topic
from kafka_group import is_ready
from kafka_topic import assert_written
from servers import until

RATE = 1000

# What a broker may answer to each kind of request; none of it is for ever.
ANSWERS = {
    Mock.PRODUCE: (
        Mock.NOT_LEADER, Mock.LEADER_NOT_AVAILABLE, Mock.TIMED_OUT, Mock.NOT_ENOUGH_COPIES, Mock.STORAGE_ERROR,
        Mock.UNKNOWN_TOPIC, Mock.OUT_OF_ORDER, Mock.UNKNOWN_PRODUCER, Mock.TOPIC_FORBIDDEN,
    ),
    Mock.INIT_PRODUCER_ID: (Mock.COORDINATOR_LOADING, Mock.NOT_COORDINATOR, Mock.TIMED_OUT),
    Mock.METADATA: (Mock.LEADER_NOT_AVAILABLE, Mock.TIMED_OUT),
}  # fmt: skip


@pytest.fixture
def edge(stack, mock_kafka, rng):
    return Edge(stack, mock_kafka, rng)


class Edge:
    """A collector that stores into Kafka, and devices that send to it all the while."""

    def __init__(self, stack, kafka, rng) -> None:
        self.stack, self.kafka = stack, kafka
        self.topic = new_topic(kafka, 4)
        new_topic(kafka, 1, f"{self.topic}.rejected")
        self.collector = stack.start_collector(store=kafka.url(self.topic), database_url=None)
        until(self.is_ready, 30, "the collector is ready")
        self.fleet = Fleet(rng, stack.publisher())

    def is_ready(self) -> bool:
        return is_ready(self.stack, self.stack.metrics_port)

    def load(self):
        return sending(self.fleet.send_one, RATE)

    def arrives(self, more: int = 300) -> None:
        """Waits until so many more are in the topic."""
        count = self.count() + more
        until(lambda: self.count() >= count, 60, f"{count} are in the topic")

    def count(self) -> int:
        return sum(end for _, end in end_offsets(self.kafka, self.topic).values())

    def assert_kept(self) -> None:
        self.fleet.publisher.wait()
        assert_written(self.kafka, self.topic, self.fleet.publisher.messages)
        assert self.collector.is_running(), self.collector.tail()
        assert "please report this" not in self.collector.output(), self.collector.tail()


def test_whatever_kafka_answers_a_store_loses_nothing(edge):
    with edge.load():
        edge.arrives()
        for _ in range(2):
            for api, codes in ANSWERS.items():
                for code in codes:
                    edge.kafka.error(api, code)
            edge.arrives()
    edge.assert_kept()


def test_a_store_waits_for_brokers_that_are_away_or_slow(edge):
    with edge.load():
        edge.arrives()
        for broker in (1, 2, 3):
            edge.kafka.rtt(broker, 100)
        edge.arrives()
        for broker in (1, 2, 3):
            edge.kafka.down(broker)
        until(lambda: not edge.is_ready(), 60, "it is not ready")
        time.sleep(1)  # the fault
        for broker in (1, 2, 3):
            edge.kafka.rtt(broker, 0)
            edge.kafka.up(broker)
        edge.arrives()
        for partition in range(4):
            edge.kafka.leader(edge.topic, partition, 1 + partition % 2)
        edge.kafka.down(3)
        edge.arrives()
    edge.assert_kept()


def test_a_store_that_is_killed_loses_nothing(edge, rng):
    for broker in (1, 2, 3):
        edge.kafka.rtt(broker, 50)  # so much longer than it is in our hands it is in Kafka's
    with edge.load():
        for _ in range(3):
            edge.arrives()
            time.sleep(rng.random() * 0.2)  # chance
            edge.collector.kill9()
            edge.collector.start()
        edge.arrives()
    edge.assert_kept()
