#!/usr/bin/env python3
"""What storage costs and how quick its answers are, with a private PostgreSQL. Each part runs alone:

    tests/bench/storage.py restart [--rows 10e6]          a start with an hour of readings in the database
    tests/bench/storage.py histograms [--rows 1e6,1e7,1e8] histograms over HTTP and their plans
    tests/bench/storage.py removal [--rows 10e6]          how soon boards are right after readings_remove()
    tests/bench/storage.py bytes [--rows 2e6]             bytes on disk and of WAL per reading
    tests/bench/storage.py settings                       what checkpoints, compression and freezing do to the WAL
    tests/bench/storage.py maintenance [--rate 10000]     what rollups cost while readings flow
    tests/bench/storage.py packing [--rate 0]             what packing costs, and what ingest notices of it
    tests/bench/storage.py packed_day                     a packed day of a device over HTTP: CSV, points, pages
    tests/bench/storage.py planning                       what many partitions cost a question
    tests/bench/storage.py replay                         four years of hourly readings at once
    tests/bench/storage.py spans [--only rise]            boards of a night and heat maps over HTTP
    tests/bench/storage.py devices [--devices 1e5]        the table of devices over HTTP, each order with each filter
    tests/bench/storage.py minutes [--rows 1e6]           plots of a dense device in steps of minutes over HTTP
    tests/bench/storage.py distributions [--readings 1e9] histograms of values and quantiles of a fleet's months over HTTP

Rows are made by SQL, straight into the table without its trigger, in the order in which they would
arrive; while that lasts fsync is off, and on again for what is measured. 100 million rows take a
quarter of an hour and 20 GB in $TMPDIR. PostgreSQL runs with its own settings otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import random
import statistics
import time
from datetime import datetime, timedelta, timezone

import psycopg2

from minutes import minutes
from packed_day import packed_day
from packing import backend_seconds, packing
from storage_bytes import bytes_per_reading, settings
from distributions import distributions
from fleet_list import fleet_list
from spans import spans
from storage_rig import Rig, ask, bulk_load, iso, make_devices, make_rows, metric, percentiles, rig, say

from oracle import Listener, Publisher, now_us, reading
from servers import LOOPBACK, free_port, until

# --- restart -------------------------------------------------------------------------------------


def restart(args: argparse.Namespace) -> None:
    """How long until the windows are complete, and what ingest notices of it."""
    rows = int(float(args.rows))
    with rig() as r:
        make_devices(r, 10_000)
        with bulk_load(r):
            make_rows(r, rows, 10_000, 3500)
        r.run("SELECT rollup_rebuild(now() - interval '1 day', now())")
        r.durable()
        r.broker.start()
        for load in (0, args.rate):
            for _ in range(args.rounds):
                port = free_port()
                # ingest runs from the first second on, so the fleet waits for a session that is there
                began = time.monotonic()
                collector = r.program("collector", metrics_listen=f"{LOOPBACK}:{port}")
                fleet = None
                if load:
                    collector.wait_for_line(r"mqtt: connecting -> up|preflight", 20)
                    fleet = r.program(
                        "devicesim", "--num-devices", "10000", "--connections", "4", "--rate", str(load), "--duration", "60s"
                    )
                lags = []

                def complete() -> bool:
                    with contextlib.suppress(OSError, KeyError):
                        lags.append(metric(port, "highwater_lag_seconds"))
                    return "windows: complete" in collector.output()

                until(complete, 120, "the windows are complete", pause=0.1)
                took = time.monotonic() - began
                line = next(line for line in collector.output().splitlines() if "windows: complete" in line)
                say(
                    f"load {load}/s: complete {took:.2f} s after the start"
                    f" ({line.partition('complete: ')[2]}); lag of batches up to {max(lags or [0]) * 1e3:.0f} ms;"
                    f" {collector.cpu_seconds():.2f} s CPU, {collector.peak_rss_kb() // 1024} MB"
                )
                if fleet:
                    time.sleep(3)
                    say(f"    afterwards: lag {metric(port, 'highwater_lag_seconds') * 1e3:.0f} ms")
                    fleet.terminate()
                collector.terminate()


# --- removal -------------------------------------------------------------------------------------


def removal(args: argparse.Namespace) -> None:
    """A reading that leads the boards is taken out while others come in: until the commit, and until the retained
    board of all time is right."""
    with rig() as r:
        make_devices(r, 10_000)
        with bulk_load(r):
            make_rows(r, int(float(args.rows)), 10_000, 3500)
        r.run("SELECT rollup_rebuild(now() - interval '1 day', now())")
        r.durable()
        r.broker.start()
        port = free_port()
        collector = r.program("collector", metrics_listen=f"{LOOPBACK}:{port}")
        collector.wait_for_line("windows: complete", 120)
        fleet = ("--num-devices", "10000", "--connections", "4", "--rate", str(args.rate), "--duration", "300s")
        r.program("devicesim", *fleet)
        listener = Listener(r.broker.port, "collectors/collector/boards/temperature/all_time")

        def leader() -> float:
            return float(listener.received[-1].json()["readings"][0]["temperature"])

        publisher = Publisher(r.broker.port)
        commits, boards = [], []
        time.sleep(5)  # until the load is what it will be
        began, before = time.monotonic(), metric(port, "highwater_readings_stored_total")
        for i in range(args.rounds):
            fault = reading(f"device_{100 + i}", now_us(), temperature=1e6 + i)
            publisher.send(fault)
            until(lambda i=i: leader() == 1e6 + i, 30, "the fault leads")
            asked = time.monotonic()
            at = f"timestamptz 'epoch' + {fault.recorded_at_us} * interval '1 us'"
            r.run(f"SELECT readings_remove('{fault.device_id}', {at}, {at} + interval '1 us')")
            commits.append(time.monotonic() - asked)
            until(lambda: leader() < 1e6, 30, "it leads no more", pause=0.005)
            boards.append(time.monotonic() - asked)
        rate = (metric(port, "highwater_readings_stored_total") - before) / (time.monotonic() - began)
        say(f"{rate:.0f} readings/s stored meanwhile; committed {percentiles(commits)}; board right {percentiles(boards)}")


# --- histograms ----------------------------------------------------------------------------------

DAY_ROWS = 1_000_000


def make_day(rig: Rig, back: int) -> None:
    """A million readings of one day: a tenth of them of device 1, the rest of 9,999 others."""
    day = f"(date_trunc('day', now(), 'UTC') - {back} * interval '24 hours')"
    rig.run(f"SELECT make_partition({day})")
    name = rig.run(f"SELECT name FROM reading_partitions WHERE starts_at <= {day} AND ends_at > {day}")[0][0]
    # today only what is past
    rig.run(
        "SET synchronous_commit = off",
        f"""INSERT INTO {name} (device, content_hash, recorded_at, received_at, status, temperature, pressure)
        SELECT CASE WHEN i % 10 = 0 THEN 1 ELSE 2 + (i * 7919::bigint) % 9999 END, i, at, at + interval '40 ms',
               1 + (hashint4(i) & 3), random() * 200, random() * 25
        FROM (SELECT i, {day} + i * interval '{86400 / DAY_ROWS} seconds' AS at FROM generate_series(0, {DAY_ROWS - 1}) i) x
        WHERE at < now()""",
    )


def show_plan(rig: Rig, device: int) -> None:
    query = rig.run(
        f"SELECT rollup_select({device}, '-infinity', 'infinity', 'count(*), count(*) FILTER (WHERE status = 1)',"
        " 'readings, status_on')"
    )[0][0]
    for (line,) in rig.run(f"EXPLAIN (ANALYZE, COSTS OFF, BUFFERS, SUMMARY) {query}"):
        say(f"        {line}")


def histograms(args: argparse.Namespace) -> None:
    """Rows of more and more days, and what is asked about them, over HTTP."""
    days_there = 0
    with rig(max_wal_size="8GB") as r:
        make_devices(r, 10_000)
        r.broker.start()
        for rows in (int(float(text)) for text in args.rows.split(",")):
            r.postgres.stop()
            r.postgres.settings = {**r.settings, "fsync": "off"}
            r.postgres.start()
            began = time.monotonic()
            days = max(rows // DAY_ROWS, 1)
            for back in range(days_there, days):
                make_day(r, back)
            for back in range(days_there, days, 10):
                r.run(
                    "SET work_mem = '256MB'",
                    f"SELECT rollup_rebuild(now() - {min(back + 9, days - 1)} * interval '24 hours', now() - {back} * interval '24 hours')",
                )
            days_there = days
            r.run("VACUUM ANALYZE")
            r.durable()
            say(f"{r.run('SELECT count(*) FROM readings')[0][0]} rows in {days} days, made in {time.monotonic() - began:.0f} s")
            port = free_port()
            collector = r.program("collector", metrics_listen="-")
            api = r.program("httpapi", http_listen=f"{LOOPBACK}:{port}", statement_timeout="600s")
            collector.wait_for_line("windows: complete", 120)
            until(lambda: r.run("SELECT now() - rolled_until < interval '3 minutes 10 seconds' FROM storage_state")[0][0], 600)
            api.wait_for_line("listening|http", 20)
            fleet = None
            if args.rate:
                fleet = r.program(
                    "devicesim", "--num-devices", "10000", "--connections", "4", "--rate", str(args.rate), "--duration", "3000s"
                )
                time.sleep(5)
            from_ = iso(r, f"now() - {days / 2} * interval '24 hours'")
            to = iso(r, f"now() - {days / 2} * interval '24 hours' + interval '5 hours 17 minutes'")
            for path, times in (
                ("/devices/device_1/histogram", 500),
                ("/devices/device_77/histogram", 500),
                ("/devices/device_1/histogram?interval=past_hour", 200),
                (f"/devices/device_1/histogram?from={from_}", 200),
                (f"/devices/device_1/histogram?from={from_}&to={to}", 200),
                ("/histogram", 500),
                ("/histogram?interval=past_hour", 200),
                (f"/histogram?from={from_}&to={to}", 200),
                ("/devices/device_1", 200),
                ("/devices?limit=50", 50),
                ("/devices/device_1/readings?limit=100", 200),
                ("/devices/device_1/points?points=500", 50),
                (f"/devices/device_1/points?points=500&from={from_}&to={to}", 20),
                ("/devices/device_1/distribution?feature=temperature&bins=20&interval=past_hour", 50),
                ("/devices/device_1/distribution?feature=temperature&bins=20", 3),
                ("/distribution?feature=temperature&bins=20", 2),
            ):
                ask(port, path, min(times, 20) if times > 20 else 1)
                say(f"    {path.replace(from_, 'T1').replace(to, 'T2'):<72} {percentiles(ask(port, path, times))}")
            show_plan(r, 1)
            show_plan(r, 0)
            if fleet:
                fleet.terminate()
            api.terminate()
            collector.terminate()


# --- maintenance ---------------------------------------------------------------------------------


def maintenance(args: argparse.Namespace) -> None:
    with rig() as r:
        r.durable()
        r.broker.start()
        port = free_port()
        collector = r.program("collector", metrics_listen=f"{LOOPBACK}:{port}", rollup_delay="30s")
        collector.wait_for_line("windows: complete", 60)
        late = ["--late", str(args.late), "--late-by", "1h"] if args.late else []
        r.program("devicesim", "--num-devices", "10000", "--connections", "4", "--rate", str(args.rate), *late)
        time.sleep(30)
        stored = metric(port, "highwater_readings_stored_total")
        before = {name: backend_seconds(r, name) for name in ("highwater maintenance", "highwater collector%")}
        began = time.monotonic()
        lags, behind = [], []
        while time.monotonic() < began + args.seconds:
            lags.append(metric(port, "highwater_lag_seconds") * 1e3)
            behind.append(time.time() - metric(port, "highwater_rollup_timestamp_seconds"))
            time.sleep(0.1)
        rows = metric(port, "highwater_readings_stored_total") - stored
        took = time.monotonic() - began
        lags.sort()
        say(
            f"{rows / took:.0f} readings/s, {args.late:.0%} late: maintenance"
            f" {(backend_seconds(r, 'highwater maintenance') - before['highwater maintenance']) * 1e6 / rows:.2f} us of CPU a reading,"
            f" the storing backend {(backend_seconds(r, 'highwater collector%') - before['highwater collector%']) * 1e6 / rows:.2f};"
            f" lag of batches p50 {lags[len(lags) // 2]:.0f} ms, p99 {lags[int(len(lags) * 0.99)]:.0f} ms, most {lags[-1]:.0f} ms;"
            f" rolled up until {min(behind):.0f} to {max(behind):.0f} s ago"
        )


# --- planning ------------------------------------------------------------------------------------


def planning(args: argparse.Namespace) -> None:
    queries = {
        "the status histogram of a device": "SELECT * FROM status_counts(1, '-infinity', 'infinity')",
        "its newest 100 readings, device_page()": "SELECT * FROM device_page(1, '-infinity', 'infinity', true, 100)",
        "the same as plain SQL": "SELECT * FROM readings WHERE device = 1 ORDER BY recorded_at DESC LIMIT 100",
        "a literal span of an hour": "SELECT count(*) FROM readings WHERE device = 1 AND recorded_at > '{hour}'",
        "all time": "SELECT count(*) FROM readings WHERE device = 1",
    }
    with rig() as r:
        r.run("INSERT INTO devices (device_id) VALUES ('d')")
        there = 0
        for count in (10, 100, 408):
            began = time.monotonic()
            r.run(f"SELECT make_partitions(now() - {max(count - 8, 1)} * interval '24 hours', now())")
            made = r.run("SELECT count(*) FROM reading_partitions")[0][0]
            say(f"{made} partitions, made in {(time.monotonic() - began) * 1e3 / max(made - there, 1):.1f} ms each")
            there = made
            r.run(
                "INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature)"
                f" SELECT 1, i, now() - i * interval '1 hour', now(), 1, i FROM generate_series(1, {count} * 24) i ON CONFLICT DO NOTHING",
                "SELECT rollup_fold_late(1000000), rollup_fold_fleet(1000000)",
                "VACUUM ANALYZE",
            )
            connection = psycopg2.connect(r.postgres.url())
            with connection, connection.cursor() as cursor:
                cursor.execute("SET jit = off")
                for name, query in queries.items():
                    query = query.format(hour=iso(r, "now() - interval '1 hour'"))
                    took = []
                    for _ in range(12):
                        began = time.perf_counter()
                        cursor.execute(query)
                        cursor.fetchall()
                        took.append((time.perf_counter() - began) * 1e3)
                    say(f"    {name:<42} first {took[0]:6.1f} ms, then {statistics.median(took[2:]):6.2f} ms")
            connection.close()


# --- replay --------------------------------------------------------------------------------------


def replay(args: argparse.Namespace) -> None:
    """Twelve stations, an hour apart, March 2013 to February 2017, as fast as they are acknowledged."""
    for name, options in (
        ("default settings", {}),
        ("partitions by day over all of it", {"partition_span": "9000d"}),
        ("partitions by month over all of it", {"partition": "month", "partition_span": "9000d"}),
    ):
        with rig() as r:
            r.durable()
            r.broker.start()
            path = r.home / "replay.csv"
            start = datetime(2013, 3, 1, tzinfo=timezone.utc)
            rng = random.Random(1)
            with path.open("w") as out:
                out.write("timestamp,deviceId,temperature,pressure\n")
                for hour in range(35064):
                    at = (start + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")
                    for station in range(12):
                        out.write(f"{at},station_{station},{rng.randrange(-200, 400) / 10},{rng.randrange(9900, 10400) / 10}\n")
            rows = 35064 * 12
            collector = r.program("collector", metrics_listen="-", earliest="2013-01-01", **options)
            collector.wait_for_line("windows: complete", 60)
            began = time.monotonic()
            fleet = r.program("devicesim", "--replay", str(path))
            assert fleet.wait(600) == 0
            until(lambda: r.run("SELECT count(*) FROM readings")[0][0] == rows, 600)
            took = time.monotonic() - began
            until(lambda: r.run("SELECT count(*) FROM rollup_late")[0][0] == 0, 600)
            folded = time.monotonic() - began
            counted = r.run("SELECT sum(readings) FROM fleet_histogram()")[0][0]
            each = r.run("SELECT sum(h.readings) FROM devices d, device_histogram(d.device_id) h")[0][0]
            assert counted == each == rows, (counted, each, rows)
            partitions, in_default = r.run("SELECT partitions, default_rows FROM storage_status()")[0]
            say(
                f"{name}: {rows} readings in {took:.1f} s ({rows / took:.0f}/s), rolled up after {folded:.0f} s;"
                f" {partitions} partitions, {in_default} readings in the default one"
            )
            collector.terminate()


# --- main ----------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    part = parts.add_parser("restart")
    part.add_argument("--rows", default="10e6")
    part.add_argument("--rounds", type=int, default=3)
    part.add_argument("--rate", type=int, default=5000, help="readings a second that come meanwhile")
    part.set_defaults(run=restart)
    part = parts.add_parser("histograms")
    part.add_argument("--rows", default="1e6,1e7,1e8")
    part.add_argument("--rate", type=int, default=1000, help="readings a second that come meanwhile")
    part.set_defaults(run=histograms)
    part = parts.add_parser("removal")
    part.add_argument("--rows", default="10e6")
    part.add_argument("--rounds", type=int, default=20)
    part.add_argument("--rate", type=int, default=20_000, help="readings a second that come meanwhile")
    part.set_defaults(run=removal)
    part = parts.add_parser("bytes")
    part.add_argument("--rows", default="2e6")
    part.set_defaults(run=bytes_per_reading)
    parts.add_parser("settings").set_defaults(run=settings)
    part = parts.add_parser("maintenance")
    part.add_argument("--rate", type=int, default=10_000)
    part.add_argument("--late", type=float, default=0.0, help="share of readings that are up to an hour old")
    part.add_argument("--seconds", type=int, default=125)
    part.set_defaults(run=maintenance)
    part = parts.add_parser("packing")
    part.add_argument("--rows", default="8.64e6")
    part.add_argument("--devices", type=int, default=1000)
    part.add_argument("--rate", type=int, default=10_000, help="readings a second that come meanwhile; 0: none")
    part.add_argument("--seconds", type=float, default=30)
    part.add_argument("--rounds", type=int, default=2)
    part.set_defaults(run=packing)
    part = parts.add_parser("packed_day")
    part.add_argument("--devices", type=int, default=10)
    part.add_argument("--readings", type=int, default=86_400, help="of each device")
    part.add_argument("--times", type=int, default=20)
    part.add_argument("--only", default="", help="questions with this in their names")
    part.set_defaults(run=packed_day)
    parts.add_parser("planning").set_defaults(run=planning)
    parts.add_parser("replay").set_defaults(run=replay)
    part = parts.add_parser("devices")
    part.add_argument("--devices", type=lambda text: int(float(text)), default=100_000)
    part.add_argument("--times", type=int, default=5)
    part.add_argument("--only", default="", help="such as: lastHeardAt desc, a group of ten")
    part.set_defaults(run=fleet_list)
    part = parts.add_parser("spans")
    part.add_argument("--devices", type=int, default=10_000)
    part.add_argument("--times", type=int, default=300)
    part.add_argument("--only", default="", help="questions with this in their names")
    part.set_defaults(run=spans)
    part = parts.add_parser("minutes")
    part.add_argument("--rows", default="1e6", help="readings of each device")
    part.add_argument("--times", type=int, default=200)
    part.set_defaults(run=minutes)
    part = parts.add_parser("distributions")
    part.add_argument("--readings", default="1e9", help="of the fleet; 0: not this")
    part.add_argument("--device-readings", default="1e7", help="of a device that sends once a second; 0: not this")
    part.add_argument("--spans", type=int, default=200)
    part.add_argument("--rate", type=int, default=2000, help="readings a second in the newest minutes")
    part.add_argument("--seed", type=int, default=1)
    part.set_defaults(run=distributions)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
