"""Bytes on disk and of WAL: the parts `bytes` and `settings` of storage.py."""

from __future__ import annotations

import argparse
import io
import random
import time
from datetime import datetime, timezone

import psycopg2

from storage_rig import Rig, make_devices, rig, say


def store_batches(rig: Rig, batches: int, first: int = 0, checkpoint_every: int = 0, devices: int = 10_000) -> float:
    """Batches of 10,000 readings into today's partition by COPY, sorted, as a collector stores them; bytes of WAL."""
    name = rig.run("SELECT name FROM reading_partitions WHERE starts_at <= now() AND ends_at > now()")[0][0]
    columns = "device, content_hash, recorded_at, received_at, status, temperature, pressure"
    connection = psycopg2.connect(rig.postgres.url(user="postgres"))
    connection.autocommit = True
    rng = random.Random(first)
    start = int(time.time()) // 86400 * 86400
    with connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        cursor.execute("SELECT pg_current_wal_lsn()")
        before = cursor.fetchone()[0]
        for batch in range(first, first + batches):
            # the readings of one second, each of another device
            rows = []
            for i in range(10_000):
                device = 1 + i * devices // 10_000
                at = start + batch + rng.random()
                rows.append((device, at, rng.getrandbits(31), rng.randrange(1, 5), rng.random() * 200, rng.random() * 25))
            text = "".join(
                f"{d}\t{h}\t{when(at)}\t{when(at + 0.05)}\t{s}\t{t!r}\t{p!r}\n"
                for d, at, h, s, t, p in rows
            )
            cursor.copy_expert(f"COPY {name} ({columns}) FROM STDIN", io.StringIO(text))
            if checkpoint_every and (batch + 1) % checkpoint_every == 0:
                cursor.execute("CHECKPOINT")
        cursor.execute("SELECT pg_current_wal_lsn() - %s::pg_lsn", (before,))
        wal = float(cursor.fetchone()[0])
    connection.close()
    return wal


def when(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+00")


def sizes(rig: Rig, name: str) -> dict[str, int]:
    found = {"heap": rig.run(f"SELECT pg_table_size('{name}')")[0][0]}
    for index, size in rig.run(
        "SELECT c.relname, pg_relation_size(c.oid) FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid"
        f" WHERE x.indrelid = '{name}'::regclass"
    ):
        found[index.removeprefix(name + "_")] = size
    return found


def bytes_per_reading(args: argparse.Namespace) -> None:
    rows = int(float(args.rows))
    with rig(fsync="off", max_wal_size="16GB", checkpoint_timeout="1h", autovacuum="off") as r:
        make_devices(r, 10_000)
        name = r.run("SELECT name FROM reading_partitions WHERE starts_at <= now() AND ends_at > now()")[0][0]
        r.run("CHECKPOINT", superuser=True)
        wal = store_batches(r, rows // 10_000)
        r.run("VACUUM ANALYZE")
        found = sizes(r, name)
        say(f"{rows} readings with two features: WAL {wal / rows:.0f} bytes each")
        for part, size in found.items():
            say(f"    {part:<24} {size / rows:8.1f} bytes")
        say(f"    {'all':<24} {sum(found.values()) / rows:8.1f} bytes")
        # an hour's and a day's sums of each device, and the fleet's per ten seconds
        r.run("SELECT rollup_rebuild(now(), now())")
        for table in ("rollup_hours", "rollup_fleet", "rollup_open"):
            count = r.run(f"SELECT count(*) FROM {table}")[0][0]
            if count > 1000:
                say(f"    a row of {table:<14} {sum(sizes(r, table).values()) / count:8.0f} bytes")


def settings(args: argparse.Namespace) -> None:
    batches = 200
    rows = batches * 10_000
    for name, configuration, every in (
        ("one checkpoint", {}, 0),
        ("a checkpoint each 1,000,000 readings", {}, 100),
        ("a checkpoint each 300,000 readings", {}, 30),
        ("the same, wal_compression = lz4", {"wal_compression": "lz4"}, 30),
        ("the same, wal_compression = pglz", {"wal_compression": "pglz"}, 30),
    ):
        with rig(fsync="off", max_wal_size="16GB", checkpoint_timeout="1h", autovacuum="off", **configuration) as r:
            make_devices(r, 10_000)
            # the index has a page or more per device before it is measured
            store_batches(r, 50)
            r.run("CHECKPOINT", superuser=True)
            wal = store_batches(r, batches, 50, every)
            say(f"{name:<40} {wal / rows:6.0f} bytes of WAL a reading")
        if name == "one checkpoint":
            for what, first in (("VACUUM", "VACUUM"), ("VACUUM (FREEZE)", "VACUUM (FREEZE)")):
                with rig(fsync="off", max_wal_size="16GB", checkpoint_timeout="1h", autovacuum="off") as r:
                    make_devices(r, 10_000)
                    store_batches(r, batches)
                    partition = r.run("SELECT name FROM reading_partitions WHERE starts_at <= now() AND ends_at > now()")[0][0]
                    vacuum(r, f"{what} of a partition", f"{first} {partition}", rows)


def vacuum(rig: Rig, what: str, statement: str, rows: int) -> None:
    rig.run("CHECKPOINT", superuser=True)
    before = rig.run("SELECT pg_current_wal_lsn()", superuser=True)[0][0]
    began = time.monotonic()
    rig.run(statement, superuser=True)
    took = time.monotonic() - began
    wal = float(rig.run(f"SELECT pg_current_wal_lsn() - '{before}'::pg_lsn", superuser=True)[0][0])
    say(f"    {what:<46} {took * 1e6 / rows:6.2f} us, {wal / rows:6.1f} bytes of WAL a reading")
