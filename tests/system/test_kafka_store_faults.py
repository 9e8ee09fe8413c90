"""Kafka refuses, is slow, loses brokers and moves what it leads, or the collector is killed: what was acknowledged to a
device is on the topic.

Played by librdkafka's mock cluster; test_engines_kafka.py has the same at a real one.
"""

from __future__ import annotations

import time

import pytest

from kafka import MockKafka as Mock
from kafka_edge import Edge
from servers import until

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
        edge.kafka.leader(f"{edge.topic}.rejected", 0, 1)
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
