"""What `make run` says last: what is there, and how to get what is not."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from servers import CLONE, LOOPBACK

# What a collector is linked with that has it, and what is to know of it then.
OPTIONAL = {
    "Kafka": (b"librdkafka.so", "built in; `make run-engines` starts one (docs/KAFKA.md)"),
    "Redis": (b"libhiredis.so", "built in; REDIS_URL=redis://host has the boards put there, too (docs/REDIS.md)"),
}
COMMANDS = {"mosquitto_sub": "mosquitto-clients", "psql": "postgresql-client"}


@dataclass
class Running:
    """What a run has started, and what it was given. None: whoever called it has one of their own."""

    http_port: int
    metrics_port: int
    mqtt_port: int | None
    database_url: str | None
    devices: int
    logs: Path
    collector: Path


def optional(collector: Path) -> list[tuple[str, str]]:
    """What a collector may be built without."""
    program = collector.read_bytes()
    return [
        (name, text if library in program else f"left out of this build; `make run` without {name.upper()}=no has it")
        for name, (library, text) in OPTIONAL.items()
    ]


def needs(command: str) -> str:
    """A word about a command that this machine does not have."""
    return "" if shutil.which(command) else f"   (not on this machine; Debian's package is {COMMANDS[command]})"


def what_is_there(running: Running) -> list[tuple[str, str]]:
    http = f"http://{LOOPBACK}:{running.http_port}"
    if running.mqtt_port is None:
        broker = "that of MQTT_URL"
        boards = "mosquitto_sub -v -L \"$MQTT_URL/collectors/+/boards/#\""
    else:
        broker = f"mqtt://{LOOPBACK}:{running.mqtt_port}"
        boards = f"mosquitto_sub -h {LOOPBACK} -p {running.mqtt_port} -v -t 'collectors/+/boards/#'"
    psql = 'psql "$DATABASE_URL"' if running.database_url is None else f'psql "{running.database_url}"'
    return [
        ("page and API", f"{http}/   (its contract: {http}/openapi.json)"),
        ("boards, live", boards + needs("mosquitto_sub")),
        ("readings", f"{psql} -c 'SELECT * FROM device_readings LIMIT 9'{needs('psql')}"),
        ("metrics", f"http://{LOOPBACK}:{running.metrics_port}/metrics and {http}/metrics"),
        ("devices", f"{running.devices}, simulated; yours publish to devices/<id>/readings at the broker ({broker})"),
        ("logs", str(running.logs)),
        ("documents", "README.md, docs/HTTP.md, docs/MAPPINGS.md (devices that send something else)"),
    ]


def what_is_not(running: Running) -> list[tuple[str, str]]:
    lacking = optional(running.collector)
    mine = [what for what, given in (("broker", running.mqtt_port), ("database", running.database_url)) if given is not None]
    if mine:
        lacking.append(("TLS, passwords", f"{' and '.join(mine)} answer this machine alone, without a password; `make run-production` has both, docs/INSTALL.md for good"))
    lacking.append(("more machines", "`make run-engines`: two brokers, HAProxy, Kafka, a group of collectors; needs Java"))
    return lacking


def overview(running: Running) -> str:
    def table(rows: list[tuple[str, str]]) -> str:
        return "".join(f"  {name:14}  {text}\n" for name, text in rows)

    return (
        f"\nHighwater is running.\n\n{table(what_is_there(running))}"
        f"\nNot here:\n\n{table(what_is_not(running))}"
        "\nCtrl-C stops everything; the data is kept for the next run. `make run-clean` forgets it.\n"
    )
