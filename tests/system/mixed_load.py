"""A fleet that sends, out of one seed, whatever boards, histograms and plots may get wrong.

Values from a small set, so that ties are common; two readings of a device in one microsecond, sometimes equal in
value, too; late ones, by seconds, hours or days; arrays, some with an element to reject; times in every form, or none;
statuses and features that are there or not; numbers of the device's own; members that nobody keeps.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import shapes
from edge_fleet import EdgeFleet
from faults import sending
from oracle import Message, Publisher, now_us, to_text

STATUSES = ("ON", "OFF", "ACTIVE", "INACTIVE")
DEVICES = ("device_1", "device_2", "device_10", "z", "ä", "a b", "%41", "d'1", "D", "d")
DAY_US = 86_400_000_000


class MixedFleet:
    """`sites` are the patterns of topics, {} being the device; every device publishes at each of them."""

    def __init__(
        self,
        rng: random.Random,
        publisher: Publisher,
        features: Sequence[str],
        sites: Sequence[str] = ("devices/{}/readings",),
        devices: Sequence[str] = DEVICES,
        mapped_site: str | None = None,
        edges: EdgeFleet | None = None,
    ) -> None:
        self.rng = rng
        self.publisher = publisher
        self.features = features
        self.sites = sites
        self.devices = list(devices)
        self.mapped_site = mapped_site  # a collector reads messages of other shapes there
        self.edges = edges  # and these, if there are any
        self.sent = 0  # messages
        self.numbers: Counter[str] = Counter()
        self._last_us = 0

    # --- One reading

    def time_us(self) -> int:
        """Now, mostly."""
        rng = self.rng
        chance = rng.random()
        late_us = 0
        if chance < 0.08:
            late_us = rng.randrange(3_000_000)
        elif chance < 0.12:
            late_us = rng.randrange(90_000_000)
        elif chance < 0.14:
            late_us = rng.randrange(5 * 3_600_000_000)
        elif chance < 0.145:
            late_us = DAY_US + rng.randrange(4 * DAY_US)
        self._last_us = max(now_us(), self._last_us + 1)
        us = self._last_us - late_us
        # Boards are as of whole tenths of a second, so these expire at the very moment of one.
        return us // 100_000 * 100_000 if rng.random() < 0.1 else us

    def _written(self, us: int) -> Any:
        """A time in one of the forms that devices have."""
        chance = self.rng.random()
        if chance < 0.6:
            return to_text(us)
        if chance < 0.7:
            zone = timezone(timedelta(minutes=self.rng.choice([-570, 60, 330, 480])))
            moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=us)
            return moment.astimezone(zone).isoformat(timespec="microseconds")
        if chance < 0.8:
            return to_text(us).removesuffix("Z")
        return us

    def reading(self, device: str, us: int | None) -> dict[str, Any]:
        """One as a document; `us` None: without a time."""
        rng = self.rng
        self.numbers[device] += 1
        document: dict[str, Any] = {"seq": self.numbers[device]} if hash_of(device) % 2 else {}
        document["x"] = rng.randrange(10**9)  # no two messages are alike
        if us is not None:
            document["timestamp"] = self._written(us)
        has_status = rng.random() < 0.9
        if has_status:
            document["status"] = rng.choice(STATUSES)
        for name in self.features:  # all of them without a status: whatever is kept, something is
            if not has_status or rng.random() < 0.8:
                document[name] = rng.randrange(-40, 41) / rng.choice([8, 10])
        if rng.random() < 0.05:
            document[self.features[0]] = -0.0
        return document

    # --- One message

    def send_one(self) -> Message:
        rng = self.rng
        device = rng.choice(self.devices)
        chance = rng.random()
        self.sent += 1
        if self.mapped_site and rng.random() < 0.3:
            return self.send_mapped(self.mapped_site, device)
        if chance < 0.03:
            text = f"{rng.randrange(10**9)}"
            return self.send_document(device, {"timestamp": to_text(now_us()), self.features[0]: text})
        if chance < 0.06:
            return self.send_document(device, self.reading(device, None))
        first = self.reading(device, us := self.time_us())
        if chance < 0.12:  # two in one microsecond, of which one may be the other with another x
            second = self.reading(device, us) if rng.random() < 0.5 else {**first, "x": rng.randrange(10**9)}
            return self.send_document(device, [first, second])
        if chance < 0.25:
            several: list[Any] = [first, *(self.reading(device, self.time_us()) for _ in range(rng.randrange(6)))]
            if rng.random() < 0.2:
                bad = rng.choice([7, {"status": "off"}, {self.features[0]: True}])
                several.insert(rng.randrange(len(several)), bad)
            return self.send_document(device, several)
        return self.send_document(device, first)

    def send_mapped(self, site: str, device: str) -> Message:
        rng = self.rng
        if self.edges and rng.random() < 0.3:
            us = self.time_us() if rng.random() < 0.95 else None
            if sent := self.edges.send_one(rng, device, self.reading(device, us), us):
                return sent
        if rng.random() < 0.05:
            topic, payload = shapes.refused(rng, site, device)
        else:
            us = self.time_us()
            document = self.reading(device, us if rng.random() < 0.95 else None)
            topic, payload = rng.choice(shapes.SENDERS)(rng, site, device, document, us)
        return self.publisher.send_bytes(topic, payload, readings=())

    def send_document(self, device: str, document: Any) -> Message:
        separators = self.rng.choice([(",", ":"), (", ", ": "), (" ,\n", " : ")])
        payload = json.dumps(document, separators=separators, ensure_ascii=self.rng.random() < 0.5)
        return self.publisher.send_bytes(self.rng.choice(self.sites).format(device), payload.encode(), readings=())

    def send(self, messages: int) -> None:
        for _ in range(messages):
            self.send_one()
        self.publisher.wait()
        if self.edges:
            self.edges.wait()

    def load(self, rate: float) -> contextlib.AbstractContextManager[None]:
        """Messages are sent all the while, `rate` of them a second; after a stall there is no burst to catch up."""
        return sending(self.send_one, rate)


def hash_of(device: str) -> int:
    """The same in every run, which hash() is not."""
    return sum(device.encode())
