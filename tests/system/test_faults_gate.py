"""The ack gate from outside: what was not committed is not acknowledged, whenever the end comes."""

from __future__ import annotations

import contextlib
import signal
import time
from urllib.parse import urlsplit

import pytest
from conftest import FAILPOINT_DIR
from faults import (
    INGEST,
    arrived,
    assert_all_well,
    commits_held,
    database_through,
    mqtt_through,
    proxy_to,
    start_fleet,
    waits_for_lock,
)
from oracle import reading, stored_readings
from proxy import UP
from servers import until
from tls_proxy import TlsProxy

faults = pytest.mark.faults
SUBSCRIBE = b"\x00\x12devices/+/readings"  # as it is in the packet


class StaleCommit:
    """A batch that was read on one connection commits while the next one is up already.

    The way there: the database's link breaks during the commit, the broker is left, the link comes
    back, the broker is joined, and the batch waits once more for the lock that the test holds.
    """

    def __init__(self, stack, rng, broker_link, database_link):
        self.link = broker_link
        self.collector, self.fleet = start_fleet(
            stack,
            rng,
            mqtt_url=mqtt_through(broker_link),
            database_url=database_through(database_link, stack),
            leave_after="50ms",
        )
        self.held = contextlib.ExitStack()
        self.held.enter_context(commits_held(stack))
        self.fleet.send(30)
        until(lambda: waits_for_lock(stack), what="the batch is being committed")
        database_link.refuse()
        assert database_link.reset() > 0
        until(lambda: "leaving the broker" in self.collector.output())
        until(lambda: broker_link.links(only=SUBSCRIBE) == 0)
        database_link.listen()
        until(lambda: broker_link.links(only=SUBSCRIBE) == 1, what="it is connected and subscribed again")
        until(lambda: waits_for_lock(stack), what="the batch is being committed again")
        self.fleet.send(20)

    def release(self):
        self.held.close()


@pytest.fixture
def stale(stack, rng):
    with proxy_to(stack.broker.port) as broker_link, proxy_to(urlsplit(stack.database.url).port) as database_link:
        commit = StaleCommit(stack, rng, broker_link, database_link)
        yield commit
        commit.release()


def test_a_commit_whose_connection_is_gone_releases_nothing_on_the_next(stack, stale):
    # What is acknowledged first on the new connection is the last that this collector does.
    killed = stale.link.after_next(UP, stale.collector.kill9, only=INGEST)
    stale.release()
    killed.wait()
    collector = stack.start_collector()
    assert_all_well(stack, stale.fleet.publisher, collector)


@faults
def test_a_commit_whose_connection_is_gone_is_counted(stack, stale):
    stale.release()
    assert_all_well(stack, stale.fleet.publisher, stale.collector)
    assert stack.metrics()["highwater_batches_stale_total"] == 1


def test_what_arrives_during_a_commit_is_not_acknowledged_with_it(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    assert collector.terminate() == 0
    with commits_held(stack):
        fleet.send(30)
        collector = stack.start_collector(directory=FAILPOINT_DIR, env={"CRASH_AT": "after_flush:1"})
        until(lambda: waits_for_lock(stack), 15, "the first part is being committed")
        fleet.send(30)
    assert collector.wait(10) == -signal.SIGKILL, collector.tail()
    collector = stack.start_collector()
    assert_all_well(stack, fleet.publisher, collector)


# --- SIGTERM ---------------------------------------------------------------------------------------


def test_sigterm_during_a_commit_waits_for_it(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    with commits_held(stack):
        first = fleet.send(30)
        until(lambda: waits_for_lock(stack))
        collector.signal(signal.SIGTERM)
        until(lambda: "draining" in collector.output())
        second = fleet.send(30)
    assert collector.wait(10) == 0
    # What was being committed is stored, and nothing else was read any more.
    stored = set(stored_readings(stack.database))
    assert stored & readings_of(first) and not stored & readings_of(second)
    collector = stack.start_collector()
    assert_all_well(stack, fleet.publisher, collector)


def readings_of(messages):
    return {one for message in messages for one in message.readings or ()}


@faults
def test_sigterm_during_a_commit_that_takes_too_long_gives_up_unacknowledged(stack, rng):
    collector, fleet = start_fleet(stack, rng, drain_timeout="1s")
    with commits_held(stack):
        fleet.send(30)
        until(lambda: waits_for_lock(stack))
        began = time.monotonic()
        assert collector.terminate() == 1
        assert time.monotonic() - began > 0.9  # and it ends while the commit is held
        assert "the broker keeps what was not acknowledged" in collector.output()
    collector = stack.start_collector()
    assert_all_well(stack, fleet.publisher, collector)


def test_a_second_sigterm_ends_it_at_once(stack, rng):
    collector, fleet = start_fleet(stack, rng, drain_timeout="10m")
    with commits_held(stack):
        fleet.send(30)
        until(lambda: waits_for_lock(stack))
        collector.signal(signal.SIGTERM)
        until(lambda: "draining" in collector.output())
        assert collector.terminate() == 1
    collector = stack.start_collector()
    assert_all_well(stack, fleet.publisher, collector)


ACCOUNTING = ("received", "stored", "duplicates", "rejected", "inFlight")


@pytest.mark.parametrize("how", ["nothing in hand", "a batch in hand"])
def test_sigterm_while_postgres_is_away(stack, postgres, rng, how):
    collector, fleet = start_fleet(stack, rng, drain_timeout="1s", leave_after="60s")
    statuses = stack.listen("collectors/+/status")
    postgres.stop()
    until(lambda: "not reachable" in collector.output())
    if how == "a batch in hand":
        fleet.send(30)
        until(lambda: stack.metrics()["highwater_readings_in_flight"] > 0)
    status = collector.terminate(5)
    assert status == (1 if how == "a batch in hand" else 0), collector.tail()
    assert "please report" not in collector.output()
    until(lambda: statuses.received[-1].json()["state"] == "stopped", what="it says goodbye")
    for one in statuses.received:
        received, *settled = (one.json().get(member, 0) for member in ACCOUNTING)
        assert received == sum(settled), one.payload
    assert (statuses.received[-1].json()["inFlight"] > 0) == (how == "a batch in hand")
    fleet.send(30)
    postgres.start()
    collector = stack.start_collector()
    assert_all_well(stack, fleet.publisher, collector)


@faults
def test_sigterm_while_the_broker_is_away(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    stack.broker.stop()
    until(lambda: "mqtt: up -> down" in collector.output())
    assert collector.terminate(5) == 0
    stack.broker.start()
    fleet.send(30)
    collector = stack.start_collector()
    assert_all_well(stack, fleet.publisher, collector)


@faults
def test_sigterm_before_it_has_begun(stack, postgres, rng):
    collector, fleet = start_fleet(stack, rng)
    assert collector.terminate() == 0
    postgres.stop()
    collector.start()
    until(lambda: "not reachable" in collector.output())
    assert collector.terminate(5) == 0
    postgres.start()
    with commits_held(stack, "schema_migrations"):  # which the migration waits for
        collector.start()
        until(lambda: "schema: connecting -> up" in collector.output())
        assert collector.terminate(5) == 0
    fleet.send(30)
    collector.start()
    assert_all_well(stack, fleet.publisher, collector)


@faults
def test_many_orderly_ends_under_load(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    with fleet.load(400):
        for _ in range(10):
            time.sleep(rng.random() / 2)  # the moment of the fault
            assert collector.terminate() == 0
            collector.start()
            arrived(stack, fleet.publisher)
    assert_all_well(stack, fleet.publisher, collector)


# --- What comes with the CONNACK -------------------------------------------------------------------


@pytest.fixture
def tls(stack, tmp_path):
    proxy = TlsProxy(stack.broker.port, tmp_path, only=INGEST)
    yield proxy
    proxy.close()


def test_a_batch_begun_before_the_connack_acknowledges_nothing_that_comes_with_it(stack, rng, tls):
    settings = {"mqtt_url": tls.url(), "mqtt_ca_file": str(tls.ca_file)}
    collector, fleet = start_fleet(stack, rng, linger="3s", **settings)
    publisher = fleet.publisher
    publisher.send(reading("before", temperature=1.0))
    until(lambda: stack.metrics()["highwater_readings_in_flight"] == 1, what="it waits in a batch")
    with commits_held(stack):
        tls.cut_and_hold()
        publisher.send(reading("with_connack", temperature=2.0))
        until(lambda: b"with_connack" in tls.held(), what="the broker has answered and delivered")
        until(lambda: waits_for_lock(stack), what="the batch is begun while the link is not up")
        tls.release()
        until(lambda: stack.metrics()["highwater_readings_in_flight"] == 3, what="both came with the CONNACK")
    until(lambda: stack.database.value("SELECT count(*) FROM devices WHERE device_id = 'before'") == 1)
    until(lambda: stack.metrics()["highwater_readings_in_flight"] == 2, what="the batch is committed")
    time.sleep(0.2)  # what was let out has left
    collector.kill9()
    collector = stack.start_collector(**settings)
    assert_all_well(stack, publisher, collector)
