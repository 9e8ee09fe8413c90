"""Clocks that are wrong, that jump, and that come to midnight."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from faults import Books, arrived, assert_all_well, assert_boards, assert_kept, start_fleet
from oracle import now_us, reading, to_us
from servers import until

faults = pytest.mark.faults
LIBFAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
YEAR_US = 365 * 86_400_000_000


# --- The devices' clocks ----------------------------------------------------------------------------


def test_devices_whose_clocks_are_years_off(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    now = now_us()
    # (what the device says, when that is; None: it must be rejected)
    times = [
        (now // 1_000_000, now // 1_000_000 * 1_000_000),
        (now // 1000, now // 1000 * 1000),
        (now, now),
        ("2020-01-01T00:00:00Z", to_us("2020-01-01T00:00:00+00:00")),
        (1_600_000_000, to_us("2020-09-13T12:26:40+00:00")),
        (1_600_000_000_123_456_789, to_us("2020-09-13T12:26:40.123456+00:00")),  # nanoseconds
        ((now - 10 * YEAR_US) // 1000, None),
        ("2000-01-01T00:00:05Z", None),  # a clock without a battery
        (1_479_720_018, None),  # seconds of GPS
        (1_002_240_000, None),  # an uptime of 11.6 days in ms
        (10**18, None),
        ((now + 10 * YEAR_US) // 1000, None),
        (now // 1000 + 120_000, None),
        (0, None),
        (-1, None),
        (-(10**18), None),
        (-now // 1000, None),
        (10**30, None),
        (1e300, None),
        ("1969-12-31T23:59:59Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("12026-01-01T00:00:00Z", None),
        ("", None),
    ]
    for i, (says, is_us) in enumerate(times):
        device = f"clock_{i}"
        payload = json.dumps({"timestamp": says, "status": "ON", "temperature": 5000 + i})
        readings = None if is_us is None else [reading(device, is_us, temperature=5000 + i)]
        fleet.publisher.send_bytes(f"devices/{device}/readings", payload.encode(), readings)
        fleet.send(5)
    assert_all_well(stack, fleet.publisher, collector)


# --- The host's clock -------------------------------------------------------------------------------


class HostClock:
    """The clock of the collector's machine, which can be set while it runs; its monotonic clock stays."""

    def __init__(self, logs):
        self._file = logs / "clock"
        self.set(0)
        self.env = {
            "LD_PRELOAD": str(LIBFAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead_s):
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead_s:+.6f}\n")
        new.rename(self._file)  # it is never seen half written


@pytest.fixture
def clock(logs):
    if not LIBFAKETIME.exists():
        pytest.skip("there is no libfaketime here")
    return HostClock(logs)


def start_set_ahead(stack, rng, clock, ahead_s, **settings):
    clock.set(ahead_s)
    collector, fleet = start_fleet(stack, rng, env=clock.env, **settings)
    fleet.set_clock(ahead_s)
    return collector, fleet


@faults
@pytest.mark.parametrize("steps", [(3600, 0), (-3600, 0), (0.7, -0.7, 0)], ids=str)
def test_the_host_s_clock_is_set(stack, rng, clock, steps):
    collector, fleet = start_set_ahead(stack, rng, clock, 0)
    books = Books(stack)
    fleet.send(300)
    for ahead_s in steps:
        arrived(stack, fleet.publisher)
        clock.set(ahead_s)
        fleet.set_clock(ahead_s)
        fleet.send(300)
        assert_kept(stack, fleet.publisher)
        assert_boards(stack, by_arrival=False)
        books.until(
            lambda status: abs(to_us(status["asOf"]) - now_us() - ahead_s * 1e6) < 2e6,
            what="the collector goes by the clock that was set",
        )
    assert_all_well(stack, fleet.publisher, collector, by_arrival=False)
    assert "up -> down" not in collector.output()
    assert "the clock went back" in collector.output()


@faults
def test_the_host_s_clock_is_set_to_and_fro_under_load(stack, rng, clock):
    # Readings of two hours ago, which are legal all the while.
    collector, fleet = start_set_ahead(stack, rng, clock, 0)
    fleet.set_clock(-7200)
    with fleet.load(300):
        for _ in range(12):
            time.sleep(rng.random() / 2)  # the moment of the fault
            clock.set(rng.choice([-3600, -60, -1, 0, 1, 60, 3600]))
    clock.set(0)
    fleet.set_clock(0)
    fleet.send(100)
    assert_all_well(stack, fleet.publisher, collector, by_arrival=False)
    assert "up -> down" not in collector.output()


# --- Midnight ---------------------------------------------------------------------------------------


def partition_counts(stack):
    rows = stack.database.rows(
        "SELECT tableoid::regclass::text, count(*) FROM readings GROUP BY 1"
    )
    return dict(rows)


@faults
def test_midnight_passes_under_load(stack, rng, clock):
    now = datetime.now(timezone.utc)
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    before, after = (f"readings_{day:%Y_%m_%d}" for day in (tomorrow - timedelta(days=1), tomorrow))
    # Ten minutes before it, in which a busy machine may start what it has to; then three seconds.
    collector, fleet = start_set_ahead(stack, rng, clock, (tomorrow - now).total_seconds() - 600)
    with fleet.load(300):
        until(lambda: partition_counts(stack).get(before, 0) > 100, 30, "there are readings of the day before")
        ahead_s = tomorrow.timestamp() - 3 - time.time()
        clock.set(ahead_s)
        fleet.set_clock(ahead_s)
        until(lambda: time.time() + ahead_s > tomorrow.timestamp() + 1, 10, "it is past midnight")
        until(lambda: partition_counts(stack).get(after, 0) > 100, 30, "there are readings of the day after")
    assert_all_well(stack, fleet.publisher, collector)
    counts = partition_counts(stack)
    assert not any(name.startswith("readings_default") for name in counts), counts


@faults
def test_partitions_come_and_go_under_load(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    last = stack.database.value(
        "SELECT max(relname) FROM pg_class WHERE relname ~ '^readings_[0-9_]+$' AND relkind = 'r'"
    )
    with fleet.load(300):
        for i in range(8):
            stack.database.rows(f"DROP TABLE {last}")
            migrate = stack.program("collector", ["--migrate"], log_name=f"migrate-{i}")
            migrate.start()
            assert migrate.wait(20) == 0, migrate.tail()
            assert stack.database.value("SELECT to_regclass(%s) IS NOT NULL", (last,))
    assert_all_well(stack, fleet.publisher, collector)


@faults
def test_a_day_whose_partition_was_dropped_by_hand_gets_it_again(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    today = f"readings_{datetime.now(timezone.utc):%Y_%m_%d}"
    arrived(stack, fleet.publisher)
    stack.database.rows(
        f"BEGIN; ALTER TABLE readings DETACH PARTITION {today}; INSERT INTO readings SELECT * FROM {today};"
        f"DROP TABLE {today}; COMMIT"
    )
    fleet.send(300)
    arrived(stack, fleet.publisher)
    assert today not in partition_counts(stack)
    assert collector.terminate() == 0
    collector.start()
    fleet.send(300)
    assert_all_well(stack, fleet.publisher, collector)
    assert partition_counts(stack)[today] > 600
