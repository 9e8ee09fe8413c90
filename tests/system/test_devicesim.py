"""devicesim: what it sends, what it counts, and that its verdict on a store can be believed."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD_DIR, CLONE
from servers import until

MONTH = CLONE / "data" / "beijing-stations-2013-03.csv.gz"
MONTH_READINGS = 8928


def live_collector(stack, **settings):
    """A collector that is subscribed: what is published from now on reaches it."""
    listener = stack.listen("collectors/+/status")
    program = stack.start_collector(**settings)
    topic = "collectors/collector/status"
    until(lambda: (s := listener.latest(topic)) and s.json()["state"] == "live", 15, "the collector is live")
    return program


def simulate(stack, *args, expect=0, timeout=60.0):
    """Runs devicesim to its end; its report."""
    argv = [BUILD_DIR / "devicesim", "--mqtt-url", stack.broker.url(), "--json", *map(str, args)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == expect, done.stderr
    return json.loads(done.stdout)


def verify(stack, truth, *args, wait="20s"):
    """(exit status, its result, what it said about examples)."""
    argv = [BUILD_DIR / "devicesim", "--verify", stack.database.url, "--truth", truth, "--verify-wait", wait]
    done = subprocess.run([*argv, "--json", *args], capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def assert_verified(stack, truth, *args):
    status, result, said = verify(stack, truth, *args)
    assert status == 0, (result, said)
    return result


def test_a_month_of_real_readings_is_replayed_and_verified(stack, area):
    live_collector(stack)
    truth = area / "month.csv"
    report = simulate(stack, "--replay", MONTH, "--truth", truth)
    assert report["readings"] == report["acked"] == MONTH_READINGS
    result = assert_verified(stack, truth)
    assert result["readings"]["rows"] == MONTH_READINGS


def test_every_mishap_is_sent_counted_and_told_apart(stack, area):
    live_collector(stack)
    truth = area / "mishaps.csv"
    shares = {"late": 0.05, "out-of-order": 0.1, "repeated": 0.05, "malformed": 0.05, "oversized": 0.002}
    shares |= {"wrong-id": 0.02, "skewed": 0.3, "burst": 0.3, "flapping": 0.3}
    options = [text for name, share in shares.items() for text in (f"--{name}", share)]
    report = simulate(
        stack, "--num-devices", 50, "--interval", "100ms..300ms", "--count", 4000, "--seed", 7, "--truth", truth,
        "--flap-every", "2s", "--malformed-classes", "all", "--seq", *options,
    )  # fmt: skip
    assert report["readings"] == 4000
    assert all(count > 0 for name, count in report["mishaps"].items() if name != "oversized_accepted"), report
    assert report["reconnects"] > 0 and report["unanswered"] == 0
    assert report["refused"] == report["mishaps"]["oversized"]
    result = assert_verified(stack, truth)
    assert result["rejected"]["sent"] == report["mishaps"]["malformed"] + report["mishaps"]["wrong_id"]
