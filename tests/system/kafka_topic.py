"""What a collector has written to a topic, held against what its devices published."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from kafka import Record, consume
from oracle import FEATURES, Message, Reading
from published import content_hash, elements, moment_us


def reading_of(record: Record) -> Reading:
    """What a record says in the contract's words; its key is the device."""
    document = json.loads(record.value or b"")
    assert record.key is not None
    device = record.key.decode()
    assert document.get("deviceId", device) == device, record
    values = tuple(sorted((name, float(document[name])) for name in FEATURES if document.get(name) is not None))
    return Reading(device, moment_us(document["timestamp"]), document.get("status"), values)


def assert_written(server: Any, topic: str, messages: Iterable[Message]) -> None:
    """Each acknowledged reading is in the topic, at least once, with the identity of its bytes; each message to reject is
    in the other topic; and nothing else is."""
    messages = list(messages)
    records = consume(server, topic)
    written = Counter(map(reading_of, records))
    sent = {r for message in messages for r in message.readings or ()}
    acknowledged = {r for message in messages if message.is_acknowledged for r in message.readings or ()}
    identities = {
        f"{content_hash(element) & 0xFFFFFFFFFFFFFFFF:016x}"
        for message in messages if message.readings is not None for element, _ in elements(message.payload)
    }  # fmt: skip
    rejected = {(r.header("topic"), r.value) for r in consume(server, f"{topic}.rejected")}
    refused = {(m.topic, m.payload) for m in messages if m.readings is None}
    must_refuse = {(m.topic, m.payload) for m in messages if m.readings is None and m.is_acknowledged}
    placed = Counter(key for key, _ in {(r.key, r.partition) for r in records})
    found = {
        "lost": [*(acknowledged - written.keys()), *(must_refuse - rejected)],
        "unexpected": [*(written.keys() - sent), *(rejected - refused)],
        "of another identity": [r for r in records if r.header("identity") not in identities],
        "devices in several partitions": [key for key, partitions in placed.items() if partitions > 1],
    }
    assert not any(found.values()), "\n".join(f"{name}: {len(some)}: {some[:5]}" for name, some in found.items())
