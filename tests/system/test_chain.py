"""HAProxy, two brokers, Kafka, a group of two, PostgreSQL, two httpapi: whoever is killed, nothing is lost or doubled, and boards are right."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from chain import Chain
from conftest import BUILD_DIR, CLONE
from oracle import FEATURES, Database, board_by_sql, board_of_json, to_us
from servers import LOOPBACK, PrivatePostgres, Program, free_port, port_is_free, port_owner, until
from simulator import assert_verified

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(shutil.which("haproxy", path="/usr/sbin:/usr/bin") is None, reason="no haproxy: make deps"),
]
RATE = 400


class Load:
    """The chain with a fleet that sends to it."""

    def __init__(self, area, logs, truth) -> None:
        home = Path(tempfile.mkdtemp(dir=area, prefix="chain-"))
        home.chmod(0o755)
        self.postgres = PrivatePostgres(home / "postgres", log=logs / "postgres.log")
        self.postgres.start()
        url = self.postgres.create_database("chain")
        self.database = Database(url, self.postgres.url("chain", "postgres"), "chain")
        self.chain = Chain(home, logs, self.postgres, url, build=BUILD_DIR)
        self.truth = truth
        self.fleet = None

    def start(self, readings: int) -> None:
        self.chain.start()
        until(self.group_is_ready, 60, "both members of the group have partitions and windows")
        self.fleet = self.chain.program(
            "devicesim", "devicesim", "--rate", str(RATE), "--count", str(readings), "--num-devices", "40", "--seq",
            "--json", "--drain-timeout", "60s", "--truth", str(self.truth), mqtt_url=self.chain.haproxy.url(),
        )  # fmt: skip
        self.fleet.start()
        self.more()

    def get(self, path):
        """Of the front; None while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.chain.haproxy.http_port}{path}", timeout=10) as answer:
                return answer.headers, answer.read()
        except (OSError, urllib.error.HTTPError):
            return None

    def group_is_ready(self) -> bool:
        self.chain.mend()
        return self.get("/readyz") is not None

    def stored(self) -> int:
        try:
            return int(self.database.value("SELECT count(*) FROM readings"))
        except Exception:  # PostgreSQL is just being killed
            return -1

    def more(self, readings: int = RATE) -> None:
        """Waits until so many more are stored, and starts again whatever has ended."""
        start = until(lambda: self.chain.mend() is not None and self.stored() + 1, 60, "PostgreSQL answers") - 1
        until(lambda: self.chain.mend() is not None and self.stored() > start + readings, 60, "readings are stored")

    def assert_whole(self, readings: int) -> None:
        until(lambda: self.chain.mend() is not None and not self.fleet.is_running(), 120, "the fleet has ended")
        assert self.fleet.exit_code == 0, self.fleet.tail()
        result = assert_verified(self.database, self.truth)
        assert result["readings"]["rows"] == readings, result
        for interval in ("past_minute", "past_hour", "all_time"):
            until(lambda interval=interval: self.is_board_right(interval), 60, f"boards of {interval} are what SQL says")
        assert b"<html" in self.get("/")[1] or b"routes" in self.get("/")[1], "there is a page"

    def is_board_right(self, interval: str) -> bool:
        self.chain.mend()
        answer = self.get(f"/dashboard?interval={interval}&features={','.join(FEATURES)}")
        if answer is None or answer[0]["X-Data-Source"] != "boards":
            return False
        as_of_us = to_us(answer[0]["X-Data-As-Of"].replace("Z", "+00:00"))
        shown = json.loads(answer[1])
        return all(board_of_json(shown[name]) == board_by_sql(self.database, name, interval, as_of_us) for name in FEATURES)

    def stop(self) -> None:
        if self.fleet is not None:
            self.fleet.kill9()
        self.chain.kill9()
        self.postgres.stop("immediate")


@pytest.fixture
def load(area, logs, truth):
    running = Load(area, logs, truth)
    yield running
    running.stop()


def test_readings_pass_through_all_of_it_while_collectors_are_killed(load):
    load.start(6000)
    for name in ("edge-1", "store-1"):
        load.chain.parts[name].kill9()
        load.more()
    load.assert_whole(6000)


@pytest.mark.faults
def test_any_one_of_them_may_be_killed(load):
    """A broker ends in good order: what it had acknowledged and nobody had read is lost with it otherwise (README)."""
    load.start(24_000)
    for name, part in load.chain.parts.items():
        if name.startswith("broker"):
            part.stop()
        else:
            part.kill9()
        load.more()
    load.assert_whole(24_000)


@pytest.mark.skipif(BUILD_DIR != CLONE / "build", reason="make run-engines is for the release")
def test_all_of_it_is_one_command(area, logs):
    """It says where to look, starts again what is killed, and its end leaves nothing; a second run goes on with the data."""
    home = Path(tempfile.mkdtemp(dir=area, prefix="engines-"))
    home.chmod(0o755)
    ports = {name: free_port() for name in ("HTTP_PORT", "MQTT_PORT", "PGPORT_PRIVATE")}
    env = {**os.environ, **{name: str(port) for name, port in ports.items()}, "HIGHWATER_HOME": str(home)}
    argv = ["/usr/bin/python3", CLONE / "deploy" / "local" / "engines.py"]
    command = Program("run-engines", argv, logs / "run-engines.log", env=env)
    stored = []
    for kills in (True, False):
        command.start()
        command.wait_for_line("Kill what you like", 120)
        assert f"http://{LOOPBACK}:{ports['HTTP_PORT']}/" in command.output()
        if kills:
            port = int(re.search(r"store-1 metrics +http://127.0.0.1:(\d+)/", command.output()).group(1))
            pid = int(re.search(r"pid (\d+)", port_owner(port)).group(1))
            os.kill(pid, signal.SIGKILL)
            command.wait_for_line("store-1: had ended, is started again", 60)
        url = f"postgresql://highwater@{LOOPBACK}:{ports['PGPORT_PRIVATE']}/highwater"
        stored.append(Database(url, url, "highwater").value("SELECT count(*) FROM readings"))
        command.signal(signal.SIGINT)
        assert command.wait(60) == 0, command.tail()
        assert command.output().rstrip().endswith("stopped")
        assert all(map(port_is_free, ports.values()))
    assert stored[1] >= stored[0] > 0
