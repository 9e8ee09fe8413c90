"""Messages that a mapping reads, beside those of the contract."""

from __future__ import annotations

import json
import subprocess

from ingest import TARGETS, collector_flood
from report import Section, at_least, at_most
from rig import BENCH, Figure, Rig, rounds

# The contract's own message, so that both floods bring the same bytes.
FLAT = [
    {
        "topic": "devices/{device}/readings",
        "time": "/timestamp",
        "seq": "/seq",
        "status": "/status",
        "features": {"temperature": "/temperature", "pressure": "/pressure"},
    }
]
PAYLOADS = ("contract", "flat", "nested", "text", "sparkplug")
METRICS = 10  # of a message of Sparkplug, as sparkplug_bench.h has them

Mapped = dict[str, dict[str, Figure]]


def path(payload: str, batches: int) -> dict[str, float]:
    """From the message to the rows, without broker and database."""
    command = [BENCH / "store_bench", "--payload", payload, "--batches", batches]
    done = subprocess.run([str(arg) for arg in command], capture_output=True, text=True, check=True)
    return {"path us": json.loads(done.stdout)["ns_per_reading"] / 1000}


def mapped(rig: Rig, runs: int, seconds: float, batches: int) -> Mapped:
    file = rig.area / "flat.json"
    file.write_text(json.dumps(FLAT))
    floods = {
        "contract, flood": lambda: collector_flood(rig, seconds),
        "flat, flood": lambda: collector_flood(rig, seconds, "hour", "--subscribe", "", "--mappings", str(file)),
    }
    paths = {payload: lambda payload=payload: path(payload, batches) for payload in PAYLOADS}
    return {**rounds("mapped", runs, floods), **rounds("mapped, path", runs, paths)}


def mapped_section(found: Mapped) -> Section:
    section = Section(
        "Messages of other devices",
        TARGETS,
        "The flood once more, with the contract's messages read by a mapping (flat JSON, the same members); and the way of one message from "
        "its bytes to the sorted rows and the windows, without broker and database: flat, as Tasmota nests it, or a bare value.",
    )
    flat, contract = found["flat, flood"], found["contract, flood"]
    ratio = flat["per second"].over(contract["per second"])
    section.add(
        "mapped flat JSON, readings stored per second",
        flat["per second"].text(),
        f"the contract's: {contract['per second'].text()}",
        ratio.text(),
        ">= 0.9",
        at_least(ratio.median, 0.9),
    )
    ours = found["contract"]["path us"]
    for what, name, most in (("flat JSON", "flat", 3.0), ("nested JSON, as Tasmota's", "nested", 3.0), ("a bare value", "text", 0.0)):
        more = found[name]["path us"].minus(ours)
        section.add(
            f"{what}: CPU of a message, us",
            found[name]["path us"].text(),
            f"the contract's: {ours.text()}",
            f"{more.median:+.2f} us",
            f"<= {most:+.1f} us",
            at_most(more.median, most),
        )
    sparkplug = found["sparkplug"]["path us"]
    section.add(
        f"Sparkplug, {METRICS} metrics by alias: CPU of a metric, us",
        f"{sparkplug.median / METRICS:.2f}",
        f"the message: {sparkplug.text()}",
        "",
        "<= 1 us",
        at_most(sparkplug.median / METRICS, 1.0),
    )
    return section
