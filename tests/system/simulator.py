"""devicesim, run to its end, and what it says about a store."""

from __future__ import annotations

import csv
import json
import os
import subprocess

from conftest import BUILD_DIR, CLONE

MONTH = CLONE / "data" / "beijing-stations-2013-03.csv.gz"
MONTH_READINGS = 8928
STATUSES = {"ON", "OFF", "ACTIVE", "INACTIVE"}


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


def lines_of(truth):
    return list(csv.reader(truth.read_text().splitlines()))
