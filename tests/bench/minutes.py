"""Plots of a dense device over HTTP: what answers cost, and what is kept for them."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from storage_rig import Rig, ask, bulk_load, iso, make_devices, percentiles, rig, say

from report import Section, at_most
from servers import LOOPBACK, free_port, until

# name: readings a second, the last one an hour ago
KINDS = {"1 Hz": 1, "10 Hz": 10}
SPANS = {"all": None, "a day": "24 hours", "an hour": "1 hour"}
STEPS = (60, 240, 500, 1000)


def make_readings(rig: Rig, device: int, hz: int, rows: int) -> None:
    """Of two decimals that drift, by clocks that jitter by a millisecond."""
    end = "(date_bin('1 hour', now(), 'epoch') - interval '1 hour')"
    rig.run(f"SELECT make_partitions({end} - interval '{rows / hz} seconds', now())")
    with bulk_load(rig):
        for first in range(0, rows, 100_000):
            rig.run(
                "SET synchronous_commit = off",
                f"""INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure)
                SELECT {device}, hashint8(i), at, at + interval '40 ms', 1 + (i & 3),
                       round((20 + 5 * sin(i / {7000 * hz}.0) + random())::numeric, 2), round((1013 + 5 * sin(i / {70000 * hz}.0) + 2 * random())::numeric, 2)
                FROM (SELECT i, {end} - ({rows} - i) * interval '{1000 / hz} ms' + (random() * 1000)::integer * interval '1 us' AS at
                      FROM generate_series({first}, {min(first + 100_000, rows) - 1}) i) x""",
            )


def keep_up(rig: Rig, rows: int) -> float:
    """As the collector does; CPU of the backend per reading."""
    connection = psycopg2.connect(rig.postgres.url())
    connection.autocommit = True
    with connection.cursor() as cursor:
        pid = connection.info.backend_pid

        def cpu_us() -> float:
            return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000

        before = cpu_us()
        while True:
            cursor.execute("SELECT minutes_pass()")
            if not cursor.fetchone()[0]:
                break
        took = cpu_us() - before
    connection.close()
    return took / rows


@dataclass
class Asked:
    kind: str
    span: str
    points: int
    took: list[float]

    def milliseconds(self, share: float) -> float:
        return sorted(self.took)[int(share * (len(self.took) - 1))] * 1e3


def ask_plots(rig: Rig, port: int, times: int) -> list[Asked]:
    asked = []
    for device, kind in enumerate(KINDS, 1):
        last = f"(SELECT max(last_at) FROM device_spans(ARRAY[{device}]))"
        for span, length in SPANS.items():
            bounds = ""
            if length is not None:
                since, until_ = (iso(rig, f"{last} - interval '{back}'") for back in (f"{length} 10 minutes", "10 minutes"))
                bounds = f"&from={since}&to={until_}"
            for points in STEPS:
                path = f"/devices/device_{device}/points?points={points}{bounds}"
                ask(port, path, 2)
                asked.append(Asked(kind, span, points, ask(port, path, times)))
                say(f"    {kind}, {span}, {points} steps: {percentiles(asked[-1].took)}")
    return asked


@dataclass
class Measured:
    cells: list[Asked]
    readings: list[Asked]
    upkeep_us: float
    bytes_each: dict[str, float]


def measure(rows: int, times: int) -> Measured:
    with rig() as r:
        make_devices(r, len(KINDS))
        for device, (kind, hz) in enumerate(KINDS.items(), 1):
            make_readings(r, device, hz, rows)
            say(f"{kind}: {rows} readings, {rows / hz / 3600:.0f} hours")
        r.run("SET work_mem = '256MB'", f"SELECT rollup_rebuild(now() - interval '{rows} seconds', now())", "VACUUM ANALYZE")
        r.run("SELECT rollup_set_late_before('0 s')", "SELECT rollup_until(late_before) FROM storage_state")
        r.durable()
        port = free_port()
        r.broker.start()
        api = r.program("httpapi", http_listen=f"{LOOPBACK}:{port}", statement_timeout="600s")
        until(lambda: is_ready(port), 20, "httpapi answers out of the database")
        readings = ask_plots(r, port, max(times // 20, 3))
        upkeep_us = keep_up(r, rows * len(KINDS))
        r.run("VACUUM ANALYZE rollup_minutes")
        sizes = {
            kind: float(r.run(f"SELECT coalesce(sum(pg_column_size(m.*) + 28 + 24 + length(feature)), 0) FROM rollup_minutes m WHERE device = {device}")[0][0]) / rows
            for device, kind in enumerate(KINDS, 1)
        }
        say(f"upkeep: {upkeep_us:.2f} us of CPU a reading; bytes a reading, rows and keys: {sizes}")
        cells = ask_plots(r, port, times)
        api.terminate()
    return Measured(cells, readings, upkeep_us, sizes)


def is_ready(port: int) -> bool:
    with contextlib.suppress(OSError, AssertionError):
        return bool(ask(port, "/devices/device_1/points?points=1", 1))
    return False


def section(rows: int, times: int) -> Section:
    found = measure(rows, times)
    made = Section(
        "Plots of a dense device",
        ["span, ms p50 / p99", *(f"{points} steps" for points in STEPS), "to reach", "met"],
        f"`GET /devices/<id>/points` of a device with {rows:,} readings of two features, out of the database, {times} times each, one after the other.",
    )
    for kind in KINDS:
        for span in SPANS:
            mine = [one for one in found.cells if (one.kind, one.span) == (kind, span)]
            worst = max(one.milliseconds(0.99) for one in mine)
            made.add(f"{kind}, {span}", *(f"{one.milliseconds(0.5):.1f} / {one.milliseconds(0.99):.1f}" for one in mine), "p99 < 100 ms", at_most(worst, 100))
        whole = [one for one in found.readings if (one.kind, one.span) == (kind, "all")]
        made.add(f"{kind}, all, before there are cells", *(f"{one.milliseconds(0.5):.0f} / {one.milliseconds(0.99):.0f}" for one in whole), "", "")
    each = " and ".join(f"{size:.2f} bytes a reading at {kind}" for kind, size in found.bytes_each.items())
    made.notes.append(f"Cells of minutes, or ten seconds, take {each}, keys included; making them takes maintenance {found.upkeep_us:.2f} us of CPU a reading, once.")
    return made


def minutes(args: argparse.Namespace) -> None:
    print(section(int(float(args.rows)), args.times).text())
