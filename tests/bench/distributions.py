"""Histograms and quantiles of values over HTTP, of as many readings as a fleet has in months.

A billion rows are 140 GB, and none but those at the two ends of a span is ever looked at. So only these are made: of each
minute that a span cuts, and of a device that sends once a second each six hours, for shorter spans of it have no nodes.
The rest is there as sums and nodes of values, made by SQL just as
they would be, each level as many as it would have; and the answers are held against the sums, so a reading that was
counted in neither, or in both, is seen. What is not as it would be: minutes (six hours) are alike, and the sums of hours of
single devices, which questions of the fleet do not touch, are not there.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import time
import urllib.parse
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from storage_rig import Rig, bulk_load, percentiles, rig, say

from servers import LOOPBACK, free_port

FEATURES = {"temperature": "values of two decimals", "pressure": "values that never repeat"}
SLOT = 1160  # readings in ten seconds: 10 million a day
DEVICES = 1000
DENSE_SLOT = 10  # of the device that sends once a second

# The smallest node: temperatures 0.00 to 39.99 are cells of their own, pressures below 25 lie in cells of 1/64.
SMALLEST = """
    CREATE TABLE smallest AS
    SELECT feature, step, scale, array_agg(n ORDER BY cell) AS counts FROM (
        SELECT f.feature, f.step, f.scale, c.cell, count(v.cell) AS n
        FROM (VALUES ('temperature', NULL::float8, 100::float8, 4000), ('pressure', 1 / 64.0, NULL, 1600)) f (feature, step, scale, cells)
        CROSS JOIN LATERAL generate_series(0, f.cells - 1) c (cell)
        LEFT JOIN LATERAL (SELECT floor(random() * f.cells)::integer AS cell FROM generate_series(1, %(slot)s * %(smallest)s / 10)) v ON v.cell = c.cell
        GROUP BY 1, 2, 3, 4) n
    GROUP BY 1, 2, 3
"""
SPANS = """
    INSERT INTO rollup_value_spans (device, unit, bucket, readings)
    SELECT %(device)s, u.unit, b, %(slot)s * extract(epoch FROM u.length) / 10
    FROM value_units() u CROSS JOIN LATERAL generate_series(date_bin(u.length, %(from)s + u.length - interval '1 us', 'epoch'), %(to)s - u.length, u.length) b
    WHERE %(slot)s * extract(epoch FROM u.length) / 10 >= u.fewest
"""
NODES = """
    INSERT INTO rollup_values (device, unit, bucket, step, scale, base, feature, counts, counts_wide)
    SELECT s.device, s.unit, s.bucket, m.step, m.scale, 0, m.feature, t.counts, t.wide FROM rollup_value_spans s
    JOIN (SELECT u.unit, m.feature, CASE WHEN t.most <= 32767 THEN t.counts::smallint[] END AS counts, CASE WHEN t.most > 32767 THEN t.counts END AS wide
          FROM value_units() u, smallest m CROSS JOIN LATERAL (
              SELECT array_agg(n * (extract(epoch FROM u.length) / %(smallest)s)::bigint ORDER BY i) AS counts, max(n) * extract(epoch FROM u.length) / %(smallest)s AS most
              FROM unnest(m.counts) WITH ORDINALITY AS c (n, i)) t WHERE extract(epoch FROM u.length) >= %(smallest)s) t USING (unit)
    JOIN smallest m USING (feature)
"""
SUMS = """
    INSERT INTO {table} (%(key)s, readings, status_on, first_at, last_at,
        temperature_count, temperature_sum, temperature_min, temperature_max, pressure_count, pressure_sum, pressure_min, pressure_max)
    SELECT {device} b, n, n, b, b + {length} - interval '1 us', n, n * 20, 0, 39.99, n, n * 12.5, 0, 24.999
    FROM generate_series(%(from)s::timestamptz, %(to)s::timestamptz - interval '1 us', {length}) b, (SELECT (%(slot)s * extract(epoch FROM {length}) / 10)::bigint AS n) n
"""
# A slot's readings, evenly over it; the lowest and the highest value of all are among them.
READINGS = """
    INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure)
    SELECT 1 + (i * 7919) %% %(devices)s, hashint8extended(extract(epoch FROM m)::bigint * 100000 + i, 0), at, at + interval '40 ms', 1,
           CASE i %% %(slot)s WHEN 0 THEN 0 WHEN 1 THEN 39.99 ELSE floor(random() * 4000) / 100 END,
           CASE i %% %(slot)s WHEN 0 THEN 0 WHEN 1 THEN 24.999 ELSE random() * 24.999 END
    FROM unnest(%(minutes)s::timestamptz[]) m, generate_series(0, %(slot)s * 6 - 1) i,
         LATERAL (SELECT m + i * interval '1 us' * (10000000.0 / %(slot)s) AS at) t
"""


# The same of the device that sends once a second, of six hours from each of `blocks` on.
DENSE_READINGS = """
    INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure)
    SELECT 1, i, at, at + interval '40 ms', 1, CASE i %% 10 WHEN 0 THEN 0 WHEN 1 THEN 39.99 ELSE floor(random() * 4000) / 100 END,
           CASE i %% 10 WHEN 0 THEN 0 WHEN 1 THEN 24.999 ELSE random() * 24.999 END
    FROM unnest(%(blocks)s::timestamptz[]) b, generate_series(0, 21599) i, LATERAL (SELECT b + i * interval '1 s' AS at) t
"""


def days_up_to_today(rig: Rig, days: int) -> dict[str, Any]:
    span = rig.run("SELECT date_trunc('day', now(), 'UTC') - %s * interval '24 hours', date_trunc('day', now(), 'UTC')", parameters=(days,))[0]
    rig.run("SELECT * FROM make_partitions(%s, now())", parameters=span[:1])
    return {"from": span[0], "to": span[1]}


def make_sums(rig: Rig, numbers: dict[str, Any], tables: tuple[tuple[str, str, str, str], ...]) -> None:
    """Sums and nodes of all that is not at the ends of spans."""
    rig.run("SET default_toast_compression = 'lz4'", "SET synchronous_commit = off", SMALLEST, SPANS, NODES, parameters=numbers)
    for table, key, device, length in tables:
        rig.run(SUMS.replace("%(key)s", key).format(table=table, device=device, length=f"interval '{length}'"), parameters=numbers)
    rig.run(
        "INSERT INTO rollup_totals SELECT device, sum(readings), sum(status_on), 0, 0, 0, min(first_at), max(last_at), sum(temperature_count), sum(temperature_sum),"
        " min(temperature_min), max(temperature_max), sum(pressure_count), sum(pressure_sum), min(pressure_min), max(pressure_max) FROM rollup_days GROUP BY device",
        "UPDATE storage_state SET rolled_until = date_trunc('day', now(), 'UTC'), late_before = date_trunc('day', now(), 'UTC')",
        "UPDATE rollup_value_passes p SET until = date_bin(u.length, s.rolled_until, 'epoch') FROM value_units() u, storage_state s WHERE u.unit = p.unit",
    )


def make_fleet(rig: Rig, days: int, minutes: set[datetime]) -> None:
    """Sums and nodes of so many days up to today, and the readings of some of their minutes."""
    numbers = {**days_up_to_today(rig, days), "device": 0, "smallest": 60, "slot": SLOT, "devices": DEVICES}
    rig.run("INSERT INTO devices (device_id) SELECT 'device_' || i FROM generate_series(1, %s) i", parameters=(DEVICES,))
    make_sums(rig, numbers, (
        ("rollup_fleet", "bucket", "", "10 seconds"), ("rollup_hours", "device, bucket", "0,", "1 hour"), ("rollup_days", "device, bucket", "0,", "24 hours"),
    ))  # fmt: skip
    with bulk_load(rig):
        for minute in sorted(minutes):
            rig.run("SET synchronous_commit = off", READINGS, parameters={**numbers, "minutes": [minute]})
    rig.run("VACUUM ANALYZE")


def make_dense(rig: Rig, days: int, blocks: set[datetime]) -> None:
    """The same of one device that sends once a second."""
    numbers = {**days_up_to_today(rig, days), "device": 1, "smallest": 21600, "slot": DENSE_SLOT}
    rig.run("INSERT INTO devices (device_id) VALUES ('dense')")
    make_sums(rig, numbers, (("rollup_hours", "device, bucket", "1,", "1 hour"), ("rollup_days", "device, bucket", "1,", "24 hours")))
    with bulk_load(rig):
        for block in sorted(blocks):
            rig.run("SET synchronous_commit = off", DENSE_READINGS, parameters={"blocks": [block]})
    rig.run("VACUUM ANALYZE")


def make_newest(rig: Rig, rate: int) -> None:
    """The last minutes of a fleet that sends as fast as this, stored as everybody but a collector does, a second at a time."""
    rig.run("SELECT make_partition(now())")
    rig.run(
        "UPDATE storage_state SET rolled_until = greatest(rolled_until, date_bin('1 minute', now() - interval '3 minutes', 'epoch')),"
        " late_before = greatest(late_before, date_bin('1 minute', now() - interval '3 minutes', 'epoch'))",
        "UPDATE rollup_value_passes p SET until = date_bin(u.length, s.rolled_until, 'epoch') FROM value_units() u, storage_state s WHERE u.unit = p.unit",
    )
    rig.run(
        "SET synchronous_commit = off",
        f"""DO $$ BEGIN FOR second IN 0..229 LOOP
            INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure)
            SELECT 1 + i % {DEVICES}, hashint8extended(second * 1000000::bigint + i, 0), at, at + interval '40 ms', 1, floor(random() * 4000) / 100, random() * 24.999
            FROM generate_series(0, {rate - 1}) i, LATERAL (
                SELECT now() - interval '3 minutes 50 seconds' + second * interval '1 s' + i * interval '1 s' / {rate} AS at) t;
        END LOOP; END $$""",
        "VACUUM ANALYZE readings",
    )
    while rig.run("SELECT values_recent()")[0][0]:
        pass


def any_spans(rng: random.Random, starts: datetime, ends: datetime, count: int) -> list[tuple[datetime, datetime]]:
    """Of every length, from a minute on, and place."""
    whole = (ends - starts).total_seconds()
    found = []
    for _ in range(count):
        length = 60 * (whole / 60) ** rng.random()
        begin = starts + timedelta(seconds=rng.random() * (whole - length))
        found.append((begin, begin + timedelta(seconds=length)))
    return found


class Front:
    """An httpapi before it; each answer is held against the sums."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._backends: list[int] = []
        port = free_port()
        rig.broker.start()
        rig.program("httpapi", http_listen=f"{LOOPBACK}:{port}", statement_timeout="60s").wait_for_line("database: connecting -> up", 60)
        self._port = port
        self._backends = [pid for (pid,) in rig.run("SELECT pid FROM pg_stat_activity WHERE application_name = 'highwater-httpapi'")]
        assert self._backends

    def _cpu_seconds(self) -> float:
        return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in self._backends) / 1e9

    def ask(self, connection: http.client.HTTPConnection, path: str, feature: str, span: tuple[datetime, datetime], device: int = 0) -> tuple[float, float]:
        parameters = {"feature": feature, "bins": 24, "quantiles": "0.5,0.95,0.99", "from": f"{span[0]:%Y-%m-%dT%H:%M:%S.%fZ}", "to": f"{span[1]:%Y-%m-%dT%H:%M:%S.%fZ}"}
        used, began = self._cpu_seconds(), time.perf_counter()
        connection.request("GET", f"{path}?{urllib.parse.urlencode(parameters)}")
        answer = connection.getresponse()
        body = answer.read()
        took, used = time.perf_counter() - began, self._cpu_seconds() - used
        assert answer.status == 200, body[:300]
        counts = sum(json.loads(body)["counts"])
        told = self._rig.run("SELECT readings FROM feature_summary(%s, %s, %s, %s)", parameters=(device, feature, *span))[0][0]
        assert counts == told, (feature, span, counts, told)
        return took, used

    def measure(self, what: str, path: str, spans: list[tuple[datetime, datetime]], device: int = 0) -> None:
        for feature, kind in FEATURES.items():
            # a connection of its own: one that rests as long as rows are made is closed by the server
            with contextlib.closing(http.client.HTTPConnection(LOOPBACK, self._port, timeout=60)) as connection:
                self.ask(connection, path, feature, spans[0], device)
                took, used = zip(*(self.ask(connection, path, feature, span, device) for span in spans))
            say(f"    {what + ', ' + kind:72} {percentiles(list(took))}; CPU of the database {percentiles(list(used))}")


def device_distributions(args: argparse.Namespace) -> None:
    rng = random.Random(args.seed)
    days = max(round(float(args.device_readings) / (8640 * DENSE_SLOT)), 1)
    with rig(max_wal_size="8GB") as r:
        today = r.run("SELECT date_trunc('day', now(), 'UTC')")[0][0]
        spans = any_spans(rng, today - timedelta(days=days), today, args.spans)
        cut = {at.replace(hour=at.hour // 6 * 6, minute=0, second=0, microsecond=0) for span in spans for at in span}
        make_dense(r, days, cut)
        r.durable()
        say(
            f"{days * 8640 * DENSE_SLOT:,} readings of a device in {days} days, {len(cut) * 21600:,} of them stored."
            f" {len(spans)} spans of every length and place, 24 bins, three quantiles:"
        )
        Front(r).measure("the device", "/devices/dense/distribution", spans, device=1)


def fleet_distributions(args: argparse.Namespace) -> None:
    rng = random.Random(args.seed)
    days = max(round(float(args.readings) / (8640 * SLOT)), 1)
    with rig(max_wal_size="8GB") as r:
        today = r.run("SELECT date_trunc('day', now(), 'UTC')")[0][0]
        spans = any_spans(rng, today - timedelta(days=days), today, args.spans)
        cut = {at.replace(second=0, microsecond=0) for span in spans for at in span}
        since = [(today - timedelta(days=days * rng.random()), today + timedelta(days=2)) for _ in range(args.spans // 4)]
        cut |= {span[0].replace(second=0, microsecond=0) for span in since}
        began = time.monotonic()
        make_fleet(r, days, cut)
        r.durable()
        nodes, size = r.run("SELECT (SELECT count(*) FROM rollup_values), pg_size_pretty(pg_total_relation_size('rollup_values'))")[0]
        say(
            f"{days * 8640 * SLOT:,} readings of the fleet in {days} days: {nodes:,} nodes of values, {size}; {len(cut) * 6 * SLOT:,} readings stored;"
            f" made in {time.monotonic() - began:.0f} s. {len(spans)} spans of every length and place, 24 bins, three quantiles:"
        )
        front = Front(r)
        front.measure("the fleet", "/distribution", spans)
        if args.rate:
            make_newest(r, args.rate)
            front.measure(f"the fleet until now, {args.rate:,} a second", "/distribution", since)


def distributions(args: argparse.Namespace) -> None:
    if float(args.device_readings):
        device_distributions(args)
    if float(args.readings):
        fleet_distributions(args)
