"""What networks do to the collector's two links: cuts at every byte, silence, slowness, resets."""

from __future__ import annotations

import contextlib
import socket
import time
from urllib.parse import urlsplit

import pytest
from faults import (
    INGEST,
    STORE,
    Books,
    arrived,
    assert_all_well,
    commits_held,
    count_lines,
    database_through,
    mqtt_through,
    proxy_to,
    start_fleet,
    waits_for_lock,
)
from oracle import now_us, reading
from proxy import DOWN, UP
from servers import LOOPBACK, until

PUBACK_BYTES = 4
BATCH = 8
LIFE_S = 0.25  # of a connection between two cuts: one that ends sooner is followed by a longer wait


@pytest.fixture
def broker_link(stack):
    with proxy_to(stack.broker.port) as proxy:
        yield proxy


@pytest.fixture
def database_link(stack):
    with proxy_to(urlsplit(stack.database.url).port) as proxy:
        yield proxy


def sent(fleet, count):
    """So many readings, one in each message."""
    for _ in range(count):
        fleet.publisher.send(fleet.make())
    fleet.publisher.wait()


# --- Cuts at a byte --------------------------------------------------------------------------------


def sweep_flush(stack, rng, broker_link, cuts):
    collector, fleet = start_fleet(
        stack, rng, mqtt_url=mqtt_through(broker_link), batch_size=BATCH, linger="1s"
    )
    books = Books(stack)
    stored = stack.database.count()
    again = 0
    duplicates = books.until(lambda status: status["stored"] == stored)["duplicates"]
    for after in cuts:
        with commits_held(stack):
            sent(fleet, BATCH)
            until(lambda: waits_for_lock(stack), what="the batch is being committed")
            time.sleep(LIFE_S)
            cut = broker_link.cut_after(UP, after, only=INGEST)
        cut.wait()
        # What was not acknowledged comes again, the next ones complete its batch, and one more batch
        # shows that it has gone through.
        redelivered = BATCH - after // PUBACK_BYTES
        more = (BATCH - redelivered) % BATCH + BATCH
        sent(fleet, more)
        again += redelivered
        stored += BATCH + more
        until(lambda: stack.database.count() == stored, what=f"all is stored after a cut at byte {after}")
    assert_all_well(stack, fleet.publisher, collector)
    books.until(lambda status: status["duplicates"] - duplicates == again, what=f"{again} came again")


def test_a_flush_of_acknowledgements_cut_here_and_there(stack, rng, broker_link):
    sweep_flush(stack, rng, broker_link, [0, 3, 4, 17, 32])


@pytest.mark.faults
def test_a_flush_of_acknowledgements_cut_after_every_byte(stack, rng, broker_link):
    sweep_flush(stack, rng, broker_link, range(PUBACK_BYTES * BATCH + 1))


class Transactions:
    """One batch of five readings after the other, always with the same bytes on the wire."""

    def __init__(self, stack, rng, database_link):
        self.stack = stack
        self.link = database_link
        self.collector, self.fleet = start_fleet(
            stack, rng, database_url=database_through(database_link, stack), batch_size=5, linger="10ms"
        )
        # No later reading of this device is a peak, so the transaction is one COPY.
        self.fleet.publisher.send(reading("d", now_us(), temperature=1e6))
        self.plain()

    def plain(self):
        """Something new was stored, so the next batch goes the plain way."""
        for _ in range(2):
            arrived(self.stack, self.fleet.publisher)

    def send(self):
        at_us = now_us()
        self.fleet.publisher.send([reading("d", at_us + i, temperature=float(i)) for i in range(5)])
        arrived(self.stack, self.fleet.publisher)

    def bytes(self, direction):
        """How many a batch takes from the BEGIN on, and what of it has come when it has ended."""
        self.plain()
        counting = self.link.cut_after(direction, 10**9, only=STORE)
        at_us = now_us()
        before = self.stack.database.count()
        self.fleet.publisher.send([reading("d", at_us + i, temperature=float(i)) for i in range(5)])
        self.fleet.publisher.wait()
        until(lambda: self.stack.database.count() == before + 5)
        # The last byte of the answer may still be on its way.
        quiet = until(lambda left=counting.left: counting.left == left and counting.left, 2, pause=0.1)
        self.link.forget(counting)
        return 10**9 - quiet

    def sweep(self, direction, cuts):
        for after in cuts:
            self.plain()
            time.sleep(LIFE_S)
            cut = self.link.cut_after(direction, after, only=STORE)
            self.send()
            assert cut.has_happened, f"nothing was cut {direction} at byte {after}"
        assert_all_well(self.stack, self.fleet.publisher, self.collector)


def test_a_commit_cut_here_and_there(stack, rng, database_link):
    transactions = Transactions(stack, rng, database_link)
    there = transactions.bytes(UP)
    back = transactions.bytes(DOWN)
    transactions.sweep(UP, [0, there // 2, there - 5, there - 1, there])
    transactions.sweep(DOWN, [0, back - 18, back - 6, back - 1, back])


@pytest.mark.faults
def test_a_commit_cut_after_every_byte_on_the_way_there(stack, rng, database_link):
    transactions = Transactions(stack, rng, database_link)
    there = transactions.bytes(UP)
    transactions.sweep(UP, [*range(0, there - 12, 29), *range(there - 12, there + 1)])


@pytest.mark.faults
def test_a_commit_cut_after_every_byte_of_the_answer(stack, rng, database_link):
    transactions = Transactions(stack, rng, database_link)
    back = transactions.bytes(DOWN)
    transactions.sweep(DOWN, [*range(0, back - 24, 7), *range(back - 24, back + 1)])


# --- Silence ---------------------------------------------------------------------------------------


@pytest.mark.faults
def test_silence_between_collector_and_broker_is_noticed_and_survived(stack, rng, broker_link):
    collector, fleet = start_fleet(stack, rng, mqtt_url=mqtt_through(broker_link), keepalive=5)
    with fleet.load(100):
        broker_link.blackhole()
        # A ping after 5 s, given up after another 5, looked for each 1.25 s.
        until(lambda: "mqtt: up -> down" in collector.output(), 15, "the silence is noticed")
        broker_link.heal()
        until(lambda: count_lines(collector, "mqtt: connecting -> up") == 2, 12, "it is connected again")
    assert_all_well(stack, fleet.publisher, collector)


@pytest.mark.faults
def test_silence_between_collector_and_database_is_noticed_and_survived(stack, rng, database_link):
    collector, fleet = start_fleet(
        stack, rng, database_url=database_through(database_link, stack), watchdog="2s", leave_after="1s"
    )
    with fleet.load(100):
        database_link.blackhole()
        began = time.monotonic()
        until(lambda: "database: up -> down" in collector.output(), 10, "the silence is noticed")
        assert time.monotonic() - began > 1.5, "a watchdog of 2 s"
        until(lambda: "leaving the broker" in collector.output(), 5, "the broker is left to keep what comes")
        database_link.heal()
        until(lambda: count_lines(collector, "database: connecting -> up") >= 2, 15, "it is connected again")
    assert_all_well(stack, fleet.publisher, collector)


# --- Slowness --------------------------------------------------------------------------------------


@pytest.mark.faults
@pytest.mark.parametrize("seconds", [0.02, 0.3])
def test_delay_on_both_links(stack, rng, broker_link, database_link, seconds):
    collector, fleet = start_fleet(
        stack, rng, mqtt_url=mqtt_through(broker_link), database_url=database_through(database_link, stack)
    )
    broker_link.delay(seconds)
    database_link.delay(seconds)
    with fleet.load(300):
        until(lambda: fleet.readings > 1000, 30)
    arrived(stack, fleet.publisher)
    broker_link.heal()
    database_link.heal()
    assert_all_well(stack, fleet.publisher, collector)
    assert count_lines(collector, "up -> down") == 0


@pytest.mark.faults
def test_a_link_to_the_database_too_slow_for_the_load(stack, rng, database_link):
    collector, fleet = start_fleet(stack, rng, database_url=database_through(database_link, stack))
    database_link.throttle(10_000)
    with fleet.load(500):
        until(lambda: fleet.readings > 2000, 30)
    database_link.heal()
    assert_all_well(stack, fleet.publisher, collector)


@pytest.mark.faults
def test_a_link_to_the_broker_too_slow_for_the_load(stack, rng, broker_link):
    collector, fleet = start_fleet(stack, rng, mqtt_url=mqtt_through(broker_link), keepalive=5)
    broker_link.throttle(20_000)
    with fleet.load(500):
        until(lambda: fleet.readings > 2000, 30)
    broker_link.heal()
    assert_all_well(stack, fleet.publisher, collector)


# --- Ends ------------------------------------------------------------------------------------------


@pytest.mark.faults
def test_resets_again_and_again(stack, rng, broker_link, database_link):
    collector, fleet = start_fleet(
        stack, rng, mqtt_url=mqtt_through(broker_link), database_url=database_through(database_link, stack)
    )
    with fleet.load(300):
        for _ in range(20):
            time.sleep(rng.random() / 2)  # the moment of the fault
            rng.choice([broker_link, database_link]).reset()
    assert_all_well(stack, fleet.publisher, collector)


@pytest.mark.faults
@pytest.mark.parametrize("direction", [UP, DOWN])
def test_half_closed_links_are_left_and_made_anew(stack, rng, broker_link, database_link, direction):
    collector, fleet = start_fleet(
        stack, rng, mqtt_url=mqtt_through(broker_link), database_url=database_through(database_link, stack)
    )
    with fleet.load(300):
        for link in (broker_link, database_link, broker_link, database_link):
            accepted = link.accepted
            assert link.half_close(direction) > 0
            until(lambda link=link, accepted=accepted: link.accepted > accepted, 5, "a new connection")
    assert_all_well(stack, fleet.publisher, collector)


@pytest.mark.faults
def test_a_link_refused_for_a_while(stack, rng, broker_link, database_link):
    collector, fleet = start_fleet(
        stack, rng, mqtt_url=mqtt_through(broker_link), database_url=database_through(database_link, stack)
    )
    with fleet.load(200):
        links = ((broker_link, "mqtt: 127.0.0.1 is not reachable"), (database_link, "database: not reachable"))
        for link, line in links:
            link.refuse()
            link.reset()
            until(lambda line=line: line in collector.output(), 5, f'it says "{line}"')
            link.listen()
    assert_all_well(stack, fleet.publisher, collector)


# --- Certificates ----------------------------------------------------------------------------------


def test_without_its_certificates_nothing_is_said_in_the_clear(stack):
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        collector = stack.start_collector(
            mqtt_url=f"mqtts://user:secret@{LOOPBACK}:{port}", mqtt_ca_file="/nonexistent/ca.pem"
        )
        listener.settimeout(0.1)
        for _ in range(100):
            if not collector.is_running():
                break
            with contextlib.suppress(TimeoutError):
                link, _ = listener.accept()
                link.settimeout(5)
                heard = link.recv(1000)
                link.close()
                assert b"secret" not in heard and b"MQTT" not in heard, heard
    assert collector.wait(5) == 2
    assert "/nonexistent/ca.pem" in collector.output()
