"""What /health says of each broken state, and what the status events say with it: true, and with the as-of that is shown."""

from __future__ import annotations

import json
import os
import signal

import pytest
from http_tools import Api, Stream, migrate
from oracle import now_us, reading, to_us
from servers import children, until

QUICK = {"intervals": "past_minute=60s,all_time"}


def health(stack):
    return stack.get_json("/health")


def until_health(stack, code, timeout=20.0):
    """The verdict, once its worst is this one; None = all is well."""

    def is_there():
        verdict = health(stack)
        worst = verdict["worst"]
        return verdict if (worst and worst["code"]) == code else None

    return until(is_there, timeout, f"/health says {code}")


def told(verdict):
    """Its sentences, in which no host and no role is."""
    worst = verdict["worst"]
    assert "127.0.0.1" not in json.dumps(verdict) and "highwater\"" not in json.dumps(verdict)
    return " ".join((worst["title"], worst["meaning"], worst["action"]))


@pytest.fixture
def running(stack):
    """All of it, and one reading on the boards."""
    collector = stack.start_collector(**QUICK)
    stack.start_httpapi(**QUICK)
    until_health(stack, None)  # what is published before its first start, a collector misses
    stack.publish(reading("first", temperature=1))
    until(lambda: shown(stack)[2] == ["first"], 20)
    return collector


def shown(stack):
    _, headers, body = stack.get("/dashboard?features=temperature&interval=all_time")
    return headers["X-Data-Source"], to_us(headers["X-Data-As-Of"]), [e["deviceId"] for e in json.loads(body)["temperature"]]


def last_status(stream):
    return stream.of("status")[-1]["data"]


def test_well_is_said_in_full_and_in_each_event(stack, running):
    assert health(stack) == {"level": "ok", "worst": None, "others": []}
    stream = Stream(stack.http_port)
    status = until(lambda: stream.of("status"))[-1]["data"]
    assert status["health"] == health(stack)
    assert abs(to_us(status["at"]) - now_us()) < 5_000_000
    stream.close()


def test_a_collector_that_is_stopped_then_killed(stack, running):
    before_us = now_us()
    running.terminate()
    verdict = until_health(stack, "collector_stopped")
    assert verdict["level"] == "broken" and verdict["others"] == []
    assert before_us <= to_us(verdict["worst"]["since"]) <= now_us()
    assert "was stopped" in told(verdict) and "wait at the broker" in told(verdict) and "from the database" in told(verdict)
    assert shown(stack)[0] == "database"  # as it says
    stack.publish(reading("waits", temperature=2))
    collector = stack.start_collector(**QUICK)
    until_health(stack, None)
    until(lambda: shown(stack)[2] == ["waits", "first"], 20)  # as it said
    before_us = now_us()
    collector.kill9()
    verdict = until_health(stack, "collector_lost")
    assert "unexpectedly" in told(verdict) and "was stopped" not in told(verdict)
    assert before_us <= to_us(verdict["worst"]["since"]) <= now_us()


def test_a_collector_that_hangs(stack, running):
    with running.paused():
        verdict = until_health(stack, "collector_silent")
        assert "is silent" in told(verdict) and "hangs" in told(verdict)
    until_health(stack, None)


def test_a_broker_that_is_away(stack, running):
    before_us = now_us()
    stack.broker.kill9()
    verdict = until_health(stack, "broker_away")
    assert before_us - 1_000_000 <= to_us(verdict["worst"]["since"]) <= now_us()
    until(lambda: "cannot deliver" in told(health(stack)), 15)  # the last batch may still have come
    until(lambda: shown(stack)[0] == "database" and "from the database" in told(health(stack)))
    verdict = health(stack)
    assert "collector" not in told(verdict) and verdict["others"] == []  # of them nothing is known
    stack.broker.start()
    until_health(stack, None, 40)


def test_a_store_that_stands_before_a_lock(stack, running):
    lock = stack.database.connect()
    lock.cursor().execute("LOCK TABLE readings IN ACCESS EXCLUSIVE MODE")
    stack.publish(reading("held", temperature=2))
    verdict = until_health(stack, "store_stands", 30)
    assert "not committed" in told(verdict) and "lock" in told(verdict)
    assert to_us(verdict["worst"]["since"]) <= now_us() - 2_000_000
    lock.rollback()
    lock.close()
    until_health(stack, None, 30)


def test_a_question_that_is_held_up_is_no_right_that_lacks(stack, running):
    lock = stack.database.connect()
    lock.cursor().execute("LOCK TABLE collectors IN ACCESS EXCLUSIVE MODE")
    verdict = until_health(stack, "database_silent", 30)
    assert "does not answer" in told(verdict) and "rights" not in told(verdict)
    lock.rollback()
    lock.close()
    until_health(stack, None, 30)


def test_without_a_collector_and_after_one_of_another_database(stack):
    migrate(stack)
    stack.start_httpapi(**QUICK)
    verdict = until_health(stack, "no_collector")
    assert "none was ever heard of" in told(verdict)


@pytest.mark.empty
def test_tables_that_are_not_there_yet(stack):
    stack.start_httpapi(**QUICK)
    verdict = until_health(stack, "database_unfit")
    assert "--migrate" in told(verdict)


def frozen_database(postgres):
    """All of its processes; the postmaster last, so that it starts no other."""
    pids = [postgres.program.pid, *children(postgres.program.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return pids


def assert_stands_still(stack, stream, code):
    """A reading is published, and nothing that is told then is as of a later moment."""
    verdict = until_health(stack, code)
    asked = len(stream.of("status"))
    published_us = now_us()
    stack.publish(reading("unseen", temperature=99))
    until(lambda: len(stream.of("status")) >= asked + 5, 30)
    answers = [(e["data"]["source"], to_us(e["data"]["asOf"])) for e in stream.of("status")[asked:]]
    answers += [shown(stack)[:2] for _ in range(2)]
    assert {source for source, _ in answers} <= {"none", "boards"}
    assert all(as_of_us < published_us for _, as_of_us in answers), (published_us, answers)
    assert len({as_of_us for source, as_of_us in answers if source == "none"}) <= 1
    assert to_us(last_status(stream)["at"]) > published_us + 3_000_000  # the clock goes on
    return verdict


def test_as_of_stands_still_while_the_database_is_away(stack, running, postgres):
    stream = Stream(stack.http_port)
    postgres.stop("immediate")
    verdict = assert_stands_still(stack, stream, "database_away")
    assert "stand still" in told(verdict) and verdict["worst"]["since"]
    until(lambda: "wait at the broker" in told(health(stack)), 20)
    postgres.start()
    until_health(stack, None, 60)
    until(lambda: shown(stack)[2] == ["unseen", "first"], 20)
    stream.close()


@pytest.mark.faults
def test_as_of_stands_still_while_the_database_says_nothing(stack, running, postgres):
    stream = Stream(stack.http_port)
    pids = frozen_database(postgres)
    try:
        verdict = assert_stands_still(stack, stream, "database_silent")
        assert "does not answer" in told(verdict)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    until_health(stack, None, 60)
    stream.close()


def test_before_there_was_anything_the_as_of_is_none(stack, postgres):
    postgres.stop("immediate")
    stack.start_httpapi(**QUICK)
    stream = Stream(stack.http_port)
    status = until(lambda: stream.of("status"))[-1]["data"]
    assert status["source"] == "none" and status["asOf"] is None
    assert status["health"]["worst"]["code"] == "database_away" and status["health"]["worst"]["since"] is None
    assert "nothing to show" in told(status["health"])
    stream.close()
    postgres.start()


def test_a_stranger_learns_the_level_alone(stack, tmp_path):
    file = tmp_path / "tokens"
    file.write_text("read of-this-test-alone\n")
    file.chmod(0o600)
    stack.start_httpapi(token_file=str(file))
    assert set(health(stack)) == {"level"}
    status, _, body = stack.get("/health", headers={"Authorization": "Bearer of-this-test-alone"})
    assert status == 200 and set(json.loads(body)) == {"level", "worst", "others"}


def test_health_keeps_to_the_contract(stack, running):
    api = Api(stack)
    running.kill9()
    until(lambda: api.json("/health")["level"] == "broken", 20)
