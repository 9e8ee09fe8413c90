"""collector --store kafka://...: what devices publish is on a topic, nothing is acknowledged before, and no database is
needed. Kafka is played (kafka.py); one test of each kind meets a real one."""

from __future__ import annotations

import json

import pytest

from kafka import MockKafka, consume, new_topic
from kafka_topic import assert_written, reading_of
from oracle import reading
from servers import until


@pytest.fixture
def edge(stack, mock_kafka):
    return Edge(stack, mock_kafka)


class Edge:
    """A collector that stores into a topic of a Kafka, and what is published to it."""

    def __init__(self, stack, kafka, partitions=4):
        self.stack, self.kafka = stack, kafka
        self.topic = new_topic(kafka, partitions)
        new_topic(kafka, partitions, f"{self.topic}.rejected")

    def start(self, *args, **settings):
        settings = {"store": self.kafka.url(self.topic), "database_url": None, "leave_after": "500ms", **settings}
        return self.stack.start_collector(*args, **settings)

    def ready(self):
        try:
            status, _, body = self.stack.get("/readyz", self.stack.metrics_port)
        except OSError:
            return False
        return body.decode() if status != 200 else True

    def await_ready(self):
        until(lambda: self.ready() is True, 20, "the collector is ready")

    def metric(self, name):
        return self.stack.metrics()[f"highwater_{name}"]


def test_readings_are_records_and_rejected_messages_too(edge):
    collector = edge.start(subscribe="devices/+/readings,plants/+/r")
    edge.await_ready()
    publisher = edge.stack.publisher()
    for n in range(200):
        publisher.send([reading(f"device_{n % 7}", temperature=n / 3, pressure=n), reading(f"device_{n % 7}", temperature=-n)])
    publisher.send(reading("é\"\\", status="OFF", temperature=0.1), topic='plants/é"\\/r')
    publisher.send_bytes("devices/device_1/readings", b"\xff no json")
    publisher.send_bytes("devices/device_2/readings", b'{"temperature":1,"timestamp":"1970-01-01T00:00:00Z"}')
    publisher.send_bytes("devices/device_3/readings", b"")
    publisher.wait()
    until(lambda: edge.metric("kafka_records_total") == 401, 20)
    until(lambda: edge.metric("kafka_rejected_records_total") == 3, 20)
    assert_written(edge.kafka, edge.topic, publisher.messages)
    assert edge.metric("readings_stored_total") == 401 and edge.metric("kafka_partitions") == 4
    assert edge.ready() is True
    assert collector.terminate() == 0
