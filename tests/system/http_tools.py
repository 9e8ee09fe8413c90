"""For the tests of httpapi: a raw client, rows without a collector, and a collector that is only played."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from contract import Contract
from mqtt_client import mqtt_client
from oracle import FEATURES, Database, Reading, now_us, reading, to_text
from psycopg2.extras import execute_values
from servers import LOOPBACK, patience, until

STATUSES = ("ON", "OFF", "ACTIVE", "INACTIVE")
INTERVALS = [("past_minute", 60000), ("past_hour", 3600000), ("all_time", None)]


# --- Rows ----------------------------------------------------------------------------------------


def migrate(stack) -> None:
    """The tables, by the collector, which then ends."""
    program = stack.program("collector", ["--migrate"], log_name="migrate")
    program.start()
    assert program.wait(30) == 0, program.tail()


def insert(database: Database, readings: Iterable[Reading]) -> None:
    """Readings as a collector would have stored them, all in one statement."""
    readings = list(readings)
    connection = database.connect()
    with connection, connection.cursor() as cursor:
        devices = sorted({r.device_id for r in readings})
        execute_values(
            cursor, "INSERT INTO devices (device_id) VALUES %s ON CONFLICT DO NOTHING", [(d,) for d in devices]
        )
        cursor.execute("SELECT device_id, id FROM devices")
        ids = dict(cursor.fetchall())
        rows = [
            (
                ids[r.device_id],
                number,
                to_text(r.recorded_at_us),
                STATUSES.index(r.status) + 1 if r.status else None,
                *(dict(r.values).get(feature) for feature in FEATURES),
            )
            for number, r in enumerate(readings)
        ]
        execute_values(
            cursor,
            "INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure)"
            " VALUES %s",
            rows,
            "(%s, %s, %s, now(), %s, %s, %s)",
            page_size=1000,
        )
    connection.close()


def insert_many(database: Database, device_id: str, count: int) -> None:
    """`count` readings of one device, a microsecond apart, made by the server itself."""
    database.rows("INSERT INTO devices (device_id) VALUES (%s)", (device_id,))
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure)"
        " SELECT d.id, i, now() - interval '1 day' + i * interval '1 microsecond', now(), 1 + i %% 4, i / 7.0, i / 3.0"
        " FROM devices d, generate_series(1, %s) i WHERE d.device_id = %s",
        (count, device_id),
    )


def some_readings(rng, count=400, devices=17, span_us=2 * 3600 * 1_000_000):
    """Few distinct values and moments, so that there are ties of every kind."""
    at = now_us()
    return [
        reading(
            f"device_{rng.randrange(devices)}",
            at - rng.randrange(1000) * (span_us // 1000) - rng.randrange(2),
            rng.choice(["ON", "OFF", "ACTIVE", "INACTIVE", None]),
            **{f: rng.randrange(12) / 4 for f in FEATURES if rng.random() < 0.9},
        )
        for _ in range(count)
    ]


# --- A collector that is only played -------------------------------------------------------------


class PlayedCollector:
    """Publishes what a collector would, as the test says, and stands in the database as one that has stored
    readings; its status every half second once live, and after each board."""

    GRID_US = 100_000

    def __init__(self, port: int, database: Database, collector_id: str = "played", limit: int = 10) -> None:
        self.collector_id = collector_id
        self.limit = limit
        self.turn = 1
        self.loaded: dict[str, int] = {}
        self.started_at_us = now_us() // self.GRID_US * self.GRID_US - 60_000_000
        self.as_of_us: int | None = None  # None: now
        self._since_us = self.started_at_us  # as if its first boards had been these all the time
        self._generation = now_us()
        self._generations: dict[tuple[str, str, str], int] = {}
        self._database = database
        self._lock = threading.RLock()
        self._client = mqtt_client(f"played-{collector_id}-{time.monotonic_ns()}")
        self._client.reconnect_delay_set(0.1, 0.5)
        self._client.connect(LOOPBACK, port)
        self._client.loop_start()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def publish(self, topic: str, document: Any) -> None:
        payload = document if isinstance(document, (bytes, str)) else json.dumps(document)
        until(self._client.is_connected, 10, "the played collector is connected")
        self._client.publish(f"collectors/{self.collector_id}/{topic}", payload, qos=1, retain=True).wait_for_publish()

    def register(self, batches: int = 1, newest: str = "now") -> None:
        """Its row in the table of collectors, if that is there."""
        with contextlib.suppress(psycopg2.errors.UndefinedTable, psycopg2.OperationalError):
            self._database.rows(
                "INSERT INTO collectors (id, turn, batches, newest) VALUES (%s, %s, %s, %s) ON CONFLICT (id)"
                " DO UPDATE SET turn = excluded.turn, batches = excluded.batches, newest = excluded.newest",
                (self.collector_id, self.turn, batches, newest),
            )

    def _grid_now_us(self) -> int:
        return self.as_of_us or now_us() // self.GRID_US * self.GRID_US

    def status(self, state: str, **more: Any) -> None:
        with self._lock:
            as_of_us = self._grid_now_us()
            has_lowest = any(order == "asc" for _, order, _ in self._generations)
            document = {
                "collectorId": self.collector_id,
                "state": state,
                "asOf": to_text(as_of_us),
                "since": to_text(min(self._since_us, as_of_us)),
                "turn": self.turn,
                "loaded": self.loaded,
                "startedAt": to_text(self.started_at_us),
                "limit": self.limit,
                "features": list(FEATURES),
                "intervals": [{"name": name, "lengthMs": length} for name, length in INTERVALS],
                "lowest": has_lowest,
                "generations": [
                    self._generations.get((feature, order, interval), 0)
                    for feature in FEATURES
                    for order in ("desc", "asc")[: 1 + has_lowest]
                    for interval, _ in INTERVALS
                ],
                **more,
            }
            self.publish("status", document)

    def board(self, feature: str, interval: str, readings: Sequence[Reading], lowest: bool = False) -> None:
        """One board; once live it says so at once, as of now."""
        with self._lock:
            order = "asc" if lowest else "desc"
            self._generation += 1
            self._generations[feature, order, interval] = self._generation
            document = {
                "feature": feature,
                "interval": interval,
                "order": order,
                "asOf": to_text(self._grid_now_us()),
                "generation": self._generation,
                "readings": [entry(r) for r in readings],
            }
            self.publish(f"boards/{feature}/{interval}{'/lowest' if lowest else ''}", document)
            if self._thread:
                self._since_us = self._grid_now_us()
                self.status("live")

    def boards(self, readings: Sequence[Reading] = ()) -> None:
        """Every highest board with the same readings, already ranked."""
        for feature in FEATURES:
            for interval, _ in INTERVALS:
                self.board(feature, interval, readings)

    def go_live(self) -> None:
        def live() -> None:
            while not self._stop.wait(0.5):
                with contextlib.suppress(RuntimeError, AssertionError):  # the broker is away
                    self.status("live")

        self.register()
        self.status("live")
        self._thread = threading.Thread(target=live, daemon=True)
        self._thread.start()

    def fall_silent(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
            self._thread = None
        self._stop = threading.Event()

    def close(self) -> None:
        self.fall_silent()
        self._client.disconnect()
        self._client.loop_stop()


def entry(r: Reading) -> dict[str, Any]:
    """A reading as an entry of a board."""
    values = dict(r.values)
    return {
        "deviceId": r.device_id,
        "timestamp": to_text(r.recorded_at_us),
        "status": r.status,
        **{feature: values.get(feature) for feature in FEATURES},
    }


# --- A raw client --------------------------------------------------------------------------------


@dataclass
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Raw:
    """A socket that speaks whatever the test writes."""

    def __init__(self, port: int, timeout: float | None = None, source: str = "") -> None:
        address = (source, 0) if source else None
        self.socket = socket.create_connection((LOOPBACK, port), timeout=timeout or patience(), source_address=address)
        self.buffered = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def get(self, path: str, **headers: str) -> Answer:
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        self.send("\r\n".join([*lines, "", ""]).encode())
        return self.answer()

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.buffered += data
        return bool(data)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffered:
            if not self._more():
                raise EOFError(f"closed before {mark!r}: {self.buffered[:200]!r}")
        head, _, self.buffered = self.buffered.partition(mark)
        return head

    def _take(self, count: int) -> bytes:
        while len(self.buffered) < count:
            if not self._more():
                raise EOFError(f"closed {count - len(self.buffered)} bytes early")
        data, self.buffered = self.buffered[:count], self.buffered[count:]
        return data

    def head(self) -> Answer:
        lines = self._until(b"\r\n\r\n").decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        return Answer(int(lines[0].split()[1]), headers, b"")

    def chunk(self) -> bytes:
        """One chunk; b"" is the last one."""
        size = int(self._until(b"\r\n"), 16)
        data = self._take(size)
        assert self._take(2) == b"\r\n"
        return data

    def answer(self, has_body: bool = True) -> Answer:
        """One whole answer. EOFError when the server closes first."""
        answer = self.head()
        if not has_body or answer.status in (204, 304):
            return answer
        if answer.headers.get("transfer-encoding") == "chunked":
            while data := self.chunk():
                answer.body += data
        elif "content-length" in answer.headers:
            answer.body = self._take(int(answer.headers["content-length"]))
        else:
            while self._more():
                pass
            answer.body, self.buffered = self.buffered, b""
        return answer

    def is_closed(self, timeout: float = 0.0) -> bool:
        """Whether the server closes within the time, whatever it still says."""
        deadline = time.monotonic() + timeout
        while True:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self.socket.recv(65536)
            except (TimeoutError, socket.timeout):
                return False
            except ConnectionError:
                return True
            if not data:
                return True
            self.buffered += data

    def closes(self) -> bool:
        """That the server will close."""
        return self.is_closed(patience())

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stream:
    """A client of /events, read in a thread."""

    def __init__(
        self, port: int, path: str = "/events", last_event_id: str | None = None, headers: dict[str, str] | None = None,
        raw: Raw | None = None
    ) -> None:
        """`raw`: a connection that there is, instead of one of its own."""
        self.events: list[dict[str, Any]] = []  # {"event", "id", "data", "at"}
        self.is_over = False
        self.ended_well = False
        self.wire_bytes = 0
        self._raw = raw or Raw(port)
        extra = {**(headers or {}), **({"Last_Event_ID": last_event_id} if last_event_id else {})}
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", *(f"{k.replace('_', '-')}: {v}" for k, v in extra.items())]
        self._raw.send("\r\n".join([*lines, "", ""]).encode())
        self.head = self._raw.head()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        text = b""
        unpack = zlib.decompressobj(31) if self.head.headers.get("content-encoding") == "gzip" else None
        try:
            while data := self._raw.chunk():
                self.wire_bytes += len(data)
                text += unpack.decompress(data) if unpack else data
                while b"\n\n" in text:
                    block, _, text = text.partition(b"\n\n")
                    fields = dict(line.split(": ", 1) for line in block.decode().split("\n"))
                    fields["data"] = json.loads(fields["data"])
                    fields["at"] = time.monotonic()
                    self.events.append(fields)
            self.ended_well = text == b"" and (unpack is None or unpack.eof)
        except (EOFError, OSError):
            pass
        self.is_over = True

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in list(self.events) if e["event"] == kind]

    def boards(self) -> dict[tuple[str, str, str], list[str]]:
        """What a screen would show now: the devices of the latest board of each kind."""
        shown = {}
        for event in self.of("board"):
            data = event["data"]
            shown[data["feature"], data["interval"], data["order"]] = [r["deviceId"] for r in data["readings"]]
        return shown

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._raw.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._raw.close()


class Api:
    """httpapi of a stack, with tables, and every answer held against the contract."""

    def __init__(self, stack, **settings: Any) -> None:
        migrate(stack)
        self.stack = stack
        self.port = stack.http_port
        self.database = stack.database
        self.program = stack.start_httpapi(**settings)
        until(lambda: "database_connections_up 3" in self.text("/metrics"), 10, "the pool is up")
        until(lambda: self.metric("roster_answers_total") > 0, 10, "it knows which features there are")
        self.contract = Contract(stack.get_json("/openapi.json"))

    def text(self, path: str) -> str:
        return self.stack.get(path)[2].decode()

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        status, found, body = self.stack.get(path, headers=headers)
        if status != 304:
            self.contract.check(path, status, found, body)
        return Answer(status, {k.lower(): v for k, v in found.items()}, body)

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status == 200, f"{path}: {answer.status} {answer.body!r}"
        return answer.json()

    def metric(self, name: str) -> float:
        for line in self.text("/metrics").splitlines():
            if line.startswith(f"highwater_httpapi_{name} ") or line.startswith(f"highwater_httpapi_{name}{{"):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def source(self, path: str = "/dashboard") -> str | None:
        return self.get(path).headers.get("x-data-source")
