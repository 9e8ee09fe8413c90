"""devicesim: what it sends, what it counts, and that its verdict on a store can be believed."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import BUILD_DIR, CLONE
from oracle import Listener, now_us, to_us
from servers import LOOPBACK, PrivateBroker, Program, free_port, paused, until

MONTH = CLONE / "data" / "beijing-stations-2013-03.csv.gz"
MONTH_READINGS = 8928
STATUSES = {"ON", "OFF", "ACTIVE", "INACTIVE"}


def live_collector(stack, **settings):
    """A collector that is subscribed: what is published from now on reaches it."""
    listener = stack.listen("collectors/+/status")
    program = stack.start_collector(**settings)
    topic = "collectors/collector/status"
    until(lambda: (s := listener.latest(topic)) and s.json()["state"] == "live", 15, "the collector is live")
    return program


def run(*args, timeout=60.0, env=None, **options):
    argv = [BUILD_DIR / "devicesim", *map(str, args)]
    environment = {**os.environ, **(env or {})}
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, env=environment, **options)


def simulate(broker, *args, expect=0, **options):
    """Runs devicesim to its end; its report."""
    done = run("--mqtt-url", broker.url(), "--json", *args, **options)
    assert done.returncode == expect, done.stderr
    return json.loads(done.stdout)


def verify(database, truth, *args, wait="20s"):
    """(exit status, its result, what it said about examples)."""
    done = run("--verify", database.url, "--truth", truth, "--verify-wait", wait, "--json", *args)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def assert_verified(database, truth, *args):
    status, result, said = verify(database, truth, *args)
    assert status == 0, (result, said)
    return result


@pytest.fixture
def truth(area) -> Path:
    """A place for a record, not there yet."""
    return Path(tempfile.mkdtemp(dir=area, prefix="truth-")) / "truth.csv"


def lines_of(truth):
    return list(csv.reader(truth.read_text().splitlines()))


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


# --- Replay --------------------------------------------------------------------------------------


def test_a_month_of_real_readings_is_replayed_and_verified(stack, truth):
    live_collector(stack, earliest="2013-01-01")
    report = simulate(stack.broker, "--replay", MONTH, "--truth", truth)
    assert report["readings"] == report["acked"] == MONTH_READINGS
    result = assert_verified(stack.database, truth)
    assert result["readings"]["rows"] == MONTH_READINGS
    # a second time into the same record: the same readings, none of them new
    simulate(stack.broker, "--replay", MONTH, "--truth", truth, "--connections", 1)
    result = assert_verified(stack.database, truth)
    assert result["readings"]["sent"] == 2 * MONTH_READINGS
    assert result["readings"]["rows"] == result["readings"]["distinct"] == MONTH_READINGS


def write_csv(path, *rows):
    path.write_text("timestamp,deviceId,temperature,pressure\n" + "".join(f"{row}\n" for row in rows))
    return path


def test_replay_keeps_times_and_leaves_out_what_was_not_measured(stack, truth):
    rows = ["2013-03-01T08:00:00+08:00,a,-0.7,1023", "2013-03-01T01:00:00Z,a,,1020.8", "2013-03-01T02:00:00Z,b,3,"]
    listener = stack.listen("devices/+/readings")
    simulate(stack.broker, "--replay", write_csv(truth, *rows), "--connections", 1)
    until(lambda: len(listener.received) == 3, 10)
    assert [r.payload.decode() for r in listener.received] == [
        '{"deviceId":"a","timestamp":"2013-03-01T00:00:00.000000Z","temperature":-0.7,"pressure":1023}',
        '{"deviceId":"a","timestamp":"2013-03-01T01:00:00.000000Z","pressure":1020.8}',
        '{"deviceId":"b","timestamp":"2013-03-01T02:00:00.000000Z","temperature":3}',
    ]


def test_replay_at_a_speed_and_shifted_to_now(stack, truth):
    rows = [f"2013-03-01T{hour:02}:00:00Z,a,{hour},1" for hour in range(5)]
    listener = stack.listen("devices/+/readings")
    began, began_us = time.monotonic(), now_us()
    simulate(stack.broker, "--replay", write_csv(truth, *rows), "--speed", "18000x", "--shift", "now")
    assert time.monotonic() - began >= 0.8
    until(lambda: len(listener.received) == 5, 10)
    moments = [to_us(r.json()["timestamp"].replace("Z", "+00:00")) for r in listener.received]
    assert all(moment >= began_us + i * 200_000 - 5000 for i, moment in enumerate(moments)), "none is early"
    assert began_us <= moments[-1] <= now_us() + 1_000_000


def test_replay_stops_at_a_line_that_is_none(stack, truth):
    write_csv(truth, "2013-03-01T00:00:00Z,a,1,2", "2013-03-01T00:00:00Z,a,one,2", "2013-03-01T00:00:00Z,a,3,2")
    done = run("--mqtt-url", stack.broker.url(), "--json", "--replay", truth)
    assert done.returncode == 1
    assert 'line 3: temperature "one" is not a finite number' in done.stderr
    assert json.loads(done.stdout)["acked"] == 1
    done = run("--replay", "/nowhere.csv")
    assert done.returncode == 2 and "No such file or directory" in done.stderr
    truth.write_text("a,b\n")
    assert "the header does not name" in run("--replay", truth).stderr


# --- What goes wrong on purpose ------------------------------------------------------------------


@pytest.mark.faults
def test_every_fault_is_sent_counted_and_told_apart(stack, truth):
    live_collector(stack)
    shares = {"late": 0.05, "out-of-order": 0.1, "repeated": 0.05, "malformed": 0.05, "oversized": 0.002}
    shares |= {"wrong-id": 0.02, "skewed": 0.3, "burst": 0.3, "flapping": 0.3}
    options = [text for name, share in shares.items() for text in (f"--{name}", share)]
    report = simulate(
        stack.broker, "--num-devices", 50, "--interval", "20ms..80ms", "--count", 4000, "--seed", 7,
        "--truth", truth, "--flap-every", "1s", "--malformed-classes", "all,minus_zero", "--seq", *options,
    )  # fmt: skip
    legal = report["malformed"].get("minus_zero", 0)
    assert report["readings"] == 4000 + legal
    assert all(count > 0 for name, count in report["faults"].items() if name != "oversized_accepted"), report
    assert report["reconnects"] > 0 and report["unanswered"] == 0
    assert report["refused"] == report["faults"]["oversized"]
    assert sum(report["malformed"].values()) == report["faults"]["malformed"]
    result = assert_verified(stack.database, truth)
    assert result["rejected"]["sent"] == report["faults"]["malformed"] + report["faults"]["wrong_id"] - legal
    # out of order means just that: some reading was overtaken by a later one of its device
    sent = [line for line in lines_of(truth) if line[0] == "sent" and line[4] == "reading"]
    by_device: dict[str, list[str]] = {}
    for line in sent:
        by_device.setdefault(line[5], []).append(line[6])
    assert any(times != sorted(times) for times in by_device.values())


def test_forty_malformed_ones_among_four_thousand(stack, truth):
    live_collector(stack)
    report = simulate(
        stack.broker, "--num-devices", 40, "--rate", "max", "--count", 4000, "--malformed", 0.01, "--seed", 1,
        "--truth", truth,
    )  # fmt: skip
    bad = report["faults"]["malformed"]
    assert 20 < bad < 60
    result = assert_verified(stack.database, truth)
    assert result["readings"]["rows"] == 4000 and result["rejected"]["rows"] == bad


@pytest.mark.faults
def test_an_oversized_message_is_refused_and_nobody_else_notices(stack, truth):
    live_collector(stack)
    report = simulate(
        stack.broker, "--num-devices", 5, "--rate", 100, "--count", 300, "--oversized", 0.01, "--seed", 1,
        "--truth", truth,
    )  # fmt: skip
    assert report["faults"]["oversized"] == report["refused"] > 0
    assert report["reconnects"] == 0 and report["readings"] == 300
    assert assert_verified(stack.database, truth)["readings"]["rows"] == 300


@pytest.mark.faults
def test_an_oversized_message_that_fits_is_stored_once(stack, truth):
    live_collector(stack)
    report = simulate(
        stack.broker, "--num-devices", 5, "--rate", 100, "--count", 200, "--oversized", 0.02, "--oversized-bytes",
        "100k", "--seed", 1, "--truth", truth,
    )  # fmt: skip
    assert report["faults"]["oversized"] == report["faults"]["oversized_accepted"] > 0
    assert report["refused"] == 0
    assert assert_verified(stack.database, truth)["readings"]["rows"] == 200 + report["faults"]["oversized"]


# --- The verdict ---------------------------------------------------------------------------------


@pytest.fixture
def stored(stack, truth):
    """A hundred readings and some malformed messages, stored and recorded."""
    live_collector(stack)
    simulate(
        stack.broker, "--count", 100, "--rate", "max", "--malformed", 0.2, "--malformed-classes", "brace,half",
        "--seed", 5, "--truth", truth,
    )  # fmt: skip
    result = assert_verified(stack.database, truth)
    assert result["readings"] == {"sent": 100, "acked": 100, "unheard": 0, "rows": 100, "distinct": 100}
    return stack.database


def faults(database, truth):
    status, result, said = verify(database, truth, wait="0s")
    assert status == (1 if result["lost"] + result["doubled"] + result["unexpected"] else 0), said
    return result["lost"], result["doubled"], result["unexpected"], said


def test_verify_finds_what_is_lost(stored, truth):
    stored.rows("DELETE FROM readings WHERE (device, recorded_at) IN (SELECT device, recorded_at FROM readings LIMIT 3)")
    lost, doubled, unexpected, said = faults(stored, truth)
    assert (lost, doubled, unexpected) == (3, 0, 0)
    assert len(re.findall(r"^lost: device_\d+ at ", said, re.MULTILINE)) == 3
    stored.rows("DELETE FROM rejected_messages WHERE id = (SELECT min(id) FROM rejected_messages)")
    assert faults(stored, truth)[:3] == (4, 0, 0)


def test_verify_finds_what_is_doubled(stored, truth):
    stored.rows(
        "INSERT INTO readings SELECT * FROM readings LIMIT 0;"
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure) "
        "SELECT device, content_hash + 1, recorded_at, received_at, status, temperature, pressure FROM readings LIMIT 2"
    )
    assert faults(stored, truth)[:3] == (0, 2, 0)


def test_verify_finds_what_was_never_sent(stored, truth):
    changed = "UPDATE readings SET temperature = temperature + 0.001 WHERE ctid = (SELECT ctid FROM readings LIMIT 1)"
    stored.rows(changed)
    assert faults(stored, truth)[:3] == (1, 0, 1)
    stored.rows(
        "INSERT INTO rejected_messages (received_at, topic, payload, reason, detail) "
        "VALUES (now(), 'devices/device_1/readings', 'x', 'not_json', ''), "
        "(now(), 'devices/somebody_else/readings', 'x', 'not_json', '')"
    )
    assert faults(stored, truth)[:3] == (1, 0, 2)


def test_verify_looks_only_at_the_devices_of_the_record(stack, stored, truth):
    simulate(stack.broker, "--device-prefix", "other_", "--count", 50, "--rate", "max")
    until(lambda: stored.count() == 150, 10)
    assert faults(stored, truth)[:3] == (0, 0, 0)


def test_verify_looks_only_at_the_time_of_the_record(stack, truth):
    """What the same devices sent in other runs is there before, during and after."""
    live_collector(stack)
    args = ("--rate", "max", "--num-devices", 5, "--seq", "--malformed", 0.2, "--seed", 3)
    simulate(stack.broker, *args, "--count", 50)
    # as long ago as any other day, so that no clock can be blamed
    until(lambda: stack.database.count() == 50, 10)
    stack.database.rows(
        "CREATE TABLE kept AS SELECT * FROM readings; DELETE FROM readings; "
        "INSERT INTO readings SELECT (k).* FROM (SELECT jsonb_populate_record(k, jsonb_build_object("
        "'received_at', received_at - interval '1h', 'recorded_at', recorded_at - interval '1h')) AS k FROM kept k) x; "
        "UPDATE rejected_messages SET received_at = received_at - interval '1h'"
    )
    before = stack.database.rows("SELECT count(*) FROM rejected_messages")[0][0]
    simulate(stack.broker, *args, "--count", 40, "--truth", truth)
    simulate(stack.broker, "--rate", "max", "--num-devices", 5, "--count", 30, "--seed", 4)
    until(lambda: stack.database.count() == 120, 10)
    result = assert_verified(stack.database, truth)
    assert before > 0 and result["others"] == 50 + 30 + before
    assert result["readings"]["rows"] == 40
    # what was rejected an hour ago does not stand in for what is lost
    stack.database.rows("DELETE FROM rejected_messages WHERE received_at > now() - interval '30min'")
    assert faults(stack.database, truth)[0] == result["rejected"]["sent"] > 0


def test_verify_says_what_it_cannot_do(stored, truth, area):
    done = run("--verify", "postgresql://nobody@127.0.0.1:1/x", "--truth", truth)
    assert done.returncode == 2 and "verify: " in done.stderr and "connection" in done.stderr
    done = run("--verify", stored.url, "--truth", area / "nothing.csv")
    assert done.returncode == 2 and "No such file" in done.stderr
    done = run("--verify", stored.url)
    assert done.returncode == 2 and "only with --truth" in done.stderr
    garbled = area / "garbled.csv"
    garbled.write_text(truth.read_text().replace(",stored,", ",perhaps,", 1))
    done = run("--verify", stored.url, "--truth", garbled)
    assert done.returncode == 2 and re.search(r"line \d+: not a line about something sent", done.stderr)


def test_the_record_survives_a_kill(stack, truth):
    live_collector(stack)
    program = stack.start_devicesim(
        "--rate", "max", "--num-devices", "50", "--connections", "2", "--truth", str(truth)
    )
    until(lambda: truth.exists() and truth.stat().st_size > 1_000_000, 20, "it is well under way")
    program.kill9()
    events = Counter(line[0] for line in lines_of(truth))
    assert events["sent"] >= events["acked"] > 0
    with truth.open("a") as file:
        file.write("sent,99999999,2026")  # as if the machine had died in the middle of a line
    assert_verified(stack.database, truth)
    simulate(stack.broker, "--rate", "max", "--count", 100, "--truth", truth)
    assert_verified(stack.database, truth)


@pytest.mark.faults
def test_nothing_is_lost_or_doubled_when_the_broker_restarts_under_load(stack, truth):
    live_collector(stack)
    program = stack.start_devicesim(
        "--rate", "2000", "--num-devices", "100", "--connections", "5", "--count", "8000", "--truth", str(truth), "--json"
    )
    until(lambda: truth.exists() and truth.stat().st_size > 200_000, 20, "it is well under way")
    stack.broker.restart()
    assert program.wait(60) == 0
    report = json.loads(program.output().splitlines()[-1])
    assert report["reconnects"] >= 5 and report["acked"] == report["sent"] == 8000
    assert_verified(stack.database, truth)


def test_what_nobody_subscribed_to_is_no_loss(stack, truth):
    report = simulate(stack.broker, "--count", 20, "--rate", "max", "--truth", truth)
    assert report["unheard"] == 20
    live_collector(stack)
    simulate(stack.broker, "--count", 20, "--rate", "max", "--truth", truth)
    result = assert_verified(stack.database, truth)
    assert result["readings"]["unheard"] == 20 and result["readings"]["rows"] == 20


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
