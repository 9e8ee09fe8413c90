"""A name on whose first address no program listens, as localhost is on many machines: ::1, then 127.0.0.1."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from certificates import Authority
from conftest import BUILD_DIR
from oracle import now_us, reading
from servers import LOOPBACK, PrivateBroker, Program, until

WITH_HOSTS = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'


def can_mount(hosts):
    done = subprocess.run(["unshare", "-m", "sh", "-c", WITH_HOSTS, "sh", hosts, "true"], capture_output=True)
    return done.returncode == 0


@pytest.fixture(scope="module")
def hosts(area):
    """The path of one in which localhost has both addresses."""
    if os.geteuid() != 0:
        pytest.skip("only root can change /etc/hosts, for itself alone")
    path = area / "hosts"
    path.write_text("::1 localhost\n127.0.0.1 localhost\n")
    if not can_mount(path):
        pytest.skip("no mount namespaces here")
    return path


def with_hosts(hosts, *argv):
    return ["unshare", "-m", "sh", "-c", WITH_HOSTS, "sh", *map(str, (hosts, *argv))]


def test_all_addresses_of_a_name_are_tried(stack, hosts):
    urls = {
        "DATABASE_URL": re.sub(r"127\.0\.0\.1", "localhost", stack.database.url),
        "MQTT_URL": f"mqtt://localhost:{stack.broker.port}",
    }
    assert "localhost" in urls["DATABASE_URL"]

    def start(name, *args, **settings):
        program = Program(name, with_hosts(hosts, BUILD_DIR / name, *args), stack.logs / f"{name}.log", env={**os.environ, **urls, **settings})
        program.start()
        started.append(program)
        return program

    started: list[Program] = []
    try:
        collector = start("collector", METRICS_LISTEN=f"localhost:{stack.metrics_port}")
        httpapi = start("httpapi", HTTP_LISTEN=f"localhost:{stack.http_port}")
        for program, lines in ((collector, ("database", "mqtt", "mqtt boards", "windows")), (httpapi, ("broker", "database"))):
            for line in lines:
                program.wait_for_line(rf" {line}: connecting -> up", 20)
        assert start("devicesim", "--count", "10", "--rate", "max", "--num-devices", "2").wait(20) == 0
        stack.publish(reading("d", now_us(), temperature=1))
        until(lambda: stack.database.count() == 11, 10)
        until(lambda: stack.get("/healthz")[0] == 200, 10)  # at 127.0.0.1
        assert stack.metrics()["highwater_readings_stored_total"] == 11
    finally:
        for program in started:
            program.kill9()


def test_so_they_are_with_tls(hosts, area, logs):
    """Although the certificate is for the name alone."""
    (area / "localhost").mkdir(mode=0o755)
    authority = Authority(area / "localhost", "ours")
    certificate, key = authority.issue("broker", names="DNS:localhost")
    key.chmod(0o644)
    broker = PrivateBroker(area / "localhost-broker", extra_lines=[f"certfile {certificate}", f"keyfile {key}"], log=logs / "tls.log")
    broker.start()
    try:
        publish = [BUILD_DIR / "devicesim", "--mqtt-ca-file", authority.ca, "--count", "10", "--rate", "100", "--mqtt-url"]
        by_name, by_address = (
            subprocess.run(with_hosts(hosts, *publish, f"mqtts://{host}:{broker.port}", "--duration", "5s"), capture_output=True, text=True)
            for host in ("localhost", LOOPBACK)
        )
        assert by_name.returncode == 0, by_name.stderr
        assert f"is not for {LOOPBACK}" in by_address.stderr
    finally:
        broker.kill9()
