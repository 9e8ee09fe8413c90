"""Private servers and programs of one Python process: PostgreSQL, Mosquitto, Highwater's own.

`make run` and the system tests share this. Three promises: what is started here listens on
loopback only, on ports of its own; it never outlives this process, not even when that is killed;
and nothing but what was started here is ever signalled.

Each process leads a session of its own, so a Ctrl-C reaches only us, and asks the kernel for a
signal when its parent thread ends (PR_SET_PDEATHSIG). So start them from the main thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

CLONE = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)
_PORTS = range(20000, 32000)  # below those the kernel gives to outgoing connections
_ports_given: set[int] = set()
_claims: int | None = None
_Fact = TypeVar("_Fact")


class ServerError(RuntimeError):
    """Something a person can do something about; the text says what."""


# A deadline ends what would hang for ever and judges nothing, so that a busy machine fails no test. All of them are
# at least this long, and PATIENCE=5 makes them five times as long.
LEAST_PATIENCE_S = 60.0
PATIENCE = float(os.environ.get("PATIENCE") or 1)


def patience(seconds: float = 0.0) -> float:
    """How long to wait for what should take `seconds`."""
    return max(seconds, LEAST_PATIENCE_S) * PATIENCE


# Asking costs what is asked about, too: a question to a database is a connection. So what took long already is asked for
# less often, a twentieth of that later at most.
PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.15
PAUSE_SHARE = 0.05


def until(fact: Callable[[], _Fact], timeout: float = 10.0, what: str = "", pause: float | None = None) -> _Fact:
    """Polls until `fact()` is true, and returns what it returned; AssertionError after patience(timeout).

    `pause`: always so long, for what is only true for a moment.
    """
    timeout = patience(timeout)
    began = time.monotonic()
    while True:
        value = fact()
        if value:
            return value
        waited = time.monotonic() - began
        if waited >= timeout:
            raise AssertionError(f"not within {timeout:g} s: {what or 'the fact'} (last seen: {value!r})")
        time.sleep(min(max(PAUSE_S, PAUSE_SHARE * waited), LONGEST_PAUSE_S) if pause is None else pause)


def samples_of(metrics: str) -> dict[str, float]:
    """Prometheus text as a value per series; the label that all of a collector's have is left out."""
    lines = (line.rsplit(" ", 1) for line in metrics.splitlines() if line and not line.startswith("#"))
    return {re.sub(r'(?<=[{])collector="[^"]*",?', "", series).replace("{}", ""): float(value) for series, value in lines}


# --- Ports ---------------------------------------------------------------------------------------


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _claim(port: int) -> bool:
    """Whether `port` is for this process, until it ends: others of this user, whatever they run, choose ports, too.

    One that is given is mostly not listened on yet. A lock on one byte of a file goes with the process that has it.
    """
    global _claims
    if _claims is None:
        path = Path(tempfile.gettempdir()) / f"highwater-ports-{os.getuid()}"
        _claims = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.lockf(_claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):
        return False
    return True


def free_port() -> int:
    """A port that nobody listens on, and that nobody else is given."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        if port not in _ports_given and _claim(port) and port_is_free(port):
            _ports_given.add(port)
            return port


def port_owner(port: int) -> str:
    """Who listens on `port`, as "name (pid 12)"; "another program" where /proc does not tell."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(fd) in inodes:
                process = fd.parents[1]
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return "another program"


def require_free(port: int, variable: str) -> None:
    """ServerError when the port is taken: by whom, and which variable chooses another."""
    if not port_is_free(port):
        raise ServerError(
            f"port {port} is taken by {port_owner(port)}: stop that, or choose another port with {variable}=..."
        )


# --- Processes -----------------------------------------------------------------------------------


def _die_with_parent(with_signal: int) -> Callable[[], None]:
    """Run in the child after it has its user, since a change of user forgets the setting."""
    parent = os.getpid()

    def in_child() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, with_signal)
        if os.getppid() != parent:
            os._exit(1)

    return in_child


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on: state, parent, ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def is_alive(pid: int) -> bool:
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(_stat(int(entry.name))[1]) == pid:
                found.append(int(entry.name))
    return found


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """Holds a process with SIGSTOP for the length of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


class Program:
    """One program that can be started again and again; its output is appended to `log`."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        death_signal: int = signal.SIGKILL,
    ) -> None:
        """`env` is the whole environment (default: ours); `user` is whom root steps down to."""
        self.name = name
        self.argv = [str(arg) for arg in argv]
        self.log = log
        self.env = env
        self.user = user
        self.death_signal = death_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> None:
        if self.is_running():
            raise RuntimeError(f"{self.name} is running already")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd="/",  # another user may not be able to read ours
                start_new_session=True,
                preexec_fn=_die_with_parent(self.death_signal),
                **_step_down(self.user),
            )

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return None if self._process is None else self._process.poll()

    def wait(self, timeout: float = 30.0) -> int:
        """Waits for its end and returns the exit code; AssertionError after patience(timeout)."""
        timeout = patience(timeout)
        assert self._process is not None, f"{self.name} was never started"
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {timeout:g} s") from None

    def signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def terminate(self, timeout: float = 30.0) -> int:
        """SIGTERM, then waits; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill9(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def paused(self) -> contextlib.AbstractContextManager[None]:
        """with program.paused(): the program stands still (SIGSTOP)."""
        return paused(self.pid)

    def output(self) -> str:
        """What it wrote since its last start."""
        with contextlib.suppress(FileNotFoundError), self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")
        return ""

    def tail(self, lines: int = 20) -> str:
        return "\n".join(self.output().splitlines()[-lines:])

    def wait_for_line(self, pattern: str, timeout: float = 10.0) -> str:
        """Waits until a line of its output since the last start matches, and returns that line."""

        def matching() -> str | None:
            ended = not self.is_running()
            for line in self.output().splitlines():
                if re.search(pattern, line):
                    return line
            if ended:
                raise ServerError(f"{self.name} ended with {self.exit_code} before it said {pattern!r}:\n{self.tail()}")
            return None

        return until(matching, timeout, f"{self.name} says {pattern!r}")  # type: ignore[return-value]

    def rss_kb(self) -> int:
        """Resident memory now."""
        return self._status_kb("VmRSS")

    def anonymous_kb(self) -> int:
        """Of it, what is the process's own; the rest are pages of files, such as libraries, that others share."""
        return self._status_kb("RssAnon")

    def peak_rss_kb(self) -> int:
        return self._status_kb("VmHWM")

    def _status_kb(self, field: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE).group(1))  # type: ignore[union-attr]

    def fd_count(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = _stat(self.pid)
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _step_down(user: str | None) -> dict[str, object]:
    """What makes subprocess run as `user`; only root can, anybody else stays who they are."""
    if user is None or os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ServerError(f"there is no user {user} on this machine, as whom root would start the server") from None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _run(
    argv: Sequence[str | Path], user: str | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A short command, to its end, with `variables` besides ours; out of reach of a Ctrl-C, which is for the caller."""
    return subprocess.run(
        argv,
        cwd="/",
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        **_step_down(user),
    )


def _make_home(home: Path, user: str | None) -> None:
    """A directory that only `user` can read; ServerError when that user cannot reach it."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    step_down = _step_down(user)
    if not step_down:
        return
    for path in (home, *home.rglob("*")):
        os.chown(path, step_down["user"], step_down["group"], follow_symlinks=False)  # type: ignore[arg-type]
    if _run(["test", "-w", home], user).returncode != 0:
        raise ServerError(f"user {user}, who runs the server when root starts it, cannot reach {home}")


# --- PostgreSQL ----------------------------------------------------------------------------------


def _postgres_bin(version: str | None) -> Path:
    """Where Debian keeps the programs of the newest PostgreSQL, or of exactly `version`."""
    found = {p.parts[-3]: p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/postgres")}
    if version is None and found:
        return found[max(found, key=int)]
    if version in found:
        return found[version]
    raise ServerError("there is no PostgreSQL %sin /usr/lib/postgresql: make deps" % (f"{version} " if version else ""))


class PrivatePostgres:
    """A cluster in `home`, on loopback, trusting every client that reaches it there.

    It keeps PostgreSQL's own settings, fsync and synchronous_commit above all: durability is what
    is tested. Role and database `highwater` are there after start(); `postgres` is the superuser.
    """

    USER = "postgres"
    AUTHENTICATION: Sequence[str | Path] = ("-A", "trust")  # as initdb is told
    STOP = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

    def __init__(
        self, home: Path, port: int | None = None, settings: Mapping[str, str] | None = None, log: Path | None = None
    ) -> None:
        self.home = home
        self.data = home / "data"
        self.port = port or free_port()
        self.settings = dict(settings or {})
        self.log = log or home.parent / "log" / "postgres.log"
        self.bin = Path()
        self.program: Program | None = None

    def url(self, database: str = "highwater", user: str = "highwater") -> str:
        return f"postgresql://{user}@{LOOPBACK}:{self.port}/{database}"

    def start(self, timeout: float = 60.0) -> None:
        _make_home(self.home, self.USER)
        version = self.data / "PG_VERSION"
        self.bin = _postgres_bin(version.read_text().strip() if version.exists() else None)
        if not version.exists():
            self._initdb()
        # A path of a socket has room for 107 bytes. Without a socket TCP has to do.
        sockets = str(self.home) if len(str(self.home)) < 90 else ""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": sockets,
            **self.settings,
        }
        argv = [self.bin / "postgres", "-D", self.data]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        # SIGQUIT: an immediate stop, which ends every backend, even one that stands still.
        self.program = Program("postgres", argv, self.log, user=self.USER, death_signal=signal.SIGQUIT)
        self.program.start()
        self.wait_until_ready(timeout)
        self._make_roles()

    def _make_roles(self) -> None:
        if self.sql("SELECT 1 FROM pg_roles WHERE rolname = 'highwater'") == "":
            self.sql("CREATE ROLE highwater LOGIN")
        if self.sql("SELECT 1 FROM pg_database WHERE datname = 'highwater'") == "":
            self.create_database("highwater")

    def _initdb(self) -> None:
        """In a place of its own first, so that an interrupted one leaves nothing half made."""
        new = self.home / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        argv = [self.bin / "initdb", "-D", new, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
        argv += self.AUTHENTICATION
        done = _run(argv, self.USER)
        if done.returncode != 0:
            raise ServerError(f"initdb failed:\n{done.stdout}{done.stderr}")
        new.rename(self.data)

    def standby(self, home: Path, log: Path, settings: Mapping[str, str] | None = None) -> PrivatePostgres:
        """A hot standby in `home` that follows this one; not started."""
        server = PrivatePostgres(home, settings=settings, log=log)
        _make_home(home, self.USER)
        argv = [self.bin / "pg_basebackup", "-D", server.data, "-R", "-c", "fast", "-d", self.url("postgres", "postgres")]
        done = _run(argv, self.USER)
        if done.returncode != 0:
            raise ServerError(f"pg_basebackup failed:\n{done.stderr}")
        return server

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Waits until it takes connections, as pg_ctl does: by what the postmaster writes about itself."""
        assert self.program is not None
        program = self.program

        def is_ready() -> bool:
            if not program.is_running():
                raise ServerError(f"postgres ended with {program.exit_code} at start ({self.log}):\n{program.tail()}")
            with contextlib.suppress(OSError):
                lines = (self.data / "postmaster.pid").read_text().split("\n")
                return len(lines) > 7 and lines[0] == str(program.pid) and lines[7].strip() in ("ready", "standby")
            return False

        until(is_ready, timeout, "postgres takes connections")

    def set(self, name: str, value: str) -> None:
        """A setting that a reload changes; it stays."""
        self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")
        until(lambda: self.sql(f"SHOW {name}") == value, 10, f"{name} is {value}")

    def promote(self) -> None:
        """A standby becomes a primary; returns when it is one."""
        self.sql("SELECT pg_promote()")
        until(lambda: self.sql("SELECT pg_is_in_recovery()") == "f", 30, "the standby is promoted")

    def is_running(self) -> bool:
        return self.program is not None and self.program.is_running()

    def stop(self, mode: str = "fast", timeout: float = 60.0) -> None:
        """smart waits for clients, fast disconnects them, immediate leaves recovery to the next start."""
        if self.program is not None:
            self.program.signal(self.STOP[mode])
            self.program.wait(timeout)

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill9(self) -> None:
        """SIGKILL to the postmaster; returns when its children, who notice by themselves, are gone too."""
        assert self.program is not None
        left = children(self.program.pid)
        self.program.kill9()
        until(lambda: not any(map(is_alive, left)), 30, "the backends have gone with their postmaster")

    def backends(self, database: str | None = None) -> list[int]:
        """The processes that serve clients, of one database or of all."""
        assert self.program is not None
        found = []
        for pid in children(self.program.pid):
            with contextlib.suppress(OSError):
                # "postgres: user database 127.0.0.1(4711) idle", or "postgres: checkpointer "
                title = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ").decode(errors="replace").split()
                if len(title) > 3 and re.search(r"\(\d+\)$|^\[local\]$", title[3]) and database in (None, title[2]):
                    found.append(pid)
        return found

    def create_database(self, name: str, template: str | None = None) -> str:
        """A new database that role `highwater` owns, empty or a copy of one that nobody is connected to; returns its URL."""
        self.sql(f'CREATE DATABASE "{name}" OWNER highwater' + (f' TEMPLATE "{template}"' if template else ""))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def sql(self, statement: str, database: str = "postgres", user: str = "postgres") -> str:
        """What psql prints for one statement, unaligned, without headings."""
        argv = [self.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(database, user), "-c", statement]
        done = _run(argv)
        if done.returncode != 0:
            raise ServerError(f"{statement}: {done.stderr.strip()}")
        return done.stdout.rstrip("\n")


# --- Mosquitto -----------------------------------------------------------------------------------


class PrivateBroker:
    """A Mosquitto with the repository's mosquitto.conf; only port and database place are its own."""

    USER = "mosquitto"

    def __init__(
        self, home: Path, port: int | None = None, extra_lines: Sequence[str] = (), log: Path | None = None
    ) -> None:
        self.home = home
        self.port = port or free_port()
        self.extra_lines = list(extra_lines)
        self.log = log or home.parent / "log" / "broker.log"
        self.program: Program | None = None

    def url(self) -> str:
        return f"mqtt://{LOOPBACK}:{self.port}"

    def config(self) -> str:
        own = {
            "listener": f"listener {self.port} {LOOPBACK}",
            "persistence_location": f"persistence_location {self.home}",
        }
        replaced = {line.split(" ")[0] for line in self.extra_lines}
        lines = []
        for line in (CLONE / "mosquitto.conf").read_text().splitlines():
            setting = line.split(" ")[0]
            if setting not in replaced:
                lines.append(own.get(setting, line))
        return "\n".join([*lines, *self.extra_lines, ""])

    def start(self, timeout: float = 30.0) -> None:
        binary = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if binary is None:
            raise ServerError("there is no mosquitto on this machine: make deps")
        conf = self.home / "mosquitto.conf"
        self.home.mkdir(parents=True, exist_ok=True)
        conf.write_text(self.config())
        # As root we step down ourselves: when Mosquitto does, it forgets that it shall die with us.
        _make_home(self.home, self.USER)
        self.program = Program("broker", [binary, "-c", conf], self.log, user=self.USER)
        self.program.start()
        self.program.wait_for_line(r"mosquitto version \S+ running", timeout)

    def is_running(self) -> bool:
        return self.program is not None and self.program.is_running()

    def stop(self, timeout: float = 30.0) -> None:
        """SIGTERM: it saves its sessions and queues."""
        if self.program is not None:
            self.program.terminate(timeout)

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill9(self) -> None:
        """It loses what came since its last save."""
        assert self.program is not None
        self.program.kill9()

    def save(self) -> None:
        """Has it write its sessions and queues now, and waits until they are on disk."""
        assert self.program is not None
        database = self.home / "mosquitto.db"

        def written() -> int:
            return database.stat().st_mtime_ns if database.exists() else 0

        before = written()
        self.program.signal(signal.SIGUSR1)
        until(lambda: written() > before, 30, "the broker has saved")
