"""Values that fall all the time need memory: boards that lack it say so, and are asked of the database."""

from __future__ import annotations

import json

import pytest
from oracle import board_by_sql, board_of_json, now_us, reading, to_us
from servers import until
from storage import migrated
from test_dashboard import start

READINGS = 6000


def falling(from_us: int, step_us: int) -> list:
    """As many readings of one device, each of them worse than the one before."""
    moments = range(from_us, from_us + READINGS * step_us, step_us)
    return [reading("tank", at, temperature=float(READINGS - i), pressure=1.0) for i, at in enumerate(moments)]


def publish_all(stack, *readings) -> int:
    """Until what is answered is of after their arrival; returns from when on that is so."""
    stack.publish(*readings)
    until(lambda: stack.database.count() == len(readings))
    stored_us = now_us()
    until(lambda: to_us(stack.get("/dashboard?interval=all_time")[1]["X-Data-As-Of"]) > stored_us)
    return stored_us


def asked(stack, feature: str, interval: str) -> str:
    """Where the answer came from; it is what SQL says for its own moment."""
    _, headers, body = stack.get(f"/dashboard?features={feature}&interval={interval}")
    expected = board_by_sql(stack.database, feature, interval, to_us(headers["X-Data-As-Of"]))
    assert board_of_json(json.loads(body)[feature]) == expected, f"{interval}, from {headers['X-Data-Source']}"
    return headers["X-Data-Source"]


def said_exact(stack, rng, listener, since_us: int, judged: int = 30) -> list[bool]:
    """Of each board that came, whether it says that it is exact; some of those that do are held against SQL."""
    boards = [json.loads(received.payload) for received in listener.received]
    exact = [b for b in boards if b.get("exact", True) and to_us(b["asOf"]) > since_us]
    for board in rng.sample(exact, min(judged, len(exact))):
        expected = board_by_sql(stack.database, board["feature"], board["interval"], to_us(board["asOf"]))
        assert board_of_json(board["readings"]) == expected, f"{board['interval']} as of {board['asOf']}"
    return [board.get("exact", True) for board in boards]


def test_a_board_that_lacks_memory_comes_from_the_database_until_it_is_exact_again(stack, rng):
    start(stack, windows_memory="64k")
    listener = stack.listen("collectors/+/boards/temperature/past_minute")
    # all of them leave the past minute within about twenty seconds, the first not before the questions
    other = reading("other", now_us(), temperature=1.5)
    stored_us = publish_all(stack, other, *falling(now_us() - 45_000_000, step_us=1000))
    assert stack.metrics()["highwater_boards_inexact"] > 0
    assert asked(stack, "temperature", "past_minute") == "database"
    assert asked(stack, "temperature", "past_hour") == "database"
    assert asked(stack, "temperature", "all_time") == "boards"
    for interval in ("past_minute", "past_hour", "all_time"):
        assert asked(stack, "pressure", interval) == "boards"
    until(lambda: asked(stack, "temperature", "past_minute") == "boards", 60, "the past minute is exact again")
    assert asked(stack, "temperature", "past_hour") == "database"
    said = said_exact(stack, rng, listener, stored_us)
    assert False in said
    assert said[-1] is True


@pytest.mark.parametrize("order", ["in order", "in reverse", "shuffled"])
def test_falling_readings_are_on_exact_boards_in_any_order_of_arrival(stack, rng, order):
    """There are more of them than fit into one array of steps; and their boards change at every moment."""
    start(stack, windows_memory="1MB")
    listener = stack.listen("collectors/+/boards/temperature/past_minute")
    sent = falling(now_us() - 58_000_000, step_us=500)
    if order == "in reverse":
        sent.reverse()
    elif order == "shuffled":
        rng.shuffle(sent)
    stored_us = publish_all(stack, *sent)
    assert stack.metrics()["highwater_windows_steps"] >= READINGS
    while stack.get_json("/dashboard?features=temperature&interval=past_minute")["temperature"]:
        assert asked(stack, "temperature", "past_minute") == "boards"
    assert all(said_exact(stack, rng, listener, stored_us))
    assert stack.metrics()["highwater_windows_coarsened_total"] == 0


@pytest.mark.faults
def test_a_million_falling_readings_of_an_hour_are_loaded_and_their_boards_exact(stack, rng):
    database = migrated(stack)
    # one each 3.59 ms of the last hour, so that the hour's board changes at every moment
    database.rows("INSERT INTO devices (device_id) VALUES ('tank')")
    database.rows(
        """
        INSERT INTO readings (device, recorded_at, content_hash, received_at, temperature)
        SELECT d.id, now() - interval '3590 s' + i * interval '3.59 ms', i, now(), 1000000 - i
        FROM devices d, generate_series(0, 999999) AS i
        ORDER BY hashint4(i)""",
    )
    loaded_us = now_us()
    start(stack)
    listener = stack.listen("collectors/+/boards/temperature/past_hour")
    for _ in range(5):
        for interval in ("past_minute", "past_hour", "all_time"):
            assert asked(stack, "temperature", interval) == "boards"
    assert stack.metrics()["highwater_windows_steps"] > 900_000
    assert stack.metrics()["highwater_windows_coarsened_total"] == 0
    assert all(said_exact(stack, rng, listener, loaded_us, judged=5))
