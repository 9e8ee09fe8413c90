"""httpapi reads from a standby: no answer claims a moment that the standby has not replayed."""

from __future__ import annotations

import contextlib
import json
import threading

import psycopg2
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


class Standby(Database):
    """Whatever is in the way of its replay is ended, the queries of who looks on included: they are made again."""

    def rows(self, query, parameters=None):
        ended = []

        def answer():
            try:
                return (super(Standby, self).rows(query, parameters),)
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                ended.append(error)
                return None

        return until(answer, 10, f"the standby answers: {query} {ended}", pause=0.001)[0]


@pytest.fixture
def there(database, replica):
    """The replica, for questions of the test's own."""
    url = replica.url(database.name, "postgres")
    return Standby(url, url, database.name)


def asked(stack, path=BOARD):
    """(as-of, answer); again, as the answer says, when the standby has cancelled it as often as it is tried."""
    status, headers, body = until(lambda: _but_for_later(stack.get(path)), 30, "the standby lets it be answered")
    assert status == 200, body
    assert headers["X-Data-Source"] == "database"
    return to_us(headers["X-Data-As-Of"].replace("Z", "+00:00")), json.loads(body)


def _but_for_later(answer):
    return None if answer[0] == 503 and answer[1]["Retry-After"] else answer


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


def test_answers_of_a_standby_that_stands_still_are_of_its_last_moment(stack, database, replica, there):
    live_collector(stack)
    stack.start_httpapi(database_url=replica.url(database.name))
    stored_us = store(stack, reading("d1", temperature=1))
    until(lambda: stack.get(BOARD)[0] == 200 and asked(stack)[0] > stored_us, 30, "it has replayed that")
    until(lambda: stack.get("/readyz")[0] == 200, 10, "a standby is enough to be ready")
    there.rows("SELECT pg_wal_replay_pause()")
    until(lambda: there.value("SELECT pg_get_wal_replay_pause_state()") == "paused", 10)
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
    there.rows("SELECT pg_wal_replay_resume()")
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


def test_what_a_standby_cancels_is_asked_again(stack, database, replica, there):
    """A question waits for a table that is locked; what it holds meanwhile is locked, too, and so it is in the way."""
    live_collector(stack)
    stack.start_httpapi(database_url=replica.url(database.name), statement_timeout="60s")
    at_us = store(stack, reading("d1", temperature=1))
    path = "/devices/d1/distribution?feature=temperature"
    until(lambda: stack.get(path)[0] == 200 and held(asked(stack, path)[1]) == 1, 60, "it is replayed")
    waiting = (
        "SELECT l.relation::regclass::text FROM pg_stat_activity a JOIN pg_locks l USING (pid) JOIN pg_class c"
        " ON c.oid = l.relation WHERE a.application_name = 'highwater-httpapi' AND a.wait_event_type = 'Lock'"
        " AND l.granted AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )

    def cancelled():
        return stack.metrics(stack.http_port)["highwater_httpapi_database_queries_cancelled_total"]

    def cancelled_once(of_a_question, of_the_lock):
        """Whether it was; not when a job of storage holds what is to be locked, and waits for us."""
        before = cancelled()
        of_a_question.execute("LOCK TABLE readings IN ACCESS EXCLUSIVE MODE")
        until(lambda: there.value("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"), 30)
        thread = threading.Thread(target=lambda: answers.append(stack.get(path)))
        thread.start()
        try:
            ((table, *_), *_) = until(lambda: there.rows(waiting), 30, "it waits for the lock")
            of_the_lock.execute(f"SET lock_timeout = '1s'; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            until(lambda: cancelled() > before, 30, "it was cancelled")
            return True
        except psycopg2.errors.LockNotAvailable:
            return False
        finally:
            of_the_lock.connection.rollback()
            of_a_question.connection.rollback()
            thread.join()

    answers = []
    with contextlib.closing(database.connect()) as one, contextlib.closing(database.connect()) as other:
        until(lambda: cancelled_once(one.cursor(), other.cursor()), 60, "a question is cancelled")
    status, headers, body = answers[-1]
    assert status == 200, body
    assert held(json.loads(body)) == 1
    assert to_us(headers["X-Data-As-Of"].replace("Z", "+00:00")) > at_us
