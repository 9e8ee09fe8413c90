"""Each answer is the board of its own as-of: boards polled, and what SQL answers, while readings come and expire."""

from __future__ import annotations

import json
import re
import threading
import time

import pytest
from http_tools import Raw, Stream, insert, migrate
from oracle import now_us, reading, to_text, to_us
from servers import paused, until

LENGTH_US = 2_000_000
AGAIN_S = 30  # within which boards answer again; what it takes is far less


class Polled:
    """Everything that /dashboard and /events said of a board whose interval is two seconds."""

    TARGET = "/dashboard?features=temperature&interval=brief"

    def __init__(self, stack) -> None:
        self.stack = stack
        self.answers = []  # (source, as of, [(device, value)])
        self.stream = Stream(stack.http_port, "/events?features=temperature&interval=brief")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            status, headers, body = self.stack.get(self.TARGET)
            if status == 200:
                self._note(headers["X-Data-Source"], headers["X-Data-As-Of"], json.loads(body)["temperature"])

    def _note(self, source, as_of, entries) -> None:
        self.answers.append((source, to_us(as_of), [(e["deviceId"], e["temperature"]) for e in entries]))

    def end(self) -> None:
        self._ended.set()
        self._thread.join(20)
        for event in self.stream.of("board"):
            self._note(event["data"]["source"], event["data"]["asOf"], event["data"]["readings"])
        self.stream.close()

    def shown(self) -> set[int]:
        """How many entries boards were seen with."""
        return {len(entries) for source, _, entries in self.answers if source == "boards"}

    def assert_right(self, rows) -> None:
        """rows: (device, value, recorded, received) of everything that was ever stored."""
        for source, as_of_us, entries in self.answers:
            best = {}
            for device, value, recorded_us, received_us in rows:
                if received_us <= as_of_us and recorded_us > as_of_us - LENGTH_US:
                    best[device] = max(value, best.get(device, value))
            expected = sorted(best.items(), key=lambda item: -item[1])
            assert entries == expected, f"{source} as of {to_text(as_of_us)}: {entries}, must be {expected}"


def stored_rows(stack):
    return stack.database.rows(
        "SELECT d.device_id, r.temperature, (extract(epoch FROM r.recorded_at) * 1000000)::bigint,"
        " (extract(epoch FROM r.received_at) * 1000000)::bigint FROM readings r JOIN devices d ON d.id = r.device"
    )


def begin_polling(stack, **settings):
    collector = stack.start_collector(intervals="brief=2s,all_time", **settings)
    stack.start_httpapi(intervals="brief=2s,all_time")
    until(lambda: stack.get(Polled.TARGET)[1].get("X-Data-Source") == "boards", AGAIN_S)
    return collector, Polled(stack)


def publish_two(stack, value: float) -> None:
    """Of two devices, the better one recorded a second ago: it goes first."""
    publisher = stack.publisher()
    at = now_us()
    publisher.send(reading("old", at - 1_000_000, temperature=value + 1))
    publisher.send(reading("new", at, temperature=value))
    publisher.wait()


def test_each_board_is_the_board_of_its_own_moment(stack):
    _, polled = begin_polling(stack)
    rounds = 0
    while rounds < 3 or polled.shown() != {0, 1, 2}:  # a machine that stands still shows less at a time
        assert rounds < 20, polled.shown()
        publish_two(stack, 10.0 * rounds)
        rounds += 1
        until(lambda: polled.answers[-1][2] != [], 10, "they are on the board")
        until(lambda: polled.answers[-1][2] == [], 10, "both have expired")
    rows = stored_rows(stack)
    polled.end()
    polled.assert_right(rows)


def test_nothing_expires_past_an_as_of_that_stands(stack, postgres):
    """PostgreSQL goes away while two readings are on the board: there they stay, as of then."""
    _, polled = begin_polling(stack)
    publish_two(stack, 1.0)
    until(lambda: stack.database.count() == 2)
    rows = stored_rows(stack)
    until(lambda: 2 in polled.shown())
    postgres.stop("immediate")
    stack.publish(reading("unseen", temperature=99))  # received, and not stored: on no board
    asked = len(polled.answers)
    stopped_us = now_us()
    until(lambda: now_us() > stopped_us + 2 * LENGTH_US and len(polled.answers) > asked + 20, 30)
    polled.end()
    assert polled.answers[asked:], "nobody answered"
    polled.assert_right(rows)
    postgres.start()


def test_what_sql_answers_is_of_the_moment_it_names(stack, database):
    """The question waits for a connection, and meanwhile a reading comes: it is later than the as-of."""
    migrate(stack)
    insert(database, [reading("before", temperature=1)])
    stack.start_httpapi(database_connections=1)

    def pool(state: str) -> str:
        return re.search(rf"highwater_httpapi_database_{state} (\d+)", stack.get("/metrics")[2].decode())[1]

    until(lambda: pool("connections_up") == "1")
    lock = database.connect()
    lock.cursor().execute("LOCK TABLE device_sequences IN ACCESS EXCLUSIVE MODE")
    with Raw(stack.http_port) as first, Raw(stack.http_port) as second:
        first.send(b"GET /devices HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: pool("connections_busy") == "1")
        second.send(b"GET /dashboard?features=temperature HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: pool("waiting") == "1")
        insert(database, [reading("after", temperature=2)])
        lock.close()
        assert first.answer().status == 200
        answer = second.answer()
    assert [e["deviceId"] for e in answer.json()["temperature"]] == ["before"]
    received = database.value("SELECT max(received_at) FROM readings")
    assert to_us(answer.headers["x-data-as-of"]) < to_us(received)


@pytest.mark.faults
def test_a_collector_that_is_late_makes_the_boards_of_the_moments_that_were(stack):
    collector, polled = begin_polling(stack)
    for round_, pause_s in enumerate([0.4, 1.1, 2.2, 4.5]):
        publish_two(stack, 10.0 * round_)
        until(lambda: polled.answers[-1][2] != [], 10)
        with paused(collector.pid):
            time.sleep(pause_s)  # the length of the fault
        until(lambda: polled.answers[-1][2] == [], 10, "both have expired")
    rows = stored_rows(stack)
    polled.end()
    polled.assert_right(rows)
