"""What the broker can do to the collector: restart, crash, be late, hang, forget, be full, mistake others for it."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from urllib.parse import urlsplit

import pytest
from faults import (
    Books,
    Fleet,
    arrived,
    assert_all_well,
    count_lines,
    database_through,
    proxy_to,
    start_fleet,
    subscribed,
)
from oracle import compare, now_us, reading, stored_readings
from servers import LOOPBACK, paused, until

faults = pytest.mark.faults
INGEST_ID = "highwater-collector-[0-9a-f]{8}"  # with a mark of the database; not the boards' connection


def connections(stack, client_id):
    """How often a client has connected, as the broker says."""
    return len(re.findall(rf"New client connected from \S+ as {client_id} ", stack.broker.log.read_text()))


# --- It goes away ----------------------------------------------------------------------------------


def test_the_broker_restarts_under_load(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    with fleet.load(300):
        for _ in range(3):
            time.sleep(rng.random() / 2)  # the moment of the fault
            stack.broker.restart()
            arrived(stack, fleet.publisher)
    assert_all_well(stack, fleet.publisher, collector)


@faults
def test_the_broker_is_absent_at_the_start(stack, rng):
    stack.broker.stop()
    collector = stack.start_collector()
    until(lambda: "mqtt: 127.0.0.1 is not reachable" in collector.output())
    stack.broker.start()
    fleet = Fleet(rng, stack.publisher())
    subscribed(fleet.publisher)
    fleet.send(50)
    assert_all_well(stack, fleet.publisher, collector)


@faults
def test_the_broker_stands_still_for_longer_than_the_keepalive(stack, rng):
    collector, fleet = start_fleet(stack, rng, keepalive=5)
    fleet.send(100)
    with paused(stack.broker.program.pid):
        until(lambda: "mqtt: up -> down" in collector.output(), 15, "the silence is noticed")
    fleet.send(100)
    assert_all_well(stack, fleet.publisher, collector)


@faults
def test_the_collector_stands_still_for_longer_than_the_keepalive(stack, rng):
    collector, fleet = start_fleet(stack, rng, keepalive=5)
    with fleet.load(100):
        with collector.paused():
            until(lambda: re.search(f"Client {INGEST_ID} has exceeded timeout", stack.broker.log.read_text()), 15)
        arrived(stack, fleet.publisher)
    assert_all_well(stack, fleet.publisher, collector)


# --- It loses what it had ---------------------------------------------------------------------------


class NumberedFleet:
    """Devices that number their readings: "seq", from 1."""

    def __init__(self, publisher, devices=5):
        self.publisher = publisher
        self.numbers = dict.fromkeys((f"numbered_{i}" for i in range(devices)), 0)

    def send(self, count):
        for _ in range(count):
            device = min(self.numbers, key=lambda device: self.numbers[device])
            self.numbers[device] += 1
            one = reading(device, now_us(), temperature=float(self.numbers[device]))
            payload = {**one.to_json(), "seq": self.numbers[device]}
            self.publisher.send_bytes(f"devices/{device}/readings", json.dumps(payload).encode(), [one])
        self.publisher.wait()


def lost(stack, *publishers):
    """What was acknowledged to a device and is nowhere; nothing else may be wrong."""
    verdict = compare([message for p in publishers for message in p.messages], stack.database)
    assert not verdict.doubled and not verdict.unexpected, str(verdict)
    return verdict.lost


def assert_gaps_tell(stack, missing):
    Books(stack).until(lambda status: status["inFlight"] == 0)
    until(lambda: stack.metrics()["highwater_sequence_missing"] == missing, 5, f"{missing} numbers are missing")
    until(
        lambda: stack.database.value("SELECT coalesce(sum(missing), 0)::int FROM device_sequences") == missing,
        15,
        "the table says so, too",
    )


@faults
def test_what_a_crash_of_the_broker_lost_is_what_the_gaps_say(stack, rng):
    # It saves only when it is told to, so that what it loses is known.
    stack.broker.extra_lines = ["autosave_interval 3600"]
    stack.broker.restart()
    with proxy_to(urlsplit(stack.database.url).port) as link:
        _, fleet = start_fleet(stack, rng, database_url=database_through(link, stack), leave_after="50ms")
        numbered = NumberedFleet(fleet.publisher)
        numbered.send(50)
        arrived(stack, fleet.publisher)
        stack.broker.save()
        # While the collector is away, and its database, everything is the broker's alone.
        link.refuse()
        link.reset()
        left = f"Client {INGEST_ID} "
        until(lambda: re.search(left, stack.broker.log.read_text()), what="the collector has left")
        numbered.send(100)
        stack.broker.kill9()
        stack.broker.start()
        link.listen()
        numbered.send(50)
        arrived(stack, fleet.publisher)
        assert len(lost(stack, fleet.publisher)) == 100
        assert_gaps_tell(stack, 100)


@faults
def test_the_broker_crashes_three_times_under_load(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    numbered = NumberedFleet(stack.publisher())
    for _ in range(3):
        numbered.send(200)
        with fleet.load(300):
            time.sleep(rng.random())  # the moment of the fault
            stack.broker.kill9()
            stack.broker.start()
            numbered.send(200)
    arrived(stack, fleet.publisher)
    arrived(stack, numbered.publisher)
    numbered.send(5)  # a gap is seen by the number after it
    arrived(stack, numbered.publisher)
    missing = lost(stack, fleet.publisher, numbered.publisher)
    print(f"the broker lost {len(missing)} of {fleet.readings + sum(numbered.numbers.values())} readings")
    # A publisher that is back before the collector is told that nobody subscribes; those never came either.
    stored = set(stored_readings(stack.database))
    sent = [one for message in numbered.publisher.messages for one in message.readings]
    assert_gaps_tell(stack, sum(one.device_id.startswith("numbered") and one not in stored for one in sent))
    assert collector.is_running()


@faults
def test_what_a_full_queue_dropped_is_in_the_metrics(stack, rng):
    stack.broker.extra_lines = ["max_queued_messages 50", "sys_interval 1"]
    stack.broker.restart()
    collector, fleet = start_fleet(stack, rng)
    numbered = NumberedFleet(fleet.publisher)
    numbered.send(50)
    arrived(stack, fleet.publisher)
    assert collector.terminate() == 0
    numbered.send(500)
    collector.start()
    until(lambda: stack.database.count() > 100)
    numbered.send(5)
    arrived(stack, fleet.publisher)
    missing = len(lost(stack, fleet.publisher))
    assert missing == 450
    until(lambda: stack.metrics().get("highwater_broker_dropped_messages_total") == missing, 10, "the drops are seen")
    assert_gaps_tell(stack, missing)


# --- It mistakes others for the collector -----------------------------------------------------------


@pytest.mark.faults
def test_of_two_collectors_with_one_id_the_second_waits(stack, rng):
    first, fleet = start_fleet(stack, rng)
    second = stack.start_collector(log_name="second", metrics_listen="-")
    until(lambda: "another collector with COLLECTOR_ID collector is live" in second.output())
    with fleet.load(300):
        until(lambda start=fleet.readings: fleet.readings > start + 1500)
    arrived(stack, fleet.publisher)
    assert connections(stack, stack.client_id()) == 1
    assert connections(stack, "highwater-boards-collector") <= 2
    assert count_lines(second, "another collector") == 1
    with fleet.load(300):
        first.kill9()
        until(lambda: "mqtt: connecting -> up" in second.output())
    # Its windows have what the first one stored: the boards say so.
    assert_all_well(stack, fleet.publisher, second)
    assert second.terminate() == 0


class Impostor:
    """Connects with another's client id, and again whenever it is thrown out. It acknowledges nothing."""

    def __init__(self, port, client_id):
        self.connects = 0
        self._port = port
        identity = struct.pack(">H", len(client_id)) + client_id.encode()
        properties = b"\x05\x11\xff\xff\xff\xff"  # the session stays
        body = b"\x00\x04MQTT\x05\x00" + struct.pack(">H", 60) + properties + identity
        self._connect = b"\x10" + bytes([len(body)]) + body
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._ended.is_set():
            with socket.create_connection((LOOPBACK, self._port)) as link:
                link.settimeout(0.1)
                link.sendall(self._connect)
                self.connects += 1
                while not self._ended.is_set():
                    try:
                        if not link.recv(65536):
                            break
                    except TimeoutError:
                        continue
                    except OSError:
                        break

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(5)


@faults
@pytest.mark.parametrize("suffix", ["", "-boards"], ids=["of the session", "of the boards"])
def test_a_stranger_with_its_client_id_is_not_fought_for_every_millisecond(stack, rng, suffix):
    collector, fleet = start_fleet(stack, rng)
    client_id = stack.client_id() + suffix
    before = connections(stack, client_id)
    with Impostor(stack.broker.port, client_id) as impostor, fleet.load(50):
        time.sleep(10)  # the length of the fault
        ours = connections(stack, client_id) - before - impostor.connects
    assert ours <= 10, f"{ours} times in 10 s"
    assert_all_well(stack, fleet.publisher, collector)
