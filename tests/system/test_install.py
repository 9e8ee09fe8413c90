"""What `make install` puts down works beside what Debian has there already."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import BUILD_DIR, CLONE
from installed import PROGRAMS, installed, make  # noqa: F401
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


def test_programs_and_the_brokers_settings_are_installed(installed):  # noqa: F811
    for name in PROGRAMS:
        program = installed / f"usr/bin/highwater-{name}"
        assert program.stat().st_mode & 0o777 == 0o755 and program.read_bytes() == (BUILD_DIR / name).read_bytes()
    assert (installed / "usr/share/highwater/mosquitto.conf").stat().st_mode & 0o777 == 0o644
    for file in (*(CLONE / "deploy/mappings").glob("*.json"), *(CLONE / "deploy/haproxy").iterdir()):
        there = installed / "usr/share/highwater" / file.parent.name / file.name
        assert there.stat().st_mode & 0o777 == 0o644 and there.read_bytes() == file.read_bytes()


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def test_each_program_has_its_manual_and_completion(installed):  # noqa: F811
    share = installed / "usr/share"
    for name in PROGRAMS:
        page = (share / f"man/man1/highwater-{name}.1").read_text()
        assert f'HIGHWATER\\-{name.upper()}' in page or f"HIGHWATER-{name.upper()}" in page, page[:200]
        script = f'source "{share}/bash-completion/completions/highwater-{name}"; complete -p highwater-{name}'
        assert subprocess.run(["bash", "-ec", script], capture_output=True).returncode == 0
    assert {"man5/highwater.conf.5", "man7/highwater.7"} <= files(share / "man")


def test_units_name_what_is_installed(tmp_path):
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/opt/high", "SYSCONFDIR=/opt/etc")
    units = tmp_path / "opt/high/lib/systemd/system"
    assert {path.name for path in units.iterdir()} == {f"highwater-{name}.service" for name in ("collector", "collector@", "httpapi")}
    for unit in units.iterdir():
        text = unit.read_text()
        assert "/usr/bin/highwater" not in text and " /etc/highwater" not in text
        [program, _, conf] = re.search(r"^ExecStart=(.*)", text, re.MULTILINE).group(1).split()
        assert (tmp_path / program[1:]).exists() and (tmp_path / conf[1:]).exists()
        [folder] = re.findall(r"^LoadCredential=highwater:(.*)", text, re.MULTILINE)
        assert (tmp_path / folder[1:]).stat().st_mode & 0o777 == 0o700


def test_uninstall_takes_out_what_install_put_there_and_nothing_else(tmp_path):
    where = (f"DESTDIR={tmp_path}", "PREFIX=/usr")
    make("install", *where)
    assert (tmp_path / "etc/highwater/highwater.conf").stat().st_mode & 0o777 == 0o640
    make("uninstall", *where)
    assert files(tmp_path) == set() and not list(tmp_path.glob("etc/*")) and not list(tmp_path.glob("usr/share/highwater"))

    make("install", *where)
    conf = tmp_path / "etc/highwater/highwater.conf"
    conf.write_text("RETENTION = 90d\n")
    others = {"etc/highwater/collector/database-password", "usr/share/highwater/mappings/mine.json", "usr/bin/mine"}
    for name in others:
        (tmp_path / name).write_text("x")
    make("install", *where)
    assert conf.read_text() == "RETENTION = 90d\n"
    make("uninstall", *where)
    assert files(tmp_path) == others | {"etc/highwater/highwater.conf"} and conf.read_text() == "RETENTION = 90d\n"


def test_debian_is_told_this_version_and_what_a_build_needs():
    """debian/, beside what the Makefile knows; `make test-deb` builds and installs the packages."""
    changelog = (CLONE / "debian/changelog").read_text()
    assert changelog.startswith(f"highwater ({(CLONE / 'VERSION').read_text().strip().replace('-', '~')}) ")
    [field] = re.findall(r"^Build-Depends: (.*?)\n(?=\S)", (CLONE / "debian/control").read_text(), re.MULTILINE | re.DOTALL)
    told = {re.split(r"[ |]", one.strip())[0] for one in field.split(",")}
    needed = subprocess.run([CLONE / "deploy/deps", "--list", "build"], check=True, capture_output=True, text=True).stdout.split()
    assert set(needed) - told == {"gcc", "make", "libc6-dev", "pkg-config"}


@pytest.mark.parametrize("main", ["Debian 12", "Debian 13", "this machine"])
def test_the_brokers_settings_load_beside_debians_own(area, logs, installed, main):  # noqa: F811
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
