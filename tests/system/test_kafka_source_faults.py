"""Kafka refuses, is slow, loses brokers and moves what it leads, or members are killed: each record is stored once.

Played by librdkafka's mock cluster; test_engines_kafka.py has the same at a real one.
"""

from __future__ import annotations

import time

import pytest

from kafka import MockKafka as Mock
from kafka_group import Group

RATE = 1000

# What a broker may answer to each kind of request; none of it is for ever. Each time that a member has to join
# again takes a played Kafka some seconds, so not all of it comes twice.
WHILE_IT_READS = {
    Mock.FETCH: (Mock.NOT_LEADER, Mock.UNKNOWN_TOPIC, Mock.STORAGE_ERROR, Mock.TIMED_OUT, Mock.TOPIC_FORBIDDEN),
    Mock.HEARTBEAT: (Mock.REBALANCE_IN_PROGRESS, Mock.ILLEGAL_GENERATION, Mock.UNKNOWN_MEMBER),
    Mock.LIST_OFFSETS: (Mock.NOT_LEADER, Mock.TIMED_OUT),
    Mock.METADATA: (Mock.LEADER_NOT_AVAILABLE, Mock.TIMED_OUT),
}
WHEN_IT_COMES = {
    Mock.FIND_COORDINATOR: (Mock.NO_COORDINATOR, Mock.COORDINATOR_LOADING),
    Mock.JOIN_GROUP: (Mock.COORDINATOR_LOADING, Mock.UNKNOWN_MEMBER),
    Mock.SYNC_GROUP: (Mock.REBALANCE_IN_PROGRESS,),
    Mock.LIST_OFFSETS: (Mock.NOT_LEADER, Mock.TIMED_OUT),
    Mock.FETCH: (Mock.NOT_LEADER, Mock.UNKNOWN_TOPIC),
}


def refuse(mock: Mock, answers: dict[int, tuple[int, ...]]) -> None:
    for api, codes in answers.items():
        for code in codes:
            mock.error(api, code)


@pytest.fixture
def group(stack, mock_kafka, rng):
    one = Group(stack, mock_kafka, rng, topic_metadata_refresh_interval_ms=1000)
    one.start("a")
    stack.start_httpapi()
    return one


def test_whatever_kafka_answers_a_source_stores_each_once(group):
    with group.load(RATE):
        group.stores("a")
        refuse(group.server, WHILE_IT_READS)
        group.stores("a")
        time.sleep(4)  # a heartbeat is refused
        group.stores("a")
        group.members["a"].terminate()
        refuse(group.server, WHEN_IT_COMES)
        group.start("a")
        group.stores("a")
    group.assert_exact()


def test_a_source_outlives_brokers_that_are_away_or_slow(group):
    kafka = group.server
    with group.load(RATE):
        group.stores("a")
        for broker in (1, 2, 3):
            kafka.rtt(broker, 100)
        group.stores("a")
        for broker in (1, 2, 3):
            kafka.rtt(broker, 0)
            kafka.down(broker)
        time.sleep(2)  # the fault
        for broker in (1, 2, 3):
            kafka.up(broker)
        group.stores("a")
        for broker in (1, 2, 3):
            kafka.coordinator(group.name, broker)
            kafka.leader(group.topic, broker, broker)
            group.stores("a")
    group.assert_exact()


def test_members_share_partitions_and_take_over(group):
    group.start("b")
    with group.load(RATE):
        group.stores("a")
        group.stores("b")
        group.members["b"].kill9()
        group.stores("a")
        group.start("b")
        group.stores("b")
    group.assert_exact()
