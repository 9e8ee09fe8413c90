"""All time: what peaks, boards and devices say is the best of all that was ever stored, whichever way it came in."""

from __future__ import annotations

import io
import signal

import pytest
from conftest import FAILPOINT_DIR
from oracle import now_us, reading, to_text, to_us
from servers import until
from storage import live, migrated

HOUR_US = 3_600_000_000
ORDERS = ("desc", "asc")


def bests(database, features):
    """By device, feature and order: the whole best reading, out of readings alone."""
    columns = ", ".join(f'"{f}"' for f in features)
    found = {}
    rows = database.rows(
        f"SELECT d.device_id, recorded_at, content_hash, status, {columns} FROM readings r JOIN devices d ON d.id = r.device"
    )
    for device, *best in rows:
        for i, feature in enumerate(features):
            value = best[3 + i]
            if value is None:
                continue
            for order, sign in (("desc", 1), ("asc", -1)):
                key = (sign * value, best[0], best[1])
                if (device, feature, order) not in found or key > found[device, feature, order][0]:
                    found[device, feature, order] = (key, best)
    return {ranking: best for ranking, (_, best) in found.items()}


def kept(database, features):
    """The same out of peaks."""
    columns = ", ".join(f'"{f}"' for f in features)
    rows = database.rows(
        f"SELECT d.device_id, feature, sort_order, recorded_at, content_hash, status, {columns}, value"
        " FROM peaks p JOIN devices d ON d.id = p.device"
    )
    for _, feature, _, *best in rows:
        assert best[-1] == best[3 + features.index(feature)], "value is that of the feature"
    return {(device, feature, order): best[:-1] for device, feature, order, *best in rows}


def names_of(database):
    return [name for (name,) in database.rows("SELECT features_of('readings')")]


def assert_kept(database):
    """peaks says what readings says; returns it."""
    features = names_of(database)
    expected = bests(database, features)
    assert kept(database, features) == expected
    return expected


def ranking(expected, feature, order):
    """A board out of bests(): (device, time, value), the best first."""
    sign = 1 if order == "desc" else -1
    entries = []
    for (device, f, o), (at, _, _, *values) in expected.items():
        if (f, o) == (feature, order):
            entries.append((device, to_us(at), next(v for name, v in zip(expected.features, values) if name == feature)))
    return sorted(entries, key=lambda e: (-sign * e[2], -e[1], e[0].encode()))


class Bests(dict):
    features: list[str]


def shown(entries, feature):
    return [(e["deviceId"], to_us(e["timestamp"]), float(e[feature])) for e in entries]


def assert_all_agree(stack, collectors=("collector",), lowest=True):
    """Readings = peaks = the retained boards of every collector = /dashboard = /devices/<id>."""
    expected = Bests(assert_kept(stack.database))
    expected.features = names_of(stack.database)
    listener = stack.listen("collectors/+/boards/#")
    asked = sorted({feature for _, feature, _ in expected})
    for order in ORDERS:
        for feature in asked:
            board = ranking(expected, feature, order)
            path = f"/dashboard?features={feature}&interval=all_time&order={order}&limit=1000"
            answer = None

            def is_answered():
                nonlocal answer
                answer = stack.get_json(path)[feature]
                return shown(answer, feature) == board

            until(is_answered, 10, f"{path} is {board}; it was {answer}")
            if order == "asc" and not lowest:
                continue
            for collector in collectors:
                topic = f"collectors/{collector}/boards/{feature}/all_time" + ("/lowest" if order == "asc" else "")

                def is_published():
                    latest = listener.latest(topic)
                    return latest and shown(latest.json()["readings"], feature) == board[:10]

                until(is_published, 10, f"{topic} is {board[:10]}: {listener.latest(topic)}")
    for device in {device for device, _, _ in expected}:
        peaks = stack.get_json(f"/devices/{device}")["peaks"]
        for feature in asked:
            for order, name in (("desc", "highest"), ("asc", "lowest")):
                best = expected.get((device, feature, order))
                entry = peaks[feature][name]
                assert (entry is None) == (best is None), (device, feature, name)
                if best:
                    assert to_us(entry["timestamp"]) == to_us(best[0])
                    values = dict(zip(expected.features, best[3:]))
                    assert {f: entry[f] for f in asked if entry[f] is not None} == {
                        f: values[f] for f in asked if values[f] is not None
                    }, "a peak is a whole reading"
    listener.close()
    return expected


def stored(stack, count):
    until(lambda: stack.database.count() == count, 20, f"{count} readings are stored: {stack.database.count()}")


def by_hand(database, device, at_us, temperature, pressure=None, copy=False):
    """As a person would with psql."""
    database.rows("INSERT INTO devices (device_id) VALUES (%s) ON CONFLICT DO NOTHING", (device,))
    number = database.value("SELECT id FROM devices WHERE device_id = %s", (device,))
    columns = "device, content_hash, recorded_at, received_at, temperature, pressure"
    if not copy:
        database.rows(
            f"INSERT INTO readings ({columns}) VALUES (%s, 7, %s, now(), %s, %s)", (number, to_text(at_us), temperature, pressure)
        )
        return
    connection = database.connect()
    with connection, connection.cursor() as cursor:
        pressure = "\\N" if pressure is None else pressure
        line = f"{number}\t8\t{to_text(at_us)}\t{to_text(at_us)}\t{temperature}\t{pressure}\n"
        cursor.copy_expert(f"COPY readings ({columns}) FROM STDIN", io.StringIO(line))
    connection.close()


def test_every_way_in_reaches_all_time(stack, rng):
    live(stack, lowest=1)
    stack.start_httpapi()
    now = now_us()
    ways = {
        "fresh": [reading("a", now + i, temperature=rng.randrange(-50, 50), pressure=rng.randrange(9)) for i in range(40)],
        "late": [reading("a", now - 5 * HOUR_US, temperature=80, pressure=-3), reading("b", now - 60 * HOUR_US, temperature=-80)],
        "ties": [reading("b", now - 2 * HOUR_US + i % 2, "ON" if i < 2 else "OFF", temperature=99) for i in range(4)],
        "no partition": [reading("c", now - 2000 * 24 * HOUR_US, temperature=120)],
    }
    count = 0
    for readings in ways.values():
        stack.publish(*readings)
        count += len(readings)
        stored(stack, count)
        assert_kept(stack.database)
    assert_all_agree(stack)
    stack.publish(*ways["late"], *ways["fresh"])  # what comes again comes through the staging table
    last = reading("a", now_us(), temperature=200)
    stack.publish(last, *ways["ties"])
    stored(stack, count + 1)
    assert_all_agree(stack)


def test_what_is_stored_by_hand_is_on_the_boards_after_a_start(stack):
    """A live collector does not look at what others store; peaks does."""
    program = live(stack, lowest=1)
    stack.start_httpapi()
    now = now_us()
    stack.publish(reading("a", now, temperature=5, pressure=5))
    stored(stack, 1)
    by_hand(stack.database, "a", now - HOUR_US, 999)
    by_hand(stack.database, "b", now, -999, 3, copy=True)
    assert_kept(stack.database)
    stack.publish(reading("a", now + 1, temperature=6))  # worse than what this collector has never seen
    stored(stack, 4)
    assert_kept(stack.database)
    assert program.terminate() == 0
    program.start()
    assert_all_agree(stack)


def test_a_statement_that_is_rolled_back_leaves_no_peak(stack):
    database = migrated(stack)
    by_hand(database, "a", now_us(), 1)
    connection = database.connect()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature) VALUES (1, 9, now(), now(), 50)")
        cursor.execute("SELECT value FROM peaks WHERE sort_order = 'desc'")
        assert cursor.fetchone() == (50,)
    connection.rollback()
    connection.close()
    assert_kept(database)


def test_not_a_number_is_no_peak(stack):
    database = migrated(stack)
    by_hand(database, "a", now_us(), "NaN", 1)
    by_hand(database, "a", now_us() - 5, 3, "NaN")
    assert {(f, o): v for f, o, v in database.rows("SELECT feature, sort_order, value FROM peaks")} == {
        ("temperature", "desc"): 3, ("temperature", "asc"): 3, ("pressure", "desc"): 1, ("pressure", "asc"): 1,
    }
    assert database.rows("SELECT (best).temperature FROM board_of('temperature', 'desc', '2020-01-01', 5)") == [(3,)]


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_a_kill_between_the_parts_of_a_bisection_loses_no_peak(stack, n):
    """Parts of a batch that holds a refused row are committed one by one; each with its peaks."""
    database = migrated(stack)
    database.rows("ALTER TABLE readings ADD CONSTRAINT poison CHECK (temperature <> 666)")
    program = live(stack, directory=FAILPOINT_DIR, env={"CRASH_AT": f"copy_begin:{n}"}, lowest=1, linger="300ms")
    now = now_us()
    readings = [reading(f"d{i % 5}", now + i, temperature=666 if i == 11 else (i * 37) % 100) for i in range(16)]
    stack.publish(*readings)
    until(lambda: not program.is_running(), 20, "it is killed")
    assert program.exit_code == -signal.SIGKILL
    assert_kept(database)
    live(stack, lowest=1, log_name="again")
    stack.start_httpapi()
    stored(stack, 15)
    assert_all_agree(stack)


def test_rejected_messages_that_are_sent_again_reach_all_time(stack):
    program = live(stack, lowest=1, future_tolerance="1s")
    stack.start_httpapi()
    now = now_us()
    message = stack.publisher()
    message.send(reading("a", now + 30_000_000, pressure=77))
    message.send(reading("a", now, pressure=1))
    message.wait()
    until(lambda: stack.database.count("rejected_messages") == 1 and stack.database.count() == 1, 10)
    assert program.terminate() == 0
    program = live(stack, lowest=1, log_name="mended")
    again = stack.program("collector", ["--rejected", "--resubmit"], log_name="resubmit")
    again.start()
    assert again.wait(30) == 0, again.tail()
    stored(stack, 2)
    assert_all_agree(stack)


def test_lowest_that_is_switched_on_later_knows_all_lows(stack):
    """Also when another collector of the database never ranks that way."""
    first = live(stack)
    stack.start_httpapi()
    now = now_us()
    stack.publish(reading("d", now - 3 * HOUR_US, temperature=-100), reading("silent", now - 50 * HOUR_US, temperature=-300))
    stack.publish(reading("d", now, temperature=5))
    stored(stack, 3)
    assert_all_agree(stack, lowest=False)
    assert first.terminate() == 0
    second = live(stack, lowest=1, log_name="second")
    assert_all_agree(stack)
    stack.publish(reading("d", now_us(), temperature=6))
    stored(stack, 4)
    assert_all_agree(stack)
    assert second.terminate() == 0
    third = live(stack, log_name="third")  # off again
    stack.publish(reading("d", now_us(), temperature=-500))
    stored(stack, 5)
    assert_kept(stack.database)
    assert third.terminate() == 0
    live(stack, lowest=1, log_name="fourth")
    assert_all_agree(stack)


def test_a_feature_that_went_and_came_back_keeps_whole_readings(stack):
    """Never the values of two readings in one row of peaks."""
    at = now_us() - 1_000_000
    steps = [
        ("temperature,pressure", {"temperature": 1, "pressure": 100}),
        ("temperature", {"temperature": 2}),
        ("temperature", {"temperature": -2, "pressure": 1000}),  # which this collector does not know
        ("temperature,pressure,humidity", {"temperature": 0, "humidity": 40}),
        ("pressure", {"temperature": 50, "pressure": 7}),
        ("humidity,temperature,pressure", {"temperature": 1.5, "pressure": 1, "humidity": 3}),
    ]
    for i, (features, values) in enumerate(steps):
        program = live(stack, features=features, lowest=1, log_name=f"collector_{i}")
        # the first batch goes through the trigger, the second past it
        stack.publish(reading("warm", now_us(), **{name: i for name in features.split(",")}))
        stored(stack, 2 * i + 1)
        stack.publish(reading("d", at + i, **values))
        stored(stack, 2 * i + 2)
        assert_kept(stack.database)
        assert program.terminate() == 0
    found = stack.database.rows("SELECT temperature, pressure FROM peaks WHERE feature = 'temperature'"
        " AND sort_order = 'desc' AND device = (SELECT id FROM devices WHERE device_id = 'd')")
    assert found == [(2, None)]
    live(stack, features="humidity,temperature,pressure", lowest=1, log_name="last")
    stack.start_httpapi(features="humidity,temperature,pressure")
    assert_all_agree(stack)


def test_what_came_before_its_feature_stays_as_it_was_stored(stack):
    """The same message again is a duplicate, though now there is more of it to be kept."""
    at = now_us()
    first = live(stack, features="temperature", lowest=1)
    stack.publish(reading("d", at - 5, temperature=3, pressure=5))
    stored(stack, 1)
    first.terminate(20)
    live(stack, features="temperature,pressure", lowest=1, log_name="second")
    stack.start_httpapi()
    for count in (2, 3):
        stack.publish(reading("d", at - 5, temperature=3, pressure=5), reading("e", at - 10 + count, temperature=1, pressure=1))
        stored(stack, count)
        assert_all_agree(stack)
    board = stack.get_json("/dashboard?features=temperature,pressure&interval=past_hour")
    assert [entry["deviceId"] for entry in board["pressure"]] == ["e"]
    assert [entry["deviceId"] for entry in board["temperature"]] == ["d", "e"]
    assert "pressure" not in board["temperature"][0] or board["temperature"][0]["pressure"] is None


def test_a_collector_that_does_not_know_a_feature_leaves_nothing_of_it(stack):
    """Another collector adds the feature while this one runs; the new peak has not the old one's value of it."""
    live(stack, features="temperature")
    for count in (1, 2):  # the second goes past the trigger, so that what merges peaks is planned by then
        stack.publish(reading("warm", now_us(), temperature=count))
        stored(stack, count)
    live(stack, collector_id="other", features="temperature,humidity", subscribe="elsewhere/+/readings", log_name="other",
         metrics_listen="-")
    publisher = stack.publisher()
    publisher.send(reading("d", now_us(), temperature=5, humidity=40), topic="elsewhere/d/readings")
    publisher.wait()
    stored(stack, 3)
    stack.publish(reading("d", now_us(), temperature=50))
    stored(stack, 4)
    assert_kept(stack.database)
