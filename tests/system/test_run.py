"""`make run`, as somebody does who has just cloned this: it shows data, and its end leaves nothing."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import overview
import pytest

from conftest import BUILD_DIR, CLONE
from oracle import Database
from servers import LOOPBACK, PrivateBroker, Program, free_port, is_alive, patience, port_is_free, until

pytestmark = pytest.mark.skipif(BUILD_DIR != CLONE / "build", reason="make run is for the release")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


class Copy:
    """A copy of what git would commit, with the programs as they are built, and ports of its own."""

    def __init__(self, path: Path, logs: Path, owner: str | None = None) -> None:
        self.path = path
        self.logs = logs
        self.owner = owner
        self._programs: list[Program] = []
        self.ports = {name: free_port() for name in ("HTTP_PORT", "METRICS_PORT", "MQTT_PORT", "PGPORT_PRIVATE")}
        listed = ["git", "-C", CLONE, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0"):
            if name and (CLONE / name).is_file():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(CLONE / name, path / name)
        # With their times, those of the folders as well, so that make finds nothing to do.
        for folder in (folder for folder in path.rglob("*") if folder.is_dir()):
            shutil.copystat(CLONE / folder.relative_to(path), folder)
        (path / "build").mkdir()
        built = [CLONE / "build" / name for name in ("collector", "devicesim", "httpapi", "release")]
        subprocess.run(["cp", "-a", *filter(Path.exists, built), path / "build"], check=True)
        if owner:
            subprocess.run(["chown", "-R", owner, path], check=True)

    def program(self, log_name: str, *argv: str | Path, **variables: str) -> Program:
        env = {**os.environ, **{name: str(port) for name, port in self.ports.items()}, **variables}
        program = Program("make run", argv, self.logs / f"{log_name}.log", env=env, user=self.owner)
        program.start()
        self._programs.append(program)
        return program

    def end(self) -> None:
        """Whatever still runs, of a test that failed, too: make's own child would outlive it."""
        for program in filter(Program.is_running, self._programs):
            os.killpg(program.pid, signal.SIGKILL)  # the rest asks the kernel to be told of its parent's end
            program.wait(30)
        until(lambda: all(map(port_is_free, self.ports.values())), 15, "the ports are free again")

    def make(self, target: str, log_name: str = "make", **variables: str) -> Program:
        return self.program(log_name, "make", "--no-print-directory", "-C", self.path, target, **variables)

    def run_py(self, log_name: str = "run", **variables: str) -> Program:
        """What `make run` starts, without make, so with an exit code of its own."""
        return self.program(log_name, "/usr/bin/python3", self.path / "deploy/local/run.py", **variables)

    def wait_until_up(self, program: Program) -> None:
        """It says so only after /dashboard has shown data."""
        program.wait_for_line("Ctrl-C stops everything", 90)
        assert f"http://{LOOPBACK}:{self.ports['HTTP_PORT']}/" in program.output()
        assert f"-p {self.ports['MQTT_PORT']} -v -t 'collectors/+/boards/#'" in program.output()

    def press_ctrl_c(self, program: Program) -> None:
        """As a terminal does: to make and to all that is in its process group."""
        os.killpg(program.pid, signal.SIGINT)
        program.wait(60)
        assert program.output().rstrip().endswith("stopped"), program.tail()
        self.assert_nothing_runs()

    def stored(self) -> int:
        url = f"postgresql://highwater@{LOOPBACK}:{self.ports['PGPORT_PRIVATE']}/highwater"
        return int(Database(url, url, "highwater").value("SELECT count(*) FROM readings"))

    def assert_nothing_runs(self) -> None:
        for name, port in self.ports.items():
            assert port_is_free(port), f"{name}={port} is still in use"
        for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = cmdline.read_bytes()
            except OSError:
                continue
            assert str(self.path).encode() not in command or not is_alive(int(cmdline.parent.name)), command


def said_under(program: Program, name: str) -> str:
    """What the run's last lines say of something."""
    return re.search(rf"^  {name} +(.*)$", program.output(), re.MULTILINE).group(1)  # type: ignore[union-attr]


def assert_all_that_is_said_is_there(copy: Copy, run: Program, **variables: str) -> None:
    """Every address answers, every command does what it is for, every file and target is there."""
    output = run.output()[run.output().index("Highwater is running") :]
    for url in re.findall(r"http://[\w.:]+/[\w./]*", output):
        with urllib.request.urlopen(url, timeout=patience()) as answer:
            assert answer.status == 200 and answer.read(), url
    for name, more in (("readings", ""), ("boards, live", " -C 1")):
        command = said_under(run, name) + more
        done = subprocess.run(command, shell=True, env={**os.environ, **variables}, capture_output=True, text=True, timeout=patience())
        assert done.returncode == 0 and done.stdout.strip(), (command, done.stderr)
    assert Path(said_under(run, "logs")).is_dir()
    for file in re.findall(r"\b(?:docs|deploy)/[\w./]+\w|\b[A-Z]+\.md", output):
        assert (copy.path / file).exists(), file
    for target in re.findall(r"`make ([\w-]+)", output):
        assert re.search(rf"^{target}:", (copy.path / "Makefile").read_text(), re.MULTILINE), target


def make_copy(area: Path, logs: Path, name: str, owner: str | None = None) -> Iterator[Copy]:
    copy = Copy(area / name / "highwater", logs, owner)
    yield copy
    copy.end()
    clean = copy.make("run-clean", "run-clean")
    assert clean.wait(30) == 0, clean.tail()
    shutil.rmtree(copy.path)


@pytest.fixture
def copy(area: Path, logs: Path) -> Iterator[Copy]:
    """In a folder where only its owner gets in, which PostgreSQL's user must not mind."""
    (area / "private").mkdir(mode=0o700, exist_ok=True)
    yield from make_copy(area, logs, "private")


@pytest.fixture
def copy_of_nobody(area: Path, logs: Path) -> Iterator[Copy]:
    yield from make_copy(area, logs, "public", "nobody")


def test_make_run_shows_data_and_ctrl_c_keeps_it_for_the_next_run(copy: Copy) -> None:
    first = copy.make("run", "first")
    copy.wait_until_up(first)
    assert_all_that_is_said_is_there(copy, first)
    stored = copy.stored()
    assert stored > 0

    second = copy.run_py("second-at-once")
    assert second.wait(10) == 1
    assert "is running already (pid " in second.output()

    copy.press_ctrl_c(first)

    again = copy.run_py("again")
    copy.wait_until_up(again)
    assert copy.stored() >= stored
    again.signal(signal.SIGINT)
    assert again.wait(60) == 0, again.tail()
    copy.assert_nothing_runs()


@needs_root
def test_make_run_works_for_an_ordinary_user(copy_of_nobody: Copy) -> None:
    copy = copy_of_nobody
    run = copy.make("run")
    copy.wait_until_up(run)
    assert (copy.path / ".run" / "postgres").is_dir()
    copy.press_ctrl_c(run)


def test_a_taken_port_is_named_with_its_owner_and_the_variable_to_change(copy: Copy) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = copy.run_py(MQTT_PORT=str(port))
        assert run.wait(30) == 1
    assert f"port {port} is taken by {Path(sys.executable).name} (pid {os.getpid()})" in run.output()
    assert "MQTT_PORT=" in run.output()
    copy.assert_nothing_runs()


def test_what_a_build_was_made_without_is_said(tmp_path: Path) -> None:
    whole, bare = (tmp_path / name for name in ("whole", "bare"))
    whole.write_bytes(b"\0librdkafka.so.1\0libhiredis.so.0.14\0")
    bare.write_bytes(b"\0libpq.so.5\0")
    running = overview.Running(1, 2, 3, "postgresql://", 15, tmp_path, whole)
    assert "left out" not in overview.overview(running)
    said = overview.overview(dataclasses.replace(running, collector=bare))
    assert re.search(r"Kafka .*without KAFKA=no has it", said) and re.search(r"Redis .*without REDIS=no has it", said)
    for name, text in overview.optional(BUILD_DIR / "collector"):
        assert text.startswith("built in") != (os.environ.get(name.upper()) == "no")


@pytest.mark.faults
def test_a_program_that_dies_is_reported_and_ends_the_run(copy: Copy) -> None:
    run = copy.run_py()
    copy.wait_until_up(run)
    collector = next(
        int(cmdline.parent.name)
        for cmdline in Path("/proc").glob("[0-9]*/cmdline")
        if cmdline.read_bytes().startswith(str(copy.path / "build/collector").encode())
    )
    os.kill(collector, signal.SIGKILL)
    assert run.wait(60) == 1
    assert "collector died (exit code -9)" in run.output()
    copy.assert_nothing_runs()


def test_servers_of_ones_own_are_used_instead_of_private_ones(
    copy: Copy, database: Database, broker: PrivateBroker, tmp_path: Path
) -> None:
    home = copy.path / "state"
    run = copy.run_py(DATABASE_URL=database.url, MQTT_URL=broker.url(), HIGHWATER_HOME=str(home))
    run.wait_for_line("Ctrl-C stops everything", 90)
    assert_all_that_is_said_is_there(copy, run, DATABASE_URL=database.url, MQTT_URL=broker.url())
    assert "without a password" not in run.output()
    assert database.count() > 0
    assert sorted(path.name for path in home.iterdir()) == ["lock", "log"]
    assert run.terminate(60) == 0, run.tail()
    assert broker.is_running()
    copy.assert_nothing_runs()


@pytest.mark.faults
def test_a_run_that_is_killed_takes_everything_with_it(copy: Copy) -> None:
    run = copy.run_py()
    copy.wait_until_up(run)
    stored = copy.stored()
    run.kill9()
    until(lambda: all(map(port_is_free, copy.ports.values())), 15, "the ports are free again")
    copy.assert_nothing_runs()

    again = copy.run_py("again")
    copy.wait_until_up(again)
    try:
        assert copy.stored() >= stored
    except psycopg2.Error as error:
        raise AssertionError("the data is not readable after a crash") from error
    assert again.terminate(60) == 0, again.tail()
