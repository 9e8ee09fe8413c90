"""Payloads as real devices send them, through the mappings that come along: each gives what is expected."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEVICES = Path(__file__).parent / "fixtures" / "devices"
SAMPLES = json.loads((DEVICES / "expected.json").read_text())
# The first mapping that fits has a message, so those whose topics begin with any device come last.
FILES = sorted((ROOT / "deploy" / "mappings").glob("*.json"),
               key=lambda file: (file.stem in ("esphome", "shelly"), file))
ARRIVAL = "2026-11-26T11:04:06Z"


def inner(path: Path) -> str:
    text = path.read_text()
    return text[text.index("[") + 1 : text.rindex("]")]


@pytest.fixture(scope="module")
def tool():
    build = os.environ.get("BUILD_DIR", "build")
    flavour = Path(build).name if build != "build" else "release"
    subprocess.run(["make", "-s", f"FLAVOUR={flavour}", "PAGE=no", f"build/{flavour}/bench/try_mapping"], cwd=ROOT,
                   check=True, timeout=600)
    return ROOT / "build" / flavour / "bench" / "try_mapping"


@pytest.fixture(scope="module")
def all_in_one(tmp_path_factory):
    """What a site with all of these devices would write."""
    path = tmp_path_factory.mktemp("mappings") / "all.json"
    path.write_text("[" + ",".join(inner(file) for file in FILES) + "]")
    return path


def lines(tool, file: Path, topic: str, payload: bytes, status: int = 0) -> list[dict]:
    done = subprocess.run([tool, file, topic, ARRIVAL], input=payload, capture_output=True, timeout=60)
    assert done.returncode == status, done.stderr.decode() + done.stdout.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_expected(line: dict) -> dict:
    return {{"deviceId": "device", "timestamp": "time"}.get(name, name): value for name, value in line.items()}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["file"])
def test_a_real_payload_gives_the_expected_readings(tool, all_in_one, sample):
    if sample["file"].endswith(".pb") and sample["readings"]:
        pytest.skip("sparkplug payloads are not read yet")
    payload = (DEVICES / sample["file"]).read_bytes()
    got = lines(tool, all_in_one, sample["topic"], payload)

    if sample["readings"]:
        assert [as_expected(line) for line in got] == sample["readings"]
    else:
        assert [list(line) for line in got] == [["ignored"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_file_stands_alone(tool, file):
    done = subprocess.run([tool, file], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines(), "it subscribes to something"


@pytest.mark.parametrize("topic, payload, reason, told", [
    ("zigbee2mqtt/lamp", b'{"linkquality":90}', "no_value", '"/temperature"'),
    ("zigbee2mqtt/lamp", b'{"power":1,"last_seen":"yesterday"}', "bad_timestamp", "yesterday"),
    ("zigbee2mqtt/lamp", b'{"power":NaN}', "not_json", "NaN"),
    ("tele/boiler/SENSOR", b'{"Time":"2026-11-27T12:00:00","ENERGY":{"Power":1}}', "timestamp_in_future", "arrival"),
    ("data/g+1/plc", b'{"data":[1]}', "bad_device_id", "g+1.plc"),
    ("senml/p", b'[{"n":"a","v":1,"extra_":2}]', "wrong_type", "record 1"),
])
def test_what_cannot_be_read_says_why(tool, all_in_one, topic, payload, reason, told):
    (line,) = lines(tool, all_in_one, topic, payload, status=1)

    assert line["rejected"] == reason
    assert told in line["detail"]


def test_a_mistake_in_a_file_is_told_with_line_and_key(tool, tmp_path):
    file = tmp_path / "wrong.json"
    file.write_text('[\n  {"topic": "a/{device}",\n   "features": {\n     "temperature": "temp"}}]\n')
    done = subprocess.run([tool, file], capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert "line 4, features.temperature" in done.stderr
