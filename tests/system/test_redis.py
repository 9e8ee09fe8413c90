"""Boards in Redis, for whoever has Redis: what is there, that it is whole, and that nothing old comes back."""

from __future__ import annotations

import json
import signal
import threading
from urllib.parse import urlsplit

import pytest
from conftest import FAILPOINT_DIR
from faults import assert_all_well, database_through, proxy_to, start_fleet
from oracle import now_us, reading
from redis_tools import KINDS, board_key, keys_of, remarks, same, shown, status_of
from servers import until
from test_faults_clock import clock, start_set_ahead  # noqa: F401

FEATURES = ("temperature", "pressure")
INTERVALS = ("past_minute", "past_hour", "all_time")


def equal_boards(stack, redis, collector_id="collector", orders=("",)):
    """Whether each board in Redis is, byte for byte, the one retained at the broker; (True, none of them missing)."""
    listener = stack.listen(f"collectors/{collector_id}/boards/#")

    def all_equal():
        for feature in FEATURES:
            for interval in INTERVALS:
                for order in orders:
                    retained = listener.latest(f"collectors/{collector_id}/boards/{feature}/{interval}{order and '/' + order}")
                    held = redis.get(board_key(collector_id, feature, interval, order, "board"))
                    if retained is None or held is None or retained.payload.decode() != held:
                        return False
        return True

    try:
        return until(all_equal, 20, "boards in Redis are those of the broker")
    finally:
        listener.close()


def test_what_a_user_of_redis_finds(stack, rng, redis_server):
    collector, fleet = start_fleet(stack, rng, lowest="1", redis_url=redis_server.url())
    redis = redis_server.client()
    messages = redis.pubsub(ignore_subscribe_messages=True)
    messages.subscribe("highwater:boards:collector:temperature:all_time", "highwater:rejected:collector")
    messages.psubscribe("highwater:status:*")
    fleet.send(200)
    assert_all_well(stack, fleet.publisher, collector)
    assert equal_boards(stack, redis, orders=("", "lowest"))
    best = board_key("collector", "temperature", "all_time", "", "ranking")
    board = json.loads(redis.get(best.replace(":ranking", ":board")))
    assert len(board["readings"]) == 10
    values = [one["temperature"] for one in board["readings"]]
    assert [score for _, score in redis.zrevrange(best, 0, -1, withscores=True)] == values == sorted(values, reverse=True)
    lowest = redis.zrange("highwater:{collector:temperature:all_time:lowest}:ranking", 0, -1, withscores=True)
    assert lowest[0][1] == min(score for _, score in lowest) < values[0]
    assert redis.hget(best.replace("ranking", "readings"), board["readings"][0]["deviceId"]) == json.dumps(board["readings"][0], separators=(",", ":"))
    for kind in KINDS:
        assert 0 < redis.pttl(best.replace("ranking", kind)) <= 60_000
    assert status_of(redis)["state"] == "live" and 0 < redis.pttl("highwater:{collector}:status") <= 10_000
    heard = {}

    def hears_all():
        message = messages.get_message(timeout=0.1)
        if message:
            heard[message["channel"]] = message["data"]
        return len(heard) == 3

    until(hears_all, 20, "all three channels are heard")
    assert json.loads(heard["highwater:boards:collector:temperature:all_time"])["feature"] == "temperature"
    assert json.loads(heard["highwater:status:collector"])["collectorId"] == "collector"
    assert json.loads(heard["highwater:rejected:collector"])["reason"]
    assert "highwater-collector" in {client["name"] for client in redis.client_list()}
    metrics = stack.metrics()
    assert metrics["highwater_redis_up"] == 1 and metrics["highwater_redis_lacking"] == 0
    assert collector.terminate() == 0
    assert status_of(redis)["state"] == "stopped"


@pytest.mark.parametrize("value", [0.1 + 0.2, 1e-320, -1.7976931348623157e308, 123456789.123456789, 5e-324, -0.25])
def test_numbers_are_the_same_to_the_last_bit(stack, redis_server, value):
    stack.start_collector(redis_url=redis_server.url(), features="x")
    redis = redis_server.client()
    until(lambda: redis.exists("highwater:{collector:x:all_time}:board"), 20)
    stack.publish(reading("one", now_us(), x=value))
    ranking = "highwater:{collector:x:all_time}:ranking"
    assert until(lambda: redis.zrevrange(ranking, 0, -1, withscores=True), 20) == [("one", value)]
    assert json.loads(redis.hget("highwater:{collector:x:all_time}:readings", "one"))["x"] == value


def test_ties_keep_their_order_on_the_board(stack, redis_server):
    stack.start_collector(redis_url=redis_server.url())
    redis = redis_server.client()
    at = now_us()
    key = board_key("collector", "temperature", "all_time", "", "board")
    until(lambda: redis.exists(key), 20)
    stack.publish(*(reading(name, at + later, temperature=7.0) for name, later in (("a", 0), ("b", 2), ("c", 1), ("z", 0))))
    until(lambda: len(json.loads(redis.get(key))["readings"]) == 4, 20)
    assert [one["deviceId"] for one in json.loads(redis.get(key))["readings"]] == ["b", "c", "a", "z"]


def test_a_reader_never_sees_half_a_board(stack, rng, redis_server):
    """Board, ranking and readings are compared all the while they change."""
    collector, fleet = start_fleet(stack, rng, redis_url=redis_server.url(), intervals="past_second=1s,all_time")
    redis = redis_server.client()
    keys = [keys_of("collector", feature, interval) for feature in FEATURES for interval in ("past_second", "all_time")]
    torn, seen = [], set()
    with fleet.load(400):

        def enough():
            for each in keys:
                with redis.pipeline(transaction=True) as together:
                    board, ranking, readings = shown(together, each)
                if board is None:
                    continue
                seen.add((each.board, board["generation"]))
                if not same(board, ranking, readings):
                    torn.append((board, ranking, readings))
            return torn or len(seen) > 60

        until(enough, 60, "60 boards of different moments are read", pause=0.001)
    assert not torn, torn[0]
    assert collector.is_running()


def test_a_board_of_a_thousand_devices(stack, redis_server):
    stack.start_collector(redis_url=redis_server.url(), num_top_devices=1000)
    redis = redis_server.client()
    keys = keys_of("collector", "temperature", "all_time")
    until(lambda: redis.exists(keys.board), 20)
    stack.publish(*(reading(f"device_{i}", now_us(), temperature=i / 7) for i in range(1000)))
    until(lambda: redis.zcard(keys.ranking) == 1000, 30)
    with redis.pipeline(transaction=True) as together:
        board, ranking, readings = shown(together, keys)
    assert len(board["readings"]) == 1000 and same(board, ranking, readings)


@pytest.mark.faults
def test_a_clock_that_is_set_back_stops_no_board(stack, rng, redis_server, clock):
    """What is of an earlier as-of then is newer all the same."""
    collector, fleet = start_set_ahead(stack, rng, clock, 3600, redis_url=redis_server.url())
    redis = redis_server.client()
    fleet.send(50)
    key = board_key("collector", "temperature", "past_hour", "", "board")
    before = until(lambda: json.loads(redis.get(key) or "{}").get("readings") and json.loads(redis.get(key)), 20)
    clock.set(0)
    fleet.set_clock(0)
    fleet.send(50)
    until(lambda: json.loads(redis.get(key))["asOf"] < before["asOf"], 20, "the board is of the clock as it is now")
    assert json.loads(redis.get(key))["generation"] > before["generation"]
    assert collector.is_running() and not list(remarks(stack))


@pytest.mark.faults
def test_a_collector_whose_database_is_away_renews_nothing(stack, rng, redis_server):
    with proxy_to(urlsplit(stack.database.url).port) as link:
        settings = {"redis_url": redis_server.url(), "redis_expiry": "5s", "leave_after": "1s"}
        _, fleet = start_fleet(stack, rng, database_url=database_through(link, stack), **settings)
        redis = redis_server.client()
        fleet.send(50)
        until(lambda: len(redis.keys("highwater:*:board")) == 6, 20)
        link.refuse()
        link.reset()
        until(lambda: not redis.keys("highwater:*:board"), 30, "what nobody knows to be right is gone")
        assert status_of(redis)["state"] == "degraded"
        redis_server.kill9()
        redis_server.start()
        until(lambda: status_of(redis).get("state") == "degraded", 20)
        assert not redis.keys("highwater:*:board")
        link.heal()
        until(lambda: len(redis.keys("highwater:*:board")) == 6, 30, "they are there again")


class Heard:
    """All versions of all boards that were published, in their order."""

    def __init__(self, redis):
        self.versions = {}
        self.backwards = []
        self._messages = redis.pubsub(ignore_subscribe_messages=True)
        self._messages.psubscribe(**{"highwater:boards:*": self._note})
        self._thread = self._messages.run_in_thread(sleep_time=0.01, daemon=True)

    def _note(self, message):
        board = json.loads(message["data"])
        last = self.versions.get(message["channel"], (0, ""))
        self.versions[message["channel"]] = (board["generation"], board["asOf"])
        if (board["generation"], board["asOf"]) < last:
            self.backwards.append((message["channel"], last, board["generation"], board["asOf"]))

    def stop(self):
        self._thread.stop()
        self._thread.join(10)


def test_a_frozen_collector_cannot_put_an_old_board_back(stack, rng, redis_server):
    """It stands still between a board being made and being put; another has its turn when it goes on."""
    redis = redis_server.client()
    frozen = stack.start_collector(
        directory=FAILPOINT_DIR, env={"CRASH_AT": f"board_publish:40:{int(signal.SIGSTOP)}"}, log_name="frozen",
        redis_url=redis_server.url(), metrics_listen="-",
    )  # fmt: skip
    publisher = stack.publisher()
    stop = threading.Event()

    def publish():
        while not stop.wait(0.05):
            publisher.send(reading(f"device_{rng.randrange(20)}", now_us(), temperature=rng.random(), pressure=rng.random()))

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    until(lambda: "failpoint board_publish" in frozen.output(), 30, "it stands still")
    with stack.database.connect(superuser=True) as link, link.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    other = stack.start_collector(log_name="other", redis_url=redis_server.url())
    until(lambda: status_of(redis).get("turn") == 2 and status_of(redis)["state"] == "live", 30, "the other has its turn")
    until(lambda: redis.get(board_key("collector", "temperature", "all_time", "", "version")).startswith("2 "), 20)
    heard = Heard(redis)
    frozen.signal(signal.SIGCONT)
    until(lambda: len(heard.versions) == 6 and min(heard.versions.values()) > (0, ""), 30)
    until(lambda: "newer ones under this COLLECTOR_ID" in frozen.output(), 30, "what it put was refused as older")
    stop.set()
    thread.join(10)
    heard.stop()
    assert not heard.backwards
    for kind in INTERVALS:
        assert redis.get(board_key("collector", "temperature", kind, "", "version")).startswith("2 ")
    frozen.kill9()
    assert_all_well(stack, publisher, other)


def test_what_nobody_renews_goes_and_what_is_renewed_stays(stack, redis_server):
    collector = stack.start_collector(redis_url=redis_server.url(), redis_expiry="5s")
    redis = redis_server.client()
    key = board_key("collector", "temperature", "all_time", "", "board")
    until(lambda: redis.exists(key), 20)
    stack.publish(reading("one", now_us(), temperature=1.0))
    until(lambda: json.loads(redis.get(key))["readings"], 20)
    generation = json.loads(redis.get(key))["generation"]
    before = stack.metrics()["highwater_redis_renewals_total"]
    until(lambda: stack.metrics()["highwater_redis_renewals_total"] >= before + 7, 30, "all are renewed, and one again")
    assert json.loads(redis.get(key))["generation"] == generation and redis.pttl(key) > 1000
    evicted = [board_key("collector", "temperature", interval, "", kind) for interval, kind in zip(INTERVALS, KINDS[1:])]
    evicted.append(board_key("collector", "pressure", "all_time", "", "board"))
    assert redis.delete(*evicted) == 4
    until(lambda: redis.exists(*evicted) == 4, 20, "they are there again")
    redis.flushall()
    until(lambda: len(redis.keys("highwater:*:board")) == 6, 20, "they are there again")
    collector.kill9()
    until(lambda: not redis.keys("highwater:*:board"), 30, "no board is left of a collector that is gone")


def test_two_collectors_and_a_restart(stack, rng, redis_server):
    """The first board of the next collector replaces the last of the one before, and others have keys of their own."""
    first, fleet = start_fleet(stack, rng, redis_url=redis_server.url())
    redis = redis_server.client()
    fleet.send(50)
    assert equal_boards(stack, redis)
    before = json.loads(redis.get(board_key("collector", "pressure", "all_time", "", "board")))
    assert first.terminate() == 0
    second = stack.start_collector(redis_url=redis_server.url())
    fleet.send(50)
    assert_all_well(stack, fleet.publisher, second)
    assert equal_boards(stack, redis)
    assert json.loads(redis.get(board_key("collector", "pressure", "all_time", "", "board")))["generation"] > before["generation"]
    stack.start_collector(collector_id="another", subscribe="other/+", redis_url=redis_server.url(), metrics_listen="-", log_name="another")
    until(lambda: redis.exists("highwater:{another:pressure:all_time}:board"), 20)
    assert equal_boards(stack, redis) and equal_boards(stack, redis, "another")
