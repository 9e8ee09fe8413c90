"""Fixtures of the system tests: real servers, real programs, nothing is left.

    BUILD_DIR      the programs under test (default build; build/asan for the sanitizers)
    FAILPOINT_DIR  the same with failpoints compiled in (default build/test)
    SEED           what `rng` starts from; printed, so that a failure can be repeated

Tests marked `faults` or `chaos` are long and run only when asked for with -m.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

CLONE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CLONE / "deploy" / "local"))

from edge_fleet import EdgeFleet  # noqa: E402
from http_tools import PlayedCollector  # noqa: E402
from cassandra_server import cassandra, cassandra_server  # noqa: E402, F401
from kafka import kafka, kafka_cluster, kafka_server, mock_kafka  # noqa: E402, F401
from oracle import Database, Listener, Publisher, Reading  # noqa: E402
from private_redis import PrivateRedis  # noqa: E402
from servers import (  # noqa: E402
    LOOPBACK, PrivateBroker, PrivatePostgres, Program, free_port, is_alive, patience, samples_of, until,
)

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
BUILD_DIR = (CLONE / (os.environ.get("BUILD_DIR") or "build")).resolve()
COUNTS_LINES = BUILD_DIR.name == "coverage"  # a program that is killed takes its counts along
FAILPOINT_DIR = (CLONE / (os.environ.get("FAILPOINT_DIR") or "build/test")).resolve()

# What takes a minute or so of a processor, as --durations=20 says.
LONGEST = (
    "test_packed_readers.py", "test_packed_pages.py", "test_production.py", "test_build.py", "test_values.py::test_at_every",
    "test_feature_names.py::test_any_other", "test_values.py::test_the_newest", "test_values.py::test_any_span", "test_minutes.py",
    "test_readings.py::test_all_readings", "test_packing.py", "test_run.py",
    "test_bounded_boards.py", "test_board_moments.py", "test_exactness.py",
)  # fmt: skip

# What of these is tested begins with a database that is empty: the tables are made as the collector is told to, and nobody has
# been there before. So does a test with the mark `empty`. All others are given one with the tables in it.
EMPTY = (
    "test_abouts.py", "test_catalog.py", "test_check.py", "test_commands.py", "test_disk_expected.py",
    "test_feature_names.py", "test_feature_words.py", "test_forget.py", "test_hostile_settings.py", "test_mapped_faults.py",
    "test_mapped_messages.py", "test_rights.py", "test_schema.py", "test_search_path.py", "test_service.py",
    "test_signals.py", "test_storage_backup.py", "test_storage_partitions.py",
)  # fmt: skip

# Of a database that is a copy of one whose tables are there since a while: what they say of the moment they were made.
MADE_NOW = """
    UPDATE installation SET id = DEFAULT;
    UPDATE heartbeat SET beat = DEFAULT;
    UPDATE sequence_marks SET taken_until = now();
    UPDATE storage_state SET rolled_until = date_bin('1 minute', now(), 'epoch'), late_before = date_bin('1 minute', now(), 'epoch');
    UPDATE rollup_value_passes p SET until = date_bin(u.length, s.rolled_until, 'epoch') FROM value_units() u, storage_state s
    WHERE u.unit = p.unit
"""

# Where the server that the tests share has its files, if there is plenty: no test ends the kernel, so none could tell, and a fifth of
# what a short test took was ext4's search for an inode that nobody deleted in the last minutes, for each file of each database.
MEMORY = Path("/dev/shm")
_MEMORY_EACH = 2 << 30  # of which the log may be half; the largest that was seen had 0.2
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT") or 1)

# The caller of the tests may have settings of their own; the programs get only the test's. The mark
# is inherited by every process that is started, and looked for at the end.
_SETTINGS = {"DATABASE_URL", "MQTT_URL", "COLLECTOR_ID", "SUBSCRIBE", "NUM_TOP_DEVICES", "FEATURES", "INTERVALS"}
_SETTINGS |= {"HTTP_LISTEN", "METRICS_LISTEN", "SEED"}
_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"}
_MARK = f"HIGHWATER_TESTS={uuid.uuid4().hex}"
os.environ.update([_MARK.split("=")])
os.environ["CORE_DUMPS"] = "1"  # or only root could look at what the tests look at, such as open files
for _name in list(os.environ):
    if _name in _SETTINGS | _MAKE or _name.startswith("PG"):
        del os.environ[_name]


def pytest_configure(config: pytest.Config) -> None:
    """Here and in each of the processes that share the tests (pytest -n): one seed."""
    global SEED
    ours = getattr(config, "workerinput", None)
    if ours is not None:
        SEED = ours["seed"]
    config.addinivalue_line("markers", "xdist_group: tests that one process runs, when several share them")
    config.addinivalue_line("markers", "empty: begins with a database in which no tables are")
    config.addinivalue_line("markers", "faults: long; runs with `make test-faults`")
    config.addinivalue_line("markers", "chaos: as long as CHAOS_SECONDS says; runs with `make chaos`")
    config.addinivalue_line("markers", "brokers: other brokers; runs with `make test-brokers`")
    config.addinivalue_line("markers", "engines: real Kafka, Cassandra; runs with `make test-engines`")
    config.addinivalue_line("markers", "contract: what others judge contracts with; runs with `make test-contract`")
    if not config.option.markexpr:
        config.option.markexpr = "not faults and not chaos and not brokers and not engines and not contract"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """When processes share the tests, one has all that need what is made once for their module; and what takes
    longest begins first, so that nobody is left with it when the others are done."""
    for item in items:
        fixtures = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined]
        if any(made[-1].scope == "module" for made in fixtures):
            item.add_marker(pytest.mark.xdist_group(item.path.name))
    items.sort(key=lambda item: _turn(item.nodeid.rpartition("/")[2]))


def _turn(name: str) -> int:
    return next((turn for turn, start in enumerate(LONGEST) if name.startswith(start)), len(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["seed"] = SEED


def pytest_report_header() -> str:
    return f"programs: {BUILD_DIR}, SEED={SEED}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Shows the end of every log with a test that failed."""
    report = (yield).get_result()  # type: ignore[misc]
    logs = getattr(item, "highwater_logs", None)
    if report.failed and logs is not None:
        report.sections.append(("seed", f"SEED={SEED}"))
        for log in sorted(logs.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            report.sections.append((log.name, "\n".join(lines[-60:])))


# --- What is there for all tests -----------------------------------------------------------------


@pytest.fixture(scope="session")
def area() -> Iterator[Path]:
    """A directory that the servers' users can get through to, which pytest's own is not.

    At the end nothing that was started may be left: neither a process with our mark, nor one of
    PostgreSQL's, which overwrite theirs, at work in here.
    """
    path = Path(tempfile.mkdtemp(prefix="highwater-"))
    path.chmod(0o755)
    yield path
    with contextlib.suppress(AssertionError):
        until(lambda: not _left_behind(path), 5)
    left = _left_behind(path)
    shutil.rmtree(path, ignore_errors=True)
    assert not left, f"the tests left behind: {left}"


def _left_behind(area: Path) -> dict[int, str]:
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_marked = _MARK.encode() in (entry / "environ").read_bytes().split(b"\0")
            is_inside = os.readlink(entry / "cwd").startswith((f"{area}/", f"{MEMORY / area.name}-"))
            pid = int(entry.name)
            if (is_marked or is_inside) and pid != os.getpid() and is_alive(pid):
                found[pid] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


def _spare_memory() -> int:
    """How many bytes may be put into MEMORY: it has room for them, and so have the machine and, in a container, its group."""
    if not (MEMORY.is_mount() and os.access(MEMORY, os.W_OK)):
        return 0
    try:
        room = os.statvfs(MEMORY)
        spare = [room.f_bavail * room.f_frsize, 1024 * int(re.search(r"MemAvailable: +(\d+)", Path("/proc/meminfo").read_text())[1])]  # type: ignore[index]
        group = Path("/sys/fs/cgroup")
        with contextlib.suppress(OSError, ValueError):  # no limit is "max"
            uses = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            of_files = int(uses["active_file"]) + int(uses["inactive_file"])  # which the kernel gives up
            spare.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()) + of_files)
    except OSError:
        return 0
    return min(spare)


@pytest.fixture(scope="session")
def _postgres(area: Path) -> Iterator[PrivatePostgres]:
    in_memory = tempfile.mkdtemp(dir=MEMORY, prefix=f"{area.name}-") if _spare_memory() >= _MEMORY_EACH * _PROCESSES else None
    if in_memory:
        Path(in_memory).chmod(0o755)
    # Our programs turn JIT off. What a test asks in SQL would be compiled for seconds, and run for milliseconds.
    server = PrivatePostgres(Path(in_memory or area) / "postgres", settings={"jit": "off"}, log=area / "log" / "postgres.log")
    try:
        server.start()
        yield server
        server.stop("immediate")
    finally:
        if in_memory:
            shutil.rmtree(in_memory, ignore_errors=True)


@pytest.fixture
def logs(area: Path, request: pytest.FixtureRequest) -> Path:
    """Where the logs of this test go; shown when it fails."""
    path = Path(tempfile.mkdtemp(dir=area, prefix="logs-"))
    request.node.highwater_logs = path
    return path


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Chance that can be repeated: the same SEED and test, the same numbers."""
    test = request.node.nodeid.removesuffix(f"@{request.node.path.name}")  # as pytest -n calls one of a group
    return random.Random(f"{SEED} {test}")


@pytest.fixture
def postgres(_postgres: PrivatePostgres) -> PrivatePostgres:
    """The session's server. A test may stop or kill it; the next one finds it running."""
    if not _postgres.is_running():
        _postgres.start()
    return _postgres


@pytest.fixture(scope="session")
def _tables(_postgres: PrivatePostgres, area: Path) -> Callable[[], str]:
    """Names a database as a collector leaves it that has made its tables: a copy takes a fraction of what that does."""
    made: set[str] = set()

    def tables() -> str:
        name = f"tables_{datetime.now(timezone.utc):%Y_%m_%d}"  # the partitions are those of the day
        if name not in made:
            environment = {**os.environ, "DATABASE_URL": _postgres.create_database(name)}
            program = Program(name, [BUILD_DIR / "collector", "--migrate"], area / f"{name}.log", env=environment)
            program.start()
            assert program.wait() == 0, program.tail()
            made.add(name)
        return name

    return tables


@pytest.fixture
def database(postgres: PrivatePostgres, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of its own: with our tables, just made, and nothing in them; or empty (EMPTY)."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    if request.node.path.name in EMPTY or request.node.get_closest_marker("empty"):
        url = postgres.create_database(name)
    else:
        url = postgres.create_database(name, request.getfixturevalue("_tables")())
        Database(url, postgres.url(name, "postgres"), name).rows(MADE_NOW)
    yield Database(url, postgres.url(name, "postgres"), name)
    if not postgres.is_running():
        postgres.start()
    postgres.drop_database(name)


@pytest.fixture
def broker(area: Path, logs: Path) -> Iterator[PrivateBroker]:
    """A broker of its own, with the repository's mosquitto.conf."""
    home = Path(tempfile.mkdtemp(dir=area, prefix="broker-"))
    server = PrivateBroker(home, log=logs / "broker.log")
    server.start()
    yield server
    server.kill9()


@pytest.fixture
def redis_server(area: Path, logs: Path) -> Iterator[PrivateRedis]:
    """A Redis of its own, or a Valkey; nothing is in it."""
    server = PrivateRedis(Path(tempfile.mkdtemp(dir=area, prefix="redis-")), log=logs / "redis.log")
    server.start()
    yield server
    server.kill9()


# --- The programs --------------------------------------------------------------------------------


class Stack:
    """Highwater around the test's own servers. Settings are keyword arguments: num_top_devices=30."""

    def __init__(self, database: Database, broker: PrivateBroker, logs: Path) -> None:
        self.database = database
        self.broker = broker
        self.logs = logs
        self.http_port = free_port()
        self.metrics_port = free_port()
        self._programs: list[Program] = []
        self._clients: list[Publisher | Listener | EdgeFleet] = []

    def program(
        self, name: str, args: Sequence[str] = (), log_name: str | None = None, directory: Path = BUILD_DIR,
        env: dict[str, str] | None = None, **settings: Any
    ) -> Program:
        """A program with the stack's servers, not started. `env` is for what is not a setting; None = it has none."""
        values = {"database_url": self.database.url, "mqtt_url": self.broker.url(), **settings}
        if name == "collector":  # tests look into `readings`; those of packing say when
            values.setdefault("pack_after", "0")
        environment = {**os.environ, **(env or {})}
        environment.update({key.upper(): str(value) for key, value in values.items() if value is not None})
        log = self.logs / f"{log_name or name}.log"
        program = Program(log_name or name, [directory / name, *args], log, env=environment)
        self._programs.append(program)
        return program

    def program_named(self, name: str) -> Program:
        """The one of this name that was started last."""
        return next(program for program in reversed(self._programs) if program.name == name)

    def start_collector(self, *args: str, **settings: Any) -> Program:
        """Starts one and returns at once; with failpoints: directory=FAILPOINT_DIR."""
        settings.setdefault("metrics_listen", f"{LOOPBACK}:{self.metrics_port}")
        program = self.program("collector", args, **settings)
        program.start()
        return program

    def start_httpapi(self, *args: str, timeout: float = 15.0, **settings: Any) -> Program:
        """Starts it and waits until it listens."""
        settings.setdefault("http_listen", f"{LOOPBACK}:{self.http_port}")
        # Ten seconds by default, for which a client of ours may have to wait for its turn on a busy machine.
        settings.setdefault("header_timeout", f"{min(patience(), 3600):g}s")
        program = self.program("httpapi", args, **settings)
        program.start()

        def answers() -> bool:
            assert program.is_running(), f"httpapi ended with {program.exit_code}:\n{program.tail()}"
            try:
                self.get("/healthz")
            except OSError:
                return False
            return True

        until(answers, timeout, "httpapi answers")
        return program

    def start_devicesim(self, *args: str, **settings: Any) -> Program:
        program = self.program("devicesim", args, **settings)
        program.start()
        return program

    def devicesim(self, *args: str, timeout: float = 120.0, **settings: Any) -> Program:
        """Runs it to its end, which must be a good one."""
        program = self.start_devicesim(*args, **settings)
        assert program.wait(timeout) == 0, program.tail()
        return program

    def publisher(self, client_id: str | None = None, port: int | None = None, window: int = 2000) -> Publisher:
        """A device, or many; `port` is another's than the broker's when a proxy stands between."""
        publisher = Publisher(port or self.broker.port, client_id, window)
        self._clients.append(publisher)
        return publisher

    def edge_fleet(self, group: str, features: Sequence[str]) -> EdgeFleet:
        fleet = EdgeFleet(self.broker.port, group, features)
        self._clients.append(fleet)
        return fleet

    def publish(self, *readings: Reading) -> Publisher:
        """Sends one message for each reading and waits for every acknowledgement."""
        publisher = self.publisher()
        for one in readings:
            publisher.send(one)
        publisher.wait()
        return publisher

    def client_id(self, collector_id: str = "collector") -> str:
        """Of a collector's session, once it has had its lock."""
        return str(self.database.value("SELECT client_id FROM sessions WHERE collector = %s", (collector_id,)))

    def listen(self, *topics: str, port: int | None = None) -> Listener:
        listener = Listener(port or self.broker.port, *topics)
        self._clients.append(listener)
        return listener

    def get(self, path: str, port: int | None = None, headers: dict[str, str] | None = None) -> tuple[int, Any, bytes]:
        """(status, headers, body); an error status is an answer too. OSError when nobody answers."""
        url = f"http://{LOOPBACK}:{port or self.http_port}{path}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=patience()) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def get_json(self, path: str) -> Any:
        """The body of a good answer."""
        status, _, body = self.get(path)
        assert status == 200, f"{path}: {status} {body[:500]!r}"
        return json.loads(body)

    def metrics(self, port: int | None = None) -> dict[str, float]:
        """The collector's metrics, each by its name with its labels."""
        _, _, body = self.get("/metrics", port or self.metrics_port)
        return samples_of(body.decode())

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for program in reversed(self._programs):
            if COUNTS_LINES and program.is_running():
                program.signal(signal.SIGTERM)
                with contextlib.suppress(AssertionError):
                    program.wait(5)
            program.kill9()


@pytest.fixture
def stack(database: Database, broker: PrivateBroker, logs: Path) -> Iterator[Stack]:
    """Database, broker and logs of this test, and what starts the programs around them."""
    running = Stack(database, broker, logs)
    yield running
    running.close()


# --- What several files need -----------------------------------------------------------------------


@pytest.fixture
def played(broker: PrivateBroker, database: Database) -> Iterator[Callable[..., PlayedCollector]]:
    """Makes collectors that are only played; arguments are those of PlayedCollector after the database."""
    collectors: list[PlayedCollector] = []

    def play(*args: Any, **more: Any) -> PlayedCollector:
        collectors.append(PlayedCollector(broker.port, database, *args, **more))
        return collectors[-1]

    yield play
    for collector in collectors:
        collector.close()


@pytest.fixture
def truth(area: Path) -> Path:
    """A place for devicesim's record, not there yet."""
    return Path(tempfile.mkdtemp(dir=area, prefix="truth-")) / "truth.csv"
