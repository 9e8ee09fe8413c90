#!/usr/bin/env python3
"""How fast readings go from a topic into Cassandra, and what that costs: beside PostgreSQL.

    tests/bench/cassandra_rate.py [READINGS] [DEVICES] [RUNS]     after `make engines`

A real Kafka holds the topic; the consumer is started on it, and counted from its first row to its last, which is
acknowledged after Cassandra synced its commit log; in turns with a collector that reads the same topic into PostgreSQL. All of it
shares this machine's cores, Kafka too.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from rig import CLONE, Collector, Figure, Rig, cpu_s, rig
from servers import LOOPBACK, Program, free_port, patience, until

sys.path.insert(0, str(CLONE / "tests" / "system"))
from kafka import Record, new_topic, produce  # noqa: E402
from private_cassandra import PrivateCassandra  # noqa: E402
from private_kafka import PrivateKafka  # noqa: E402

PROGRAM = CLONE / "deploy" / "cassandra" / "highwater_cassandra.py"
START = datetime(2026, 11, 26, 6, tzinfo=timezone.utc)


def readings(count: int, devices: int) -> Iterator[Record]:
    """As a collector writes them; each device one a second."""
    for number in range(count):
        device = f"device_{number % devices}"
        when = START + timedelta(seconds=number // devices, microseconds=number % devices)
        value = f'{{"deviceId":"{device}","timestamp":"{when:%Y-%m-%dT%H:%M:%S.%f}Z","status":"ON","pressure":12.5,"temperature":{100 + number % 97 / 8}}}'
        headers = (
            ("identity", b"%016x" % (number * 0x9E3779B97F4A7C15 % 2**64)),
            ("arrival", b"2026-11-26T12:00:00.000000Z"),
        )
        yield Record(value.encode(), device.encode(), (*headers, ("topic", f"devices/{device}/readings".encode())))


class Run:
    def __init__(
        self, kafka: PrivateKafka, cassandra: PrivateCassandra, topic: str, count: int, logs: Path, number: int
    ) -> None:
        self.port = free_port()
        self.count = count
        argv = [PROGRAM, "--source", f"{kafka.url(topic)}?group=run{number}", "--store", cassandra.url("bench")]
        self.program = Program("consumer", [*argv, "--metrics-listen", str(self.port)], logs / "consumer.log")
        self.cassandra = cassandra.program

    def _metric(self, name: str) -> float:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/metrics", timeout=patience()) as answer:
                text = answer.read().decode()
        except OSError:
            return 0.0
        return float(re.search(rf"^highwater_cassandra_{name} (\S+)", text, re.MULTILINE)[1])  # type: ignore[index]

    def measure(self) -> dict[str, float]:
        self.program.start()
        until(lambda: self._metric("rows_written_total") > 0, 60, "the first rows")
        first, began = self._metric("rows_written_total"), time.monotonic()
        cpu = cpu_s(self.program.pid), cpu_s(self.cassandra.pid)
        until(lambda: self._metric("rows_written_total") >= self.count, 600, "the last row", pause=0.1)
        seconds, rows = time.monotonic() - began, self.count - first
        ours, theirs = cpu_s(self.program.pid) - cpu[0], cpu_s(self.cassandra.pid) - cpu[1]
        requests, rss = self._metric("requests_total"), self.program.rss_kb() / 1024
        self.program.terminate()
        return {"rows/s": rows / seconds, "consumer us/row": ours / rows * 1e6, "Cassandra us/row": theirs / rows * 1e6,
                "rows/request": self.count / requests, "consumer MB": rss}  # fmt: skip


def into_postgres(on: Rig, kafka: PrivateKafka, topic: str, count: int, number: int) -> dict[str, float]:
    """The same topic, read by a collector."""
    with on.database("fresh") as database, on.broker() as broker:
        collector = Collector(on, broker, database, ["--source", f"{kafka.url(topic)}?group=postgres{number}&member=-"])
        with on.running(collector.program):
            until(collector.is_ready, 60, "the collector is ready")
            until(lambda: collector.stored() > 0, 60, "the first rows")
            first, began = collector.stored(), time.monotonic()
            pids = [collector.pid], collector.backends()
            cpu = [cpu_s(*each) for each in pids]
            until(lambda: collector.stored() >= count, 600, "the last row", pause=0.05)
            seconds, rows = time.monotonic() - began, count - first
            ours, theirs = (cpu_s(*each) - before for each, before in zip(pids, cpu))
    return {"rows/s": rows / seconds, "collector us/row": ours / rows * 1e6, "PostgreSQL us/row": theirs / rows * 1e6}


def show(runs: list[dict[str, float]]) -> None:
    for name in runs[0]:
        print(f"  {name:24}{Figure(run[name] for run in runs).text()}")


def main() -> None:
    count, devices, runs = (
        int(sys.argv[at]) if len(sys.argv) > at else default for at, default in ((1, 300_000), (2, 1000), (3, 3))
    )
    with rig() as on:
        kafka = PrivateKafka(on.area / "kafka", logs=on.area / "log", java=())
        cassandra = PrivateCassandra(on.area / "cassandra", on.area / "log" / "cassandra.log", heap="1g", java=())
        found: tuple[list[dict[str, float]], list[dict[str, float]]] = ([], [])
        try:
            kafka.start()
            cassandra.start()
            subprocess.run(
                [PROGRAM, "--create-schema", "--replication", "1", "--store", cassandra.url("bench")], check=True
            )
            topic = new_topic(kafka, partitions=4)
            produce(kafka, topic, readings(count, devices))
            for number in range(runs):
                found[0].append(Run(kafka, cassandra, topic, count, on.area / "log", number).measure())
                found[1].append(into_postgres(on, kafka, topic, count, number))
        finally:
            cassandra.kill9()
            kafka.kill9_all()
    print(f"{count} readings of {devices} devices, {runs} runs in turns")
    for each in found:
        show(each)


if __name__ == "__main__":
    main()
