"""What a record of the topic says: the rows to write, or why it is none.

Our own collectors write one reading a record, checked, always with its time, and its identity in a header
(shared/model/record.h). Anybody else may write to the topic, too: the contract's payload, one object or an array
of them. What stands in an array is told apart as the collector does, each element with the hash of its own bytes.

Nothing here knows Kafka or Cassandra. Errors: Refused, with the collector's name for the reason.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from math import floor
from typing import Any, NamedTuple

import xxhash

US_PER_DAY = 86_400_000_000
FEATURES_MOST = 200
NAME_CHARACTERS_MOST = 64
DEVICE_CHARACTERS_MOST = 64
SEQ_MOST = 2**53
FUTURE_TOLERANCE_US = 60_000_000
EARLIEST_DAY = date(2020, 1, 1).toordinal() - date(1970, 1, 1).toordinal()
STATUSES = frozenset(("ON", "OFF", "ACTIVE", "INACTIVE"))

_SPACE = " \n\t\r"
_HASH = re.compile(rb"[0-9A-Fa-f]{16}")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?", re.ASCII
)


class Row(NamedTuple):
    """A reading, by the columns of the table."""

    device: str
    day: int  # since 1970
    time_us: int  # of that day
    id: int  # signed, as in PostgreSQL
    received_at_us: int | None
    status: str | None
    seq: int | None
    features: dict[str, float]


class Refused(Exception):
    """Why it is no reading: a name as in docs/REJECTED.md, and a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def shown(value: Any) -> str:
    """A value from outside as a log may show it: short, and printable ASCII."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


# --- Parts ---------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _day_number(text: str) -> int:
    """A calendar date as the number of its day; ValueError for one that is none."""
    return date.fromisoformat(text).toordinal() - 719163


def _is_behind_leap_second(us: int) -> bool:
    day = date.fromordinal(719163 + us // US_PER_DAY)
    return us % US_PER_DAY == 0 and day.day == 1 and day.month in (1, 7)


def parse_time(text: str) -> int:
    """RFC 3339, no offset = UTC, in microseconds since 1970; ValueError."""
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError(text)
    day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = match.groups()
    h, m, s = int(hour), int(minute), int(second)
    offset = int(offset_hours or 0) * 60 + int(offset_minutes or 0)
    if h > 23 or m > 59 or s > 60 or int(offset_hours or 0) > 23 or int(offset_minutes or 0) > 59:
        raise ValueError(text)
    m -= -offset if sign == "-" else offset
    us = _day_number(day) * US_PER_DAY + (h * 3600 + m * 60 + s) * 1_000_000
    if s == 60 and not _is_behind_leap_second(us):
        raise ValueError(text)
    return us + int(f"{fraction:0<6.6}" if fraction else 0)


def epoch_time(number: float) -> int:
    """A number of s, ms, us or ns since 1970: each unit is a thousand times the next, so its size tells which."""
    size = abs(number)
    power = 6 if size < 10**11 else 3 if size < 10**14 else 0 if size < 10**17 else -3
    if isinstance(number, int):
        return number * 10**power if power >= 0 else number // 1000
    return floor(Decimal(repr(number)).scaleb(power))  # of the digits that were sent: as a double it may be another


def _timestamp(value: Any) -> int:
    try:
        if isinstance(value, str):
            return parse_time(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            us = epoch_time(value)
            if -(2**60) < us < 2**60:
                return us
            raise ValueError(value)
    except (ValueError, OverflowError):
        raise Refused(
            "bad_timestamp", f"timestamp {shown(value)} is neither RFC 3339 nor s, ms, us or ns since 1970"
        ) from None
    raise Refused("wrong_type", "timestamp is neither a string nor a number")


def is_visible(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") and character != "\ufffd"


@lru_cache(maxsize=65536)
def check_device(device: str) -> str:
    """Most ids come again and again."""
    if (
        not 1 <= len(device) <= DEVICE_CHARACTERS_MOST
        or device in (".", "..")
        or not all(map(is_visible, device))
        or set(device) & set("/+#")
    ):
        raise Refused(
            "bad_device_id", f"{shown(device)} is not 1 to 64 visible characters, none of them / + #, and not . or .."
        )
    return device


def _device(value: Any, key: bytes | None) -> str:
    if value is not None and not isinstance(value, str):
        raise Refused("wrong_type", "deviceId is not a string")
    if not key:
        if value is None:
            raise Refused("bad_device_id", "neither the record's key nor deviceId says whose it is")
        return check_device(value)
    try:
        device = check_device(key.decode())
    except UnicodeDecodeError:
        raise Refused("bad_device_id", f"the record's key {shown(key)} is not UTF-8") from None
    if value is not None and value != device:
        raise Refused("device_id_mismatch", f"deviceId {shown(value)} is not the record's key {shown(device)}")
    return device


def _seq(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused("wrong_type", "seq is not a number")
    if value != value or not 0 <= value <= SEQ_MOST or value != int(value):
        raise Refused("wrong_type", f"seq {shown(value)} is not a whole number from 0 to 2^53")
    return int(value)


def _feature(name: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number - number != 0:
        raise Refused("not_finite", f"{shown(name)} is not finite")
    if len(name) > NAME_CHARACTERS_MOST:
        raise Refused("too_many_members", f"the name {shown(name)} has more than {NAME_CHARACTERS_MOST} characters")
    return number


# --- One reading -----------------------------------------------------------------------------------


class Headers(NamedTuple):
    """What the headers of a record say, None where they do not: as record_take_header() reads them."""

    identity: int | None
    arrival_us: int | None
    topic: bytes | None


def signed(unsigned: int) -> int:
    return unsigned - 2**64 if unsigned >= 2**63 else unsigned


def read_headers(headers: Iterable[tuple[str, bytes | None]] | None) -> Headers:
    """One that is not known, or not as it should be, is none; of two with a name the later counts."""
    identity = arrival = topic = None
    for name, value in headers or ():
        if value is None or b"\0" in value:
            continue
        if name == "identity" and _HASH.fullmatch(value):
            identity = signed(int(value, 16))
        elif name == "arrival":
            try:
                arrival = parse_time(value.decode("ascii"))
            except ValueError:
                pass
        elif name == "topic":
            topic = value
    return Headers(identity, arrival, topic)


class Source(NamedTuple):
    """What is known of a record beside its value. Times in us; `now_us` is ours."""

    key: bytes | None
    headers: Headers
    time_us: int | None  # Kafka's
    now_us: int


def _no_twins(pairs: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise Refused("duplicate_member", f"{shown(twin)} stands there twice")
    return members


def _check_time(us: int, source: Source) -> None:
    """What our own collectors sent was held against their settings; the rest against the defaults of these."""
    if us > source.now_us + FUTURE_TOLERANCE_US:
        raise Refused("timestamp_in_future", f"the timestamp is {(us - source.now_us) // 1_000_000} s ahead")
    if us < EARLIEST_DAY * US_PER_DAY:
        raise Refused("timestamp_too_old", "the timestamp is from before 2020-01-01")


def _row(value: Any, text: str, index: int, source: Source) -> Row:
    """`value` as json gave it, objects being tuples of pairs; `text` is what it stands in, `index` of its array."""
    if not isinstance(value, tuple):
        raise Refused("not_an_object", f"{shown(text)} is no object")
    members = _no_twins(value)
    device = _device(members.pop("deviceId", None), source.key)
    when = members.pop("timestamp", None)
    status = members.pop("status", None)
    seq = members.pop("seq", None)
    arrival_us = source.headers.arrival_us if source.headers.arrival_us is not None else source.time_us
    if when is not None:
        us = _timestamp(when)
    elif arrival_us is not None:
        us = arrival_us + index
    else:
        raise Refused("bad_timestamp", "neither the payload nor the record has a time")
    is_ours = source.headers.identity is not None and index == 0
    if not is_ours:
        _check_time(us, source)
    if status is not None and (not isinstance(status, str) or status not in STATUSES):
        raise Refused("unknown_status", f"status {shown(status)} is not one of ON, OFF, ACTIVE, INACTIVE")
    features = {n: _feature(n, v) for n, v in members.items() if type(v) is float or type(v) is int}
    if not features and status is None:
        raise Refused("no_value", "it has neither a status nor a number")
    if len(features) > FEATURES_MOST:
        raise Refused("too_many_members", f"it has {len(features)} numbers, more than {FEATURES_MOST}")
    identity = source.headers.identity if is_ours else signed(xxhash.xxh3_64_intdigest(text.encode()))
    day, time_us = divmod(us, US_PER_DAY)
    return Row(device, day, time_us, identity, arrival_us, status, None if seq is None else _seq(seq), features)  # type: ignore[arg-type]


# --- A record ------------------------------------------------------------------------------------


def _no_constant(text: str) -> None:
    raise Refused("not_json", f"{text} is no JSON")


_decoder = json.JSONDecoder(object_pairs_hook=tuple, parse_constant=_no_constant)


def _decode(text: str, at: int) -> tuple[Any, int]:
    try:
        return _decoder.raw_decode(text, at)
    except RecursionError:
        raise Refused("too_deep", "it is nested too deeply") from None
    except ValueError as error:  # also a number of more digits than Python reads
        raise Refused("not_json", str(error)[:200]) from None


def _behind_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _elements(text: str) -> Iterable[tuple[Any, str]]:
    """Those of an array, each with the text it stands in. An array that is no JSON is refused whole."""
    at = _behind_space(text, 1)
    found = []
    while True:
        value, end = _decode(text, at)
        found.append((value, text[at:end]))
        at = _behind_space(text, end)
        mark = text[at : at + 1]
        at = _behind_space(text, at + 1)
        if mark == "]" and at == len(text):
            return found
        if mark != ",":
            raise Refused("not_json", f"at character {at} of the array there is neither , nor ]")


def read(value: bytes | None, source: Source) -> list[Row | Refused]:
    """The rows of a record, and what of it is none. Without a value, as one that deletes in a compacted topic, it has none."""
    if value is None:
        return []
    try:
        text = value.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\0").decode().strip(_SPACE)
        if not text:
            raise Refused("empty", "the record has no value")
        if text[0] != "[":
            object_, end = _decode(text, 0)
            if end != len(text):
                raise Refused("trailing_bytes", f"behind the object there is {shown(text[end:])}")
            return [_row(object_, text, 0, source)]
        elements = list(_elements(text))
    except Refused as refused:
        return [refused]
    except UnicodeDecodeError as error:
        return [Refused("invalid_utf8", f"byte {error.start} is no UTF-8")]
    found: list[Row | Refused] = []
    for index, (element, its_text) in enumerate(elements):
        try:
            found.append(_row(element, its_text, index, source))
        except Refused as refused:
            found.append(refused)
    return found
