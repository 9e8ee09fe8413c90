"""Where the time goes: one flood under perf."""

from __future__ import annotations

import re
import subprocess
import time
from collections import defaultdict
from pathlib import Path

from ingest import WARMUP_S, Window, run_store
from rig import BUILD, Rig, has, rounds, say, sleep_until
from servers import children
from report import Section


def profile(rig: Rig, seconds: float) -> list[Section]:
    """One flood under perf, which samples the programs of this run; by program and library, and the collector by
    what it does."""
    hertz = 997
    if not has("perf"):
        return []
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
            options = ["-F", str(hertz), "-e", "cpu-clock", "-g", "-o", str(data), "-p", pids]
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
        return []
    samples: dict[tuple[str, str], int] = defaultdict(int)
    for count, program, library in _report(data, "--no-children", "--sort", "comm,dso"):
        samples[(program, library)] += count
    cpu_us = {name: cpu / stored * 1e6 for name, cpu in window.cpu.items()}
    return [_profile_section(samples, cpu_us), _collector_section(data, samples, cpu_us["collector"])]


def _report(data: Path, *how: str) -> list[tuple[int, str, str]]:
    """Samples, and the two things that they are sorted by. With children a function's are those of what it calls, too."""
    listed = subprocess.run(
        ["perf", "report", "-i", data, *how, "-n", "--stdio", "-g", "none"], capture_output=True, text=True
    )
    found = []
    for line in listed.stdout.splitlines():
        match = re.match(r"\s*[\d.]+%(?:\s+[\d.]+%)?\s+(\d+)\s+(\S+)\s+(\S.*?)\s*$", line)
        if match:
            found.append((int(match.group(1)), match.group(2), match.group(3)))
    return found


# What the collector asks of the kernel, and where its own functions lie.
CALLS = {
    "write": "acknowledgements: write()",
    "readv": "messages: readv()",
    "sendto": "rows and boards: send()",
    "recvfrom": "answers: recv()",
    "epoll_wait": "waiting: epoll_wait()",
}
PLACES = {
    "shared/model/|collector/decoders/": "decoding a message",
    "collector/(windows|staircase|tower|pack)": "windows",
    "collector/batch": "the batch, sorted",
    "collector/stores/": "rows of COPY, peaks, sums",
    "collector/(devices|intake|ingest)|shared/base/": "finding devices, the rest of a message",
}


def _collector_section(data: Path, samples: dict[tuple[str, str], int], cpu_us: float) -> Section:
    shares: dict[str, int] = defaultdict(int)
    kernel = 0
    for call, count in _calls(data).items():
        shares[CALLS[call]] += count
        kernel += count
    files = _files()
    for count, library, symbol in _report(data, "--no-children", "--comm", "collector", "--sort", "dso,sym"):
        if library != "collector":
            continue
        place = files.get(symbol.split()[-1], "")
        what = next((what for place_of, what in PLACES.items() if re.match(place_of, place)), "reading ahead, links, the rest")
        shares[what] += count
    libraries = defaultdict(int)
    for (program, library), count in samples.items():
        if program == "collector":
            libraries[_part(program, library)[1]] += count  # type: ignore[index]
    shares["kernel, for other things"] = max(0, libraries.pop("kernel", 0) - kernel)
    libraries.pop("own code", None)
    shares.update(libraries)
    unit = cpu_us / max(1, sum(shares.values()))
    section = Section(
        "The collector by what it does",
        ["what", "CPU per reading, us"],
        "Of the same flood. libc is mostly malloc() and free() of what libmosquitto makes of each message and acknowledgement.",
    )
    for what, count in sorted(shares.items(), key=lambda one: -one[1]):
        if count * unit >= 0.005:
            section.add(what, f"{count * unit:.2f}")
    return section


def _calls(data: Path) -> dict[str, int]:
    """Samples within each call of the kernel by the collector. Which of these names is there depends on the kernel."""
    listed = subprocess.run(
        ["perf", "script", "-i", data, "--comm", "collector", "-F", "ip,sym"], capture_output=True, text=True
    )
    found: dict[str, int] = defaultdict(int)
    for sample in listed.stdout.split("\n\n"):
        match = re.search(rf" (?:__(?:x64|arm64)_sys_|ksys_|do_)({'|'.join(CALLS)})$", sample, re.MULTILINE)
        if match:
            found[match.group(1)] += 1
    return found


def _files() -> dict[str, str]:
    """Where each function of the collector lies."""
    listed = subprocess.run(["nm", "-l", BUILD / "collector"], capture_output=True, text=True)
    found = {}
    for line in listed.stdout.splitlines():
        match = re.match(r"\S+ [tT] (\S+)\t(\S+):\d+$", line)
        if match:
            found[match.group(1)] = re.sub(r"^.*?(?=(?:shared|collector)/)", "", match.group(2))
    return found


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
        "libmosquitto 2.0 reads a message with four calls of the kernel and writes each acknowledgement with one; here one call fills a "
        "buffer for many messages (read_ahead.c), and one empties another of many acknowledgements (write_gather.c)."
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

    smaller = {f"as it is, batches of {size:,}": size for size in (1000, 100)}
    found = rounds(
        "table",
        runs,
        {
            **{what: lambda without=without: store(without) for what, without in WITHOUT.items()},
            **{
                what: lambda size=size: run_store(rig, batches * 1000 // size, "--batch-size", str(size))
                for what, size in smaller.items()
            },
        },
    )
    section = Section(
        "What a row costs PostgreSQL",
        ["table of readings", "backend's CPU per row, us", "difference, us"],
        "The store alone, batches of 10,000, into tables that lack something. Nothing can do without the key: it is what makes "
        "a message that comes again no second row. Most of it is the way down its tree, to another leaf for each device.",
    )
    before = None
    for what, figures in found.items():
        spent = figures["PostgreSQL us"]
        compared = before is not None and what not in smaller
        section.add(what, spent.text(), f"{spent.median - before:+.2f}" if compared else "")
        before = spent.median
    section.notes.append(
        "A transaction costs what it costs, whatever is in it: at 10,000 readings a second a batch has a hundred or so, in a flood "
        "thousands. BATCH_SIZE bounds them, for what a batch holds is in the collector's memory twice."
    )
    return section
