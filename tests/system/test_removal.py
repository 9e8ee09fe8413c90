"""Taking readings out again: what is left answers as if they had never come."""

from __future__ import annotations

import threading
import time

import psycopg2
import pytest
from oracle import now_us, reading, to_text
from servers import until
from storage import COLUMNS, DAY_US, HOUR_US, differences, live, migrated, random_span
from test_peaks import assert_all_agree, assert_kept, by_hand, stored

FEATURES = ("temperature", "pressure")
EMPTY = "SELECT count(*) FROM readings WHERE num_nonnulls(status, temperature, pressure) = 0"


def some_history(database, rng, days=3, count=800):
    """Of five devices, partly rolled up, with late sums and a fleet log that wait."""
    database.rows("INSERT INTO devices (device_id) SELECT 'device_' || i FROM generate_series(1, 5) i")
    database.rows("SELECT make_partitions(now() - interval '%s days', now() + interval '1 day')", (days + 2,))
    start = now_us() - days * DAY_US
    database.rows(
        "UPDATE storage_state SET rolled_until = date_bin('1 minute', %s, 'epoch'), late_before = date_bin('1 minute', %s, 'epoch')",
        (to_text(start), to_text(start)),
    )
    store(database, rng, start, count)
    roll(database, rng)
    store(database, rng, start, count // 5)


def store(database, rng, start, count):
    now = now_us()
    rows = []
    for number in range(count):
        at = rng.choice([rng.randrange(start, now), now - rng.randrange(4 * HOUR_US), start + rng.randrange(30) * HOUR_US])
        value = rng.choice([None, rng.randrange(100) / 4, rng.choice([1e200, -1e200, 0.0, -0.0])])
        pressure = rng.choice([None, rng.randrange(20)])
        rows.append((rng.randrange(1, 6), number * 7919 - count, to_text(at), to_text(now), rng.choice([None, 1, 2, 3, 4]), value, pressure))
    connection = database.connect()
    with connection, connection.cursor() as cursor:
        values = ",".join(["(%s,%s,%s,%s,%s,%s,%s)"] * len(rows))
        cursor.execute(f"INSERT INTO readings ({COLUMNS}) VALUES {values} ON CONFLICT DO NOTHING", [v for r in rows for v in r])
    connection.close()


def roll(database, rng):
    until_us = now_us() - rng.choice([120_000_000, 2 * HOUR_US, 26 * HOUR_US])
    database.rows("UPDATE storage_state SET late_before = greatest(late_before, date_bin('1 minute', %s, 'epoch'))", (to_text(until_us),))
    for _ in range(200):
        before, after = database.rows("SELECT rolled_until, rollup_until(late_before) FROM storage_state")[0]
        if before == after:
            break
    fold(database, rng)


def fold(database, rng):
    if rng.random() < 0.6:
        database.rows("SELECT rollup_fold_fleet(20000)")
    if rng.random() < 0.6:
        database.rows("SELECT rollup_fold_late(20000)")


def assert_exact(database, rng):
    """Rollups are what GROUP BY says for any span, and peaks what readings say."""
    for span in [("-infinity", "infinity"), *(random_span(rng, now_us(), 4 * DAY_US) for _ in range(2))]:
        assert differences(database, *span, features=FEATURES) == []
    assert_kept(database)


def test_what_is_left_is_exact(stack, rng):
    database = migrated(stack)
    some_history(database, rng)
    assert_exact(database, rng)
    for _ in range(10):
        device = f"device_{rng.randrange(1, 6)}"
        starts, ends = random_span(rng, now_us(), 4 * DAY_US)
        feature = rng.choice([None, None, *FEATURES])
        column = f"AND {feature} IS NOT NULL" if feature else ""
        there = database.value(
            f"SELECT count(*) FROM device_readings WHERE device_id = %s AND recorded_at >= %s AND recorded_at < %s {column}",
            (device, starts, ends),
        )
        before, empty = database.count(), database.value(EMPTY)
        assert database.value("SELECT readings_remove(%s, %s, %s, %s)", (device, starts, ends, feature)) == there
        if feature is None:
            assert database.count() == before - there
        assert database.value(
            f"SELECT count(*) FROM device_readings WHERE device_id = %s AND recorded_at >= %s AND recorded_at < %s {column}",
            (device, starts, ends),
        ) == 0
        if feature:
            assert database.value(EMPTY) == empty
        assert_exact(database, rng)
        if rng.random() < 0.4:
            store(database, rng, now_us() - 3 * DAY_US, 100)
        if rng.random() < 0.4:
            roll(database, rng)
        fold(database, rng)
    assert_exact(database, rng)


def test_a_device_is_forgotten(stack, rng):
    database = migrated(stack)
    some_history(database, rng)
    database.rows("INSERT INTO device_sequences (device, highest, highest_at, missing, repeats, restarts, taken_until, details) VALUES (2, 1, now(), 0, 0, 0, now(), '')")
    for topic in ("devices/device_2/readings", "devices/device_22/readings"):
        database.rows("INSERT INTO rejected_messages (received_at, topic, payload, reason, detail) VALUES (now(), %s, '', 'x', '')", (topic,))
    there = database.value("SELECT count(*) FROM readings WHERE device = 2")
    assert database.value("SELECT device_remove('device_2')") == there
    for table in ("readings", "peaks", "rollup_hours", "rollup_days", "rollup_open", "rollup_totals", "rollup_late", "device_sequences"):
        assert database.value(f"SELECT count(*) FROM {table} WHERE device = 2") == 0, table
    assert database.rows("SELECT device_id FROM devices WHERE id = 2") == []
    assert database.rows("SELECT topic FROM rejected_messages") == [("devices/device_22/readings",)]
    assert_exact(database, rng)
    assert database.value("SELECT device_remove('device_2')") == 0


def test_days_changed_by_hand_are_mended_by_a_rebuild(stack, rng):
    database = migrated(stack)
    some_history(database, rng)
    database.rows("DELETE FROM readings WHERE temperature > 20 OR temperature < 1")
    database.rows("UPDATE readings SET pressure = 21 WHERE ctid IN (SELECT ctid FROM readings ORDER BY random() LIMIT 3)")
    database.rows("SELECT rollup_rebuild(now() - interval '5 days', now())")
    assert_exact(database, rng)


def test_removals_that_cannot_be_meant_are_refused(stack):
    database = migrated(stack)
    by_hand(database, "a", now_us(), 1)
    for call in ("readings_remove('b', '-infinity', 'infinity')", "readings_remove('a', NULL, 'infinity')",
                 "readings_remove('a', '-infinity', 'infinity', 'humidity')"):
        with pytest.raises(psycopg2.errors.RaiseException):
            database.rows(f"SELECT {call}")
    assert database.value("SELECT readings_remove('a', 'infinity', '-infinity')") == 0
    assert_kept(database)


def test_peaks_of_dropped_partitions_go_with_their_span(stack):
    database = migrated(stack)
    now = now_us()
    by_hand(database, "a", now, 20)
    by_hand(database, "a", now - 3 * DAY_US, 85)
    database.rows("SELECT answer_partition_request('day', '400 days', NULL)")
    database.rows("UPDATE storage_state SET rolled_until = late_before - interval '2 days'")
    for _ in range(60):
        database.rows("SELECT rollup_until(late_before) FROM storage_state")
    assert database.value("SELECT detach_partition(now() - interval '1 day')")
    assert database.value("SELECT value FROM peaks WHERE feature = 'temperature' AND sort_order = 'desc'") == 85
    assert database.value("SELECT readings_remove('a', %s, %s)", (to_text(now - 4 * DAY_US), to_text(now - 2 * DAY_US))) == 0
    assert database.value("SELECT value FROM peaks WHERE feature = 'temperature' AND sort_order = 'desc'") == 20
    assert_kept(database)


ODD = "at stays starts ends r p x h d s c l q runs spans days hours excluded best count_ of_id of_device span peak removed most since bucket state".split()


def test_features_may_have_any_name(stack, rng):
    database = migrated(stack, features=",".join(ODD))
    database.rows("INSERT INTO devices (device_id) VALUES ('a'), ('b')")
    columns = ", ".join(f'"{name}"' for name in ODD)
    values = ", ".join(f"(random() * {i + 9})::integer" for i in range(len(ODD)))
    database.rows(
        f"INSERT INTO readings (device, content_hash, recorded_at, received_at, status, {columns})"
        f" SELECT 1 + i % 2, i, now() - i * interval '7 minutes', now(), 1, {values} FROM generate_series(1, 400) i"
    )
    database.rows("UPDATE storage_state SET rolled_until = late_before - interval '1 day'")
    roll(database, rng)
    database.rows("DELETE FROM readings WHERE content_hash % 17 = 0")
    database.rows("SELECT rollup_rebuild(now() - interval '3 days', now())")
    for i, name in enumerate(ODD):
        span = (to_text(now_us() - (i + 1) * HOUR_US), to_text(now_us() - i * HOUR_US), name if i % 2 else None)
        assert database.value("SELECT readings_remove('a', %s, %s, %s)", span) > 0
        expected = database.rows(f'SELECT device_id, max("{name}") FROM device_readings GROUP BY 1 HAVING max("{name}") IS NOT NULL')
        for since in ("-infinity", "2020-01-01"):
            found = database.rows(f"SELECT device_id, (best).\"{name}\" FROM board_of(%s, 'desc', %s, 10)", (name, since))
            assert sorted(found) == sorted(expected)
    assert_kept(database)
    assert database.value("SELECT sum(readings) FROM status_counts(0, '-infinity', 'infinity')") == database.count()
    assert database.value("SELECT device_remove('a')") > 0
    assert_kept(database)


# --- with collectors that are live ----------------------------------------------------------------


def dashboards(stack, interval):
    return {f: [(e["deviceId"], e[f]) for e in stack.get_json(f"/dashboard?features={f}&interval={interval}")[f]] for f in FEATURES}


def test_a_sensor_that_said_85_is_off_the_boards_within_a_second(stack):
    live(stack, lowest=1)
    stack.start_httpapi()
    listener = stack.listen("collectors/collector/boards/temperature/#")
    now = now_us()
    stack.publish(reading("d", now - 3, temperature=25, pressure=1), reading("d", now - 2, temperature=85, pressure=2),
                  reading("d", now - 1, temperature=21, pressure=3), reading("other", now - 2, temperature=30))
    stored(stack, 4)
    for interval in ("past_minute", "past_hour", "all_time"):
        until(lambda: dashboards(stack, interval)["temperature"] == [("d", 85), ("other", 30)], 10)
    assert stack.database.value("SELECT readings_remove('d', %s, %s, 'temperature')", (to_text(now - 2), to_text(now - 1))) == 1
    for interval in ("past_minute", "past_hour", "all_time"):
        topic = f"collectors/collector/boards/temperature/{interval}"
        until(lambda: [e["temperature"] for e in listener.latest(topic).json()["readings"]] == [30, 25], 10, topic)
        until(lambda: dashboards(stack, interval)["temperature"] == [("other", 30), ("d", 25)], 10)
        assert dashboards(stack, interval)["pressure"] == [("d", 3)], "the reading is there, but for that value"
    assert_all_agree(stack)
    stack.publish(reading("d", now_us(), temperature=26))  # beats what is left, not what was
    stored(stack, 5)
    assert_all_agree(stack)


def test_a_message_that_comes_again_brings_back_no_value_that_was_taken_out(stack):
    """It is a duplicate: the row stays without the value, and so do the boards."""
    live(stack, lowest=1)
    stack.start_httpapi()
    now = now_us()
    publisher = stack.publisher()
    for at, temperature in ((now - 3_000_000, 85.0), (now - 2_000_000, 21.0)):
        publisher.send(reading("oven", at, temperature=temperature, pressure=1.0))
    publisher.wait()
    stored(stack, 2)
    assert stack.database.value("SELECT readings_remove('oven', %s, 'infinity', 'pressure')", (to_text(now - 3_500_000),)) == 2
    assert stack.database.value("SELECT readings_remove('oven', %s, %s, 'temperature')", (to_text(now - 3_500_000), to_text(now - 2_500_000))) == 1
    assert_all_agree(stack)
    for _ in range(2):  # the second time it is expected, and goes another way
        publisher.send(reading("oven", now - 3_000_000, temperature=85.0, pressure=1.0))
        publisher.send(reading("other", now_us(), temperature=1.0))
        publisher.wait()
    stored(stack, 4)
    assert_all_agree(stack)
    board = stack.get_json("/dashboard?features=temperature,pressure&interval=past_hour")
    assert [entry["temperature"] for entry in board["temperature"]] == [21.0, 1.0]
    assert board["pressure"] == []


def test_a_device_that_was_forgotten_may_come_back(stack):
    live(stack, lowest=1)
    stack.start_httpapi()
    now = now_us()
    stack.publish(reading("d", now - 5, temperature=90, pressure=9), reading("e", now - 5, temperature=10, pressure=1))
    stored(stack, 2)
    assert stack.database.value("SELECT device_remove('d')") == 1
    until(lambda: dashboards(stack, "all_time")["temperature"] == [("e", 10)], 10)
    until(lambda: dashboards(stack, "past_hour")["pressure"] == [("e", 1)], 10)
    assert stack.get("/devices/d")[0] == 404
    stack.publish(reading("d", now - 4, temperature=50), reading("e", now - 4, temperature=20))
    stored(stack, 3)
    assert_all_agree(stack)
    assert stack.database.value("SELECT count(*) FROM device_readings WHERE device_id = 'd'") == 1


def test_a_removal_by_day_in_many_calls_is_heard_by_every_collector(stack):
    live(stack, lowest=1)
    stack.start_httpapi()
    now = now_us()
    stack.publish(*(reading("d", now - i * 60_000_000, temperature=100 - i, pressure=i) for i in range(30)))
    stored(stack, 30)
    live(stack, collector_id="other", lowest=1, log_name="other", metrics_listen="-", subscribe="elsewhere/+/readings")
    assert_all_agree(stack, collectors=("collector", "other"))
    for i in range(30):
        if i % 3:
            at = now - i * 60_000_000
            assert stack.database.value("SELECT readings_remove('d', %s, %s)", (to_text(at), to_text(at + 1))) == 1
    assert_all_agree(stack, collectors=("collector", "other"))
    stack.database.rows("SELECT readings_remove('d', '-infinity', 'infinity')")
    for collector in ("collector", "other"):
        topic = f"collectors/{collector}/boards/temperature/all_time"
        listener = stack.listen(topic)
        until(lambda: listener.latest(topic) and listener.latest(topic).json()["readings"] == [], 10, topic)


def test_what_others_store_is_on_live_boards(stack):
    """By hand, with INSERT or COPY, of one device or of hundreds, known to the collector or not."""
    live(stack, lowest=1)
    stack.start_httpapi()
    now = now_us()
    stack.publish(reading("a", now, temperature=5, pressure=5))
    stored(stack, 1)
    by_hand(stack.database, "a", now - 10_000_000, 999, 1)
    assert_all_agree(stack)
    by_hand(stack.database, "new", now - 10_000_000, -999, 7, copy=True)
    assert_all_agree(stack)
    stack.database.rows("INSERT INTO devices (device_id) SELECT 'many_' || i FROM generate_series(1, 300) i")
    stack.database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
        " SELECT id, 0, now() - interval '5 seconds', now(), id FROM devices WHERE device_id LIKE 'many%'"
    )
    assert_all_agree(stack)


def test_while_much_is_stored_nothing_is_wrong(stack, rng):
    """Removals during a load of several thousand readings a second: in the end all is what SQL says."""
    live(stack, lowest=1, log_name="collector")
    stack.start_httpapi()
    stack.start_devicesim("--num-devices", "40", "--rate", "3000", "--duration", "12s", log_name="fleet")
    until(lambda: stack.database.count() > 2000, 20)
    failures = []

    def remove():
        for _ in range(12):
            at = now_us()
            device = f"device_{rng.randrange(1, 41)}"
            try:
                if rng.random() < 0.3:
                    stack.database.value("SELECT device_remove(%s)", (device,))
                else:
                    span = (device, to_text(at - rng.randrange(5_000_000)), to_text(at + 60_000_000), rng.choice([None, *FEATURES]))
                    stack.database.value("SELECT readings_remove(%s, %s, %s, %s)", span)
            except psycopg2.errors.RaiseException:
                pass  # it is just forgotten
            except BaseException as failure:
                failures.append(failure)
            time.sleep(rng.random() / 2)  # a random moment

    thread = threading.Thread(target=remove)
    thread.start()
    thread.join(60)
    assert not failures
    fleet = next(p for p in stack._programs if p.name == "fleet")
    until(lambda: not fleet.is_running(), 60, "the fleet has ended")
    count = -1

    def is_quiet():
        nonlocal count
        before, count = count, stack.database.count()
        return before == count

    until(is_quiet, 20)
    assert stack.database.value("SELECT count(*) FROM readings r WHERE NOT EXISTS (SELECT FROM devices d WHERE d.id = r.device)") == 0
    assert_exact(stack.database, rng)
    assert_all_agree(stack)
