"""Boards from httpapi, out of SQL and out of what collectors publish, against a real database and broker."""

from __future__ import annotations

import math

import pytest
from http_tools import Api, entry, insert, some_readings
from oracle import FEATURES, board_by_sql, board_of_json, now_us, reading, to_text, to_us
from servers import until

MINUTE = 60_000_000


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
