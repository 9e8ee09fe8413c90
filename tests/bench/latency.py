"""How soon at lower rates, what remains when it is over, and how an absence is made up for."""

from __future__ import annotations

import subprocess
import time

import visible
from ingest import TARGETS, Floods
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
    last_json,
    number,
    rounds,
    say,
    until,
    voluntary_switches,
)
from report import Section, at_least, at_most, verdict

# --- Latency and memory --------------------------------------------------------------------------

SETTLED_S = 5  # by then each device has been heard and its peaks compared, as they are once after a start


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
            with visible.front(rig, broker, database) as port, rig.running(steady(broker, rate, seconds + SETTLED_S + 0.5)):
                time.sleep(SETTLED_S)
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
        f"From the timestamp in the reading, which is when the device publishes it, from {SETTLED_S} s after the first on. Committed is when PostgreSQL wrote "
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
        "linked MB": Figure([_linked_mb()]),
    }


def _linked_mb() -> float:
    return int(subprocess.run([BENCH / "linked"], capture_output=True, text=True, check=True).stdout) / 1024


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
            f"of it its own: {idle_figures['own MB'].text()}; a program that links libpq and libmosquitto and does nothing: "
            f"{idle_figures['linked MB'].text()}",
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
            "Resident memory is what the process has mapped, pages of shared libraries among it, which all programs that use them "
            "share. libpq alone brings some twenty libraries; what of them only the start needed, some 6 MB, is given back five "
            "seconds after all windows are loaded (docs/DECISIONS.md)."
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
