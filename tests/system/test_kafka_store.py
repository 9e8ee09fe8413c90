"""collector --store kafka://...: what devices publish is on a topic, nothing is acknowledged before it is, and no database
is needed. Kafka is played (kafka.py), but for what only a real one refuses. test_kafka_store_faults.py has the
matrix of faults."""

from __future__ import annotations

import json

import pytest

from edge_node import EdgeNode
from kafka import consume, new_topic
from kafka_topic import assert_written
from oracle import now_us, reading
from servers import until


class Edge:
    """A collector that stores into a topic of a Kafka, and what is published to it."""

    def __init__(self, stack, kafka, partitions=4, **settings):
        self.stack, self.kafka = stack, kafka
        self.topic = new_topic(kafka, partitions, **settings)
        self.rejected = new_topic(kafka, partitions, f"{self.topic}.rejected", **settings)

    def start(self, *args, **settings):
        settings = {"store": self.kafka.url(self.topic), "database_url": None, "leave_after": "200ms", **settings}
        return self.stack.start_collector(*args, **settings)

    def reasons(self):
        """Why it is not ready; "" = it is, None = it does not answer."""
        try:
            status, _, body = self.stack.get("/readyz", self.stack.metrics_port)
        except OSError:
            return None
        return "" if status == 200 else body.decode()

    def begin(self, *args, **settings):
        collector = self.start(*args, **settings)
        until(lambda: self.reasons() == "", 30, "the collector is ready")
        return collector

    def metric(self, name):
        return self.stack.metrics()[f"highwater_{name}"]

    def await_records(self, readings, rejected=0):
        until(lambda: self.metric("kafka_records_total") == readings, 30, f"{readings} records")
        until(lambda: self.metric("kafka_rejected_records_total") == rejected, 30, f"{rejected} rejected")


@pytest.fixture
def edge(stack, mock_kafka):
    return Edge(stack, mock_kafka)


@pytest.fixture
def real(stack, kafka):
    return lambda **settings: Edge(stack, kafka, **settings)


# --- What is written -----------------------------------------------------------------------------


def test_readings_and_rejected_messages_are_records(edge):
    collector = edge.begin(subscribe="devices/+/readings,plants/+/r")
    publisher = edge.stack.publisher()
    for n in range(200):
        device = f"device_{n % 7}"
        publisher.send([reading(device, temperature=n / 3, pressure=n), reading(device, temperature=-n)])
    publisher.send(reading('é"\\', status="OFF", temperature=0.1), topic='plants/é"\\/r')
    publisher.send_bytes("devices/device_1/readings", b"\xff no json")
    publisher.send_bytes("devices/device_2/readings", b'{"temperature":1,"timestamp":"1970-01-01T00:00:00Z"}')
    publisher.send_bytes("devices/device_3/readings", b"")
    publisher.wait()
    edge.await_records(401, 3)
    assert_written(edge.kafka, edge.topic, publisher.messages)
    assert edge.metric("readings_stored_total") == 401
    assert edge.metric("kafka_partitions") == 4 and edge.metric("kafka_producers_total") == 1
    assert {(r.header("reason"), r.header("topic")) for r in consume(edge.kafka, edge.rejected)} == {
        ("not_json", "devices/device_1/readings"), ("timestamp_too_old", "devices/device_2/readings"),
        ("empty", "devices/device_3/readings"),
    }  # fmt: skip
    assert collector.terminate() == 0


def test_a_reading_without_a_time_has_that_of_its_arrival(edge):
    edge.begin()
    before = now_us()
    edge.stack.publisher().send_bytes("devices/d/readings", b'{"temperature":1.5,"seq":9,"more":[1]}', ())
    edge.await_records(1)
    (record,) = consume(edge.kafka, edge.topic)
    value = json.loads(record.value)
    assert value == {"deviceId": "d", "timestamp": record.header("arrival"), "temperature": 1.5, "seq": 9}
    assert before < record.timestamp_ms * 1000 + 999 and record.header("topic") == "devices/d/readings"


def test_a_mapped_device_is_in_the_contracts_words(edge, tmp_path):
    file = tmp_path / "mappings.json"
    file.write_text(json.dumps([{"topic": "tele/{device}/SENSOR", "time": "/Time", "features": {"power": "/ENERGY/Power"}}]))
    edge.begin(mappings=file)
    edge.stack.publisher().send_bytes("tele/plug/SENSOR", b'{"Time":"2026-11-23T12:00:00","ENERGY":{"Power":7}}', ())
    edge.await_records(1)
    (record,) = consume(edge.kafka, edge.topic)
    assert record.key == b"plug" and record.header("topic") == "tele/plug/SENSOR"
    assert json.loads(record.value) == {"deviceId": "plug", "timestamp": "2026-11-23T12:00:00.000000Z", "power": 7}


def test_births_of_sparkplug_are_known_without_a_database(edge, tmp_path):
    file = tmp_path / "mappings.json"
    file.write_text(json.dumps([
        {"topic": "spBv1.0/{group}/{type}/{edge}/{device}", "payload": "sparkplug", "device": "{group}/{edge}/{device}",
         "only": {"type": ["DBIRTH", "DDATA"]}, "each": "/metrics/*", "time": "/timestamp",
         "feature": {"name": "{/name}", "value": "/value"}}]))
    edge.begin(mappings=file, features="f")
    node = EdgeNode(edge.stack)
    node.birth()
    node.device_birth("D", ("f", "Float", 1.0))
    node.data("D", f=2.0)
    node.devices["E"] = [("f", "Float")]
    node.data("E", f=3.0)  # it has had no birth
    edge.await_records(2, 1)
    values = [json.loads(record.value) for record in consume(edge.kafka, edge.topic)]
    assert [(value["deviceId"], value["f"]) for value in values] == [("G.E.D", 1.0), ("G.E.D", 2.0)]
    (record,) = consume(edge.kafka, edge.rejected)
    assert record.header("reason") == "unknown_alias"


# --- Nothing is acknowledged before --------------------------------------------------------------


def test_without_kafka_the_broker_keeps_what_arrives(edge):
    """Killed with messages in hand, which it had not acknowledged: they come again."""
    collector = edge.begin()
    for broker in (1, 2, 3):
        edge.kafka.down(broker)
    publisher = edge.stack.publish(*(reading(f"device_{n % 5}", temperature=n) for n in range(500)))
    until(lambda: "Kafka is away: no broker answers" in (edge.reasons() or ""), 30)
    collector.wait_for_line("mqtt: leaving the broker")
    assert edge.metric("kafka_up") == 0
    assert edge.stack.metrics()["highwater_readings_stored_total"] == 0
    collector.kill9()
    for broker in (1, 2, 3):
        edge.kafka.up(broker)
    edge.begin()
    edge.await_records(500)
    assert_written(edge.kafka, edge.topic, publisher.messages)


def test_what_kafka_is_slow_to_confirm_is_not_acknowledged(edge):
    collector = edge.begin()
    for broker in (1, 2, 3):
        edge.kafka.rtt(broker, 3000)
    publisher = edge.stack.publish(*(reading(f"device_{n % 5}", temperature=n) for n in range(200)))
    until(lambda: edge.metric("kafka_unconfirmed_records") > 0, 20)
    assert edge.metric("readings_stored_total") == 0
    collector.kill9()
    for broker in (1, 2, 3):
        edge.kafka.rtt(broker, 0)
    edge.begin()
    until(lambda: edge.metric("readings_stored_total") == 200, 30, "the broker delivers all of them again")
    assert_written(edge.kafka, edge.topic, publisher.messages)


def test_at_the_end_what_was_read_is_confirmed(edge):
    collector = edge.begin(linger="10s")
    publisher = edge.stack.publish(*(reading("d", temperature=n) for n in range(50)))
    until(lambda: edge.metric("readings_received_total") == 50, 20)
    for broker in (1, 2, 3):
        edge.kafka.rtt(broker, 500)
    assert collector.terminate() == 0
    assert_written(edge.kafka, edge.topic, publisher.messages)
    edge.begin()
    edge.stack.publish(reading("d", temperature=1000))
    edge.await_records(1)


def test_of_two_with_one_id_none_loses_anything(edge):
    """There is no lock; the broker gives the session to whoever comes last, and what was not acknowledged with it."""
    edge.begin()
    publisher = edge.stack.publisher()
    for n in range(300):
        publisher.send(reading(f"device_{n % 5}", temperature=n))
    second = edge.start(metrics_listen="-", log_name="second")
    second.wait_for_line("mqtt: connecting -> up")
    for n in range(300, 600):
        publisher.send(reading(f"device_{n % 5}", temperature=n))
    publisher.wait()
    second.wait_for_line("taken over|lost|down", 30)
    second.kill9()

    def is_all_there():
        found = {json.loads(record.value)["temperature"] for record in consume(edge.kafka, edge.topic)}
        return found == set(range(600))

    until(is_all_there, 60, "all of it is there", pause=0.5)
    assert_written(edge.kafka, edge.topic, publisher.messages)


# --- Commands and settings -----------------------------------------------------------------------


@pytest.mark.parametrize(("settings", "status", "says"), [
    ({"store": "kafka://127.0.0.1:9/t/u"}, 2, "kafka://host"),
    ({"store": "kafka://127.0.0.1:9/t?group=g"}, 2, "nothing behind it"),
    ({"store": "kafka://me:hunter2@127.0.0.1/t"}, 2, "KAFKA_CONFIG"),
    ({"store": "redis://127.0.0.1/t"}, 2, "kafka://host"),
    ({"kafka_config": "/nowhere"}, 2, "/nowhere cannot be read"),
    ({"args": ["--migrate"]}, 0, "nothing to migrate"),
    ({"args": ["--rejected"]}, 2, "keeps no list"),
    ({"args": ["--forget", "x"]}, 1, "only a database knows"),
])  # fmt: skip
def test_what_a_store_of_this_kind_has_not_is_said(stack, settings, status, says):
    args = settings.pop("args", ())
    program = stack.program("collector", args, **{"store": "kafka://127.0.0.1:9/t", "database_url": None, **settings})
    program.start()
    assert program.wait(20) == status, program.output()
    assert says in program.output() and "hunter2" not in program.output()


def test_properties_of_librdkafka_come_from_a_file(edge, tmp_path):
    file = tmp_path / "kafka.conf"
    file.write_text("acks=1\n")
    collector = edge.start(kafka_config=file)
    assert collector.wait(20) == 2
    assert f"{file}:1: acks is not legal here" in collector.output()
    file.write_text("# small\ncompression.type=lz4\nqueue.buffering.max.messages=10\n")
    edge.begin(kafka_config=file)
    publisher = edge.stack.publish(*(reading("d", temperature=n) for n in range(300)))
    edge.await_records(300)
    assert_written(edge.kafka, edge.topic, publisher.messages)


# --- What only a real one refuses ----------------------------------------------------------------


@pytest.mark.engines
def test_a_topic_that_takes_little_gets_little_at_a_time(real):
    edge = real(max_message_bytes="3000")
    edge.begin()
    publisher = edge.stack.publisher()
    for n in range(600):
        publisher.send(reading(f"device_{n % 3}", temperature=n))
    large = bytes(range(256)) * 100
    publisher.send_bytes("devices/d/readings", large)
    publisher.wait()
    until(lambda: edge.metric("readings_stored_total") == 600 and edge.metric("kafka_rejected_records_total") > 8, 60)
    until(lambda: edge.metric("readings_in_flight") == 0, 60)
    assert len(consume(edge.kafka, edge.topic)) == 600
    parts = sorted(consume(edge.kafka, edge.rejected), key=lambda r: int(r.header("detail").split()[1]))
    assert b"".join(part.value for part in parts) == large
    assert all(part.header("detail").startswith("bytes ") for part in parts) and len(parts) > 8
    assert edge.metric("store_on_hold") == 0
