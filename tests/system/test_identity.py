"""Which messages are one reading, and which are two."""

from __future__ import annotations

import pytest
from oracle import now_us, to_text
from servers import until
from test_collector import live_collector

TOPIC = "devices/d/readings"


def counts(stack):
    metrics = stack.metrics()
    return tuple(metrics[f"highwater_readings_{what}_total"] for what in ("stored", "duplicate"))


@pytest.mark.parametrize(
    "members",
    [
        ['"seq":41', '"seq":42', '"seq":43'],
        ['"sensor":"inlet"', '"sensor":"outlet"'],
        ['"pressure":1', '"pressure":1.0'],
    ],
    ids=["number", "unknown member", "notation"],
)
def test_messages_of_one_moment_that_differ_in_anything_are_all_stored_and_each_once(stack, members):
    live_collector(stack)
    at = to_text(now_us())
    publisher = stack.publisher()
    for member in members * 2:
        publisher.send_bytes(TOPIC, f'{{"timestamp":"{at}","temperature":20.0,{member}}}'.encode())
    publisher.wait()
    until(lambda: counts(stack) == (len(members), len(members)))
    assert stack.database.count() == len(members)


def test_a_reading_is_the_same_alone_and_in_an_array(stack):
    live_collector(stack)
    at = to_text(now_us())
    one, other = (f'{{"timestamp":"{at}","temperature":{value}}}'.encode() for value in (1, 2))
    publisher = stack.publisher()
    for payload in (one, b" " + one + b"\n", b"[" + one + b"]", b"[ " + other + b" , " + one + b" ]", other):
        publisher.send_bytes(TOPIC, payload)
    publisher.wait()
    until(lambda: counts(stack) == (2, 4))
    assert stack.database.count() == 2


def test_a_message_that_comes_again_under_other_features_is_the_same_reading(stack):
    payload = f'{{"timestamp":"{to_text(now_us())}","temperature":1,"humidity":40}}'.encode()
    for features, expected in (("temperature", (1, 0)), ("humidity,temperature", (0, 1)), ("humidity", (0, 1))):
        collector = live_collector(stack, features=features)
        publisher = stack.publisher()
        publisher.send_bytes(TOPIC, payload)
        publisher.wait()
        until(lambda expected=expected: counts(stack) == expected)
        assert collector.terminate() == 0
    assert stack.database.count() == 1


def test_the_hash_of_known_bytes_is_known(stack):
    """A change that turns this red doubles every reading that is delivered twice around an upgrade."""
    live_collector(stack)
    publisher = stack.publisher()
    publisher.send_bytes(TOPIC, b' [ {"temperature":1} ] ')
    publisher.wait()
    until(lambda: stack.database.count() == 1)
    assert stack.database.value("SELECT content_hash FROM readings") == -5310044132949788151


# --- Arrival, and what stands in for a time ---------------------------------------------------------


def test_elements_without_a_time_are_told_apart_by_their_arrival(stack):
    live_collector(stack)
    publisher = stack.publisher()
    payload = b'[{"temperature":1},{"temperature":1},{"temperature":2},"x",{"temperature":1}]'
    for _ in range(200):
        publisher.send_bytes(TOPIC, payload)
    publisher.wait()
    until(lambda: counts(stack) == (800, 0) and stack.database.count("rejected_messages") == 200)
    arrivals = [at for at, in stack.database.rows("SELECT received_at FROM readings UNION ALL SELECT received_at FROM rejected_messages")]
    assert len(set(arrivals)) == 1000
    assert stack.database.value("SELECT count(*) FROM readings WHERE recorded_at = received_at") == 800


def test_whoever_sends_no_reading_is_no_device(stack):
    live_collector(stack)
    publisher = stack.publisher()
    for i in range(300):
        publisher.send_bytes(f"devices/d{i}/readings", b"not json")
    publisher.send_bytes("devices/r/readings", b'{"temperature":1}', retain=True)
    publisher.wait()
    until(lambda: stack.database.count("rejected_messages") == 300 and stack.database.count() == 1)
    until(lambda: stack.metrics()["highwater_windows_devices"] == 1)
    assert stack.database.rows("SELECT device_id FROM devices") == [("r",)]
    # born with the first that is one, in the same message as others that are none
    publisher.send_bytes("devices/d7/readings", b'[1,{"temperature":"x"},{"temperature":1},{"temperature":2}]')
    publisher.wait()
    until(lambda: stack.database.count() == 3)
    assert stack.database.value("SELECT string_agg(device_id, ' ' ORDER BY id) FROM devices") == "r d7"
    assert stack.metrics()["highwater_windows_devices"] == 2
