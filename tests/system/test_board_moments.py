"""Every board is that of its own moment, and every status that names it is right about all moments it names.

The table is asked once, at the end, what had been received when; the boards of any moment follow from that.
"""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from board_moments import BLINK, GRID_US, Ear, Row, assert_right, board_at, names, shown, steps, stored_rows
from faults import (
    arrived,
    commits_held,
    count_lines,
    database_through,
    is_stored,
    proxy_to,
    start_fleet,
    waits_for_lock,
)
from oracle import now_us, reading, to_us
from servers import PrivateBroker, until


@pytest.fixture
def broker_b(area, logs):
    """A second broker."""
    server = PrivateBroker(Path(tempfile.mkdtemp(dir=area, prefix="broker-b-")), log=logs / "broker_b.log")
    server.start()
    yield server
    server.kill9()


# --- Expiry, faults ----------------------------------------------------------------------------------


def test_boards_around_expiries_are_those_of_their_moment(stack, rng):
    _, fleet = start_fleet(stack, rng, intervals=BLINK)
    ear = Ear(stack)
    for _ in range(4):
        at_us = now_us()
        stack.publish(reading("first", at_us, temperature=1000.0 + rng.random()))
        stack.publish(reading("second", at_us + 1_000_000, temperature=999.0 + rng.random()))
        fleet.send(20)
        ear.until(lambda s, at_us=at_us: to_us(s["since"]) >= at_us + 2_000_000, 10, "the first has expired")
    ear.until_vouched(now_us())
    assert_right(stack, ear, least=200)


def test_between_two_spans_no_moment_is_left_out(stack, rng):
    # or two collectors, each with changes of its own, might never have a moment in common
    start_fleet(stack, rng, intervals=BLINK)
    ear = Ear(stack)
    for number in range(6):
        ear.until_vouched(now_us())
        begun = len(ear.said())
        until(lambda begun=begun: len(ear.said()) > begun, 5, "a status that nothing but time has made")
        time.sleep(rng.random() / 2)  # the moment of the change
        stack.publish(reading("one", temperature=1000.0 + number))
        ear.until(lambda s, at_us=now_us(): to_us(s["since"]) > at_us - 10 * GRID_US and to_us(s["asOf"]) >= at_us)
    # by chance, on a machine that is late, one may be
    assert sum(step > GRID_US for step in steps(ear)) <= 2, steps(ear)


def test_under_load_every_status_is_right(stack, rng):
    _, fleet = start_fleet(stack, rng, intervals=BLINK, lowest=1)
    ear = Ear(stack)
    with fleet.load(500):
        until(lambda start=fleet.readings: fleet.readings > start + 2000, 30)
    arrived(stack, fleet.publisher)
    ear.until_vouched(now_us())
    rows = stored_rows(stack.database)
    highest = [said for said in ear.said() if said.status["lowest"]]
    assert len({said.status["asOf"] for said in highest}) > 20
    lowest_negated = [
        Row(row.device, row.recorded_us, row.received_us, row.hash, tuple(v if v is None else -v for v in row.values))
        for row in rows
    ]
    for said in highest[-20:]:
        for name, generation in zip(names(said.status), said.status["generations"]):
            feature, interval, *order = name.split("/")
            right = board_at(lowest_negated if order else rows, feature, interval, to_us(said.status["asOf"]))
            board = said.boards.get((name, generation))
            if generation and board:
                assert shown(board) == [(d, at, -v if order else v) for d, at, v in right], name


def test_nothing_expires_and_nothing_moves_while_postgres_is_away(stack, postgres, rng):
    collector, fleet = start_fleet(stack, rng, intervals=BLINK, leave_after="60s")
    ear = Ear(stack)
    fleet.send(20)
    arrived(stack, fleet.publisher)
    ear.until_vouched(now_us())
    rows = stored_rows(stack.database)
    postgres.stop("immediate")
    until(lambda: "database: up -> down" in collector.output())
    stood = ear.last()["asOf"]
    fleet.send(20)  # received, and not stored
    until(lambda: stack.metrics()["highwater_readings_in_flight"] > 0)
    begun = len(ear.said())
    until(lambda: len(ear.said()) >= begun + 3, 10, "three more statuses, one a second")
    last = ear.last()
    assert last["asOf"] == stood and last["state"] == "degraded" and all(last["generations"])
    assert_right(stack, ear, rows)
    postgres.start()
    ear.until_vouched(now_us(), 30)
    arrived(stack, fleet.publisher)
    ear.until_vouched(now_us())
    assert_right(stack, ear)


def test_a_loop_that_is_late_makes_the_boards_of_their_moments(stack, rng):
    collector, fleet = start_fleet(stack, rng, intervals=BLINK)
    ear = Ear(stack)
    for _ in range(3):
        fleet.send(20)
        with collector.paused(), fleet.load(200):
            time.sleep(0.5 + 2.5 * rng.random())  # the length of the fault
        fleet.send(5)
    arrived(stack, fleet.publisher)
    ear.until_vouched(now_us())
    assert_right(stack, ear)


def test_a_batch_longer_than_a_moment_is_cut_at_it(stack, rng):
    # batches of a second: most as-ofs lie within one
    _, fleet = start_fleet(stack, rng, intervals=BLINK, linger="1s")
    ear = Ear(stack)
    with fleet.load(100):
        until(lambda start=fleet.readings: fleet.readings > start + 300, 30)
    arrived(stack, fleet.publisher)
    ear.until_vouched(now_us())
    assert_right(stack, ear)
    assert len({said.status["asOf"] for said in ear.said()}) > 15


def test_a_moment_waits_for_what_is_in_flight(stack, rng):
    _, fleet = start_fleet(stack, rng, intervals=BLINK)
    ear = Ear(stack)
    ear.until_vouched(now_us())
    with commits_held(stack):
        before_us = now_us()
        fleet.send(10)
        until(lambda: waits_for_lock(stack))
        begun = len(ear.said())
        until(lambda: len(ear.said()) >= begun + 3, 10, "three more statuses")
        assert to_us(ear.last()["asOf"]) <= before_us + GRID_US
    arrived(stack, fleet.publisher)
    ear.until_vouched(now_us())
    assert_right(stack, ear)


def test_the_last_boards_hold_the_last_readings(stack, rng):
    collector, fleet = start_fleet(stack, rng, intervals=BLINK)
    ear = Ear(stack)
    for number in range(4):
        last = reading("last", temperature=2000.0 + number)
        stack.publish(last)
        until(lambda last=last: is_stored(stack, last), pause=0.001)
        assert collector.terminate() == 0
        stopped = ear.until(lambda s: s["state"] == "stopped", 5, "the last status")
        assert to_us(stopped["asOf"]) >= max(row.received_us for row in stored_rows(stack.database))
        assert on_board(ear, "temperature/all_time")["last"] == 2000.0 + number
        collector.start()
        ear.until(lambda s, before=stopped: s["state"] == "live" and s["turn"] == before["turn"] + 1 and all(s["generations"]))
        fleet.send(5)
    arrived(stack, fleet.publisher)
    assert_right(stack, ear)


def test_boards_come_again_when_the_broker_comes_back_empty(stack, rng):
    stack.broker.extra_lines = ["persistence false"]
    stack.broker.restart()
    _, fleet = start_fleet(stack, rng, intervals=BLINK)
    fleet.send(20)
    arrived(stack, fleet.publisher)
    ear = Ear(stack)
    ear.until_vouched(now_us())
    before = ear.last()["generations"]
    stack.broker.restart()
    after = ear.until(lambda s: all(now > then for now, then in zip(s["generations"], before)), 15)
    fresh = Ear(stack)  # which has heard nothing before
    fresh.until_vouched(to_us(after["asOf"]))
    assert_right(stack, ear)
    assert_right(stack, fresh)


# --- Boards that cannot be relied on ---------------------------------------------------------------


def test_a_board_too_large_for_the_broker_is_not_vouched_for(stack, rng):
    stack.broker.extra_lines = ["max_packet_size 2000"]
    stack.broker.restart()
    collector, fleet = start_fleet(stack, rng, num_top_devices=40, intervals=BLINK)
    ear = Ear(stack)
    ear.until_vouched(now_us())
    for number in range(40):
        stack.publish(reading(f"many_{number}", temperature=100.0 + number))
    last = ear.until(lambda s: not all(s["generations"]), 10, "a board that nobody may rely on")
    assert last["generations"][names(last).index("temperature/all_time")] == 0
    assert last["generations"][names(last).index("pressure/all_time")] != 0
    until(lambda: "the broker takes no message of" in collector.output())
    fresh = stack.listen("collectors/collector/boards/#")
    until(lambda: fresh.latest("collectors/collector/boards/pressure/all_time"))
    assert fresh.latest("collectors/collector/boards/temperature/all_time") is None  # withdrawn
    assert count_lines(collector, "the broker takes no message of") == 1
    assert stack.metrics()["highwater_boards_refused_total"] > 0
    assert_right(stack, ear)


def test_what_is_no_longer_kept_is_cleared(stack, rng):
    collector, fleet = start_fleet(stack, rng, lowest=1)
    fleet.send(20)
    listener = stack.listen("collectors/collector/boards/#")
    until(lambda: len({r.topic for r in listener.received}) == 12, 10, "twelve boards")
    assert collector.terminate() == 0
    stack.start_collector(features="pressure", intervals="past_hour=1h,all_time")
    gone = {f"temperature/{i}{o}" for i in ("past_minute", "past_hour", "all_time") for o in ("", "/lowest")}
    gone |= {"pressure/past_minute"} | {f"pressure/{i}/lowest" for i in ("past_minute", "past_hour", "all_time")}
    topics = {f"collectors/collector/boards/{name}" for name in gone}
    until(lambda: {r.topic for r in listener.received if not r.payload} >= topics, 10, "they are cleared")
    assert {r.topic for r in listener.received if not r.payload} == topics
    fresh = Ear(stack)
    fresh.until_vouched(now_us())
    assert {name for name, _ in fresh.said()[-1].boards} == {"pressure/past_hour", "pressure/all_time"}


# --- Several collectors ------------------------------------------------------------------------------


def start_two(stack, port_b=None, **settings):
    """Collectors a and b, each with devices of its own, b at another broker if asked to."""
    a = stack.start_collector(
        log_name="a", collector_id="a", subscribe="site-a/+/readings", intervals="past_minute=60s,all_time", **settings
    )
    other = {} if port_b is None else {"mqtt_url": f"mqtt://127.0.0.1:{port_b}"}
    b = stack.start_collector(
        log_name="b", collector_id="b", subscribe="site-b/+/readings", metrics_listen="-",
        intervals="past_minute=60s,all_time", **other, **settings
    )
    return a, b


def send(stack, site, device, value, port=None):
    publisher = stack.publisher(port=port)
    one = reading(device, temperature=value)

    def taken():
        message = publisher.send([one], topic=f"{site}/{device}/readings")
        publisher.wait()
        return message.is_acknowledged

    until(taken, 15, f"{site} is subscribed to")
    until(lambda: is_stored(stack, one), 10, f"{device} is stored")


def batches(stack, collector_id):
    return stack.database.value("SELECT batches FROM collectors WHERE id = %s", (collector_id,))


def on_board(ear, name):
    """{device: value} of the latest board that is vouched for."""
    said = ear.said()[-1]
    generation = dict(zip(names(said.status), said.status["generations"]))[name]
    board = said.boards.get((name, generation))
    return {device: value for device, _, value in shown(board)} if generation and board else {}


def wait_for_survivor(stack, ear, seconds=8.0):
    wanted = batches(stack, "b")
    ear.until(lambda s: s["loaded"].get("b", 0) >= wanted and all(s["generations"]), seconds, "a has loaded what b stored")


@pytest.mark.parametrize("end", ["killed", "stopped"])
@pytest.mark.parametrize("brokers", ["one broker", "two brokers"])
def test_a_survivor_takes_over_what_a_collector_stored_that_is_gone(stack, broker_b, rng, end, brokers):
    port_b = broker_b.port if brokers == "two brokers" else None
    a, b = start_two(stack, port_b)
    ear = Ear(stack, "a")
    send(stack, "site-a", "mine", 2.0)
    send(stack, "site-b", "others", 9.0, port_b)
    ear.until_vouched(now_us())
    # b lives: what it stores is not a's, and a does not say so
    assert on_board(ear, "temperature/all_time") == {"mine": 2.0}
    assert ear.last()["loaded"].get("b", 0) < batches(stack, "b")
    b.kill9() if end == "killed" else b.terminate()
    wait_for_survivor(stack, ear)
    assert on_board(ear, "temperature/all_time") == {"others": 9.0, "mine": 2.0}
    loads = stack.metrics()["highwater_windows_loads_total"]
    assert loads == 2
    # and it never says that it has loaded what its boards did not show at that moment
    for said in ear.said():
        if said.status["loaded"].get("b", 0) >= batches(stack, "b"):
            name = "temperature/all_time"
            board = said.boards[name, dict(zip(names(said.status), said.status["generations"]))[name]]
            assert "others" in {entry["deviceId"] for entry in board["readings"]}
    # what nobody adds to is not loaded again
    send(stack, "site-a", "mine", 3.0)
    judged = len(ear.said())
    until(lambda: len(ear.said()) >= judged + 3, 10)
    assert stack.metrics()["highwater_windows_loads_total"] == loads
    # b comes back, stores more, and is gone once more
    b.start()
    send(stack, "site-b", "others", 10.0, port_b)
    b.kill9()
    wait_for_survivor(stack, ear)
    assert on_board(ear, "temperature/all_time") == {"others": 10.0, "mine": 3.0}
    assert a.is_running()


def test_what_a_collector_has_stored_is_not_forgotten(stack):
    start_two(stack)
    send(stack, "site-b", "others", 9.0)
    for statement in ("DELETE FROM collectors WHERE id = 'b'", "TRUNCATE collectors CASCADE"):
        with pytest.raises(psycopg2.errors.RaiseException, match="kept for good"):
            stack.database.rows(statement)
    assert batches(stack, "b") > 0


def test_two_that_live_meet_at_common_moments(stack, rng):
    start_two(stack)
    ears = [Ear(stack, "a"), Ear(stack, "b")]
    send(stack, "site-a", "mine", 2.0)
    send(stack, "site-b", "others", 9.0)

    def meet():
        spans = [(to_us(ear.last()["since"]), to_us(ear.last()["asOf"])) for ear in ears]
        return min(until_us for _, until_us in spans) >= max(since_us for since_us, _ in spans)

    for ear in ears:
        ear.until_vouched(now_us() + 1_500_000)  # each knows of the other by then
    for number in range(5):
        send(stack, "site-a", "mine", 3.0 + number)
        sent_us = now_us()
        for ear in ears:
            ear.until(lambda s, sent_us=sent_us: to_us(s["asOf"]) >= sent_us)
        until(meet, 5, "a moment of both")
    assert ears[1].last()["loaded"].get("a", 0) < batches(stack, "a")
    # b has nothing to say but that its boards hold, and says so of each moment, unless it stands still itself
    def says_two_in_a_row():
        moments = sorted({at for said in ears[1].said() if (at := to_us(said.status["asOf"])) >= sent_us})
        return GRID_US in (after - before for before, after in pairwise(moments))

    until(says_two_in_a_row)


# --- The turn ----------------------------------------------------------------------------------------


def end_store_session(stack):
    connection = stack.database.connect(superuser=True)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE"
                       " 'highwater collector%' AND datname = current_database()")
    connection.close()


def test_a_session_that_nobody_else_had_meanwhile_keeps_its_windows(stack, rng):
    _, fleet = start_fleet(stack, rng)
    ear = Ear(stack)
    ear.until_vouched(now_us())
    turn = ear.last()["turn"]
    begun = len(ear.said())
    end_store_session(stack)
    ear.until(lambda s: s["turn"] > turn and s["state"] == "live", 15)
    fleet.send(10)
    arrived(stack, fleet.publisher)
    ear.until_vouched(now_us())
    # what others may have stored by hand meanwhile is loaded; the boards hold all the while
    if ear.last()["turn"] == turn + 1:
        assert all(all(said.status["generations"]) for said in ear.said()[begun:])
    assert_right(stack, ear)


def test_windows_are_loaded_again_when_another_had_the_turn_unnoticed(stack, rng):
    """The ghost: its session was lost, another stored in its name and is gone before it looks."""
    with proxy_to(urlsplit(stack.database.url).port) as link:
        _, fleet = start_fleet(stack, rng, database_url=database_through(link, stack), leave_after="60s")
        ear = Ear(stack)
        ear.until_vouched(now_us())
        turn = ear.last()["turn"]
        link.refuse()
        link.reset()
        other = stack.database.connect()
        other.autocommit = True
        with other.cursor() as cursor:
            until(lambda: (cursor.execute("SELECT is_ours FROM collector_enter('collector')"), cursor.fetchone()[0])[1])
            cursor.execute("SET highwater.ranks = on")  # as a collector: no notification
            cursor.execute("INSERT INTO devices (device_id) VALUES ('unseen')")
            cursor.execute(
                "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
                " SELECT id, 1, now(), now(), 5000 FROM devices WHERE device_id = 'unseen'"
            )
        other.close()
        link.listen()
        ear.until(lambda s: s["turn"] > turn + 1 and s["state"] == "live" and all(s["generations"]), 20)
        assert on_board(ear, "temperature/past_minute")["unseen"] == 5000.0
        for said in ear.said():
            if said.status["turn"] > turn + 1 and all(said.status["generations"]):
                name = "temperature/past_minute"
                board = said.boards[name, dict(zip(names(said.status), said.status["generations"]))[name]]
                assert board["readings"][0]["deviceId"] == "unseen"
