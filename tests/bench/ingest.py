"""From the broker to the database: how much at most, at what cost, and what the store alone does."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from rig import (
    BENCH,
    Figure,
    Rig,
    ServerError,
    cpu_s,
    last_json,
    reads_and_writes,
    number,
    rounds,
    sleep_until,
    until,
)
from report import Section, at_least, at_most

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
                window = Window(broker=broker.program.pid, sim=sim.pid)
                before, began = reads_and_writes(subscriber.pid), time.monotonic()
                sleep_until(began + seconds / 2)
                after, half = reads_and_writes(subscriber.pid), time.monotonic() - began
                subscriber.wait(seconds + 30)
                window.close()
                figures = last_json(subscriber)
    messages = figures["per_second"] * window.seconds
    calls = [(now - then) / (figures["per_second"] * half) for then, now in zip(before, after)]
    return {
        "per second": figures["per_second"],
        "CPU us": figures["cpu_us"],
        "reads": calls[0],
        "writes": calls[1],
        "broker us": window.cpu["broker"] / messages * 1e6,
        "devicesim us": window.cpu["sim"] / messages * 1e6,
    }


def collector_flood(rig: Rig, seconds: float, template: str = "hour", *args: str) -> dict[str, float]:
    """The flood into the collector; also looks whether all of it arrived."""
    with rig.database(template) as database, rig.broker() as broker:
        before = rows(rig, database)
        with rig.collector(broker, database, *args) as collector:
            with rig.running(rig.flood(broker, WARMUP_S + seconds + 0.5)) as sim:
                sleep_until(time.monotonic() + WARMUP_S)
                storing = collector.storing()
                upkeep = [pid for pid in collector.backends() if pid not in storing]
                stored, calls = collector.stored(), reads_and_writes(collector.pid)
                window = Window(broker=broker.program.pid, sim=sim.pid, collector=collector.pid, postgres=storing, upkeep=upkeep)
                sleep_until(time.monotonic() + seconds)
                stored = collector.stored() - stored
                calls = tuple(now - then for then, now in zip(calls, reads_and_writes(collector.pid)))
                window.close()
                sim.wait(60)
                acked = last_json(sim)["acked"]
            peak = collector.program.peak_rss_kb() / 1024
            until(lambda: collector.stored() >= acked, 60, "everything acknowledged is stored")
            kept = rows(rig, database) - before
            if kept < acked:
                raise ServerError(f"{acked:.0f} readings were acknowledged and {kept} are stored")
    if stored <= 0:
        raise ServerError(f"nothing was stored within {window.seconds:.1f} s: the machine is too busy, or the database stands still")
    return {
        "per second": stored / window.seconds,
        "CPU us": window.cpu["collector"] / stored * 1e6,
        "reads": calls[0] / stored,
        "writes": calls[1] / stored,
        "PostgreSQL us": window.cpu["postgres"] / stored * 1e6,
        "upkeep us": window.cpu["upkeep"] / stored * 1e6,
        "broker us": window.cpu["broker"] / stored * 1e6,
        "devicesim us": window.cpu["sim"] / stored * 1e6,
        "peak MB": peak,
    }


class Window:
    """CPU seconds of processes from here to close(); what has ended by either counts nothing."""

    def __init__(self, **pids: int | list[int]) -> None:
        groups = {name: pid if isinstance(pid, list) else [pid] for name, pid in pids.items()}
        self._before = {name: {pid: used for pid in group if (used := _used_s(pid)) is not None} for name, group in groups.items()}
        self._began = time.monotonic()

    def close(self) -> None:
        self.cpu = {
            name: sum(used - before for pid, before in group.items() if (used := _used_s(pid)) is not None)
            for name, group in self._before.items()
        }
        self.seconds = time.monotonic() - self._began


def _used_s(pid: int) -> float | None:
    try:
        return cpu_s(pid)
    except FileNotFoundError:
        return None


def help_of_collector(build: Path) -> str:
    return subprocess.run([build / "collector", "--help"], capture_output=True, text=True).stdout


def rows(rig: Rig, database: str) -> int:
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
        "read() and write() of the collector's per reading",
        f"{ours['reads'].text()} and {ours['writes'].text()}",
        f"null subscriber, gated: {gated['reads'].text()} and {gated['writes'].text()}",
        "",
        "",
        "",
    )
    stores, upkeep = ours["PostgreSQL us"], ours["upkeep us"]
    both = Figure(a + b for a, b in zip(cpu.values, stores.values))
    section.add("collector and PostgreSQL, to the commit, CPU per reading, us", both.text(), "", "", "<= 7.0", at_most(both.median, 7.0))
    whole = Figure(a + b for a, b in zip(both.values, upkeep.values))
    section.add(
        "with what looked after storage meanwhile", whole.text(), f"of it: {upkeep.text()}", "", "<= 7.0", at_most(whole.median, 7.0)
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
            "PostgreSQL's CPU per reading, to the commit, us",
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
        "To the commit is the session that stores. Another one looks after storage: it writes when devices were heard, rolls up, and "
        "makes nodes of values of each ten seconds; what of it falls into a run of seconds differs from run to run."
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


def dump(rig: Rig, batches: int) -> None:
    """Batches as the store sends them."""
    folder = rig.area / "dump"
    folder.mkdir(exist_ok=True)
    run_store(rig, batches, "--dump", str(folder))


def run_store(rig: Rig, batches: int, *args: str, template: str = "hour") -> dict[str, float]:
    with rig.database(template) as database:
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


def run_psql(rig: Rig, batches: int) -> dict[str, float]:
    """What dump() has written, into today's partition."""
    history = rows(rig, "hour")
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
            f"BEGIN;\n\\copy {today} ({columns}) from '{rig.area}/dump/{batch}.copy' (format binary)\nCOMMIT;\n"
            for batch in range(batches)
        )
        before, began = cpu_s(backend), time.monotonic()
        print(f"{script}\\echo done", file=psql.stdin, flush=True)
        _expect(psql, "done")
        seconds, spent = time.monotonic() - began, cpu_s(backend) - before
        psql.stdin.close()
        psql.wait()
        stored = rows(rig, database) - history
    return {"per second": stored / seconds, "PostgreSQL us": spent / stored * 1e6}


def store(rig: Rig, runs: int, batches: int) -> dict[str, dict[str, Figure]]:
    dump(rig, batches)
    return rounds("store", runs, {"psql": lambda: run_psql(rig, batches), "store": lambda: run_store(rig, batches)})


def _expect(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    if said != line:
        raise ServerError(f"{process.args}: said {said!r} instead of {line!r}")
