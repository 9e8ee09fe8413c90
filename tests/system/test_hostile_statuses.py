"""What travels under collectors/#, where anybody may publish who may publish at all."""

from __future__ import annotations

import json
import time

from oracle import now_us, reading, to_text
from servers import until
from test_collector import live_collector

GHOST = "collectors/ghost/status"

# Each is refused as a whole.
REFUSED = {
    "not UTF-8": b'{"state":"live","version":"\xff"}',
    "NUL": b'{"state":"live","version":"\\u0000"}',
    "a raw NUL": b'{"state":"live"}\0',
    "a byte order mark": b'\xef\xbb\xbf{"state":"live"}',
    "a member twice": b'{"state":"live","devices":1,"devices":2}',
    "a spoofed id twice": b'{"state":"live","collectorId":"a","collectorId":"b"}',
    "the same, escaped": b'{"state":"live","st\\u0061te":"lost"}',
    "a wrong type": b'{"state":"live","devices":{"a":1}}',
    "negative": b'{"state":"live","devices":-1}',
    "huge": b'{"state":"live","received":1e300}',
    "NaN": b'{"state":"live","lagMs":NaN}',
    "infinite": b'{"state":"live","lagMs":1e999}',
    "deep": b'{"state":"live","x":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "invisible": '{"state":"live","version":"\u202e"}'.encode(),
    "large": b'{"state":"live","x":"' + b"x" * 70000 + b'"}',
    "no object": b'["live"]',
    "half": b'{"state":"live"',
}


def metric(stack, name):
    return stack.metrics(stack.http_port)[f"highwater_httpapi_{name}"]


def test_what_is_no_status_is_refused_as_a_whole_counted_and_told_once(stack):
    program = stack.start_httpapi()
    publisher = stack.publisher()
    for is_retained in (False, True):
        for payload in REFUSED.values():
            publisher.send_bytes(GHOST, payload, retain=is_retained)
    publisher.wait()
    # the last of all: what came before it has been looked at
    publisher.send_bytes("collectors/good/status", b'{"state":"live","collectorId":"liar","x":"\\u202e","devices":3}')
    publisher.wait()
    until(lambda: len(stack.get_json("/collectors")["collectors"]) == 1, 10)
    _, _, body = stack.get("/collectors")
    assert json.loads(body.decode())["collectors"] == [
        {"collectorId": "good", "isLive": False, "state": "live", "devices": 3}
    ] or json.loads(body.decode())["collectors"] == [
        {"collectorId": "good", "isLive": True, "state": "live", "devices": 3}
    ]
    assert metric(stack, "board_messages_unreadable_total") == 2 * len(REFUSED)
    lines = [line for line in program.output().splitlines() if "is not taken" in line]
    assert len(lines) == 1 and GHOST in lines[0]


def test_ghosts_do_not_come_between_a_collector_and_its_boards(stack):
    live_collector(stack)
    stack.start_httpapi()
    stack.publish(reading("d", temperature=5))

    def source():
        return stack.get("/dashboard?interval=all_time&features=temperature")[1]["X-Data-Source"]

    until(lambda: source() == "boards", 10, "boards answer")
    publisher = stack.publisher()
    to_come = to_text(now_us() + 10**12)
    for payload in (
        '{"state":"warming"}',
        f'{{"state":"live","asOf":"{to_come}"}}',
        f'{{"state":"warming","turn":1,"asOf":"{to_come}","since":"{to_come}"}}',
        f'{{"state":"live","startedAt":"{to_come}"}}',
    ):
        for number in range(300):
            publisher.send_bytes(f"collectors/ghost{number}/status", payload.encode(), retain=True)
        publisher.wait()
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            status, headers, _ = stack.get("/dashboard?interval=all_time&features=temperature")
            assert (status, headers["X-Data-Source"]) == (200, "boards")
    assert len(stack.get_json("/collectors")["collectors"]) <= 256
    assert [c["collectorId"] for c in stack.get_json("/collectors")["collectors"]].count("collector") == 1
