"""Sparkplug B payloads by Google's protobuf, and an edge node that a test makes say what it wants."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

# As the specification numbers them.
TYPES = {"Int8": 1, "Int16": 2, "Int32": 3, "Int64": 4, "UInt8": 5, "UInt16": 6, "UInt32": 7, "UInt64": 8, "Float": 9,
         "Double": 10, "Boolean": 11, "String": 12, "DateTime": 13, "Text": 14}
FIELDS = {"Int64": "long_value", "UInt64": "long_value", "DateTime": "long_value", "Float": "float_value",
          "Double": "double_value", "Boolean": "boolean_value", "String": "string_value", "Text": "string_value"}


def _protobuf() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", "-I", ROOT / "shared/model", f"--python_out={folder}", "sparkplug.proto"], check=True)
        sys.path.insert(0, folder)
        try:
            return importlib.import_module("sparkplug_pb2")
        finally:
            sys.path.remove(folder)


pb = _protobuf()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def encode(value: Any, kind: str) -> Any:
    if kind.startswith("Int"):
        return value & (2 ** (64 if kind == "Int64" else 32) - 1)
    return value.encode() if isinstance(value, str) else value


def metric(name: str | None = None, alias: int | None = None, value: Any = None, kind: str = "Float", typed: bool = False,
           at: int | None = None, historical: bool = False) -> Any:
    one = pb.Metric()
    if name is not None:
        one.name = name.encode()
    if alias is not None:
        one.alias = alias
    if typed:
        one.datatype = TYPES[kind]
    if at is not None:
        one.timestamp = at
    if historical:
        one.is_historical = True
    if value is None:
        one.is_null = True
    else:
        setattr(one, FIELDS.get(kind, "int_value"), encode(value, kind))
    return one


class EdgeNode:
    """`metrics` of a device are (name, type), and their aliases are their positions, from 1."""

    def __init__(self, stack: Any, group: str = "G", edge: str = "E") -> None:
        self.group, self.edge = group, edge
        self.seq, self.bd_seq = 0, 0
        self._publisher = stack.publisher()
        self.devices: dict[str, list[tuple[str, str]]] = {}

    def topic(self, kind: str, device: str = "") -> str:
        return f"spBv1.0/{self.group}/{kind}/{self.edge}" + (f"/{device}" if device else "")

    def send(self, kind: str, device: str, metrics: list[Any], at: int | None = None, seq: int | None = None) -> None:
        payload = pb.Payload(metrics=metrics)
        if kind != "NDEATH":
            payload.timestamp = now_ms() if at is None else at
            payload.seq = self.seq if seq is None else seq
            self.seq = (payload.seq + 1) % 256
        self._publisher.send_bytes(self.topic(kind, device), payload.SerializeToString())
        self._publisher.wait()

    def birth(self, bd_seq: int = 0) -> None:
        self.seq, self.bd_seq = 0, bd_seq
        self.send("NBIRTH", "", [metric("bdSeq", None, bd_seq, "Int64", True),
                                 metric("Node Control/Rebirth", None, False, "Boolean", True)])

    def device_birth(self, device: str, *metrics: tuple[str, str, Any], at: int | None = None) -> None:
        self.devices[device] = [(name, kind) for name, kind, _ in metrics]
        self.send("DBIRTH", device, [metric(name, number, value, kind, True)
                                     for number, (name, kind, value) in enumerate(metrics, 1)], at)

    def data(self, device: str, at: int | None = None, seq: int | None = None, historical: bool = False, **values: Any) -> None:
        known = self.devices[device]
        numbers = {name: number for number, (name, _) in enumerate(known, 1)}
        self.send("DDATA", device, [metric(None, numbers[name], value, known[numbers[name] - 1][1], historical=historical)
                                    for name, value in values.items()], at, seq)

    def death(self, bd_seq: int | None = None) -> None:
        self.send("NDEATH", "", [metric("bdSeq", None, self.bd_seq if bd_seq is None else bd_seq, "Int64")])


def is_rebirth_request(payload: bytes) -> bool:
    message = pb.Payload.FromString(payload)
    return [(one.name, one.datatype, one.boolean_value) for one in message.metrics] == [(b"Node Control/Rebirth", 11, True)]
