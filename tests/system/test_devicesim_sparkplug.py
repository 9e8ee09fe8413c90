"""devicesim --sparkplug: edge nodes that die, come back and are asked for rebirths, held to the record of what they sent."""

from __future__ import annotations

import pytest
from conftest import CLONE
from edge_node import metric, now_ms, pb
from proxy import Proxy
from servers import until
from simulator import assert_verified, simulate
from test_mapped_messages import start

FILE = CLONE / "deploy/mappings/devicesim.json"
HEARD = "spBv1.0/devicesim/#"


def heard(listener, topic: str) -> list:
    """(kind, device, payload) of one node's messages, in order."""
    found = []
    for one in listener.received:
        _, _, kind, edge, *device = one.topic.split("/")
        if edge == topic and kind != "NCMD":
            found.append((kind, "".join(device), pb.Payload.FromString(one.payload)))
    return found


def test_a_node_is_born_sends_by_alias_and_says_that_it_goes(stack, truth):
    listener = stack.listen(HEARD)
    simulate(stack.broker, "--sparkplug", "--num-devices", 4, "--connections", 2, "--rate", 500, "--count", 600)
    until(lambda: heard(listener, "device_node_1")[-1][0] == "NDEATH", 10)
    said = heard(listener, "device_node_1")
    assert [(kind, device) for kind, device, _ in said[:3]] == [("NBIRTH", ""), ("DBIRTH", "device_1"), ("DBIRTH", "device_3")]
    assert {device for kind, device, _ in said if kind == "DDATA"} == {"device_1", "device_3"}
    assert [payload.seq for _, _, payload in said[:-1]] == [number % 256 for number in range(len(said) - 1)]
    assert len(said) > 300
    aliases = [one.alias for _, _, payload in said[1:3] for one in payload.metrics]
    assert len(aliases) == len(set(aliases)) == 6
    assert not any(one.HasField("name") for kind, _, payload in said if kind == "DDATA" for one in payload.metrics)
    assert said[0][2].metrics[0] == metric("bdSeq", None, 0, "Int64", True)
    assert said[-1][2].metrics[0] == metric("bdSeq", None, 0, "Int64", True)


def test_a_host_that_asks_gets_births(stack):
    listener = stack.listen(HEARD)
    simulator = stack.start_devicesim("--sparkplug", "--num-devices", "2", "--connections", "1", "--rate", "50")
    until(lambda: len(heard(listener, "device_node_1")) > 10, 20)
    command = pb.Payload(timestamp=now_ms(), metrics=[metric("Node Control/Rebirth", None, True, "Boolean", True)])
    stack.publisher().send_bytes("spBv1.0/devicesim/NCMD/device_node_1", command.SerializeToString())
    until(lambda: [kind for kind, _, _ in heard(listener, "device_node_1")].count("DBIRTH") == 4, 10)
    seen = len(heard(listener, "device_node_1"))
    until(lambda: len(heard(listener, "device_node_1")) > seen + 5, 10)
    said = heard(listener, "device_node_1")
    second = [kind for kind, _, _ in said].index("NBIRTH", 1)
    assert [payload.seq for _, _, payload in said[second:]] == list(range(len(said) - second))
    simulator.kill9()
    until(lambda: heard(listener, "device_node_1")[-1][0] == "NDEATH", 10)


@pytest.fixture
def proxy(stack):
    proxy = Proxy(stack.broker.port)
    yield proxy
    proxy.close()


def test_nothing_is_lost_or_doubled_though_both_ends_break(stack, truth, proxy):
    """The collector is killed and comes back, and the nodes' connections are cut twice."""
    collector = start(stack, FILE)
    proxy.delay(0.05)  # so that there is always something on its way
    simulator = stack.start_devicesim(
        "--sparkplug", "--num-devices", "12", "--connections", "3", "--rate", "800", "--count", "8000", "--inflight", "50",
        "--repeated", "0.05", "--out-of-order", "0.05", "--late", "0.05", "--truth", str(truth),
        mqtt_url=f"mqtt://127.0.0.1:{proxy.port}")
    until(lambda: stack.database.count("readings") > 500, 30)
    collector.kill9()
    assert proxy.reset() == 3
    start(stack, FILE)
    until(lambda: stack.database.count("readings") > 2500, 60)
    assert proxy.reset() == 3
    assert simulator.wait(60) == 0, simulator.output()

    result = assert_verified(stack.database, truth)
    assert result["readings"]["acked"] >= 8000
    assert result["deaths"] >= 12, "a connection that was cut is a death of all devices behind it"
    assert stack.database.count("rejected_messages") == 0
    events = 'highwater_sparkplug_events_total{what="%s"}'
    assert [stack.metrics()[events % what] for what in ("unknown_alias", "out_of_order")] == [0, 0]
