"""Signals that end nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from oracle import now_us, reading
from servers import LOOPBACK, PrivateBroker, until
from test_collector import live_collector

HARMLESS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)


def shake(program):
    for number in HARMLESS:
        program.signal(number)
    time.sleep(0.005)


def hangups(program):
    return program.output().count("SIGHUP")


def test_a_hangup_ends_no_program_and_costs_no_reading(stack):
    """During a load, and during the drain at its end."""
    collector = live_collector(stack)
    httpapi = stack.start_httpapi()
    fleet = stack.start_devicesim("--rate", "2000", "--duration", "3s", "--seq", "--json")
    until(lambda: stack.database.count() > 0, 20)
    while fleet.is_running():
        shake(collector)
        shake(httpapi)
        if fleet.is_running():
            shake(fleet)
        stack.get_json("/dashboard?interval=all_time")
    assert fleet.wait() == 0 and '"unanswered":0' in fleet.output()
    sent = int(fleet.output().split('"sent":')[1].split(",")[0])
    for program in (collector, httpapi, fleet):
        assert hangups(program) > 0, program.name
    collector.signal(signal.SIGTERM)
    while collector.is_running():
        shake(collector)
    assert collector.exit_code == 0
    httpapi.signal(signal.SIGTERM)
    while httpapi.is_running():
        shake(httpapi)
    assert httpapi.exit_code == 0
    live_collector(stack)  # which gets what the first did not read any more
    until(lambda: stack.database.count() == sent, 20)


def holds_out(program):
    """It has come so far that each of them is ignored or heard, or to its end."""
    try:
        lines = Path(f"/proc/{program.pid}/status").read_text().splitlines()
    except OSError:
        return True
    if any(line.startswith("State:") and "Z" in line for line in lines):
        return True  # of what has ended no mask is left
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigIgn", "SigCgt"))]
    return not masks or all(any(mask >> (number - 1) & 1 for mask in masks) for number in HARMLESS)


@pytest.mark.parametrize(
    "name, args", [("collector", ["--migrate"]), ("collector", ["--rejected"]), ("devicesim", ["--count", "1"])]
)
def test_no_hangup_ends_what_runs_to_its_end(stack, name, args):
    stack.start_collector("--migrate").wait()
    for _ in range(5):
        program = stack.program(name, args)
        program.start()
        until(lambda program=program: holds_out(program), 10)
        while program.is_running():
            shake(program)
        assert program.exit_code == 0, program.tail()


def test_a_reading_sent_after_a_hangup_is_stored(stack):
    collector = live_collector(stack)
    for number in range(3):
        shake(collector)
        stack.publish(reading("d", now_us(), temperature=number))
    until(lambda: stack.database.count() == 3)


# --- Certificates ----------------------------------------------------------------------------------


@pytest.fixture
def certified(area, logs):
    """A broker that takes who has a certificate, by the name in it. (broker, a function that issues one to us)"""
    home = Path(tempfile.mkdtemp(dir=area, prefix="certified-"))
    home.chmod(0o755)

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=home, check=True, capture_output=True)
        for path in home.iterdir():
            path.chmod(0o755 if path.is_dir() else 0o644)

    def issue(name, file):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", "new.key", "-out", "new.csr")
        openssl("x509", "-req", "-in", "new.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "names", "-out", "new.crt")  # fmt: skip
        for ending in ("key", "crt"):
            (home / f"new.{ending}").replace(home / f"{file}.{ending}")

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test authority",
            "-keyout", "ca.key", "-out", "ca.crt")  # fmt: skip
    (home / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    issue("127.0.0.1", "server")
    issue("first", "ours")
    lines = [
        f"cafile {home}/ca.crt", f"certfile {home}/server.crt", f"keyfile {home}/server.key",
        "require_certificate true", "use_identity_as_username true", "allow_anonymous true",
    ]  # fmt: skip
    server = PrivateBroker(home / "broker", extra_lines=lines, log=logs / "certified.log")
    server.home.mkdir()
    server.start()
    yield server, home, issue
    server.kill9()


def test_a_hangup_has_certificates_read_anew(stack, certified):
    """Under load, which loses nothing by it; files of no use change nothing."""
    broker, home, issue = certified
    tls = {
        "mqtt_url": f"mqtts://{LOOPBACK}:{broker.port}", "mqtt_ca_file": home / "ca.crt",
        "mqtt_cert_file": home / "ours.crt", "mqtt_key_file": home / "ours.key",
    }  # fmt: skip
    collector = stack.start_collector(**tls)
    httpapi = stack.start_httpapi(**tls)
    until(lambda: broker.program.output().count("u'first'") == 3, 20, "both are there")
    fleet = stack.start_devicesim("--rate", "1000", "--connections", "2", "--json", **tls)  # until it is ended
    until(lambda: stack.database.count() > 500, 20)
    programs = (collector, httpapi, fleet)

    good = (home / "ours.crt").read_bytes()
    (home / "ours.crt").write_bytes(b"nothing of the kind")
    for program in programs:
        program.signal(signal.SIGHUP)
        program.wait_for_line("it goes on with the certificates it has")
    assert "u'second'" not in broker.program.output()
    (home / "ours.crt").write_bytes(good)

    issue("second", "ours")
    for program in programs:
        program.signal(signal.SIGHUP)
    until(lambda: broker.program.output().count("u'second'") == 5, 20, "all have come back with it")
    assert fleet.terminate(60) == 0, fleet.tail()
    report = json.loads(fleet.output().splitlines()[-1])
    assert report["sent"] == report["acked"] > 500
    until(lambda: stack.database.count() == report["acked"], 60)
    assert collector.terminate() == 0 and httpapi.terminate() == 0
