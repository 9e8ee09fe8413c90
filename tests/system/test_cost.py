"""What a message may cost, whatever is in it; and what a batch may, however slow the database is."""

from __future__ import annotations

import json
import signal
import time

import pytest
from conftest import FAILPOINT_DIR
from faults import Books, arrived, assert_boards, assert_bounded, start_fleet
from oracle import compare, now_us, reading
from servers import until
from test_collector import live_collector

TOPIC = "devices/d/readings"
MOST_LISTED = 100
ROOM = 1_048_000  # bytes of a payload: the broker takes messages of 1 MiB


def filled(element: str, most: int = ROOM) -> bytes:
    """An array of as many of it as fit."""
    count = (most - 2) // (len(element.encode()) + 1)
    return ("[" + ",".join([element] * count) + "]").encode()


def varied() -> bytes:
    """Every element is wrong in another way than the one before."""
    wrong = ['{}', '0', 'NaN', '{"temperature":"x"}', '{"timestamp":"x"}', '{"status":"BROKEN","temperature":1}', '""', '[[[[[[[[[]]]]]]]]]']
    return ("[" + ",".join(wrong * (ROOM // (len(",".join(wrong)) + 1))) + "]").encode()


def readings(count: int, element: str = '{{"temperature":{i}}}') -> bytes:
    return ("[" + ",".join(element.format(i=i) for i in range(count)) + "]").encode()


HEAVY = {
    "zeros": filled("0"),
    "objects": filled("{}"),
    "no json": filled("a"),
    "nested": filled("[[[[]]]]"),
    "varied": varied(),
    "good": readings(45_000),
    "good and bad": ("[" + ",".join(['{"temperature":1},0'] * 50_000) + "]").encode(),
    "late": readings(16_000, '{{"temperature":1,"timestamp":"2026-01-01T00:00:00.{i:06}Z"}}'),
    "no array": b"[" * ROOM,
    "one string": b'"' + b"a" * (ROOM - 2) + b'"',
}


@pytest.mark.parametrize("payload", HEAVY.values(), ids=HEAVY.keys())
def test_a_megabyte_of_anything_costs_others_less_than_a_second(stack, payload):
    """Another device's reading that is sent right after it is stored; all of it adds up."""
    live_collector(stack)
    books = Books(stack)
    publisher = stack.publisher()
    arrived(stack, publisher)
    heavy = publisher.send_bytes(TOPIC, payload)
    other = publisher.send(reading("other", now_us(), temperature=1.0))
    publisher.wait()
    sent_at = time.monotonic()
    until(lambda: stack.database.value("SELECT count(*) FROM device_readings WHERE device_id = 'other'") == 1, 60, pause=0.005)
    took = time.monotonic() - sent_at
    print(f"{took:.3f} s")
    assert heavy.is_acknowledged and other.is_acknowledged
    rows = stack.database.count("rejected_messages")
    assert rows <= MOST_LISTED
    status = books.until(lambda s: s["inFlight"] == 0)
    assert status["received"] == status["stored"] + status["duplicates"] + status["rejected"]
    assert sum(status["rejectedByReason"].values()) == status["rejected"]


def rows_of(stack) -> list[tuple[str, str, bytes]]:
    return [(r, d, bytes(p)) for r, d, p in stack.database.rows("SELECT reason, detail, payload FROM rejected_messages ORDER BY id")]


def test_up_to_a_hundred_rejected_elements_are_kept_one_by_one(stack):
    live_collector(stack)
    payload = ("[" + ",".join(['{"temperature":1}'] + ["0"] * MOST_LISTED) + "]").encode()
    stack.publisher().send_bytes(TOPIC, payload)
    until(lambda: stack.database.count("rejected_messages") == MOST_LISTED)
    assert {payload for _, _, payload in rows_of(stack)} == {b"0"}


def test_more_of_them_are_one_row_with_the_message_which_can_be_sent_again(stack):
    """Twice: what is still wrong is one row again, and what was stored is a duplicate."""
    live_collector(stack, batch_size=200)
    stored, wrong = 500, 700
    payload = ("[" + ",".join(['{"temperature":%d}' % i for i in range(stored)] + ['{"humidity":%d}' % i for i in range(wrong)] + ["0"]) + "]").encode()
    stack.publisher().send_bytes(TOPIC, payload)
    until(lambda: stack.database.count("rejected_messages") == 1)
    ((reason, detail, kept),) = rows_of(stack)
    assert kept == payload and reason == "no_value"
    assert f"element {stored + 1}: " in detail and f"and {wrong} more of its {stored + wrong + 1} elements" in detail
    assert f"{wrong} no_value" in detail and "1 not_an_object" in detail
    books = Books(stack)
    for again in (1, 2):
        program = stack.program("collector", ["--rejected", "--resubmit"], log_name=f"again-{again}")
        program.start()
        assert program.wait(60) == 0 and "1 of them are back" in program.output(), program.tail()
        books.until(lambda s, again=again: s["duplicates"] == again * stored and s["rejected"] == (again + 1) * (wrong + 1))
        assert rows_of(stack) == [(reason, detail, payload)]
        assert stack.database.count() == stored
    stack.program_named("collector").terminate()
    live_collector(stack, features="humidity")
    program = stack.program("collector", ["--rejected", "--resubmit"], log_name="mended")
    program.start()
    assert program.wait(60) == 0, program.tail()
    until(lambda: stack.database.value("SELECT count(humidity) FROM readings") == wrong)
    assert stack.database.count() == stored + wrong


@pytest.mark.parametrize("commits", [1, 2])
def test_a_kill_between_the_parts_of_a_message_doubles_nothing(stack, rng, commits):
    """Its rejected elements are kept with its last part, so they are not doubled either."""
    collector, fleet = start_fleet(stack, rng)
    assert collector.terminate() == 0
    now = now_us()
    before = stack.database.count()
    good = [fleet.make("device_1", now - i) for i in range(2500)]
    payload = json.dumps([*(one.to_json() for one in good), *range(1500)]).encode()
    message = fleet.publisher.send_bytes("devices/device_1/readings", payload, good)
    fleet.publisher.wait()
    env = {"CRASH_AT": f"commit_ok_before_flush:{commits}"}
    killed = stack.start_collector(directory=FAILPOINT_DIR, env=env, batch_size=1000)
    killed.wait(30)
    assert killed.exit_code == -signal.SIGKILL, killed.tail()
    assert stack.database.count() - before == 1000 * commits
    assert stack.database.count("rejected_messages") == 0
    collector = stack.start_collector(batch_size=1000)
    arrived(stack, fleet.publisher)
    assert message.is_acknowledged and [kept for _, _, kept in rows_of(stack)] == [payload]
    verdict = compare(fleet.publisher.messages, stack.database)
    assert not verdict.lost and not verdict.doubled, str(verdict)
    assert_boards(stack)
    assert_bounded(collector)
