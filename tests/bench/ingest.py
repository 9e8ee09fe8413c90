"""From the broker to the database: how much, how soon, at what cost, and what remains when it is over."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections import defaultdict

import visible
from rig import (
    BENCH,
    CONNECTIONS,
    DEVICES,
    Collector,
    Figure,
    Program,
    Rig,
    ServerError,
    cpu_s,
    has,
    last_json,
    number,
    rounds,
    say,
    sleep_until,
    until,
    voluntary_switches,
)
from servers import children
from report import Section, at_least, at_most, verdict

WARMUP_S = 1.5
TARGETS = ["what", "Highwater", "beside it", "ratio or difference", "to reach", "met"]


# --- The flood -----------------------------------------------------------------------------------


def null_flood(rig: Rig, seconds: float, *args: str) -> dict[str, float]:
    """The flood into a null subscriber."""
    with rig.broker() as broker:
        subscriber = rig.null_subscriber(broker, "--warmup", WARMUP_S, "--seconds", seconds, *args)
        with rig.running(subscriber):
            subscriber.wait_for_line("ready")
            with rig.running(rig.flood(broker, WARMUP_S + seconds + 0.5)) as sim:
                sleep_until(time.monotonic() + WARMUP_S)
                window = _Window(broker=broker.program.pid, sim=sim.pid)
                subscriber.wait(seconds + 30)
                window.close()
                figures = last_json(subscriber)
    messages = figures["per_second"] * window.seconds
    return {
        "per second": figures["per_second"],
        "CPU us": figures["cpu_us"],
        "broker us": window.cpu["broker"] / messages * 1e6,
        "devicesim us": window.cpu["sim"] / messages * 1e6,
    }


def collector_flood(rig: Rig, seconds: float, template: str = "hour", *args: str) -> dict[str, float]:
    """The flood into the collector; also looks whether all of it arrived."""
    with rig.database(template) as database, rig.broker() as broker:
        before = _rows(rig, database)
        with rig.collector(broker, database, *args) as collector:
            with rig.running(rig.flood(broker, WARMUP_S + seconds + 0.5)) as sim:
                sleep_until(time.monotonic() + WARMUP_S)
                backends = collector.backends()
                stored = collector.stored()
                window = _Window(broker=broker.program.pid, sim=sim.pid, collector=collector.pid, postgres=backends)
                sleep_until(time.monotonic() + seconds)
                stored = collector.stored() - stored
                window.close()
                sim.wait(60)
                acked = last_json(sim)["acked"]
            peak = collector.program.peak_rss_kb() / 1024
            until(lambda: collector.stored() >= acked, 60, "everything acknowledged is stored")
            kept = _rows(rig, database) - before
            if kept < acked:
                raise ServerError(f"{acked:.0f} readings were acknowledged and {kept} are stored")
    return {
        "per second": stored / window.seconds,
        "CPU us": window.cpu["collector"] / stored * 1e6,
        "PostgreSQL us": window.cpu["postgres"] / stored * 1e6,
        "broker us": window.cpu["broker"] / stored * 1e6,
        "devicesim us": window.cpu["sim"] / stored * 1e6,
        "peak MB": peak,
    }


class _Window:
    """CPU seconds of processes from here to close(); what has ended by then counts nothing."""

    def __init__(self, **pids: int | list[int]) -> None:
        groups = {name: pid if isinstance(pid, list) else [pid] for name, pid in pids.items()}
        self._before = {name: {pid: cpu_s(pid) for pid in group} for name, group in groups.items()}
        self._began = time.monotonic()

    def close(self) -> None:
        self.cpu = {name: sum(self._since(*one) for one in group.items()) for name, group in self._before.items()}
        self.seconds = time.monotonic() - self._began

    @staticmethod
    def _since(pid: int, before: float) -> float:
        try:
            return cpu_s(pid) - before
        except FileNotFoundError:
            return 0.0


def _rows(rig: Rig, database: str) -> int:
    return int(rig.postgres.sql("SELECT count(*) FROM readings", database))


Floods = dict[str, dict[str, Figure]]


def flood(rig: Rig, runs: int, seconds: float) -> Floods:
    return rounds(
        "flood",
        runs,
        {
            "null, acknowledges at once": lambda: null_flood(rig, seconds, "--mode", "ack"),
            "null, gated": lambda: null_flood(rig, seconds, "--mode", "gated"),
            "collector": lambda: collector_flood(rig, seconds),
        },
    )


def flood_section(floods: Floods, store: dict[str, dict[str, Figure]], instructions: dict[str, float]) -> Section:
    section = Section(
        "Ingest at its most",
        TARGETS,
        "The flood: readings as fast as they are acknowledged. Beside it stands a null subscriber, libmosquitto and "
        "nothing else: it takes the messages and throws them away, and either acknowledges each at once, or 5,000 at "
        "a time after a pause of 10 ms that stands for the commit (gated, as the collector does).",
    )
    ours, gated, ack = floods["collector"], floods["null, gated"], floods["null, acknowledges at once"]
    rate, cpu = ours["per second"], ours["CPU us"]
    for what, other, bound in (("acknowledges at once", ack, 1.0), ("gated", gated, 0.85)):
        ratio = rate.over(other["per second"])
        section.add(
            "readings stored per second",
            rate.text(),
            f"null subscriber, {what}: {other['per second'].text()}",
            ratio.text(),
            f">= {bound}",
            at_least(ratio.median, bound),
        )
    difference = cpu.minus(gated["CPU us"])
    section.add(
        "collector's CPU per reading, us",
        cpu.text(),
        f"null subscriber, gated: {gated['CPU us'].text()}",
        f"{difference.median:+.2f} us",
        "<= +2.0 us",
        at_most(difference.median, 2.0),
    )
    section.add(
        "broker's CPU per reading, us",
        ours["broker us"].text(),
        f"gated: {gated['broker us'].text()}; at once: {ack['broker us'].text()}",
        ours["broker us"].over(ack["broker us"]).text(),
        "",
        "",
    )
    if store:
        mine, psql = store["store"], store["psql"]
        ratio = Figure([ours["PostgreSQL us"].median / psql["PostgreSQL us"].median])
        section.add(
            "PostgreSQL's CPU per reading (backend), us",
            ours["PostgreSQL us"].text(),
            f"psql \\copy of the same rows: {psql['PostgreSQL us'].text()}",
            ratio.text(),
            "<= 1.15",
            at_most(ratio.median, 1.15),
        )
        ratio = mine["per second"].over(psql["per second"])
        section.add(
            "store alone, rows per second",
            mine["per second"].text(),
            f"psql \\copy of the same rows: {psql['per second'].text()}",
            ratio.text(),
            ">= 0.9",
            at_least(ratio.median, 0.9),
        )
        ratio = mine["PostgreSQL us"].over(psql["PostgreSQL us"])
        section.add(
            "store alone, PostgreSQL's CPU per row, us",
            mine["PostgreSQL us"].text(),
            f"the same: {psql['PostgreSQL us'].text()}",
            ratio.text(),
            "",
            "",
        )
    if instructions:
        total = sum(instructions.values())
        parts = ", ".join(f"{name} {number(count)}" for name, count in instructions.items())
        section.add(
            "instructions per reading, without the broker and the database", number(total, 4), parts, "", "", ""
        )
    section.notes.append(
        "Each run ends with a count: every reading that a device had an acknowledgement for is in the table. Store "
        "alone: batches of 10,000 made in memory, through the collector's own code; psql sends the same rows, sorted, "
        "in transactions of the same size, into today's partition of a copy of the same database, which is a COPY and nothing else: no "
        "peaks, no duplicates to look for. Instructions are callgrind's, from the payload to the sorted COPY rows and "
        "the windows; they repeat to the last digit or so, whatever else the machine does."
    )
    return section


# --- The store alone -----------------------------------------------------------------------------


def store(rig: Rig, runs: int, batches: int) -> dict[str, dict[str, Figure]]:
    dump = rig.area / "dump"
    dump.mkdir(exist_ok=True)

    def run_store(*args: str) -> dict[str, float]:
        with rig.database() as database:
            argv = [BENCH / "store_bench", "--database-url", rig.postgres.url(database), "--batches", batches, *args]
            with (rig.area / "log" / "store_bench.log").open("a") as log:
                bench = subprocess.Popen(
                    [str(arg) for arg in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
                )
            assert bench.stdin is not None and bench.stdout is not None
            try:
                _expect(bench, "ready")
                backends = rig.postgres.backends(database)
                before = cpu_s(*backends)
                print("go", file=bench.stdin, flush=True)
                figures = json.loads(bench.stdout.readline())
                spent = cpu_s(*backends) - before
            finally:
                bench.kill()
                bench.wait()
        return {
            "per second": figures["per_second"],
            "PostgreSQL us": spent / figures["stored"] * 1e6,
            "store us": figures["cpu_us"],
        }

    def run_psql() -> dict[str, float]:
        with rig.database() as database:
            psql = subprocess.Popen(
                [rig.postgres.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", rig.postgres.url(database)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert psql.stdin is not None and psql.stdout is not None
            print("SELECT pg_backend_pid();", file=psql.stdin, flush=True)
            backend = int(psql.stdout.readline())
            features = "temperature, pressure"
            columns = f"device, content_hash, recorded_at, received_at, status, seq, {features}"
            # past the trigger of readings, as the store goes
            today = rig.postgres.sql(
                "SELECT name FROM reading_partitions WHERE starts_at <= now() AND ends_at > now()", database
            )
            script = "".join(
                f"BEGIN;\n\\copy {today} ({columns}) from '{dump}/{batch}.copy' (format binary)\nCOMMIT;\n"
                for batch in range(batches)
            )
            before, began = cpu_s(backend), time.monotonic()
            print(f"{script}\\echo done", file=psql.stdin, flush=True)
            _expect(psql, "done")
            seconds, spent = time.monotonic() - began, cpu_s(backend) - before
            psql.stdin.close()
            psql.wait()
            rows = _rows(rig, database)
        return {"per second": (rows - history) / seconds, "PostgreSQL us": spent / (rows - history) * 1e6}

    history = _rows(rig, "hour")
    run_store("--dump", str(dump))
    return rounds("store", runs, {"psql": run_psql, "store": run_store})


def _expect(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    if said != line:
        raise ServerError(f"{process.args}: said {said!r} instead of {line!r}")


# --- Where the time goes -------------------------------------------------------------------------


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
            window = _Window(**programs)
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
        "What the collector spends in the kernel is how libmosquitto 2.0 reads: four read() for each message, and a "
        "send() for each acknowledgement; the null subscriber pays the same. 2.1 reads through a buffer; it is not in "
        "Debian 12 and so not measured here."
    )
    return section


# --- Latency and memory --------------------------------------------------------------------------


def latency(rig: Rig, runs: int, seconds: float, rates: list[int]) -> dict[int, dict[str, dict[str, Figure]]]:
    """At steady rates: to a subscriber, to the commit, to the event stream. PostgreSQL notes when each transaction
    commits, which it otherwise does not."""
    rig.postgres.settings["track_commit_timestamp"] = "on"
    rig.postgres.restart()

    def steady(broker: object, rate: int, length: float) -> Program:
        fleet = ["--num-devices", DEVICES, "--connections", CONNECTIONS, "--rate", rate, "--duration", f"{length:g}s"]
        return rig.devicesim(broker, *fleet)  # type: ignore[arg-type]

    def to_subscriber(rate: int) -> dict[str, float]:
        with rig.broker() as broker:
            args = ["--mode", "ack", "--latency", "--warmup", "1", "--seconds", str(seconds)]
            subscriber = rig.null_subscriber(broker, *args)
            with rig.running(subscriber):
                subscriber.wait_for_line("ready")
                with rig.running(steady(broker, rate, seconds + 1.5)):
                    subscriber.wait(seconds + 30)
                    figures = last_json(subscriber)
        return {"p50 ms": figures["p50_ms"], "p99 ms": figures["p99_ms"]}

    def through_collector(rate: int) -> dict[str, float]:
        with rig.database() as database, rig.broker() as broker, rig.collector(broker, database) as collector:
            with visible.front(rig, broker, database) as port, rig.running(steady(broker, rate, seconds + 1.5)):
                time.sleep(1)
                since = time.time()
                shown = visible.probe(broker.port, port, seconds)
            committed = rig.postgres.sql(
                "SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY 1e3 * extract(epoch FROM"
                f" pg_xact_commit_timestamp(xmin) - recorded_at)) FROM readings WHERE recorded_at BETWEEN"
                f" to_timestamp({since!r}) AND to_timestamp({since + seconds!r})",
                database,
            )
            p50, p99 = map(float, committed.strip("{}").split(","))
            rss = collector.program.rss_kb() / 1024
        return {
            "committed p50 ms": p50,
            "committed p99 ms": p99,
            "visible p50 ms": shown[0],
            "visible p99 ms": shown[1],
            "RSS MB": rss,
        }

    try:
        return {
            rate: rounds(
                f"latency at {rate:,}/s",
                runs,
                {"subscriber": lambda: to_subscriber(rate), "collector": lambda: through_collector(rate)},
            )
            for rate in rates
        }
    finally:
        del rig.postgres.settings["track_commit_timestamp"]
        rig.postgres.restart()


def latency_section(results: dict[int, dict[str, dict[str, Figure]]]) -> Section:
    section = Section(
        "Latency",
        TARGETS,
        "From the timestamp in the reading, which is when the device publishes it. Committed is when PostgreSQL wrote "
        "the commit (track_commit_timestamp, for this alone), of every reading. Visible is when a client of /events "
        "has the board with the reading on it, of readings that lead their board; boards are made at whole tenths of a second.",
    )
    for rate, result in results.items():
        ours, broker = result["collector"], result["subscriber"]
        beside = f"broker to a subscriber: {broker['p50 ms'].text()} / {broker['p99 ms'].text()}"
        for name, bound in (("committed", 50), ("visible", 300)):
            p50, p99 = ours[f"{name} p50 ms"], ours[f"{name} p99 ms"]
            section.add(
                f"publish to {name} at {rate:,}/s, ms p50 / p99",
                f"{p50.text()} / {p99.text()}",
                beside,
                f"{p99.median - broker['p99 ms'].median:+.1f} ms",
                f"p99 <= {bound} ms",
                at_most(p99.median, bound),
            )
    return section


# --- At rest -------------------------------------------------------------------------------------


def idle(rig: Rig, windows: int, seconds: float) -> dict[str, Figure]:
    """15 devices at the sample's pace, and none."""
    silent: list[float] = []
    wakeups: list[float] = []
    shares: list[float] = []
    readings: list[float] = []
    with rig.database("fresh") as database, rig.broker() as broker, rig.collector(broker, database) as collector:
        time.sleep(1)
        for _ in range(max(1, windows // 2)):
            before = voluntary_switches(collector.pid)
            time.sleep(seconds)
            silent.append((voluntary_switches(collector.pid) - before) / seconds)
        with rig.running(rig.devicesim(broker, "--num-devices", 15)):
            time.sleep(2)
            for _ in range(windows):
                before, cpu, stored = voluntary_switches(collector.pid), cpu_s(collector.pid), collector.stored()
                time.sleep(seconds)
                wakeups.append((voluntary_switches(collector.pid) - before) / seconds)
                shares.append((cpu_s(collector.pid) - cpu) / seconds * 100)
                readings.append((collector.stored() - stored) / seconds)
        rss, own = collector.program.rss_kb() / 1024, collector.program.anonymous_kb() / 1024
    say(f"idle: {number(shares[0])} % of a core, {number(wakeups[0])} wake-ups/s, {number(rss)} MB")
    return {
        "silent wake-ups": Figure(silent),
        "wake-ups": Figure(wakeups),
        "share": Figure(shares),
        "readings": Figure(readings),
        "RSS MB": Figure([rss]),
        "own MB": Figure([own]),
    }


def rest_section(
    idle_figures: dict[str, Figure], results: dict[int, dict[str, dict[str, Figure]]], floods: Floods
) -> Section:
    section = Section("At rest, and memory", TARGETS)
    if results:
        memory = results[max(results)]["collector"]["RSS MB"]
        section.add(
            "resident memory, 10,000 devices, an hour of windows, MB",
            memory.text(),
            f"after a flood, its most: {floods['collector']['peak MB'].text()}" if floods else "",
            "",
            "<= 40 MB",
            at_most(memory.median, 40),
        )
    if idle_figures:
        section.add(
            "resident memory, 15 devices, MB",
            idle_figures["RSS MB"].text(),
            f"of it its own: {idle_figures['own MB'].text()}; the rest are pages of shared libraries",
            "",
            "<= 8 MB",
            at_most(idle_figures["RSS MB"].median, 8),
        )
        section.add(
            "CPU with 15 devices at the sample's pace, % of a core",
            idle_figures["share"].text(),
            "",
            "",
            "<= 0.3 %",
            at_most(idle_figures["share"].median, 0.3),
        )
        section.add(
            "wake-ups per second, 15 devices",
            idle_figures["wake-ups"].text(),
            f"readings per second: {idle_figures['readings'].text()}",
            "",
            "",
            "",
        )
        section.add(
            "wake-ups per second, no devices", idle_figures["silent wake-ups"].text(), "a status a second", "", "", ""
        )
        section.notes.append(
            "A wake-up is a voluntary context switch. A reading costs several: it arrives, its batch has lingered, the "
            "database answers each statement, the board goes out and is acknowledged."
        )
    return section


# --- After an absence ----------------------------------------------------------------------------


def backlog(rig: Rig, count: int) -> dict[str, float]:
    """`count` readings wait at the broker for a collector that was stopped."""
    with rig.database() as database, rig.broker() as broker:
        with rig.collector(broker, database) as collector:
            collector.program.terminate()
        fleet = ["--num-devices", DEVICES, "--connections", CONNECTIONS, "--rate", "max", "--count", count]
        with rig.running(rig.devicesim(broker, *fleet)) as sim:
            sim.wait(300)
            acked = last_json(sim)["acked"]
        again = Collector(rig, broker, database, [])
        with rig.running(again.program):
            until(again.is_ready, 120, "the collector is ready", pause=0.02)
            ready = time.monotonic()
            seen: list[tuple[float, float, float]] = []
            while not seen or seen[-1][1] < acked:
                seen.append((time.monotonic(), again.stored(), again.program.rss_kb() / 1024))
                if time.monotonic() > ready + 300:
                    raise ServerError(f"of {acked:.0f} readings {seen[-1][1]:.0f} are stored after 300 s")
                time.sleep(0.1)
    tenth = next(i for i, moment in enumerate(seen) if moment[1] >= acked / 10)
    seconds = seen[-1][0] - seen[tenth][0]
    memory = [moment[2] for moment in seen[tenth:]]
    return {
        "per second": (seen[-1][1] - seen[tenth][1]) / seconds,
        "RSS MB, first tenth": memory[0],
        "RSS MB, most": max(memory),
    }


def backlog_section(figures: dict[str, Figure], count: int, floods: Floods, runs: int) -> Section:
    section = Section("After an absence", TARGETS)
    if floods:
        steady = floods["collector"]["per second"]
        ratio = figures["per second"].median / steady.median
        section.add(
            f"{count:,} readings that waited at the broker, per second",
            figures["per second"].text(),
            f"the flood: {steady.text()}",
            number(ratio),
            ">= 0.9",
            at_least(ratio, 0.9),
        )
    first, most = figures["RSS MB, first tenth"], figures["RSS MB, most"]
    growth = most.median - first.median
    section.add(
        "resident memory meanwhile, at its most, MB",
        most.text(),
        f"after a tenth: {first.text()}",
        f"{growth:+.1f} MB",
        "flat",
        verdict(growth <= max(4.0, first.median / 4)),
    )
    section.notes.append(
        f"Medians of {runs}. The broker saves its queues every 5 s, and serves nobody meanwhile; with a million "
        "readings waiting that takes it the better part of a second each time."
    )
    return section
