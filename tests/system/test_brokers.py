"""Other brokers than Mosquitto: what they acknowledged is stored exactly once, a kill of the collector notwithstanding.

Long, and needs Java and what Maven fetches: runs with `make test-brokers`.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import BUILD_DIR, CLONE
from servers import LOOPBACK, Program, free_port, until

pytestmark = pytest.mark.brokers

LIBRARIES = CLONE / "build" / "brokers"
MESSAGES = 20_000


class JavaBroker:
    def __init__(self, name, area, logs, *args):
        source = CLONE / "tests" / "brokers" / name / "Broker.java"
        home = Path(tempfile.mkdtemp(dir=area, prefix=f"{name}-"))
        self.port = free_port()
        argv = ["java", "-Xmx512m", "-cp", f"{LIBRARIES / name}/*", source, self.port, home, *args]
        self.program = Program(name, [str(arg) for arg in argv], logs / f"{name}.log")
        self.program.start()
        self.program.wait_for_line("the broker is up", 120)

    def url(self):
        return f"mqtt://{LOOPBACK}:{self.port}"


@pytest.fixture(params=["hivemq", "artemis"])
def java_broker(request, area, logs):
    args = ["1000000"] if request.param == "hivemq" else []
    broker = JavaBroker(request.param, area, logs, *args)
    yield broker
    broker.program.kill9()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_every_row_is_there_once_though_the_collector_is_killed(stack, java_broker, logs, version):
    truth = logs / "truth"
    settings = {"mqtt_url": java_broker.url(), "mqtt_version": version}
    collector = stack.start_collector(**settings)
    stack.start_httpapi(**settings)
    until(lambda: stack.get("/readyz")[0] == 200, 30, "boards travel")
    simulation = stack.start_devicesim(
        "--count", MESSAGES, "--rate", 4000, "--num-devices", 200, "--connections", 10, "--truth", truth, **settings
    )
    stored = "SELECT count(*) FROM readings"
    until(lambda: stack.database.value(stored) > MESSAGES / 5, 60, "some are stored")
    collector.kill9()
    until(lambda: simulation.exit_code is not None, 120, "all are acknowledged")
    assert simulation.exit_code == 0, simulation.tail()
    collector.start()
    until(lambda: stack.database.value(stored) >= MESSAGES, 120, "all are stored")
    done = subprocess.run(
        [BUILD_DIR / "devicesim", "--verify", stack.database.url, "--truth", truth, "--verify-wait", "10s"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert stack.database.value(stored) == MESSAGES
    until(lambda: stack.get("/readyz")[0] == 200, 30, "boards travel again")
