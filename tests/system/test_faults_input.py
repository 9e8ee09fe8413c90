"""What devices can do to the collector, on purpose or not; and memory that runs out."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import subprocess
from pathlib import Path

import pytest
from faults import (
    Books,
    arrived,
    assert_all_well,
    assert_boards,
    is_stored,
    start_fleet,
)
from oracle import Message, compare, now_us, reading, to_text
from servers import LOOPBACK, until

faults = pytest.mark.faults


# --- Again, late, in any order ----------------------------------------------------------------------


def test_every_message_three_times_across_restarts_and_two_collectors(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    other = stack.start_collector(collector_id="other", log_name="other", metrics_listen="-")
    until(lambda: "mqtt: connecting -> up" in other.output(), 15)
    fleet.send(400)
    messages = list(fleet.publisher.messages)
    for again in (1, 2):
        for i, message in enumerate(messages):
            fleet.publisher.send_bytes(message.topic, message.payload, message.readings)
            if i == 200:
                collector.kill9()
                collector.start()
            if i == 300 and again == 1:
                stack.broker.restart()
    assert_all_well(stack, fleet.publisher, collector)
    assert_boards(stack, "other")
    assert other.terminate() == 0


@faults
def test_readings_in_any_order_and_two_hours_late(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    now = now_us()
    readings = [fleet.make(at_us=now - rng.randrange(7_200_000_000)) for _ in range(3000)]
    for one in readings:
        fleet.publisher.send(one)
    assert_all_well(stack, fleet.publisher, collector)
    # And once more after a start, when all of it is old.
    assert collector.terminate() == 0
    collector.start()
    for one in readings[:1000]:
        fleet.publisher.send(one)
    assert_all_well(stack, fleet.publisher, collector)


@faults
def test_retained_and_qos_0_readings_are_stored_once_and_counted(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    before = stack.metrics()["highwater_qos0_messages_total"]
    for i, (qos, retain) in enumerate([(1, True), (0, False), (0, True), (1, False)] * 25):
        one = fleet.make(f"device_{i}")
        payload = json.dumps(one.to_json()).encode()
        fleet.publisher.send_bytes(f"devices/{one.device_id}/readings", payload, [one], qos, retain)
    fleet.publisher.wait()
    arrived(stack, fleet.publisher)
    assert stack.metrics()["highwater_qos0_messages_total"] - before == 50
    # What is retained is offered to each new subscriber, and is no new reading.
    collector.kill9()
    collector.start()
    arrived(stack, fleet.publisher)
    stranger = stack.start_collector(collector_id="stranger", log_name="stranger", metrics_listen="-")
    books = Books(stack, "stranger")
    books.until(lambda status: status["state"] == "live", 15)
    assert_all_well(stack, fleet.publisher, collector)
    books.until(lambda status: status["received"] == status["rejected"] + status["duplicates"] + status["stored"])
    assert stack.database.count("rejected_messages") == 0
    assert stranger.terminate() == 0


# --- Too large, to odd places -------------------------------------------------------------------------


class RawDevice:
    """An MQTT 5 client that sends bytes as they are."""

    def __init__(self, port, client_id):
        self.socket = socket.create_connection((LOOPBACK, port), timeout=10)
        identity = struct.pack(">H", len(client_id)) + client_id.encode()
        self._send(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + identity)
        assert self._receive()[0] == 0x20

    def _send(self, kind, body):
        length, rest = b"", len(body)
        while True:
            length += bytes([rest % 128 | (0x80 if rest > 127 else 0)])
            rest //= 128
            if rest == 0:
                break
        self.socket.sendall(bytes([kind]) + length + body)

    def _receive(self):
        kind = self.socket.recv(1)
        if not kind or kind[0] == 0xE0:
            return None
        length = self.socket.recv(1)[0]
        return kind[0], self.socket.recv(length) if length else b""

    def publish(self, topic, payload):
        """The code of the PUBACK; None when the broker threw us out instead."""
        try:
            self._send(0x32, struct.pack(">H", len(topic)) + topic + b"\x00\x01\x00" + payload)
            answer = self._receive()
        except OSError:
            return None
        finally:
            self.socket.close()
        if answer is None:
            return None
        return answer[1][2] if len(answer[1]) > 2 else 0


@faults
def test_a_payload_that_is_too_large_costs_nobody_else_anything(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    fleet.send(50)
    arrived(stack, fleet.publisher)
    rss_kb = collector.rss_kb()
    with fleet.load(200):
        for i in range(10):
            device = RawDevice(stack.broker.port, f"large-{i}")
            assert device.publish(b"devices/large/readings", bytes(10_000_000)) is None
    assert_all_well(stack, fleet.publisher, collector)
    assert collector.rss_kb() < rss_kb + 20_000


@faults
def test_a_message_with_more_readings_than_a_batch(stack, rng):
    collector, fleet = start_fleet(stack, rng, batch_size=1000)
    now = now_us()
    for device in ("device_1", "device_2"):
        fleet.publisher.send([fleet.make(device, now - i) for i in range(5000)])
    assert_all_well(stack, fleet.publisher, collector)


# (the id in the topic, whether it is one). The broker may refuse what it likes.
IDS = [
    (b"", False),
    (b" ", True),
    (b"x" * 64, True),
    (b"x" * 65, False),
    ("\u00fc".encode() * 64, True),
    ("\u00fc".encode() * 65, False),
    ("\U0001f525".encode() * 64, True),
    (b"a'b\"c\\d; DROP TABLE readings; --", True),
    (b"%s%n%x", True),
    (b"..", False),
    (b"{}", True),
    (b"{\"a\",NULL}", True),
    (b"null", True),
    (b"NULL", True),
    (b"\\N", True),
    (b"$1", True),
    (b"$SYS", True),
    (b"a\tb", False),
    (b"a\nb", False),
    (b"a\x7fb", False),
    (b"a\x01b", False),
    ("a\u0085b".encode(), False),
    ("\ufeff".encode(), False),
    (b"a+b", False),
    (b"#", False),
    (b"+", False),
    (b"a\xffb", False),
    (b"\xc0\xaf", False),
    (b"\xed\xa0\x80", False),
    (b"a\x00b", False),
]
# Topics that are not for us: nobody may take them.
ELSEWHERE = [
    b"devices//x/readings",
    b"devices/a/b/readings",
    b"devices/a/readings/",
    b"/devices/a/readings",
    b"devices/a/Readings",
    b"devices/a",
    b"devices/readings",
    b"$SYS/devices/a/readings",
    b"a/" * 150 + b"readings",
    b"/" * 300,
    b"devices/" * 30 + b"a/readings",
]


@faults
def test_odd_topics(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    at_us = now_us()
    messages = []
    for i, (identity, is_legal) in enumerate(IDS):
        topic = b"devices/" + identity + b"/readings"
        payload = json.dumps({"timestamp": to_text(at_us + i), "status": "ON", "temperature": i}).encode()
        code = RawDevice(stack.broker.port, f"odd-{i}").publish(topic, payload)
        if code == 0:
            text = identity.decode()
            one = reading(text, at_us + i, temperature=i)
            messages.append(Message(f"devices/{text}/readings", payload, (one,) if is_legal else None, code))
        else:
            assert not is_legal, f"the broker refused {topic!r}"
    for i, topic in enumerate(ELSEWHERE):
        code = RawDevice(stack.broker.port, f"elsewhere-{i}").publish(topic, b'{"temperature":1}')
        assert code != 0, f"somebody took {topic!r}"
    fleet.send(50)
    arrived(stack, fleet.publisher)
    verdict = compare([*messages, *fleet.publisher.messages], stack.database)
    assert verdict, str(verdict)
    assert_boards(stack)
    assert collector.is_running()


@faults
def test_a_row_that_the_database_refuses_is_found_by_halves(stack, rng):
    collector, fleet = start_fleet(stack, rng, batch_size=512, linger="2s")
    stack.database.rows("ALTER TABLE readings ADD CONSTRAINT poison CHECK (temperature <> 1e9)")
    # A batch that goes the plain way first, so that the next one does.
    arrived(stack, fleet.publisher)
    arrived(stack, fleet.publisher)
    before = stack.metrics()["highwater_store_retries_total"]
    poison = rng.randrange(512)
    at_us = now_us()
    for i in range(512):
        fleet.publisher.send(reading("device_1", at_us + i, temperature=1e9 if i == poison else i))
    until(lambda: stack.database.count("rejected_messages") == 1, 20)
    assert stack.metrics()["highwater_store_retries_total"] - before <= 9 + 1
    arrived(stack, fleet.publisher)
    verdict = compare(fleet.publisher.messages, stack.database)
    assert [one.recorded_at_us for one in verdict.lost] == [at_us + poison] and not verdict.doubled
    assert len(verdict.unexpected) == 1  # it is among the rejected
    assert_boards(stack)


# --- No memory ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def failing_malloc(area):
    library = area / "failing_malloc.so"
    source = Path(__file__).with_name("failing_malloc.c")
    subprocess.run(["cc", "-O1", "-fPIC", "-shared", "-o", library, source], check=True)
    return library


def run_without(stack, fleet, library, n, count_file):
    """Has a collector work on something whose n-th allocation fails, and says how that ended."""
    fleet.send(60)
    env = {"LD_PRELOAD": str(library), "MALLOC_FAIL_AT": str(n), "MALLOC_COUNT": str(count_file)}
    program = stack.program("collector", log_name=f"malloc-{n}", env=env, batch_size=20, watchdog="1s")
    program.start()
    last = next(m.readings[-1] for m in reversed(fleet.publisher.messages) if m.readings)
    until(lambda: not program.is_running() or is_stored(stack, last), 20, f"it ends or works on, after call {n} failed")
    if program.is_running():
        program.signal(signal.SIGTERM)
    return program.wait(15)


@faults
def test_an_allocation_that_fails_acknowledges_nothing(stack, rng, failing_malloc, logs):
    collector, fleet = start_fleet(stack, rng)
    assert collector.terminate() == 0
    count_file = logs / "count"
    assert run_without(stack, fleet, failing_malloc, 0, count_file) == 0
    calls = int(count_file.read_text())
    ends = []
    samples = int(os.environ.get("MALLOC_SAMPLES") or 60)
    # Half of them late, when readings are at work.
    points = rng.sample(range(1, calls * 2 // 3), samples // 2) + rng.sample(range(calls * 2 // 3, calls), samples // 2)
    for n in sorted(points):
        ends.append((n, run_without(stack, fleet, failing_malloc, n, count_file)))
    print(f"{calls} allocations; ended with {ends}")
    # It says so and aborts, or a library does; or it was one that the program can do without.
    assert any(status == -signal.SIGABRT for _, status in ends)
    collector = stack.start_collector()
    assert_all_well(stack, fleet.publisher, collector)


@faults
def test_too_little_address_space_is_an_abort_and_no_loss(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    size_kb = int(re.search(r"VmSize:\s+(\d+)", Path(f"/proc/{collector.pid}/status").read_text()).group(1))
    assert collector.terminate() == 0
    now = now_us()
    for i in range(60):
        fleet.publisher.send([fleet.make(f"device_{i % 20}", now - j) for j in range(i * 1000, i * 1000 + 1000)])
    fleet.publisher.wait()
    limited = stack.program("collector", log_name="limited", batch_size=100_000, linger="5s")
    limited.argv = ["prlimit", f"--as={(size_kb + 4000) * 1024}", *limited.argv]
    limited.start()
    assert limited.wait(20) == -signal.SIGABRT, limited.tail()
    assert "out of memory" in limited.output()
    collector = stack.start_collector()
    assert_all_well(stack, fleet.publisher, collector)
