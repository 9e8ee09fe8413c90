"""kill -9 at the places where it could hurt: nothing is lost, nothing doubled, the boards are right."""

from __future__ import annotations

import signal
import time

import pytest
from conftest import FAILPOINT_DIR
from faults import Books, assert_all_well, start_fleet

POINTS = (
    "on_message",
    "copy_begin",
    "mid_copy",
    "copy_end_sent",
    "commit_ok_before_flush",
    "window_apply",
    "mid_flush",
    "after_flush",
    "board_publish",
)
SHORT = {("on_message", 2), ("copy_end_sent", 1), ("commit_ok_before_flush", 3), ("mid_flush", 1)}


def kills():
    for point in POINTS:
        # six boards are published at the start, before anything arrives
        for n in (1, 7, 8) if point == "board_publish" else (1, 2, 3):
            marks = () if (point, n) in SHORT else pytest.mark.faults
            yield pytest.param(point, n, marks=marks, id=f"{point}-{n}")


def crash_at(stack, point, n, **settings):
    return stack.start_collector(directory=FAILPOINT_DIR, env={"CRASH_AT": f"{point}:{n}"}, **settings)


def was_killed_at(collector, point):
    # mid_flush dies of the alarm that is set before the write
    assert collector.exit_code in (-signal.SIGKILL, -signal.SIGALRM), collector.tail()
    assert f"failpoint {point}" in collector.output()


def fleet_of_a_collector_that_was_here(stack, rng):
    """The broker knows the session, so what is sent waits for the next collector."""
    collector, fleet = start_fleet(stack, rng)
    assert collector.terminate() == 0
    return fleet


@pytest.mark.parametrize("point, n", kills())
def test_a_kill_loses_and_doubles_nothing(stack, rng, point, n):
    fleet = fleet_of_a_collector_that_was_here(stack, rng)
    collector = crash_at(stack, point, n, batch_size=20, linger="5ms")
    with fleet.load(400):
        collector.wait(20)
    was_killed_at(collector, point)
    fleet.send(20)
    collector = stack.start_collector()
    fleet.send(20)
    assert_all_well(stack, fleet.publisher, collector)


def test_a_batch_committed_and_not_acknowledged_is_delivered_again_and_makes_no_new_row(stack, rng):
    # Batches of 50, and only whole ones: the first that is committed is the one that crashes.
    fleet = fleet_of_a_collector_that_was_here(stack, rng)
    before = stack.database.count()
    batch = [fleet.make() for _ in range(50)]
    for one in batch:
        fleet.publisher.send(one)
    fleet.publisher.wait()
    collector = crash_at(stack, "commit_ok_before_flush", 1, batch_size=50, linger="10s")
    collector.wait(20)
    was_killed_at(collector, "commit_ok_before_flush")
    assert stack.database.count() == before + 50
    collector = stack.start_collector()
    books = Books(stack)
    books.until(lambda status: status["duplicates"] == 50 and status["stored"] == 0, 10, "50 come again")
    assert stack.database.count() == before + 50
    assert_all_well(stack, fleet.publisher, collector)


def test_an_acknowledged_batch_is_not_delivered_again(stack, rng):
    fleet = fleet_of_a_collector_that_was_here(stack, rng)
    for _ in range(50):
        fleet.publisher.send(fleet.make())
    fleet.publisher.wait()
    collector = crash_at(stack, "after_flush", 1, batch_size=50, linger="10s")
    collector.wait(20)
    was_killed_at(collector, "after_flush")
    collector = stack.start_collector()
    assert_all_well(stack, fleet.publisher, collector)
    status = Books(stack).until(lambda status: status["stored"] >= 1)
    assert status["duplicates"] == 0


@pytest.mark.faults
def test_fifty_kills_at_random(stack, rng):
    collector, fleet = start_fleet(stack, rng, batch_size=50)
    with fleet.load(400):
        for _ in range(50):
            time.sleep(rng.random())  # the moment of the fault, not a wait for something
            collector.kill9()
            collector.start()
    assert_all_well(stack, fleet.publisher, collector)


@pytest.mark.faults
@pytest.mark.parametrize("point", [point for point in POINTS if point != "mid_flush"])
def test_sigterm_there_drains(stack, rng, point):
    fleet = fleet_of_a_collector_that_was_here(stack, rng)
    collector = stack.start_collector(
        directory=FAILPOINT_DIR, env={"CRASH_AT": f"{point}:3:{int(signal.SIGTERM)}"}, batch_size=20, linger="5ms"
    )
    with fleet.load(400):
        assert collector.wait(20) == 0, collector.tail()
    assert f"failpoint {point}" in collector.output()
    collector = stack.start_collector()
    assert_all_well(stack, fleet.publisher, collector)
