"""Telegraf, built from its Go module where Go is: the same flood from MQTT into PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from ingest import WARMUP_S
from rig import BUILD, Rig, ServerError, cpu_s, say, sleep_until, until

MODULE, VERSION = "github.com/influxdata/telegraf", "v1.37.2"
CONFIGURATION = Path(__file__).parent / "peers" / "telegraf.conf"
# of its hundreds of parts those that are used here
PARTS = "custom,inputs.mqtt_consumer,outputs.postgresql,parsers.json"
TABLE = "peer_readings"
NAME = f"Telegraf {VERSION.removeprefix('v')}: mqtt_consumer, postgresql"


def build() -> tuple[Path | None, str]:
    """The program, which is kept in build/; or why it cannot be had here."""
    place = BUILD / "telegraf"
    program = place / f"telegraf-{VERSION}"
    if program.exists():
        return program, ""
    go = shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin")
    if not go:
        return None, "no Go here"
    say("peers: building Telegraf, for minutes, once")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for arguments in (
        ["mod", "init", "peer"],
        ["get", f"{MODULE}/cmd/telegraf@{VERSION}"],
        ["build", "-tags", PARTS, "-ldflags", "-s -w", "-o", str(program), f"{MODULE}/cmd/telegraf"],
    ):
        done = subprocess.run([go, *arguments], cwd=place, capture_output=True, text=True)
        if done.returncode != 0:
            return None, f"go {arguments[0]} failed: {''.join(done.stderr.strip().splitlines()[-1:])}"
    return program, ""


def _rows(rig: Rig, database: str) -> int:
    found = rig.postgres.sql(f"SELECT to_regclass('{TABLE}') IS NOT NULL", database)
    return int(rig.postgres.sql(f"SELECT count(*) FROM {TABLE}", database)) if found == "t" else 0


def flood(rig: Rig, program: Path, seconds: float) -> dict[str, float]:
    """Its table has no key, as it makes it; what it stored is counted."""
    with rig.database() as database, rig.broker() as broker:
        telegraf = rig.program("telegraf", [program, "--config", CONFIGURATION])
        telegraf.env = {
            **os.environ,
            "MQTT": broker.url().replace("mqtt:", "tcp:"),
            "POSTGRES": rig.postgres.url(database),
        }
        with rig.running(telegraf):
            telegraf.wait_for_line("Connected", 60)
            with rig.running(rig.flood(broker, WARMUP_S + seconds + 1)):
                until(lambda: _rows(rig, database) > 0, 20, "Telegraf stores", pause=0.1)
                sleep_until(time.monotonic() + WARMUP_S)
                backends = rig.postgres.backends(database)
                cpu, backend = cpu_s(telegraf.pid), cpu_s(*backends)
                stored, began = _rows(rig, database), time.monotonic()
                time.sleep(seconds)
                now_stored, ended = _rows(rig, database), time.monotonic()
                cpu, backend = cpu_s(telegraf.pid) - cpu, cpu_s(*backends) - backend
            memory = telegraf.rss_kb() / 1024
    if now_stored <= stored:
        raise ServerError(f"Telegraf stored nothing:\n{telegraf.tail()}")
    return {
        "per second": (now_stored - stored) / (ended - began),
        "CPU us": cpu / (now_stored - stored) * 1e6,
        "PostgreSQL us": backend / (now_stored - stored) * 1e6,
        "RSS MB": memory,
    }
