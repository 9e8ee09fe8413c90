"""What should be in the database and on the boards, and how that differs from what is.

A Publisher sends and remembers; `compare()` holds what was acknowledged against the tables and
answers with three sets; `boards_by_sql()` works out the boards from the table alone.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import paho.mqtt.client as mqtt
import psycopg2
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mqtt_client import NEWER, mqtt_client
from servers import LOOPBACK, until

FEATURES = ("temperature", "pressure")
INTERVAL_SECONDS = {"past_minute": 60, "past_hour": 3600, "all_time": None}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime | str) -> int:
    """Microseconds since 1970 of a datetime or an RFC 3339 text."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return (moment - _EPOCH) // _MICROSECOND


def to_text(us: int) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    return (_EPOCH + us * _MICROSECOND).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now_us() -> int:
    return time.time_ns() // 1000


# --- Readings and those who send them ------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """One reading as a value: equal in every field means the same reading."""

    device_id: str
    recorded_at_us: int
    status: str | None
    values: tuple[tuple[str, float], ...]  # by name; what was not measured is not there

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"deviceId": self.device_id, "timestamp": to_text(self.recorded_at_us)}
        if self.status is not None:
            document["status"] = self.status
        return {**document, **dict(self.values)}


def reading(device_id: str, at_us: int | None = None, status: str | None = "ON", **values: float) -> Reading:
    """reading("device_1", temperature=20.5); the time is now unless given."""
    at_us = now_us() if at_us is None else at_us
    return Reading(device_id, at_us, status, tuple(sorted((name, float(value)) for name, value in values.items())))


@dataclass
class Message:
    """One PUBLISH. `readings` is None when it is to be rejected. `code` is that of the PUBACK:
    None before it came, 0 when the broker took it for somebody, 16 when nobody subscribes."""

    topic: str
    payload: bytes
    readings: tuple[Reading, ...] | None
    code: int | None = None

    @property
    def is_acknowledged(self) -> bool:
        return self.code == 0


class NotingClient(mqtt.Client):
    """Notes in each message that it publishes the code of its PUBACK, which paho 1 keeps to itself: this remembers it by
    packet id."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outstanding: dict[int, Message] = {}
        self._early_codes: dict[int, int] = {}
        self._puback_codes: dict[int, int] = {}
        self._noting = threading.Lock()
        self.on_publish = self._note

    if not NEWER:

        def _handle_pubackcomp(self, cmd: str) -> int:
            packet = self._in_packet["packet"]
            self._puback_codes[int.from_bytes(packet[:2], "big")] = packet[2] if len(packet) > 2 else 0
            return super()._handle_pubackcomp(cmd)

    def _note(self, _client: object, _user: object, packet_id: int, reason: Any = None, *_: object) -> None:
        """Runs in paho's thread, and may come before publish() has returned the packet's id."""
        code = self._puback_codes.pop(packet_id, 0) if reason is None else reason.value
        with self._noting:
            message = self.outstanding.pop(packet_id, None)
            if message is None:
                self._early_codes[packet_id] = code
            else:
                message.code = code

    def say(self, message: Message, qos: int = 1, retain: bool = False) -> None:
        # Not under our lock: paho calls _note() under its own, which publish() takes too.
        packet_id = self.publish(message.topic, message.payload, qos=qos, retain=retain).mid
        with self._noting:
            if packet_id in self._early_codes:
                message.code = self._early_codes.pop(packet_id)
            else:
                self.outstanding[packet_id] = message


class Publisher:
    """A device, or many: an MQTT 5 client that reconnects by itself and repeats what was not acknowledged."""

    _numbers = itertools.count(1)
    _MOST_OUTSTANDING = 30000  # packet ids come again after 65535

    def __init__(self, port: int, client_id: str | None = None, window: int = 2000) -> None:
        self.messages: list[Message] = []
        self._client = mqtt_client(client_id or f"publisher-{next(self._numbers)}", kind=NotingClient)
        self._client.max_inflight_messages_set(window)
        self._client.reconnect_delay_set(0.1, 0.5)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self._client.connect_async(LOOPBACK, port, clean_start=False, properties=properties)
        self._client.loop_start()
        until(self._client.is_connected, 10, "the publisher is connected")

    def send(self, readings: Reading | Sequence[Reading], topic: str | None = None) -> Message:
        """One message with one reading, or with an array of them of one device; does not wait."""
        several = (readings,) if isinstance(readings, Reading) else tuple(readings)
        document: Any = several[0].to_json() if isinstance(readings, Reading) else [r.to_json() for r in several]
        topic = topic or f"devices/{several[0].device_id}/readings"
        return self._publish(Message(topic, json.dumps(document).encode(), several))

    def send_bytes(
        self, topic: str, payload: bytes, readings: Sequence[Reading] | None = None, qos: int = 1, retain: bool = False
    ) -> Message:
        """Any payload; without `readings` the oracle expects it in rejected_messages."""
        return self._publish(Message(topic, payload, None if readings is None else tuple(readings)), qos, retain)

    def _publish(self, message: Message, qos: int = 1, retain: bool = False) -> Message:
        until(lambda: self.outstanding < self._MOST_OUTSTANDING, 60, "the broker acknowledges")
        self.messages.append(message)
        self._client.say(message, qos, retain)
        return message

    @property
    def outstanding(self) -> int:
        return len(self._client.outstanding)

    def wait(self, timeout: float = 30.0) -> None:
        """Until the broker has acknowledged everything (QoS 0: until it is written)."""
        until(lambda: not self._client.outstanding, timeout, "every message is acknowledged by the broker")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclass(frozen=True)
class Received:
    topic: str
    payload: bytes
    retain: bool
    at: float  # time.monotonic()
    at_us: int  # the clock

    def json(self) -> Any:
        return json.loads(self.payload)


class Listener:
    """Subscribes and keeps what comes, oldest first."""

    def __init__(self, port: int, *topics: str) -> None:
        self.received: list[Received] = []
        self._topics = topics
        self._is_subscribed = False
        self._client = mqtt_client()
        self._client.reconnect_delay_set(0.1, 0.5)
        self._client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect_async(LOOPBACK, port)
        self._client.loop_start()
        until(lambda: self._is_subscribed, 10, f"subscribed to {topics}")

    def _on_subscribe(self, *_: object) -> None:
        self._is_subscribed = True

    def _on_message(self, _client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        now = (time.monotonic(), now_us())
        self.received.append(Received(message.topic, message.payload, bool(message.retain), *now))

    def latest(self, topic: str) -> Received | None:
        return next((r for r in reversed(self.received) if r.topic == topic), None)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


# --- The tables ----------------------------------------------------------------------------------


class Database:
    """One database of the test's PostgreSQL; each query is a transaction of its own."""

    def __init__(self, url: str, superuser_url: str, name: str) -> None:
        self.url = url
        self.superuser_url = superuser_url
        self.name = name

    def connect(self, superuser: bool = False) -> Any:
        """A psycopg2 connection for the test to close."""
        return psycopg2.connect(self.superuser_url if superuser else self.url)

    def rows(self, query: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        connection = self.connect()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def rows_of_all(self, query: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """Of a query about ALL_READINGS, which are those of packed days, too. No day is turned in between."""
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("LOCK TABLE ONLY readings IN ACCESS SHARE MODE")
            cursor.execute("SELECT to_regproc('readings_source') IS NULL")  # of an earlier version
            (is_old,) = cursor.fetchone()
            cursor.execute("SELECT 'readings'" if is_old else "SELECT readings_source('-infinity', 'infinity')")
            (source,) = cursor.fetchone()
            cursor.execute(query.replace("ALL_READINGS", source.replace("%", "%%") if parameters else source), parameters)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def value(self, query: str, parameters: Sequence[Any] | None = None) -> Any:
        return self.rows(query, parameters)[0][0]

    def count(self, table: str = "readings") -> int:
        """The rows of a table; 0 while it, or its server, is not there."""
        try:
            return int(self.value(f"SELECT count(*) FROM {table}"))
        except (psycopg2.OperationalError, psycopg2.errors.UndefinedTable):
            return 0


def stored_readings(database: Database, features: Sequence[str] = FEATURES) -> list[Reading]:
    columns = "".join(f', "{feature}"' for feature in features)
    rows = database.rows(
        f"SELECT device_id, (extract(epoch FROM recorded_at) * 1000000)::bigint, status{columns} FROM device_readings"
    )
    return [_to_reading(row, features) for row in rows]


def _to_reading(row: Sequence[Any], features: Sequence[str]) -> Reading:
    values = zip(features, row[3:])
    return Reading(row[0], row[1], row[2], tuple(sorted((name, value) for name, value in values if value is not None)))


@dataclass
class Verdict:
    """Empty sets all round: what was promised was kept."""

    lost: list[Any] = field(default_factory=list)  # acknowledged, and nowhere
    doubled: list[Reading] = field(default_factory=list)  # in the table more than once
    unexpected: list[Any] = field(default_factory=list)  # there, and never sent

    def __bool__(self) -> bool:
        """True when all is well."""
        return not (self.lost or self.doubled or self.unexpected)

    def __str__(self) -> str:
        def some(name: str, items: list[Any]) -> str:
            return f"{name}: {len(items)}" + "".join(f"\n    {item}" for item in items[:5])

        return "\n".join(some(name, getattr(self, name)) for name in ("lost", "doubled", "unexpected"))


def compare(messages: Iterable[Message], database: Database, features: Sequence[str] = FEATURES) -> Verdict:
    """Holds what was sent against readings and rejected_messages."""
    messages = list(messages)
    sent = {r for message in messages for r in message.readings or ()}
    acknowledged = {r for message in messages if message.is_acknowledged for r in message.readings or ()}
    stored = Counter(stored_readings(database, features))

    to_reject = {(message.topic, message.payload) for message in messages if message.readings is None}
    must_reject = {(m.topic, m.payload) for m in messages if m.readings is None and m.is_acknowledged}
    rows = database.rows("SELECT topic, payload FROM rejected_messages")
    rejected = {(topic, bytes(payload)) for topic, payload in rows}

    return Verdict(
        lost=sorted([*(acknowledged - stored.keys()), *(must_reject - rejected)], key=str),
        doubled=[r for r, times in stored.items() if times > 1],
        unexpected=sorted([*(stored.keys() - sent), *(rejected - to_reject)], key=str),
    )


# --- The boards ----------------------------------------------------------------------------------


def board_by_sql(
    database: Database,
    feature: str,
    interval: str,
    as_of_us: int,
    limit: int = 10,
    features: Sequence[str] = FEATURES,
    seconds: dict[str, int | None] | None = None,
    by_arrival: bool = True,
) -> list[Reading]:
    """The board as the table has it: each device's best reading in (as_of - interval, ...] of those that were received
    until as_of, or of all when not `by_arrival`, the best first. `seconds` are the lengths of intervals that are not
    the default ones."""
    length = (seconds or INTERVAL_SECONDS)[interval]
    since = "-infinity" if length is None else to_text(as_of_us - length * 1_000_000)
    columns = "".join(f', "{name}"' for name in features)
    rows = database.rows_of_all(
        f"""
        SELECT device_id, (extract(epoch FROM recorded_at) * 1000000)::bigint, status{columns}
        FROM (SELECT DISTINCT ON (r.device) d.device_id, r.recorded_at, v.status{columns}
              FROM ALL_READINGS r
              JOIN devices d ON d.id = r.device
              CROSS JOIN LATERAL (SELECT (ARRAY['ON', 'OFF', 'ACTIVE', 'INACTIVE'])[r.status] AS status) v
              WHERE r."{feature}" IS NOT NULL AND r.recorded_at > %s AND r.received_at <= %s
              ORDER BY r.device, r."{feature}" DESC, r.recorded_at DESC,
                       r.content_hash DESC) best
        ORDER BY "{feature}" DESC, recorded_at DESC, device_id COLLATE "C"
        LIMIT %s""",
        (since, to_text(as_of_us) if by_arrival else "infinity", limit),
    )
    return [_to_reading(row, features) for row in rows]


def board_of_span_by_sql(
    database: Database, feature: str, from_us: int, to_us: int, limit: int = 10, order: str = "desc",
    among: Sequence[str] | None = None,
) -> list[Reading]:
    """Each device's best reading with from <= recorded_at < to, by a look at every one, the best first."""
    columns = "".join(f', "{name}"' for name in FEATURES)
    rows = database.rows_of_all(
        f"""
        SELECT device_id, (extract(epoch FROM recorded_at) * 1000000)::bigint, status_text{columns}
        FROM (SELECT DISTINCT ON (r.device) d.device_id, r.*,
                     (ARRAY['ON', 'OFF', 'ACTIVE', 'INACTIVE'])[r.status] AS status_text
              FROM ALL_READINGS r JOIN devices d ON d.id = r.device
              WHERE r."{feature}" IS NOT NULL AND r.recorded_at >= %s AND r.recorded_at < %s
              AND (%s::text[] IS NULL OR d.device_id = ANY (%s))
              ORDER BY r.device, r."{feature}" {order}, r.recorded_at DESC, r.content_hash DESC) best
        ORDER BY "{feature}" {order}, recorded_at DESC, device_id COLLATE "C" LIMIT %s""",
        (to_text(from_us), to_text(to_us), among and list(among), among and list(among), limit),
    )
    return [_to_reading(row, FEATURES) for row in rows]


def board_of_json(entries: Sequence[dict[str, Any]], features: Sequence[str] = FEATURES) -> list[Reading]:
    """The entries of /dashboard, or of a board's `readings`, as readings."""
    return [
        Reading(
            entry["deviceId"],
            to_us(entry["timestamp"]),
            entry.get("status"),
            tuple(sorted((name, float(entry[name])) for name in features if entry.get(name) is not None)),
        )
        for entry in entries
    ]
