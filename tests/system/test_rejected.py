"""Rejected messages that are sent again: when they count as recorded, and that it ends."""

from __future__ import annotations

import re
import subprocess
from datetime import datetime, timedelta, timezone

from oracle import now_us, to_text
from servers import LOOPBACK, until
from test_collector import live_collector

TOPIC = "devices/d/readings"


def rejected(stack, payload, count=1):
    """Publishes a message of one element so many times, and waits until each is rejected."""
    publisher = stack.publisher()
    before = stack.database.count("rejected_messages")
    for _ in range(count):
        publisher.send_bytes(TOPIC, payload)
    publisher.wait()
    until(lambda: stack.database.count("rejected_messages") == before + count)


def resubmit(stack, *args):
    """Sends them again; what it said."""
    program = stack.program("collector", ["--rejected", "--resubmit", *args], log_name="again")
    program.start()
    assert program.wait(60) == 0, program.tail()
    return program.output()


def moments(stack):
    return [at for at, in stack.database.rows("SELECT received_at FROM rejected_messages ORDER BY id")]


def make_older(stack, by):
    """As if all that is rejected had been so long ago."""
    stack.database.rows("UPDATE rejected_messages SET received_at = received_at - %s", (by,))


def test_a_reading_without_a_time_was_recorded_when_it_came_first(stack):
    collector = live_collector(stack)
    rejected(stack, b'{"humidity":1}')
    rejected(stack, b'{"humidity":2,"timestamp":"2026-11-01T00:00:00Z"}')
    make_older(stack, timedelta(days=1, hours=3))
    came = moments(stack)
    assert collector.terminate() == 0
    live_collector(stack, features="humidity")
    assert "2 sent again\n" in resubmit(stack)
    until(lambda: stack.database.count() == 2)
    assert stack.database.rows("SELECT recorded_at, humidity FROM readings ORDER BY humidity") == [
        (came[0], 1.0),
        (datetime(2026, 11, 1, tzinfo=timezone.utc), 2.0),
    ]
    # it orders what a collector received, so it is true
    assert stack.database.value("SELECT max(now() - received_at) < interval '1 hour' FROM readings")


def test_elements_of_a_message_that_was_rejected_whole_stay_apart(stack):
    live_collector(stack)
    stack.database.rows(
        "INSERT INTO rejected_messages (received_at, topic, payload, reason, detail)"
        " VALUES (now() - interval '1 day', %s, %s, 'retained', '')",
        (TOPIC, b'[{"temperature":1},{"temperature":1},{"temperature":1}]'),
    )
    came = moments(stack)[0]
    resubmit(stack)
    until(lambda: stack.database.count() == 3)
    assert [at - came for at, in stack.database.rows("SELECT recorded_at FROM readings ORDER BY 1")] == [
        timedelta(microseconds=i) for i in range(3)
    ]


def test_what_is_rejected_again_keeps_when_it_came_first_and_the_command_ends(stack):
    live_collector(stack)
    rejected(stack, b'{"humidity":1}', 1500)
    make_older(stack, timedelta(days=2))
    came = moments(stack)
    last = stack.database.value("SELECT max(id) FROM rejected_messages")
    for _ in range(2):
        said = resubmit(stack, "--reason", "no_value")
        assert "1500 sent again\n" in said
        assert int(re.search(r"^(\d+) of them are back", said, re.MULTILINE)[1]) == 1500
    rows = stack.database.rows("SELECT id, received_at FROM rejected_messages ORDER BY received_at")
    assert [at for _, at in rows] == came and min(number for number, _ in rows) > last


def test_what_the_database_refuses_again_keeps_when_it_came_first(stack):
    live_collector(stack)
    publisher = stack.publisher()
    publisher.send_bytes(TOPIC, b'{"temperature":1}')
    publisher.wait()
    until(lambda: stack.database.count() == 1)
    stack.database.rows("ALTER TABLE readings ADD CONSTRAINT poison CHECK (temperature <> 666)")
    rejected(stack, b'{"temperature":666}')
    make_older(stack, timedelta(days=2))
    came = stack.database.value("SELECT received_at FROM rejected_messages")
    assert "1 of them are back" in resubmit(stack)
    assert stack.database.rows("SELECT reason, received_at FROM rejected_messages") == [("refused_by_database", came)]
    stack.database.rows("ALTER TABLE readings DROP CONSTRAINT poison")
    resubmit(stack)
    until(lambda: stack.database.count() == 2)
    assert stack.database.value("SELECT recorded_at FROM readings WHERE temperature = 666") == came


def test_when_a_message_came_first_is_believed_only_where_a_timestamp_would_be(stack):
    live_collector(stack, earliest="2020-01-01T00:00:00Z")
    before = now_us()
    day_us = 86_400_000_000
    said = [to_text(before - day_us), to_text(before + day_us), "2019-12-31T23:59:59Z", "yesterday", "x" * 100, ""]
    for i, text in enumerate(said):
        subprocess.run(
            ["mosquitto_pub", "-h", LOOPBACK, "-p", str(stack.broker.port), "-V", "mqttv5", "-q", "1", "-t", TOPIC,
             "-D", "publish", "user-property", "something-else", "2026-11-01T00:00:00Z",
             "-D", "publish", "user-property", "first-received-at", text,
             "-m", f'{{"temperature":{i}}}'],
            check=True,
        )  # fmt: skip
    until(lambda: stack.database.count() == len(said))
    rows = stack.database.rows(
        "SELECT temperature::int, recorded_at = received_at, received_at - recorded_at < interval '30 hours' FROM readings ORDER BY 1"
    )
    assert rows == [(0, False, True)] + [(i, True, True) for i in range(1, len(said))]
