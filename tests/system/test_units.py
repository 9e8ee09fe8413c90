"""deploy/systemd: what the units say is what systemd understands, is closed as far as it can be, and lets the
programs do all they do. Without a systemd that runs: `make test-deb` starts them with one."""

from __future__ import annotations

import re
import signal
import subprocess

import pytest
from conftest import BUILD_DIR, CLONE
from installed import installed  # noqa: F401
from kafka import new_topic
from oracle import now_us, reading
from servers import LOOPBACK, PrivateBroker, until
from test_tls_faults import authorities, tls_broker  # noqa: F401
from unit_sandbox import filtered, settings

UNITS = CLONE / "deploy/systemd"
PROGRAMS = ("collector", "httpapi")
MOST_EXPOSURE = 20  # 2.0
IS_INSTRUMENTED = BUILD_DIR.name in ("asan", "coverage")


def analyze(*args) -> str:
    done = subprocess.run(["systemd-analyze", *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    return done.stdout


def test_systemd_understands_each_line_of_the_units(installed):  # noqa: F811
    """In a root of its own, with the few units around them that are systemd's."""
    folder = installed / "usr/lib/systemd/system"
    for name in ("sysinit", "basic", "shutdown", "multi-user", "network-online", "nss-lookup"):
        (folder / f"{name}.target").write_text("[Unit]\nDescription=played\n")
    kill = installed / "bin/kill"
    kill.parent.mkdir()
    kill.write_text("#!/bin/sh\n")
    kill.chmod(0o755)
    analyze("verify", f"--root={installed}", "--man=no", *(f"highwater-{name}.service" for name in (*PROGRAMS, "collector@north")))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_unit_is_closed(name):
    analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", UNITS / f"highwater-{name}.service")


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_a_unit_sets_is_a_setting_of_its_program(name):
    said = subprocess.run([BUILD_DIR / name, "--help"], capture_output=True, text=True, check=True).stdout
    flags = set(re.findall(r"^  (--[a-z-]+)", said, re.MULTILINE))
    of = list(settings(UNITS / f"highwater-{name}.service"))
    [command] = [value for key, value in of if key == "ExecStart"]
    used = set(re.findall(r" (--[a-z-]+)", command))
    used |= {"--" + variable.lower().replace("_", "-") for key, value in of if key == "Environment"
             for variable in re.findall(r"^HIGHWATER_(\w+)=", value)}
    assert used <= flags, used - flags


def test_users_are_made(tmp_path):
    (tmp_path / "etc").mkdir()
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", UNITS / "highwater.sysusers"], check=True, capture_output=True)
    users = {line.split(":")[0] for line in (tmp_path / "etc/passwd").read_text().splitlines()}
    of_units = {value for name in PROGRAMS for key, value in settings(UNITS / f"highwater-{name}.service") if key == "User"}
    assert users == of_units == {"highwater", "highwater-httpapi"}
    groups = [line.split(":") for line in (tmp_path / "etc/group").read_text().splitlines()]
    assert [members for name, _, _, members in groups if name == "highwater"] == ["highwater-httpapi"]


# --- What they may do is enough ------------------------------------------------------------------


@pytest.fixture
def confined(area):
    """A folder with the programs, each in the sandbox of its unit."""
    folder = area / "confined"
    folder.mkdir(exist_ok=True)
    for name in PROGRAMS:
        unit = UNITS / f"highwater-{name}.service"
        program = folder / name
        program.write_text(f"#!/bin/sh\nexec '{CLONE}/tests/system/unit_sandbox.py' '{unit}' '{BUILD_DIR / name}' \"$@\"\n")
        program.chmod(0o755)
    return folder


def is_ready(stack) -> bool:
    try:
        return stack.get("/readyz", stack.metrics_port)[0] == 200
    except OSError:
        return False


def is_confined(program) -> bool:
    return re.search(r"^Seccomp:\s+2$", open(f"/proc/{program.pid}/status").read(), re.MULTILINE) is not None


@pytest.mark.skipif(IS_INSTRUMENTED, reason="the sanitizers and gcov do more than the programs")
def test_programs_live_with_what_their_units_allow(stack, confined, authorities, tls_broker, redis_server):  # noqa: F811
    """From the start to the end: names to resolve, TLS, Redis, certificates read again, an export, the page."""
    ours, _, _ = authorities
    broker = tls_broker(*ours.issue("server"))
    url = f"mqtts://localhost:{broker.port}"
    confines = {"core_dumps": "no", "directory": confined, "mqtt_url": url, "mqtt_ca_file": ours.ca}
    collector = stack.start_collector(redis_url=redis_server.url().replace(LOOPBACK, "localhost"), lowest="1", **confines)
    until(lambda: is_ready(stack), 30, "the collector is ready")
    httpapi = stack.start_httpapi(access_log="1", **confines)
    until(lambda: stack.get("/readyz")[0] == 200, 30, "httpapi is ready")
    assert is_confined(collector) and is_confined(httpapi)
    stack.devicesim("--count", "1000", "--rate", "max", mqtt_url=url, mqtt_ca_file=ours.ca, seed=1)
    until(lambda: stack.database.value("SELECT count(*) FROM readings") == 1000, 30, "they are stored")
    for program in (collector, httpapi):
        program.signal(signal.SIGHUP)
        program.wait_for_line("again|anew|reload")
    for path in ("/", "/metrics", "/dashboard", "/devices", "/devices/device_1/histogram", "/openapi.json"):
        assert stack.get(path)[0] == 200, path
    assert stack.get("/metrics", stack.metrics_port)[0] == 200
    assert httpapi.terminate() == 0, httpapi.tail()
    assert collector.terminate() == 0, collector.tail()


@pytest.mark.skipif(IS_INSTRUMENTED, reason="the sanitizers and gcov do more than the programs")
def test_kafka_is_reached_with_what_the_unit_allows(stack, confined, mock_kafka):
    topic = new_topic(mock_kafka, 2)
    new_topic(mock_kafka, 2, f"{topic}.rejected")
    edge = stack.start_collector(store=mock_kafka.url(topic), database_url=None, core_dumps="no", directory=confined)
    until(lambda: is_ready(stack), 30, "the collector is ready")
    stack.publish(*(reading(f"d{i}", now_us(), "ON", temperature=i) for i in range(10)))
    until(lambda: stack.metrics()["highwater_kafka_records_total"] >= 10, 30)
    assert edge.terminate() == 0, edge.tail()
    reader = stack.start_collector(source=mock_kafka.url(f"{topic}?group=g"), core_dumps="no", directory=confined)
    until(lambda: is_ready(stack) and stack.database.value("SELECT count(*) FROM readings") == 10, 30, "they are stored")
    assert reader.terminate() == 0, reader.tail()


def test_what_no_unit_lists_ends_a_program(confined):
    """Or the two tests above could not fail."""
    allowed, refused = filtered(UNITS / "highwater-collector.service")
    assert {"epoll_wait", "openat", "sendmsg", "clone", "clone3"} <= allowed and {"io_uring_setup", "setuid"} <= refused
    sandbox = [CLONE / "tests/system/unit_sandbox.py", UNITS / "highwater-collector.service", "/usr/bin/python3", "-c"]

    def status(code: str) -> int:
        return subprocess.run([*sandbox, code], stderr=subprocess.DEVNULL).returncode

    assert status("import os; os.chroot('/')") == -signal.SIGSYS
    assert status("import os; os.setuid(0)") == 1
    assert status("import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)") == 1
    assert status("import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)") == -signal.SIGSYS
    assert status("import socket, threading; t = threading.Thread(target=socket.socket); t.start(); t.join()") == 0
