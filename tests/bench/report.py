"""What run.py makes of figures: sections of tables, as text for the terminal and for docs/BENCHMARKS.md."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path

from private_kafka import JARS
from rig import percentile

WIDTH = 118


@dataclass
class Section:
    title: str
    head: list[str]
    intro: str = ""
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        assert len(cells) == len(self.head), cells
        self.rows.append(list(cells))

    def text(self) -> str:
        """Markdown that can be read as it is."""
        parts = [f"## {self.title}"]
        if self.intro:
            parts.append(textwrap.fill(self.intro, WIDTH))
        if self.rows:
            parts.append(_table(self.head, self.rows))
        for note in self.notes:
            parts.append(textwrap.fill(note, WIDTH))
        return "\n\n".join(parts) + "\n"


def _table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"

    return "\n".join([line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)])


def verdict(is_met: bool) -> str:
    return "yes" if is_met else "**no**"


def at_least(value: float, bound: float) -> str:
    return verdict(value >= bound)


def at_most(value: float, bound: float) -> str:
    return verdict(value <= bound)


# --- The machine ---------------------------------------------------------------------------------


def machine() -> str:
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.*)$", info, re.MULTILINE)
    name = re.sub(r"\s+", " ", model.group(1)) if model else platform.machine()
    virtual = ", virtual" if "hypervisor" in info else ""
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1))  # type: ignore[union-attr]
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{os.cpu_count()} cores of {name}{virtual}, {memory / 1048576:.0f} GiB, Linux {kernel}, {_system()}"


def _system() -> str:
    fields = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return fields.get("PRETTY_NAME", "Linux").strip('"')


def versions() -> list[str]:
    packages = [
        ("Mosquitto", "mosquitto"),
        ("libmosquitto", "libmosquitto1"),
        ("PostgreSQL", "postgresql-15"),
        ("libpq", "libpq5"),
        ("libuv", "libuv1"),
        ("nginx", "nginx-light"),
        ("Redis", "redis-server"),
        ("librdkafka", "librdkafka1"),
        ("gcc", "gcc-12"),
    ]
    found = []
    for name, package in packages:
        asked = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
        if asked.returncode == 0 and asked.stdout:
            found.append(f"{name} {re.sub(r'^[0-9]+:|-[^-]*$', '', asked.stdout)}")
    found += [f"Kafka {jar.stem.rpartition('-')[2]}" for jar in JARS.glob("kafka-clients-*.jar")]
    return found


def document(sections: list[Section], command: str, runs: int, version: str, busy: float, even: list[float]) -> str:
    least, median, slow = (percentile(even, share) for share in (0, 0.5, 0.99))
    head = f"""# Benchmarks

<!-- Written by `make bench`; changes made by hand are overwritten. -->

Highwater {version}, {time.strftime("%Y-%m-%d", time.gmtime())}, `{command}`.
Machine: {machine()}; {busy:.0f} % of it was in use by others before this began. The same piece of work
of one core (SHA-256 of 16 MB, {len(even)} times) took {least:.1f} ms at the least, {median:.1f} at the median, {slow:.1f} in the slowest hundredth: so
much of a p99 below is the machine's.
Versions: {", ".join(versions())}.

Everything runs on this one machine: publishers, broker, program and database share its cores. So figures are
those of the machine; the ratios, to what stands beside in the same run, carry the meaning. A figure is the
median of {runs} runs where nothing else is said, in brackets the least and the most; the variants of a comparison
take turns, and ratios are made within a round. Unless a section says otherwise: 10,000 devices, payloads of about
120 bytes, QoS 1, 4 publishing connections, PostgreSQL with its default durability (fsync and synchronous_commit on),
Mosquitto with the repository's mosquitto.conf, and a database in the state after an hour of one reading per device
and second.

"""
    return head + "\n".join(section.text() for section in sections)
