"""What was published, read by the tests themselves, and what the tables add to it: when it arrived.

A Sample is one element of a message as its bytes say; nothing here asks Highwater what it made of it.
A Fact is a sample that is stored. Only three things about it come from the database: `received_at`, which
nobody else knows and every "as of" needs; the transaction that stored it; and the time of a sample that
came without one, which is its arrival.

The hash of an element is that of Highwater's contract (XXH3, 64 bits, signed), computed by the library
itself: it decides between readings that are equal in value and time, and in which order pages have them.
"""

from __future__ import annotations

import bisect
import calendar
import ctypes
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from edge_said import EdgeMessage, edge_said
from oracle import FEATURES, Database, Message, Verdict, now_us
from shapes import Said, identity, shape_of

STATUSES = ("ON", "OFF", "ACTIVE", "INACTIVE")
_NOT_FEATURES = {"deviceId", "timestamp", "status", "seq"}
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?", re.ASCII
)

UNKNOWN = -1
KEPT_BITS = (1 << 48) - 1  # of a hash, these are 0 in a packed reading

_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_64bits.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
_xxhash.XXH3_64bits.restype = ctypes.c_int64


def content_hash(element: bytes) -> int:
    return int(_xxhash.XXH3_64bits(element, len(element)))


class Sender(Protocol):
    """Publisher, EdgeFleet."""

    messages: list[Message]


class Refused(Exception):
    """No reading: the contract wants it in rejected_messages."""


class Sample(NamedTuple):
    """One reading as it was published."""

    topic: str
    device_id: str
    identity: int  # of its bytes, from its { to its }; of a mapped message what shapes.py says
    at_us: int | None  # None: it gives no time, so it gets that of its arrival
    status: str | None
    values: dict[str, float]  # all that were sent, whether or not a collector keeps them
    seq: int | None
    message: Message

    def is_at(self, at_us: int, received_us: int) -> bool:
        """Readings of a message arrive a microsecond apart; those of one that takes several devices along are of its moment."""
        if self.at_us is not None:
            return at_us == self.at_us
        return at_us == received_us or ("/NDEATH/" in self.topic and received_us - 1000 < at_us < received_us)


class Fact(NamedTuple):
    """One reading as it must be stored."""

    device_id: str
    at_us: int
    content_hash: int
    received_us: int
    xid: int  # the transaction that stored it; UNKNOWN: it was dropped before anybody looked
    owner: str  # which collector it came through
    status: str | None
    values: dict[str, float]  # those that this collector kept at that moment
    seq: int | None


# --- Bytes ---------------------------------------------------------------------------------------


def moment_us(value: Any) -> int:
    """Microseconds since 1970 of an RFC 3339 text, or of a number of s, ms, us or ns."""
    if isinstance(value, str):
        match = _MOMENT.fullmatch(value)
        if not match:
            raise Refused(f"timestamp {value!r}")
        year, month, day, hour, minute, second = map(int, match.groups()[:6])
        fraction, sign, hours, minutes = match.groups()[6:]
        offset_s = (int(hours) * 3600 + int(minutes or 0) * 60) * (-1 if sign == "-" else 1) if sign else 0
        seconds = calendar.timegm((year, month, day, hour, minute, second)) - offset_s
        return seconds * 1_000_000 + int(((fraction or "") + "000000")[:6])
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise Refused(f"timestamp {value!r}")
    number = Decimal(value)
    size = abs(number)
    factor = 10**6 if size < 10**11 else 10**3 if size < 10**14 else 1
    return int(number * factor) if size < 10**17 else int(number / 1000)


def _constant(name: str) -> Any:
    return Refused(f"{name} is no number")  # stands as a value until its element is read


_decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_constant)


def elements(payload: bytes) -> Iterator[tuple[bytes, Any]]:
    """(bytes, value) of the object, or of each element of the array. ValueError: it is not JSON."""
    text = payload.decode()
    at = len(text) - len(text.lstrip(" \t\r\n"))
    whole, end = _decoder.raw_decode(text, at)
    if text[end:].strip(" \t\r\n"):
        raise ValueError("trailing bytes")
    if not isinstance(whole, list):
        yield text[at:end].encode(), whole
        return
    if not whole:
        raise ValueError("an empty array")
    at += 1
    for _ in whole:
        while text[at] in " \t\r\n,":
            at += 1
        value, end = _decoder.raw_decode(text, at)
        yield text[at:end].encode(), value
        at = end


def _sample(message: Message, element: bytes, value: Any) -> Sample:
    if not isinstance(value, dict):
        raise Refused("not an object")
    device_id = message.topic.split("/")[-2]
    known = {name: item for name, item in value.items() if item is not None}
    if any(isinstance(item, Refused) for item in known.values()) or known.get("deviceId", device_id) != device_id:
        raise Refused("a constant, or another's id")
    if known.get("status", "ON") not in STATUSES:
        raise Refused("status")
    values = {}
    for name in known.keys() - _NOT_FEATURES:
        item = known[name]
        if isinstance(item, bool) or not isinstance(item, (int, Decimal)) or not math.isfinite(float(item)):
            raise Refused(name)
        values[name] = float(item) + 0.0  # -0 and 0 are one number
    at_us = moment_us(known["timestamp"]) if "timestamp" in known else None
    return Sample(message.topic, device_id, content_hash(element), at_us, known.get("status"), values, known.get("seq"), message)


def _mapped_sample(message: Message) -> Sample:
    said = Said(message.topic, message.payload, lambda payload: _decoder.decode(payload.decode()), content_hash)
    if said.status is None and not said.values:
        raise Refused("no value")
    at_us = moment_us(said.time) if said.time is not None else said.us
    device_id = message.topic.split("/")[-2]
    return Sample(message.topic, device_id, said.identity, at_us, said.status, said.values, said.seq, message)


def _edge_samples(message: Message) -> list[Sample]:
    """One that no node sent, has no birth."""
    of_node = message if isinstance(message, EdgeMessage) else EdgeMessage(message.topic, message.payload, None)
    said = edge_said(of_node, lambda text, names: identity(content_hash, message.topic, text, names))
    return [Sample(message.topic, one.device_id, one.identity, one.at_us, one.status, one.values, None, message) for one in said]


def samples_of(message: Message) -> tuple[list[Sample], list[bytes]]:
    """The readings in a message, and what of it is to be rejected. What is unknown counts as a feature here, so a
    test must not send members that no feature could be."""
    found: list[Sample] = []
    refused: list[bytes] = []
    if shape_of(message.topic):
        try:
            return (_edge_samples(message) if shape_of(message.topic) == "sparkplug" else [_mapped_sample(message)]), []
        except (Refused, ValueError):
            return [], [message.payload]
    try:
        for element, value in elements(message.payload):
            try:
                found.append(_sample(message, element, value))
            except Refused:
                refused.append(element)
    except ValueError:
        return [], [message.payload]
    return found, refused


# --- Settings ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """How a collector, or httpapi, was started, as far as answers depend on it."""

    features: tuple[str, ...] = FEATURES
    intervals: tuple[tuple[str, int | None], ...] = (("past_minute", 60), ("past_hour", 3600), ("all_time", None))  # s
    limit: int = 10
    lowest: bool = False
    retention: str = "0"

    def for_httpapi(self) -> dict[str, Any]:
        intervals = ",".join(name if length is None else f"{name}={length}s" for name, length in self.intervals)
        return {"features": ",".join(self.features), "intervals": intervals, "num_top_devices": self.limit}

    def for_collector(self) -> dict[str, Any]:
        return {**self.for_httpapi(), "lowest": int(self.lowest), "retention": self.retention}


class Eras:
    """Each start of a collector begins an era of its settings."""

    def __init__(self) -> None:
        self._starts: dict[str, list[int]] = defaultdict(list)
        self._settings: dict[str, list[Settings]] = defaultdict(list)

    def begin(self, owner: str, settings: Settings) -> None:
        self._starts[owner].append(now_us())
        self._settings[owner].append(settings)

    def settings_at(self, owner: str, us: int) -> Settings:
        """Those that the collector had at a moment; of a moment before its first start, its first."""
        return self._settings[owner][max(0, bisect.bisect_right(self._starts[owner], us) - 1)]

    def kept_ever(self, owner: str) -> set[frozenset[str]]:
        """The sets of features that it has kept at some time."""
        return {frozenset(settings.features) for settings in self._settings[owner]}


# --- Rows ----------------------------------------------------------------------------------------


class Ledger:
    """Everything that some publishers sent, and what the tables say of its arrival.

    `owner_of(topic)` names the collector that a topic goes to; its settings at the arrival say which features
    it kept of a reading.
    """

    def __init__(
        self,
        publishers: Sequence[Sender],
        eras: Eras,
        owner_of: Callable[[str], str] = lambda _topic: "collector",
    ) -> None:
        self.facts: dict[tuple[str, int, int], Fact] = {}
        self.unexpected: list[Any] = []
        self.changed: list[str] = []
        self.droppable_before_us = -(2**62)  # what was recorded before may be dropped by RETENTION
        self._vanished: list[Fact] = []
        self._removed: dict[tuple[str, int, int], frozenset[str] | None] = {}  # features of each; None: all of it
        self._publishers = publishers
        self._eras = eras
        self._owner_of = owner_of
        self._read = [0] * len(publishers)
        self._samples: dict[tuple[str, int], list[Sample]] = defaultdict(list)
        self._identities: dict[tuple[str, int], set[int]] = defaultdict(set)  # by the bits that a packed reading keeps
        self._refused: list[tuple[Message, bytes]] = []

    def read(self) -> None:
        """Takes in what was published since the last time."""
        for i, publisher in enumerate(self._publishers):
            for message in publisher.messages[self._read[i] :]:
                self.add(message)
                self._read[i] += 1

    def add(self, message: Message) -> None:
        samples, refused = samples_of(message)
        for sample in samples:
            self._samples[sample.device_id, sample.identity].append(sample)
            self._identities[sample.device_id, sample.identity & ~KEPT_BITS].add(sample.identity)
        self._refused += [(message, element) for element in refused]

    def fact(self, device_id: str, at_us: int, hash64: int, received_us: int, xid: int) -> Fact | None:
        """The row as it must be; None when nobody published it."""
        for sample in self._samples.get((device_id, hash64), ()):
            if sample.is_at(at_us, received_us):
                owner = self._owner_of(sample.topic)
                kept = self._eras.settings_at(owner, received_us).features
                values = {name: value for name, value in sample.values.items() if name in kept}
                return Fact(device_id, at_us, hash64, received_us, xid, owner, sample.status, values, sample.seq)
        return None

    def learn(self, database: Database, features: Sequence[str], recorded_before_us: int | None = None) -> None:
        """Reads `readings` and holds every row against what was published. What was dropped since stays known."""
        seen: set[tuple[str, int, int]] = set()
        columns = "".join(f', r."{feature}"' for feature in features)
        # A packed reading was there before its chunk: it must be seen by who sees that, at the latest.
        rows = database.rows_of_all(
            "SELECT d.device_id, (extract(epoch FROM r.recorded_at) * 1000000)::bigint, r.content_hash,"
            " (extract(epoch FROM r.received_at) * 1000000)::bigint, coalesce(u.xmin::text::bigint,"
            " (SELECT max(c.xmin::text::bigint) FROM reading_chunks c WHERE c.device = r.device"
            " AND r.recorded_at BETWEEN c.first_at AND c.last_at)),"
            f" (ARRAY['ON', 'OFF', 'ACTIVE', 'INACTIVE'])[r.status], r.seq{columns}"
            " FROM ALL_READINGS r JOIN devices d ON d.id = r.device LEFT JOIN readings u"
            " ON (u.device, u.recorded_at, u.content_hash) = (r.device, r.recorded_at, r.content_hash)"
            " WHERE r.recorded_at < timestamptz 'epoch' + %s * interval '1 microsecond' OR %s",
            (recorded_before_us or 0, recorded_before_us is None),
        )
        self.read()  # only now: what is stored by then was noted before it was published
        for packed in rows:
            row = self._unpacked(packed)
            known = self._after_removals(row[:3], self.fact(*row[:5]))
            if known is None:
                self.unexpected.append(row)
                continue
            if row[:3] in seen:
                self.unexpected.append(f"a second time: {row}")
            if row[:3] in self.facts:  # it may have moved, or been packed, since
                known = known._replace(xid=min(known.xid, self.facts[row[:3]].xid))
            stored = {name: value for name, value in zip(features, row[7:]) if value is not None}
            if (row[5], row[6], stored) != (known.status, known.seq, known.values):
                self.changed.append(f"{known} is stored as {row[5:]}")
            self.facts[row[:3]] = known
            seen.add(row[:3])
        if recorded_before_us is None:
            self._vanished = [f for key, f in self.facts.items() if key not in seen]

    def _unpacked(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """With its whole hash, where only the bits that are kept of it are there."""
        device_id, at_us, kept, received_us = row[:4]
        if kept & KEPT_BITS:
            return row
        for identity in self._identities.get((device_id, kept), ()):
            if any(sample.is_at(at_us, received_us) for sample in self._samples[device_id, identity]):
                return (device_id, at_us, identity, *row[3:])
        return row

    def remove(self, device_id: str, from_us: int, until_us: int, feature: str | None = None) -> int:
        """What of that is known by now is taken out: whole readings, or one feature and what then has nothing else."""
        keys = [k for k, f in self.facts.items() if f.device_id == device_id and from_us <= f.at_us < until_us]
        for key in keys:
            taken = self._removed.get(key) or frozenset()
            self._removed[key] = None if feature is None else taken | {feature}
            after = self._after_removals(key, self.facts.pop(key))
            if after is not None:
                self.facts[key] = after
        return len(keys)

    def forget(self, device_id: str) -> None:
        """All that is known of a device is taken out, what was rejected included."""
        self.remove(device_id, -(2**62), 2**62)
        self._refused = [(m, element) for m, element in self._refused if device_id not in m.topic.split("/")]

    def _after_removals(self, key: tuple[str, int, int], fact: Fact | None) -> Fact | None:
        if fact is None or key not in self._removed:
            return fact
        taken = self._removed[key]
        values = {} if taken is None else {name: v for name, v in fact.values.items() if name not in taken}
        is_there = taken is not None and (values or fact.status is not None)
        return fact._replace(values=values) if is_there else None

    def perhaps_dropped(self) -> list[Fact]:
        """What was published and is so old that RETENTION may have dropped it before learn() saw it. Nobody
        knows when it arrived, so it may be on whatever there is, with any of the sets of features that its
        collector has kept. What was dropped and then delivered again is another row, by nature: learn() may have
        seen that one, so these are among them a second time."""
        return [
            Fact(s.device_id, s.at_us or 0, hash64, 0, UNKNOWN, owner, s.status, dict(values), s.seq)
            for (_, hash64), samples in self._samples.items()
            for s in samples
            if self._may_be_dropped(s)
            for owner in [self._owner_of(s.topic)]
            for values in {
                tuple(sorted((name, value) for name, value in s.values.items() if name in kept))
                for kept in self._eras.kept_ever(owner)
            }
        ]

    def verdict(self, database: Database) -> Verdict:
        """The rows, as of the last learn(): lost; there and never sent, or not as it was sent. (None can be there
        twice: the key is all that tells one from another. A sample without a time may have more than one row.)"""
        arrived = {(device_id, hash64) for device_id, _, hash64 in (*self.facts, *self._removed)}
        lost: list[Any] = [f for f in self._vanished if f.at_us >= self.droppable_before_us]
        for (device_id, hash64), samples in self._samples.items():
            for sample in samples:
                key = (device_id, sample.at_us, hash64)
                is_there = (device_id, hash64) in arrived if sample.at_us is None else key in self.facts
                may_be_gone = self._may_be_dropped(sample) or key in self._removed
                if sample.message.is_acknowledged and not is_there and not may_be_gone:
                    lost.append(sample)
        found = database.rows("SELECT topic, payload FROM rejected_messages")
        rejected = {(topic, bytes(payload).strip()) for topic, payload in found}
        to_reject = {(message.topic, element.strip()) for message, element in self._refused}
        must_reject = {(m.topic, element.strip()) for m, element in self._refused if m.is_acknowledged}
        lost += must_reject - rejected
        return Verdict(lost, [], [*self.unexpected, *self.changed, *(rejected - to_reject)])

    def _may_be_dropped(self, sample: Sample) -> bool:
        return sample.at_us is not None and sample.at_us < self.droppable_before_us
