"""Devices, histograms, pages of history and plots from httpapi, against a real database."""

from __future__ import annotations

import csv
import io
import json
import math
from urllib.parse import quote

import pytest
from http_tools import Api, entry, insert, some_readings
from oracle import now_us, reading, to_text, to_us

MINUTE = 60_000_000


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
        found = api.json(f"/distribution?feature=temperature&bins={bins}")
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
    assert api.get("/devices/b/distribution?feature=pressure").status == 404
    nothing = {"feature": "temperature", "count": 0, "edges": [], "counts": [], "quantiles": []}
    one = {"feature": "pressure", "count": 1, "edges": [1.5, 1.5], "counts": [1], "quantiles": []}
    for query, expected in (("feature=temperature", nothing), ("feature=pressure&bins=9", one)):
        assert api.json(f"/devices/a/distribution?{query}") == api.json(f"/distribution?{query}") == expected
        old = api.get(f"/devices/a/histogram?{query}")
        assert old.json() == {"a": expected} and old.headers["deprecation"] == "@1795737600"
    asked = "/distribution?feature=pressure&quantiles=1,0.5"
    assert api.json(asked)["quantiles"] == [{"quantile": q, "value": 1.5, "error": 0} for q in (0.5, 1)]
    assert api.json(asked.replace("pressure", "temperature"))["quantiles"] == []
    assert "deprecation" not in api.get("/devices/a/histogram").headers
    long_ago = "from=1999-01-01T00:00:00Z&to=1999-01-02T00:00:00Z"
    assert sum(api.json(f"/devices/a/histogram?{long_ago}")["a"].values()) == 0
    assert api.json(f"/distribution?{long_ago}&feature=pressure")["count"] == 0


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
    assert api.json("/devices?q=nothing") == {"devices": [], "total": 0, "next": None}


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
        plot = api.json(f"/devices/d/points?points={points}")
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
    zoomed = api.json(f"/devices/d/points?points=10&from={to_text(start)}&to={to_text(end)}")
    assert sum(p["count"] for p in zoomed["points"]) == 1000
    assert (to_us(zoomed["from"]), to_us(zoomed["to"])) == (start, end)
    assert api.json("/devices/d/points?points=10&to=1990-01-01T00:00:00Z")["points"] == []
    assert api.get("/devices/e/points?points=10").status == 404


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
            plot = api.json(f"/devices/d/points?{query}")
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
    for limit in (1, 2999, 3000, 3001, 6000, 7001, 99999):
        body = api.get(f"{path}?format=csv&limit={limit}").body.decode()
        assert body.count("\r\n") == 1 + min(limit, 7001)
    assert api.get("/devices/nobody/readings?format=csv").status == 404
    assert api.get(f"{path}?format=json", {"Accept": "text/csv"}).headers["content-type"] == "application/json"
    assert api.metric("csv_streams") == 0
