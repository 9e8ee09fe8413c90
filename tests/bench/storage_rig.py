"""What the parts of storage.py have in common: a private database with programs around it, and its rows."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2

CLONE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CLONE / "deploy" / "local"), str(CLONE / "tests" / "system")]

from servers import LOOPBACK, PrivateBroker, PrivatePostgres, Program, samples_of  # noqa: E402

BUILD = (CLONE / (os.environ.get("BUILD_DIR") or "build")).resolve()


def say(text: str) -> None:
    print(text, flush=True)


class Rig:
    """A database with the schema; programs around it."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.settings = settings
        self.postgres = PrivatePostgres(home / "postgres", settings={**settings, "fsync": "off"}, log=home / "postgres.log")
        self.broker = PrivateBroker(home / "broker", log=home / "broker.log")
        self._programs: list[Program] = []
        self.postgres.start()
        assert self.program("collector", "--migrate").wait(120) == 0

    def program(self, name: str, *args: str, **settings: str) -> Program:
        env = {**os.environ, "DATABASE_URL": self.postgres.url(), "MQTT_URL": self.broker.url(), "PACK_AFTER": "0"}
        env.update({key.upper(): value for key, value in settings.items()})
        program = Program(name, [BUILD / name, *args], self.home / f"{name}.log", env=env)
        self._programs.append(program)
        program.start()
        return program

    def durable(self) -> None:
        """From here on as it would run."""
        self.run("CHECKPOINT", superuser=True)
        self.postgres.stop()
        self.postgres.settings = dict(self.settings)
        self.postgres.start()

    def run(self, *statements: str, superuser: bool = False, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Each statement on its own; the rows of the last one."""
        url = self.postgres.url(user="postgres") if superuser else self.postgres.url()
        connection = psycopg2.connect(url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def close(self) -> None:
        for program in reversed(self._programs):
            program.kill9()
        if self.broker.is_running():
            self.broker.kill9()
        self.postgres.stop("immediate")


@contextlib.contextmanager
def rig(**settings: str) -> Iterator[Rig]:
    home = Path(tempfile.mkdtemp(prefix="highwater-storage-"))
    home.chmod(0o755)
    made = Rig(home, **settings)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(home, ignore_errors=True)


def make_devices(rig: Rig, count: int) -> None:
    rig.run(
        "INSERT INTO devices (device_id) SELECT 'device_' || i FROM generate_series("
        f"(SELECT count(*) FROM devices) + 1, {count}) i"
    )


def make_rows(rig: Rig, rows: int, devices: int, seconds: float, first_device: int = 1) -> None:
    """`rows` readings of `devices` devices, evenly over the last `seconds`, as they would arrive: rounds in which
    each device sends once, sorted by device as a batch of the collector is."""
    rounds = max(rows // devices, 1)
    slice_rounds = max(2_000_000 // devices, 1)
    for first in range(0, rounds, slice_rounds):
        rig.run(
            "SET synchronous_commit = off",
            f"""INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure)
            SELECT d, hashint8(r::bigint << 24 | d), at, at + interval '40 ms', 1 + (hashint8(r + d) & 3),
                   random() * 200, random() * 25
            FROM (SELECT r, d, now() - {seconds} * interval '1 second'
                         + (r + (hashint4(d) & 1023) / 1024.0) * interval '{seconds / rounds} seconds' AS at
                  FROM generate_series({first}, {min(first + slice_rounds, rounds) - 1}) r,
                       generate_series({first_device}, {first_device + devices - 1}) d) x""",
        )


@contextlib.contextmanager
def bulk_load(rig: Rig) -> Iterator[None]:
    """Without the trigger, which is for what comes while others look; the rollups are made afterwards."""
    rig.run("ALTER TABLE readings DISABLE TRIGGER USER")
    yield
    rig.run("ALTER TABLE readings ENABLE TRIGGER USER", "VACUUM ANALYZE readings")


def metric(port: int, name: str) -> float:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    connection.request("GET", "/metrics")
    return samples_of(connection.getresponse().read().decode())[name]


def percentiles(seconds: list[float]) -> str:
    seconds = sorted(seconds)
    return f"p50 {seconds[len(seconds) // 2] * 1e3:.2f} ms, p99 {seconds[int(len(seconds) * 0.99)] * 1e3:.2f} ms"


def ask(port: int, path: str, times: int) -> list[float]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=600)
    took = []
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        took.append(time.perf_counter() - began)
        assert answer.status == 200, body[:300]
    return took


def iso(rig: Rig, expression: str) -> str:
    return rig.run(f"SELECT to_char(({expression}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")[0][0]
