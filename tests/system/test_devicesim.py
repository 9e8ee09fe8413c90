"""devicesim: what it sends and what it reports."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import termios
import time
from collections import Counter

import pytest
from conftest import BUILD_DIR
from oracle import Listener, now_us, to_us
from servers import paused, until
from simulator import MONTH, STATUSES, lines_of, run, simulate
from test_collector import live_collector


# --- The fleet -----------------------------------------------------------------------------------


def test_the_fleet_sends_what_the_sample_sent(stack):
    listener = stack.listen("devices/#")
    program = stack.start_devicesim("--num_devices", "12", "--interval", "100ms..300ms")
    readings = lambda: [r for r in listener.received if r.topic.endswith("/readings")]  # noqa: E731
    until(lambda: len(readings()) > 200, 20, "200 readings came")
    assert {r.topic for r in readings()} == {f"devices/device_{n}/readings" for n in range(1, 13)}
    for received in readings():
        body = received.json()
        assert list(body) == ["deviceId", "timestamp", "status", "pressure", "temperature"]
        assert received.topic == f"devices/{body['deviceId']}/readings"
        assert body["status"] in STATUSES
        assert 0 <= body["pressure"] <= 25 and 0 <= body["temperature"] <= 200
        assert all(round(body[name], 2) == body[name] for name in ("pressure", "temperature"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body["timestamp"])
        assert abs(to_us(body["timestamp"].replace("Z", "+00:00")) / 1e6 - time.time()) < 60
    assert {r.json()["status"] for r in readings()} == STATUSES
    assert program.terminate() == 0
    until(lambda: listener.latest("devices/device_12/status").payload == b"offline", 10)


@pytest.mark.faults
def test_the_fleet_has_ten_devices_that_send_every_1_to_10_seconds(stack):
    report = simulate(stack.broker, "--duration", "5s")
    assert report["connections"] == 10
    assert 1 <= report["acked"] <= 50


def test_a_device_that_dies_leaves_its_last_will(stack):
    listener = stack.listen("devices/+/status")
    program = stack.start_devicesim("--num-devices", "3")
    topics = [f"devices/device_{n}/status" for n in (1, 2, 3)]
    until(lambda: all((s := listener.latest(t)) and s.payload == b"online" for t in topics), 10)
    program.kill9()
    until(lambda: all(listener.latest(t).payload == b"offline" for t in topics), 10)
    late = stack.listen("devices/+/status")
    until(lambda: all((s := late.latest(t)) and s.retain and s.payload == b"offline" for t in topics), 10)


def payloads_of(broker, *args):
    listener = Listener(broker.port, "devices/+/readings")
    report = simulate(broker, *args)
    until(lambda: len(listener.received) >= report["acked"], 10, "everything came")
    listener.close()
    return Counter((r.topic, r.payload) for r in listener.received)


@pytest.mark.parametrize("kind", ["uniform", "walk", "daily", "spike"])
def test_a_seed_gives_the_same_bytes_whatever_the_timing(stack, kind):
    always = ["--num-devices", 20, "--count", 400, "--start-time", "2026-01-01T00:00:00Z", "--signal", kind, "--seq"]
    always += ["--interval", "5ms..15ms", "--late", "0.1", "--malformed", "0.1", "--burst", "0.2", "--skewed", "0.2"]
    first = payloads_of(stack.broker, *always, "--seed", 11)
    again = payloads_of(stack.broker, *always, "--seed", 11, "--connections", 1, "--inflight", 1, "--ramp-up", "0s")
    assert first == again
    assert first != payloads_of(stack.broker, *always, "--seed", 12)


def test_faults_leave_the_other_readings_as_they_are(stack):
    always = ["--num-devices", 5, "--count", 200, "--start-time", "2026-01-01T00:00:00Z", "--rate", "max", "--seed", 3]
    plain = payloads_of(stack.broker, *always)
    bent = payloads_of(stack.broker, *always, "--malformed", 0.2, "--repeated", 0.2, "--out-of-order", 0.2)
    assert plain.keys() <= bent.keys()
    assert sum(bent.values()) > 260


@pytest.mark.faults
def test_a_steady_rate_is_kept_without_bursts(stack):
    listener = stack.listen("devices/+/readings")
    simulate(stack.broker, "--num-devices", 40, "--rate", 400, "--duration", "3s")
    until(lambda: len(listener.received) >= 1199, 10)
    assert 1195 <= len(listener.received) <= 1205
    moments = [to_us(r.json()["timestamp"].replace("Z", "+00:00")) for r in listener.received]
    in_50_ms = Counter(moment // 50_000 for moment in moments)
    assert max(in_50_ms.values()) <= 30  # 20 on average
    assert set(Counter(r.topic for r in listener.received).values()) <= {29, 30, 31}


def test_a_rate_ramps_up(stack):
    """Half as many as at an even rate, a quarter of them in the first half: fewer where the machine is slow, never more."""
    listener = stack.listen("devices/+/readings")
    began_us = now_us()
    report = simulate(stack.broker, "--rate", 400, "--ramp-up", "2s", "--duration", "2s")
    until(lambda: len(listener.received) == report["sent"])
    assert 0 < report["sent"] <= 405
    moments = [to_us(r.json()["timestamp"].replace("Z", "+00:00")) for r in listener.received]
    assert sum(1 for m in moments if m < began_us + 1_000_000) <= 105


def test_qos_0_and_2_and_other_features_over_shared_connections(stack):
    listener = stack.listen("site-a/+/in")
    features = "humidity=30..90,temperature=-20..40"
    for qos in (0, 2):
        report = simulate(
            stack.broker, "--qos", qos, "--num-devices", 30, "--connections", 2, "--topic", "site-a/+/in",
            "--device-prefix", "probe-", "--features", features, "--rate", "max", "--count", 600, "--inflight", 5,
        )  # fmt: skip
        assert report["acked"] == 600 and report["connections"] == 2
    until(lambda: len(listener.received) >= 1200, 10)
    for received in listener.received:
        body = received.json()
        assert 30 <= body["humidity"] <= 90 and -20 <= body["temperature"] <= 40 and "pressure" not in body
        assert received.topic == f"site-a/{body['deviceId']}/in"


def outstanding(truth):
    events = Counter(line.split(",", 1)[0] for line in truth.read_text().splitlines())
    return events["sent"] - events["acked"]


def test_sigterm_waits_for_acknowledgements(stack, truth):
    program = stack.start_devicesim(
        "--rate", "max", "--num-devices", "50", "--connections", "2", "--json", "--truth", str(truth)
    )
    until(lambda: truth.exists() and truth.stat().st_size > 500_000, 20, "it is well under way")
    with paused(stack.broker.program.pid):
        sizes = [0]

        def stands_still() -> bool:
            """What the broker had answered before it stopped has been read, and the windows are full again."""
            sizes.append(truth.stat().st_size)
            return sizes[-1] == sizes[-2] and outstanding(truth) > 100

        until(stands_still, 10, "both windows are more than half full", pause=0.5)
        program.signal(signal.SIGTERM)
        program.wait_for_line(r"ending, after the acknowledgement of \d+ messages", 10)
        assert program.is_running()
    assert program.wait(10) == 0
    report = json.loads(program.output().splitlines()[-1])
    assert report["unanswered"] == 0 and report["sent"] == report["acked"]
    events = Counter(line[0] for line in lines_of(truth))
    assert events["sent"] == events["acked"] == report["sent"]


def test_the_wait_for_acknowledgements_ends_and_a_second_signal_ends_it_at_once(stack):
    for second in (False, True):
        program = stack.start_devicesim(
            "--rate", "1000", "--json", "--drain-timeout", "60s" if second else "1s", log_name=f"sim-{second}"
        )
        program.wait_for_line("10 of 10 connections up")
        with paused(stack.broker.program.pid):
            time.sleep(0.1)  # some must be out
            program.signal(signal.SIGTERM)
            program.wait_for_line("ending, after")
            if second:
                program.signal(signal.SIGTERM)
            assert program.wait(10) == 1
        report = next(line for line in program.output().splitlines() if line.startswith("{"))
        assert json.loads(report)["unanswered"] > 0


# --- The report ----------------------------------------------------------------------------------


@pytest.mark.faults
def test_until_stored_measures_how_long_a_reading_takes_to_show(stack):
    live_collector(stack)
    report = simulate(stack.broker, "--num-devices", 5, "--interval", "200ms", "--duration", "3s", "--until-stored")
    visible = report["visibleMicroseconds"]
    assert visible["count"] > 0
    assert 0 < visible["p50"] <= visible["p95"] <= visible["p99"] <= visible["max"] < 1_500_000
    puback = report["pubackMicroseconds"]
    assert puback["count"] == report["acked"] and 0 < puback["p50"] <= puback["max"] < 1_000_000


def on_a_terminal(*args, columns=100):
    """What devicesim writes when standard error is a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    program = subprocess.Popen(
        [BUILD_DIR / "devicesim", *map(str, args)], stdout=subprocess.DEVNULL, stderr=theirs, stdin=subprocess.DEVNULL
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            written += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert program.wait(30) == 0
    return written.decode()


@pytest.mark.faults
def test_a_terminal_gets_one_live_line_with_a_bar_when_the_end_is_known(stack):
    url = stack.broker.url()
    seen = on_a_terminal("--mqtt-url", url, "--rate", 500, "--count", 800, columns=120)
    live = [line for line in re.split(r"[\r\n]", seen) if "acked" in line]
    assert len(live) >= 4 and "\n" not in seen.replace("connections up\r\n", "")
    assert re.search(r"^ *\d+\.\d %  \d+/s  \d+ acked  \d+ out  p50 \S+  p99 \S+.* \[#+\.*\]", live[-1])
    seen = on_a_terminal("--mqtt-url", url, "--rate", 500, "--duration", "1s", columns=40)
    assert all(len(line) < 50 for line in re.split(r"[\r\n]", seen) if "acked" in line)
    seen = on_a_terminal("--mqtt-url", url, "--replay", MONTH, "--speed", "1000000x", columns=120)
    assert " %" in seen and "[#" in seen


def test_the_report_is_for_people_unless_asked_otherwise(stack):
    done = run("--mqtt-url", stack.broker.url(), "--rate", 1000, "--count", 100, "--seed", 5)
    assert done.returncode == 0
    assert re.search(r"^sent +100 messages in", done.stdout, re.MULTILINE)
    assert re.search(r"^to PUBACK +p50 \S+, p95 \S+, p99 \S+, max \S+ \(100 measured\)", done.stdout, re.MULTILINE)
    assert re.search(r"^seed +5$", done.stdout, re.MULTILINE)


# --- Settings, limits, security ------------------------------------------------------------------


@pytest.mark.parametrize(
    "args, said",
    [
        (["--interval", "10s..1s"], "interval"),
        (["--rate", "0"], "rate"),
        (["--rate", "fast"], "or max"),
        (["--signal", "square"], "uniform, walk, daily, spike"),
        (["--features", "a=2..1"], "low..high"),
        (["--features", "status=1..2"], "status"),
        (["--topic", "devices/readings"], "exactly one '+'"),
        (["--topic", "$share/g/devices/+"], "exactly one '+'"),
        (["--device-prefix", "a/b"], "device-prefix"),
        (["--seed", "-1"], "seed"),
        (["--late", "1.5"], "from 0 to 1"),
        (["--malformed-classes", "none"], "depth_9"),
        (["--speed", "2x"], "only with --replay"),
        (["--replay", str(MONTH), "--rate", "5"], "not with --replay"),
        (["--replay", str(MONTH), "--skewed", "0.5"], "not with --replay"),
        (["--qos", "3"], "qos"),
        (["--mqtt-url", "http://x"], "mqtt-url"),
        (["--credentials", "/nowhere"], "credentials"),
        (["--start-time", "noon"], "start-time"),
        (["--num-devices", "0"], "num-devices"),
    ],
)
def test_a_wrong_setting_is_one_line_that_says_what_is_legal(args, said):
    done = run(*args)
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr and len(done.stderr.splitlines()) == 1


def test_help_lists_every_option():
    done = run("--help")
    assert done.returncode == 0
    for name in ("num-devices", "replay", "truth", "verify", "flapping", "mqtt-ca-file", "until-stored"):
        assert f"--{name}" in done.stdout


def test_too_many_connections_for_the_system_is_one_clear_line():
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 150))  # noqa: E731
    done = run("--num-devices", 200, preexec_fn=limit)
    assert done.returncode == 2
    assert "200 connections need 264 descriptors, and this system allows 150" in done.stderr


def test_the_soft_limit_of_descriptors_is_raised(broker):
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 400))  # noqa: E731
    report = simulate(broker, "--num-devices", 200, "--rate", 1000, "--count", 400, preexec_fn=limit)
    assert report["connections"] == 200 and report["acked"] == 400
