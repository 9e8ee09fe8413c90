"""Whether the broker kept the session in which readings wait: said when it did not, and rightly."""

from __future__ import annotations

import pytest
from faults import INGEST, arrived, assert_all_well, count_lines, mqtt_through, proxy_to, start_fleet
from mqtt_client import mqtt_client
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from proxy import DOWN
from servers import LOOPBACK, until

LOST = "highwater_sessions_lost_total"


def remembers(stack):
    """The database knows that there is a session."""
    until(lambda: stack.database.value("SELECT has_begun FROM sessions"), 10, "the session is remembered")


def take_over(stack, expiry=0):
    """Another client connects with the collector's id and a clean start, and goes again."""
    client = mqtt_client(stack.client_id())
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = expiry
    client.connect_async(LOOPBACK, stack.broker.port, clean_start=True, properties=properties)
    client.reconnect_delay_set(60, 60)
    client.loop_start()
    until(client.is_connected, 10, "the taker is connected")
    client.disconnect()
    client.loop_stop()


def judged(stack):
    """The next status but one: whatever was to be said of the session has been said."""
    statuses = stack.listen("collectors/collector/status")
    until(lambda: sum(not s.retain for s in statuses.received) >= 5, 15, "five statuses")
    statuses.close()


def test_neither_the_first_start_nor_a_later_one_complains(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    remembers(stack)
    judged(stack)
    assert "error" not in collector.output()
    assert collector.terminate() == 0
    fleet.send(20)
    collector.start()
    assert_all_well(stack, fleet.publisher, collector)
    judged(stack)
    collector.kill9()
    collector.start()
    assert_all_well(stack, fleet.publisher, collector)
    judged(stack)
    assert " error " not in collector.output()
    assert stack.metrics()[LOST] == 0


@pytest.mark.parametrize("expiry", [0, 3600], ids=["its session ended with it", "its session stayed"])
def test_a_session_that_another_client_took_is_missed(stack, rng, expiry):
    # the broker says "session present" when the taker's has an expiry: only the marker tells
    collector, fleet = start_fleet(stack, rng)
    remembers(stack)
    assert collector.terminate() == 0
    fleet.send(20)  # lost, and nobody can help it
    take_over(stack, expiry=expiry)
    collector.start()
    until(lambda: f"another client has connected as {stack.client_id()}" in collector.output(), 15)
    assert "messages that waited in it may be lost" in collector.output()
    assert "persistence" not in collector.output()
    arrived(stack, fleet.publisher)
    judged(stack)
    assert count_lines(collector, "may be lost") == 1
    assert stack.metrics()[LOST] == 1


def test_a_session_that_is_taken_while_we_are_connected_is_missed(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    remembers(stack)
    take_over(stack)
    # thrown away, or given to the other where the broker tells of that, as Mosquitto 2.0.21 does and 2.0.11 does not
    until(lambda: f"another client has connected as {stack.client_id()}" in collector.output(), 15)
    assert stack.metrics()[LOST] == 1
    arrived(stack, fleet.publisher)


def test_a_takeover_that_the_broker_tells_is_not_blamed_on_its_persistence(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    remembers(stack)
    assert collector.terminate() == 0
    with proxy_to(stack.broker.port) as proxy:
        # Mosquitto 2.0.11 only closes the connection: the proxy says what other brokers say
        proxy.rewrite(DOWN, b"\x90\x04\x00\x01\x00\x01", b"\xe0\x02\x8e\x00", only=INGEST)
        collector = stack.start_collector(mqtt_url=mqtt_through(proxy))
        until(lambda: "the broker has given it our session" in collector.output(), 20)
        status, _, body = stack.get("/readyz", stack.metrics_port)
        assert status == 503 and f"another client connects as {stack.client_id()}" in body.decode()
        assert "persistence" not in collector.output()
        metrics = stack.metrics()
        assert metrics["highwater_session_takeovers_total"] == metrics[LOST] == 1
        arrived(stack, fleet.publisher)


def test_a_broker_that_was_restarted_empty_is_told_apart(stack, rng):
    stack.broker.extra_lines = ["persistence false"]
    stack.broker.restart()
    collector, fleet = start_fleet(stack, rng)
    remembers(stack)
    for restarts in (1, 2):
        stack.broker.restart()
        until(lambda n=restarts: count_lines(collector, "set persistence true") == n, 15)
    assert "restarted without persistence" in collector.output()
    assert "clean start" not in collector.output()
    assert collector.terminate() == 0
    stack.broker.restart()
    collector.start()
    until(lambda: "set persistence true" in collector.output(), 15)
    arrived(stack, fleet.publisher)
    # what is taken later is not put down to the broker
    take_over(stack)
    until(lambda: f"another client has connected as {stack.client_id()}" in collector.output(), 15)
    assert count_lines(collector, "set persistence true") == 1
