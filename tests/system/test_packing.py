"""The collector packs days that are over, and what comes late goes into a packed day once, whatever is killed meanwhile."""

from __future__ import annotations

import contextlib
import random
import re
import signal
import threading
import time

import psycopg2
import pytest
from conftest import FAILPOINT_DIR
from faults import answers, arrived
from oracle import compare, now_us, reading, stored_readings, to_text
from servers import LOOPBACK, free_port, until
from storage import DAY_US, HOUR_US, differences, live, migrated

SOON = {"rollup_delay": "10s", "pack_after": "10s"}  # as soon as is legal
DEVICES = [f"d{i}" for i in range(6)]


def days_ago(days: int, at_us: int = 0) -> int:
    """A moment of a UTC day that is over."""
    return now_us() // DAY_US * DAY_US - days * DAY_US + at_us


def of_a_day(rng: random.Random, day_us: int, count: int, step_us: int = 1_000_000):
    """Readings of several devices, one a second with a clock that jitters, of which some lack a value or a status."""
    return [
        reading(
            rng.choice(DEVICES),
            day_us + i * step_us + rng.randrange(900),
            rng.choice(["ON", "OFF", "ACTIVE", None]),
            temperature=rng.randrange(-4000, 4000) / 100,
            **({"pressure": rng.random() * 25} if rng.random() < 0.9 else {}),
        )
        for i in range(count)
    ]


def packed_days(stack) -> int:
    return int(stack.database.value("SELECT packed_days FROM packing_status('10 seconds')"))


def is_packed(stack, days: int = 1) -> None:
    """All that waits is packed and merged, and so many days are."""
    until(
        lambda: packed_days(stack) >= days
        and stack.database.value("SELECT waiting_days = 0 AND NOT EXISTS (SELECT FROM packing_changes) FROM packing_status('10 seconds')"),
        60,
        f"{days} days are packed",
    )


def unpacked(stack, day_us: int) -> int:
    """Readings of a day that lie beside the chunks."""
    where = f"recorded_at >= '{to_text(day_us)}' AND recorded_at < '{to_text(day_us + DAY_US)}'"
    return int(stack.database.value(f"SELECT count(*) FROM readings WHERE {where}"))


class Scraper:
    """Reads /metrics all the while: whatever was received is stored, a duplicate, rejected or in flight."""

    def __init__(self, stack) -> None:
        self.stack = stack
        self.scrapes = 0
        self.wrong: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(OSError):
                metrics = self.stack.metrics()
                if "highwater_readings_received_total" in metrics:
                    self._check(metrics)
            time.sleep(0.005)

    def _check(self, metrics) -> None:
        parts = [metrics[f"highwater_readings_{name}"] for name in ("received_total", "stored_total", "duplicate_total", "in_flight")]
        rejected = sum(value for name, value in metrics.items() if name.startswith("highwater_readings_rejected_total"))
        self.scrapes += 1
        if parts[0] != sum(parts[1:]) + rejected or metrics["highwater_accounting_mismatches_total"]:
            self.wrong.append(f"{parts} {rejected}")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        self._thread.join(10)
        assert self.scrapes > 20 and not self.wrong, self.wrong[:3]


# --- Settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"pack_after": "5s"}, '"5s" is not legal: 0, or as long as ROLLUP_DELAY, 2m, or longer'),
        ({"pack_after": "59m", "rollup_delay": "1h"}, '"59m" is not legal: 0, or as long as ROLLUP_DELAY, 1h, or longer'),
        ({"pack_after": "-1d"}, '"-1d" is not legal: '),
        ({"pack_after": "40000d"}, '"40000d" is not legal: '),
        ({"pack_after": "soon"}, '"soon" is not legal: '),
    ],
)
def test_a_time_that_is_nonsense_is_refused_with_what_is_legal(stack, settings, said):
    refused = stack.start_collector(**settings)
    assert refused.wait() == 2
    assert re.search(rf"(?i)pack.after: {re.escape(said)}", refused.output()), refused.output()


@pytest.mark.parametrize("settings", [{"pack_after": "0"}, {"pack_after": "40d", "retention": "40d"}])
def test_nothing_is_packed_where_nothing_is_to_be(stack, rng, settings):
    """Never, and what is dropped as soon."""
    began = time.time()  # not now: what took long is not begun again at once
    live(stack, rollup_delay="10s", **settings)
    publisher = stack.publish(*of_a_day(rng, days_ago(30), 50))
    until(lambda: stack.database.value("SELECT count(*) FROM reading_partitions WHERE ends_at < now() - interval '20 days'"), 20)
    until(lambda: stack.metrics().get("highwater_rollup_timestamp_seconds", 0) > began - 60, 240, "all days are summed up")
    time.sleep(3)
    assert stack.database.count() == 50 and packed_days(stack) == 0
    assert compare(publisher.messages, stack.database)


# --- Packing ---------------------------------------------------------------------------------------


def test_a_day_is_packed_when_it_is_over_and_every_reading_stays(stack, rng):
    live(stack, **SOON)
    day = days_ago(3)
    publisher = stack.publish(*of_a_day(rng, day, 500), *of_a_day(rng, day + DAY_US, 100), reading("now", now_us(), temperature=1.0))
    is_packed(stack, 2)
    assert unpacked(stack, day) == 0 and unpacked(stack, day + DAY_US) == 0
    assert stack.database.count() == 1  # of today
    assert compare(publisher.messages, stack.database)
    assert not differences(stack.database, features=("temperature", "pressure"))
    metrics = until(lambda: (m := stack.metrics()).get("highwater_packed_readings", 0) >= 600 and m, 20)
    assert metrics["highwater_packed_partitions"] >= 2 and metrics["highwater_packing_waiting"] == 0
    assert metrics["highwater_readings_packed_total"] >= 600 and metrics["highwater_packing_failed"] == 0
    assert 0 < metrics["highwater_packed_bytes"] and metrics["highwater_packing_progress_ratio"] == 0


def test_two_days_are_the_default(stack, rng):
    live(stack, rollup_delay="10s", pack_after=None)
    day = days_ago(4)
    publisher = stack.publish(*of_a_day(rng, day, 50), *of_a_day(rng, day + 3 * DAY_US, 50))
    until(lambda: packed_days(stack) == 1, 60)
    until(lambda: unpacked(stack, day) == 0, 30)
    assert unpacked(stack, day + 3 * DAY_US) == 50  # yesterday
    assert compare(publisher.messages, stack.database)


@pytest.mark.parametrize("unit", ["week", "month"])
def test_a_longer_partition_is_packed_whole(stack, rng, unit):
    live(stack, partition=unit, **SOON)
    publisher = stack.publish(*of_a_day(rng, days_ago(70), 200, HOUR_US))
    until(lambda: stack.database.count("device_readings") == 200)
    is_packed(stack)
    until(lambda: stack.database.count() == 0, 30)
    assert compare(publisher.messages, stack.database)


# --- Late readings ---------------------------------------------------------------------------------


def test_a_late_reading_of_a_packed_day_goes_in_once_and_is_seen_at_once(stack, rng):
    """New ones are counted, ranked and found before they are merged; the same again is a duplicate, before and after."""
    collector = live(stack, **SOON)
    day = days_ago(3)
    first = of_a_day(rng, day, 300)
    publisher = stack.publish(*first)
    is_packed(stack)
    late = [reading(d, day + 7 * HOUR_US + i, "ON", temperature=500.0 + i, pressure=1.0) for i, d in enumerate(DEVICES)]
    with Scraper(stack):
        for one in [*first[:100], *late, *late, *first[100:200]]:
            publisher.send(one)
        publisher.wait()
        until(lambda: stack.metrics()["highwater_readings_duplicate_total"] == 206, 20)
        stored = stored_readings(stack.database)
        assert len(stored) == 306 and set(late) <= set(stored)
        assert not differences(stack.database, features=("temperature", "pressure"))
        peak = "SELECT p.value, p.recorded_at = %s::timestamptz FROM peaks p JOIN devices d ON d.id = p.device"
        for one, value in zip(late, range(500, 506)):
            found = stack.database.rows(
                peak + " WHERE d.device_id = %s AND feature = 'temperature' AND sort_order = 'desc'",
                (to_text(one.recorded_at_us), one.device_id),
            )
            assert found == [(value, True)]
        is_packed(stack)  # merged
        assert unpacked(stack, day) == 0
        for one in [*late, *first]:
            publisher.send(one)
        publisher.wait()
        until(lambda: stack.metrics()["highwater_readings_duplicate_total"] == 512, 20)
    assert compare(publisher.messages, stack.database)
    assert len(stored_readings(stack.database)) == 306
    stack.database.rows("SELECT rollup_fold_late(1000), rollup_fold_fleet(1000)")
    assert not differences(stack.database, features=("temperature", "pressure"))
    assert collector.terminate() == 0


def test_what_differs_from_a_packed_reading_is_told(stack, rng):
    """A value that was taken out of a packed reading, and comes again: the windows must not take it."""
    live(stack, pack_after="10s", rollup_delay="10s")
    day = days_ago(3)
    one = reading("d0", day + HOUR_US, "ON", temperature=1.0, pressure=2.0)
    stack.publish(one, *of_a_day(rng, day, 20))
    is_packed(stack)
    connection = stack.database.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE readings_stage (LIKE readings) ON COMMIT DROP")
        cursor.execute("SELECT source FROM (SELECT readings_source('-infinity', 'infinity')) s (source)")
        source = cursor.fetchone()[0]
        cursor.execute(
            f"INSERT INTO readings_stage SELECT r.* FROM {source} r JOIN devices d ON d.id = r.device WHERE d.device_id = 'd0'"
        )
        cursor.execute("SELECT added, differing FROM ingest_merge_stage(ARRAY['temperature', 'pressure'])")
        assert cursor.fetchone() == (0, None)
        cursor.execute("UPDATE readings_stage SET pressure = 7 WHERE recorded_at = %s RETURNING device", (to_text(one.recorded_at_us),))
        device = cursor.fetchone()[0]
        cursor.execute("SELECT added, differing FROM ingest_merge_stage(ARRAY['temperature', 'pressure'])")
        assert cursor.fetchone() == (0, [device])
    connection.close()


# --- Ends at any time ------------------------------------------------------------------------------


def history(rng: random.Random, days: int, count: int = 400):
    return [one for n in range(days) for one in of_a_day(rng, days_ago(3 + n), count, 20_000_000)]


def stored(stack, publisher) -> None:
    arrived(stack, publisher, 60)
    assert compare(publisher.messages, stack.database)


@pytest.mark.parametrize("n", [1, 2, pytest.param(5, marks=pytest.mark.faults)])
def test_a_collector_that_is_killed_amid_packing_leaves_it_to_the_next(stack, rng, n):
    first = live(stack, rollup_delay="10s", pack_after="0")
    publisher = stack.publish(*history(rng, 3))
    stored(stack, publisher)
    until(lambda: stack.database.value("SELECT count(*) FROM reading_partitions WHERE ends_at < now() - interval '1 day'") >= 3, 20)
    assert first.terminate() == 0
    killed = stack.start_collector(directory=FAILPOINT_DIR, env={"CRASH_AT": f"packing:{n}"}, **SOON)
    killed.wait(60)
    assert killed.exit_code in (-signal.SIGKILL, -signal.SIGALRM) and "failpoint packing" in killed.output(), killed.tail()
    assert compare(publisher.messages, stack.database)
    live(stack, **SOON)
    is_packed(stack, 3)
    stored(stack, publisher)


def test_postgresql_is_killed_amid_packing_again_and_again(stack, postgres, rng):
    live(stack, **SOON)
    publisher = stack.publish(*history(rng, 4, 150))
    arrived(stack, publisher, 60)
    for _ in range(6):
        until(lambda: stack.database.value("SELECT waiting_days > 0 FROM packing_status('10 seconds')") or packed_days(stack) >= 4, 30)
        time.sleep(rng.random() / 2)
        before = set(stored_readings(stack.database))
        postgres.kill9()
        postgres.start()
        answers(postgres)
        assert before <= set(stored_readings(stack.database))
        for one in of_a_day(rng, days_ago(3 + rng.randrange(4)), 50):
            publisher.send(one)
    arrived(stack, publisher, 60)
    is_packed(stack, 4)
    stored(stack, publisher)
    assert not differences(stack.database, features=("temperature", "pressure"))


@pytest.mark.faults
def test_of_two_collectors_the_other_packs_when_the_first_is_killed(stack, rng):
    ports = {name: free_port() for name in ("a", "b")}
    both = {
        name: live(stack, name, subscribe=f"{name}/+/readings", metrics_listen=f"{LOOPBACK}:{port}", **SOON) for name, port in ports.items()
    }
    holder = until(lambda: next((n for n, p in ports.items() if stack.metrics(p).get("highwater_maintenance_holder")), None), 10)
    other = "b" if holder == "a" else "a"
    publisher = stack.publisher()
    for one in history(rng, 4):
        publisher.send(one, topic=f"{rng.choice('ab')}/{one.device_id}/readings")
    publisher.wait()
    until(lambda: stack.database.count("device_readings") == 1600, 30)
    until(lambda: packed_days(stack) >= 1, 60)
    assert stack.metrics(ports[other])["highwater_readings_packed_total"] == 0
    both[holder].kill9()
    late = [one for n in range(4) for one in of_a_day(rng, days_ago(3 + n), 50)]
    for one in late:
        publisher.send(one, topic=f"{other}/{one.device_id}/readings")
    publisher.wait()
    is_packed(stack, 4)
    until(lambda: stack.database.count("device_readings") == 1800, 30)
    assert stack.metrics(ports[other])["highwater_readings_packed_total"] > 0
    assert compare(publisher.messages, stack.database)


def test_packing_waits_for_who_looks_at_the_day_and_nobody_waits_for_packing(stack, rng):
    live(stack, **SOON)
    day = days_ago(3)
    publisher = stack.publish(*of_a_day(rng, day, 100))
    until(lambda: stack.database.value("SELECT count(*) FROM reading_partitions WHERE ends_at < now() - interval '1 day'"), 20)
    reader = stack.database.connect()
    with reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM readings")
        for i in range(20):  # stored while the day waits
            publisher.send(reading("d0", (now_us() if i % 2 else day + 9 * HOUR_US) + i, temperature=2.0 + i))
            publisher.wait()
            until(lambda i=i: len(stored_readings(stack.database)) == 101 + i, 5, "it is stored")
            time.sleep(0.1)
        cursor.execute("SELECT count(*) FROM device_readings")
        assert cursor.fetchone()[0] == 120
        # it is the only one, and counts among those that wait, or no alert would see that it stands still
        until(lambda: stack.database.value("SELECT share FROM packing_status('10 seconds')") == 1, 30, "only its turn is left")
        assert stack.database.rows("SELECT packed_days, waiting_days FROM packing_status('10 seconds')") == [(0, 1)]
        until(lambda: stack.metrics().get("highwater_packing_waiting") == 1, 20)
    reader.close()
    is_packed(stack)
    assert compare(publisher.messages, stack.database)


def test_a_failure_of_packing_is_said_and_counted_and_is_over_when_its_cause_is(stack, postgres, rng):
    database = migrated(stack)
    owner = database.value("SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE proname = 'packing_step'")
    broken = re.sub(r"(?s)\$function\$.*\$function\$", "$$BEGIN RAISE 'the disk is odd'; END$$", owner)
    broken = re.sub(r"LANGUAGE \w+", "LANGUAGE plpgsql", broken)
    database.rows(broken)
    collector = live(stack, **SOON)
    collector.wait_for_line("maintenance: packing: .*the disk is odd", 20)
    until(lambda: stack.metrics().get("highwater_packing_failed") == 1, 10)
    publisher = stack.publish(*of_a_day(rng, days_ago(3), 50))
    until(lambda: stack.metrics().get("highwater_packing_waiting", 0) >= 1, 30)
    database.rows(owner)
    is_packed(stack)
    until(lambda: stack.metrics()["highwater_packing_failed"] == 0, 20)
    assert compare(publisher.messages, stack.database)
