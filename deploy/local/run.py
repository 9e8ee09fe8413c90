"""`make run`: everything of Highwater on this machine, until Ctrl-C.

Starts a private PostgreSQL and a private Mosquitto (neither, where DATABASE_URL or MQTT_URL names
another), the collector, httpapi and 15 simulated devices; waits until /dashboard shows data; then
prints where to look. The data stays for the next run, in .run/ of the clone; as root, whose
PostgreSQL must run as another user, in /var/lib/highwater/. HIGHWATER_HOME chooses another place.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPResponse
from pathlib import Path
from types import FrameType
from typing import TextIO

from overview import Running, overview
from servers import CLONE, LOOPBACK, PrivateBroker, PrivatePostgres, Program, ServerError, require_free

DEVICES = 15
# The sample in data/ is of 2013, which a collector takes for a wrong clock unless it is told otherwise.
DEFAULTS = {"EARLIEST": "2013-01-01"}
READY_SECONDS = 60.0
STOP_SECONDS = 30.0
HURRIED_STOP_SECONDS = 2.0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def state_home() -> Path:
    if chosen := os.environ.get("HIGHWATER_HOME"):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/highwater") / hashlib.sha256(str(CLONE).encode()).hexdigest()[:12]
    return CLONE / ".run"


def port_setting(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ServerError(f"{variable}={text} is not a port: a number from 1 to 65535")
    return int(text)


def free_port_setting(variable: str, default: int) -> int:
    """The same; ServerError when somebody listens on it."""
    port = port_setting(variable, default)
    require_free(port, variable)
    return port


def lock(home: Path) -> TextIO:
    """Held until this process ends. ServerError when another one of this clone holds it."""
    home.mkdir(parents=True, exist_ok=True)
    file = (home / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise ServerError(f"`make run` of this clone is running already (pid {file.read().strip()})") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def clean(home: Path) -> None:
    """Removes what runs have left in `home`, and nothing that others may have put there."""
    if not home.exists():
        return
    held = lock(home)
    for name in ("postgres", "broker", "engines", "production", "log"):
        if (home / name).exists():
            shutil.rmtree(home / name)
    (home / "lock").unlink()
    held.close()
    if not any(home.iterdir()):
        home.rmdir()


class Interrupts:
    """Counts SIGINT, SIGTERM and SIGHUP: the first ends the run, the second hurries its end."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


class Stopped(Exception):
    """A signal came while something was still starting."""


class Run:
    """What is running, and in which order it is to stop."""

    # Who sends before who stores before what is stored in.
    STOP_ORDER = ("devicesim", "collector", "httpapi")

    def __init__(self, home: Path, interrupts: Interrupts) -> None:
        self.home = home
        self.interrupts = interrupts
        self.http_port = free_port_setting("HTTP_PORT", 5000)
        self.metrics_port = free_port_setting("METRICS_PORT", 5001)
        self.postgres: PrivatePostgres | None = None
        self.broker: PrivateBroker | None = None
        self.programs: list[Program] = []
        self._choose_servers()

    def _choose_servers(self) -> None:
        self.database_url = os.environ.get("DATABASE_URL") or ""
        self.mqtt_url = os.environ.get("MQTT_URL") or ""
        if not self.database_url:
            port = free_port_setting("PGPORT_PRIVATE", 15432)
            self.postgres = PrivatePostgres(self.home / "postgres", port, log=self.home / "log" / "postgres.log")
            self.database_url = self.postgres.url()
        if not self.mqtt_url:
            port = free_port_setting("MQTT_PORT", 18830)
            self.broker = PrivateBroker(self.home / "broker", port, log=self.home / "log" / "broker.log")
            self.mqtt_url = self.broker.url()

    def start(self) -> None:
        if self.postgres:
            say(f"postgres: {LOOPBACK}:{self.postgres.port}, data in {self.postgres.home}")
            self.postgres.start()
        self._stop_if_asked()
        if self.broker:
            say(f"broker: {LOOPBACK}:{self.broker.port}, data in {self.broker.home}")
            self.broker.start()
        self._stop_if_asked()
        self._start_programs()
        say("waiting for the first readings on /dashboard")
        self._wait(self._dashboard_has_data, READY_SECONDS)

    def _start_programs(self) -> None:
        self._start_program("collector")
        self._start_program("httpapi")
        self._start_program("devicesim", "--num-devices", str(DEVICES), "--about")

    def _settings(self, _program: str) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url,
            "MQTT_URL": self.mqtt_url,
            "HTTP_LISTEN": f"{LOOPBACK}:{self.http_port}",
            "METRICS_LISTEN": f"{LOOPBACK}:{self.metrics_port}",
        }

    def _start_program(self, name: str, *args: str) -> None:
        log = self.home / "log" / f"{name}.log"
        say(f"{name}: log in {log}")
        env = {**DEFAULTS, **os.environ, **self._settings(name)}
        program = Program(name, [CLONE / "build" / name, *args], log, env=env)
        program.start()
        self.programs.append(program)

    def _ask(self, path: str) -> HTTPResponse:
        return urllib.request.urlopen(f"http://{LOOPBACK}:{self.http_port}{path}", timeout=2)

    def _dashboard_has_data(self) -> bool:
        try:
            with self._ask("/dashboard") as answer:
                return any(json.load(answer).values())
        except (OSError, urllib.error.URLError, ValueError, AttributeError):
            return False

    def _stop_if_asked(self) -> None:
        if self.interrupts.count:
            raise Stopped

    def _wait(self, ready: Callable[[], bool], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not ready():
            self._stop_if_asked()
            self.check()
            if time.monotonic() > deadline:
                tails = "\n".join(f"--- {p.name}: {p.log}\n{p.tail(10)}" for p in self.programs)
                raise ServerError(f"/dashboard shows no data after {timeout:g} s\n{tails}")
            time.sleep(0.1)

    def _all(self) -> list[Program]:
        """In the order in which they stop."""
        mine = sorted(self.programs, key=lambda program: self.STOP_ORDER.index(program.name))
        servers = [s.program for s in (self.broker, self.postgres) if s is not None and s.program is not None]
        return mine + servers

    def check(self) -> None:
        """ServerError when one has died."""
        for program in self._all():
            if not program.is_running():
                raise ServerError(
                    f"{program.name} died (exit code {program.exit_code}); "
                    f"the end of its log, {program.log}:\n{program.tail()}"
                )

    def watch(self) -> None:
        """Returns when a signal asks for the end."""
        while not self.interrupts.count:
            self.check()
            time.sleep(0.2)

    def stop(self) -> bool:
        """Stops what runs; False when something had to be killed or ended with an error."""
        clean_end = True
        for program in self._all():
            if not program.is_running():
                continue
            say(f"{program.name}: stopping")
            fast = signal.SIGINT if self.postgres and program is self.postgres.program else signal.SIGTERM
            program.signal(fast)
            since = time.monotonic()
            while program.is_running() and time.monotonic() < since + self._patience():
                time.sleep(0.02)
            if program.is_running():
                say(f"{program.name}: killed")
                if self.postgres and program is self.postgres.program:
                    self.postgres.stop("immediate")
                else:
                    program.kill9()
                clean_end = clean_end and self.interrupts.count >= 2
            elif program.exit_code:
                say(f"{program.name}: exit code {program.exit_code}, the end of {program.log}:\n{program.tail(5)}")
                clean_end = False
        return clean_end

    def _patience(self) -> float:
        return HURRIED_STOP_SECONDS if self.interrupts.count >= 2 else STOP_SECONDS

    def where_to_look(self) -> str:
        return overview(
            Running(
                http_port=self.http_port,
                metrics_port=self.metrics_port,
                mqtt_port=self.broker.port if self.broker else None,
                database_url=self.database_url if self.postgres else None,
                devices=DEVICES,
                logs=self.home / "log",
                collector=CLONE / "build" / "collector",
            )
        )


def main(kind: type[Run] = Run, folder: str = "") -> int:
    """`folder` of the place where the state of all runs is kept is this kind's."""
    os.umask(0o022)  # the servers' own users must get through to their directories
    home = state_home()
    try:
        if sys.argv[1:] == ["--clean"]:
            clean(home)
            return 0
        interrupts = Interrupts()
        _held = lock(home)
        run = kind(home / folder, interrupts)
    except (ServerError, OSError) as error:
        say(f"run: {error}")
        return 1
    failed = False
    try:
        run.start()
        print(run.where_to_look(), flush=True)
        run.watch()
    except Stopped:
        pass
    except (ServerError, AssertionError, OSError) as error:
        say(f"run: {error}")
        failed = True
    stopped_well = run.stop()
    say("stopped")
    return 0 if stopped_well and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
