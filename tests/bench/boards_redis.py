"""What it costs to have the boards in Redis as well: the collector's sink by itself, with a Redis of its own."""

from __future__ import annotations

import json
import subprocess

from ingest import TARGETS
from private_redis import PrivateRedis
from report import Section, at_most
from rig import BENCH, Figure, Rig, cpu_s, say

BOARDS_PER_S = 50


def boards(rig: Rig, runs: int, seconds: float) -> dict[str, Figure]:
    """CPU in percent of a core, while so many boards change each second."""
    ours, servers = [], []
    server = PrivateRedis(rig.area / rig.name("redis"))
    server.start()
    try:
        for run in range(runs):
            server.client().flushall()
            assert server.program is not None
            before = cpu_s(server.program.pid)
            command = [BENCH / "redis_bench", server.url(), BOARDS_PER_S, seconds]
            done = subprocess.run([str(arg) for arg in command], capture_output=True, text=True, check=True)
            found = json.loads(done.stdout)
            assert found["taken"] == found["boards"], found
            ours.append(found["us_per_board"] * BOARDS_PER_S / 1e4)
            servers.append((cpu_s(server.program.pid) - before) / seconds * 100)
            say(f"boards into Redis {run + 1}/{runs}: {ours[-1]:.3f} % of a core, Redis {servers[-1]:.2f} %")
    finally:
        server.kill9()
    return {"collector": Figure(ours), "redis": Figure(servers)}


def boards_section(found: dict[str, Figure]) -> Section:
    section = Section(
        "Boards into Redis",
        TARGETS,
        f"{BOARDS_PER_S} boards of ten devices change each second, and each is put into Redis: sorted set, readings and the board, by one "
        "script, published. CPU in percent of a core, with what it takes to write the board as JSON.",
    )
    ours, redis = found["collector"], found["redis"]
    section.add("collector", ours.text(), f"Redis itself: {redis.text()}", "", "<= 1", at_most(ours.median, 1.0))
    return section
