"""devicesim at brokers that are away, slow to take anything, guarded, or silent."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import threading
from collections import Counter
from pathlib import Path

import pytest
from conftest import BUILD_DIR
from oracle import Listener
from servers import LOOPBACK, PrivateBroker, Program, free_port, paused, until
from simulator import lines_of, run, simulate


def test_a_broker_that_is_not_there_is_waited_for(area, logs):
    broker = PrivateBroker(Path(tempfile.mkdtemp(dir=area, prefix="broker-")), log=logs / "broker.log")
    argv = [BUILD_DIR / "devicesim", "--mqtt-url", broker.url(), "--rate", "100", "--count", "50"]
    program = Program("devicesim", argv, logs / "devicesim.log")
    program.start()
    program.wait_for_line("0 of 10 connections up; the others keep trying: Connection refused")
    broker.start()
    assert program.wait(20) == 0
    broker.kill9()


@pytest.mark.parametrize("pacing", [["--rate", "100"], ["--rate", "max"], ["--interval", "10ms"]], ids=lambda p: p[-1])
def test_without_a_broker_it_ends_in_time_and_says_why(pacing):
    done = run("--mqtt-url", f"mqtt://{LOOPBACK}:{free_port()}", *pacing, "--duration", "1s", "--json")
    assert done.returncode == 1
    assert "nothing was sent, for no connection came up: Connection refused" in done.stderr.splitlines()[-1]
    assert json.loads(done.stdout)["sent"] == 0


@pytest.mark.parametrize("pacing", [["--rate", "100"], ["--rate", "max"], ["--interval", "10ms"]], ids=lambda p: p[-1])
def test_a_broker_that_takes_nothing_is_no_success(area, logs, pacing):
    home = Path(tempfile.mkdtemp(dir=area, prefix="broker-"))
    broker = PrivateBroker(home, extra_lines=["max_qos 0"], log=logs / "broker.log")
    broker.start()
    shared = ["--mqtt-url", broker.url(), *pacing, "--connections", "1", "--json"]
    for ends in (["--duration", "1s"], ["--count", "30"]):
        done = run(*shared, *ends)
        assert done.returncode == 1, done.stderr
        report = json.loads(done.stdout)
        assert report["acked"] == 0 and report["refused"] == report["sent"] > 0
        assert f"{report['sent']} of {report['sent']} messages were refused" in done.stderr and "QoS 1" in done.stderr
    done = run(*shared, "--qos", "0", "--count", "30")
    assert done.returncode == 0, done.stderr
    broker.kill9()


@pytest.fixture
def guarded(area, logs):
    """A broker with TLS, passwords, and topics that belong to their device. (broker, authority's certificate)"""
    home = Path(tempfile.mkdtemp(dir=area, prefix="guarded-"))
    home.chmod(0o755)

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=home, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test authority",
            "-keyout", "ca.key", "-out", "ca.crt")  # fmt: skip
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", "server.key",
            "-out", "server.csr")  # fmt: skip
    (home / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "server.crt")  # fmt: skip
    names = [f"device_{n}:secret-{n}" for n in range(1, 6)]
    (home / "credentials").write_text("\n".join(names) + "\n")
    (home / "passwords").write_text("\n".join([*names, "fleet:p@ss/w%rd"]) + "\n")
    subprocess.run(["mosquitto_passwd", "-U", home / "passwords"], check=True)
    (home / "acl").write_text("user fleet\ntopic write devices/#\npattern write devices/%u/#\n")
    lines = [
        "allow_anonymous false", f"cafile {home}/ca.crt", f"certfile {home}/server.crt", f"keyfile {home}/server.key",
        f"password_file {home}/passwords", f"acl_file {home}/acl",
    ]  # fmt: skip
    server = PrivateBroker(home / "broker", extra_lines=lines, log=logs / "guarded.log")
    server.home.mkdir()
    for path in home.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
    server.start()
    yield server, home
    server.kill9()


def test_tls_and_a_password_for_each_device(guarded):
    broker, home = guarded
    common = ["--mqtt-ca-file", home / "ca.crt", "--num-devices", 5, "--rate", 200, "--count", 100, "--json"]
    done = run("--mqtt-url", f"mqtts://{LOOPBACK}:{broker.port}", "--credentials", home / "credentials", *common)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["acked"] == 100 and report["refused"] == 0 and report["reconnects"] == 0
    assert "as device_3 (p5, c1, k60, u'device_3')" in broker.program.output()
    done = run("--mqtt-url", f"mqtts://fleet:p%40ss%2Fw%25rd@localhost:{broker.port}", "--connections", 2, *common)
    assert done.returncode == 0 and json.loads(done.stdout)["acked"] == 100, done.stderr


def test_what_the_broker_does_not_allow_is_told(guarded, logs):
    broker, home = guarded
    for name, url, args, said in (
        ("no-ca", f"mqtts://{LOOPBACK}:{broker.port}", [], "(?i)certificate|tls|ssl"),
        ("no-password", f"mqtts://{LOOPBACK}:{broker.port}", ["--mqtt-ca-file", home / "ca.crt"], "(?i)not authori"),
    ):
        argv = [BUILD_DIR / "devicesim", "--mqtt-url", url, "--num-devices", "3", *args]
        program = Program(name, argv, logs / f"{name}.log")
        program.start()
        line = program.wait_for_line("0 of 3 connections up; the others keep trying")
        assert re.search(said, line), line
        assert program.cpu_seconds() < 1
        assert program.terminate() == 0


def test_what_the_broker_refuses_counts_as_that(guarded):
    """One at a time: 2.0.11 closes the connection after each."""
    broker, home = guarded
    report = simulate(
        broker, "--mqtt-url", f"mqtts://fleet:p%40ss%2Fw%25rd@{LOOPBACK}:{broker.port}", "--connections", 1, "--inflight", 1,
        "--mqtt-ca-file", home / "ca.crt", "--rate", "max", "--count", 3, "--topic", "others/+/readings", expect=1,
    )  # fmt: skip
    assert report["refused"] == 3 and report["acked"] == 0


def test_many_devices_of_their_own_and_a_broker_that_comes_back(broker):
    """Two thousand connections; all are there again after a restart of the broker."""
    argv = [BUILD_DIR / "devicesim", "--mqtt-url", broker.url(), "--num-devices", "2000", "--interval", "1s..2s", "--json"]
    program = Program("devicesim", argv, broker.log.parent / "devicesim.log")
    program.start()
    program.wait_for_line("2000 of 2000 connections up", 30)
    broker.restart()
    seen = threading.Event()
    listener = Listener(broker.port, "devices/+/status")
    until(lambda: len({r.topic for r in listener.received if r.payload == b"online"}) == 2000, 40, "all are back")
    seen.set()
    listener.close()
    assert program.terminate() == 0
    report = json.loads(program.output().splitlines()[-1])
    assert report["reconnects"] >= 2000 and report["unanswered"] == 0


@pytest.mark.faults
def test_a_broker_that_falls_silent_is_left_and_everything_sent_again(broker, truth):
    argv = [BUILD_DIR / "devicesim", "--mqtt-url", broker.url(), "--num-devices", "20", "--keepalive", "5", "--rate"]
    argv += ["500", "--duration", "20s", "--truth", truth, "--json"]
    program = Program("devicesim", argv, broker.log.parent / "devicesim.log")
    program.start()
    until(lambda: truth.exists() and truth.stat().st_size > 50_000, 20, "it is well under way")
    with paused(broker.program.pid):
        program.wait_for_line("0 of 20 connections up; the others keep trying: no answer to PINGREQ in time", 20)
    assert program.wait(40) == 0
    report = json.loads(program.output().splitlines()[-1])
    assert report["reconnects"] >= 20 and report["sent"] == report["acked"]
    numbers = Counter(line[1] for line in lines_of(truth) if line[0] == "acked")
    assert len(numbers) == report["sent"] and set(numbers.values()) == {1}
