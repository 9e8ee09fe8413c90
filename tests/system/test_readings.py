"""Readings of several devices, or of all: side by side in steps, and every one of them as a stream."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import socket
from urllib.parse import quote, urlencode

import pytest
from http_tools import Api, Raw, insert, migrate
from oracle import now_us, reading, to_text, to_us

from servers import until

HOUR_US = 3600 * 10**6
DAY_US = 24 * HOUR_US
ODD = ['a "quoted", id', "温 度", "x" * 64, "a,b", "=1-1", "'; --", "{}"]


def path_of(*devices, **parameters):
    return "/readings?" + urlencode([*(("deviceId", d) for d in devices), *parameters.items()], quote_via=quote)


def some(rng, devices, count, span_us=2 * HOUR_US):
    at = now_us()
    return [
        reading(rng.choice(devices), at - rng.randrange(span_us), rng.choice(["ON", None]),
                **{f: rng.randrange(1000) / 8 for f in ("temperature", "pressure") if rng.random() < 0.8})
        for _ in range(count)
    ]


# --- Steps ---------------------------------------------------------------------------------------


def test_steps_of_several_devices_are_those_of_each_and_the_same_for_all(stack, rng):
    api = Api(stack)
    readings = some(rng, ODD, 3000)
    insert(stack.database, readings)
    stack.database.rows("INSERT INTO devices (device_id) VALUES ('silent')")
    span = {"from": to_text(now_us() - HOUR_US), "to": to_text(now_us() - 60 * 10**6)}
    asked = [*reversed(ODD), "silent"]
    for parameters in ({}, {"points": 7}, {"points": 2000, **span}, {**span, "features": "pressure"}):
        plot = api.json(path_of(*asked, **parameters))
        assert [d["deviceId"] for d in plot["devices"]] == asked and plot["total"] == len(asked)
        step_us = round(plot["stepMs"] * 1000)
        for device in plot["devices"]:
            mine = [r for r in readings if r.device_id == device["deviceId"]
                    and to_us(plot["from"]) <= r.recorded_at_us and r.recorded_at_us < to_us(plot["to"]) + (not span.items() <= parameters.items())]
            assert device["isKnown"] and sum(p["count"] for p in device["points"]) == len(mine)
            for point in device["points"]:
                start = to_us(point["timestamp"])
                assert (start - to_us(plot["from"])) % step_us == 0
                values = [dict(r.values) for r in mine if start <= r.recorded_at_us < start + step_us]
                assert point["count"] == len(values)
                assert set(point) == {"timestamp", "count", *parameters.get("features", "temperature,pressure").split(",")}
                pressures = [v["pressure"] for v in values if "pressure" in v]
                found = point["pressure"]
                assert found is None if not pressures else (found["min"], found["max"]) == (min(pressures), max(pressures))
        assert plot["devices"][-1]["points"] == []

        # what is seen, as a file
        flat = [
            [p["timestamp"], d["deviceId"], p["count"], *(p[f][k] if p[f] else None for f in list(p)[2:] for k in ("min", "max", "mean"))]
            for d in plot["devices"] for p in d["points"]
        ]
        points = {"points": 500, **parameters}
        head, *rows = csv.reader(io.StringIO(api.get(path_of(*asked, format="csv", **points)).body.decode(), newline=""))
        assert head[:3] == ["timestamp", "deviceId", "count"] and head[-3:] == ["pressure_min", "pressure_max", "pressure_mean"]
        assert [[row[0], row[1], int(row[2]), *(float(v) if v else None for v in row[3:])] for row in rows] == flat
        lines = api.get(path_of(*asked, format="jsonl", **points)).body.decode().splitlines()
        assert [list(json.loads(line).values()) for line in lines] == flat
        assert all(list(json.loads(line)) == head for line in lines)


def test_devices_that_are_unknown_or_have_nothing_there(stack):
    api = Api(stack)
    assert api.json("/readings") == {"from": None, "to": None, "stepMs": None, "total": 0, "devices": []}
    insert(stack.database, [reading(f"d{i:02}", now_us() - i, temperature=i) for i in range(11)])
    found = api.json(path_of("nobody", "d03"))
    assert [(d["deviceId"], d["isKnown"], len(d["points"])) for d in found["devices"]] == [("nobody", False, 0), ("d03", True, 1)]
    assert found["from"] == found["to"] == found["devices"][1]["points"][0]["timestamp"]
    fleet = api.json("/readings")
    assert [d["deviceId"] for d in fleet["devices"]] == [f"d{i:02}" for i in range(8)] and fleet["total"] == 11
    empty = api.json(path_of("d01", "nobody", to="1999-01-01T00:00:00Z"))
    assert empty["stepMs"] is None and all(d["points"] == [] for d in empty["devices"])
    for kind in ("json", "csv", "jsonl"):
        assert api.get(path_of("nobody", "d3", format=kind)).status == 404
        assert api.get(path_of("nobody", format=kind, points=9)).status == 404
        assert api.get(path_of("nobody", "d03", format=kind)).status == 200


@pytest.mark.parametrize("query, words", [
    ("&".join(f"deviceId=d{i}" for i in range(9)), ["deviceId", "d8", "up to 8"]),
    ("deviceId=a&deviceId=b&deviceId=a", ["deviceId", "each once"]),
    ("deviceId=", ["deviceId"]),
    ("deviceId=a%2Fb", ["a%2Fb"]),
    ("deviceId=%00", ["deviceId"]),
    ("deviceId=" + "x" * 65, ["deviceId"]),
    ("deviceId=a&points=0", ["points", "1 to 2000"]),
    ("points=2001", ["points"]),
    ("format=parquet", ["format", "json, csv, jsonl"]),
    ("points=1&points=1", ["only once"]),
    ("limit=1", ["limit", "deviceId, features, from, to, group, points, format"]),
    ("features=nothing", ["features", "temperature"]),
])
def test_what_is_wrong_is_named(refusing, query, words):
    answer = refusing.get(f"/readings?{query}")
    assert answer.status == 400
    for word in words:
        assert word in answer.json()["detail"]


@pytest.fixture
def refusing(stack):
    return Api(stack)


# --- All of them ---------------------------------------------------------------------------------


def rows_of(answer):
    """Of CSV or JSON lines: what each row says."""
    text = (gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body).decode()
    if answer.headers["content-type"].startswith("text/csv"):
        return [
            (r["deviceId"], to_us(r["timestamp"]), r["status"] or None, *(float(r[f]) if r[f] else None for f in ("temperature", "pressure")))
            for r in csv.DictReader(io.StringIO(text, newline=""))
        ]
    return [tuple([r["deviceId"], to_us(r["timestamp"]), r["status"], r["temperature"], r["pressure"]]) for r in map(json.loads, text.splitlines())]


def expected(readings):
    return sorted(
        ((r.device_id, r.recorded_at_us, r.status, dict(r.values).get("temperature"), dict(r.values).get("pressure")) for r in readings),
        key=lambda row: (row[0].encode(), *map(repr, row[1:])),
    )


def test_all_readings_of_a_fleet_come_once_by_device_and_time(stack, rng):
    api = Api(stack)
    often = [f"pump {i}" for i in range(6)]
    readings = some(rng, often, 9000) + some(rng, [*ODD, "~last"], 300)
    insert(stack.database, readings)
    # many that sent nothing in the span, or nothing at all: pages of them have no row
    stack.database.rows("INSERT INTO devices (device_id) SELECT 'quiet ' || i FROM generate_series(1, 1234) i")
    since, ends = now_us() - HOUR_US, now_us() - HOUR_US // 3
    inside = [r for r in readings if since <= r.recorded_at_us < ends]
    span = {"from": to_text(since), "to": to_text(ends)}
    def compressed(path):
        with Raw(api.port) as raw:  # of its own: one that waits while others are answered is closed
            return raw.get(path, Accept_Encoding="gzip")

    for kind, media in (("csv", "text/csv"), ("jsonl", "application/x-ndjson")):
        for answer in (
            api.get(path_of(format=kind)), api.get("/readings", {"Accept": media}),
            compressed(path_of(format=kind).replace(" ", "%20")),
        ):
            assert answer.status == 200 and answer.headers["content-type"].partition(";")[0] == media
            found = rows_of(answer)
            assert [(r[0].encode(), r[1]) for r in found] == sorted((r[0].encode(), r[1]) for r in found)
            assert sorted(found, key=lambda row: (row[0].encode(), *map(repr, row[1:]))) == expected(readings)
        some_of = api.get(path_of("pump 3", "~last", "quiet 7", format=kind, **span))
        assert sorted(rows_of(some_of), key=lambda row: (row[0].encode(), *map(repr, row[1:]))) == expected(
            r for r in inside if r.device_id in ("pump 3", "~last"))
        assert len(rows_of(api.get(path_of(format=kind, **span)))) == len(inside)
    # flat, a type per column whatever the values are, nothing left out
    for line in api.get(path_of(format="jsonl")).body.decode().splitlines():
        row = json.loads(line)
        assert list(row) == ["timestamp", "deviceId", "status", "temperature", "pressure"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["timestamp"])
        assert all(v is None or isinstance(v, float) for v in (row["temperature"], row["pressure"]))
    only = api.get(path_of(format="csv", features="pressure")).body.decode().splitlines()
    assert only[0] == "timestamp,deviceId,status,pressure" and len(only) == len(readings) + 1
    assert api.metric("csv_streams") == 0


def test_files_say_what_is_in_them(stack):
    api = Api(stack)
    insert(stack.database, [reading(d, now_us() - i, temperature=i) for i, d in enumerate(["a", "b", "c", "d", 'x "温"/'.replace("/", "")])])
    span = "from=2026-11-26T00:00:00.5Z&to=2026-11-27T06:30:00%2B05:30"
    for query, name in (
        ("readings?format=csv", "readings-fleet.csv"),
        ("readings?format=jsonl&deviceId=a&deviceId=b", "readings-a-b.jsonl"),
        (f"readings?format=csv&deviceId=a&deviceId=b&deviceId=c&deviceId=d&{span}", "readings-4_devices-from-20261126T000000Z-to-20261127T010000Z.csv"),
        ("readings?format=csv&points=9&deviceId=a", "steps-a.csv"),
        (f"devices/{quote('x ' + chr(34) + '温' + chr(34))}/readings?format=csv", "readings-x____.csv"),
    ):
        answer = api.get(f"/{query}")
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"', query
    assert "content-disposition" not in api.get("/readings").headers


def test_an_export_goes_on_while_readings_come_and_go(stack):
    """Whatever was stored when it began and is still there when its turn comes is in it, once; the client may take as
    long as it likes, and holds neither a connection to the database nor memory."""
    api = Api(stack, stall_timeout="60s")
    stack.database.rows("INSERT INTO devices (device_id) SELECT 'd' || lpad(i::text, 3, '0') FROM generate_series(0, 299) i")
    stack.database.rows("SELECT make_partitions(now() - interval '3 days', now() + interval '1 day')")
    stack.database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature, pressure)"
        " SELECT d.id, i, now() - interval '60 hours' + i * interval '5 minutes', now(), i, -i FROM devices d, generate_series(0, 699) i")
    held = {row[:2]: row[2] for row in stack.database.rows(
        "SELECT d.device_id, r.content_hash, r.recorded_at < date_trunc('day', now() - interval '1 day', 'UTC') FROM readings r JOIN devices d ON d.id = r.device")}
    before = api.program.rss_kb()
    raw = Raw(api.port)  # 25 MB: more than the sockets hold
    raw.send(b"GET /readings?format=jsonl HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert raw.head().status == 200
    text = raw.chunk()
    until(lambda: api.metric("database_connections_busy") == 0)  # it waits for the client, not for the database
    # now one of the devices that are still to come loses a row, one sends more, one is new, and old days are dropped
    stack.database.rows("DELETE FROM readings r USING devices d WHERE d.id = r.device AND d.device_id = 'd200' AND content_hash = 650")
    stack.database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
        " SELECT id, 1000, now() - interval '1 hour', now(), 1000 FROM devices WHERE device_id IN ('d000', 'd250')")
    stack.database.rows("UPDATE storage_state SET late_before = date_bin('1 minute', now(), 'epoch')")
    for _ in range(100):
        stack.database.rows("SELECT rollup_until(now())")
    dropped = 0
    while stack.database.rows("SELECT detach_partition(date_trunc('day', now() - interval '1 day', 'UTC'))")[0][0]:
        dropped += 1
    assert dropped >= 1
    while chunk := raw.chunk():
        text += chunk
    raw.close()
    found = [json.loads(line) for line in text.decode().splitlines()]
    seen = {}
    for row in found:
        key = (row["deviceId"], int(row["temperature"]))
        assert key not in seen, f"{key} twice"
        seen[key] = row
    missing = {key for key in held if key not in seen}
    assert missing and all(held[key] for key in missing - {("d200", 650)}), "only what was deleted or dropped may be missing"
    assert ("d200", 650) in missing and ("d250", 1000) in seen
    assert seen.keys() - held.keys() <= {("d000", 1000), ("d250", 1000)}
    if "asan" not in str(api.program.argv[0]):
        assert api.program.peak_rss_kb() - before < 16 * 1024


def test_a_client_that_leaves_ends_its_export(stack):
    api = Api(stack, max_csv_streams=2)
    stack.database.rows("INSERT INTO devices (device_id) SELECT 'd' || i FROM generate_series(1, 100) i")
    stack.database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
        " SELECT d.id, i, now() - i * interval '1 second', now(), i FROM devices d, generate_series(1, 800) i")
    held = []
    for _ in range(2):
        raw = Raw(api.port)
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.send(b"GET /readings?format=csv HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.head().status == 200
        held.append(raw)
    refused = api.get("/readings?format=csv")
    assert refused.status == 503 and "2 exports" in refused.json()["detail"]
    for raw in held:
        raw.close()
    until(lambda: api.metric("csv_streams") == 0)
    assert api.get("/readings?format=csv").body.count(b"\n") == 80001


def blocks_of(database, arguments):
    """How many blocks of tables and indexes a page looks at."""
    plan = database.rows(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT * FROM fleet_runs({arguments})")[0][0][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def test_a_page_costs_the_same_however_large_the_fleet_and_wherever_it_begins(stack):
    migrate(stack)
    database = stack.database
    database.rows("SELECT make_partitions(now() - interval '5 days', now() + interval '1 day')")
    costs = []
    for first, last in ((1, 1000), (1001, 20000)):
        database.rows(f"INSERT INTO devices (device_id) SELECT 'd' || lpad(i::text, 6, '0') FROM generate_series({first}, {last}) i")
        database.rows(
            "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
            " SELECT d.id, i, now() - i * interval '7 hours', now(), i FROM devices d, generate_series(1, 10) i"
            f" WHERE d.device_id BETWEEN 'd' || lpad('{first}', 6, '0') AND 'd' || lpad('{last}', 6, '0')")
        connection = database.connect()
        connection.autocommit = True
        connection.cursor().execute("VACUUM ANALYZE readings, devices")
        connection.close()
        day = "now() - interval '2 days', now() - interval '1 day'"
        for place in ("''", "'d000500'", f"'d{last - 150:06}'"):
            blocks_of(database, f"NULL, {day}, 2001, 100, {place}")  # catalogs are read once
            costs.append(blocks_of(database, f"NULL, {day}, 2001, 100, {place}"))
    assert max(costs) < 1.5 * min(costs) and max(costs) < 20000, costs
    empty = "'1999-01-01', '1999-02-01'"
    assert blocks_of(database, f"NULL, {empty}, 2001, 100") < max(costs)
