"""Three real nodes of Kafka come and go, and the collector that stores into them, too: what devices were told is on the topic."""

from __future__ import annotations

import time

import pytest

from kafka_edge import Edge
from servers import until

pytestmark = [pytest.mark.engines, pytest.mark.faults]


def test_a_store_loses_nothing_while_nodes_are_killed(stack, kafka_cluster, rng):
    edge = Edge(stack, kafka_cluster, rng)
    with edge.load():
        edge.arrives()
        kafka_cluster.kill9(1)
        edge.arrives()
        edge.collector.kill9()
        edge.collector.start()
        edge.arrives()
        kafka_cluster.start_node(1)
        # One of three cannot take a record: another has to have it, too.
        kafka_cluster.kill9(2)
        kafka_cluster.kill9(3)
        until(lambda: not edge.is_ready(), 60, "it is not ready")
        time.sleep(1)  # the fault
        kafka_cluster.start()
        edge.arrives()
    edge.assert_kept()
