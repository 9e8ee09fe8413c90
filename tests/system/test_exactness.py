"""Boards, histograms, pages and plots are what an oracle makes of what was published: while it runs, and after."""

from __future__ import annotations

import math
import time

import pytest
from exactness import Exactness, report
from faults import arrived, subscribed
from mixed_load import MixedFleet, hash_of
from oracle import now_us, to_text
from published import Eras, Settings
from servers import LOOPBACK, free_port, until

FEATURES = ("temperature", "pressure", "humidity")
INTERVALS = {"brief": 2, "moment": 5, "past_minute": 60, "past_hour": 3600, "all_time": None}


def exactness(stack, rng, fleet, eras, settings, **more):
    return Exactness(
        stack, rng, [fleet.publisher], eras, lambda: settings, fleet.devices, FEATURES, INTERVALS, **more
    )


def assert_none(differences):
    assert not differences, f"{len(differences)} differences\n{report(differences)}"


def start(stack, rng, **httpapi):
    """A collector, a fleet that has not begun, and httpapi: (what to start Exactness with)."""
    settings = Settings(FEATURES, tuple(INTERVALS.items()), limit=4, lowest=True)
    eras = Eras()
    eras.begin("collector", settings)
    stack.start_collector(**settings.for_collector())
    fleet = MixedFleet(rng, stack.publisher(), FEATURES)
    subscribed(fleet.publisher, device="marker")
    arrived(stack, fleet.publisher)
    stack.start_httpapi(**{**settings.for_httpapi(), **httpapi})
    return fleet, eras, settings


def run(stack, exact, fleet, answers, rate=100):
    """Load, until so many questions are answered; then everything that was said, and the rows."""
    with exact:
        with fleet.load(rate):
            until(lambda: len(exact.questioner.answers) >= answers, 60, f"{answers} answers")
        arrived(stack, fleet.publisher)
    assert_none(exact.differences())
    verdict = exact.ledger.verdict(stack.database)
    assert verdict, str(verdict)


def test_what_sql_answers_under_load_is_what_was_published(stack, rng):
    fleet, eras, settings = start(stack, rng, mqtt_url=f"mqtt://{LOOPBACK}:{free_port()}")  # hears of no board
    exact = exactness(stack, rng, fleet, eras, settings, pause_s=0, heeds_boards=False)
    run(stack, exact, fleet, answers=400)
    assert_none(exact.settled_differences())
    assert exact.judged["database"] > 400


def now_and_then_still(program):
    """Its loop is late, by up to a second, a dozen times."""

    def disturb(rng):
        for _ in range(12):
            with program.paused():
                time.sleep(rng.random() ** 2)  # the length of the fault
            time.sleep(rng.random() / 2)  # and of what lies between two

    return disturb


def away_for(seconds, server):
    """Twice: what expires meanwhile must not expire from an as-of that stands still."""

    def disturb(rng):
        for _ in range(2):
            server.stop()
            time.sleep(seconds)  # the length of the fault
            server.start()
            time.sleep(2 * rng.random())  # and of what lies between two

    return disturb


LONG = [pytest.param(name, marks=pytest.mark.faults) for name in ("late httpapi", "no broker")]


@pytest.mark.parametrize("disturbance", ["nothing", "late collector", "no database", *LONG])
def test_every_answer_is_that_of_its_own_moment(stack, postgres, rng, disturbance):
    fleet, eras, settings = start(stack, rng)
    disturb = {
        "nothing": lambda rng: time.sleep(3),  # as long as what it is compared with
        "late collector": now_and_then_still(stack.program_named("collector")),
        "late httpapi": now_and_then_still(stack.program_named("httpapi")),
        "no database": away_for(4, postgres),
        "no broker": away_for(1, stack.broker),
    }[disturbance]
    exact = exactness(stack, rng, fleet, eras, settings, pause_s=0.02)
    with exact:
        with fleet.load(100):
            disturb(rng)
        arrived(stack, fleet.publisher)
        until(lambda: sum(a.source == "boards" for a in exact.questioner.answers) >= 50, 30, "boards answer")
    assert_none(exact.differences())
    assert all(exact.judged[what] for what in ("boards", "events", "MQTT", "vouched for")), exact.judged
    assert_none(exact.settled_differences())
    verdict = exact.ledger.verdict(stack.database)
    assert verdict, str(verdict)


def test_a_board_loses_what_expires_at_the_moment_that_it_names(stack, rng):
    """Two readings a second apart, an interval of two: asked as fast as it goes, over and over."""
    fleet, eras, settings = start(stack, rng)
    exact = exactness(stack, rng, fleet, eras, settings, pause_s=0)
    exact.questioner.of_kind = lambda kind, settings: ("board", "/dashboard", {"interval": "brief"})
    with exact:
        for _ in range(4):
            for value in (2, 1):
                fleet.send_document("d", {"temperature": value, "timestamp": to_text(now_us())})
                time.sleep(1)  # the second between the two
            time.sleep(1.5)  # until both have expired
    assert_none(exact.differences())


def test_plots_and_value_histograms_of_any_span_and_step(stack, rng):
    """Readings of the last hours, so that whole hours come out of the rollups and the rest out of readings."""
    fleet, eras, settings = start(stack, rng, mqtt_url=f"mqtt://{LOOPBACK}:{free_port()}")
    fleet.devices = fleet.devices[:3]
    hour_us = 3_600_000_000
    for _ in range(1500):
        device = rng.choice(fleet.devices)
        fleet.send_document(device, fleet.reading(device, now_us() - rng.randrange(5 * hour_us)))
    arrived(stack, fleet.publisher)
    exact = exactness(stack, rng, fleet, eras, settings, heeds_boards=False)
    for _ in range(150):
        exact.questioner.ask(exact.questioner.of_kind("points", settings))
        exact.questioner.ask(exact.questioner.of_kind("values", settings))
    exact.questioner.snapshots.close()
    assert_none(exact.differences())


def test_values_at_the_ends_of_what_doubles_hold(stack, rng):
    """Neighbours, the largest, the smallest: boards, bins and steps of them."""
    fleet, eras, settings = start(stack, rng, mqtt_url=f"mqtt://{LOOPBACK}:{free_port()}")
    values = [1.0, math.nextafter(1.0, 2.0), math.nextafter(1.0, 0.0), 0.0, -0.0, 5e-324, -5e-324, 0.1, 1 / 3]
    values += [1.7e308, -1.7e308, math.nextafter(math.inf, 0.0), 1e290, 1e291, 9007199254740993.0, 123456789.123456789]
    some = {"near": values[:3], "tiny": values[3:7], "all": values, "wide": values[9:12], "one": values[:1]}
    fleet.devices = list(some)
    for number in range(300):
        device = rng.choice(fleet.devices)
        document = {"x": number, "timestamp": now_us() - rng.randrange(7_200_000_000)}
        fleet.send_document(device, {**document, **{name: rng.choice(some[device]) for name in FEATURES}})
    arrived(stack, fleet.publisher)
    exact = exactness(stack, rng, fleet, eras, settings, heeds_boards=False)
    for _ in range(100):
        exact.questioner.ask(exact.questioner.of_kind("points", settings))
        exact.questioner.ask(exact.questioner.of_kind("values", settings))
    assert_none(exact.settled_differences())
    exact.questioner.snapshots.close()


@pytest.mark.faults
def test_nobody_misses_a_number_that_was_stored(stack, rng):
    """Late readings, twins and restarts among them: what a device numbered is all there, so nothing is missing."""
    fleet, _eras, settings = start(stack, rng)
    collector = stack.program_named("collector")
    with fleet.load(100):
        for _ in range(5):
            time.sleep(2 * rng.random())  # a random moment for the kill
            collector.kill9()
            collector.start()
    arrived(stack, fleet.publisher)

    def wrong():
        shown = {d["deviceId"]: d["sequence"] for d in stack.get_json("/devices")["devices"]}
        return {
            device: (last, shown.get(device))
            for device, last in fleet.numbers.items()
            if hash_of(device) % 2 and not is_right(shown.get(device), last)
        }

    def is_right(sequence, last):
        return sequence and (sequence["highest"], sequence["missing"], sequence["restarts"]) == (last, 0, 0)

    try:
        until(lambda: not wrong(), 10)
    except AssertionError:
        raise AssertionError(f"(last sent, shown): {wrong()}") from None


def test_what_is_taken_out_is_nowhere(stack, rng):
    """Spans of a device, single features, whole devices: as if they had never come, live boards included."""
    fleet, eras, settings = start(stack, rng)
    fleet.send(400)
    arrived(stack, fleet.publisher)
    exact = exactness(stack, rng, fleet, eras, settings, pause_s=0.02)
    exact.learn()
    for number, device in enumerate(fleet.devices[:6]):
        times = sorted(f.at_us for f in exact.ledger.facts.values() if f.device_id == device)
        starts, ends = sorted(rng.sample(times, 2))
        feature = rng.choice(FEATURES) if number % 2 else None
        exact.ledger.remove(device, starts, ends, feature)
        query = "SELECT readings_remove(%s, %s, %s, %s)"
        stack.database.rows(query, (device, to_text(starts), to_text(ends), feature))
    gone = fleet.devices.pop()  # sends no more
    exact.ledger.forget(gone)
    stack.database.rows("SELECT device_remove(%s)", (gone,))
    told_us = now_us() + 1_000_000  # live boards follow within a second
    until(lambda: exact.questioner.ask(("board", "/dashboard", {})).as_of_us > told_us, 30, "a later board")
    exact.questioner.answers.clear()
    run(stack, exact, fleet, answers=150)
    assert_none(exact.settled_differences())
