"""Boards of a span and heat maps over HTTP: the night of a fleet, as one looks at it the morning after."""

from __future__ import annotations

import argparse
import contextlib
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass

from storage_rig import Rig, ask, bulk_load, iso, make_devices, rig, say

from report import Section, at_most
from servers import LOOPBACK, free_port

HOURS = 10
NIGHT = f"(date_bin('1 hour', now(), 'epoch') - interval '{HOURS + 1} hours')"
SPANS = {"whole hours": ("0", f"{HOURS} hours"), "cut hours": ("20 minutes", f"{HOURS - 1} hours 27 minutes")}
FEATURES = {"one feature": "temperature", "two features": "temperature,pressure"}
MAPS = {
    "the night": SPANS["whole hours"],
    "an hour": ("3 hours", "1 hour"),
    "ten minutes": ("3 hours", "10 minutes"),
}


def make_night(rig: Rig, devices: int) -> None:
    """A reading a minute of each device. Temperatures have a level of the device, what the night does to all, noise, and now
    and then a spike; pressures have a level and noise that is the same of all, which is the worst for bounds of means."""
    make_devices(rig, devices)
    rig.run(
        f"SELECT * FROM make_partitions({NIGHT}, now())",
        "INSERT INTO device_abouts (device_id, group_name) SELECT device_id, CASE WHEN id % 2 = 0 THEN 'half' END FROM devices",
    )
    with bulk_load(rig):
        for hour in range(HOURS):
            rig.run(
                "SET synchronous_commit = off",
                f"""INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure)
                SELECT d, hashint8(m::bigint << 32 | d), at, at + interval '40 ms', 1 + (hashint8(m + d) & 3),
                       20 + hashint4(d) % 400 / 10.0 + 8 * sin(m / 95.0 + d % 7) + random() * 2
                           + CASE WHEN random() < 1e-5 THEN 40 + random() * 100 ELSE 0 END,
                       12 + hashint4(-d) % 30 / 10.0 + random() * 3
                FROM (SELECT m, d, {NIGHT} + (m + (hashint4(d) & 1023) / 1024.0) * interval '1 minute' AS at
                      FROM generate_series({hour * 60}, {hour * 60 + 59}) m, generate_series(1, {devices}) d) x""",
            )
    rig.run(
        "SET work_mem = '256MB'",
        f"SELECT rollup_rebuild({NIGHT}, now())",
        "DO $$ BEGIN WHILE sheets_pass() LOOP END LOOP; END $$",
        "VACUUM ANALYZE",
    )


@dataclass
class Question:
    what: str
    features: str
    path: str
    p50_ms: float = 0.0
    p99_ms: float = 0.0


def questions(rig: Rig) -> list[Question]:
    def path(route: str, begins: str, lasts: str, **more: str) -> str:
        begin = f"{NIGHT} + interval '{begins}'"
        return f"{route}?" + urllib.parse.urlencode({**more, "from": iso(rig, begin), "to": iso(rig, f"{begin} + interval '{lasts}'")})

    asked = []
    for span, times in SPANS.items():
        for by in ("maximum", "deviation", "rise"):
            for many, features in FEATURES.items():
                asked.append(Question(f"board by {by}, {span}", many, path("/dashboard", *times, features=features, by=by)))
                named = f"the same of a group of half of the fleet, by {by}, {span}"
                asked.append(Question(named, many, path("/dashboard", *times, features=features, by=by, group="half")))
    for span, times in MAPS.items():
        asked.append(Question(f"heat map of {span}", "one feature", path("/heatmap", *times, feature="temperature")))
    return asked


@contextlib.contextmanager
def night(devices: int) -> Iterator[tuple[Rig, int]]:
    """A database with it, and the port of an httpapi before it."""
    with rig(max_wal_size="8GB") as r:
        make_night(r, devices)
        r.durable()
        r.broker.start()
        port = free_port()
        r.program("httpapi", http_listen=f"{LOOPBACK}:{port}").wait_for_line("listening on", 20)
        yield r, port


def measure(rig: Rig, port: int, times: int, only: str = "") -> list[Question]:
    """Each question so many times, one after the other."""
    asked = [question for question in questions(rig) if only in question.what]
    for question in asked:
        ask(port, question.path, 5)
        seconds = sorted(ask(port, question.path, times))
        question.p50_ms, question.p99_ms = (seconds[int(len(seconds) * share)] * 1e3 for share in (0.5, 0.99))
        say(f"    {question.what + ', ' + question.features:80} p50 {question.p50_ms:.1f} ms, p99 {question.p99_ms:.1f} ms")
    return asked


def section(devices: int, times: int) -> Section:
    with night(devices) as (r, port):
        asked = measure(r, port, times)
    made = Section(
        "Boards of a night",
        ["what, ms p50 / p99", *FEATURES, "to reach", "met"],
        f"`GET /dashboard?from=&to=&by=` and `GET /heatmap` of {HOURS} hours of {devices:,} devices that send once a minute,"
        f" out of the database, {times} times each, one after the other.",
    )
    for what in dict.fromkeys(question.what for question in asked):
        of_what = {question.features: question for question in asked if question.what == what}
        worst = max(question.p99_ms for question in of_what.values())
        has_goal = what.startswith("board by")
        cells = [f"{q.p50_ms:.1f} / {q.p99_ms:.1f}" if (q := of_what.get(many)) else "" for many in FEATURES]
        made.add(what, *cells, "p99 < 50 ms" if has_goal else "", at_most(worst, 50) if has_goal else "")
    made.notes.append(
        "Of the second feature the values of all devices spread alike, which is the worst for bounds of means. Where a span cuts hours,"
        " sums of ten minutes leave some dozens of devices to be looked at. Groups have no index of their own: sums are read of all devices."
        " What bounds are made of (`rollup_sheets`) reaches back four days: of a night before that, or one that is not over, it is rows of hours,"
        " which takes two to three times the CPU."
    )
    return made


def spans(args: argparse.Namespace) -> None:
    with night(args.devices) as (r, port):
        measure(r, port, args.times, args.only)
