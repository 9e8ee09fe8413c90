"""Boards answer only while no collector's readings are missing from them: one that dies, forgets, or is not heard.

Two collectors at two places; every answer is judged by the oracle while something happens to one of them, and
afterwards boards must answer again, exactly.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from exactness import Exactness, report
from faults import Books, commits_held, database_through, proxy_to
from http_tools import PlayedCollector
from mixed_load import MixedFleet
from oracle import Publisher, now_us, reading, to_text, to_us
from published import Eras, Settings
from servers import LOOPBACK, PrivateBroker, free_port, paused, until

FEATURES = ("temperature", "pressure")
INTERVALS = {"brief": 2, "past_minute": 60, "all_time": None}
SETTINGS = Settings(FEATURES, tuple(INTERVALS.items()), limit=4)
SITES = ("site-a/devices/{}/readings", "site-b/devices/{}/readings")
AGAIN_S = 30  # within which boards answer again; what it takes is far less


def owner_of(topic: str) -> str:
    return topic.split("/")[0][-1]


class Places:
    """Collectors a and b with httpapi, a fleet that sends to both, and the oracle of what they say."""

    def __init__(self, stack, rng) -> None:
        self.stack = stack
        self.eras = Eras()
        self.collectors = {}
        self.settings = SETTINGS
        for name in "ab":
            self.start(name)
        self.http = stack.start_httpapi(**SETTINGS.for_httpapi())
        self.fleet = MixedFleet(rng, stack.publisher(), FEATURES, SITES)
        self.exact = Exactness(
            stack, rng, [self.fleet.publisher], self.eras, lambda: self.settings, self.fleet.devices, FEATURES,
            INTERVALS, owner_of, pause_s=0.01
        )  # fmt: skip

    def start(self, name: str, **settings) -> None:
        self.eras.begin(name, SETTINGS)
        self.collectors[name] = self.stack.start_collector(
            **{
                **SETTINGS.for_collector(),
                "collector_id": name,
                "subscribe": f"site-{name}/devices/+/readings",
                "metrics_listen": f"{LOOPBACK}:{free_port()}",
                "log_name": f"collector-{name}",
                **settings,
            }
        )

    def restart_httpapi(self) -> None:
        """Answers of the one before are not mixed with those of the one that follows."""
        self.settings = Settings(FEATURES, tuple(INTERVALS.items()), limit=4)
        self.http.kill9()
        self.http = self.stack.start_httpapi(**SETTINGS.for_httpapi())

    def source(self, interval: str = "all_time") -> str | None:
        return self.stack.get(f"/dashboard?interval={interval}")[1].get("X-Data-Source")

    def await_boards(self) -> None:
        for interval in INTERVALS:
            until(lambda interval=interval: self.source(interval) == "boards", AGAIN_S, f"boards of {interval}")

    def asked(self, count: int) -> None:
        """So many more answers are there to be judged."""
        before = len(self.exact.questioner.answers)
        until(lambda: len(self.exact.questioner.answers) >= before + count, 60, f"{count} answers")

    def sources(self) -> Counter[str]:
        """Where the boards came from that were answered so far."""
        return Counter(a.source for a in list(self.exact.questioner.answers) if a.kind == "board" and a.status == 200)

    def is_stored(self, name: str) -> bool:
        rows = self.stack.database.rows("SELECT batches FROM collectors WHERE id = %s", (name,))
        return bool(rows) and rows[0][0] > 0

    def during(self, happening) -> None:
        """Judges what is answered before, while and after something happens."""
        self.await_boards()
        with self.exact:
            with self.fleet.load(60):
                until(lambda: self.is_stored("a") and self.is_stored("b"), 20, "both have stored")
                self.asked(20)
                happening()
                self.asked(60)
            self.await_boards()
            self.asked(20)
            until(lambda: self.sources()["boards"] > 10, 60, "answers of boards")
        sources = self.sources()
        differences = self.exact.differences()
        assert not differences, f"{len(differences)} differences\n{report(differences)}"
        assert sources["boards"] > 10, sources


@pytest.fixture
def places(stack, rng):
    return Places(stack, rng)


# --- One of two is gone --------------------------------------------------------------------------


def test_a_collector_is_killed_and_never_comes_back(places):
    places.during(places.collectors["b"].kill9)


@pytest.mark.faults
def test_a_collector_is_stopped(places):
    places.during(lambda: places.collectors["b"].terminate())


def test_a_collector_that_drains_is_not_gone(places):
    """What it holds was received and is on nobody's boards, though these have all that it had stored before."""
    stack, publisher, b = places.stack, places.fleet.publisher, places.collectors["b"]

    def send(value):
        publisher.send(reading("d", temperature=value), topic="site-b/devices/d/readings")
        publisher.wait()

    books = Books(stack, "b")
    books.until(lambda status: status["state"] == "live", 30, "b has a session")
    places.await_boards()
    send(1.0)
    until(lambda: places.is_stored("b"), 20, "b has stored")
    places.collectors["a"].kill9()
    places.start("a")
    Books(stack, "a").until(lambda a: a["state"] == "live" and a["loaded"].get("b", 0) > 0, 30, "a has what b stored")
    places.await_boards()
    with commits_held(stack):
        send(2.0)
        books.until(lambda status: status["inFlight"] > 0, what="b holds a reading")
        held_us = now_us()
        b.signal(signal.SIGTERM)
        until(lambda: "draining" in b.output(), 10)
        draining_us = now_us()
        heard = stack.listen("collectors/a/status")
        until(lambda: heard.received and to_us(heard.received[-1].json()["asOf"]) > draining_us + 1_000_000, 20, "a goes on")
        _, headers, body = stack.get("/dashboard?interval=all_time")
        assert headers["X-Data-Source"] == "database" or to_us(headers["X-Data-As-Of"]) < held_us, body
        assert books.now()["state"] != "stopped"
    assert b.wait() == 0
    books.until(lambda status: status["state"] == "stopped" and status["inFlight"] == 0)
    places.await_boards()
    assert stack.get_json("/dashboard?interval=all_time")["temperature"][0]["temperature"] == 2


@pytest.mark.faults
def test_a_collector_is_killed_and_comes_back(places):
    def happening() -> None:
        places.collectors["b"].kill9()
        places.asked(20)
        places.start("b")

    places.during(happening)


@pytest.mark.faults
def test_a_collector_is_killed_and_its_status_is_cleared(places):
    def happening() -> None:
        places.collectors["b"].kill9()
        publisher: Publisher = places.stack.publisher()
        publisher.send_bytes("collectors/b/status", b"", retain=True)
        publisher.wait()

    places.during(happening)


@pytest.mark.faults
def test_both_are_killed_and_one_comes_back(places):
    def happening() -> None:
        for collector in places.collectors.values():
            collector.kill9()
        places.asked(20)
        places.start("a")

    places.during(happening)


@pytest.mark.faults
def test_a_collector_is_killed_and_httpapi_starts_anew(places):
    def happening() -> None:
        places.collectors["b"].kill9()
        places.restart_httpapi()

    places.during(happening)


@pytest.mark.faults
@pytest.mark.parametrize("killed", ["", "b"])
def test_the_broker_comes_back_empty(places, killed):
    def happening() -> None:
        for name in killed:
            places.collectors[name].kill9()
        places.stack.broker.kill9()
        for file in places.stack.broker.home.glob("mosquitto.db*"):
            file.unlink()
        places.stack.broker.start()

    places.during(happening)


@pytest.mark.faults
def test_a_collector_stands_still_for_a_while(places):
    def happening() -> None:
        with paused(places.collectors["b"].pid):
            places.asked(60)  # longer than it may be silent, or not: right either way

    places.during(happening)


@pytest.mark.faults
def test_the_database_is_away_for_a_while(places, postgres):
    def happening() -> None:
        postgres.stop()
        places.asked(40)
        postgres.start()

    places.during(happening)


# --- Who is not heard ----------------------------------------------------------------------------


@pytest.fixture
def second_broker(area, logs):
    home = Path(tempfile.mkdtemp(dir=area, prefix="broker-"))
    server = PrivateBroker(home, log=logs / "broker-2.log")
    server.start()
    yield server
    server.kill9()
    shutil.rmtree(home, ignore_errors=True)


def board(stack, interval="all_time", feature="temperature"):
    """(source, [(device, value)]); nothing while there is neither a table nor a board."""
    status, headers, body = stack.get(f"/dashboard?features={feature}&interval={interval}")
    if status != 200:
        return None, []
    return headers["X-Data-Source"], [(e["deviceId"], e[feature]) for e in json.loads(body)[feature]]


def await_boards(stack):
    until(lambda: board(stack)[0] == "boards", AGAIN_S, "boards answer")


def test_a_collector_at_another_broker_is_not_forgotten(stack, second_broker):
    """The database knows it, and that nobody here has its readings; once it is gone the other one loads them."""
    stack.start_collector(collector_id="a")
    far = stack.start_collector(
        collector_id="b", mqtt_url=second_broker.url(), metrics_listen=f"{LOOPBACK}:{free_port()}", log_name="far"
    )
    stack.start_httpapi()
    await_boards(stack)
    stack.publish(reading("d1", temperature=1))
    until(lambda: board(stack) == ("boards", [("d1", 1)]), AGAIN_S)
    there = Publisher(second_broker.port)
    try:
        until(lambda: stack.database.rows("SELECT turn FROM collectors WHERE id = 'b'"), 20)
        until(lambda: there.send(reading("d2", temperature=2)) and stack.database.count() >= 2, 20, pause=0.1)
        until(lambda: board(stack)[0] == "database")  # until then: boards of a moment before
        for _ in range(20):
            assert board(stack) == ("database", [("d2", 2), ("d1", 1)])
        far.kill9()
        until(lambda: board(stack) == ("boards", [("d2", 2), ("d1", 1)]), AGAIN_S, "the other one has loaded them")
    finally:
        there.close()


@pytest.mark.faults
def test_an_answer_about_collectors_that_comes_late_vouches_for_nothing_newer(stack, database, postgres, rng):
    """A collector that is not heard stores, again and again, while what the database says takes a second to arrive."""
    stack.start_collector(collector_id="a")
    with proxy_to(postgres.port) as proxy:
        stack.start_httpapi(database_url=database_through(proxy, stack), statement_timeout="10s")
        await_boards(stack)
        proxy.delay(0.5)  # to the server, and as much back
        stored = []  # (when it was committed, device)
        seen = []  # (as of, devices) of boards
        ended = threading.Event()

        def ask() -> None:
            while not ended.is_set():
                status, headers, body = stack.get("/dashboard?features=temperature&interval=all_time&limit=100")
                if status == 200 and headers["X-Data-Source"] == "boards":
                    entries = json.loads(body)["temperature"]
                    seen.append((to_us(headers["X-Data-As-Of"]), {e["deviceId"] for e in entries}))

        def keep_busy() -> None:
            """A board changes at every moment, so a status comes at every moment."""
            publisher, value = stack.publisher(), 1000
            while not ended.wait(0.03):
                value += 1
                publisher.send(reading("busy", temperature=value))

        threads = [threading.Thread(target=work, daemon=True) for work in (ask, keep_busy)]
        for thread in threads:
            thread.start()
        for number in range(8):
            before = len(seen)
            until(lambda: len(seen) > before + 10, AGAIN_S, "boards answer again")
            time.sleep(rng.random())  # any moment between a question and its answer
            with live_as(database, "b"):  # so a does not load what it stores
                store_as(database, "b", reading(f"d{number}", temperature=number))
                stored.append((now_us(), f"d{number}"))
                until(lambda: board(stack)[0] == "database", AGAIN_S, "it was noticed")
            until(lambda: any(f"d{number}" in devices for _, devices in seen[before:]), AGAIN_S, "a has loaded it")
        ended.set()
        for thread in threads:
            thread.join(20)
    for as_of_us, devices in seen:
        missing = {device for committed_us, device in stored if committed_us < as_of_us} - devices
        assert not missing, f"boards as of {to_text(as_of_us)} lack {missing}"


@contextlib.contextmanager
def live_as(database, collector_id: str):
    """The lock that a live collector holds."""
    connection = database.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(collector_lock(%s))", (collector_id,))
        yield
    connection.close()


def store_as(database, collector_id: str, one) -> None:
    """What a collector that stores does in one transaction, as far as it matters here."""
    connection = database.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("SET highwater.ranks = on")  # or all collectors would load it
        cursor.execute("INSERT INTO devices (device_id) VALUES (%s)", (one.device_id,))
        cursor.execute(
            "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
            " SELECT id, 1, %s, clock_timestamp(), %s FROM devices WHERE device_id = %s",
            (to_text(one.recorded_at_us), dict(one.values)["temperature"], one.device_id),
        )
        cursor.execute(
            "INSERT INTO collectors AS c (id, turn, batches, newest) VALUES (%s, 1, 1, %s)"
            " ON CONFLICT (id) DO UPDATE SET batches = c.batches + 1, newest = excluded.newest",
            (collector_id, to_text(one.recorded_at_us)),
        )
    connection.close()


@pytest.mark.faults
def test_a_collector_that_lost_its_session_unnoticed_is_not_believed(stack, postgres, second_broker):
    """Another process of its id stores, at another broker, while the first goes on saying that it is live."""
    with proxy_to(postgres.port) as proxy:
        stack.start_collector(collector_id="a", database_url=database_through(proxy, stack))
        stack.start_httpapi()
        await_boards(stack)
        stack.publish(reading("d1", temperature=1))
        until(lambda: board(stack) == ("boards", [("d1", 1)]), AGAIN_S)
        second = stack.start_collector(
            collector_id="a", mqtt_url=second_broker.url(), metrics_listen=f"{LOOPBACK}:{free_port()}", log_name="second"
        )
        second.wait_for_line("another", 20)
        listener = stack.listen("collectors/a/status")
        proxy.blackhole()
        stack.database.rows(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN collectors c"
            " ON (l.classid::bigint << 32 | l.objid::bigint) = collector_lock(c.id) WHERE l.locktype = 'advisory' AND l.granted"
        )
        until(lambda: stack.database.value("SELECT turn FROM collectors WHERE id = 'a'") == 2, 20)
        there = Publisher(second_broker.port)
        try:
            until(lambda: there.send(reading("d2", temperature=2)) and stack.database.count() >= 2, 20, pause=0.1)
            until(lambda: board(stack)[0] == "database", 20)
            heard = len(listener.received)
            for _ in range(50):
                assert board(stack) == ("database", [("d2", 2), ("d1", 1)])
            until(lambda: len(listener.received) > heard)
            assert listener.received[-1].json()["state"] == "live"  # it has not noticed
        finally:
            there.close()
            proxy.heal()


@pytest.mark.faults
def test_a_standby_is_not_asked_which_collectors_there_are(stack, database, postgres, area, logs):
    """It may not have heard yet of what another has stored: all boards come out of it, whole as of its own now."""
    stack.start_collector()
    server = postgres.standby(area / f"standby-{database.name}", logs / "standby.log")
    server.start()
    try:
        stack.start_httpapi(database_url=server.url(database.name))
        until(lambda: board(stack)[0] == "database", AGAIN_S)
        stack.publish(reading("d1", temperature=1))
        until(lambda: board(stack) == ("database", [("d1", 1)]), AGAIN_S)
        until(lambda: "roster_answers_total 0" not in stack.get("/metrics")[2].decode(), AGAIN_S)
        assert board(stack)[0] == "database"
    finally:
        stack.close()
        server.stop("immediate")


def test_what_nobody_knows_keeps_nobody_from_answering(stack):
    """Retained statuses of collectors that the database has never heard of, and one of the days to come."""
    stack.start_collector()
    publisher = stack.publisher()
    publisher.send_bytes("collectors/ghost/status", b'{"state":"warming"}', retain=True)
    future = {"state": "live", "turn": 1, "asOf": "2099-01-01T00:00:00Z", "since": "2020-01-01T00:00:00Z"}
    publisher.send_bytes("collectors/later/status", json.dumps(future).encode(), retain=True)
    publisher.wait()
    stack.start_httpapi()
    await_boards(stack)
    stack.publish(reading("d1", temperature=1))
    until(lambda: board(stack) == ("boards", [("d1", 1)]), AGAIN_S)
    until(lambda: stack.get("/readyz")[0] == 200)


def test_a_status_of_days_to_come_is_not_believed_of_a_known_collector(stack, database):
    """It is silent, and says that it is live in 2099: the database answers, not a board of the past."""
    stack.start_collector()
    stack.start_httpapi()
    await_boards(stack)
    stack.publish(reading("d1", temperature=1))
    until(lambda: board(stack) == ("boards", [("d1", 1)]), AGAIN_S)
    played = PlayedCollector(stack.broker.port, database, "later")
    try:
        with live_as(database, "later"):  # so that nobody else loads what it has stored
            played.boards([reading("d0", temperature=99, pressure=1)])
            played.status("live", asOf="2099-01-01T00:00:00Z")
            played.register()
            shown = []
            until(lambda: shown.append(board(stack)) or shown[-1][0] == "database")
            assert {tuple(entries) for _, entries in shown} == {(("d1", 1),)}
    finally:
        played.close()


def test_what_a_collector_no_longer_keeps_is_asked_of_the_database(stack):
    """Its old boards may still be retained."""
    collector = stack.start_collector(lowest=1)
    stack.start_httpapi()
    await_boards(stack)
    stack.publish(reading("d1", temperature=1, pressure=1))
    lowest = "/dashboard?features=pressure&interval=all_time&order=asc"
    until(lambda: stack.get(lowest)[1].get("X-Data-Source") == "boards", AGAIN_S)
    assert collector.terminate() == 0
    collector = stack.start_collector()
    until(lambda: board(stack) == ("boards", [("d1", 1)]), AGAIN_S)
    stack.publish(reading("d2", temperature=2, pressure=0))
    until(lambda: board(stack) == ("boards", [("d2", 2), ("d1", 1)]), AGAIN_S)
    assert stack.get(lowest)[1]["X-Data-Source"] == "database"


def test_boards_without_one_of_the_features_that_are_shown_are_asked_of_the_database(stack):
    """The readings on them are not whole."""
    collector = stack.start_collector()
    stack.start_httpapi()
    await_boards(stack)
    stack.publish(reading("d1", temperature=1, pressure=1))
    until(lambda: board(stack) == ("boards", [("d1", 1)]), AGAIN_S)
    assert collector.terminate() == 0
    stack.start_collector(features="temperature")
    stack.publish(reading("d2", temperature=2, pressure=0))
    until(lambda: board(stack) == ("database", [("d2", 2), ("d1", 1)]), AGAIN_S)
    until(lambda: '"live"' in stack.get("/collectors")[2].decode(), AGAIN_S)
    _, headers, body = stack.get("/dashboard?features=temperature&interval=all_time")
    assert headers["X-Data-Source"] == "database"
    assert [r["pressure"] for r in json.loads(body)["temperature"]] == [None, 1]  # d2's was not kept
