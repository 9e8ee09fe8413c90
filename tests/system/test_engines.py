"""That the tests' own Kafkas are what they seem: everything else rests on it."""

from __future__ import annotations

import pytest

from kafka import (
    MockKafka, Record, add_partitions, consume, delete_records, delete_topic, end_offsets, new_topic, produce,
)  # fmt: skip
from servers import until

RECORDS = [Record(b"%d" % n, b"device_%d" % (n % 7), (("identity", b"%016x" % n),)) for n in range(1000)]


def values(records):
    return sorted(int(record.value) for record in records)


def test_what_is_produced_is_consumed(mock_kafka: MockKafka):
    topic = new_topic(mock_kafka, 3)
    produce(mock_kafka, topic, RECORDS, enable_idempotence=True)
    got = consume(mock_kafka, topic)
    assert values(got) == list(range(1000))
    assert {r.header("identity") for r in got} == {r.header("identity") for r in RECORDS}
    assert len({(r.key, r.partition) for r in got}) == 7, "a key is in one partition"
    assert sum(end for _, end in end_offsets(mock_kafka, topic).values()) == 1000


def test_a_played_kafka_refuses_is_slow_and_goes_away(mock_kafka: MockKafka):
    topic = new_topic(mock_kafka, 3)
    mock_kafka.error(MockKafka.PRODUCE, MockKafka.NOT_LEADER, 3)
    mock_kafka.rtt(1, 50)
    mock_kafka.down(2)
    mock_kafka.leader(topic, 0, 3)
    mock_kafka.up(2)
    produce(mock_kafka, topic, RECORDS[:100], enable_idempotence=True)
    assert values(consume(mock_kafka, topic)) == list(range(100))
    with pytest.raises(AssertionError, match="takes"):
        mock_kafka.down("none")


@pytest.mark.engines
def test_a_real_kafka_keeps_what_it_took(kafka):
    topic = new_topic(kafka, 2)
    produce(kafka, topic, RECORDS, enable_idempotence=True)
    kafka.kill9()
    kafka.start()
    assert values(consume(kafka, topic)) == list(range(1000))
    delete_records(kafka, topic, {p: end - 10 for p, (_, end) in end_offsets(kafka, topic).items()})
    assert len(consume(kafka, topic)) == 20
    add_partitions(kafka, topic, 5)
    until(lambda: len(end_offsets(kafka, topic)) == 5, 30)
    delete_topic(kafka, topic)
    new_topic(kafka, 2, topic)
    until(lambda: end_offsets(kafka, topic) == {0: (0, 0), 1: (0, 0)}, 30)


@pytest.mark.engines
@pytest.mark.faults
def test_of_three_real_nodes_any_may_go(kafka_cluster):
    topic = new_topic(kafka_cluster, 3)
    produce(kafka_cluster, topic, RECORDS[:300], enable_idempotence=True)
    kafka_cluster.kill9(1)
    produce(kafka_cluster, topic, RECORDS[300:600], enable_idempotence=True)
    kafka_cluster.start_node(1)
    kafka_cluster.restart(2)
    produce(kafka_cluster, topic, RECORDS[600:], enable_idempotence=True)
    assert values(consume(kafka_cluster, topic)) == list(range(1000))
