"""What a collector has received and not stored when another of its id gets the turn: it goes back to the broker.

The other one has vouched for boards of moments at which that had been received already. Were it stored after all,
with its old arrival, those boards would have been of moments at which they lacked something.
"""

from __future__ import annotations

import contextlib
import signal
from urllib.parse import urlsplit

from faults import Books, assert_all_well, database_through, is_stored, proxy_to, start_fleet
from oracle import now_us, reading, to_us
from servers import until


@contextlib.contextmanager
def turn_of_another(stack):
    """Gives the moment at which it has begun."""
    other = stack.database.connect()
    other.autocommit = True
    with other.cursor() as cursor:
        until(lambda: (cursor.execute("SELECT is_ours FROM collector_enter('collector')"), cursor.fetchone()[0])[1])
    yield now_us()
    other.close()


@contextlib.contextmanager
def caught_amid_a_batch(stack, rng, **settings):
    """A collector that has received what it could not store: (collector, fleet, link, one of those readings)."""
    with proxy_to(urlsplit(stack.database.url).port) as link:
        collector, fleet = start_fleet(
            stack, rng, database_url=database_through(link, stack), leave_after="60s", **settings
        )
        books = Books(stack)
        link.blackhole()
        one = reading("caught", now_us(), temperature=7.0)
        fleet.publisher.send(one)
        fleet.send(30)
        books.until(lambda status: status["inFlight"] > 0, what="a batch is under way")
        yield collector, fleet, link, one


def assert_received_later(stack, one, moment_us):
    until(lambda: is_stored(stack, one), 15, "what went back has come again")
    received_us = stack.database.value(
        "SELECT (extract(epoch FROM received_at) * 1000000)::bigint FROM device_readings WHERE device_id = 'caught'"
    )
    assert received_us > moment_us


def test_what_was_received_before_another_had_the_turn_is_received_again(stack, rng):
    with caught_amid_a_batch(stack, rng) as (collector, fleet, link, one):
        link.refuse()
        link.reset()
        with turn_of_another(stack) as moment_us:
            pass
        link.heal()
        assert_received_later(stack, one, moment_us)
        assert "go back to the broker" in collector.output()
        assert_all_well(stack, fleet.publisher, collector)


def test_a_drain_does_not_outlast_its_turn(stack, rng):
    with caught_amid_a_batch(stack, rng, drain_timeout="60s") as (collector, fleet, link, one):
        link.refuse()
        link.reset()
        with turn_of_another(stack) as moment_us:
            collector.signal(signal.SIGTERM)
            until(lambda: "draining" in collector.output(), 10)
        link.heal()
        until(lambda: not collector.is_running(), 10, "it ends, and stores no more")
        assert not is_stored(stack, one)
        assert collector.exit_code == 1
        collector.start()
        assert_received_later(stack, one, moment_us)
        assert_all_well(stack, fleet.publisher, collector)


def test_a_session_that_was_lost_with_nobody_else_there_stores_what_it_has(stack, rng):
    with caught_amid_a_batch(stack, rng) as (collector, fleet, link, one):
        healed_us = now_us()
        link.reset()
        link.heal()
        until(lambda: is_stored(stack, one), 15)
        received_us = stack.database.value(
            "SELECT (extract(epoch FROM received_at) * 1000000)::bigint FROM device_readings WHERE device_id = 'caught'"
        )
        assert received_us < healed_us
        assert "go back to the broker" not in collector.output()
        assert_all_well(stack, fleet.publisher, collector)


def test_the_last_moment_of_a_drain_is_one_at_which_it_had_its_turn(stack, rng):
    """From the next microsecond on another of its id may receive what it does not know of."""
    collector, fleet = start_fleet(stack, rng)
    statuses = stack.listen("collectors/collector/status")
    for _ in range(5):
        begun = len(statuses.received)
        with fleet.load(100), stack.database.connect() as other, other.cursor() as cursor:
            until(lambda n=begun: sum(s.json()["state"] == "live" for s in statuses.received[n:]) > 3, 20)
            collector.signal(signal.SIGTERM)
            cursor.execute("SELECT pg_advisory_lock(collector_lock('collector'))")
            freed_us = now_us()
        other.close()
        assert collector.wait() == 0
        until(lambda: statuses.received[-1].json()["state"] == "stopped", 10)
        assert to_us(statuses.received[-1].json()["asOf"]) < freed_us
        collector.start()
    assert_all_well(stack, fleet.publisher, collector)
