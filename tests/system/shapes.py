"""Messages of devices that were made for something else: as Tasmota's, a bare value, SenML; how they are sent, the
mapping that reads them, and what each says, read by the tests themselves. (Sparkplug's are in edge_fleet.py and edge_said.py.)

Identity is what docs/MAPPINGS.md says, computed here once more: the bytes of the members that say something, the topic, and the
names of named values.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import edge_said

STATUSES = ("ON", "OFF", "ACTIVE", "INACTIVE")
BASE_NAME = "urn:dev:x:"


def mapping(site: str, features: Sequence[str]) -> str:
    """For the topics of one site, such as devices or site-b."""
    renames = {name: name for name in features}
    return json.dumps([
        {"topic": f"{site}/tele/{{device}}/SENSOR", "time": "/Time", "seq": "/Seq", "status": "/State/Power",
         "features": {name: f"/Sensor/{name.capitalize()}" for name in features}},
        {"topic": f"{site}/text/{{device}}/{{feature}}", "payload": "text",
         "feature": {"name": "{feature}", "value": "", "rename": renames}},
        {"topic": f"{site}/senml/{{device}}/up", "payload": "senml", "each": "/*", "time": "/t", "rules": [
            {"feature": {"name": "{/label}", "value": "/v", "rename": renames}},
            {"when": {"/label": "status"}, "status": "/vs"}]},
        edge_said.mapping(site, features),
    ])


def probes(site: str) -> list[tuple[str, bytes]]:
    """A message of each."""
    return [(f"{site}/tele/first/SENSOR", b"{"), (f"{site}/text/first/temperature", b"0.5"), (f"{site}/senml/first/up", b"["),
            (f"spBv1.0/{site}/DDATA/first/first", b"{")]


# --- Sent ----------------------------------------------------------------------------------------


def tasmota(rng: random.Random, site: str, device: str, document: dict[str, Any], _us: int) -> tuple[str, bytes]:
    """`document` is the reading as the contract has it."""
    nested: dict[str, Any] = {"Uptime": rng.randrange(10**9)}
    if "timestamp" in document:
        nested["Time"] = document["timestamp"]
    if "seq" in document:
        nested["Seq"] = document["seq"]
    if "status" in document:
        nested["State"] = {"Power": document["status"], "Dimmer": 100}
    nested["Sensor"] = {name.capitalize(): value for name, value in document.items() if isinstance(value, float)}
    return f"{site}/tele/{device}/SENSOR", json.dumps(nested).encode()


def text(rng: random.Random, site: str, device: str, document: dict[str, Any], _us: int) -> tuple[str, bytes]:
    """One feature, no time. A number that no other message has: it is all that tells one from another."""
    names = [name for name, value in document.items() if isinstance(value, float)]
    name = rng.choice(names) if names else "temperature"
    return f"{site}/text/{device}/{name}", b"%d.%09d" % (rng.randrange(-40, 41), rng.randrange(10**9))


def senml(rng: random.Random, site: str, device: str, document: dict[str, Any], us: int) -> tuple[str, bytes]:
    records = [f'"n":"{name}","v":{value}' for name, value in document.items() if isinstance(value, float)]
    if "status" in document:
        records.append(f'"n":"status","vs":"{document["status"]}"')
    records.insert(rng.randrange(len(records) + 1), f'"n":"x","v":{rng.randrange(10**9)}')
    records[0] = f'"bn":"{BASE_NAME}","bt":{us // 10**6}.{us % 10**6:06},' + records[0]
    return f"{site}/senml/{device}/up", f'[{",".join("{" + record + "}" for record in records)}]'.encode()


SENDERS = (tasmota, text, senml)


def refused(rng: random.Random, site: str, device: str) -> tuple[str, bytes]:
    """Without a value, or no JSON."""
    topic = f"{site}/tele/{device}/SENSOR"
    return topic, rng.choice([b'{"Time":null,"Uptime":%d}', b'{"Time":"never","Sensor":{"Temperature":%d}}', b"{%d"]) % rng.randrange(10**9)


# --- Read ----------------------------------------------------------------------------------------


def mix(hash_of: Callable[[bytes], int], a: int, b: int) -> int:
    return hash_of(struct.pack(">QQ", a % 2**64, b % 2**64))


def identity(hash_of: Callable[[bytes], int], topic: str, element: bytes, names: Sequence[str] = ()) -> int:
    said = 0
    for name in names:
        said = mix(hash_of, said, mix(hash_of, 0, hash_of(name.encode())))
    found = mix(hash_of, hash_of(element), hash_of(topic.encode()))
    return mix(hash_of, found, said) if names else found


def shape_of(topic: str) -> str | None:
    """tele, text, senml or sparkplug; None for a topic of the contract."""
    levels = topic.split("/")
    if levels[0] == "spBv1.0":
        return "sparkplug"
    return levels[-3] if len(levels) == 4 and levels[-3] in ("tele", "text", "senml") else None


class Said:
    """What one message says; not `values` and no `status`: it is rejected."""

    def __init__(self, topic: str, payload: bytes, decode: Callable[[bytes], Any], hash_of: Callable[[bytes], int]) -> None:
        self.time: Any = None  # as it stands there
        self.us: int | None = None
        self.status: str | None = None
        self.seq: int | None = None
        self.values: dict[str, float] = {}
        {"tele": self._tele, "text": self._text, "senml": self._senml}[shape_of(topic) or ""](topic, payload, decode, hash_of)

    def _tele(self, topic: str, payload: bytes, decode: Callable[[bytes], Any], hash_of: Callable[[bytes], int]) -> None:
        whole = decode(payload)
        self.time = whole.get("Time")
        self.seq = whole.get("Seq")
        self.status = whole.get("State", {}).get("Power")
        self.values = {name.lower(): float(value) + 0.0 for name, value in whole.get("Sensor", {}).items()}
        self.identity = identity(hash_of, topic, payload.strip())

    def _text(self, topic: str, payload: bytes, _decode: Callable[[bytes], Any], hash_of: Callable[[bytes], int]) -> None:
        name = topic.split("/")[-1]
        self.values = {name: float(payload)}
        self.identity = identity(hash_of, topic, payload, [name])

    def _senml(self, topic: str, payload: bytes, decode: Callable[[bytes], Any], hash_of: Callable[[bytes], int]) -> None:
        """The records as RFC 8428 resolves them. x is no feature, and part of the identity: it may become one."""
        whole = decode(payload)
        self.us = int(Decimal(whole[0]["bt"]) * 10**6)
        when = f"{self.us // 10**6}.{self.us % 10**6:06}"
        texts, names = [], []
        for record in whole:
            label = record["n"]
            value = f'"vs":"{record["vs"]}"' if "vs" in record else f'"v":{record["v"]}'
            texts.append(f'{{"n":"{BASE_NAME}{label}","base":"{BASE_NAME}","label":"{label}","t":{when},{value}}}')
            if label == "status":
                self.status = record["vs"]
                continue
            names.append(label)
            if label != "x":
                self.values[label] = float(record["v"]) + 0.0
        self.identity = identity(hash_of, topic, ",".join(texts).encode(), names)
