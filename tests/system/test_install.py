"""What `make install` puts down works beside what Debian has there already."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import BUILD_DIR, CLONE
from mqtt_client import mqtt_client
from servers import LOOPBACK, PrivateBroker, Program, _make_home, free_port, patience, until

DEBIAN_12 = """
pid_file /run/mosquitto/mosquitto.pid

persistence true
persistence_location /var/lib/mosquitto/

log_dest file /var/log/mosquitto/mosquitto.log

include_dir /etc/mosquitto/conf.d
"""
DEBIAN_13 = DEBIAN_12.replace("pid_file", "#pid_file")
THIS_MACHINE = Path("/etc/mosquitto/mosquitto.conf")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Where everything went, as into /usr."""
    root = tmp_path_factory.mktemp("installed with blanks")
    is_release = BUILD_DIR == CLONE / "build"
    command = ["make", "-o", "programs", "install", f"DESTDIR={root}", "PREFIX=/usr"]
    command += [] if is_release else [f"FLAVOUR={BUILD_DIR.name}"]
    done = subprocess.run(command, cwd=CLONE, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def test_programs_and_the_brokers_settings_are_installed(installed):
    for name in ("collector", "devicesim", "httpapi"):
        program = installed / f"usr/bin/highwater-{name}"
        assert program.stat().st_mode & 0o777 == 0o755 and program.read_bytes() == (BUILD_DIR / name).read_bytes()
    assert (installed / "usr/share/highwater/mosquitto.conf").stat().st_mode & 0o777 == 0o644
    for file in (*(CLONE / "deploy/mappings").glob("*.json"), *(CLONE / "deploy/haproxy").iterdir()):
        there = installed / "usr/share/highwater" / file.parent.name / file.name
        assert there.stat().st_mode & 0o777 == 0o644 and there.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("main", ["Debian 12", "Debian 13", "this machine"])
def test_the_brokers_settings_load_beside_debians_own(area, logs, installed, main):
    """As a file in conf.d. The main file is Debian's, word for word but for its folders."""
    text = {"Debian 12": DEBIAN_12, "Debian 13": DEBIAN_13}.get(main) or THIS_MACHINE.read_text()
    home = Path(tempfile.mkdtemp(dir=area, prefix="debian-"))
    for path in set(re.findall(r" (/(?:etc|run|var)/\S*)", text)):
        folder = home / path[1:]
        (folder if path.endswith(("/", ".d")) else folder.parent).mkdir(parents=True, exist_ok=True)
    text = re.sub(r" /(etc|run|var)/", rf" {home}/\1/", text)
    assert "include_dir" in text and "persistence_location" in text
    port = free_port()
    ours = (installed / "usr/share/highwater/mosquitto.conf").read_text().replace("listener 18830 ", f"listener {port} ")
    (home / "etc/mosquitto/conf.d/highwater.conf").write_text(ours)
    (home / "mosquitto.conf").write_text(text)
    _make_home(home, PrivateBroker.USER)

    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    argv = ["/usr/bin/env", f"PATH={path}", "mosquitto", "-c", home / "mosquitto.conf"]
    broker = Program("broker", argv, logs / "broker.log", user=PrivateBroker.USER)
    broker.start()

    def is_up() -> bool:
        log = home / "var/log/mosquitto/mosquitto.log"
        assert broker.is_running(), broker.tail() + (log.read_text() if log.exists() else "")
        return log.exists() and " running" in log.read_text()

    until(is_up)
    client = mqtt_client("after")
    client.connect(LOOPBACK, port)
    client.loop_start()
    client.publish("devices/d/readings", b"{}", qos=1, retain=True).wait_for_publish(patience())
    client.disconnect()
    client.loop_stop()
    until(lambda: (home / "var/lib/mosquitto/mosquitto.db").exists(), what="it saves where Debian's file says")
    assert broker.terminate() == 0
