"""The whole path, from a published reading to /dashboard; with the faults of the sample it succeeds."""

from __future__ import annotations

import json
import time

import pytest
from oracle import FEATURES, board_by_sql, board_of_json, now_us, reading, to_us
from servers import until

INTERVALS = ("past_minute", "past_hour", "all_time")


def start(stack, **settings):
    """Collector and httpapi, until the boards come from the collector."""
    stack.start_collector(**settings)
    stack.start_httpapi(**settings)
    until(lambda: stack.get("/dashboard")[1].get("X-Data-Source") == "boards", 20, "boards are live")


def board(stack, feature="temperature", interval="past_minute", **more):
    query = "&".join([f"features={feature}", f"interval={interval}", *(f"{k}={v}" for k, v in more.items())])
    return stack.get_json(f"/dashboard?{query}")[feature]


def test_five_devices_make_five_entries_however_many_readings_each_sent(stack, rng):
    start(stack)
    at = now_us()
    sent = [
        reading(f"device_{i % 5}", at + i, "ON", temperature=rng.randrange(200), pressure=rng.randrange(25))
        for i in range(500)
    ]
    stack.publish(*sent)
    until(lambda: stack.database.count() == 500)
    for feature in FEATURES:
        best = board_by_sql(stack.database, feature, "all_time", now_us())
        assert sorted(r.device_id for r in best) == [f"device_{i}" for i in range(5)]
        until(lambda feature=feature, best=best: board_of_json(board(stack, feature)) == best)


def test_thirty_devices_make_the_ten_highest_in_order(stack, rng):
    start(stack)
    at = now_us()
    highest = list(range(30))
    rng.shuffle(highest)
    stack.publish(*[reading(f"device_{i}", at + i, "OFF", temperature=float(v)) for i, v in enumerate(highest)])

    def ten_highest():
        return [entry["temperature"] for entry in board(stack)] == [29.0 - i for i in range(10)]

    until(ten_highest)
    assert [entry["temperature"] for entry in board(stack, limit=3)] == [29, 28, 27]


def test_a_better_value_of_a_device_that_is_on_the_board_replaces_its_old_one(stack):
    start(stack)
    at = now_us()
    stack.publish(reading("a", at, temperature=5.0), reading("b", at, temperature=7.0))
    until(lambda: [e["deviceId"] for e in board(stack)] == ["b", "a"])
    stack.publish(reading("a", at + 1, temperature=9.0))
    until(lambda: [(e["deviceId"], e["temperature"]) for e in board(stack)] == [("a", 9), ("b", 7)])
    stack.publish(reading("a", at + 2, temperature=1.0))
    until(lambda: stack.database.count() == 4)
    assert [(e["deviceId"], e["temperature"]) for e in board(stack)] == [("a", 9), ("b", 7)]


def test_a_board_ages_with_no_new_message(stack):
    start(stack, intervals="past_minute=2s,all_time")
    stack.publish(reading("a", now_us(), temperature=5.0))
    until(lambda: [e["deviceId"] for e in board(stack)] == ["a"])
    until(lambda: board(stack) == [], 5)
    assert [e["deviceId"] for e in board(stack, interval="all_time")] == ["a"]


def test_two_readings_of_one_device_in_one_millisecond_are_two_readings(stack):
    start(stack)
    at = now_us()
    stack.publish(reading("a", at, temperature=5.0), reading("a", at, temperature=6.0))
    until(lambda: stack.database.count() == 2)
    until(lambda: [e["temperature"] for e in board(stack)] == [6])


def test_without_a_collector_sql_answers_and_says_so(stack):
    stack.start_collector()
    stack.start_httpapi()
    until(lambda: stack.get("/dashboard")[1].get("X-Data-Source") == "boards", 20)
    at = now_us()
    stack.publish(*[reading(f"device_{i}", at, temperature=float(i)) for i in range(12)])
    live = until(lambda: len(b := board(stack)) == 10 and b)
    for program in stack._programs:
        if program.name == "collector":
            program.kill9()
    until(lambda: stack.get("/dashboard")[1].get("X-Data-Source") == "database", 10)
    assert board(stack) == live


def test_a_status_histogram_counts_every_reading(stack):
    start(stack)
    at = now_us()
    statuses = ["ON"] * 3 + ["OFF"] * 2 + ["ACTIVE"]
    stack.publish(*[reading("device 1", at + i, s, temperature=1.0) for i, s in enumerate(statuses)])
    until(lambda: stack.database.count() == 6)
    counted = stack.get_json("/devices/device%201/histogram")
    assert {k: v for k, v in counted["device 1"].items() if v} == {"ON": 3, "OFF": 2, "ACTIVE": 1}


@pytest.mark.parametrize("instants", [8, pytest.param(50, marks=pytest.mark.faults)])
def test_live_boards_equal_sql_at_random_instants(stack, rng, instants):
    """Pause the fleet, let it settle, compare everything at the board's own moment; again and again."""
    lengths = {"past_minute": 3, "past_hour": 3600, "all_time": None}  # the first changes while it looks
    start(stack, lowest=1, intervals="past_minute=3s,past_hour=1h,all_time")
    listener = stack.listen("collectors/+/status")
    for _ in range(instants):
        simulator = stack.start_devicesim(
            "--num-devices", "40", "--rate", "800", "--late", "0.05", "--out-of-order", "0.05", "--repeated", "0.05"
        )
        until(lambda started=time.monotonic(): time.monotonic() - started > rng.uniform(0.3, 0.9))
        assert simulator.terminate() == 0

        until(lambda: is_settled(stack, listener), 10, "everything is stored")
        for interval in INTERVALS:
            for feature in FEATURES:
                status, headers, body = stack.get(f"/dashboard?features={feature}&interval={interval}")
                assert status == 200 and headers["X-Data-Source"] == "boards"
                got = board_of_json(json.loads(body)[feature])
                as_of = to_us(headers["X-Data-As-Of"])
                right = board_by_sql(stack.database, feature, interval, as_of, seconds=lengths)
                assert got == right, (interval, feature)


def is_settled(stack, listener):
    """Everything that was received is in the table, and nothing more is under way."""
    latest = listener.latest("collectors/collector/status")
    status = latest and latest.json()
    return status and status["inFlight"] == 0 and status["received"] == stack.database.count() + status["duplicates"]
