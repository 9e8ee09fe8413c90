"""httpapi's event stream, as its clients see it."""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rig import BUILD, LOOPBACK, Program, ServerError, free_port, percentile, until

if TYPE_CHECKING:
    from rig import PrivateBroker, Rig

PROBE = re.compile(rb'"deviceId":"probe","timestamp":"[^"]*","status":[^,]*,"temperature":(\d+)')
LEADS = 1000  # above whatever the fleet's devices say


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def front_program(rig: Rig, broker: PrivateBroker, database: str, port: int) -> Program:
    argv = [BUILD / "httpapi", "--database-url", rig.postgres.url(database), "--mqtt-url", broker.url()]
    limits = ["--max-connections-per-address", "0"]  # all clients are on this machine
    return rig.program("httpapi", [*argv, "--http-listen", f"{LOOPBACK}:{port}", *limits])


def wait_for_boards(port: int, program: Program) -> None:
    def is_ready() -> bool:
        if not program.is_running():
            raise ServerError(f"httpapi ended:\n{program.tail()}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return get(port, "/readyz")[0] == 200
        return False

    until(is_ready, 60, "httpapi is ready", pause=0.05)


@contextlib.contextmanager
def front(rig: Rig, broker: PrivateBroker, database: str) -> Iterator[int]:
    """A running httpapi that has boards; yields its port."""
    port = free_port()
    program = front_program(rig, broker, database, port)
    with rig.running(program):
        wait_for_boards(port, program)
        yield port


class Prober:
    """A device whose every reading leads the board."""

    def __init__(self, broker_port: int) -> None:
        from mqtt_client import mqtt_client

        self.sent: dict[int, float] = {}  # by value
        self._client = mqtt_client("probe")
        self._client.connect(LOOPBACK, broker_port)
        self._client.loop_start()

    def send(self) -> None:
        value = LEADS + len(self.sent)
        now = time.time()
        self.sent[value] = now
        self._client.publish("devices/probe/readings", f'{{"timestamp":{now:.6f},"temperature":{value}}}', 1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def probe(broker_port: int, http_port: int, seconds: float) -> tuple[float, float]:
    """Publish to event in ms, p50 and p99, of readings at random moments, some ten a second."""
    seen: dict[int, float] = {}
    connection = http.client.HTTPConnection(LOOPBACK, http_port, timeout=30)
    connection.request("GET", "/events?features=temperature&interval=past_minute")
    answer = connection.getresponse()

    def listen() -> None:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            while line := answer.readline():
                for match in PROBE.finditer(line):
                    seen.setdefault(int(match.group(1)), time.time())

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    prober = Prober(broker_port)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        prober.send()
        time.sleep(random.uniform(0.02, 0.18))
    last = max(prober.sent)
    until(lambda: last in seen, 10, "the last probe is on the board")
    prober.close()
    if connection.sock is not None:
        connection.sock.shutdown(socket.SHUT_RDWR)
    listener.join(5)
    # A probe that the next one overtook within the throttle was never on the board: the next one's time is its.
    late, arrived = [], seen[last]
    for value in sorted(prober.sent, reverse=True):
        arrived = seen.get(value, arrived)
        late.append((arrived - prober.sent[value]) * 1e3)
    return percentile(late, 0.5), percentile(late, 0.99)


def fan_out(broker_port: int, http_port: int, clients: int, probes: int) -> list[float]:
    """Publish to event in ms, of each of `clients` streams and each probe."""
    selector = selectors.DefaultSelector()
    tails: dict[socket.socket, bytes] = {}
    for _ in range(clients):
        stream = socket.create_connection((LOOPBACK, http_port))
        stream.sendall(b"GET /events?features=temperature&interval=past_minute HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stream.setblocking(False)
        selector.register(stream, selectors.EVENT_READ)
        tails[stream] = b""

    prober = Prober(broker_port)
    late: list[float] = []
    seen: set[tuple[socket.socket, int]] = set()

    def take(wait_s: float) -> None:
        for key, _ in selector.select(wait_s):
            stream: socket.socket = key.fileobj  # type: ignore[assignment]
            try:
                data = stream.recv(65536)
            except BlockingIOError:
                continue
            if not data:
                raise ServerError(f"httpapi closed a stream, of which this was the last: {tails[stream]!r}")
            now = time.time()
            data = tails[stream] + data
            for match in PROBE.finditer(data):
                value = int(match.group(1))
                if (stream, value) not in seen and value in prober.sent:
                    seen.add((stream, value))
                    late.append((now - prober.sent[value]) * 1e3)
            tails[stream] = data[-200:]

    settled = time.monotonic() + 2
    while time.monotonic() < settled:
        take(0.1)
    for number in range(1, probes + 1):
        prober.send()
        deadline = time.monotonic() + 10
        while len(late) < number * clients and time.monotonic() < deadline:
            take(0.05)
        settled = time.monotonic() + 0.3
        while time.monotonic() < settled:
            take(0.05)
    prober.close()
    for stream in tails:
        stream.close()
    if len(late) < probes * clients:
        raise ServerError(f"of {probes * clients} events {len(late)} arrived")
    return late
