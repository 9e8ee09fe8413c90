"""How long readings wait when a part is lost, and what each part costs: tests/bench/failover.py [NAME ...], for docs/SCALING.md.

The whole chain (deploy/local/chain.py) with a fleet of 40 devices, 200 readings a second. A part is killed, and started again at
once by the script as systemd would, or (`gone`) only when all is over. What counts is the worst wait of a reading that was made
after the kill, from the device's clock to the commit (track_commit_timestamp); of httpapi, for how long nobody
answered at the front. Then PostgreSQL with a synchronous standby that is promoted at once, and what a broker loses that is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "local"))

import psycopg2  # noqa: E402
from chain import TOPIC, Chain  # noqa: E402
from private_kafka import PrivateKafka  # noqa: E402
from servers import (  # noqa: E402
    CLONE, LOOPBACK, PrivateBroker, PrivatePostgres, Program, children, free_port, until,
)  # fmt: skip

RATE = 200
GONE_S = 15.0
COST_RATE, COST_S = 12_000, 20.0
OTHERS = ("cost", "standby", "broker")
COMMITTED = {"track_commit_timestamp": "on"}


def value(url: str, query: str, *parameters: object) -> float:
    try:
        connection = psycopg2.connect(url)
    except psycopg2.OperationalError:
        return -1.0
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return float(cursor.fetchone()[0] or 0)
    except psycopg2.Error:
        return -1.0
    finally:
        connection.close()


def wait_until_stored(url: str, moment: float, mend: Callable[[], object]) -> None:
    """Until readings are stored that were made after that moment."""
    newest = "SELECT extract(epoch FROM max(recorded_at)) FROM readings"
    until(lambda: (mend(), value(url, newest) > moment)[1], 120, "readings are stored again", pause=0.05)


def worst_wait_s(url: str, since: float, upto: float) -> float:
    return value(
        url,
        "SELECT max(extract(epoch FROM pg_xact_commit_timestamp(xmin) - recorded_at)) FROM readings"
        " WHERE recorded_at BETWEEN to_timestamp(%s) AND to_timestamp(%s)",
        since, upto,
    )  # fmt: skip


class Front:
    """Asks for the dashboard all the time; how long nobody answered, at the longest."""

    def __init__(self, port: int) -> None:
        self.longest_s = 0.0
        self._url = f"http://{LOOPBACK}:{port}/dashboard"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        answered = time.monotonic()
        while not self._ended.wait(0.01):
            try:
                with opener.open(self._url, timeout=20):
                    pass
            except OSError:
                continue
            self.longest_s = max(self.longest_s, time.monotonic() - answered)
            answered = time.monotonic()

    def end(self) -> float:
        self._ended.set()
        self._thread.join()
        return self.longest_s


def has_partitions(member: tuple[str, int]) -> bool:
    """A member of the group has its share; a collector at a broker has none to have."""
    name, port = member
    if not name.startswith("store"):
        return True
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        text = opener.open(f"http://{LOOPBACK}:{port}/metrics", timeout=5).read().decode()
    except OSError:
        return False
    return f"highwater_kafka_lag_records{{collector=\"{name}\",topic=\"{TOPIC}\"," in text


def devicesim(home: Path, url: str, *args: object) -> Program:
    argv = [CLONE / "build" / "devicesim", "--mqtt-url", url, "--num-devices", 40, *args]
    return Program("devicesim", [str(arg) for arg in argv], home / "log" / "devicesim.log")


def chain_cases(home: Path, wanted: list[str]) -> None:
    postgres = PrivatePostgres(home / "postgres", settings=COMMITTED, log=home / "log" / "postgres.log")
    postgres.start()
    url = postgres.create_database("chain")
    chain = Chain(home, home / "log", postgres, url)
    fleet = devicesim(home, chain.haproxy.url(), "--rate", RATE)
    try:
        chain.start()
        fleet.start()
        wait_until_stored(url, 0, chain.mend)
        cases = [(name, False) for name in ("edge-1", "store-1", "kafka", "postgres", "broker-1", "haproxy", "httpapi-1")]
        cases += [(f"{name}-{number}", True) for name in ("broker", "store", "httpapi") for number in (1, 2)]
        for name, is_gone in cases:
            label = f"{name} {'gone' if is_gone else 'killed'}"
            if wanted and label not in wanted:
                continue
            fleet.kill9()  # anew, so that each device is where it belongs
            fleet.start()
            until(lambda: (chain.mend(), all(map(has_partitions, chain.metrics_ports.items())))[1], 60, "the group is balanced")
            wait_until_stored(url, time.time() + 3, chain.mend)
            front = Front(chain.haproxy.http_port)
            time.sleep(1)
            killed = time.time()
            chain.parts[name].kill9()
            if is_gone:
                time.sleep(GONE_S)  # this is measured over a time, it waits for nothing
            upto = time.time()
            wait_until_stored(url, time.time() + 2, chain.mend)
            wait_until_stored(url, time.time() + 5, chain.mend)
            wait_s = worst_wait_s(url, killed, upto + 1)
            print(f"| {label} | {wait_s:.1f} s | {front.end():.1f} s |", flush=True)
    finally:
        fleet.kill9()
        chain.kill9()
        postgres.stop("immediate")


def cpu_seconds(part: object) -> float:
    """Of a part with all its processes, as far as they live on."""
    if isinstance(part, PrivateKafka):
        return sum(program.cpu_seconds() for program in part.programs.values())
    program = part if isinstance(part, Program) else part.program
    total = program.cpu_seconds()
    for child in children(program.pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def costs(home: Path) -> None:
    """CPU per reading of each part of the chain, at COST_RATE."""
    postgres = PrivatePostgres(home / "postgres", log=home / "log" / "postgres.log")
    postgres.start()
    url = postgres.create_database("chain")
    chain = Chain(home, home / "log", postgres, url)
    argv = ("--rate", COST_RATE, "--num-devices", 400)
    fleet = devicesim(home, chain.haproxy.url(), *argv)
    stored = "SELECT count(*) FROM readings"
    try:
        chain.start()
        fleet.start()
        wait_until_stored(url, time.time() + 5, chain.mend)
        before = {name: cpu_seconds(part) for name, part in chain.parts.items()}
        start, since = value(url, stored), time.monotonic()
        time.sleep(COST_S)
        count, seconds = value(url, stored) - start, time.monotonic() - since
        print(f"{count / seconds:,.0f} readings stored a second", flush=True)
        used = {name: cpu_seconds(part) - before[name] for name, part in chain.parts.items()}
        for kind in ("haproxy", "broker", "edge", "kafka", "store", "postgres"):
            both = sum(spent for name, spent in used.items() if name.startswith(kind))
            print(f"{kind}: {both / count * 1e6:.1f} us of CPU per reading", flush=True)
    finally:
        fleet.kill9()
        chain.kill9()
        postgres.stop("immediate")


def standby_case(home: Path) -> None:
    first = PrivatePostgres(home / "first", settings=COMMITTED, log=home / "log" / "first.log")
    first.start()
    first.create_database("pair")
    second = first.standby(home / "second", home / "log" / "second.log", COMMITTED)
    second.start()
    first.set("synchronous_standby_names", "*")
    broker = PrivateBroker(home / "broker", log=home / "log" / "broker.log")
    broker.start()
    both = f"postgresql://highwater@{LOOPBACK}:{first.port},{LOOPBACK}:{second.port}/pair?target_session_attrs=read-write"
    argv = [CLONE / "build" / "collector", "--mqtt-url", broker.url(), "--database-url", both]
    collector = Program("collector", [*argv, "--metrics-listen", f"{LOOPBACK}:{free_port()}"], home / "log" / "collector.log")
    fleet = devicesim(home, broker.url(), "--rate", RATE)
    try:
        collector.start()
        fleet.start()
        wait_until_stored(first.url("pair"), 0, lambda: None)
        wait_until_stored(first.url("pair"), time.time() + 2, lambda: None)
        killed = time.time()
        first.kill9()
        second.promote()
        promoted_s = time.time() - killed
        wait_until_stored(second.url("pair"), time.time() + 3, lambda: None)
        wait_s = worst_wait_s(second.url("pair"), killed, killed + 3)
        print(f"| primary killed, standby promoted after {promoted_s:.1f} s | {wait_s:.1f} s | |", flush=True)
    finally:
        fleet.kill9()
        collector.kill9()
        broker.kill9()
        first.stop("immediate")
        second.stop("immediate")


def broker_loss(home: Path) -> None:
    """What a broker had acknowledged and nobody had read yet, or that was read after its last save, when it is killed."""
    postgres = PrivatePostgres(home / "postgres", log=home / "log" / "postgres.log")
    postgres.start()
    url = postgres.create_database("loss")
    broker = PrivateBroker(home / "broker", log=home / "log" / "broker.log")
    broker.start()
    argv = [CLONE / "build" / "collector", "--mqtt-url", broker.url(), "--database-url", url]
    collector = Program("collector", [*argv, "--metrics-listen", f"{LOOPBACK}:{free_port()}"], home / "log" / "collector.log")
    truth = home / "truth.csv"
    fleet = devicesim(home, broker.url(), "--rate", 5000, "--count", 60_000, "--truth", truth, "--drain-timeout", "60s")
    try:
        collector.start()
        collector.wait_for_line("windows: complete")
        fleet.start()
        for _ in range(3):
            wait_until_stored(url, time.time() + 2, lambda: None)
            broker.kill9()
            broker.start()
        fleet.wait(120)
        argv = [CLONE / "build" / "devicesim", "--verify", url, "--truth", truth, "--verify-wait", "10s", "--json"]
        done = subprocess.run(argv, capture_output=True, text=True)
        print("broker killed three times at 5,000 readings a second:", json.loads(done.stdout)["readings"], flush=True)
    finally:
        fleet.kill9()
        collector.kill9()
        broker.kill9()
        postgres.stop("immediate")


def made(home: Path) -> Path:
    """The servers' own users must get through it."""
    home.mkdir(mode=0o755)
    return home


def main() -> None:
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="highwater-failover-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        if "cost" in wanted or not wanted:
            costs(made(home / "cost"))
        if "standby" in wanted or not wanted:
            standby_case(made(home / "standby"))
        if "broker" in wanted or not wanted:
            broker_loss(made(home / "loss"))
        if not wanted or any(name not in OTHERS for name in wanted):
            chain_cases(made(home / "chain"), [name for name in wanted if name not in (*OTHERS, "chain")])


if __name__ == "__main__":
    main()
