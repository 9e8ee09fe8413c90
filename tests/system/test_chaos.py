"""Everything at once: three faults are alive at any moment, chosen by a seed, while a mixed load comes in.

Up to three collectors come and go, each with a site of its own, and return with other features, intervals, places,
with or without the lowest boards or a retention; a second one of the same id waits; httpapi is killed, too. All the
while it is asked whatever it answers, and each answer must be that of its own moment, or a 503.

    CHAOS_SECONDS  how long (default 120), in rounds of at most two minutes, each with a verdict
    SEED           the same seed gives the same faults at the same moments, as far as the machine keeps them

The broker is only stopped in good order here: what it loses in a crash it has promised to nobody
but itself (test_faults_broker.py measures that).
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg2
import pytest
from cast import FEATURES, INTERVALS, SITES, Cast, owner_of
from exactness import Exactness, report
from faults import answers, assert_bounded, database_through, is_stored, mqtt_through, proxy_to
from mixed_load import DEVICES, MixedFleet
from oracle import now_us, reading
from proxy import DOWN, UP, Proxy
from shapes import probes
from servers import is_alive, until

ROUND_S = 120
SECONDS = int(os.environ.get("CHAOS_SECONDS") or 120)
ROUNDS = [(i, min(ROUND_S, SECONDS - i * ROUND_S)) for i in range((SECONDS + ROUND_S - 1) // ROUND_S)]
ALIVE = 3
PACK_AFTER = "10s"  # the days before today; readings come late by days all the while
RATE = 300  # messages a second, with two readings each, about

pytestmark = pytest.mark.chaos


@dataclass
class Fault:
    name: str
    target: str  # only one fault at a time has it
    begin: Callable[[], object]
    end: Callable[[], object] = lambda: None
    until: float = 0.0


def faults_of_collector(cast: Cast, owner: str):
    """Whatever ends it, it comes back when the fault is over; changed, if need be."""

    def signalled(number):
        if cast.is_running(owner):
            cast.collectors[owner].signal(number)

    def return_changed():
        cast.end_all(owner, kindly=False)
        cast.change(owner)
        cast.start(owner)

    def be_succeeded():
        """By the one that waited."""
        cast.end(owner, kindly=cast.rng.random() < 0.5)
        cast.start(owner)

    def fault(name, begin, end):
        return Fault(f"{owner} {name}", owner, begin, end)

    return [
        fault("is killed", lambda: cast.end(owner, kindly=False), lambda: cast.start(owner)),
        fault("is ended", lambda: cast.end(owner, kindly=True), lambda: cast.start(owner)),
        fault("stands still", lambda: signalled(signal.SIGSTOP), lambda: signalled(signal.SIGCONT)),
        fault("is killed and returns changed", lambda: cast.end(owner, kindly=False), return_changed),
        fault("is ended and returns changed", lambda: cast.end(owner, kindly=True), return_changed),
        fault("gets a second one, which succeeds it", lambda: cast.start_second(owner), be_succeeded),
    ]


def faults_of_httpapi(cast: Cast):
    def return_changed():
        cast.change_httpapi()
        cast.start_httpapi()

    return [
        Fault("httpapi is killed", "httpapi", lambda: cast.httpapi.kill9(), cast.start_httpapi),
        Fault("httpapi is killed and returns changed", "httpapi", lambda: cast.httpapi.kill9(), return_changed),
        Fault(
            "httpapi stands still",
            "httpapi",
            lambda: cast.httpapi.signal(signal.SIGSTOP),
            lambda: cast.httpapi.signal(signal.SIGCONT),
        ),
    ]


def faults_of_broker(broker):
    return [
        Fault("the broker is away", "broker", broker.stop, broker.start),
        Fault(
            "the broker stands still",
            "broker",
            lambda: broker.program.signal(signal.SIGSTOP),
            lambda: broker.program.signal(signal.SIGCONT),
        ),
    ]


def faults_of_postgres(stack, postgres):
    held = []

    def backend():
        found = postgres.sql(
            f"SELECT pid FROM pg_stat_activity WHERE datname = '{stack.database.name}'"
            " AND application_name LIKE 'highwater collector%' LIMIT 1"
        )
        return int(found) if found else None

    def signalled(pid, number):
        """It may have ended since it was looked for."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def to_backend(number):
        pid = backend()
        if pid:
            signalled(pid, number)
            held.append(pid)

    def let_backend_go():
        while held:
            signalled(held.pop(), signal.SIGCONT)

    def lock():
        connection = stack.database.connect(superuser=True)
        held.append(connection)
        # A transaction whose connection has fallen silent may have the table.
        with contextlib.suppress(psycopg2.errors.LockNotAvailable), connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '500ms'; LOCK TABLE readings IN EXCLUSIVE MODE")

    def unlock():
        held.pop().close()

    def end_backend():
        pid = backend()
        if pid:
            postgres.sql(f"SELECT pg_terminate_backend({pid})")

    def kill_backend():
        pid = backend()
        if pid:
            signalled(pid, signal.SIGKILL)
            until(lambda: not is_alive(pid))
            answers(postgres)

    return [
        Fault("PostgreSQL is away", "postgres", lambda: postgres.stop("fast"), postgres.start),
        Fault("PostgreSQL is stopped at once", "postgres", lambda: postgres.stop("immediate"), postgres.start),
        Fault("PostgreSQL is killed", "postgres", postgres.kill9, postgres.start),
        Fault("a backend is killed", "postgres", kill_backend),
        Fault("a backend is ended", "postgres", end_backend),
        Fault("a backend stands still", "postgres", lambda: to_backend(signal.SIGSTOP), let_backend_go),
        Fault("the table is locked", "postgres", lock, unlock),
    ]


def faults_of_link(name: str, link: Proxy, rng: random.Random):
    def refuse():
        link.refuse()
        link.reset()

    return [
        Fault(f"{name}: silence", name, link.blackhole, link.heal),
        Fault(f"{name}: delay", name, lambda: link.delay(rng.random() / 5), link.heal),
        Fault(f"{name}: a trickle", name, lambda: link.throttle(rng.choice([1_000, 10_000, 100_000])), link.heal),
        Fault(f"{name}: reset", name, link.reset),
        Fault(f"{name}: refused", name, refuse, link.heal),
        Fault(f"{name}: half-closed", name, lambda: link.half_close(rng.choice([UP, DOWN]))),
        Fault(f"{name}: cut", name, lambda: cut(link, rng), link.heal),
    ]


def cut(link, rng):
    link.cut_after(rng.choice([UP, DOWN]), rng.randrange(20_000), with_reset=rng.random() < 0.5)


def wreak(faults: list[Fault], rng: random.Random, seconds: float) -> None:
    """Keeps three faults alive for so long, then ends all."""
    started = time.monotonic()
    alive: list[Fault] = []
    try:
        while (now := time.monotonic() - started) < seconds:
            for fault in [fault for fault in alive if fault.until <= now]:
                alive.remove(fault)
                fault.end()
            while len(alive) < ALIVE:
                taken = {fault.target for fault in alive}
                fault = rng.choice([fault for fault in faults if fault.target not in taken])
                lasts_s = rng.random() * rng.choice([0.3, 1, 4])
                print(f"  {now:6.2f} s: {fault.name} for {lasts_s:.2f} s", flush=True)
                fault.begin()
                fault.until = time.monotonic() - started + lasts_s
                alive.append(fault)
            time.sleep(0.02)
    finally:
        for fault in alive:
            fault.end()


def taken_everywhere(publisher, mapped_site) -> None:
    """Each site has a subscriber, so nothing that is published from now on goes to nobody."""
    for topic, payload in probes(mapped_site):

        def is_taken_there(topic=topic, payload=payload):
            message = publisher.send_bytes(topic, payload, readings=())
            publisher.wait()
            return message.is_acknowledged

        until(is_taken_there, 30, f"somebody subscribes to {topic}", pause=0.1)
    for site in SITES.values():

        def is_taken(site=site):
            message = publisher.send(reading("first", temperature=0.0), topic=site.format("first"))
            publisher.wait()
            return message.is_acknowledged

        until(is_taken, 30, f"somebody subscribes to {site}", pause=0.1)


def arrived_everywhere(stack, publisher, timeout: float) -> None:
    """A last reading at each site is stored, and then another: what may have been in the batch of the first, too. (A
    collector has one session, so what it reads by mappings comes in the same order.)"""
    publisher.wait(timeout)
    for owner, site in 2 * list(SITES.items()):
        last = reading(f"last of {owner}", now_us(), temperature=0.0)
        publisher.send(last, topic=site.format(last.device_id))
        until(lambda last=last: is_stored(stack, last), timeout, f"the last reading of {owner} is stored")


def packed_readings(stack) -> int:
    return int(stack.database.value(f"SELECT packed_readings FROM packing_status('{PACK_AFTER}')"))


def packed_days(stack) -> tuple[int, int]:
    """When all days that are over are packed and what came late is merged: how many there are, and how many readings they have."""
    waits = (
        "SELECT waiting_days > 0 OR EXISTS (SELECT FROM packing_changes)"
        f" OR EXISTS (SELECT FROM partition_requests WHERE answer IS NULL) FROM packing_status('{PACK_AFTER}')"
    )
    until(lambda: not stack.database.value(waits), 120, "days that are over are packed", pause=0.2)
    days, readings = stack.database.rows(f"SELECT packed_days, packed_readings FROM packing_status('{PACK_AFTER}')")[0]
    print(f"  {days} days are packed, with {readings} readings")
    return int(days), int(readings)


def assert_sound(cast: Cast) -> None:
    for owner, collector in cast.collectors.items():
        assert collector.is_running(), f"{owner} ended with {collector.exit_code}:\n{collector.tail()}"
        assert_bounded(collector)
        assert "please report this" not in collector.output(), collector.tail()
    assert cast.httpapi.is_running(), cast.httpapi.tail()


@pytest.mark.parametrize("number, seconds", ROUNDS, ids=[f"round-{number}" for number, _ in ROUNDS])
def test_chaos(stack, postgres, rng, number, seconds):
    with proxy_to(stack.broker.port) as broker_link, proxy_to(urlsplit(stack.database.url).port) as database_link:

        def more(owner):
            """One of them goes through links that break."""
            through = {"mqtt_url": mqtt_through(broker_link), "database_url": database_through(database_link, stack)}
            patience = {"keepalive": 5, "watchdog": "3s", "leave_after": "1s", "drain_timeout": "5s"}
            return {**patience, "rollup_delay": "10s", "pack_after": PACK_AFTER, **(through if owner == "collector" else {})}

        chance = random.Random(rng.random())  # the load and the questions draw at moments of their own
        cast = Cast(stack, chance, more)
        publisher = stack.publisher()
        devices = [*DEVICES, *(f"device_{i}" for i in range(100, 130))]
        cast.start("collector")  # makes the tables
        cast.start_everybody()
        taken_everywhere(publisher, cast.mapped_site)
        edges = stack.edge_fleet(cast.mapped_site, FEATURES)
        fleet = MixedFleet(
            random.Random(rng.random()), publisher, FEATURES, list(SITES.values()), devices, cast.mapped_site, edges
        )
        faults = [
            *(fault for owner in SITES for fault in faults_of_collector(cast, owner)),
            *faults_of_httpapi(cast),
            *faults_of_broker(stack.broker),
            *faults_of_postgres(stack, postgres),
            *faults_of_link("broker link", broker_link, chance),
            *faults_of_link("database link", database_link, chance),
        ]
        exact = Exactness(
            stack,
            random.Random(rng.random()),
            [publisher, edges],
            cast.eras,
            lambda: cast.httpapi_settings,
            devices,
            FEATURES,
            INTERVALS,
            owner_of,
            lambda: cast.has_retention,
        )
        with exact:
            with fleet.load(RATE):
                wreak(faults, chance, seconds)
            cast.start_everybody()
            answers(postgres)
            edges.wait()
            arrived_everywhere(stack, publisher, timeout=120)
            days, before = packed_days(stack)
            # amid faults whoever packs is soon killed, so what comes late into a day that is packed comes now
            with fleet.load(RATE):
                until(lambda: cast.has_retention or packed_readings(stack) > before + 20, 120, "late readings are merged into packed days", pause=0.5)
            edges.wait()
            arrived_everywhere(stack, publisher, timeout=120)
            packed_days(stack)
            found = exact.differences()
            cast.agree()
            found += exact.settled_differences(some_devices=12)
        print(f"  {fleet.sent} messages with {len(exact.ledger.facts)} readings; judged: {dict(exact.judged)}")
        verdict = exact.ledger.verdict(stack.database)
        assert verdict and not found, f"rows: {verdict}\n{len(found)} differences\n{report(found)}"
        assert days or cast.has_retention, "no day was packed"
        assert_sound(cast)
