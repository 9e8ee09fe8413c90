"""What messages of Sparkplug edge nodes say, read by the tests themselves, with Google's protobuf.

What was a message's birth goes with it: nobody here has to know in which order what arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edge_node import TYPES, pb
from oracle import Message

STATUS = "Properties/Status"
NO_FEATURES = (STATUS, "x")
_KINDS = {number: kind for kind, number in TYPES.items()}

Aliases = dict[int, tuple[str, str]]  # name and type


@dataclass
class EdgeMessage(Message):
    aliases: Aliases = field(default_factory=dict)  # as the last birth of the device had them
    dies: tuple[str, ...] = ()  # of a node's death: devices that it may take along


class EdgeSaid(NamedTuple):
    """One reading; `at_us` None: of its arrival."""

    device_id: str
    at_us: int | None
    status: str | None
    values: dict[str, float]
    identity: int


def mapping(group: str, features: Sequence[str]) -> dict[str, Any]:
    return {"topic": f"spBv1.0/{group}/{{type}}/{{edge}}/{{device}}", "payload": "sparkplug",
            "only": {"type": ["DBIRTH", "DDATA"]}, "each": "/metrics/*", "time": "/timestamp", "rules": [
                {"feature": {"name": "{/name}", "value": "/value", "rename": {name: name for name in features}}},
                {"when": {"/name": STATUS}, "status": "/value"}]}


def _written(number: float) -> str:
    return f"{number:.15g}" if round(number * 100) / 100 == number else f"{number:.17g}"


def _signed(number: int, bits: int) -> int:
    number %= 2**bits
    return number - 2**bits if number >= 2 ** (bits - 1) else number


def _value(one: Any, kind: str) -> str:
    """As JSON has it."""
    if one.is_null:
        return "null"
    if kind == "String":
        return f'"{one.string_value.decode()}"'
    if kind in ("Float", "Double"):
        return _written(one.float_value if kind == "Float" else one.double_value)
    number: int = one.long_value if kind.endswith("64") else one.int_value
    return str(number if kind.startswith("U") else _signed(number, int(kind[3:])))


def edge_said(message: EdgeMessage, identity: Callable[[bytes, Sequence[str]], int]) -> list[EdgeSaid]:
    """`identity` is that of a text of this topic, and the names in it. ValueError: it is no reading, and wrong."""
    _, _, kind, _, *devices = message.topic.split("/")
    if kind == "NBIRTH":
        return []
    if kind == "NDEATH":
        return [EdgeSaid(device, None, "INACTIVE", {}, identity(message.payload, ())) for device in message.dies]
    try:
        payload = pb.Payload.FromString(message.payload)
    except Exception as failure:  # of protobuf's own
        raise ValueError from failure
    if kind == "DDEATH":
        return [EdgeSaid(devices[0], payload.timestamp * 1000, "INACTIVE", {}, identity(message.payload, ()))]
    return _readings(devices[0], payload, message.aliases, identity)


def _readings(device: str, payload: Any, aliases: Aliases, identity: Callable[[bytes, Sequence[str]], int]) -> list[EdgeSaid]:
    """One for each moment: known by its metrics from the first to the last, and by what stands between."""
    texts: list[str] = []
    moments: dict[int, list[tuple[int, str, str]]] = {}
    for place, one in enumerate(payload.metrics):
        if not one.name and one.alias not in aliases:
            raise ValueError(f"alias {one.alias}")
        name, kind = (one.name.decode(), _KINDS[one.datatype]) if one.name else aliases[one.alias]
        at = one.timestamp if one.HasField("timestamp") else payload.timestamp
        value = _value(one, kind)
        texts.append(f'{{"name":"{name}","timestamp":{at},"value":{value}}}')
        if value != "null":
            moments.setdefault(at, []).append((place, name, value))
    found = []
    for at, members in moments.items():
        status = next((value.strip('"') for _, name, value in members if name == STATUS), None)
        values = {name: float(value) + 0.0 for _, name, value in members if name not in NO_FEATURES}
        if status is not None or values:
            whole = ",".join(texts[members[0][0] : members[-1][0] + 1]).encode()
            names = [name for _, name, _ in members if name != STATUS]
            found.append(EdgeSaid(device, at * 1000, status, values, identity(whole, names)))
    return found
