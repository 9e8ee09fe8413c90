"""devicesim: replays and faults on purpose, and that its verdict on a store can be believed."""

from __future__ import annotations

import json
import re
import time
from collections import Counter

import pytest
from oracle import now_us, to_us
from servers import until
from simulator import MONTH, MONTH_READINGS, assert_verified, lines_of, run, simulate, verify
from test_collector import live_collector


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
