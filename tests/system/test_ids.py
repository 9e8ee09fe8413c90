"""Which ids are legal, and that everybody says the same."""

from __future__ import annotations

import ctypes
import json
import subprocess
import unicodedata
from urllib.parse import quote

import pytest
from conftest import CLONE
from oracle import now_us, reading, to_text
from servers import until
from storage import migrated
from test_collector import live_collector

LOOK_ALIKES = ("..", ".", "a\u202eb", "a\u200bb", "\ufeffa", "a\u00adb", "a\u2060", "a\u2028b", "a\U000e0062", "a\u3164")

# Ignorable by default and of no category that says so (DerivedCoreProperties.txt).
IGNORABLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
IGNORABLE |= {*range(0xE0100, 0xE01F0)}


@pytest.fixture(scope="module")
def is_legal(area):
    library = area / "ids.so"
    sources = [CLONE / f"shared/{name}.c" for name in ("base/invisible", "base/utf8", "model/topic")]
    subprocess.run(["cc", "-std=c17", "-shared", "-fPIC", "-I", CLONE, "-o", library, *sources], check=True)
    function = ctypes.CDLL(str(library)).device_id_is_legal
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    function.restype = ctypes.c_bool
    return lambda text: function(text.encode(), len(text.encode()))


def test_of_all_characters_those_that_can_be_seen_are_legal(is_legal):
    wrong = []
    for code in range(0x110000):
        category = unicodedata.category(chr(code))
        is_nothing = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code < 0xFDF0
        if category == "Cs" or (category == "Cn" and not is_nothing):
            continue  # no character of UTF-8; a newer Unicode than Python's may have assigned it
        is_seen = category not in ("Cc", "Cf", "Zl", "Zp", "Cn") and code not in IGNORABLE and chr(code) not in "./+#"
        if is_legal(chr(code)) != is_seen:
            wrong.append(f"U+{code:04X} {category}")
    assert not wrong


def test_ids_that_look_like_others_are_refused_by_all_programs(stack):
    live_collector(stack)
    stack.start_httpapi()
    publisher = stack.publisher()
    for device in LOOK_ALIKES:
        publisher.send_bytes(f"devices/{device}/readings", b'{"temperature":1}')
    publisher.send_bytes("devices/good/readings", b'{"temperature":1}')
    publisher.wait()
    until(lambda: stack.database.count() == 1)
    rows = stack.database.rows("SELECT topic, reason, detail FROM rejected_messages")
    assert sorted(row[0] for row in rows) == sorted(f"devices/{device}/readings" for device in LOOK_ALIKES)
    assert {row[1] for row in rows} == {"bad_device_id"} and all("invisible" in row[2] for row in rows)
    assert stack.database.rows("SELECT device_id FROM devices") == [("good",)]
    for device in LOOK_ALIKES:
        status, _, body = stack.get(f"/devices/{quote(device)}/histogram")
        assert status == 400 and b"invisible" in body, device
    for device in LOOK_ALIKES[2:]:
        program = stack.start_devicesim("--device-prefix", device)
        assert program.wait() == 2 and "invisible" in program.output()
    for name in (".", ".."):
        program = stack.start_collector(collector_id=name)
        assert program.wait() == 2 and "not . or .." in program.output()


def test_of_what_was_stored_under_such_an_id_nothing_is_lost(stack):
    database = migrated(stack)
    at = to_text(now_us())
    for device in LOOK_ALIKES:
        database.rows("INSERT INTO devices (device_id) VALUES (%s)", (device,))
    database.rows(
        "INSERT INTO readings (device, recorded_at, received_at, content_hash, temperature)"
        " SELECT id, %s, %s, id, id FROM devices", (at, at)
    )
    live_collector(stack, num_top_devices=20)
    stack.start_httpapi()
    stack.publish(reading("good", temperature=1000))
    publisher = stack.publisher()
    publisher.send_bytes("devices/../readings", b'{"temperature":2000}')  # known, and refused all the same
    publisher.wait()

    def board():
        status, headers, body = stack.get("/dashboard?interval=all_time&features=temperature&limit=20")
        if status != 200:
            return None
        return headers["X-Data-Source"], [one["deviceId"] for one in json.loads(body)["temperature"]]

    until(lambda: board() == ("boards", ["good", *reversed(LOOK_ALIKES)]), 10, "the board has them all")
    # What was published last the board does not wait for.
    until(lambda: database.rows("SELECT reason FROM rejected_messages") == [("bad_device_id",)], 10, "it is refused")
    assert database.rows("SELECT count(*) FROM device_readings") == [(len(LOOK_ALIKES) + 1,)]
