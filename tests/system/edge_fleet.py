"""Sparkplug B edge nodes among the devices of a mixed load: births whose aliases and types are others each time, data by alias,
null and late values, deaths of both kinds, rebirths that are asked for, connections that break.

A node publishes with QoS 1, so that there is something to hold a store to; after a break it sends nothing again, for its
numbers would be wrong: what was not acknowledged may be stored or not.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Sequence
from typing import Any

from edge_node import is_rebirth_request, metric, now_ms, pb
from edge_said import STATUS, Aliases, EdgeMessage
from mqtt_client import mqtt_client
from oracle import Message, NotingClient
from servers import LOOPBACK, until

_KINDS = ("Double", "Float", "Int16", "Int64")


class _Node:
    """One connection at a time, and what it has said on it."""

    def __init__(self, fleet: EdgeFleet, edge: str) -> None:
        self._fleet = fleet
        self.edge = edge
        self._bd_seq = -1
        self._client = self._connect()

    # --- The connection

    def _connect(self) -> NotingClient:
        self._bd_seq = (self._bd_seq + 1) % 256
        self._seq = 0
        self._aliases: dict[str, Aliases] = {}  # of the devices that are born
        self._wants_birth = True
        self._has_been_up = False
        self._death = pb.Payload(metrics=[metric("bdSeq", None, self._bd_seq, "Int64")]).SerializeToString()
        client = mqtt_client(f"{self._fleet.group}-{self.edge}", kind=NotingClient)
        client.max_inflight_messages_set(2000)
        client.reconnect_delay_set(0.1, 0.5)
        client.will_set(self._topic("NDEATH"), self._death, 1)
        client.on_connect = lambda client, *_: client.subscribe(self._topic("NCMD"), 1)
        client.on_message = self._on_message
        client.on_disconnect = lambda client, *_: client.disconnect()  # it would send again what it has sent
        client.connect_async(LOOPBACK, self._fleet.port, clean_start=True)
        client.loop_start()
        return client

    def is_up(self) -> bool:
        """Looks, and begins another connection when this one is over."""
        is_up = self._client.is_connected()
        if self._has_been_up and not is_up:
            self._client.loop_stop()
            self._client = self._connect()
            return False
        self._has_been_up = is_up
        return is_up and len(self._client.outstanding) < 1000

    def cut(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self._client.socket().shutdown(socket.SHUT_RDWR)

    def leave(self) -> None:
        """In good order, so the will is said by the node itself."""
        self._publish(self._note_death(*self._aliases))
        with contextlib.suppress(AssertionError):  # the broker may be away
            until(lambda: self.is_settled, 5)
        self._client.disconnect()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def is_settled(self) -> bool:
        """Whatever can be acknowledged has been."""
        return not self._client.outstanding or not self._client.is_connected()

    def _on_message(self, _client: object, _user: object, message: Any) -> None:
        self._wants_birth = self._wants_birth or is_rebirth_request(message.payload)

    # --- What it says

    def _topic(self, kind: str, device: str = "") -> str:
        return f"spBv1.0/{self._fleet.group}/{kind}/{self.edge}" + (f"/{device}" if device else "")

    def _publish(self, message: EdgeMessage) -> EdgeMessage:
        self._client.say(message)
        return message

    def _note_death(self, *devices: str) -> EdgeMessage:
        """While it is not acknowledged it is the last will, which may be said or not."""
        message = EdgeMessage(self._topic("NDEATH"), self._death, (), dies=devices)
        self._fleet.messages.append(message)
        return message

    def _say(self, kind: str, device: str, metrics: Sequence[Any], aliases: Aliases | None = None) -> EdgeMessage:
        payload = pb.Payload(timestamp=now_ms(), seq=self._seq, metrics=metrics)
        self._seq = (self._seq + 1) % 256
        message = EdgeMessage(self._topic(kind, device), payload.SerializeToString(), (), aliases=aliases or {})
        self._fleet.messages.append(message)
        return self._publish(message)

    def be_born(self) -> None:
        self._wants_birth = False
        self._seq = 0
        self._aliases = {}
        self._say("NBIRTH", "", [metric("bdSeq", None, self._bd_seq, "Int64", True)])

    def bear(self, rng: random.Random, device: str, values: dict[str, Any], at: int | None) -> EdgeMessage:
        """With other aliases than it had, and other types."""
        kinds = {name: "String" if name == STATUS else "UInt32" if name == "x" else rng.choice(_KINDS)
                 for name in ("x", STATUS, *self._fleet.features)}
        numbers = rng.sample(range(1, 12), len(kinds))
        self._aliases[device] = dict(zip(numbers, kinds.items()))
        self._note_death(device)
        return self._data(rng, "DBIRTH", device, values, at)

    def _data(self, rng: random.Random, kind: str, device: str, values: dict[str, Any], at: int | None) -> EdgeMessage:
        is_birth = kind == "DBIRTH"
        aliases = self._aliases[device]
        said = [metric(name if is_birth else None, alias, _as(values.get(name), of), of, is_birth, at, rng.random() < 0.2)
                for alias, (name, of) in aliases.items() if is_birth or name in values or rng.random() < 0.1]
        if not is_birth and at is not None and rng.random() < 0.1:  # a second moment amid the first
            other = [metric(None, alias, _as(rng.randrange(-40, 41) / 8, of), of, at=at - rng.randrange(1, 5000))
                     for alias, (name, of) in aliases.items() if name in self._fleet.features]
            said.insert(rng.randrange(len(said)), rng.choice(other))
        return self._say(kind, device, said, aliases)

    def send(self, rng: random.Random, device: str, values: dict[str, Any], at: int | None) -> EdgeMessage:
        if self._wants_birth:
            self.be_born()
        if device not in self._aliases:
            return self.bear(rng, device, values, at)
        return self._data(rng, "DDATA", device, values, at)

    def lose(self, device: str) -> None:
        if self._aliases.pop(device, None) is not None:
            self._say("DDEATH", device, [])

    def say_nonsense(self, rng: random.Random, device: str) -> None:
        if device in self._aliases:
            self._say("DDATA", device, [metric(None, 99, rng.randrange(10**9), "UInt32")])


def _as(value: Any, kind: str) -> Any:
    return value if value is None or isinstance(value, str) else int(value) if "Int" in kind else float(value)


class EdgeFleet:
    """Its `messages` are for a Ledger, as a Publisher's."""

    def __init__(self, port: int, group: str, features: Sequence[str], nodes: int = 3) -> None:
        self.port = port
        self.group = group
        self.features = features
        self.messages: list[Message] = []
        self._nodes = [_Node(self, f"node_{i}") for i in range(nodes)]

    def send_one(self, rng: random.Random, device: str, document: dict[str, Any], us: int | None) -> EdgeMessage | None:
        """`document` is the reading as the contract has it. None: its node is not there."""
        node = self._nodes[sum(device.encode()) % len(self._nodes)]
        chance = rng.random()
        if not node.is_up():
            return None
        if chance < 0.02:
            node.be_born()
        elif chance < 0.04:
            node.lose(device)
        elif chance < 0.05:
            node.say_nonsense(rng, device)
        elif chance < 0.055:
            node.leave()
            return None
        elif chance < 0.06:
            node.cut()
        values = {"x": document["x"], **{name: document[name] for name in self.features if name in document}}
        if "status" in document:
            values[STATUS] = document["status"]
        return node.send(rng, device, values, None if us is None else us // 1000)

    def wait(self, timeout: float = 30.0) -> None:
        until(lambda: all(node.is_settled for node in self._nodes), timeout, "the edge nodes have been answered")

    def close(self) -> None:
        for node in self._nodes:
            node.close()
