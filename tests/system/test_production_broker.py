"""The broker of deploy/production/: what a restart keeps, users that come and go, certificates, dynamic security."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import BUILD_DIR, CLONE
from guarded import PRODUCTION, Authority, GuardedBroker
from production_client import Client
from servers import LOOPBACK, Program, _make_home, free_port, until
from test_faults_clock import LIBFAKETIME


def settings(path):
    return dict(line.split(" ", 1) for line in (CLONE / path).read_text().splitlines() if re.match(r"[a-z]", line))


@pytest.fixture
def home(area):
    path = Path(tempfile.mkdtemp(dir=area, prefix="guarded-"))
    path.chmod(0o755)
    return path


@pytest.fixture
def guarded(home, logs):
    """With two devices; the collector's part is played."""
    broker = GuardedBroker(home / "broker", free_port(), free_port(), logs / "broker.log", Authority(home / "tls"), home / "secrets", ["one", "two"])
    broker.start()
    yield broker
    broker.kill9()


def device(broker, name, password=None):
    passwords = dict(line.split(":") for line in broker.credentials.read_text().split())
    return Client(broker.devices_port, name, password or passwords[name], ca_file=broker.authority.ca_file)


def service(broker, user, client_id="", keeps=False):
    return Client(broker.port, user, broker.password_file(user).read_text(), client_id, keeps=keeps)


def reload(broker):
    """SIGHUP, taken."""
    before = broker.program.output().count("Reloading config")
    broker.program.signal(signal.SIGHUP)
    until(lambda: broker.program.output().count("Reloading config") > before)


def test_what_the_promise_needs_is_as_in_development():
    development, production = settings("mosquitto.conf"), settings("deploy/production/mosquitto.conf")
    own = {"listener", "allow_anonymous", "persistence_location"}
    assert {name: production.get(name) for name in development if name not in own} == {n: v for n, v in development.items() if n not in own}
    assert production["per_listener_settings"] == "false" and production["allow_anonymous"] == "false"


def test_a_restart_of_the_broker_keeps_what_waits_for_a_collector_that_is_away(guarded):
    collector = service(guarded, "collector", "ours", keeps=True)
    collector.subscribe("devices/+/readings")
    collector.close()
    for payload in (b"before", b"after"):
        one = device(guarded, "one")
        one.publish("devices/one/readings", payload)
        one.close()
        guarded.restart()
    assert "Failed to associate" not in guarded.program.output()
    collector = service(guarded, "collector", "ours", keeps=True)
    until(lambda: collector.heard("devices/one/readings") == [b"before", b"after"])
    collector.close()


def test_users_come_and_go_without_a_restart(guarded):
    two = device(guarded, "two")
    lines = subprocess.run([PRODUCTION / "make-passwords", guarded.home / "highwater.passwords", "three"], capture_output=True, text=True, check=True)
    reload(guarded)
    assert not device(guarded, "three", lines.stdout.strip().partition(":")[2]).refused
    one = device(guarded, "one")
    subprocess.run(["mosquitto_passwd", "-D", guarded.home / "highwater.passwords", "one"], check=True)
    _make_home(guarded.home, guarded.USER)  # mosquitto_passwd writes the file anew, as whom it runs
    reload(guarded)
    assert device(guarded, "one").refused
    until(lambda: len(one.answers) > 1, what="who was taken out is disconnected")
    assert one.answers[1] != "Success" and two.answers == ["Success"]
    one.close()
    two.close()


def test_a_renewed_certificate_is_taken_with_sighup(guarded):
    def serial():
        return ssl.get_server_certificate((LOOPBACK, guarded.devices_port))

    before, one = serial(), device(guarded, "one")
    subprocess.run([PRODUCTION / "make-certificates", "renew", guarded.authority.home, "localhost"], check=True, capture_output=True)
    guarded.authority.give(guarded.home / "certs", "highwater")
    _make_home(guarded.home, guarded.USER)
    reload(guarded)
    until(lambda: serial() != before, what="the broker shows the new certificate")
    assert one.answers == ["Success"] and not device(guarded, "two").refused
    one.close()


def test_an_expired_certificate_is_said_to_be_one_and_mended_by_renewing_it(home, logs):
    """Made two years ago, as the clock of make-certificates has it."""
    if not LIBFAKETIME.exists():
        pytest.skip("there is no libfaketime here")
    tls = home / "tls"
    argv = [PRODUCTION / "make-certificates", "server", tls, "localhost", LOOPBACK]
    subprocess.run(argv, env={**os.environ, "LD_PRELOAD": str(LIBFAKETIME), "FAKETIME": "-730d"}, check=True, capture_output=True)
    listed = subprocess.run([PRODUCTION / "make-certificates", "list", tls], capture_output=True, text=True, check=True).stdout
    assert "localhost: EXPIRED" in listed and "ca: valid" in listed
    broker = GuardedBroker(home / "broker", free_port(), free_port(), logs / "broker.log", Authority(tls), home / "secrets", ["device_1"])
    broker.start()
    argv = [BUILD_DIR / "devicesim", "--mqtt-url", broker.devices_url(), "--mqtt-ca-file", tls / "ca.crt", "--credentials", broker.credentials,
            "--num-devices", "1", "--count", "1", "--rate", "max"]  # fmt: skip
    fleet = Program("devicesim", argv, logs / "devicesim.log")
    fleet.start()
    try:
        fleet.wait_for_line("certificate.* has expired")
        subprocess.run([PRODUCTION / "make-certificates", "renew", tls, "localhost"], check=True, capture_output=True)
        broker.authority.give(broker.home / "certs", "highwater")
        _make_home(broker.home, broker.USER)
        reload(broker)
        assert fleet.wait() == 0, fleet.tail()
    finally:
        fleet.kill9()
        broker.kill9()


def test_a_client_certificate_is_a_user_where_the_broker_wants_one(guarded):
    authority = guarded.authority.home
    subprocess.run([PRODUCTION / "make-certificates", "client", authority, "one"], check=True, capture_output=True)
    guarded.stop()
    (guarded.home / "certs/highwater-ca.crt").write_bytes(guarded.authority.ca_file.read_bytes())
    config, count = re.subn(r"^#(cafile .*/highwater-ca.crt\n)#(require.*\n)#(use_identity.*\n)", r"\1\2\3", guarded.config(), flags=re.MULTILINE)
    assert count == 1
    guarded.config = lambda: config
    guarded.start()
    operator = service(guarded, "operator")
    operator.subscribe("devices/+/readings")
    for topic, payload in (("devices/two/readings", b"forged"), ("devices/one/readings", b"mine")):
        client = Client(guarded.devices_port, client_id="ours", ca_file=guarded.authority.ca_file, certificate=authority / "one.crt")
        client.publish(topic, payload)
        client.close()
    until(lambda: operator.heard("devices/one/readings") == [b"mine"])
    assert not operator.heard("devices/two/readings") and "as one (" in guarded.program.output()
    operator.close()
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):  # TLS 1.3 says it after the handshake
        device(guarded, "two")


def test_dynamic_security_has_the_same_rights(guarded, home):
    guarded.stop()
    config, rules = guarded.config(), guarded.home / "dynamic-security.json"
    for name in ("password_file", "acl_file"):
        config = re.sub(rf"^({name} )", r"#\1", config, flags=re.MULTILINE)
    config = re.sub(r"^#(plugin\S* )", r"\1", config, flags=re.MULTILINE).replace("/var/lib/mosquitto/dynamic-security.json", str(rules))
    plugin = re.search(r"^plugin (\S+)$", config, re.MULTILINE)[1]
    if not Path(plugin).exists():
        pytest.skip(f"there is no {plugin} on this machine")
    guarded.config = lambda: config
    # In a terminal it asks; an argument is good enough for a test.
    subprocess.run(["mosquitto_ctrl", "dynsec", "init", rules, "admin", "secret"], check=True, capture_output=True)
    guarded.start()
    users = "".join(f"{user}:{guarded.password_file(user).read_text()}\n" for user in guarded.SERVICES) + guarded.credentials.read_text()
    made = subprocess.run([PRODUCTION / "make-dynamic-security"], input=users, capture_output=True, text=True, check=True)
    admin = Client(guarded.port, "admin", "secret")
    admin.subscribe("$CONTROL/dynamic-security/v1/response")
    admin.publish("$CONTROL/dynamic-security/v1", made.stdout.encode())
    answer = until(lambda: admin.heard("$CONTROL/dynamic-security/v1/response"))[0]
    assert not [one for one in json.loads(answer)["responses"] if "error" in one]

    operator = service(guarded, "operator")
    operator.subscribe("#", "$SYS/#")
    collector, httpapi = service(guarded, "collector", "ours"), service(guarded, "httpapi")
    collector.subscribe("devices/+/readings", "collectors/collector/boards/#", "$SYS/broker/version")
    httpapi.subscribe("collectors/+/boards/#", "collectors/+/status", "collectors/+/thresholds/#")
    collector.publish("collectors/collector/status", b"fine")
    for name, topics in (("one", ["devices/two/readings", "collectors/collector/status", "anything"]), ("collector", ["devices/one/readings"]),
                         ("httpapi", ["collectors/collector/status"])):  # fmt: skip
        for topic in topics:
            forger = device(guarded, name) if name == "one" else service(guarded, name, "another")
            forger.publish(topic, b"forged")
            forger.close()
    two = device(guarded, "two")
    two.subscribe("#", "devices/one/readings")
    assert two.codes == [135, 135]
    one = device(guarded, "one")
    one.publish("devices/one/readings", b"mine")
    until(lambda: collector.heard("devices/one/readings") == [b"mine"] and operator.heard("devices/one/readings") == [b"mine"])
    until(lambda: httpapi.heard("collectors/collector/status") == [b"fine"])
    two.publish("devices/two/readings")
    assert two.received == [] and not [payload for _, payload in operator.received if payload == b"forged"]
    for client in (admin, operator, collector, httpapi, one, two):
        client.close()
