"""What Highwater does not promise, because nothing that it could do would keep it: README's list, each shown to be so.

A line of that list that stopped being true should go; a loss that is not in it is a bug.
"""

from __future__ import annotations

import time

from conftest import CLONE
from faults import arrived, subscribed
from mqtt_client import mqtt_client
from oracle import now_us, reading
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from servers import LOOPBACK, free_port, patience, until


def limit(title: str) -> str:
    """The line of README's list that has this title."""
    text = (CLONE / "README.md").read_text().partition("Its limits, plainly:")[2].partition("\n## ")[0]
    return next(item for item in text.split("\n- ") if item.startswith(f"*{title}*"))


def test_without_a_timestamp_what_is_delivered_twice_is_two_readings(stack):
    assert "delivered twice" in limit("No timestamp.")
    stack.start_collector()
    publisher = stack.publisher()
    subscribed(publisher)
    for payload in (b'{"temperature":1}', b'{"temperature":2,"timestamp":"2026-11-26T12:00:00Z"}'):
        for _ in range(2):  # as a device does that never saw the acknowledgement of the first
            publisher.send_bytes("devices/d/readings", payload, readings=())
    arrived(stack, publisher)
    found = stack.database.rows("SELECT temperature, count(*) FROM device_readings WHERE device_id = 'd' GROUP BY 1")
    assert dict(found) == {1: 2, 2: 1}


def test_without_a_timestamp_what_two_collectors_receive_is_two_readings(stack):
    assert "to two collectors" in limit("No timestamp.")
    for name in ("a", "b"):
        stack.start_collector(collector_id=name, log_name=name, metrics_listen=f"{LOOPBACK}:{free_port()}")
    publisher = stack.publisher()
    subscribed(publisher)
    until_both_subscribe(stack)
    publisher.send_bytes("devices/d/readings", b'{"temperature":1}', readings=())
    publisher.send_bytes("devices/d/readings", b'{"temperature":2,"timestamp":"2026-11-26T12:00:00Z"}', readings=())

    def stored():
        query = "SELECT temperature, count(*) FROM device_readings WHERE device_id = 'd' GROUP BY 1"
        return dict(stack.database.rows(query))

    until(lambda: stored() == {1: 2, 2: 1}, 10, "the one is there twice, the other once")


def until_both_subscribe(stack) -> None:
    """Both have stored something: each its own row of what gives no time."""
    publisher = stack.publisher()

    def have():
        publisher.send_bytes("devices/first/readings", b'{"temperature":0}', readings=())
        return stack.database.value("SELECT count(*) FROM collectors WHERE batches > 0") == 2

    until(have, 15, "both collectors have stored something", pause=0.1)


def test_local_time_without_an_offset_has_one_hour_of_autumn_twice(stack):
    assert "the hour that autumn repeats" in limit("Local time.")
    stack.start_collector()
    publisher = stack.publisher()
    subscribed(publisher)
    minutes = [f"2026-10-25T02:{minute:02}:00" for minute in range(0, 60, 10)]
    for _ in ("summer", "winter"):  # a steady value, read twelve times in two hours
        for local in minutes:
            payload = b'{"timestamp":"%s","temperature":20}' % local.encode()
            publisher.send_bytes("devices/d/readings", payload, readings=())
    for offset in ("+02:00", "+01:00"):  # the same, told apart
        for local in minutes:
            payload = b'{"timestamp":"%s%s","temperature":20}' % (local.encode(), offset.encode())
            publisher.send_bytes("devices/e/readings", payload, readings=())
    arrived(stack, publisher)
    found = dict(stack.database.rows("SELECT device_id, count(*) FROM device_readings GROUP BY 1"))
    assert (found["d"], found["e"]) == (6, 12)


def test_a_message_that_expires_while_the_collector_is_away_is_gone(stack):
    assert "lets expire" in limit("Message expiry.")
    collector = stack.start_collector()
    publisher = stack.publisher()
    subscribed(publisher)
    arrived(stack, publisher)
    collector.kill9()
    lasting = publisher.send(reading("d", now_us(), temperature=1.0))
    publisher.wait()
    publish_expiring(stack, "devices/d/readings", b'{"temperature":2}', seconds=1)
    time.sleep(2.5)  # longer than the message lives; the broker counts in whole seconds
    collector.start()
    arrived(stack, publisher)
    found = stack.database.rows("SELECT temperature FROM device_readings WHERE device_id = 'd'")
    assert lasting.is_acknowledged and found == [(1.0,)]


def publish_expiring(stack, topic: str, payload: bytes, seconds: int) -> None:
    """With QoS 1, and acknowledged."""
    client = mqtt_client("expiring")
    client.connect(LOOPBACK, stack.broker.port)
    client.loop_start()
    properties = Properties(PacketTypes.PUBLISH)
    properties.MessageExpiryInterval = seconds
    client.publish(topic, payload, qos=1, properties=properties).wait_for_publish(patience())
    client.disconnect()
    client.loop_stop()
