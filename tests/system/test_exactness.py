"""Boards, histograms, pages and plots are what an oracle makes of what was published: while it runs, and after."""

from __future__ import annotations

from exactness import Exactness, report
from faults import arrived, subscribed
from mixed_load import MixedFleet
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
    assert exact.judged > 500
