"""What the benchmarks measure with: private servers, CPU per process, medians, progress.

CPU is what the kernel's scheduler counted for a process, in nanoseconds (/proc/<pid>/task/*/schedstat), so a
window of a few seconds is enough. Every variant of a comparison runs in the same minutes: rounds() goes through
all of them, then through all again in the other direction, so that whatever else the machine does meets
them alike; what is shown is the median of the rounds with the least and the most.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

CLONE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CLONE / "deploy" / "local"))

from servers import (  # noqa: E402
    LOOPBACK,
    PrivateBroker,
    PrivatePostgres,
    Program,
    ServerError,
    free_port,
    until,
    samples_of,
)

BUILD = (CLONE / (os.environ.get("BUILD_DIR") or "build")).resolve()
BENCH = BUILD / "release" / "bench"

DEVICES = 10000
CONNECTIONS = 4
HIGHEST = {"pressure": 25.0, "temperature": 200.0}  # of devicesim's default features
HOUR_S = 3600


# --- Figures -------------------------------------------------------------------------------------


class Figure:
    """A figure in several runs: its median is what is said, least and most say how sure it is."""

    def __init__(self, values: Iterable[float]) -> None:
        self.values = [value for value in values if not math.isnan(value)]

    @property
    def median(self) -> float:
        return statistics.median(self.values) if self.values else math.nan

    def text(self, digits: int = 3) -> str:
        """68,100 (66,900 - 69,200)"""
        if not self.values:
            return "-"
        middle = number(self.median, digits)
        if len(self.values) == 1:
            return middle
        return f"{middle} ({number(min(self.values), digits)} - {number(max(self.values), digits)})"

    def over(self, other: Figure) -> Figure:
        """The ratio, run by run: the runs of one round belong together."""
        return Figure(a / b for a, b in zip(self.values, other.values) if b)

    def minus(self, other: Figure) -> Figure:
        return Figure(a - b for a, b in zip(self.values, other.values))


def number(value: float, digits: int = 3) -> str:
    """With `digits` digits that count, and thousands marked."""
    if math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    if decimals == 0:
        step = 10 ** max(0, math.floor(math.log10(abs(value))) + 1 - digits)
        return f"{round(value / step) * step:,.0f}"
    return f"{value:,.{min(decimals, 3)}f}"


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else math.nan


# --- Progress ------------------------------------------------------------------------------------

_started = time.monotonic()


def say(text: str) -> None:
    minutes, seconds = divmod(int(time.monotonic() - _started), 60)
    print(f"[{minutes:2d}:{seconds:02d}] {text}", flush=True)


def rounds(name: str, count: int, variants: dict[str, Callable[[], dict[str, float]]]) -> dict[str, dict[str, Figure]]:
    """Runs each variant `count` times, interleaved; returns figures by variant and name."""
    results: dict[str, list[dict[str, float]]] = {variant: [] for variant in variants}
    for number_of_round in range(count):
        order = list(variants) if number_of_round % 2 == 0 else list(reversed(variants))
        for variant in order:
            result = variants[variant]()
            results[variant].append(result)
            shown = ", ".join(f"{key} {number(value)}" for key, value in result.items() if not key.startswith("_"))
            say(f"{name} {number_of_round + 1}/{count}: {variant}: {shown}")
    return {
        variant: {key: Figure(run.get(key, math.nan) for run in runs) for key in runs[0]}
        for variant, runs in results.items()
        if runs
    }


# --- Processes -----------------------------------------------------------------------------------


def cpu_s(*pids: int) -> float:
    """User and system time of the processes so far, of all their threads that still live."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def reads_and_writes(pid: int) -> tuple[int, int]:
    """Calls of read() and of write() so far, of whichever kind; send() and recv() are none."""
    counts = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(counts["syscr"]), int(counts["syscw"])


def voluntary_switches(pid: int) -> int:
    """How often it went to sleep, which is how often it was woken up."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    raise ServerError(f"no voluntary_ctxt_switches in /proc/{pid}/status")


def busy_share(seconds: float = 2.0) -> float:
    """How much of all cores is in use now, by anybody, in percent."""

    def times() -> tuple[int, int]:
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]  # all; idle and waiting for a disk

    total, idle = times()
    time.sleep(seconds)
    total_then, idle_then = times()
    return 100 * (1 - (idle_then - idle) / max(1, total_then - total))


def evenness(times: int = 200) -> list[float]:
    """How long the same piece of work takes one core each time, in ms: how much of a slowest hundredth is the machine's."""
    work = bytes(16 << 20)
    took = []
    for _ in range(times):
        began = time.perf_counter()
        hashlib.sha256(work).digest()
        took.append(1e3 * (time.perf_counter() - began))
    return took


def sleep_until(moment: float) -> None:
    """`moment` of time.monotonic()."""
    delay = moment - time.monotonic()
    if delay > 0:
        time.sleep(delay)


def last_json(program: Program) -> dict[str, Any]:
    """The last line that a program wrote, which is an object."""
    lines = [line for line in program.output().splitlines() if line.startswith("{")]
    if not lines:
        raise ServerError(f"{program.name} gave no figures:\n{program.tail()}")
    return json.loads(lines[-1])


def has(command: str) -> bool:
    return shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") is not None


# --- The rig -------------------------------------------------------------------------------------


class Rig:
    """The private servers, and the programs on them. One PostgreSQL for all runs; a database for each run, made
    from a template; a new broker for each run, since a durable session would go on filling."""

    def __init__(self, area: Path) -> None:
        self.area = area
        self.logs = area / "log"
        self.postgres = PrivatePostgres(area / "postgres")
        self._count = 0

    def start(self) -> None:
        self.postgres.start()
        self.make_template("fresh", history=False)
        self.make_template("hour", history=True)

    def stop(self) -> None:
        if self.postgres.is_running():
            self.postgres.stop("immediate")

    def name(self, what: str) -> str:
        self._count += 1
        return f"{what}_{self._count}"

    # databases

    def make_template(self, name: str, history: bool) -> None:
        """Migrated; with `history` in the state after an hour of readings by all devices, one a second, as far as a
        collector can tell: its devices are registered, their peaks known, and of the hour's readings those are
        there that no later one of their device equals or beats."""
        self.postgres.drop_database(name)
        url = self.postgres.create_database(name)
        done = subprocess.run(
            [BUILD / "collector", "--database-url", url, "--migrate"], capture_output=True, text=True, cwd="/"
        )
        if done.returncode != 0:
            raise ServerError(f"collector --migrate failed:\n{done.stderr}")
        if history:
            _write_history(url)

    @contextlib.contextmanager
    def database(self, template: str = "hour") -> Iterator[str]:
        """A copy of a template for one run; yields its name."""
        name = self.name("run")
        self.postgres.sql(f'CREATE DATABASE "{name}" OWNER highwater TEMPLATE "{template}"')
        try:
            yield name
        finally:
            self.postgres.drop_database(name)
            self.postgres.sql("CHECKPOINT")  # what this run left to write is not the next one's

    # programs

    @contextlib.contextmanager
    def broker(self) -> Iterator[PrivateBroker]:
        home = self.area / self.name("broker")
        broker = PrivateBroker(home, log=self.logs / f"{home.name}.log")
        broker.start()
        try:
            yield broker
        finally:
            broker.kill9()
            shutil.rmtree(home, ignore_errors=True)

    @contextlib.contextmanager
    def running(self, program: Program) -> Iterator[Program]:
        """Started, and gone at the end of the block however it ends."""
        program.start()
        try:
            yield program
        finally:
            program.kill9()

    def program(self, name: str, argv: Sequence[str | Path | float]) -> Program:
        return Program(name, [str(arg) for arg in argv], self.logs / f"{self.name(name)}.log")

    def devicesim(self, broker: PrivateBroker, *args: str | float) -> Program:
        return self.program("devicesim", [BUILD / "devicesim", "--json", "--mqtt-url", broker.url(), *args])

    def flood(self, broker: PrivateBroker, seconds: float, devices: int = DEVICES) -> Program:
        """The default load: as fast as it is acknowledged."""
        fleet = ["--num-devices", devices, "--connections", CONNECTIONS, "--rate", "max", "--duration", f"{seconds:g}s"]
        return self.devicesim(broker, *fleet, "--drain-timeout", "2s")

    def null_subscriber(self, broker: PrivateBroker, *args: str | float) -> Program:
        return self.program("null_subscriber", [BENCH / "null_subscriber", "--port", broker.port, *args])

    @contextlib.contextmanager
    def collector(self, broker: PrivateBroker, database: str, *args: str) -> Iterator[Collector]:
        """One that has its windows complete and its connections up."""
        collector = Collector(self, broker, database, args)
        with self.running(collector.program):
            until(collector.is_ready, 120, "the collector is ready", pause=0.05)
            yield collector


class Collector:
    """Without a database it stores somewhere else."""

    def __init__(self, rig: Rig, broker: PrivateBroker, database: str | None, args: Sequence[str]) -> None:
        self.rig = rig
        self.database = database
        self.port = free_port()
        into = ["--database-url", rig.postgres.url(database)] if database else []
        argv = [BUILD / "collector", *into, "--mqtt-url", broker.url()]
        self.program = rig.program("collector", [*argv, "--metrics-listen", f"{LOOPBACK}:{self.port}", *args])

    @property
    def pid(self) -> int:
        return self.program.pid

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def is_ready(self) -> bool:
        if not self.program.is_running():
            raise ServerError(f"the collector ended:\n{self.program.tail()}")
        with contextlib.suppress(OSError):
            return self.get("/readyz").startswith("ready")
        return False

    def metric(self, name: str) -> float:
        samples = samples_of(self.get("/metrics"))
        if name not in samples:
            raise ServerError(f"the collector has no metric {name}")
        return samples[name]

    def total(self, name: str) -> float:
        """Of all its labels; 0: there is none yet."""
        return sum(value for series, value in samples_of(self.get("/metrics")).items() if series.split("{")[0] == name)

    def stored(self) -> float:
        return self.metric("highwater_readings_stored_total")

    def backends(self) -> list[int]:
        return self.rig.postgres.backends(self.database) if self.database else []

    def storing(self) -> list[int]:
        """Of its backends, who stores; the others look after storage."""
        named = "datname = current_database() AND application_name ~ '^highwater collector '"
        found = self.rig.postgres.sql(f"SELECT pid FROM pg_stat_activity WHERE {named}", self.database)
        return [int(pid) for pid in found.split()]


def _write_history(url: str) -> None:
    import psycopg2

    chance = random.Random(1)
    now = time.time()
    rows = []
    for device in range(1, DEVICES + 1):
        for feature, highest in HIGHEST.items():
            steps = _staircase(chance)
            for age, share in steps:
                value = round(share * highest, 2)
                when = _moment(now - age - chance.random())
                columns = [value if name == feature else "\\N" for name in sorted(HIGHEST)]
                hash_of_it = chance.randrange(-(2**31), 2**31)
                rows.append(f"{device}\t{hash_of_it}\t{when}\t{when}\t1\t{columns[0]}\t{columns[1]}")
            # and its lowest, as far from the bottom as the highest is from the top
            when = _moment(now - HOUR_S - chance.random())
            value = round((1 - steps[-1][1]) * highest, 2)
            columns = [value if name == feature else "\\N" for name in sorted(HIGHEST)]
            rows.append(f"{device}\t{chance.randrange(-(2**31), 2**31)}\t{when}\t{when}\t1\t{columns[0]}\t{columns[1]}")
    names = ", ".join(sorted(HIGHEST))
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO devices (device_id) SELECT 'device_' || n FROM generate_series(1, %s) n ORDER BY n", [DEVICES]
        )
        columns = f"device, content_hash, recorded_at, received_at, status, {names}"
        cursor.copy_expert(f"COPY readings ({columns}) FROM STDIN", _Lines(rows))
    connection.autocommit = True
    with connection.cursor() as cursor:
        # what a collector that looks after storage has done by then, so that no run does it again
        cursor.execute("SELECT rollup_set_late_before('0 s')")
        for work in (
            "SELECT rollup_until(late_before) < late_before FROM storage_state",
            "SELECT rollup_fold_late(20000) = 20000",
            "SELECT rollup_fold_fleet(20000) = 20000",
            "SELECT values_pass()",
            "SELECT values_fold_late(2000) > 0",
            "SELECT minutes_pass()",
        ):
            while cursor.execute(work) or cursor.fetchone() == (True,):
                pass
        cursor.execute("VACUUM ANALYZE")
    connection.close()


def _staircase(chance: random.Random) -> list[tuple[float, float]]:
    """Of an hour of even random numbers, one a second: those that no later one beats, as (age, value), newest
    first. A value m is first beaten after a geometric wait with chance 1 - m, by a value even in (m, 1)."""
    steps, age, value = [], 1.0, chance.random()
    while age <= HOUR_S:
        steps.append((age, value))
        age += 1 + math.floor(math.log(1 - chance.random()) / math.log(value))
        value += (1 - value) * chance.random()
    return steps


def _moment(seconds: float) -> str:
    whole = int(seconds)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1e6):06d}+00"


class _Lines:
    """A file of lines to read from."""

    def __init__(self, lines: list[str]) -> None:
        self._data = "\n".join([*lines, ""]).encode()
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        end = len(self._data) if size < 0 else self._at + size
        part = self._data[self._at : end]
        self._at = end
        return part


@contextlib.contextmanager
def rig() -> Iterator[Rig]:
    """A rig of its own in a directory that the servers' users can get through to."""
    area = Path(tempfile.mkdtemp(prefix="highwater-bench-"))
    area.chmod(0o755)
    built = Rig(area)
    try:
        built.start()
        yield built
    finally:
        built.stop()
        shutil.rmtree(area, ignore_errors=True)
