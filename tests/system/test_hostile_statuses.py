"""What travels under collectors/#, where anybody may publish who may publish at all."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time

import pytest
from oracle import now_us, reading, to_text
from servers import LOOPBACK, until
from test_collector import live_collector

GHOST = "collectors/ghost/status"

# Each is refused as a whole.
REFUSED = {
    "not UTF-8": b'{"state":"live","version":"\xff"}',
    "NUL": b'{"state":"live","version":"\\u0000"}',
    "a raw NUL": b'{"state":"live"}\0',
    "a byte order mark": b'\xef\xbb\xbf{"state":"live"}',
    "a member twice": b'{"state":"live","devices":1,"devices":2}',
    "a spoofed id twice": b'{"state":"live","collectorId":"a","collectorId":"b"}',
    "the same, escaped": b'{"state":"live","st\\u0061te":"lost"}',
    "a wrong type": b'{"state":"live","devices":{"a":1}}',
    "negative": b'{"state":"live","devices":-1}',
    "huge": b'{"state":"live","received":1e300}',
    "NaN": b'{"state":"live","lagMs":NaN}',
    "infinite": b'{"state":"live","lagMs":1e999}',
    "deep": b'{"state":"live","x":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "invisible": '{"state":"live","version":"\u202e"}'.encode(),
    "large": b'{"state":"live","x":"' + b"x" * 300_000 + b'"}',
    "no object": b'["live"]',
    "half": b'{"state":"live"',
}


def metric(stack, name):
    return stack.metrics(stack.http_port)[f"highwater_httpapi_{name}"]


def test_what_is_no_status_is_refused_as_a_whole_counted_and_told_once(stack):
    program = stack.start_httpapi()
    publisher = stack.publisher()
    for is_retained in (False, True):
        for payload in REFUSED.values():
            publisher.send_bytes(GHOST, payload, retain=is_retained)
    publisher.wait()
    # the last of all: what came before it has been looked at
    publisher.send_bytes("collectors/good/status", b'{"state":"live","collectorId":"liar","x":"\\u202e","devices":3}')
    publisher.wait()
    until(lambda: len(stack.get_json("/collectors")["collectors"]) == 1, 10)
    _, _, body = stack.get("/collectors")
    assert json.loads(body.decode())["collectors"] == [
        {"collectorId": "good", "isLive": False, "state": "live", "devices": 3}
    ] or json.loads(body.decode())["collectors"] == [
        {"collectorId": "good", "isLive": True, "state": "live", "devices": 3}
    ]
    assert metric(stack, "board_messages_unreadable_total") == 2 * len(REFUSED)
    lines = [line for line in program.output().splitlines() if "is not taken" in line]
    assert len(lines) == 1 and GHOST in lines[0]


def test_ghosts_do_not_come_between_a_collector_and_its_boards(stack):
    live_collector(stack)
    stack.start_httpapi()
    stack.publish(reading("d", temperature=5))

    def source():
        return stack.get("/dashboard?interval=all_time&features=temperature")[1]["X-Data-Source"]

    until(lambda: source() == "boards", 10, "boards answer")
    publisher = stack.publisher()
    to_come = to_text(now_us() + 10**12)
    for payload in (
        '{"state":"warming"}',
        f'{{"state":"live","asOf":"{to_come}"}}',
        f'{{"state":"warming","turn":1,"asOf":"{to_come}","since":"{to_come}"}}',
        f'{{"state":"live","startedAt":"{to_come}"}}',
    ):
        for number in range(300):
            publisher.send_bytes(f"collectors/ghost{number}/status", payload.encode(), retain=True)
        publisher.wait()
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            status, headers, _ = stack.get("/dashboard?interval=all_time&features=temperature")
            assert (status, headers["X-Data-Source"]) == (200, "boards")
    assert len(stack.get_json("/collectors")["collectors"]) <= 256
    assert [c["collectorId"] for c in stack.get_json("/collectors")["collectors"]].count("collector") == 1


# --- A flood -----------------------------------------------------------------------------------------


def packet(topic, payload):
    """PUBLISH, QoS 0, of MQTT 3.1.1."""
    body = struct.pack(">H", len(topic)) + topic.encode() + payload
    length = bytearray()
    left = len(body)
    while True:
        left, digit = divmod(left, 128)
        length.append(digit | (0x80 if left else 0))
        if not left:
            return b"\x30" + bytes(length) + body


class Flood(threading.Thread):
    """Publishes packets round and round, as fast as the broker takes them, until it is told to end."""

    def __init__(self, port, packets):
        super().__init__(daemon=True)
        self._packets = packets
        self.sent = 0
        self._ends = threading.Event()
        self._socket = socket.create_connection((LOOPBACK, port))
        self._socket.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03bad")  # newer brokers want a keepalive
        assert self._socket.recv(4) == b"\x20\x02\x00\x00"
        self.start()

    def run(self):
        while not self._ends.is_set():
            self._socket.sendall(b"".join(self._packets))
            self.sent += len(self._packets)

    def end(self):
        self._ends.set()
        self.join()
        self._socket.close()


def status_of_12_kb(number):
    at = to_text(now_us() // 100_000 * 100_000)
    loaded = ",".join(f'"{"x" * 12}{i}":{i}' for i in range(500))
    return (
        f'{{"state":"live","turn":1,"asOf":"{at}","since":"{at}","limit":10,"features":["temperature","pressure"],'
        f'"intervals":[{{"name":"past_minute","lengthMs":60000}},{{"name":"past_hour","lengthMs":3600000}},'
        f'{{"name":"all_time","lengthMs":null}}],"loaded":{{{loaded}}},"generations":[{",".join([str(number)] * 6)}]}}'
    ).encode()


def board_of_12_kb(number):
    at = to_text(now_us() // 100_000 * 100_000)
    entries = ",".join(
        f'{{"deviceId":"device_{i}","timestamp":"{at}","status":"ON","temperature":{i}.5,"pressure":null}}' for i in range(120)
    )
    return (
        f'{{"feature":"temperature","interval":"all_time","order":"desc","asOf":"{at}","generation":{number},'
        f'"readings":[{entries}]}}'
    ).encode()


@pytest.mark.parametrize(
    "topic, payload",
    [
        ("collectors/ghost{}/status", status_of_12_kb),
        ("collectors/ghost{}/boards/temperature/all_time", board_of_12_kb),
        ("collectors/collector/boards/pressure/all_time", board_of_12_kb),  # of another board, so refused
    ],
    ids=["statuses", "boards", "boards of the collector"],
)
def test_answers_keep_coming_while_flooded(stack, topic, payload):
    """A broker delivers what it has for long after the flood has ended; in between there are answers."""
    collector = live_collector(stack)
    httpapi = stack.start_httpapi()
    stack.publish(reading("d", temperature=5))

    def is_on_the_board():  # the database's answer is of now, so one out of boards may come after it and be older
        _, headers, body = stack.get("/dashboard?interval=all_time&features=temperature")
        return headers["X-Data-Source"] == "boards" and b'"d"' in body

    until(is_on_the_board)
    flood = Flood(stack.broker.port, [packet(topic.format(i % 300), payload(i + 1)) for i in range(200)])
    answers = 0

    def heard():
        return metric(stack, "board_messages_total") + metric(stack, "board_messages_unreadable_total")

    before = heard()
    while heard() < before + 3000 or answers < 20:
        status, _, body = stack.get("/dashboard?interval=all_time&features=temperature")
        assert status == 200 and json.loads(body)["temperature"][0]["deviceId"] == "d"
        answers += 1
    flood.end()
    assert metric(stack, "board_kept_bytes") < 40 * 1024 * 1024
    assert httpapi.is_running() and collector.is_running()
