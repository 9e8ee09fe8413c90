"""Two databases at one broker, each with a collector of the same COLLECTOR_ID."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from conftest import Stack
from faults import is_stored
from oracle import Database, reading
from servers import LOOPBACK, free_port, until

STATUS = "collectors/collector/status"


@pytest.fixture
def other(postgres, broker, logs):
    """Another installation at the same broker."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = postgres.create_database(name)
    running = Stack(Database(url, postgres.url(name, "postgres"), name), broker, logs)
    yield running
    running.close()
    postgres.drop_database(name)


def mark(stack):
    return stack.database.value("SELECT id FROM installation")


def readyz(stack):
    try:
        status, _, body = stack.get("/readyz", stack.metrics_port)
    except OSError:
        return 0, ""
    return status, body.decode()


def is_ready(stack):
    return readyz(stack)[0] == 200


def conflicts(stack):
    return "give one of the two another COLLECTOR_ID" in readyz(stack)[1]


def source(stack):
    return stack.get("/dashboard?interval=all_time")[1]["X-Data-Source"]


def assert_collected(*stacks):
    one = reading("d1", temperature=7)
    publisher = stacks[0].publisher()
    publisher.send(one)
    publisher.wait()
    for stack in stacks:
        until(lambda s=stack: is_stored(s, one), 10, "each stores what comes")


def connections(stack, client_id):
    return len(re.findall(rf"New client connected from \S+ as {client_id} ", stack.broker.log.read_text()))


def test_two_with_one_id_do_not_fight_and_one_of_them_says_why_it_does_not_publish(stack, other):
    first = stack.start_collector(log_name="first")
    until(lambda: is_ready(stack), 15, "the first is ready")
    second = other.start_collector(log_name="second")
    until(lambda: conflicts(other), 15, "the second says that its id is taken")
    for text in (readyz(other)[1], second.output()):
        assert mark(stack) in text and mark(other) in text and "COLLECTOR_ID collector" in text
    assert other.metrics()["highwater_collector_id_conflict"] == 1
    assert stack.client_id() != other.client_id()
    statuses = stack.listen("collectors/#")
    until(lambda: len(statuses.received) > 10, 15)
    assert_collected(stack, other)
    other.start_httpapi()
    until(lambda: source(other), 15, "httpapi answers")
    heard = len(statuses.received)
    until(lambda: len(statuses.received) > heard + 2, 15, "it has heard the first, whose turn is the second's, too")
    assert source(other) == "database"
    second.kill9()
    second.start()
    until(lambda: conflicts(other), 15, "so it is after a kill")
    assert_collected(stack, other)
    assert second.terminate() == 0
    until(lambda: is_ready(stack), 5, "the first does not mind")
    said = [m.json() for m in statuses.received if m.topic == STATUS]
    assert {status["installation"] for status in said} == {mark(stack)}
    assert "lost" not in {status["state"] for status in said}
    assert connections(stack, stack.client_id()) == 1, "nobody takes the other's session"
    # the first one ends for good
    assert first.terminate() == 0
    second.start()
    until(lambda: is_ready(other), 15, "the second takes its place")
    until(lambda: statuses.latest(STATUS).json()["installation"] == mark(other), 10)


def test_of_two_that_speak_the_one_that_started_later_falls_silent(stack):
    stack.start_collector()
    until(lambda: is_ready(stack), 15)
    assert mark(stack) != "older123"
    status = {"state": "live", "installation": "older123", "startedAt": "2026-01-01T00:00:00Z"}
    publisher = stack.publisher()

    def has_given_way():
        publisher.send_bytes(STATUS, json.dumps(status).encode())
        return conflicts(stack)

    until(has_given_way, 15, "it says that its id is taken")
    publisher.wait()
    statuses = stack.listen(STATUS)
    assert_collected(stack)
    assert_collected(stack)
    assert all(m.retain for m in statuses.received), "it publishes no status any more"


def test_what_an_installation_that_is_gone_has_left_is_taken_over(stack):
    status = {"state": "live", "installation": "older123", "startedAt": "2026-01-01T00:00:00Z"}
    publisher = stack.publisher()
    publisher.send_bytes(STATUS, json.dumps(status).encode(), retain=True)
    publisher.wait()
    collector = stack.start_collector()
    until(lambda: is_ready(stack), 15)
    statuses = stack.listen(STATUS)
    until(lambda: any(m.json()["installation"] == mark(stack) for m in statuses.received if m.payload), 15)
    assert "COLLECTOR_ID" not in collector.output()


def test_a_client_id_of_another_collector_is_refused(stack):
    stack.start_collector(collector_id="a", mqtt_client_id="ours1234567890")
    until(lambda: is_ready(stack), 15)
    assert stack.client_id("a") == "ours1234567890"
    assert connections(stack, "ours1234567890") == connections(stack, "ours1234567890boards") == 1
    other = Stack(stack.database, stack.broker, stack.logs)
    try:
        other.start_collector(log_name="b", collector_id="b", mqtt_client_id="ours1234567890")
        until(lambda: "ours1234567890 is the client id of collector a" in readyz(other)[1], 15)
        assert connections(stack, "ours1234567890") == 1
    finally:
        other.close()
    assert is_ready(stack)


def test_collectors_of_two_databases_with_one_client_id_both_say_so(stack, other):
    """Neither can know the other's, and a broker may tell neither; both stand in each other's session."""
    collectors = [
        one.start_collector(log_name=name, collector_id=name, mqtt_client_id="ours1234567890") for one, name in ((stack, "a"), (other, "b"))
    ]
    for collector in collectors:
        until(lambda c=collector: "as ours1234567890" in c.output() and "id of its own" in c.output(), 60, "it is said")


def test_before_its_database_is_there_a_collector_has_no_client_id_and_says_so(stack):
    stack.start_collector(database_url=f"postgresql://{LOOPBACK}:{free_port()}/none")
    until(lambda: "our client id comes from the database" in readyz(stack)[1], 15)
    assert "as highwater" not in stack.broker.log.read_text()
