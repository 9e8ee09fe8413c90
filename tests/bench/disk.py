"""What a reading takes on disk, beside what others say and, where they are installed, VictoriaMetrics and ClickHouse."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import Any

import psycopg2
from report import Section
from rig import LOOPBACK, Rig, ServerError, cpu_s, free_port, number, say, until

SERVER = Path("/usr/bin/victoria-metrics")
CLICKHOUSE = Path("/usr/sbin/clickhouse-server")
STEPS = 1000  # readings of a device in one request
# A slow wave with the noise of a sensor, in hundredths.
WALK = "100 + 50 * sin(d + s / 600.0) + random()"


def readings(rig: Rig, devices: int, seconds: int) -> dict[str, float]:
    """Bytes of the heap and of its indexes, after so many seconds of one reading per device, in the order of arrival;
    and of the day's chunks, once it is packed, with what the backend spent on that."""
    count = devices * seconds
    with rig.database("fresh") as database:
        connection = psycopg2.connect(rig.postgres.url(database))
        connection.autocommit = True
        with connection.cursor() as cursor:

            def ask(statement: str) -> tuple[Any, ...]:
                cursor.execute(statement)
                return cursor.fetchone() or () if cursor.description else ()

            day = "(date_trunc('day', now(), 'UTC') - interval '24 hours')"
            ask("SELECT make_partitions(now() - interval '24 hours', now())")
            (partition,) = ask(f"SELECT name FROM reading_partitions WHERE starts_at = {day}")
            ask(f"INSERT INTO devices (device_id) SELECT 'device_' || n FROM generate_series(1, {devices}) n")
            ask(
                f"INSERT INTO {partition} (device, content_hash, recorded_at, received_at, status, temperature, pressure)"
                " SELECT d, hashint8(s::bigint << 24 | d)::bigint << 32 | (hashint8(s::bigint << 16 | d)::bigint & 2147483647), at,"
                f" at + (20000 + (hashint8(s::bigint << 12 | d) & 32767)) * interval '1 us', 1, round(({WALK})::numeric, 2), 3.2"
                f" FROM (SELECT s, d, {day} + s * interval '1 s' + (hashint8(s::bigint << 20 | d) & 1023) * interval '1 us' AS at"
                f" FROM generate_series(0, {seconds - 1}) s, generate_series(1, {devices}) d) given"
            )
            row, indexes = ask(f"SELECT pg_table_size('{partition}'), pg_indexes_size('{partition}')")
            before = cpu_s(connection.info.backend_pid)
            (began,) = ask("SELECT pg_current_wal_insert_lsn()")
            while ask("SELECT did FROM packing_step('0 s')") != (None,):
                pass
            packing = cpu_s(connection.info.backend_pid) - before
            (log,) = ask(f"SELECT pg_current_wal_insert_lsn() - '{began}'::pg_lsn")
            chunks, late, kept = ask("SELECT chunks, partition, readings FROM packed_days WHERE is_packed")
            (packed,) = ask(f"SELECT pg_total_relation_size('{chunks}')")
            (left,) = ask(f"SELECT count(*) FROM {late}")
        connection.close()
    if kept != count or left != 0:
        raise ServerError(f"{count} readings were to be packed: {kept} are, {left} are not")
    return {
        "row": row / count,
        "indexes": indexes / count,
        "packed": packed / count,
        "log": float(log) / count,
        "packing us": packing / count * 1e6,
    }


def victoria(rig: Rig, devices: int, seconds: int) -> float | None:
    """Bytes of a reading of two values as two samples, which is what it keeps: milliseconds, no status, no hash."""
    if not SERVER.exists():
        say("disk: no VictoriaMetrics here, left out")
        return None
    place, port = rig.area / "victoria", free_port()
    options = [f"-storageDataPath={place}", f"-httpListenAddr={LOOPBACK}:{port}", "-retentionPeriod=1y"]
    server = rig.program("victoria", [SERVER, *options, "-memory.allowedPercent=10"])
    since = int(time.time()) // 86400 * 86400
    with rig.running(server):
        url = f"http://{LOOPBACK}:{port}"
        until(lambda: _answers(f"{url}/health"), 20, "VictoriaMetrics answers")
        for first in range(0, seconds, STEPS):
            made = rig.postgres.sql(
                "SELECT 'reading,device=device_' || d || ' temperature=' || round((" + WALK + ")::numeric, 2)"
                f" || ',pressure=3.2 ' || ({since} + s) * 1000000000::bigint + (hashint8(s::bigint << 20 | d) & 1023) * 1000"
                f" FROM generate_series({first}, {min(seconds, first + STEPS) - 1}) s, generate_series(1, {devices}) d"
            )
            urllib.request.urlopen(f"{url}/write", data=made.encode()).read()
        urllib.request.urlopen(f"{url}/internal/force_flush").read()
        urllib.request.urlopen(f"{url}/internal/force_merge").read()
        time.sleep(5)
        server.terminate()
    taken = sum(file.stat().st_size for file in (place / "data").rglob("*") if file.is_file())
    return taken / (devices * seconds)


# The columns of readings, times as seconds and microseconds, since the release that Debian has knows no finer ones.
CLICKHOUSE_TABLE = (
    "CREATE TABLE readings (device UInt32, recorded_at DateTime, recorded_us UInt32, received_us Int32, content_hash Int64,"
    " status UInt8, temperature Float64, pressure Float64) ENGINE = MergeTree PARTITION BY toYYYYMMDD(recorded_at)"
    " ORDER BY (device, recorded_at, recorded_us)"
)
CLICKHOUSE_ROWS = (
    "INSERT INTO readings SELECT d, toDateTime('2026-01-01 00:00:00') + s, intHash32(s * 1048576 + d) % 1024,"
    " 20000 + intHash32(s * 4096 + d) % 32768, toInt64(intHash64(s * 16777216 + d)), 1,"
    " round(100 + 50 * sin(d + s / 600.0) + intHash32(s * 7919 + d) / 4294967296, 2), 3.2"
    " FROM (SELECT number % {devices} + 1 AS d, intDiv(number, {devices}) + {first} AS s FROM system.numbers LIMIT {rows})"
)
CLICKHOUSE_CONFIG = """<yandex><logger><level>warning</level><console>1</console></logger>
<http_port>{port}</http_port><listen_host>{host}</listen_host><path>{place}/</path><tmp_path>{place}/tmp/</tmp_path>
<users_config>{users}</users_config><default_profile>default</default_profile><default_database>default</default_database>
<mark_cache_size>100000000</mark_cache_size></yandex>"""
CLICKHOUSE_USERS = """<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default><password/>
<networks><ip>{host}</ip></networks><profile>default</profile><quota>default</quota></default></users></yandex>"""


def clickhouse(rig: Rig, devices: int, seconds: int) -> dict[str, float] | None:
    """Bytes of a reading, all of its columns, and of the hash in it; and its release."""
    if not CLICKHOUSE.exists():
        say("disk: no ClickHouse here, left out")
        return None
    place, port = rig.area / "clickhouse", free_port()
    place.mkdir()
    config, users = rig.area / "clickhouse.xml", rig.area / "clickhouse-users.xml"
    config.write_text(CLICKHOUSE_CONFIG.format(port=port, host=LOOPBACK, place=place, users=users))
    users.write_text(CLICKHOUSE_USERS.format(host=LOOPBACK))
    url = f"http://{LOOPBACK}:{port}"

    def ask(statement: str) -> list[str]:
        return urllib.request.urlopen(url, data=statement.encode()).read().decode().split()

    with rig.running(rig.program("clickhouse", [CLICKHOUSE, f"--config-file={config}"])):
        until(lambda: _answers(f"{url}/ping"), 60, "ClickHouse answers")
        ask(CLICKHOUSE_TABLE)
        for first in range(0, seconds, STEPS):
            rows = devices * min(STEPS, seconds - first)
            ask(CLICKHOUSE_ROWS.format(devices=devices, first=first, rows=rows))
        ask("OPTIMIZE TABLE readings FINAL")
        kept, taken = ask("SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'readings'")
        (hashes,) = ask("SELECT sum(data_compressed_bytes) FROM system.columns WHERE table = 'readings' AND name = 'content_hash'")
        (version,) = ask("SELECT version()")
    if int(kept) != devices * seconds:
        raise ServerError(f"ClickHouse keeps {kept} of {devices * seconds} readings")
    return {"each": int(taken) / int(kept), "hash": int(hashes) / int(kept), "release": float(".".join(version.split(".")[:2]))}


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).read()
    except OSError:
        return False
    return True


def section(rig: Rig, quick: bool) -> Section:
    devices, seconds = (300, 1000) if quick else (300, 7000)
    say(f"disk: {devices * seconds:,} readings")
    ours = readings(rig, devices, seconds)
    theirs = victoria(rig, devices, seconds)
    columns = clickhouse(rig, devices, seconds)
    both = ours["row"] + ours["indexes"]
    made = Section(
        "Disk",
        ["what", "bytes per reading", "of it"],
        "A reading of two features a second and device: one a slow wave with a noise of 1 in hundredths, the other still; "
        "times jitter by a millisecond, arrivals by 33.",
    )
    made.add(
        "Highwater, a day that is not packed",
        number(both),
        f"row {number(ours['row'])}, key and block ranges {number(ours['indexes'])}: 41 to 71, as devices share leaves",
    )
    made.add(
        "Highwater, a day that is packed",
        number(ours["packed"]),
        f"chunks and their index: all values, times and arrivals, 16 bits of the hash; made with {number(ours['log'])} bytes of "
        f"write-ahead log and {number(ours['packing us'])} us of PostgreSQL's CPU a reading",
    )
    if theirs:
        made.add(
            "VictoriaMetrics, the same values",
            number(theirs),
            "two samples, of milliseconds: no status, no hash, a second message of a moment replaces the first",
        )
    else:
        made.add("VictoriaMetrics", "left out", "not installed here")
    if columns:
        made.add(
            f"ClickHouse {columns['release']:g}, the same columns",
            number(columns["each"]),
            f"whole hashes {number(columns['hash'])}; without them {number(columns['each'] - columns['hash'])}",
        )
    else:
        made.add("ClickHouse", "left out", "not installed here")
    made.add(
        "TimescaleDB, as published, not measured",
        f"{number(both * 0.02)} - {number(both * 0.1)}",
        '"typically reducing storage by 90-98 %" by its columnstore, of whatever rows; here of ours with its key',
    )
    made.notes.append(
        "VictoriaMetrics (in Debian 12 and 13) and ClickHouse (in Debian 12, of 2018) are measured where they are installed; TimescaleDB's "
        "figure is its documentation's, since Debian's package, in 13 only, is what is under the Apache licence, without the columnstore. "
        f"After {seconds:,} readings of each of {devices} devices. `disk_expected()` says what a fleet takes (docs/OPERATIONS.md, \"What grows\")."
    )
    return made
