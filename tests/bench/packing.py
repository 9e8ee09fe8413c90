"""What packing costs, and what ingest notices of it: a day of readings is packed while others come in."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from pathlib import Path
from typing import Any

from storage_rig import Rig, bulk_load, make_devices, metric, rig, say

from servers import LOOPBACK, free_port, until

DAY = "date_trunc('day', now(), 'UTC') - interval '3 days'"


def backend_seconds(r: Rig, application: str) -> float:
    """CPU of the backends of an application so far."""
    total = 0.0
    for (pid,) in r.run("SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s", parameters=(application,)):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def fill(r: Rig, rows: int, devices: int) -> None:
    """A day of readings with two features of two decimals and clocks that jitter, in the order of their arrival."""
    make_devices(r, devices)
    r.run(f"SELECT make_partition({DAY})")
    rounds = rows // devices
    with bulk_load(r):
        for first in range(0, rounds, max(1_000_000 // devices, 1)):
            last = min(first + max(1_000_000 // devices, 1), rounds) - 1
            r.run(
                "SET synchronous_commit = off",
                f"""INSERT INTO readings (device, content_hash, recorded_at, received_at, status, seq, temperature, pressure)
                SELECT d, hashint8extended(n::bigint << 24 | d, 0), at, at + (20000 + random() * 30000) * interval '1 microsecond',
                       1 + (hashint8(n + d) & 3), n, round((20 + 5 * sin(n / 300.0) + random())::numeric, 2),
                       round((12 + random() * 3)::numeric, 2)
                FROM (SELECT n, d, {DAY} + n * interval '{86400 / rounds} seconds' + (hashint4(d) & 1023) * interval '80 microseconds'
                             + random() * 200 * interval '1 microsecond' AS at
                      FROM generate_series({first}, {last}) n, generate_series(1, {devices}) d) x""",
            )


def committed(r: Rig, since: float, until_s: float) -> tuple[float, float, int]:
    """p50 and p99 of milliseconds from the reading's own time to its commit, and how many."""
    ((found, count),) = r.run(
        "SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY 1e3 * extract(epoch FROM"
        " pg_xact_commit_timestamp(xmin) - recorded_at)), count(*) FROM readings"
        f" WHERE recorded_at BETWEEN to_timestamp({since!r}) AND to_timestamp({until_s!r})"
    )
    return *(found or (0.0, 0.0)), count


def measure(r: Rig, what: str, seconds: float, is_over: Any = None) -> None:
    """For so long, or until it is over."""
    began = time.time()
    slept = False
    while time.time() < began + seconds and not (slept and is_over and is_over()):
        time.sleep(1)
        slept = True
    p50, p99, count = committed(r, began, time.time() - 1)
    if count == 0:
        say(f"    {what}: nothing that was sent then is committed yet")
        return
    say(f"    {what}: {count / (time.time() - 1 - began):.0f} readings/s, committed after p50 {p50:.1f} ms, p99 {p99:.1f} ms")


def packing(args: argparse.Namespace) -> None:
    rows = int(float(args.rows))
    with rig(track_commit_timestamp="on") as r:
        fill(r, rows, args.devices)
        r.run("VACUUM ANALYZE readings")
        r.durable()
        raw = r.run("SELECT sum(bytes) FROM disk_bytes() WHERE what IN ('readings', 'keys')")[0][0]
        say(f"{rows:.0f} readings of {args.devices} devices in one day, {raw / rows:.1f} bytes each with their key")
        r.broker.start()
        port = free_port()
        collector = r.program("collector", metrics_listen=f"{LOOPBACK}:{port}", pack_after="0")
        collector.wait_for_line("windows: complete", 60)
        if args.rate:
            r.program("devicesim", "--num-devices", "10000", "--connections", "4", "--rate", str(args.rate))
            time.sleep(15)
            for _ in range(args.rounds):
                measure(r, "nothing is packed", args.seconds)
        collector.terminate()
        collector = r.program("collector", metrics_listen=f"{LOOPBACK}:{port}", pack_after="1d")
        collector.wait_for_line("this collector looks after storage", 60)
        before = (backend_seconds(r, "highwater maintenance"), r.run("SELECT pg_current_wal_lsn()")[0][0])
        began = time.monotonic()

        def is_packed() -> bool:
            with contextlib.suppress(KeyError, OSError):
                return metric(port, "highwater_packed_partitions") >= 1 and metric(port, "highwater_packing_waiting") == 0
            return False

        if args.rate:
            time.sleep(3)
            while not is_packed():
                measure(r, "a day is packed  ", args.seconds, is_packed)
        until(is_packed, 3600)
        took = time.monotonic() - began
        cpu = backend_seconds(r, "highwater maintenance") - before[0]
        wal = r.run("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s)", parameters=(before[1],))[0][0]
        ((packed, size),) = r.run("SELECT packed_readings, packed_bytes FROM packing_status('1 day')")
        say(
            f"packed {packed} readings in {took:.0f} s: {cpu * 1e6 / packed:.2f} us of CPU each (all of maintenance), {size / packed:.2f} bytes each"
            + ("" if args.rate else f", {wal / packed:.1f} bytes of write-ahead log each")
        )
        collector.terminate()
