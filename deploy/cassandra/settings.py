"""The settings: flags, and environment variables of the same name in capitals. Wrong ones end it with status 2."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from safety import CONSISTENCIES

PROGRAM = "highwater-cassandra"
DESCRIPTION = (
    "Writes the readings of a Kafka topic into Cassandra, each once by its key, as a consumer group of its own."
)
EPILOG = """\
SIGTERM and SIGINT drain: what was read is written and its offsets are committed, then it ends with status 0.
A second signal ends it at once; the group's offsets are where they were, and the next one writes it again.
Exit status: 0 when all is done; 1 when it is not: the end came before everything was written, Kafka gave this
member's place to another, or the server may lose what it acknowledges; 2 for a wrong setting.
"""
SET_BY_US = frozenset((
    "bootstrap.servers", "group.id", "group.instance.id", "client.id", "enable.auto.commit", "enable.auto.offset.store",
    "auto.offset.reset", "enable.idempotence", "acks", "request.required.acks", "partition.assignment.strategy", "isolation.level",
    "message.timeout.ms", "delivery.timeout.ms", "partitioner", "metadata.broker.list", "logger", "on_commit", "on_delivery",
    "error_cb", "stats_cb", "throttle_cb", "oauth_cb", "default.topic.config",
))  # fmt: skip
PASSWORD_BYTES_MOST = 1024


@dataclass(frozen=True)
class Source:
    """kafka://host:9092,host:9092/topic?group=...&member=..."""

    brokers: str
    topic: str
    group: str
    member: str | None


@dataclass(frozen=True)
class Store:
    """cassandra://user@host:9042,host/keyspace?dc=...; cassandras:// with TLS."""

    hosts: tuple[str, ...]
    port: int
    keyspace: str
    user: str | None
    datacenter: str | None
    tls: bool


@dataclass(frozen=True)
class Settings:
    source: Source
    kafka_config: dict[str, str]
    store: Store
    password_file: Path | None
    ca_file: str | None
    cert_file: str | None
    key_file: str | None
    consistency: str
    accept_periodic: bool
    timeout_s: float
    batch_size: int
    batch_bytes: int
    linger_s: float
    in_flight: int
    most_rows: int
    rejected_topic: str
    metrics_listen: tuple[str, int] | None
    drain_timeout_s: float
    create_schema: bool
    replication: int
    retention: timedelta


class Wrong(argparse.ArgumentTypeError):
    """Its text says what is legal; the value is shown beside it, unless it may hold a password."""


# --- Values ----------------------------------------------------------------------------------------


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,15}", text, re.ASCII) or not least <= int(text) <= most:
            raise Wrong(f'"{text}" is not legal: a whole number from {least} to {most}')
        return int(text)

    return parse


_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration(least_s: float, most_s: float) -> Callable[[str], float]:
    """In seconds."""

    def parse(text: str) -> float:
        match = re.fullmatch(r"(\d{1,9})(ms|s|m|h|d)", text, re.ASCII)
        seconds = int(match[1]) * _UNITS_MS[match[2]] / 1000 if match else -1
        if not least_s <= seconds <= most_s:
            raise Wrong(f'"{text}" is not legal: a duration such as 10ms, 5s, 90d, from {least_s:g}s to {most_s:g}s')
        return seconds

    return parse


def _pair(text: str, default_port: int) -> tuple[str, int]:
    """host, host:port or [address]:port."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]/@,]+)(?::(\d{1,5}))?", text, re.ASCII)
    if not match or (match[2] and not 1 <= int(match[2]) <= 65535):
        raise ValueError
    return match[1].strip("[]"), int(match[2] or default_port)


def _parts(url: str, schemes: Sequence[str], known: Sequence[str]) -> tuple[str, str, str, dict[str, str]]:
    """Scheme, hosts, the one level of the path, and the parameters; ValueError. By hand, for a list of hosts is no URL's."""
    match = re.fullmatch(r"([a-z]+)://([^/?#]+)/([^/?#]+)(?:\?([^#]+))?", url)
    if not match or match[1] not in schemes:
        raise ValueError
    pairs = parse_qsl(match[4] or "", keep_blank_values=True, strict_parsing=bool(match[4]))
    parameters = dict(pairs)
    if len(parameters) != len(pairs) or not set(parameters) <= set(known) or not all(parameters.values()):
        raise ValueError
    return match[1], match[2], unquote(match[3]), parameters


SOURCE_LEGAL = "kafka://host:9092[,host:9092]/topic[?group=NAME&member=NAME]"


def source_url(url: str) -> Source:
    try:
        _, location, topic, parameters = _parts(url, ("kafka",), ("group", "member"))
        brokers = [_pair(each, 9092) for each in location.split(",")]
    except ValueError:
        raise Wrong(f"it is not legal: {SOURCE_LEGAL}; passwords belong into --kafka-config") from None
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", topic) or topic in (".", ".."):
        raise Wrong(f'its topic "{topic}" is not legal: 1 to 249 letters, digits, ., _ and -')
    return Source(
        ",".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in brokers), topic,
        parameters.get("group", "highwater-cassandra"), parameters.get("member"),
    )  # fmt: skip


STORE_LEGAL = "cassandra://[user@]host[:9042][,host]/keyspace[?dc=NAME], or cassandras:// with TLS"


def store_url(url: str) -> Store:
    try:
        scheme, location, keyspace, parameters = _parts(url, ("cassandra", "cassandras"), ("dc",))
        user, at, hosts = location.rpartition("@")
        if ":" in user:
            raise Wrong("it holds a password, which others can read there: name a file of it with --password-file")
        pairs = [_pair(each, 9042) for each in hosts.split(",")]
        if (at and not user) or len({port for _, port in pairs}) != 1:
            raise ValueError
    except ValueError:
        raise Wrong(f"it is not legal: {STORE_LEGAL}; all hosts have one port") from None
    if not re.fullmatch(r"[A-Za-z0-9_]{1,48}", keyspace, re.ASCII):
        raise Wrong(f'its keyspace "{keyspace}" is not legal: 1 to 48 letters, digits and _')
    return Store(
        tuple(host for host, _ in pairs), pairs[0][1], keyspace, unquote(user) or None, parameters.get("dc"),
        scheme == "cassandras",
    )  # fmt: skip


def address(text: str) -> tuple[str, int] | None:
    """PORT (loopback), HOST:PORT, :PORT for every address; - = nowhere."""
    if text == "-":
        return None
    host, _, port = text.rpartition(":") if ":" in text else ("127.0.0.1", "", text)
    if not re.fullmatch(r"\d{1,5}", port, re.ASCII) or int(port) > 65535:
        raise Wrong(f'"{text}" is not legal: PORT, HOST:PORT, :PORT, or - for nowhere')
    return host.strip("[]"), int(port)


def topic_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", text) or text in (".", ".."):
        raise Wrong(f'"{text}" is not legal: 1 to 249 letters, digits, ., _ and -')
    return text


def consistency(text: str) -> str:
    if text.upper() not in CONSISTENCIES:
        raise Wrong(f'"{text}" is not legal: one of {", ".join(CONSISTENCIES)}')
    return text.upper()


def readable(text: str) -> str:
    try:
        with open(text, "rb"):
            return text
    except OSError as error:
        raise Wrong(f'"{text}" cannot be read: {error.strerror}') from None


def kafka_properties(path: str) -> dict[str, str]:
    """librdkafka's own, `name=value` a line; what stands behind # at the start of a line is a comment."""
    found: dict[str, str] = {}
    with open(readable(path), encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            name, equals, value = (part.strip() for part in line.partition("="))
            if not equals or not name:
                raise Wrong(f'"{path}", line {number}, is not name=value')
            if name in SET_BY_US:
                raise Wrong(f'"{path}", line {number}: {name} is set by {PROGRAM} itself')
            if name in found:
                raise Wrong(f'"{path}", line {number}: {name} stands there twice')
            found[name] = value
    return found


def read_secret(path: Path) -> str:
    """A password, without the line's end; ValueError with the reason, OSError when it cannot be read."""
    text = path.read_bytes()[: PASSWORD_BYTES_MOST + 1].rstrip(b"\r\n")
    if not 1 <= len(text) <= PASSWORD_BYTES_MOST or b"\0" in text:
        raise ValueError(f"a password file holds a password of 1 to {PASSWORD_BYTES_MOST} bytes, without NUL")
    return text.decode(errors="surrogateescape")


def secret_file(text: str) -> Path:
    """What cannot be a path may be the password itself, and is not shown."""
    path = Path(text)
    shown = f'"{text}"' if path.exists() or path.parent.exists() and "/" in text else "*** (is it the password itself?)"
    try:
        read_secret(path)
    except OSError as error:
        raise Wrong(f"{shown} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Wrong(f"{shown}: {error}") from None
    return path


# --- The table ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    name: str
    meta: str  # "" = a switch
    parse: Callable[[str], Any]
    default: str | None
    help: str


def switch(text: str) -> bool:
    if text.lower() not in ("1", "0", "true", "false", "yes", "no", "on", "off"):
        raise Wrong(f'"{text}" is not legal: one of 1, 0, true, false, yes, no, on, off')
    return text.lower() in ("1", "true", "yes", "on")


OPTIONS = (
    Option("source", "URL", source_url, None, f"the topic of readings: {SOURCE_LEGAL}; group is highwater-cassandra by default; "
           "with member=, which differs for each, one that returns goes on at once"),
    Option("kafka-config", "FILE", kafka_properties, None, "librdkafka's own properties (TLS, SASL), name=value a line"),
    Option("store", "URL", store_url, None, STORE_LEGAL),
    Option("password-file", "FILE", secret_file, None, "the password of the user in --store; read again at each connect"),
    Option("ca-file", "FILE", readable, None, "cassandras: certificates to trust, instead of the system's"),
    Option("cert-file", "FILE", readable, None, "cassandras: our own certificate"),
    Option("key-file", "FILE", readable, None, "cassandras: the key of our own certificate"),
    Option("consistency", "LEVEL", consistency, "LOCAL_QUORUM", f"how many nodes acknowledge a row: {', '.join(CONSISTENCIES)}"),
    Option("accept-periodic", "", switch, "no", "write although one node alone acknowledges, which syncs its commit log only "
           "periodically: what it acknowledged in its last ten seconds is lost when it dies"),
    Option("timeout", "TIME", duration(1, 600), "10s", "a request without an answer is made again after so long"),
    Option("batch-size", "N", whole(1, 1000), "100", "rows of one device and day in a request, at most"),
    Option("batch-bytes", "N", whole(1024, 1_000_000), "32768", "of them, about"),
    Option("linger", "TIME", duration(0, 60), "2s", "how long a row waits for others of its device and day"),
    Option("in-flight", "N", whole(1, 2000), "64", "requests under way at a time"),
    Option("most-rows", "N", whole(100, 1_000_000), "50000", "rows read and not acknowledged yet; reading waits beyond"),
    Option("rejected-topic", "TOPIC", topic_name, None, "where records go that can never be written, with their reason "
           "[default the topic and .cassandra-rejected]"),
    Option("metrics-listen", "ADDRESS", address, "127.0.0.1:5003", "serve /metrics, /healthz and /readyz here: PORT (loopback), "
           "HOST:PORT, or :PORT for every address; - = nowhere"),
    Option("drain-timeout", "TIME", duration(0, 3600), "30s", "how long the end may take"),
    Option("create-schema", "", switch, "no", "make the keyspace and the table where they are missing, and exit"),
    Option("replication", "N", whole(1, 9), "3", "with --create-schema: copies of each row in the datacenter"),
    Option("retention", "TIME", duration(3600, 20 * 365 * 86400), "90d", "with --create-schema: rows go so long after they were "
           "written"),
)  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        PROGRAM, usage=f"{PROGRAM} [options]", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False, add_help=False,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=34, width=100),
    )  # fmt: skip
    options = parser.add_argument_group("Options (and the environment variables of the same name, in capitals)")
    for option in OPTIONS:
        default = f" [default {option.default}]" if option.default and option.meta else ""
        more: dict[str, Any] = {"metavar": option.meta} if option.meta else {"action": "store_const", "const": "yes"}
        options.add_argument(f"--{option.name}", help=(option.help + default).replace("%", "%%"), **more)
    options.add_argument("--help", action="help", help="show this and exit")
    options.add_argument(
        "--version", action="version", version=f"{PROGRAM} {version()}", help="show the version and exit"
    )
    return parser


def version() -> str:
    """Of the repository's file, or of the copy that is installed beside this."""
    for folder in (Path(__file__).parent, Path(__file__).parents[2]):
        if (folder / "VERSION").is_file():
            return (folder / "VERSION").read_text().strip()
    return "unversioned"


def _fail(name: str, text: str) -> None:
    print(f"{PROGRAM}: {name}: {text}", file=sys.stderr)
    raise SystemExit(2)


def parse(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """SystemExit 2 with a sentence for what is wrong; a flag counts before a variable."""
    given = vars(_parser().parse_args(arguments))
    values: dict[str, Any] = {}
    for option in OPTIONS:
        key = option.name.replace("-", "_")
        text = given[key] if given[key] is not None else environment.get(key.upper()) or option.default
        try:
            values[key] = None if text is None else option.parse(text)
        except (Wrong, UnicodeDecodeError) as error:
            _fail(f"--{option.name}", str(error))
    if values["store"] is None:
        _fail("--store", f"it is missing: {STORE_LEGAL}")
    if values["source"] is None and not values["create_schema"]:
        _fail("--source", f"it is missing: {SOURCE_LEGAL}")
    if (values["store"].user is None) != (values["password_file"] is None):
        _fail("--password-file", "a user in --store and a file of the password belong together")
    if (values["cert_file"] is None) != (values["key_file"] is None):
        _fail("--cert-file", "it and --key-file belong together")
    if not values["store"].tls and (values["ca_file"] or values["cert_file"]):
        _fail("--ca-file", "certificates are for cassandras://, which --store does not have")
    for old, new in (("timeout", "timeout_s"), ("linger", "linger_s"), ("drain_timeout", "drain_timeout_s")):
        values[new] = values.pop(old)
    values["retention"] = timedelta(seconds=values["retention"])
    values["kafka_config"] = values["kafka_config"] or {}
    if values["source"] and values["rejected_topic"] is None:
        values["rejected_topic"] = f"{values['source'].topic}.cassandra-rejected"
    return Settings(**values)
