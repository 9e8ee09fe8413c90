"""The contract of httpapi: every route, parameter and error, against a real database and broker."""

from __future__ import annotations

import csv
import io
import json
import math
import signal
import threading
from urllib.parse import quote

import pytest
from http_tools import Api, PlayedCollector, Raw, Stream, entry, insert, migrate

from oracle import FEATURES, board_by_sql, board_of_json, now_us, reading, to_text, to_us
from servers import until

MINUTE = 60_000_000


def some_readings(rng, count=400, devices=17, span_us=2 * 60 * MINUTE):
    """Few distinct values and moments, so that there are ties of every kind."""
    at = now_us()
    return [
        reading(
            f"device_{rng.randrange(devices)}",
            at - rng.randrange(1000) * (span_us // 1000) - rng.randrange(2),
            rng.choice(["ON", "OFF", "ACTIVE", "INACTIVE", None]),
            **{f: rng.randrange(12) / 4 for f in FEATURES if rng.random() < 0.9},
        )
        for _ in range(count)
    ]


@pytest.fixture
def played(broker, database):
    collectors = []

    def play(*args, **more):
        collectors.append(PlayedCollector(broker.port, database, *args, **more))
        return collectors[-1]

    yield play
    for collector in collectors:
        collector.close()


# --- Boards --------------------------------------------------------------------------------------


def test_sql_boards_equal_the_oracles(stack, rng):
    readings = some_readings(rng)
    api = Api(stack)
    insert(stack.database, readings)
    for feature in FEATURES:
        for interval in ("past_minute", "past_hour", "all_time"):
            for limit in (1, 5, 10, 1000):
                path = f"/dashboard?features={feature}&interval={interval}&limit={limit}"
                answer = api.get(path)
                as_of = to_us(answer.headers["x-data-as-of"])
                assert answer.headers["x-data-source"] == "database"
                assert list(answer.json()) == [feature]
                expected = board_by_sql(stack.database, feature, interval, as_of, limit)
                assert board_of_json(answer.json()[feature]) == expected, path


def test_lowest_boards_and_any_duration_are_answered_by_sql(stack, rng):
    readings = some_readings(rng)
    api = Api(stack)
    insert(stack.database, readings)
    answer = api.get("/dashboard?interval=90m&order=asc&limit=1000")
    since = to_us(answer.headers["x-data-as-of"]) - 90 * MINUTE
    for feature in FEATURES:
        lowest = {}
        for r in readings:
            if feature in dict(r.values) and r.recorded_at_us > since:
                lowest[r.device_id] = min(lowest.get(r.device_id, math.inf), dict(r.values)[feature])
        entries = answer.json()[feature]
        assert {e["deviceId"]: e[feature] for e in entries} == lowest
        order = [(e[feature], -to_us(e["timestamp"]), e["deviceId"]) for e in entries]
        assert order == sorted(order)
    empty = api.get("/dashboard?interval=1us").json()
    assert empty == {feature: [] for feature in FEATURES}


def test_all_time_boards_come_from_peaks_where_there_are_any(stack):
    """The peaks outlive the readings: a value that retention has dropped still stands on the board."""
    api = Api(stack)
    at = now_us()
    insert(stack.database, [reading("a", at, temperature=5.0), reading("b", at, temperature=7.0)])
    assert [e["deviceId"] for e in api.json("/dashboard?features=temperature&interval=all_time")["temperature"]] == [
        "b",
        "a",
    ]
    stack.database.rows(
        "UPDATE peaks SET recorded_at = '2020-01-01', value = 99, temperature = 99"
        " WHERE device = (SELECT id FROM devices WHERE device_id = 'a') AND sort_order = 'desc'"
    )
    board = api.json("/dashboard?features=temperature&interval=all_time")["temperature"]
    assert [(e["deviceId"], e["temperature"]) for e in board] == [("a", 99), ("b", 7)]
    board = api.json("/dashboard?features=temperature&interval=all_time&order=asc")["temperature"]
    assert [(e["deviceId"], e["temperature"]) for e in board] == [("a", 5), ("b", 7)]


def test_boards_of_two_collectors_are_merged(stack, played):
    api = Api(stack)
    at = now_us()
    a, b = played("a"), played("b")
    a.boards([reading("d1", at, temperature=9, pressure=1), reading("d2", at, temperature=5, pressure=1)])
    b.boards([reading("d3", at, temperature=7, pressure=1), reading("d1", at, temperature=6, pressure=1)])
    a.register()
    b.register()
    a.as_of_us = (at - 400_000) // a.GRID_US * a.GRID_US
    a.go_live()
    b.go_live()
    until(lambda: api.source() == "boards")
    answer = api.get("/dashboard?features=temperature")
    assert [(e["deviceId"], e["temperature"]) for e in answer.json()["temperature"]] == [("d1", 9), ("d3", 7), ("d2", 5)]
    assert to_us(answer.headers["x-data-as-of"]) == a.as_of_us  # the oldest of the live ones
    assert answer.json()["temperature"][0] == entry(reading("d1", at, temperature=9, pressure=1))
    limited = api.get("/dashboard?features=temperature&limit=2")
    assert [e["deviceId"] for e in limited.json()["temperature"]] == ["d1", "d3"]
    assert limited.headers["x-data-source"] == "boards"


@pytest.mark.faults
def test_boards_that_cannot_answer_leave_it_to_sql(stack, played):
    api = Api(stack)
    at = now_us()
    collector = played(limit=2)
    full = [reading("d1", at, temperature=9, pressure=1), reading("d2", at, temperature=5, pressure=1)]
    collector.boards(full)
    collector.go_live()
    until(lambda: api.source("/dashboard?limit=2") == "boards")
    assert api.source("/dashboard?limit=3") == "database"  # there may be a third
    assert api.source("/dashboard?limit=2&order=asc") == "database"  # no lowest boards
    assert api.source("/dashboard?limit=2&interval=90m") == "database"
    assert api.source("/dashboard?limit=2&interval=60s") == "boards"  # is past_minute
    second = played("second")
    second.status("warming")  # the database does not know it
    second.register()
    until(lambda: api.source("/dashboard?limit=2") == "database")
    collector.loaded = {"second": 1}
    until(lambda: api.source("/dashboard?limit=2") == "boards")
    collector.fall_silent()
    until(lambda: api.source("/dashboard?limit=2") == "database", 10)
    collector.status("live")
    until(lambda: api.source("/dashboard?limit=2") == "boards")
    collector.publish("status", {"collectorId": "played", "state": "lost"})  # its last will
    until(lambda: api.source("/dashboard?limit=2") == "database", 1)


def test_an_old_retained_status_is_not_taken_for_a_live_collector(stack, played):
    collector = played()
    collector.boards([reading("ghost", temperature=1, pressure=1)])
    collector.status("live", asOf=to_text(now_us() - 10_000_000))
    collector.close()
    api = Api(stack)
    collector.register()
    until(lambda: api.metric("board_messages_total") >= 7)
    assert api.source() == "database"
    assert api.json("/dashboard") == {feature: [] for feature in FEATURES}


def test_a_kept_answer_never_outlives_its_boards(stack, played):
    api = Api(stack)
    collector = played()
    collector.go_live()
    for value in range(20):
        at = now_us()
        collector.board("temperature", "past_minute", [reading("d", at, temperature=value)])
        until(
            lambda: [e["temperature"] for e in api.json("/dashboard?features=temperature")["temperature"]] == [value],
            2,
        )
    assert api.metric('answers_total{source="boards"}') >= 0
    before = api.get("/dashboard?features=temperature")
    assert api.get("/dashboard?features=temperature").body == before.body


# --- Devices, histograms, history ----------------------------------------------------------------


def test_histograms_count_statuses_and_values(stack, rng):
    api = Api(stack)
    readings = some_readings(rng, 600, 5)
    insert(stack.database, readings)
    for device in ("device_1", "device_4"):
        mine = [r for r in readings if r.device_id == device]
        counts = {s: sum(r.status == s for r in mine) for s in ("ON", "OFF", "ACTIVE", "INACTIVE")}
        counts["none"] = sum(r.status is None for r in mine)
        assert api.json(f"/devices/{device}/histogram") == {device: counts}
    fleet = api.json("/histogram")
    assert sum(fleet.values()) == 600 and fleet["ON"] == sum(r.status == "ON" for r in readings)

    recent = api.get("/devices/device_1/histogram?interval=past_hour")
    since = to_us(recent.headers["x-data-as-of"]) - 60 * MINUTE
    expected = sum(r.device_id == "device_1" and r.recorded_at_us > since for r in readings)
    assert sum(recent.json()["device_1"].values()) == expected

    start, end = now_us() - 90 * MINUTE, now_us() - 30 * MINUTE
    ranged = api.json(f"/devices/device_1/histogram?from={to_text(start)}&to={to_text(end)}")
    expected = sum(r.device_id == "device_1" and start <= r.recorded_at_us < end for r in readings)
    assert sum(ranged["device_1"].values()) == expected

    for bins in (1, 2, 7, 20):
        values = [dict(r.values)["temperature"] for r in readings if "temperature" in dict(r.values)]
        found = api.json(f"/histogram?feature=temperature&bins={bins}")
        edges = found["edges"]
        assert (edges[0], edges[-1], len(edges)) == (min(values), max(values), bins + 1)
        counts = [0] * bins
        for value in values:
            counts[max(i for i in range(bins) if edges[i] <= value)] += 1
        assert found["counts"] == counts and found["count"] == len(values)


def test_histograms_of_nothing(stack):
    api = Api(stack)
    insert(stack.database, [reading("a", pressure=1.5)])
    assert api.get("/devices/b/histogram").status == 404
    assert api.get("/devices/b/histogram?feature=pressure").status == 404
    assert api.json("/devices/a/histogram?feature=temperature") == {
        "a": {"feature": "temperature", "count": 0, "edges": [], "counts": []}
    }
    assert api.json("/devices/a/histogram?feature=pressure&bins=9") == {
        "a": {"feature": "pressure", "count": 1, "edges": [1.5, 1.5], "counts": [1]}
    }
    long_ago = "from=1999-01-01T00:00:00Z&to=1999-01-02T00:00:00Z"
    assert sum(api.json(f"/devices/a/histogram?{long_ago}")["a"].values()) == 0
    assert api.json(f"/histogram?{long_ago}&feature=pressure")["count"] == 0


def test_devices_are_listed_page_by_page(stack):
    api = Api(stack)
    at = now_us()
    names = sorted([f"device_{i:02}" for i in range(23)] + ["Älpler", "a b", "温度", "x" * 64], key=str.encode)
    insert(stack.database, [reading(n, at - i * 40 * MINUTE, temperature=i) for n in names for i in range(3)])
    stack.database.rows("INSERT INTO devices (device_id) VALUES ('~silent')")
    seen, after = [], ""
    while after is not None:
        page = api.json(f"/devices?limit=5&after={quote(after)}")
        seen += page["devices"]
        assert len(page["devices"]) == 5 or page["next"] is None
        after = page["next"]
    found = [d["deviceId"] for d in seen]
    assert found == sorted([*names, "~silent"], key=str.encode)
    one = next(d for d in seen if d["deviceId"] == "device_07")
    assert (to_us(one["firstReadingAt"]), to_us(one["lastReadingAt"])) == (at - 80 * MINUTE, at)
    assert one["readingsPastHour"] == 2
    silent = next(d for d in seen if d["deviceId"] == "~silent")
    assert silent["lastReadingAt"] is None and silent["readingsPastHour"] == 0
    assert [d["deviceId"] for d in api.json("/devices?q=ICE_1")["devices"]] == [f"device_1{i}" for i in range(10)]
    assert [d["deviceId"] for d in api.json(f"/devices?q={quote('温')}")["devices"]] == ["温度"]
    assert api.json("/devices?q=%25")["devices"] == []  # no wildcard
    assert api.json("/devices?q=nothing") == {"devices": [], "next": None}


def test_a_device_is_described(stack):
    api = Api(stack)
    at = now_us()
    readings = [
        reading("温 度", at - 2, "ON", temperature=5.5, pressure=1),
        reading("温 度", at - 1, "OFF", temperature=1e-7),
        reading("温 度", at, None, pressure=1 / 3),
    ]
    insert(stack.database, [*readings, reading("other", at + 1, temperature=1000)])
    found = api.json(f"/devices/{quote('温 度')}")
    assert found["deviceId"] == "温 度"
    assert found["latest"] == entry(readings[2])
    assert found["peaks"] == {
        "temperature": {"highest": entry(readings[0]), "lowest": entry(readings[1])},
        "pressure": {"highest": entry(readings[0]), "lowest": entry(readings[2])},
    }
    assert found["statuses"] == {"ON": 1, "OFF": 1, "ACTIVE": 0, "INACTIVE": 0, "none": 1}
    assert api.get("/devices/nobody").status == 404


def test_numbers_are_the_shortest_that_are_exact(stack):
    api = Api(stack)
    values = [0.1, 1 / 3, 1e-300, 1.7976931348623157e308, 5e-324, -0.0, 100.0, 123456789.125, 2**53 + 0.0, -1e21]
    at = now_us()
    insert(stack.database, [reading("d", at + i, temperature=v) for i, v in enumerate(values)])
    body = api.get("/devices/d/readings?order=asc").body.decode()
    found = json.loads(body)["readings"]
    assert [math.copysign(1, r["temperature"]) * abs(r["temperature"]) for r in found] == values
    for text in ('"temperature":0.1,', '"temperature":0.3333333333333333,', '"temperature":100,', '"temperature":5e-324,'):
        assert text in body
    assert all(r["timestamp"] == to_text(at + i) for i, r in enumerate(found))


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_history_have_every_reading_once(stack, rng, order):
    api = Api(stack)
    at = now_us() - 10**9
    readings = [
        reading("d", at + rng.randrange(30), rng.choice(["ON", "OFF"]), temperature=i) for i in range(250)
    ]  # many at the same moment
    insert(stack.database, [*readings, reading("e", at, temperature=-1)])
    seen, after = [], ""
    while after is not None:
        page = api.json(f"/devices/d/readings?order={order}&limit=7&after={after}")
        seen += page["readings"]
        after = page["next"]
    moments = [to_us(r["timestamp"]) for r in seen]
    assert moments == sorted(moments, reverse=order == "desc")
    assert sorted(r["temperature"] for r in seen) == list(range(250))
    start, end = at + 10, at + 20
    ranged = api.json(f"/devices/d/readings?from={to_text(start)}&to={to_text(end)}&limit=10000")
    assert ranged["next"] is None
    assert sorted(r["temperature"] for r in ranged["readings"]) == [
        i for i, r in enumerate(readings) if start <= r.recorded_at_us < end
    ]
    assert api.json("/devices/d/readings?from=1990-01-01T00:00:00Z&to=1990-01-02T00:00:00Z")["readings"] == []
    assert api.get("/devices/f/readings").status == 404


def test_a_plot_loses_no_peak(stack, rng):
    api = Api(stack)
    at = now_us() - 10**10
    readings = [reading("d", at + i * 10**6, temperature=rng.gauss(0, 1), pressure=i) for i in range(5000)]
    readings[1234] = reading("d", readings[1234].recorded_at_us, temperature=1e6)
    insert(stack.database, readings)
    for points in (1, 3, 100, 4999):
        plot = api.json(f"/devices/d/readings?points={points}")
        assert 1 <= len(plot["points"]) <= points
        assert sum(p["count"] for p in plot["points"]) == 5000
        assert max(p["temperature"]["max"] for p in plot["points"]) == 1e6
        step_us = plot["stepMs"] * 1000
        for p in plot["points"][:50]:
            start = to_us(p["timestamp"])
            inside = [r for r in readings if start <= r.recorded_at_us < start + step_us - 0.01]
            values = [dict(r.values)["temperature"] for r in inside]
            assert len(inside) == p["count"]
            assert (p["temperature"]["min"], p["temperature"]["max"]) == (min(values), max(values))
            assert p["temperature"]["mean"] == pytest.approx(sum(values) / len(values))
    start, end = at + 10**9, at + 2 * 10**9
    zoomed = api.json(f"/devices/d/readings?points=10&from={to_text(start)}&to={to_text(end)}")
    assert sum(p["count"] for p in zoomed["points"]) == 1000
    assert (to_us(zoomed["from"]), to_us(zoomed["to"])) == (start, end)
    assert api.json("/devices/d/readings?points=10&to=1990-01-01T00:00:00Z")["points"] == []
    assert api.get("/devices/e/readings?points=10").status == 404


def test_a_plot_over_years_is_made_of_rollups_and_loses_nothing(stack, rng):
    api = Api(stack)
    end = now_us()
    readings = [
        reading("d", end - rng.randrange(3 * 365 * 86400) * 10**6, pressure=i, **({"temperature": rng.gauss(0, 1)} if i % 2 else {}))
        for i in range(3000)
    ]
    readings[7] = reading("d", end, temperature=1e6)
    insert(stack.database, readings[:2000])
    stack.database.rows("SELECT rollup_set_late_before('0 s'), rollup_until(now()), rollup_fold_late(100000)")
    insert(stack.database, readings[2000:])  # late: in rollup_late until they are folded in
    for folds in (False, True):
        if folds:
            stack.database.rows("SELECT rollup_fold_late(500)")
        for query in ("points=1", "points=7", "points=500", f"points=40&from={to_text(end - 400 * 86400 * 10**6 - 7)}"):
            plot = api.json(f"/devices/d/readings?{query}")
            low, high = to_us(plot["from"]), to_us(plot["to"])
            inside = [r for r in readings if low <= r.recorded_at_us <= high]
            steps = {to_us(p["timestamp"]): p for p in plot["points"]}
            step_us = round(plot["stepMs"] * 1000)
            assert step_us % (3600 * 10**6) == 0 and len(steps) <= int(query.split("=")[1].split("&")[0])
            assert sum(p["count"] for p in steps.values()) == len(inside)
            for start, p in steps.items():
                values = [dict(r.values) for r in inside if start <= r.recorded_at_us < start + step_us]
                assert len(values) == p["count"]
                temperatures = [v["temperature"] for v in values if "temperature" in v]
                if temperatures:
                    assert (p["temperature"]["min"], p["temperature"]["max"]) == (min(temperatures), max(temperatures))
                    assert p["temperature"]["mean"] == pytest.approx(sum(temperatures) / len(temperatures))
                else:
                    assert p["temperature"] is None


def test_csv_has_everything_and_streams(stack, rng):
    api = Api(stack)
    at = now_us() - 10**10
    device = 'a "quoted", id'
    readings = [
        reading(device, at + (i // 3) * 1000, rng.choice(["ON", None]), **({"temperature": i} if i % 5 else {"pressure": i / 8}))
        for i in range(7001)
    ]
    insert(stack.database, readings)
    path = f"/devices/{quote(device)}/readings"
    for query, headers in (("?format=csv&order=asc", {}), ("?order=asc", {"Accept": "text/csv"})):
        answer = api.get(path + query, headers)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert "content-length" not in answer.headers
        rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
        assert len(rows) == 7001
        assert [to_us(r["timestamp"]) for r in rows] == sorted(r.recorded_at_us for r in readings)
        assert {r["deviceId"] for r in rows} == {device}
        assert sorted(float(r["temperature"]) for r in rows if r["temperature"]) == [i for i in range(7001) if i % 5]
        assert sum(r["status"] == "" for r in rows) == sum(r.status is None for r in readings)
    for limit in (1, 1999, 2000, 2001, 4000, 7001, 99999):
        body = api.get(f"{path}?format=csv&limit={limit}").body.decode()
        assert body.count("\r\n") == 1 + min(limit, 7001)
    assert api.get("/devices/nobody/readings?format=csv").status == 404
    assert api.get(f"{path}?format=json", {"Accept": "text/csv"}).headers["content-type"] == "application/json"
    assert api.metric("csv_streams") == 0


# --- Errors and conventions ----------------------------------------------------------------------


def test_whatever_is_wrong_is_named(stack):
    api = Api(stack)
    cases = [
        ("/dashboard?limit=0", 400, "limit", "0"),
        ("/dashboard?limit=1001", 400, "limit", "1001"),
        ("/dashboard?features=humidity", 400, "features", "humidity"),
        ("/dashboard?interval=yesterday", 400, "interval", "yesterday"),
        ("/dashboard?order=sideways", 400, "order", "sideways"),
        ("/dashboard?limit=1&limit=2", 400, "limit", "2"),
        ("/dashboard?sort=desc", 400, "the parameter's name", "sort"),
        ("/events?interval=90m", 400, "interval", "90m"),
        ("/devices?limit=5000", 400, "limit", "5000"),
        ("/devices/a%2Fb", 400, "deviceId", "a%2Fb"),
        ("/devices/%00", 400, "deviceId", "%00"),
        ("/devices/%ff/histogram", 400, "deviceId", "%ff"),
        (f"/devices/{'x' * 65}", 400, "deviceId", "x" * 65),
        ("/dashboard?features=", 400, "features", ""),
        ("/dashboard?interval=0", 400, "interval", "0"),
        ("/devices/d/readings?after=1_2_3", 400, "after", "1_2_3"),
        ("/devices/d/readings?points=10001", 400, "points", "10001"),
        ("/histogram?feature=x", 400, "feature", "x"),
    ]
    for path, status, parameter, value in cases:
        answer = api.get(path)
        problem = answer.json()
        assert (answer.status, problem["parameter"], problem["value"]) == (status, parameter, value), path
        assert problem["legal"] and problem["detail"] and answer.headers["cache-control"] == "no-store"
    for path in ("/nothing", "/dashboard/", "/devices/", "/devices/a/b", "/devices//histogram", "/../etc/passwd", "//", "/dashboard%3f"):
        assert api.get(path).status == 404, path


def test_nothing_lies_between_two_moments_that_are_the_wrong_way_round(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", now_us() - 10**9, status="ON", temperature=1)])
    span = "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"
    for path in (f"/histogram?{span}", f"/devices/d/histogram?{span}", f"/histogram?{span}&feature=temperature"):
        answer = api.json(path)
        counts = answer.get("d", answer)
        assert counts.get("count", 0) == 0 and not any(v for v in counts.values() if isinstance(v, int)), path
    assert api.json(f"/devices/d/readings?{span}") == {"deviceId": "d", "readings": [], "next": None}
    assert api.json(f"/devices/d/readings?{span}&points=5")["points"] == []
    assert api.get(f"/devices/d/readings?{span}&format=csv").body.count(b"\r\n") == 1


def test_methods_and_types_that_are_not_offered(stack):
    api = Api(stack)
    with Raw(api.port) as raw:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"):
            raw.send(f"{method} /dashboard HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            answer = raw.answer()
            assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD"), method
            api.contract.check("/dashboard", 405, answer.headers, answer.body)
        assert raw.get("/dashboard", Accept="text/html").status == 406
        assert raw.get("/dashboard", Accept="text/html, */*;q=0.1").status == 200
        assert raw.get("/events", Accept="application/json").status == 406
        assert raw.get("/", Accept="text/html,application/xhtml+xml").status == 200


def test_head_and_etag(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", now_us() - 10**9, temperature=1)])
    for path in ("/devices/d/readings", "/dashboard?interval=all_time", "/openapi.json", "/"):
        with Raw(api.port) as raw:
            full = raw.get(path)
            tag = full.headers["etag"]
            raw.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = raw.answer(has_body=False)
            assert head.status == 200 and head.headers["content-length"] == str(len(full.body))
            assert head.headers["etag"] == tag
            for condition in (tag, f'"other", {tag}', f"W/{tag}", "*"):
                again = raw.get(path, If_None_Match=condition)
                assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
            assert raw.get(path, If_None_Match='"other"').status == 200
    insert(stack.database, [reading("d", now_us() - 10**9, temperature=2)])
    changed = api.get("/devices/d/readings", {"If-None-Match": tag})
    assert changed.status == 200 and len(changed.json()["readings"]) == 2
    for path in ("/devices/d/readings?format=csv", "/events"):
        with Raw(api.port) as raw:
            raw.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert raw.answer(has_body=False).status == 200
            assert raw.get("/healthz").status == 200  # no chunk of a body that HEAD has not came between
    assert api.metric("csv_streams") == 0 and api.metric("event_streams") == 0


def test_every_answer_has_the_security_headers(stack):
    api = Api(stack)
    for path in ("/", "/dashboard", "/nothing", "/dashboard?limit=0", "/healthz", "/metrics"):
        headers = api.stack.get(path)[1]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Access-Control-Allow-Origin"] is None


def test_cors_is_opened_by_the_option(stack):
    api = Api(stack, cors_origin="https://grafana.example")
    answer = api.get("/dashboard", {"Origin": "https://grafana.example"})
    assert answer.headers["access-control-allow-origin"] == "https://grafana.example"
    assert "X-Data-As-Of" in answer.headers["access-control-expose-headers"]
    with Raw(api.port) as raw:
        raw.send(b"OPTIONS /dashboard HTTP/1.1\r\nHost: localhost\r\nOrigin: https://grafana.example\r\n"
                 b"Access-Control-Request-Method: GET\r\n\r\n")
        answer = raw.answer()
        assert answer.status == 204 and answer.headers["access-control-allow-methods"] == "GET, HEAD"
        assert raw.get("/healthz").status == 200


def test_the_contract_is_complete(stack):
    api = Api(stack)
    document = api.json("/openapi.json")
    assert document["openapi"] == "3.1.0"
    index = api.get("/").body.decode()
    operations = set()
    for path, item in document["paths"].items():
        assert set(item) == {"get"}
        assert path in index or "was not built" not in index  # the page is there instead
        operation = item["get"]
        operations.add(operation["operationId"])
        assert operation["responses"].keys() >= {"200", "400", "405", "406", "414", "421", "431", "505"}
        names = [p["name"] for p in operation["parameters"]]
        assert len(names) == len(set(names))
        assert ("deviceId" in names) == ("{deviceId}" in path)
        for parameter in operation["parameters"]:
            assert parameter["description"] and api.contract.resolve(parameter["schema"])
            if "default" in parameter["schema"]:
                assert not api.contract.errors(parameter["schema"], parameter["schema"]["default"])
        # each parameter is really understood, and nothing that is not in the contract
        known = path.replace("{deviceId}", "d")
        for name in names:
            if name != "deviceId":
                assert api.get(f"{known}?{name}=%00").json()["parameter"] == name
        assert api.get(f"{known}?undocumented=1").status == 400
    assert len(operations) == len(document["paths"])
    text = json.dumps(document)
    for reference in set(part.split('"')[0] for part in text.split('"$ref": "')[1:]):
        api.contract.resolve({"$ref": reference})


def test_metrics_are_well_formed_and_count(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    for _ in range(3):
        api.get("/devices/d/histogram")
    api.get("/devices/e/histogram")
    api.get("/nothing")
    lines = api.text("/metrics").splitlines()
    families = set()
    for line in lines:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in families and kind in ("counter", "gauge", "histogram")
            families.add(name)
        elif not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0]
            assert any(name == f or name.removesuffix(s) == f for f in families for s in ("_bucket", "_sum", "_count"))
            float(line.rsplit(" ", 1)[1])
    found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    requests = "highwater_httpapi_requests_total"
    assert found[f'{requests}{{route="device_histogram",code="200"}}'] == "3"
    assert found[f'{requests}{{route="device_histogram",code="404"}}'] == "1"
    assert found[f'{requests}{{route="other",code="404"}}'] == "1"
    assert found["highwater_httpapi_request_duration_seconds_count{route=\"device_histogram\"}"] == "4"
    assert "device_id" not in "".join(found) and "nothing" not in "".join(found)


def test_the_access_log_is_an_option_and_escapes(stack):
    api = Api(stack, access_log=1)
    with Raw(api.port) as raw:
        raw.send(b"GET /\x1b[31mred HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.answer().status == 400
    line = api.program.wait_for_line(r"access: 127\.0\.0\.1 GET /\\x1b\[31mred 400 \d+ [\d.]+ms")
    assert "\x1b" not in line


# --- When parts are away -------------------------------------------------------------------------


def test_without_database_and_broker_it_starts_and_says_what_is_missing(stack, postgres):
    stack.broker.stop()
    postgres.stop("immediate")
    program = stack.start_httpapi()
    assert stack.get_json("/healthz")["status"] == "ok"
    status, headers, body = stack.get("/readyz")
    assert status == 503 and headers["Retry-After"]
    assert "database" in json.loads(body)["detail"] and "collector" in json.loads(body)["detail"]
    for path in ("/dashboard", "/devices", "/devices/d", "/devices/d/readings", "/devices/d/readings?format=csv"):
        status, headers, body = stack.get(path)
        assert (status, headers["Content-Type"]) == (503, "application/problem+json"), path
        assert int(headers["Retry-After"]) > 0 and "database" in json.loads(body)["detail"]
    postgres.start()
    stack.broker.start()
    until(lambda: stack.get("/dashboard")[0] in (200, 503) and "tables" in stack.get("/dashboard")[2].decode(), 15)
    migrate(stack)  # the tables were missing: that is said as well, and ends by itself
    until(lambda: stack.get("/dashboard")[0] == 200, 10)
    assert program.is_running()


@pytest.mark.faults
def test_a_database_that_restarts_is_missed_only_while_it_is_away(stack, postgres, played):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    collector = played()
    collector.boards([reading("d", temperature=1, pressure=2)])
    collector.go_live()
    until(lambda: api.get("/readyz").status == 200)
    postgres.stop("immediate")
    until(lambda: api.get("/readyz").status == 503)
    assert api.get("/dashboard").status == 200 and api.source() == "boards"
    assert api.get("/devices/d").status == 503
    # the collector falls silent too: what was last known, as of then
    collector.fall_silent()
    silent = now_us()
    until(lambda: api.get("/dashboard").headers["x-data-as-of"] < to_text(now_us() - 3_500_000), 8)
    answer = api.get("/dashboard?features=temperature")
    assert answer.headers["x-data-source"] == "boards" and to_us(answer.headers["x-data-as-of"]) <= silent
    assert [e["deviceId"] for e in answer.json()["temperature"]] == ["d"]
    postgres.start()
    until(lambda: api.get("/devices/d").status == 200, 15)
    assert api.source() == "database"


@pytest.mark.faults
def test_a_broker_that_restarts_is_missed_only_while_it_is_away(stack, played):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    collector = played()
    collector.boards([reading("d", temperature=1, pressure=2)])
    collector.go_live()
    until(lambda: api.source() == "boards")
    stack.broker.kill9()
    until(lambda: api.source() == "database", 5)
    assert api.get("/readyz").status == 503
    stack.broker.start()
    collector.boards([reading("d", temperature=1, pressure=2)])
    until(lambda: api.source() == "boards", 15)


def test_identical_questions_at_a_time_are_one_query(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    api.get("/devices/d")
    before = api.metric("database_queries_total")
    lock = stack.database.connect()
    with lock.cursor() as cursor:
        cursor.execute("LOCK TABLE devices IN ACCESS EXCLUSIVE MODE")
    clients = [Raw(api.port) for _ in range(40)]
    for client in clients:
        client.send(b"GET /devices/d/histogram?bins=20 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: api.metric("database_queries_shared_total") == 39)
    other = Raw(api.port)
    other.send(b"GET /devices/d/histogram?bins=21 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: api.metric("database_queries_total") == before + 2)
    clients.pop().close()  # a client that leaves takes nothing from the others
    lock.rollback()
    lock.close()
    answers = [client.answer() for client in [*clients, other]]
    assert {a.status for a in answers} == {200} and len({a.body for a in answers}) == 1
    for client in [*clients, other]:
        client.close()


def test_too_many_questions_and_too_long_ones_are_503(stack):
    api = Api(stack, database_connections=3, database_queue=4, statement_timeout="1s")
    insert(stack.database, [reading(f"d{i}", temperature=1) for i in range(20)])
    lock = stack.database.connect()
    with lock.cursor() as cursor:
        cursor.execute("LOCK TABLE devices IN ACCESS EXCLUSIVE MODE")
    clients = [Raw(api.port) for _ in range(12)]
    for i, client in enumerate(clients):
        client.send(f"GET /devices/d{i} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        if i < 7:
            until(lambda: api.metric("database_connections_busy") + api.metric("database_waiting") == i + 1)
    refused = [client.answer() for client in clients[7:]]
    assert {a.status for a in refused} == {503} and all("retry-after" in a.headers for a in refused)
    assert "too many" in refused[0].json()["detail"]
    late = clients[0].answer()
    assert late.status == 503 and "in time" in late.json()["detail"] and "retry-after" in late.headers
    lock.rollback()
    lock.close()
    assert {client.answer().status for client in clients[1:7]} <= {200, 503}
    until(lambda: api.get("/devices/d1").status == 200)
    for client in clients:
        client.close()


def test_the_database_is_only_ever_read(stack):
    api = Api(stack)
    for path in ("/dashboard", "/devices", "/devices/d", "/devices/d/readings", "/histogram"):
        api.get(path)
    rows = stack.database.rows(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'highwater-httpapi' AND datname = current_database()"
    )
    assert rows == [(4,)]  # the pool's three, and the one that asks which collectors there are
    # asked from inside, by a function that the view's reader would call: writing is refused
    stack.database.rows("CREATE FUNCTION spy() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT current_setting('transaction_read_only') $$")
    assert stack.database.value("SELECT spy()") == "off"
    stack.database.rows("ALTER TABLE devices RENAME TO kept")
    stack.database.rows(
        "CREATE VIEW devices AS SELECT 1 AS id, spy() AS device_id, now() AS first_seen_at"
    )
    assert [d["deviceId"] for d in api.json("/devices")["devices"]] == ["on"]


# --- The end -------------------------------------------------------------------------------------


def test_sigterm_finishes_answers_ends_streams_and_exits_with_0(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    stream = Stream(api.port)
    idle = Raw(api.port)
    assert idle.get("/healthz").status == 200
    half = Raw(api.port)
    half.send(b"GET /dashboard HTTP/1.1\r\nHo")
    lock = stack.database.connect()
    with lock.cursor() as cursor:
        cursor.execute("LOCK TABLE devices IN ACCESS EXCLUSIVE MODE")
    waiting = Raw(api.port)
    waiting.send(b"GET /devices/d/histogram HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: api.metric("database_connections_busy") == 2)  # the stream's is one
    api.program.signal(signal.SIGTERM)
    until(lambda: stream.is_over, 3)
    assert stream.ended_well
    assert idle.closes() and half.closes()
    with pytest.raises(OSError):
        stack.get("/healthz")
    lock.rollback()
    lock.close()
    assert waiting.answer().status == 200
    assert waiting.closes()
    assert api.program.wait(5) == 0, api.program.tail()
    assert "stopped" in api.program.tail(3)


@pytest.mark.faults
def test_sigterm_does_not_wait_for_ever(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    lock = stack.database.connect()
    with lock.cursor() as cursor:
        cursor.execute("LOCK TABLE devices IN ACCESS EXCLUSIVE MODE")
    waiting = Raw(api.port)
    waiting.send(b"GET /devices/d/histogram HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: api.metric("database_connections_busy") == 1)
    api.program.signal(signal.SIGTERM)
    assert api.program.wait() == 0, api.program.tail()  # while the lock is held
    lock.rollback()
    lock.close()
    waiting.close()


def test_sigterm_while_nothing_is_reachable(stack, postgres):
    stack.broker.stop()
    postgres.stop("immediate")
    program = stack.start_httpapi()
    assert program.terminate(10) == 0


def test_a_wrong_setting_ends_it_with_one_line(stack):
    for setting, value, said in [
        ("http_listen", "nonsense", "host:port"),
        ("http_listen", "127.0.0.1:99999", "host:port"),
        ("http_hosts", "http://board.example", "names of hosts"),
        ("http_listen", "192.0.2.1:5000", "cannot listen"),
        ("num_top_devices", "0", "1 to 1000"),
        ("features", "UPPER", "FEATURES"),
        ("intervals", "x", "INTERVALS"),
        ("mqtt_url", "http://x", "mqtt://"),
        ("database_url", "nonsense", "DATABASE_URL"),
        ("max_connections", "none", "whole number"),
        ("statement_timeout", "soon", "duration"),
        ("cors_origin", "a, b", "origin"),
    ]:
        program = stack.program("httpapi", **{"http_listen": "127.0.0.1:0", setting: value})
        program.start()
        assert program.wait(10) in (1, 2)
        lines = [line for line in program.output().splitlines() if "httpapi info" not in line]
        assert len(lines) == 1 and said in lines[0], lines


def test_a_port_that_is_taken_is_said(stack):
    stack.start_httpapi()
    second = stack.program("httpapi", log_name="second", http_listen=f"127.0.0.1:{stack.http_port}")
    second.start()
    assert second.wait(10) == 1
    assert "Address already in use" in second.tail()


def test_clients_that_leave_at_any_moment_do_no_harm(stack, rng):
    api = Api(stack)
    insert(stack.database, [reading("d", now_us() - i, temperature=i) for i in range(5000)])
    paths = ["/dashboard", "/devices/d", "/devices/d/readings?format=csv", "/events", "/devices/d/readings?points=9"]

    def come_and_go(seed):
        for i in range(60):
            with Raw(api.port) as raw:
                raw.send(f"GET {paths[(seed + i) % len(paths)]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                raw.socket.settimeout(rng.random() / 50 + 0.0001)
                try:
                    raw.socket.recv(rng.randrange(1, 4000))
                except OSError:
                    pass

    threads = [threading.Thread(target=come_and_go, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert api.get("/devices/d").status == 200
    until(lambda: api.metric("csv_streams") == 0 and api.metric("event_streams") == 0, 10)
    until(lambda: api.metric("connections") == 1, 10)
    assert api.program.terminate() == 0, api.program.tail()
