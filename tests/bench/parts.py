"""Parts by themselves: the windows beside Redis and SQL, and instructions by callgrind."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import statistics
import subprocess
import time
from collections import defaultdict
from typing import Any

from report import Section, verdict
from rig import BENCH, DEVICES, Rig, ServerError, cpu_s, has, number, say, until

MINUTES = 60


# --- Windows -------------------------------------------------------------------------------------


# Makes malloc ask for huge pages: fewer misses of the TLB where the windows are a gigabyte.
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def windows(sizes: list[int], runs: int, *args: object, env: dict[str, str] | None = None) -> dict[int, dict[str, float]]:
    """Of each size the median run of several, which take turns, of five samples each."""
    found: dict[int, list[dict[str, float]]] = {devices: [] for devices in sizes}
    for run in range(runs):
        for devices in sizes:
            say(f"windows {run + 1}/{runs}: {devices:,} devices{', ' + ' '.join(env) if env else ''}")
            done = subprocess.run(
                [str(arg) for arg in (BENCH / "windows_bench", "--json", "--devices", devices, *args)],
                capture_output=True,
                text=True,
                env={**os.environ, **(env or {})},
            )
            if done.returncode != 0:
                raise ServerError(f"windows_bench: {done.stderr}")
            found[devices].append(json.loads(done.stdout))
    return {devices: sorted(each, key=lambda one: one["insert_ns"])[runs // 2] for devices, each in found.items()}


# Features, how many of them a reading carries, whether each reading carries others, and the bytes to reach.
WIDE = [(2, 2, False, 0), (20, 20, False, 20_000), (200, 10, False, 100_000), (200, 10, True, 100_000)]


def wide(devices: int, runs: int) -> list[dict[str, Any]]:
    """Of each width the median run, values of two decimals, after an hour of all of it."""
    found = []
    for features, carried, any_of_them, bound in WIDE:
        given = ["--features", features, "--carried", carried, "--decimals", 2, *(["--any"] if any_of_them else [])]
        how = ["--history", "full", "--seconds", 3700, "--rounds", 100, "--samples", 3]
        figures = windows([devices], runs, *given, *how)[devices]
        found.append({**figures, "any": any_of_them, "bound": bound})
    return found


def falling(readings: int, samples: int) -> list[dict[str, Any]]:
    """One device whose value falls for an hour, so that nothing it sends can be forgotten; by order of arrival."""
    say(f"windows: {readings:,} falling readings of one device")
    command = [BENCH / "falling_bench", "--json", "--readings", readings, "--samples", samples]
    done = subprocess.run([str(arg) for arg in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise ServerError(f"falling_bench: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


class _Redis:
    """A connection that sends commands made beforehand, many at once."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)

    @staticmethod
    def encode(*words: object) -> bytes:
        parts = [str(word).encode() for word in words]
        return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)

    def pipeline(self, commands: list[bytes]) -> None:
        """Sends them, and reads as many answers, which are integers."""
        for at in range(0, len(commands), 500):
            part = commands[at : at + 500]
            self._socket.sendall(b"".join(part))
            lines = 0
            while lines < len(part):
                lines += self._socket.recv(65536).count(b"\r\n")

    def ask(self, command: bytes) -> None:
        """Sends one, and reads its answer to the end."""
        self._socket.sendall(command)
        data = b""
        while not _is_whole(data):
            data += self._socket.recv(65536)


def _is_whole(data: bytes) -> bool:
    if not data.endswith(b"\r\n"):
        return False
    head, _, rest = data.partition(b"\r\n")
    return head[:1] != b"*" or rest.count(b"\r\n") >= 2 * int(head[1:])


def redis(rig: Rig, calls: int) -> dict[str, float]:
    """The usual way: a sorted set of each device's best for all time, one for each minute, and the past hour as the
    union of 60 of those, which moves by whole minutes and keeps the value alone. One feature."""
    path = f"{rig.area}/redis.sock"
    server = rig.program(
        "redis", ["/usr/bin/redis-server", "--port", 0, "--unixsocket", path, "--save", "", "--appendonly", "no"]
    )
    chance = random.Random(1)
    with rig.running(server):
        server.wait_for_line("ready to accept connections", 10)
        until(lambda: _can_connect(path), 10, "Redis listens")
        client = _Redis(path)
        ids = [f"device_{n}" for n in range(1, DEVICES + 1)]
        for minute in range(MINUTES):
            adds = [_Redis.encode("ZADD", f"minute_{minute}", "GT", f"{chance.random():.4f}", name) for name in ids]
            client.pipeline(adds)
        adds = []
        for _ in range(10):
            chance.shuffle(ids)
            for name in ids:
                value = f"{chance.random():.4f}"
                adds.append(_Redis.encode("ZADD", "all_time", "GT", value, name))
                adds.append(_Redis.encode("ZADD", "minute_59", "GT", value, name))
        before = cpu_s(server.pid)
        client.pipeline(adds)
        insert = (cpu_s(server.pid) - before) / (len(adds) / 2)
        board = _Redis.encode("ZREVRANGE", "all_time", 0, 9, "WITHSCORES")
        before = cpu_s(server.pid)
        for _ in range(calls * 100):
            client.ask(board)
        all_time = (cpu_s(server.pid) - before) / (calls * 100)
        keys = [f"minute_{minute}" for minute in range(MINUTES)]
        union = _Redis.encode("ZUNIONSTORE", "hour", MINUTES, *keys, "AGGREGATE", "MAX")
        top = _Redis.encode("ZREVRANGE", "hour", 0, 9, "WITHSCORES")
        before = cpu_s(server.pid)
        for _ in range(calls):
            client.ask(union)
            client.ask(top)
        hour = (cpu_s(server.pid) - before) / calls
        memory = server.rss_kb() * 1024
    return {"insert_ns": insert * 1e9, "all_time_us": all_time * 1e6, "hour_us": hour * 1e6, "bytes": memory / DEVICES}


def _can_connect(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def sql(rig: Rig, calls: int) -> float:
    """Microseconds for the board of the past minute, asked of the readings: 10,000 devices, one a second."""
    import psycopg2

    with rig.database("fresh") as database:
        connection = psycopg2.connect(rig.postgres.url(database))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO readings (device, content_hash, recorded_at, received_at, status, pressure, temperature)"
                " SELECT d, (random() * 1e9)::int, at, at, 1, random() * 25, random() * 200"
                " FROM generate_series(1, %s) d, generate_series(now() - interval '59 s', now(), interval '1 s') at",
                [DEVICES],
            )
            cursor.execute("VACUUM ANALYZE readings")
            took = []
            for _ in range(calls):
                began = time.monotonic()
                cursor.execute(
                    "SELECT DISTINCT ON (device) * FROM readings JOIN"
                    " (SELECT device, max(temperature) AS temperature FROM readings"
                    "  WHERE recorded_at > now() - interval '60 s' GROUP BY device"
                    "  ORDER BY 2 DESC LIMIT 10) best USING (device, temperature)"
                    " WHERE recorded_at > now() - interval '60 s'"
                )
                cursor.fetchall()
                took.append(time.monotonic() - began)
        connection.close()
    return statistics.median(took) * 1e6


def windows_section(
    ours: dict[int, dict[str, float]],
    huge: dict[int, dict[str, float]],
    widened: list[dict[str, Any]],
    fallen: list[dict[str, Any]],
    beside: dict[str, float],
    sql_us: float,
) -> Section:
    section = Section(
        "Windows",
        ["devices", "insert, per reading", "board of 10", "bytes per device", "to reach", "met"],
        "Two features, three intervals, random values, one reading per device per second, an hour's steady state; "
        "boards after 1 % of the devices have changed. One core.",
    )
    bounds = {10000: (150, 20, 1024), 1000000: (500, 50, 1024)}
    rows = [(devices, "", figures) for devices, figures in ours.items()]
    rows += [(devices, ", huge pages", figures) for devices, figures in huge.items()]
    for devices, how, figures in rows:
        cells = (figures["insert_ns"], figures["board_us"], figures["bytes_per_device"])
        bound = bounds.get(devices)
        section.add(
            f"{devices:,}{how}",
            f"{cells[0]:.0f} ns",
            f"{cells[1]:.1f} us",
            f"{cells[2]:,.0f}",
            f"{bound[0]} ns, {bound[1]} us, {bound[2]:,} bytes" if bound else "",
            verdict(all(cell <= limit for cell, limit in zip(cells, bound))) if bound else "",
        )
    if huge:
        section.notes.append(
            "Huge pages: GLIBC_TUNABLES=glibc.malloc.hugetlb=1 in the environment (docs/OPERATIONS.md), worth it for "
            "fleets whose windows are larger than what the TLB covers."
        )
    for one in widened:
        carried = "" if one["carried"] == one["features"] else f", {'any ' if one['any'] else ''}{one['carried']} carried"
        section.add(
            f"{one['devices']:,}, {one['features']} features{carried}",
            f"{one['insert_ns']:,.0f} ns",
            f"{one['board_us']:.1f} us",
            f"{one['bytes_per_device']:,.0f}",
            f"{one['bound']:,} bytes" if one["bound"] else "",
            verdict(one["bytes_per_device"] <= one["bound"]) if one["bound"] else "",
        )
    if widened:
        section.notes.append(
            "So many features: values of two decimals; carried are always the same of a device, or any. From five on a "
            "reading is held once, packed (docs/OPERATIONS.md, Memory of the boards)."
        )
    for one in fallen:
        section.add(
            f"1, falling, {one['order']}",
            f"{one['insert_ns']:.0f} ns",
            f"{one['board_us']:.2f} us",
            f"{one['bytes_per_step'] * one['readings']:,.0f}",
            "",
            "",
        )
    if fallen:
        section.notes.append(
            f"Falling: {fallen[0]['readings']:,} readings of one device in an hour, each worse than the one before, so "
            "that each may lead a board one day; in the order of time, in reverse, and shuffled."
        )
    if beside and DEVICES in ours:
        mine = ours[DEVICES]
        section.add(
            f"{DEVICES:,}, Redis",
            f"{number(beside['insert_ns'])} ns, {beside['insert_ns'] / mine['insert_ns']:.0f} x",
            f"all time {number(beside['all_time_us'])} us, past hour {number(beside['hour_us'])} us, "
            f"{number(beside['hour_us'] / mine['board_us'])} x",
            f"{beside['bytes']:,.0f}",
            "",
            "",
        )
        section.notes.append(
            "Redis has no rolling window. Beside stands the usual way: sorted sets with each device's best of all time "
            "and of each minute, an insert into both, and the past hour as the union of 60 of those. It moves by whole "
            "minutes, knows one feature and the value alone, not the reading. CPU is the server's."
        )
    if sql_us and DEVICES in ours:
        section.add(
            f"{DEVICES:,}, SQL",
            "",
            f"past minute {number(sql_us)} us, {number(sql_us / ours[DEVICES]['board_us'])} x",
            "",
            "",
            "",
        )
        section.notes.append(
            "SQL is asked over the readings of one minute, 600,000 rows; an hour has sixty times as many."
        )
    return section


# --- Instructions --------------------------------------------------------------------------------


def instructions(rig: Rig, batches: int) -> dict[str, float]:
    """Per reading, by library."""
    if not has("valgrind"):
        say("instructions: left out, there is no valgrind here")
        return {}
    say("instructions")
    out = rig.area / "callgrind.out"
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--toggle-collect=measured_path", f"--callgrind-out-file={out}"]
        + [str(BENCH / "store_bench"), "--batches", str(batches)],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise ServerError(f"callgrind: {done.stderr[-500:]}")
    readings = json.loads(done.stdout.splitlines()[-1])["readings"]
    return {name: count / readings for name, count in _by_object(out.read_text()).items()}


def _by_object(text: str) -> dict[str, float]:
    """Self cost by the file the code is in, of callgrind's format: names are numbered at their first use, and the line
    after `calls=` is the inclusive cost of a call, which belongs to the callee."""
    names: dict[str, str] = {}
    costs: dict[str, float] = defaultdict(float)
    current, is_call = "", False
    for line in text.splitlines():
        if line.startswith("ob="):
            key, _, name = line[3:].partition(" ")
            current = names.setdefault(key, name) if name else names[key]
        elif match := re.match(r"cob=(\(\d+\)) (.+)", line):
            names.setdefault(match.group(1), match.group(2))
        elif line.startswith("calls="):
            is_call = True
        elif match := re.match(r"[+\-*\d]\S* (\d+)$", line):
            if not is_call:
                costs[_library(current)] += int(match.group(1))
            is_call = False
    return dict(sorted(costs.items(), key=lambda item: -item[1]))


def _library(path: str) -> str:
    for name, shown in (("store_bench", "own code"), ("libc.so", "libc"), ("libm.so", "libm")):
        if name in path:
            return shown
    return "other"
