"""Two brokers behind HAProxy, a collector at each, one database, two httpapi: whoever is lost, readings and boards are whole."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import threading
from pathlib import Path

import pytest
from mqtt_client import mqtt_client
from oracle import FEATURES, board_by_sql, board_of_json, reading, to_us
from pair import PrivateHaproxy, pair_of_brokers
from servers import LOOPBACK, Program, free_port, until
from simulator import assert_verified

pytestmark = pytest.mark.skipif(shutil.which("haproxy", path="/usr/sbin:/usr/bin") is None, reason="no haproxy: make deps")


class Pair:
    """Everything twice, HAProxy and PostgreSQL aside; whoever was killed is started again by who killed it."""

    def __init__(self, stack, area, logs) -> None:
        self.stack = stack
        homes = [Path(tempfile.mkdtemp(dir=area, prefix="broker-")) for _ in "ab"]
        self.brokers = pair_of_brokers(homes, (["a"], ["b"]), logs)
        self.http_ports = [free_port(), free_port()]
        self.proxy = PrivateHaproxy(
            Path(tempfile.mkdtemp(dir=area, prefix="haproxy-")), [b.port for b in self.brokers], self.http_ports,
            log=logs / "haproxy.log",
        )  # fmt: skip
        self.collectors: list[Program] = []
        self.httpapis: list[Program] = []

    def start(self, programs: bool = True) -> None:
        for broker in self.brokers:
            broker.start()
        self.proxy.start()
        for number, name in enumerate("ab" if programs else ""):
            url = self.brokers[number].url()
            self.collectors.append(
                self.stack.start_collector(
                    mqtt_url=url, collector_id=name, log_name=f"collector-{name}", metrics_listen=f"{LOOPBACK}:{free_port()}"
                )
            )
            listen = f"{LOOPBACK}:{self.http_ports[number]}"
            httpapi = self.stack.program(
                "httpapi", log_name=f"httpapi-{name}", mqtt_url=url, http_listen=listen, max_connections_per_address=0
            )
            httpapi.start()
            self.httpapis.append(httpapi)

    def placed(self, names: list[str]) -> dict[str, int]:
        """Which broker each device goes to, by the brokers' logs, on connections that are made anew."""
        before = [len(broker.program.output()) for broker in self.brokers]
        devices = [connected(self.proxy.mqtt_port, name) for name in names]
        places: dict[str, int] = {}

        def all_seen() -> bool:
            for number, broker in enumerate(self.brokers):
                for line in broker.program.output()[before[number] :].splitlines():
                    if " as device_" in line:
                        places[line.split(" as ")[1].split(" ")[0]] = number
            return set(places) == set(names)

        try:
            until(all_seen, 10, "each is at a broker")
            return places
        finally:
            for device in devices:
                device.disconnect()
                device.loop_stop()

    def stop(self) -> None:
        for server in (self.proxy, *self.brokers):
            if server.is_running():
                server.kill9()


@pytest.fixture
def pair(stack, area, logs):
    servers = Pair(stack, area, logs)
    yield servers
    servers.stop()


def connected(port, name):
    """A device that is connected, through HAProxy."""
    device = mqtt_client(name)
    device.connect(LOOPBACK, port)
    device.loop_start()
    until(device.is_connected, 10, f"{name} is connected")
    return device


def test_a_device_keeps_its_broker_and_moves_only_when_that_is_gone(pair):
    names = [f"device_{i}" for i in range(40)]
    pair.start(programs=False)
    at_first = pair.placed(names)
    assert 5 <= sum(at_first.values()) <= 35, "both have some"
    assert pair.placed(names) == at_first, "again the same"
    pair.brokers[1].stop()
    until(lambda: "highwater-brokers/broker2 is DOWN" in pair.proxy.program.output(), 20)
    assert set(pair.placed(names).values()) == {0}, "all are here now"
    pair.brokers[1].start()
    until(lambda: "highwater-brokers/broker2 is UP" in pair.proxy.program.output(), 20)
    assert pair.placed(names) == at_first, "and all back where they were"


def test_a_broker_that_stands_still_is_left(pair):
    """The kernel takes connections for it, and nothing is answered."""
    pair.start(programs=False)
    with pair.brokers[0].program.paused():
        until(lambda: "highwater-brokers/broker1 is DOWN" in pair.proxy.program.output(), 20)
        assert set(pair.placed([f"device_{i}" for i in range(10)]).values()) == {1}


def boards_are_whole(stack, pair):
    """Each httpapi, whichever broker it is at, answers from boards what SQL says."""
    for port in pair.http_ports:
        for interval in ("past_minute", "all_time"):

            def whole(port=port, interval=interval):
                try:
                    code, headers, body = stack.get(f"/dashboard?interval={interval}&features={','.join(FEATURES)}", port)
                except OSError:
                    return False  # it does not listen yet
                if code != 200 or headers["X-Data-Source"] != "boards":
                    return False
                as_of_us = to_us(headers["X-Data-As-Of"].replace("Z", "+00:00"))
                shown = json.loads(body)
                return all(
                    board_of_json(shown[name]) == board_by_sql(stack.database, name, interval, as_of_us) for name in FEATURES
                )

            until(whole, 30, f"boards of {interval} at {port} are what SQL says")


def test_whoever_is_lost_comes_back_and_nothing_is_missing(stack, pair, truth):
    """A broker in good order, for what it had taken and nobody had read is lost with it otherwise; all else by kill -9."""
    pair.start()
    boards_are_whole(stack, pair)
    fleet = stack.start_devicesim(
        "--rate", "800", "--count", "8000", "--num-devices", "40", "--seq", "--json", "--drain-timeout", "60s",
        "--truth", str(truth), mqtt_url=pair.proxy.url(),
    )  # fmt: skip
    stored = "SELECT count(*) FROM readings"

    def more(readings=800):
        goal = min(stack.database.value(stored) + readings, 8000)  # all that there are
        until(lambda: stack.database.value(stored) >= goal, 60, "readings are stored")

    more()
    assert stack.database.value("SELECT count(*) FROM collectors WHERE batches > 0") == 2, "both have some"
    pair.brokers[0].stop()
    more()
    pair.brokers[0].start()
    pair.collectors[1].kill9()  # every device is at its broker by now, perhaps, so nothing need be stored
    pair.collectors[1].start()
    more(400)
    pair.proxy.kill9()
    pair.proxy.start()
    more(400)
    assert fleet.wait(90) == 0, fleet.tail()
    result = assert_verified(stack.database, truth)
    assert result["readings"]["rows"] == 8000
    boards_are_whole(stack, pair)


def test_one_httpapi_is_enough(stack, pair):
    pair.start()
    boards_are_whole(stack, pair)
    port, statuses, ended = pair.proxy.http_port, [], threading.Event()

    def ask():
        while not ended.is_set():
            try:
                statuses.append(stack.get("/dashboard", port)[0])
            except OSError as error:
                statuses.append(error)

    def is_up(number):
        """What HAProxy has found last; it begins with the belief that all are."""
        said = [line for line in pair.proxy.program.output().splitlines() if f"highwater-ready/httpapi{number + 1} is " in line]
        return not said or " is UP" in said[-1]

    until(lambda: is_up(0) and is_up(1) and stack.get("/readyz", port)[0] == 200, 20, "HAProxy has found both")
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for number in (0, 1):
            pair.httpapis[number].signal(signal.SIGTERM)
            until(lambda number=number: not is_up(number), 20, "HAProxy has missed it")
            start = len(statuses)
            until(lambda start=start: len(statuses) > start + 20, 20, "the other answers")
            assert set(statuses[start + 1 :]) == {200}, statuses
            pair.httpapis[number].wait()
            pair.httpapis[number].start()
            until(lambda number=number: is_up(number), 20, "HAProxy has found it again")
    finally:
        ended.set()
        thread.join()
