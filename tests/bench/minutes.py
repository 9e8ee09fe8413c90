"""Plots of a dense device over HTTP: what answers cost, and what is kept for them."""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import psycopg2

from storage_rig import Rig, ask, bulk_load, iso, make_devices, percentiles, rig, say

from servers import LOOPBACK, free_port

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


def minutes(args: argparse.Namespace) -> None:
    rows = int(float(args.rows))
    with rig() as r:
        make_devices(r, len(KINDS))
        for device, (name, hz) in enumerate(KINDS.items(), 1):
            make_readings(r, device, hz, rows)
            say(f"{name}: {rows} readings, {rows / hz / 3600:.0f} hours")
        r.run("SET work_mem = '256MB'", f"SELECT rollup_rebuild(now() - interval '{rows} seconds', now())", "VACUUM ANALYZE")
        r.run("SELECT rollup_set_late_before('0 s')", "SELECT rollup_until(late_before) FROM storage_state")
        r.durable()
        port = free_port()
        r.broker.start()
        api = r.program("httpapi", http_listen=f"{LOOPBACK}:{port}", statement_timeout="600s")
        api.wait_for_line("listening|http", 20)
        for with_cells in (False, True):
            if with_cells:
                each = keep_up(r, rows * len(KINDS))
                r.run("VACUUM ANALYZE rollup_minutes")
                bytes_, = r.run("SELECT pg_total_relation_size('rollup_minutes')")[0]
                say(f"upkeep: {each:.2f} us of CPU a reading; {bytes_ / rows / len(KINDS):.2f} bytes a reading in all")
                for cells, what in ((60, "1 Hz"), (360, "10 Hz")):
                    size, = r.run(f"SELECT sum(pg_column_size(m.*) + 28 + 24 + length(feature)) FROM rollup_minutes m WHERE cells = {cells}")[0]
                    say(f"    {what}: {int(size or 0) / rows:.2f} bytes a reading, rows and keys")
            for device, name in enumerate(KINDS, 1):
                last = f"(SELECT max(last_at) FROM device_spans(ARRAY[{device}]))"
                for span, length in SPANS.items():
                    bounds = ""
                    if length is not None:
                        since, until = (iso(r, f"{last} - interval '{back}'") for back in (f"{length} 10 minutes", "10 minutes"))
                        bounds = f"&from={since}&to={until}"
                    for points in STEPS:
                        path = f"/devices/device_{device}/points?points={points}{bounds}"
                        ask(port, path, 2)
                        took = ask(port, path, args.times if with_cells else max(args.times // 10, 3))
                        say(f"    {'cells' if with_cells else 'readings'}, {name}, {span}, {points} steps: {percentiles(took)}, mean {statistics.fmean(took) * 1e3:.1f} ms")
        api.terminate()
