"""The same flood into what people usually write: peers/ has the programs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import telegraf_peer
from ingest import WARMUP_S, Floods
from report import Section
from rig import Program, Rig, ServerError, cpu_s, has, rounds, say, sleep_until, until

PEERS = Path(__file__).parent / "peers"


def _node_modules(rig: Rig) -> Path | None:
    """A directory with the program and what it needs; None when that cannot be had here."""
    if not has("node") or not has("npm"):
        say("peers: no Node.js here, left out")
        return None
    place = rig.area / "node_peer"
    shutil.copytree(PEERS, place)
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--omit=dev"],
        cwd=place,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        say(f"peers: npm install failed, Node.js is left out: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return place


def _stored(program: Program) -> tuple[float, float]:
    """How many readings, as of when."""
    before = program.output().count('"stored"')
    program.signal(signal.SIGUSR2)
    until(lambda: program.output().count('"stored"') > before, 20, f"{program.name} says what it stored", pause=0.005)
    figures = json.loads(program.output().splitlines()[-1])
    return figures["stored"], figures["at"]


def _flood(rig: Rig, name: str, argv: list[str], seconds: float) -> dict[str, float]:
    with rig.database() as database, rig.broker() as broker:
        program = rig.program(name, argv)
        program.env = {**os.environ, "MQTT_URL": broker.url(), "DATABASE_URL": rig.postgres.url(database)}
        with rig.running(program):
            program.wait_for_line("^ready$", 30)
            with rig.running(rig.flood(broker, WARMUP_S + seconds + 0.5)):
                sleep_until(time.monotonic() + WARMUP_S)
                backends = rig.postgres.backends(database)
                stored, began = _stored(program)
                cpu, backend = cpu_s(program.pid), cpu_s(*backends)
                time.sleep(seconds)
                now_stored, ended = _stored(program)
                cpu, backend = cpu_s(program.pid) - cpu, cpu_s(*backends) - backend
            rss = program.rss_kb() / 1024
    readings = now_stored - stored
    if readings <= 0:
        raise ServerError(f"{name} stored nothing:\n{program.tail()}")
    return {
        "per second": readings / (ended - began),
        "CPU us": cpu / readings * 1e6,
        "PostgreSQL us": backend / readings * 1e6,
        "RSS MB": rss,
    }


def section(rig: Rig, runs: int, seconds: float, floods: Floods) -> Section:
    node = _node_modules(rig)
    variants = {
        "Python": lambda: _flood(rig, "python_peer", ["/usr/bin/python3", str(PEERS / "python_peer.py")], seconds)
    }
    if node:
        variants["Node.js"] = lambda: _flood(rig, "node_peer", ["node", str(node / "node_peer.js")], seconds)
    telegraf, why = telegraf_peer.build()
    if telegraf:
        variants["Telegraf"] = lambda: telegraf_peer.flood(rig, telegraf, seconds)
    else:
        say(f"peers: Telegraf is left out: {why}")
    results = rounds("peers", runs, variants)
    made = Section(
        "Peers",
        ["program", "readings stored per second", "CPU per reading, us", "PostgreSQL per reading, us", "memory, MB"],
        "The same flood into programs as they are usually written, with batching: tests/bench/peers has them.",
    )
    if floods:
        ours = floods["collector"]
        made.add(
            "Highwater",
            ours["per second"].text(),
            ours["CPU us"].text(),
            f"{ours['PostgreSQL us'].text()}, and {ours['upkeep us'].text()} to look after storage",
            ours["peak MB"].text(),
        )
    names = {
        "Node.js": "Node.js: mqtt, pg, INSERT from arrays",
        "Python": "Python: paho-mqtt, psycopg2, execute_values",
        "Telegraf": telegraf_peer.NAME,
    }
    for variant, figures in results.items():
        made.add(
            names[variant], *(figures[name].text() for name in ("per second", "CPU us", "PostgreSQL us", "RSS MB"))
        )
    if not telegraf:
        made.add(telegraf_peer.NAME, f"left out: {why}", "", "", "")
    made.notes.append(
        f"Medians of {runs}. The first two acknowledge a message before it is stored: a crash loses what they hold, and "
        "here, where they are slower than the broker, that is everything that piled up in their memory. Neither keeps "
        "boards, checks what it is sent, or survives a row that the database refuses."
    )
    made.notes.append(
        "Telegraf writes by COPY and acknowledges what was written, so nothing is lost with it; what is delivered again "
        "is stored again, since its table has no key and no index, which is most of what PostgreSQL does for ours; "
        "sums, peaks and boards it has none."
    )
    return made
