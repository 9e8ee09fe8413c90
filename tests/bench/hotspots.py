"""Where the time goes: one flood under perf."""

from __future__ import annotations

import re
import subprocess
import time
from collections import defaultdict

from ingest import WARMUP_S, Window, run_store
from rig import Rig, has, rounds, say, sleep_until
from servers import children
from report import Section


def profile(rig: Rig, seconds: float) -> Section | None:
    """One flood under perf, which samples the programs of this run; by program and library."""
    hertz = 997
    if not has("perf"):
        return None
    data = rig.area / "perf.data"
    with rig.database() as database, rig.broker() as broker, rig.collector(broker, database) as collector:
        with rig.running(rig.flood(broker, WARMUP_S + seconds + 1)) as sim:
            sleep_until(time.monotonic() + WARMUP_S)
            assert broker.program is not None and rig.postgres.program is not None
            postgres = rig.postgres.program.pid
            programs = {
                "broker": [broker.program.pid],
                "devicesim": [sim.pid],
                "collector": [collector.pid],
                "PostgreSQL": [postgres, *children(postgres)],
            }
            pids = ",".join(str(pid) for group in programs.values() for pid in group)
            options = ["-F", str(hertz), "-e", "cpu-clock", "-o", str(data), "-p", pids]
            stored = collector.stored()
            window = Window(**programs)
            recorded = subprocess.run(
                ["perf", "record", "-q", *options, "--", "sleep", str(seconds)], capture_output=True, text=True
            )
            stored = collector.stored() - stored
            window.close()
            sim.wait(60)
    if recorded.returncode != 0:
        say(f"perf: {recorded.stderr.strip()}")
        return None
    listed = subprocess.run(
        ["perf", "report", "-i", data, "--sort", "comm,dso", "-n", "--stdio", "-g", "none"],
        capture_output=True,
        text=True,
    )
    samples: dict[tuple[str, str], int] = defaultdict(int)
    for line in listed.stdout.splitlines():
        match = re.match(r"\s*[\d.]+%\s+(\d+)\s+(\S+)\s+(\S.*?)\s*$", line)
        if match:
            samples[(match.group(2), match.group(3))] += int(match.group(1))
    return _profile_section(samples, {name: cpu / stored * 1e6 for name, cpu in window.cpu.items()})


def _part(program: str, library: str) -> tuple[str, str] | None:
    programs = {"mosquitto": "broker", "devicesim": "devicesim", "collector": "collector", "postgres": "PostgreSQL"}
    if program not in programs:
        return None
    if library.startswith("[k") or library == "[vdso]":
        return programs[program], "kernel"
    for name in ("libmosquitto", "libpq", "libuv", "libc.so"):
        if library.startswith(name):
            return programs[program], {"libc.so": "libc"}.get(name, name)
    return programs[program], "own code" if program == library else "other libraries"


def _profile_section(samples: dict[tuple[str, str], int], cpu_us: dict[str, float]) -> Section:
    """perf says how a program's time is shared, the scheduler how much it is."""
    parts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (program, library), count in samples.items():
        part = _part(program, library)
        if part:
            parts[part[0]][part[1]] += count
    columns = ["kernel", "own code", "libc", "libmosquitto", "libpq", "libuv", "other libraries"]
    section = Section(
        "Where the time goes",
        ["program", "all", *columns],
        "CPU per reading in microseconds during one flood: how much by the scheduler's count, where by perf. libc is "
        "mostly malloc() and memcpy(), called by the libraries and by our code. PostgreSQL is all of its processes: "
        "the backend, the WAL writer, the checkpointer.",
    )
    for program, total in cpu_us.items():
        found = parts[program]
        unit = total / max(1, sum(found.values()))
        cells = [f"{found[name] * unit:.2f}" if found[name] else "" for name in columns]
        section.add(program, f"{total:.2f}", *cells)
    section.add("together", f"{sum(cpu_us.values()):.2f}", *("" for _ in columns))
    section.notes.append(
        "libmosquitto 2.0 reads a message with four calls of the kernel, which was half of the collector's time; now one call "
        "fills a buffer (read_ahead.c). What is left in the kernel is a write() for each acknowledgement, and the rows on "
        "their way to PostgreSQL."
    )
    return section


# What is taken from the table of readings before rows are stored into it, one after the other.
WITHOUT = {
    "as it is": "",
    "without block ranges": "DROP INDEX readings_times",
    "without its key, too": "DROP INDEX readings_times; ALTER TABLE readings DROP CONSTRAINT readings_pkey",
}


def table(rig: Rig, runs: int, batches: int) -> Section:
    """What the backend spends on a row in full batches, by what it no longer spends without this and that."""

    def store(without: str) -> dict[str, float]:
        name = rig.name("without")
        rig.postgres.sql(f'CREATE DATABASE "{name}" OWNER highwater TEMPLATE "hour"')
        try:
            if without:
                rig.postgres.sql(without, name)
            return run_store(rig, batches, template=name)
        finally:
            rig.postgres.drop_database(name)

    found = rounds("table", runs, {what: lambda without=without: store(without) for what, without in WITHOUT.items()})
    section = Section(
        "What a row costs PostgreSQL",
        ["table of readings", "backend's CPU per row, us", "difference, us"],
        "The store alone, batches of 10,000, into tables that lack something. Nothing can do without the key: it is what makes "
        "a message that comes again no second row. Most of it is the way down its tree, to another leaf for each device.",
    )
    before = None
    for what, figures in found.items():
        spent = figures["PostgreSQL us"]
        section.add(what, spent.text(), f"{spent.median - before:+.2f}" if before is not None else "")
        before = spent.median
    return section
