"""Messages of devices that were made for something else, from the broker into the database."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from servers import until
from test_mappings import DEVICES, FILES, SAMPLES, inner

PUMP = {"topic": "pump/{device}/state", "time": "/at", "status": "/status", "features": {"flow": "/flow", "heat": "/heat"}}
AT = "2026-11-26T11:04:0{}Z"


def write(path: Path, *mappings: dict) -> Path:
    path.write_text(json.dumps(mappings))
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mappings.json"


def start(stack, file: Path, **settings):
    """A collector that is subscribed to what the file says."""
    collector = stack.start_collector(mappings=file, subscribe=settings.pop("subscribe", ""), **settings)
    until(lambda: "mqtt: connecting -> up" in collector.output(), 20)
    until(lambda: stack.metrics().get("highwater_mqtt_up") == 1, 20)
    return collector


def send(stack, *messages: tuple[str, object]) -> list[int]:
    publisher = stack.publisher()
    sent = [publisher.send_bytes(topic, payload if isinstance(payload, bytes) else json.dumps(payload).encode())
            for topic, payload in messages]
    publisher.wait()
    return [one.code for one in sent]


def features(stack) -> list[str]:
    return [name for (name,) in stack.database.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'readings'::regclass AND attnum > 0 AND NOT attisdropped"
        " AND atttypid = 'float8'::regtype ORDER BY attnum")]


def stored(stack) -> list[dict]:
    """Every reading as expected.json has them."""
    names = features(stack)
    columns = "".join(f', r."{name}"' for name in names)
    found = []
    for device, at, is_arrival, status, seq, *values in stack.database.rows(
            f"SELECT d.device_id, r.recorded_at, r.recorded_at = r.received_at, (ARRAY['ON', 'OFF', 'ACTIVE', 'INACTIVE'])[r.status], r.seq{columns}"
            " FROM readings r JOIN devices d ON d.id = r.device"):
        one = {"device": device, "time": "arrival" if is_arrival else at}
        one |= {"seq": seq} if seq is not None else {}
        one |= {"status": status} if status is not None else {}
        found.append(one | {name: value for name, value in zip(names, values) if value is not None})
    return found


def comparable(one: dict) -> str:
    when = one["time"]
    if isinstance(when, datetime) or when != "arrival":
        when = (when if isinstance(when, datetime) else datetime.fromisoformat(when)).timestamp()
    return json.dumps({**one, "time": when}, sort_keys=True)


def test_real_payloads_are_stored_as_expected(stack, file):
    file.write_text("[" + ",".join(inner(one) for one in FILES) + "]")
    start(stack, file)
    samples = [sample for sample in SAMPLES if not sample["file"].endswith(".pb")]
    expected = [one for sample in samples for one in sample["readings"]]

    codes = send(stack, *[(sample["topic"], (DEVICES / sample["file"]).read_bytes()) for sample in samples])
    assert all(code == 0 for code, sample in zip(codes, samples) if sample["readings"]), "each has a subscriber"
    until(lambda: stack.database.count("readings") >= len(expected), 15)
    metrics = stack.metrics()
    assert sorted(map(comparable, stored(stack))) == sorted(map(comparable, expected))
    assert stack.database.count("rejected_messages") == 0
    assert metrics['highwater_messages_without_readings_total{why="says_none"}'] == 2
