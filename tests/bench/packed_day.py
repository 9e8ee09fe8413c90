"""A packed day of a device that sends once a second, over HTTP: as CSV, as points, and a page of it. And spans of the fleet that
cut ten seconds of such a day."""

from __future__ import annotations

import argparse
from pathlib import Path

from minutes import is_ready
from packing import DAY, fill
from storage_rig import Rig, ask, iso, percentiles, rig, say

from servers import LOOPBACK, free_port, until


def cpu_us(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000


def backends_us(r: Rig, application: str) -> float:
    return sum(cpu_us(pid) for (pid,) in r.run("SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s", parameters=(application,)))


def pack(r: Rig) -> None:
    """Sums, cells and chunks, as the collector that looks after storage makes them."""
    r.run("SET work_mem = '256MB'", f"SELECT rollup_rebuild({DAY}, now())", "SELECT rollup_set_late_before('0 s')", "SELECT rollup_until(late_before) FROM storage_state")
    for passes in ("minutes_pass() OR values_pass()", "(SELECT did FROM packing_step('1 day')) IS NOT NULL"):
        r.run(f"DO $$ BEGIN WHILE {passes} LOOP COMMIT; END LOOP; END $$")
    r.run("VACUUM ANALYZE")


def questions(r: Rig) -> dict[str, str]:
    def span(since: str, until_: str) -> str:
        return f"from={iso(r, f'{DAY} + {since}')}&to={iso(r, f'{DAY} + {until_}')}"

    whole = span("interval '0 s'", "interval '24 hours'")
    cut = f"from={iso(r, DAY)[:-1].replace('00:00:00', '07:00:03')}Z&to={iso(r, DAY)[:-1].replace('00:00:00', '19:30:07')}Z"
    asked = {
        "a day as CSV": f"/devices/device_1/readings?format=csv&{whole}",
        "a day as CSV, newest first": f"/devices/device_1/readings?format=csv&order=desc&{whole}",
        "a day as JSON lines": f"/readings?format=jsonl&deviceId=device_1&{whole}",
        "an hour as CSV": f"/devices/device_1/readings?format=csv&{span('5 * interval $$1 hour$$', '6 * interval $$1 hour$$')}".replace("$$", "'"),
        "a page of 1,000": f"/devices/device_1/readings?limit=1000&{whole}",
        "a page of 10,000": f"/devices/device_1/readings?limit=10000&{whole}",
    }
    for points in (100, 500, 2000, 10000):
        asked[f"a day in {points} steps"] = f"/devices/device_1/points?points={points}&{whole}"
    asked["12.5 hours that cut ten seconds, 500 steps"] = f"/devices/device_1/points?points=500&{cut}"
    asked["the fleet's statuses of them"] = f"/histogram?{cut}"
    asked["the fleet's values of them"] = f"/distribution?feature=temperature&bins=20&{cut}"
    return asked


def packed_day(args: argparse.Namespace) -> None:
    with rig() as r:
        fill(r, args.readings * args.devices, args.devices)
        pack(r)
        ((readings, size),) = r.run("SELECT packed_readings, packed_bytes FROM packing_status('1 day')")
        say(f"{args.devices} devices, {readings} packed readings, {size / readings:.2f} bytes each")
        r.durable()
        r.broker.start()
        port = free_port()
        api = r.program("httpapi", http_listen=f"{LOOPBACK}:{port}", statement_timeout="600s")
        api.wait_for_line("listening on", 20)
        until(lambda: is_ready(port), 20, "httpapi answers out of the database")
        for what, path in questions(r).items():
            if args.only not in what:
                continue
            ask(port, path, 2)
            before = (cpu_us(api.pid), backends_us(r, "highwater-httpapi%"))
            took = ask(port, path, args.times)
            say(
                f"    {what:46} {percentiles(took)}; CPU of httpapi {(cpu_us(api.pid) - before[0]) / 1e3 / args.times:.1f} ms,"
                f" of the database {(backends_us(r, 'highwater-httpapi%') - before[1]) / 1e3 / args.times:.1f} ms"
            )
        api.terminate()
