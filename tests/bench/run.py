#!/usr/bin/env python3
"""make bench, make bench-quick: Highwater beside what its parts can do at most, in the same run.

--quick         a minute: fewer and shorter runs; docs/BENCHMARKS.md stays as it is
--only NAME     one part of it (may be repeated); docs/BENCHMARKS.md stays as it is
--runs N        of each comparison, instead of 5
--output FILE   instead of docs/BENCHMARKS.md
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import boards_redis
import disk
import front
import hotspots
import ingest
import kafka_path
import latency
import mapped
import minutes
import parts
import peer_bench
import spans
from report import Section, document
from rig import BENCH, CLONE, DEVICES, Figure, Rig, busy_share, evenness, rig, say
from servers import ServerError

PARTS = ["flood", "store", "instructions", "profile", "table", "disk", "latency", "idle", "mapped", "backlog", "http", "spans", "minutes", "fleet", "windows", "redis", "kafka", "peers"]


def measure(on: Rig, options: argparse.Namespace) -> list[Section]:
    quick, only, runs = options.quick, options.only, options.runs
    seconds = 2.0 if quick else 4.0
    wanted = only or (["flood", "store", "instructions", "latency", "idle"] if quick else PARTS)
    sections: list[Section] = []

    floods = ingest.flood(on, runs, seconds) if {"flood", "http", "backlog"} & set(wanted) else {}
    store = ingest.store(on, runs, 20 if quick else 100) if "store" in wanted else {}
    instructions = parts.instructions(on, 2 if quick else 5) if "instructions" in wanted else {}
    if floods:
        sections.append(ingest.flood_section(floods, store, instructions))
    elif store or instructions:
        say(f"store {store}, instructions {instructions}")
    if "profile" in wanted:
        sections += hotspots.profile(on, 5)
    if "table" in wanted:
        sections.append(hotspots.table(on, runs, 20 if quick else 40))
    if "disk" in wanted:
        sections.append(disk.section(on, quick))
    rates = [10000] if quick else [1000, 10000]
    slow = latency.latency(on, 1 if quick else runs, 2 * seconds, rates) if "latency" in wanted else {}
    if slow:
        sections.append(latency.latency_section(slow))
    idle = latency.idle(on, 2 if quick else 5, 2 if quick else 4) if "idle" in wanted else {}
    if idle or slow:
        sections.append(latency.rest_section(idle, slow, floods))
    if "mapped" in wanted:
        sections.append(mapped.mapped_section(mapped.mapped(on, runs, seconds, 20 if quick else 100)))
    if "backlog" in wanted:
        count, times = (100_000, 1) if quick else (1_000_000, min(runs, 3))
        figures = []
        for at in range(times):
            figures.append(latency.backlog(on, count))
            say(f"backlog {at + 1}/{times}: {figures[-1]}")
        by_name = {name: Figure(one[name] for one in figures) for name in figures[0]}
        sections.append(latency.backlog_section(by_name, count, floods, times))
    if "http" in wanted and front.is_here():
        served = front.http(on, runs, 2 if quick else 3, floods["collector"]["per second"].median / 2)
        clients = 1000
        fan = front.streams(on, clients, 5 if quick else 20)
        sections.append(front.http_section(served, fan, clients))
    if "spans" in wanted:
        sections.append(spans.section(10_000, 200))
    if "minutes" in wanted:
        sections.append(minutes.section(1_000_000, 200))
    if "fleet" in wanted or (floods and not quick):
        sections.append(front.fleet_section(floods, front.fleet(on, 5 if quick else 10)))
    if "windows" in wanted:
        sizes = [DEVICES] if quick else [DEVICES, 1_000_000]
        times = 1 if quick else 3
        ours = parts.windows(sizes, times, *(["--history", "survivors"] if quick else []))
        huge = {} if quick else parts.windows(sizes[-1:], times, env=parts.HUGE_PAGES)
        widened = parts.wide(200 if quick else 1000, times)
        fallen = parts.falling(1_000_000, 1 if quick else 3)
        sections.append(parts.windows_section(ours, huge, widened, fallen, parts.redis(on, 5), parts.sql(on, 5)))
    if "redis" in wanted and (BENCH / "redis_bench").exists():
        sections.append(boards_redis.boards_section(boards_redis.boards(on, runs, 2 if quick else 10)))
    if "kafka" in wanted:
        if why := kafka_path.lacks():
            say(f"Kafka is left out: {why}")
            sections.append(kafka_path.absent_section(why))
        else:
            times, count, batches = (1, 200_000, 20) if quick else (min(runs, 3), 1_000_000, 100)
            found = kafka_path.through_kafka(on, times, seconds, count, batches)
            sections.append(kafka_path.kafka_section(found, count, times))
    if "peers" in wanted:
        section = peer_bench.section(on, min(runs, 3), seconds, floods)
        if section:
            sections.append(section)
    return sections


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="NAME")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    options.runs = options.runs or (2 if options.quick else 5)
    began = time.monotonic()
    busy = busy_share()
    if busy > 10:
        say(f"the machine is {busy:.0f} % busy with other things: figures will be noise")
    even = evenness()
    try:
        with rig() as on:
            sections = measure(on, options)
    except (ServerError, AssertionError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    command = "make bench-quick" if options.quick else "make bench"
    text = document(sections, command, options.runs, (CLONE / "VERSION").read_text().strip(), busy, even)
    print(f"\n{text}")
    output = options.output or (None if options.quick or options.only else CLONE / "docs" / "BENCHMARKS.md")
    if output:
        output.write_text(text)
        print(f"written to {output}")
    say(f"took {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
