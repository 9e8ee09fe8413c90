"""/events: boards as they change, to clients that come, go, stall and return."""

from __future__ import annotations

import json
import random
import signal
import socket
import time

import pytest
from http_tools import Api, PlayedCollector, Raw, Stream, entry, insert

from oracle import FEATURES, now_us, reading, to_us
from servers import patience, until


@pytest.fixture
def live(stack, broker, database):
    """httpapi with one played collector that is live and has boards."""
    api = Api(stack, max_connections_per_address=0)
    collector = PlayedCollector(broker.port, database)
    collector.boards([reading("a", temperature=1, pressure=1)])
    collector.go_live()
    until(lambda: api.source() == "boards")
    yield api, collector
    collector.close()


def devices(*values, at=None):
    """Already ranked: d0 has the highest value."""
    return [reading(f"d{i}", at, temperature=v, pressure=v) for i, v in enumerate(values)]


def test_first_all_boards_then_each_change(live):
    api, collector = live
    stream = Stream(api.port)
    assert (stream.head.status, stream.head.headers["content-type"]) == (200, "text/event-stream")
    assert stream.head.headers["cache-control"] == "no-store, no-transform"
    until(lambda: len(stream.boards()) == 6)
    first = stream.of("board")[0]["data"]
    assert (first["order"], first["source"]) == ("desc", "boards")
    assert set(first["readings"][0]) == set(entry(reading("a")))
    before = len(stream.of("board"))
    best = devices(9, 5)
    collector.board("temperature", "past_minute", best)
    until(lambda: stream.boards()["temperature", "past_minute", "desc"] == ["d0", "d1"], 1)
    changed = stream.of("board")[before:]
    assert len(changed) == 1 and changed[0]["data"]["readings"] == [entry(r) for r in best]
    collector.board("temperature", "past_minute", best)  # the same again is no news
    collector.board("temperature", "past_minute", [])
    until(lambda: stream.boards()["temperature", "past_minute", "desc"] == [], 1)
    assert len(stream.of("board")) == before + 2
    stream.close()


def apply(shown, event):
    """The readings after a change, put together as the documents say; `shown` is (id, readings) of the board before."""
    data = event["data"]
    assert data["upon"] == shown[0]
    readings = [r for place, r in enumerate(shown[1]) if place not in data["removed"]]
    for added in data["added"]:
        readings.insert(added["place"], added["reading"])
    return readings


def states(stream):
    """{(board, id): its readings} of all events of a stream, changes applied."""
    found, shown = {}, {}
    for event in list(stream.events):
        if event["event"] == "status":
            continue
        key = tuple(event["data"][name] for name in ("feature", "interval", "order"))
        whole = event["event"] == "board"
        shown[key] = (event["id"], event["data"]["readings"] if whole else apply(shown[key], event))
        found[key, event["id"]] = shown[key][1]
    return found


def test_changes_make_the_same_boards_at_each_moment(live):
    api, collector = live
    chance = random.Random(20261127)
    whole = Stream(api.port)
    changes = Stream(api.port, "/events?changes=true")
    until(lambda: len(whole.boards()) == len(changes.boards()) == 6)
    best = {feature: {} for feature in FEATURES}
    for round in range(120):
        before = [len(stream.of("status")) - len(stream.events) for stream in (whole, changes)]
        feature = chance.choice(FEATURES)
        for device in chance.sample(range(40), chance.choice([1, 1, 2, 30])):
            value = chance.random()
            best[feature][f'd"{device}'] = (value, reading(f'd"{device}', **{f: value for f in FEATURES}))
        for device in chance.sample(sorted(best[feature]), min(len(best[feature]), chance.choice([0, 0, 1, 20]))):
            del best[feature][device]
        value = 1 + chance.random()
        best[feature]["always new"] = (value, reading("always new", **{f: value for f in FEATURES}))
        ranked = sorted(best[feature].values(), key=lambda pair: -pair[0])
        collector.board(feature, "past_minute", [one for _, one in ranked[:10]])
        if round % 3:  # some come too fast for either stream
            until(lambda: all(len(s.of("status")) - len(s.events) < n for s, n in zip((whole, changes), before)))
    for feature in FEATURES:
        collector.board(feature, "past_minute", [])
    for stream in (whole, changes):
        until(lambda: all(stream.boards()[f, "past_minute", "desc"] == [] for f in FEATURES))
    expected, found = states(whole), states(changes)
    common = set(expected) & set(found)
    assert len(common) > 20 and len(changes.of("change")) > 20
    assert all(found[key] == expected[key] for key in common)
    schema = api.contract.document["components"]["schemas"]["ChangeEvent"]
    assert all(api.contract.errors(schema, event["data"]) == [] for event in changes.of("change"))
    whole.close()
    changes.close()


def test_who_fell_behind_gets_the_whole_board(live):
    api, collector = live
    stream = Stream(api.port, "/events?changes=true&features=pressure&interval=past_minute")
    other = Stream(api.port, "/events?changes=true&features=pressure&interval=past_minute")
    until(lambda: len(stream.boards()) == 1)
    best = devices(*range(10, 0, -1))
    collector.board("pressure", "past_minute", best)
    until(lambda: stream.boards()["pressure", "past_minute", "desc"][:1] == ["d0"])  # all of it is new
    collector.board("pressure", "past_minute", best[1:])
    until(lambda: len(stream.of("change")) == 1)
    last = stream.events[-1]["id"]
    stream.close()
    collector.board("pressure", "past_minute", best[2:])
    until(lambda: len(api.json("/dashboard?features=pressure&interval=past_minute&limit=30")["pressure"]) == 8)
    back = Stream(api.port, "/events?changes=true&features=pressure&interval=past_minute", last_event_id=last)
    until(lambda: len(back.boards().get(("pressure", "past_minute", "desc"), [])) == 8)
    until(lambda: len(other.of("change")) == 2)
    back.close()
    other.close()


def test_events_are_gzip_for_who_takes_it_and_come_at_once(live):
    """Each can be read when it is there: the compressor keeps nothing back. And the end is one of gzip, too."""
    api, collector = live
    path = "/events?changes=true"
    plain = Stream(api.port, path)
    packed = Stream(api.port, path, headers={"Accept-Encoding": "gzip"})
    late = Stream(api.port, path, headers={"Accept-Encoding": "br, *;q=0.1"})
    refused = Stream(api.port, path, headers={"Accept-Encoding": "gzip;q=0"})
    for stream, coding in ((plain, None), (packed, "gzip"), (late, "gzip"), (refused, None)):
        assert stream.head.headers.get("content-encoding") == coding
        assert stream.head.headers["vary"] == "Accept, Accept-Encoding"
        until(lambda: len(stream.boards()) == 6)
    best = devices(*range(10, 0, -1))
    for number in range(50):
        best = [reading(f"new {number}", temperature=11 + number, pressure=number / 7), *best[:9]]
        collector.board("temperature", "past_minute", best)
        for stream in (plain, packed):
            until(lambda: any(f'"new {number}"' in json.dumps(e["data"]) for e in stream.events[-20:]), pause=0.005)
    collector.board("pressure", "past_minute", [])
    for stream in (plain, packed, late):
        until(lambda: stream.boards()["pressure", "past_minute", "desc"] == [])
    assert states(packed) == states(plain)
    assert packed.wire_bytes < plain.wire_bytes / 4
    api.program.signal(signal.SIGTERM)
    assert api.program.wait(5) == 0, api.program.tail()
    for stream in (plain, packed, late, refused):
        until(lambda: stream.is_over, 2)
        assert stream.ended_well


def test_a_status_comes_every_second(live):
    api, _ = live
    stream = Stream(api.port, "/events?interval=past_minute")
    statuses = until(lambda: len(s := stream.of("status")) >= 4 and s, 6)
    gaps = [b["at"] - a["at"] for a, b in zip(statuses[1:], statuses[2:])]
    assert all(0.8 < gap < 1.3 for gap in gaps)
    last = statuses[-1]["data"]
    assert last["source"] == "boards" and abs(now_us() - to_us(last["asOf"])) < 3_000_000
    assert last["collectors"][0]["collectorId"] == "played" and last["collectors"][0]["isLive"] is True
    stream.close()


def test_a_client_gets_what_it_asked_for(live):
    api, collector = live
    narrow = Stream(api.port, "/events?features=pressure&interval=past_hour,all_time")
    lowest = Stream(api.port, "/events?features=pressure&interval=past_minute&order=asc")
    until(lambda: len(narrow.boards()) == 2)
    assert set(narrow.boards()) == {("pressure", "past_hour", "desc"), ("pressure", "all_time", "desc")}
    collector.board("temperature", "past_minute", devices(3))
    collector.board("pressure", "past_minute", devices(1, 2), lowest=True)
    until(lambda: lowest.boards().get(("pressure", "past_minute", "asc")) == ["d0", "d1"])
    assert len(narrow.of("board")) == 2
    narrow.close()
    lowest.close()


def test_who_returns_gets_what_changed_since(live):
    api, collector = live
    stream = Stream(api.port)
    until(lambda: len(stream.boards()) == 6)
    last = stream.events[-1]["id"]
    stream.close()
    collector.board("pressure", "past_hour", devices(4))
    until(lambda: [r["deviceId"] for r in api.json("/dashboard?features=pressure&interval=past_hour")["pressure"]][:1] == ["d0"])
    back = Stream(api.port, last_event_id=last)
    until(lambda: ("pressure", "past_hour", "desc") in back.boards())
    until(lambda: len(back.of("status")) >= 2)
    assert set(back.boards()) == {("pressure", "past_hour", "desc")}
    back.close()
    numbers = [int(e["id"].split("-")[1]) for e in back.events]
    assert numbers == sorted(set(numbers))
    for strange in ("0-1", "nonsense", f"{last}x", last.split("-")[0] + "-999999", "\xe4"):
        other = Stream(api.port, last_event_id=strange)
        until(lambda: len(other.boards()) == 6)
        other.close()


def test_without_a_collector_the_database_is_asked(stack):
    api = Api(stack)
    insert(stack.database, [reading("a", temperature=3.0)])
    stream = Stream(api.port, "/events?features=temperature")
    until(lambda: stream.boards().get(("temperature", "past_hour", "desc")) == ["a"], 3)
    assert stream.of("status")[-1]["data"]["source"] == "database"
    insert(stack.database, [reading("b", temperature=4.0)])
    until(lambda: stream.boards().get(("temperature", "past_minute", "desc")) == ["b", "a"], 3)
    # a second client costs no further question
    before = api.metric("database_queries_total")
    other = Stream(api.port, "/events?features=temperature")
    until(lambda: len(other.boards()) == 3, 3)
    until(lambda: len(other.of("status")) >= 3, 5)
    assert api.metric("database_queries_total") - before <= 3 * 6
    other.close()
    stream.close()
    until(lambda: api.metric("event_streams") == 0)
    asked = api.metric("database_queries_total")
    time.sleep(1.5)
    assert api.metric("database_queries_total") == asked  # nobody listens, nobody asks


@pytest.mark.faults
def test_from_boards_to_the_database_and_back(stack, live):
    api, collector = live
    insert(stack.database, [reading("sql", temperature=7.0, pressure=7.0)])
    stream = Stream(api.port, "/events?features=temperature&interval=past_hour")
    key = ("temperature", "past_hour", "desc")
    until(lambda: stream.boards().get(key) == ["a"])
    collector.fall_silent()
    until(lambda: stream.boards()[key] == ["sql"], 8)
    assert stream.of("board")[-1]["data"]["source"] == "database"
    collector.go_live()
    until(lambda: stream.boards()[key] == ["a"], 3)
    assert stream.of("board")[-1]["data"]["source"] == "boards"
    stream.close()


def test_streams_are_capped(stack):
    api = Api(stack, max_event_streams=3)
    streams = [Stream(api.port) for _ in range(3)]
    answer = api.get("/events")
    assert answer.status == 503 and "retry-after" in answer.headers
    streams.pop().close()
    until(lambda: api.metric("event_streams") == 2)
    streams.append(Stream(api.port))
    assert streams[-1].head.status == 200
    for stream in streams:
        stream.close()
    until(lambda: api.metric("event_streams") == 0, 3)  # hang-ups are noticed


def test_a_client_that_half_closes_is_gone(live):
    api, _ = live
    raw = Raw(api.port)
    raw.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert raw.head().status == 200
    until(lambda: api.metric("event_streams") == 1)
    raw.socket.shutdown(socket.SHUT_WR)
    until(lambda: api.metric("event_streams") == 0, 3)


@pytest.mark.faults
def test_a_client_that_does_not_read_holds_nobody_up(stack, broker, database):
    api = Api(stack, stall_timeout="5s", num_top_devices=100, max_connections_per_address=0)
    collector = PlayedCollector(broker.port, database, limit=100)
    many = [reading(f"device_{i:04}", temperature=1000 - i, pressure=1) for i in range(100)]
    collector.boards(many)
    collector.go_live()
    until(lambda: api.source() == "boards")
    stalled = []
    for _ in range(20):
        raw = Raw(api.port)
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stalled.append(raw)
    reader = Stream(api.port)
    until(lambda: api.metric("event_streams") == 21)
    before = api.program.rss_kb()
    number = seen_beside_them = 0
    deadline = time.monotonic() + patience()
    while api.metric("event_streams") > 1 and time.monotonic() < deadline:
        number += 1
        collector.board("temperature", "past_minute", [reading("new", temperature=10000 + number, pressure=1), *many[:99]])
        until(
            lambda: (b := [e for e in reader.of("board") if e["data"]["interval"] == "past_minute" and e["data"]["feature"] == "temperature"])
            and b[-1]["data"]["readings"][0]["temperature"] == 10000 + number,
            2,
            pause=0.002,
        )
        seen_beside_them += api.metric("event_streams") == 21
    assert api.metric("event_streams") == 1, "the stalled clients were not cut"
    assert seen_beside_them > 0
    if "asan" not in str(api.program.argv[0]):
        assert api.program.peak_rss_kb() - before < 32 * 1024
    assert not reader.is_over
    reader.close()
    collector.close()
    for raw in stalled:
        raw.close()


@pytest.mark.faults
def test_a_slow_reader_skips_to_the_present(live):
    api, collector = live
    raw = Raw(api.port)
    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.send(b"GET /events?features=temperature&interval=all_time HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert raw.head().status == 200
    for number in range(1000):
        collector.board(
            "temperature",
            "all_time",
            [reading(f"d{i}", now_us(), temperature=number * 10 - i, pressure=1) for i in range(10)],
        )
    until(lambda: [r["temperature"] for r in api.json("/dashboard?features=temperature&interval=all_time")["temperature"]][:1] == [9990], 30)
    text = b""
    while b'"temperature":9990,' not in text:
        text += raw.chunk()
    assert text.count(b"event: board") < 1000  # it was spared most of what happened meanwhile
    raw.close()


def test_two_hundred_clients_see_every_change(live):
    api, collector = live
    streams = [Stream(api.port, "/events?interval=past_minute") for _ in range(200)]
    for stream in streams:
        until(lambda: len(stream.boards()) == 2)
    for number in range(5):
        collector.board("temperature", "past_minute", [reading("x", temperature=100 + number, pressure=0)])
        for stream in streams:
            until(lambda: [r.get("temperature") for r in stream.of("board")[-1]["data"]["readings"]][:1] == [100 + number], pause=0.005)
    for stream in streams:
        stream.close()
    until(lambda: api.metric("event_streams") == 0, 5)


def test_sigterm_ends_streams_as_streams_end(live):
    api, _ = live
    streams = [Stream(api.port) for _ in range(5)]
    for stream in streams:
        until(lambda: len(stream.boards()) == 6)
    api.program.signal(signal.SIGTERM)
    assert api.program.wait(5) == 0, api.program.tail()
    for stream in streams:
        until(lambda: stream.is_over, 2)
        assert stream.ended_well


def test_features_of_the_page_and_of_the_board_are_the_same(live):
    api, _ = live
    stream = Stream(api.port)
    until(lambda: len(stream.boards()) == 6)
    for event in stream.of("board"):
        data = event["data"]
        board = api.json(f"/dashboard?features={data['feature']}&interval={data['interval']}")
        assert data["readings"] == board[data["feature"]]
        assert list(data["readings"][0]) == ["deviceId", "timestamp", "status", *FEATURES]
    stream.close()


def test_a_dear_question_is_asked_rarely_and_once_for_all(stack):
    """A board that takes the database half a second is not asked for each second, nor for each who listens."""
    api = Api(stack)
    stack.database.rows(
        "CREATE OR REPLACE FUNCTION board_of(feature text, sort_order text, since timestamptz, most bigint,"
        " received_until timestamptz DEFAULT 'infinity', of_devices integer[] DEFAULT NULL) RETURNS TABLE (device_id text, best peaks) LANGUAGE sql STABLE"
        " AS $$ SELECT NULL::text, NULL::peaks FROM pg_sleep(0.5) AS slept WHERE slept::text = 'x' $$"
    )
    path = "/events?features=temperature&interval=past_hour&order=asc"
    streams = [Stream(api.port, path) for _ in range(5)]
    until(lambda: all(stream.of("board") for stream in streams))
    before, heard = api.metric("database_queries_total"), len(streams[0].of("status"))
    until(lambda: len(streams[0].of("status")) >= heard + 4, 20)  # one each second
    assert api.metric("database_queries_total") - before <= 1
    for stream in streams:
        stream.close()
