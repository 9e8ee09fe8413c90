"""Everything at once: three faults are alive at any moment, chosen by a seed, while 2,000 readings arrive a second.

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
from faults import (
    Fleet,
    answers,
    assert_all_well,
    database_through,
    mqtt_through,
    proxy_to,
    subscribed,
)
from proxy import DOWN, UP, Proxy
from servers import is_alive, until

ROUND_S = 120
SECONDS = int(os.environ.get("CHAOS_SECONDS") or 120)
ROUNDS = [(i, min(ROUND_S, SECONDS - i * ROUND_S)) for i in range((SECONDS + ROUND_S - 1) // ROUND_S)]
ALIVE = 3
RATE = 2000
PER_MESSAGE = 4

pytestmark = pytest.mark.chaos


@dataclass
class Fault:
    name: str
    target: str  # only one fault at a time has it
    begin: Callable[[], object]
    end: Callable[[], object] = lambda: None
    until: float = 0.0


def restarted(program, begin):
    def end():
        if not program.is_running():
            program.start()

    return begin, end


def faults_of_collector(collector):
    return [
        Fault("the collector is killed", "collector", *restarted(collector, collector.kill9)),
        Fault("the collector is ended", "collector", *restarted(collector, lambda: collector.terminate(30))),
        Fault(
            "the collector stands still",
            "collector",
            lambda: collector.signal(signal.SIGSTOP),
            lambda: collector.signal(signal.SIGCONT),
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

    def to_backend(number):
        pid = backend()
        if pid:
            os.kill(pid, number)
            held.append(pid)

    def let_backend_go():
        while held:
            try:
                os.kill(held.pop(), signal.SIGCONT)
            except ProcessLookupError:
                pass

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
            os.kill(pid, signal.SIGKILL)
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


@pytest.mark.parametrize("number, seconds", ROUNDS, ids=[f"round-{number}" for number, _ in ROUNDS])
def test_chaos(stack, postgres, rng, number, seconds):
    with proxy_to(stack.broker.port) as broker_link, proxy_to(urlsplit(stack.database.url).port) as database_link:
        collector = stack.start_collector(
            mqtt_url=mqtt_through(broker_link),
            database_url=database_through(database_link, stack),
            keepalive=5,
            watchdog="3s",
            leave_after="1s",
            drain_timeout="5s",
        )
        fleet = Fleet(rng, stack.publisher(), devices=200, per_message=PER_MESSAGE)
        subscribed(fleet.publisher)
        chance = random.Random(rng.random())  # the load draws from `rng`, at moments of its own
        faults = [
            *faults_of_collector(collector),
            *faults_of_broker(stack.broker),
            *faults_of_postgres(stack, postgres),
            *faults_of_link("broker link", broker_link, chance),
            *faults_of_link("database link", database_link, chance),
        ]
        with fleet.load(RATE / PER_MESSAGE):
            wreak(faults, chance, seconds)
        print(f"  {fleet.readings} readings were sent")
        assert_all_well(stack, fleet.publisher, collector, timeout=120)
