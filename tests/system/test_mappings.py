"""Payloads as real devices send them, through the mappings that come along: each gives what is expected."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD_DIR as BUILD

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
def all_in_one(tmp_path_factory):
    """What a site with all of these devices would write."""
    path = tmp_path_factory.mktemp("mappings") / "all.json"
    path.write_text("[" + ",".join(inner(file) for file in FILES) + "]")
    return path


def try_mapping(file: Path, *flags: str, payload: bytes = b"") -> subprocess.CompletedProcess:
    return subprocess.run([BUILD / "collector", "--try-mapping", file, *flags], input=payload, capture_output=True,
                          timeout=60)


def lines(file: Path, topic: str, payload: bytes, status: int = 0) -> list[dict]:
    done = try_mapping(file, "--topic", topic, "--arrival", ARRIVAL, payload=payload)
    assert done.returncode == status, done.stderr.decode() + done.stdout.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_expected(line: dict) -> dict:
    return {{"deviceId": "device", "timestamp": "time"}.get(name, name): value for name, value in line.items()}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["file"])
def test_a_real_payload_gives_the_expected_readings(all_in_one, sample):
    payload = (DEVICES / sample["file"]).read_bytes()
    got = lines(all_in_one, sample["topic"], payload)

    if sample["readings"]:
        assert [as_expected(line) for line in got] == sample["readings"]
    else:
        assert [list(line) for line in got] == [["ignored"]]


# More devices than there are samples of, each with a mapping a user would write.
OTHERS = {
    "the things stack": (None, "v3/tanks@ttn/devices/tank-12/up", {
        "end_device_ids": {"device_id": "tank-12"}, "received_at": "2026-11-26T11:04:05.5Z",
        "uplink_message": {"f_cnt": 7, "decoded_payload": {"temperature": 21.4}, "rx_metadata": [{"rssi": -97}],
                           "received_at": "2026-11-26T11:04:05.25Z"}},
        [{"device": "tank-12", "time": "2026-11-26T11:04:05.250000Z", "seq": 7, "temperature": 21.4, "rssi": -97.0}]),
    "kepware": ({"topic": "iotgateway", "each": "/values/*", "when": {"/q": "true"}, "time": "/t",
                 "match": {"{/id}": "{plant}.{device}.{tag}"},
                 "feature": {"name": "{tag}", "value": "/v", "rename": {"Temp": "temperature"}}}, "iotgateway", {
        "timestamp": 1795691045000, "values": [{"id": "P1.press.Temp", "v": 61.5, "q": True, "t": 1795691044000},
                                               {"id": "P1.pump.Temp", "v": 0, "q": False, "t": 1795691044000},
                                               {"id": "odd", "v": 1, "q": True, "t": 1795691044000}]},
        [{"device": "press", "time": "2026-11-26T11:04:04.000000Z", "temperature": 61.5}]),
    "rtl_433": ({"topic": "rtl_433/{host}/events", "device": "{/model}-{/id}",
                 "time": {"at": "/time", "zone": "Europe/Berlin"},
                 "features": {"temperature": "/temperature_C", "humidity": {"at": "/humidity", "bad": [255]}}},
                "rtl_433/hut/events", {"time": "2026-11-26 12:04:05", "model": "Acurite-Tower", "id": 14,
                                       "temperature_C": -3.5, "humidity": 255},
                [{"device": "Acurite-Tower-14", "time": "2026-11-26T11:04:05.000000Z", "temperature": -3.5}]),
    "weewx": ({"topic": "weather/{device}/loop", "time": "/dateTime", "features": {"temperature": "/outTemp_C"}},
              "weather/roof/loop", {"dateTime": "1795691045.0", "outTemp_C": "4.25", "windSpeed_kph": "None"},
              [{"device": "roof", "time": "2026-11-26T11:04:05.000000Z", "temperature": 4.25}]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_devices_can_be_written_down(all_in_one, tmp_path, name):
    mapping, topic, payload, expected = OTHERS[name]
    file = all_in_one
    if mapping:
        file = tmp_path / "one.json"
        file.write_text(json.dumps([mapping]))

    assert [as_expected(line) for line in lines(file, topic, json.dumps(payload).encode())] == expected


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_file_stands_alone(file):
    done = try_mapping(file, "--topics")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines(), "it subscribes to something"


@pytest.mark.parametrize("topic, payload, reason, told", [
    ("zigbee2mqtt/lamp", b'{"linkquality":90}', "no_value", '"/temperature"'),
    ("zigbee2mqtt/lamp", b'{"linkquality":90}', "no_value", "it has linkquality"),
    ("zigbee2mqtt/lamp", b'{"power":1,"last_seen":"yesterday"}', "bad_timestamp", "yesterday"),
    ("zigbee2mqtt/lamp", b'{"power":NaN}', "not_json", "NaN"),
    ("tele/boiler/SENSOR", b'{"Time":"2026-11-27T12:00:00","ENERGY":{"Power":1}}', "timestamp_in_future", "arrival"),
    ("zigbee2mqtt/..", b'{"power":1}', "bad_device_id", '".."'),
    ("senml/p", b'[{"n":"a","v":1,"extra_":2}]', "wrong_type", "record 1"),
])
def test_what_cannot_be_read_says_why(all_in_one, topic, payload, reason, told):
    (line,) = lines(all_in_one, topic, payload, status=1)

    assert line["rejected"] == reason
    assert told in line["detail"]


def test_a_mistake_in_a_file_is_told_with_line_and_key(tmp_path):
    file = tmp_path / "wrong.json"
    file.write_text('[\n  {"topic": "a/{device}",\n   "features": {\n     "temperature": "temp"}}]\n')
    done = try_mapping(file, "--topics")

    assert done.returncode == 2
    assert b"line 4, features.temperature" in done.stderr
