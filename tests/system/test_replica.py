"""httpapi reads from a standby: no answer claims a moment that the standby has not replayed."""

from __future__ import annotations

import contextlib
import json
import threading

import pytest
from http_tools import Stream
from oracle import Database, board_by_sql, board_of_json, now_us, reading, to_us
from servers import until
from test_collector import live_collector

BOARD = "/dashboard?interval=past_hour&features=temperature&limit=3"


@pytest.fixture
def replica(database, postgres, area, logs, request):
    """A standby of the test's server, which replays what is committed half a second later."""
    settings = {"recovery_min_apply_delay": "500ms", "max_standby_streaming_delay": "0"}
    server = postgres.standby(area / f"replica-{database.name}", logs / "replica.log", settings)
    server.start()
    yield server
    server.stop("immediate")


def asked(stack, path=BOARD):
    """(as-of, answer)"""
    status, headers, body = stack.get(path)
    assert status == 200, body
    assert headers["X-Data-Source"] == "database"
    return to_us(headers["X-Data-As-Of"].replace("Z", "+00:00")), json.loads(body)


def held(distribution):
    return distribution["count"]


def store(stack, *readings):
    """Publishes, and returns a moment by which all was committed."""
    before = stack.database.count()
    stack.publish(*readings)
    until(lambda: stack.database.count() == before + len(readings), 10, "it is stored")
    return now_us()


def test_no_answer_claims_more_than_was_replayed(stack, database, replica):
    """What was committed by the as-of is in the answer, on a standby that is always late."""
    live_collector(stack)
    stack.start_httpapi(database_url=replica.url(database.name))
    until(lambda: stack.get(BOARD)[0] == 200, 30, "it answers")
    committed = []
    for value in range(1, 25):
        committed.append((store(stack, reading("d", temperature=value)), value))
        as_of_us, answer = asked(stack)
        due = max((value for at_us, value in committed if at_us <= as_of_us), default=0)
        shown = answer["temperature"][0]["temperature"] if answer["temperature"] else 0
        assert shown >= due, (as_of_us, committed)
        assert as_of_us < now_us() - 300_000, "it is half a second late, and says so"


def test_answers_of_a_standby_that_stands_still_are_of_its_last_moment(stack, database, replica):
    live_collector(stack)
    stack.start_httpapi(database_url=replica.url(database.name))
    stored_us = store(stack, reading("d1", temperature=1))
    until(lambda: stack.get(BOARD)[0] == 200 and asked(stack)[0] > stored_us, 30, "it has replayed that")
    until(lambda: stack.get("/readyz")[0] == 200, 10, "a standby is enough to be ready")
    replica.sql("SELECT pg_wal_replay_pause()")
    until(lambda: replica.sql("SELECT pg_get_wal_replay_pause_state()") == "paused", 10)
    paused_us = now_us()
    store(stack, reading("d2", temperature=2))
    for path in (BOARD, BOARD + "&order=asc", "/devices/d1/histogram", "/devices", "/devices/d1/points?points=3"):
        as_of_us, answer = asked(stack, path)
        assert stored_us < as_of_us < paused_us, path
    as_of_us, answer = asked(stack)
    assert board_of_json(answer["temperature"]) == board_by_sql(database, "temperature", "past_hour", as_of_us)
    assert [entry["deviceId"] for entry in answer["temperature"]] == ["d1"]
    stream = Stream(stack.http_port, "/events?features=temperature&interval=past_hour")
    until(lambda: {event["event"] for event in stream.events} == {"board", "status"}, 10, "both kinds have come")
    stream.close()
    assert all(to_us(event["data"]["asOf"].replace("Z", "+00:00")) < paused_us for event in stream.events)
    assert all("standby" in event["data"]["reason"] for event in stream.events if event["event"] == "status")
    behind = stack.metrics(stack.http_port)["highwater_httpapi_database_behind_seconds"]
    assert 0 < behind < 600
    replica.sql("SELECT pg_wal_replay_resume()")
    until(lambda: len(asked(stack)[1]["temperature"]) == 2, 30, "it goes on")


def test_an_idle_standby_keeps_up_also_after_a_restart(stack, database, replica):
    """It knows of no transaction that it has replayed then: the heartbeat tells."""
    live_collector(stack)
    stack.start_httpapi(database_url=replica.url(database.name))
    store(stack, reading("d1", temperature=1))
    for restarts in (False, True):
        if restarts:
            replica.restart()
        moment_us = now_us()
        until(lambda: stack.get(BOARD)[0] == 200 and asked(stack)[0] > moment_us, 30, "time goes on")
    seen = set()  # more than jobs of storage write now and then
    until(lambda: seen.add(asked(stack)[0]) or len(seen) > 6, 30, "and on, second by second")


def test_what_a_standby_cancels_is_asked_again(stack, database, replica):
    live_collector(stack)
    stack.start_httpapi(database_url=replica.url(database.name))
    at_us = store(stack, reading("d1", temperature=1))
    database.rows(
        "INSERT INTO readings (device, recorded_at, content_hash, received_at, status, temperature)"
        " SELECT 1, now() - n * interval '1 ms', n, now(), 1, n FROM generate_series(1, 400000) n"
    )
    path = "/devices/d1/distribution?feature=temperature"
    until(lambda: stack.get(path)[0] == 200 and held(asked(stack, path)[1]) > 400_000, 60, "all of it is replayed")
    there = Database(replica.url(database.name), replica.url(database.name, "postgres"), database.name)
    running = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'highwater-httpapi' AND state = 'active'"
        " AND query ~ 'histogram'"
    )
    answers = []
    cancelled = "highwater_httpapi_database_queries_cancelled_total"

    def ask():
        with contextlib.suppress(AssertionError):  # cancelled when it was asked again, too
            answers.append(asked(stack, path))

    def lock_while_asked():
        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: there.value(running) or not thread.is_alive(), 10, pause=0.001)
        database.rows("LOCK TABLE readings IN ACCESS EXCLUSIVE MODE")
        thread.join()
        return answers and stack.metrics(stack.http_port)[cancelled] > 0

    until(lock_while_asked, 60, "the standby has cancelled a query")
    assert all(held(answer) > 400_000 and as_of_us > at_us for as_of_us, answer in answers)
