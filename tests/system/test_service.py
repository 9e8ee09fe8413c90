"""What a service manager is told, and what its journal is given. It is played: a socket, and the file of a log."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from pathlib import Path

import pytest
from servers import patience, until

WATCHDOG_S = 1.0


class Manager:
    """Listens as systemd does; what it has heard of each name, the latest last."""

    def __init__(self, area: Path):
        self.path = Path(tempfile.mkdtemp(dir=area, prefix="manager-")) / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(str(self.path))
        self.heard: list[tuple[str, str]] = []
        self.env = {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}

    def listen(self, timeout: float) -> bool:
        """False when nothing came for so long."""
        self._socket.settimeout(timeout)
        try:
            said = self._socket.recv(4096).decode()
        except OSError:
            return False
        self.heard += [(line.partition("=")[0], line.partition("=")[2]) for line in said.splitlines()]
        return True

    def wait_for(self, name: str, wanted: str = "") -> str:
        """The value of the next line of that name that has `wanted` in it; what came before is forgotten."""
        while True:
            while self.heard:
                said, value = self.heard.pop(0)
                if said == name and wanted in value:
                    return value
            assert self.listen(patience(20)), f"{name}={wanted} is not said"

    def close(self):
        self._socket.close()


@pytest.fixture
def manager(area):
    played = Manager(area)
    yield played
    played.close()


@pytest.mark.parametrize("name", ["collector", "httpapi"])
def test_a_manager_is_told_from_the_start_to_the_end(stack, postgres, manager, name):
    if name == "httpapi":
        stack.start_collector()  # or there is none, which is not ready
    program = stack.program(
        name, env=manager.env, metrics_listen="127.0.0.1:0" if name == "collector" else None,
        http_listen="127.0.0.1:0" if name == "httpapi" else None,
    )  # fmt: skip
    program.start()
    assert manager.wait_for("READY") == "1"
    while manager.wait_for("STATUS") != "ready":
        pass
    assert manager.wait_for("WATCHDOG") == "1"

    postgres.stop("immediate")
    manager.wait_for("STATUS", "not ready: ")
    postgres.start()
    while manager.wait_for("STATUS") != "ready":
        pass

    program.signal(signal.SIGHUP)
    assert manager.wait_for("RELOADING") == "1" and int(manager.wait_for("MONOTONIC_USEC")) > 0
    assert manager.wait_for("READY") == "1"

    with program.paused():
        while manager.listen(0.01):
            pass  # what it had said before
        assert not manager.listen(2 * WATCHDOG_S), "it is alive without its loop"
    manager.heard.clear()
    assert manager.wait_for("WATCHDOG") == "1"

    program.signal(signal.SIGTERM)
    assert manager.wait_for("STOPPING") == "1"
    assert int(manager.wait_for("EXTEND_TIMEOUT_USEC")) >= 10_000_000
    assert manager.wait_for("STATUS") == "stopping"
    assert program.wait() == 0


def test_a_start_without_database_and_broker_is_one(stack, manager):
    """The order of a boot is to fail no unit; what is missing is in the status."""
    program = stack.program(
        "collector", env=manager.env, metrics_listen="127.0.0.1:0",
        database_url="postgresql://127.0.0.1:1/nowhere", mqtt_url="mqtt://127.0.0.1:1",
    )  # fmt: skip
    program.start()
    assert manager.wait_for("READY") == "1"
    assert "; " in manager.wait_for("STATUS", "not ready: ")
    assert program.terminate() == 0


def test_what_only_migrates_says_nothing(stack, manager):
    migrating = stack.program("collector", ["--migrate"], env=manager.env)
    migrating.start()
    assert migrating.wait() == 0
    assert not manager.listen(0.01)


def test_the_journal_is_given_priorities(stack):
    """And only where standard error is the journal."""
    log = stack.logs / "collector.log"
    log.touch()
    entry = os.stat(log)
    program = stack.start_collector(env={"JOURNAL_STREAM": f"{entry.st_dev}:{entry.st_ino}"}, mqtt_url="mqtt://127.0.0.1:1")
    until(lambda: any(line.startswith("<4>") for line in program.output().splitlines()), 10)
    assert program.terminate() == 0
    lines = program.output().splitlines()
    assert all(line[0] == "<" and line[2] == ">" and line[1] in "3467" for line in lines), lines
    assert not any(" info " in line or " warning " in line for line in lines)
    for setting in ({"batch_size": "none"}, {"mappings": "/nowhere"}):
        program = stack.start_collector(env={"JOURNAL_STREAM": f"{entry.st_dev}:{entry.st_ino}"}, **setting)
        assert program.wait() == 2 and program.output().startswith("<3>collector: "), "what ends it is an error"
    program = stack.start_collector(env={"JOURNAL_STREAM": f"{entry.st_dev}:1{entry.st_ino}"})
    program.wait_for_line(r"^\d{4}-\S+Z collector info ")
    assert program.terminate() == 0
