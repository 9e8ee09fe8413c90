"""collector --source kafka://...: what is in a topic gets into the database, whoever wrote it and however odd it is."""

from __future__ import annotations

import json
import time

import pytest

from kafka import Record, add_partitions, client, delete_records, delete_topic, new_topic, produce
from http_tools import migrate
from oracle import now_us, to_text
from servers import LOOPBACK, free_port, until

GROUP = "tests"


@pytest.fixture
def topic(mock_kafka):
    name = new_topic(mock_kafka, 4)
    mock_kafka.topic(f"{name}.rejected", 1)
    return name


@pytest.fixture
def start(stack, mock_kafka, topic):
    def start_collector(member="-", **settings):
        source = f"{mock_kafka.url(topic)}?group={GROUP}&member={member}"
        return stack.start_collector(source=source, **settings)

    return start_collector


def reading(value, **members):
    return json.dumps({"temperature": value, **members}).encode()


def ours(value, device, identity, at_us, topic="zigbee2mqtt/kitchen"):
    """As a collector writes it."""
    headers = (("identity", b"%016x" % identity), ("arrival", to_text(at_us).encode()), ("topic", topic.encode()))
    payload = reading(value, deviceId=device, timestamp=to_text(at_us))
    return Record(payload, device.encode(), headers)


def rows(stack, sql, *arguments):
    return stack.database.rows(sql, arguments)


def stored(stack):
    return rows(stack, "SELECT device_id, temperature FROM device_readings ORDER BY temperature")


def readiness(stack):
    try:
        return stack.get("/readyz", stack.metrics_port)[2].decode()
    except OSError:
        return ""  # it does not listen yet


def await_stored(stack, count, timeout=60.0):
    until(lambda: stack.database.count() >= count, timeout, f"{count} readings are stored")
    assert stack.database.count() == count


def test_what_collectors_wrote_is_stored_once(stack, mock_kafka, topic, start):
    at_us = now_us() - 5_000_000
    records = [ours(n, f"device_{n % 7}", n, at_us + n) for n in range(1000)]
    produce(mock_kafka, topic, records + records[:100])  # as after a crash between Kafka and the broker
    start()
    await_stored(stack, 1000)
    hashes = rows(stack, "SELECT temperature, content_hash FROM readings")
    assert all(int(value) == identity for value, identity in hashes), "the identity is the header's"
    until(lambda: sum(n for (n,) in rows(stack, "SELECT coalesce(next, 0) FROM positions")) == 1100, 20)
    until(lambda: stack.metrics(stack.metrics_port).get("highwater_kafka_up") == 1, 20)


def test_what_is_odd_holds_nothing_up(stack, mock_kafka, topic, start):
    at = to_text(now_us())
    far = ("arrival", b"2999-01-01T00:00:00Z")
    records = [
        Record(reading(1), b"native"),
        Record(b"[" + reading(2) + b"," + reading(3) + b"]", b"native"),
        Record(reading(4, timestamp=at), b"native", (("topic", b"devices/by_topic/readings"),)),
        Record(reading(5), b"native", (far, ("identity", b"nonsense"), ("topic", b"\xff\x00"))),
        Record(reading(6), None),  # whose?
        Record(None, b"native"),  # a tombstone
        Record(b"", b"native"),
        Record(b"\x00\xff" * 400_000, b"native"),
        Record(reading(7), b"a/b"),
        Record(reading(8), b"native", tuple((f"h{n}", None) for n in range(500))),
        Record(reading(9), b"native", (("identity", None), ("arrival", b"x" * 10_000))),
        Record(b"{" * 10_000, b"native"),
        Record(reading(10), b"native", (("topic", b"nobody/asked/for/this"),)),
    ]  # fmt: skip
    produce(mock_kafka, topic, records)
    reject = (("reason", b"not_json"), ("detail", b"why not"), ("topic", b"devices/x/readings"), ("arrival", at.encode()))
    produce(mock_kafka, f"{topic}.rejected", [Record(b"junk \xff", None, reject), Record(b"odd", b"x")])
    start()
    await_stored(stack, 8)
    assert {device for device, _ in stored(stack)} == {"native", "by_topic"}
    assert [v for _, v in stored(stack)] == [1, 2, 3, 4, 5, 8, 9, 10]
    until(lambda: len(rows(stack, "SELECT 1 FROM rejected_messages")) == 6, 20)
    reasons = rows(stack, "SELECT reason, topic FROM rejected_messages ORDER BY 1, 2")
    assert ("not_json", "devices/x/readings") in reasons
    assert ("bad_device_id", topic) in reasons and ("bad_device_id", f"{topic}/a/b") in reasons
    detail = rows(stack, "SELECT detail, payload FROM rejected_messages WHERE topic = 'devices/x/readings'")
    assert detail[0][0] == "why not" and bytes(detail[0][1]) == b"junk \xff"
    recent = rows(stack, "SELECT count(*) FROM readings WHERE recorded_at > now() + interval '1 minute'")
    assert recent == [(0,)], "an arrival of the future is none"
    assert stack.metrics(stack.metrics_port)["highwater_kafka_tombstones_total"] == 2


def test_mappings_read_what_others_wrote_and_not_what_collectors_did(stack, mock_kafka, topic, start, tmp_path):
    mappings = tmp_path / "mappings.json"
    mappings.write_text(json.dumps([
        {"topic": "plugs/{device}/state", "features": {"temperature": "/t"}},
        {"topic": f"{topic}/{{device}}", "features": {"temperature": "/deep/t"}},
    ]))  # fmt: skip
    produce(mock_kafka, topic, [
        Record(b'{"t":1}', b"whatever", (("topic", b"plugs/p1/state"),)),
        Record(b'{"deep":{"t":2}}', b"k1"),
        ours(3, "p2", 77, now_us(), "plugs/p9/state"),
    ])  # fmt: skip
    start(mappings=mappings)
    await_stored(stack, 3)
    assert stored(stack) == [("p1", 1), ("k1", 2), ("p2", 3)]


def test_what_is_not_in_the_topic_is_held_until_a_person_says_where_to_go_on(stack, mock_kafka, topic, start):
    migrate(stack)
    rows(stack, "INSERT INTO positions VALUES (%s, %s, 2, 50)", GROUP, topic)
    produce(mock_kafka, topic, [Record(reading(n), b"d", partition=n % 4) for n in range(48)])
    collector = start()
    until(lambda: f"{topic}/2 is held" in readiness(stack), 30, "it is said")
    await_stored(stack, 36)  # of the others
    log = collector.output()
    assert f"{topic}/2: records 12 to 49 are not in the topic" in log
    statement = log.split("where to go on: ")[1].split("\n")[0]
    assert stack.metrics(stack.metrics_port)["highwater_kafka_held_partitions"] == 1
    rows(stack, statement.replace("next = 12", "next = 10"))
    await_stored(stack, 38)
    assert "is held" not in readiness(stack)


def test_while_the_database_is_away_the_place_in_the_group_is_kept(stack, postgres, mock_kafka, topic, start, tmp_path):
    config = tmp_path / "kafka.conf"
    config.write_text("max.poll.interval.ms=6000\n")
    start(kafka_config=config)
    produce(mock_kafka, topic, [Record(reading(0), b"d")])
    await_stored(stack, 1)
    postgres.stop()
    produce(mock_kafka, topic, [Record(reading(n), b"d%d" % n) for n in range(1, 100)])
    time.sleep(9)  # longer than the group lets a member be silent
    before = stack.metrics(stack.metrics_port)["highwater_kafka_rebalances_total"]
    postgres.start()
    await_stored(stack, 100)
    assert stack.metrics(stack.metrics_port)["highwater_kafka_rebalances_total"] == before == 1


# --- A real broker --------------------------------------------------------------------------------


@pytest.fixture
def real(stack, kafka):
    """A topic of a real Kafka, and what starts a collector on it."""
    topic = new_topic(kafka, 4)

    def start_collector(partition_count=4, **settings):
        collector = stack.start_collector(source=f"{kafka.url(topic)}?group={topic}", **settings)
        until(lambda: metric(stack, "highwater_kafka_partitions") == partition_count, 60, "the partitions are read")
        return collector

    return topic, start_collector


def metric(stack, name, port=0):
    try:
        return stack.metrics(port or stack.metrics_port).get(name)
    except OSError:
        return None


def spread(numbers):
    return [Record(reading(n), b"d", partition=n % 4) for n in numbers]


@pytest.mark.engines
def test_a_static_member_that_returns_goes_on_at_once(stack, kafka, real):
    topic, start = real
    produce(kafka, topic, spread(range(100)))
    collector = start()
    await_stored(stack, 100)
    for end in (collector.terminate, collector.kill9):
        stored_before = stack.database.count()
        end()
        produce(kafka, topic, spread(range(stored_before, stored_before + 100)))
        collector.start()
        began = time.monotonic()
        await_stored(stack, stored_before + 100)
        assert time.monotonic() - began < 4, "before the session of the one before is over"


@pytest.mark.engines
def test_what_retention_deleted_is_named_and_gone_on_from_where_a_person_says(stack, kafka, real):
    topic, start = real
    produce(kafka, topic, spread(range(40)))
    collector = start()
    await_stored(stack, 40)
    collector.terminate()
    produce(kafka, topic, spread(range(40, 120)))
    delete_records(kafka, topic, {1: 25})  # of the ten that are stored, and fifteen more
    collector = start(3)
    until(lambda: f"{topic}/1 is held: its records from 10 to 24" in readiness(stack), 30, "it is said")
    await_stored(stack, 100)
    statement = collector.output().split("where to go on: ")[1].split("\n")[0]
    rows(stack, statement)
    await_stored(stack, 105)
    until(lambda: readiness(stack) == "ready\n", 20)


@pytest.mark.engines
def test_a_topic_that_was_made_again_is_held_and_then_read_from_its_start(stack, kafka, real):
    topic, start = real
    produce(kafka, topic, spread(range(40)))
    collector = start()
    await_stored(stack, 40)
    delete_topic(kafka, topic)
    until(lambda: f"there is no topic {topic}" in readiness(stack), 40, "it is missed")
    new_topic(kafka, 4, topic)
    produce(kafka, topic, spread(range(100, 104)))
    until(lambda: metric(stack, "highwater_kafka_held_partitions") == 4, 60, "all are held")
    rows(stack, "UPDATE positions SET next = NULL WHERE topic = %s", topic)
    await_stored(stack, 44)
    assert collector.is_running()


@pytest.mark.engines
def test_of_two_members_each_has_a_part_of_the_readings_and_of_the_rejected_messages(stack, kafka, real):
    topic, start = real
    new_topic(kafka, 4, f"{topic}.rejected")
    start(8)
    port = free_port()
    second = stack.program(
        "collector", log_name="second", collector_id="second", metrics_listen=f"{LOOPBACK}:{port}",
        source=f"{kafka.url(topic)}?group={topic}",
    )  # fmt: skip
    second.start()
    for each in (stack.metrics_port, port):
        until(lambda each=each: metric(stack, "highwater_kafka_partitions", each) == 4, 60, "four of eight are its own")
    headers = (("reason", b"not_json"), ("detail", b""), ("topic", b"devices/x/readings"))
    produce(kafka, topic, spread(range(40)))
    produce(kafka, f"{topic}.rejected", [Record(b"%d" % n, None, headers, partition=n % 4) for n in range(40)])
    await_stored(stack, 40)
    until(lambda: stack.database.count("rejected_messages") == 40, 20)
    second.terminate()
    until(lambda: metric(stack, "highwater_kafka_partitions") == 8, 60, "all are the first one's")
    produce(kafka, f"{topic}.rejected", [Record(b"more %d" % n, None, headers, partition=n % 4) for n in range(40)])
    until(lambda: stack.database.count("rejected_messages") == 80, 20)


@pytest.mark.engines
def test_partitions_that_are_added_are_read_from_their_start(stack, kafka, real):
    topic, start = real
    produce(kafka, topic, spread(range(40)))
    start()
    await_stored(stack, 40)
    add_partitions(kafka, topic, 6)
    produce(kafka, topic, [Record(reading(1000 + n), b"d", partition=4 + n % 2) for n in range(20)])
    await_stored(stack, 60)
    assert metric(stack, "highwater_kafka_partitions") == 6


@pytest.mark.engines
def test_aborted_transactions_are_not_read_and_their_gaps_are_none(stack, kafka, real):
    topic, start = real
    producer = client("Producer", kafka.bootstrap, transactional_id=topic)
    producer.init_transactions()
    for n in range(20):
        producer.begin_transaction()
        producer.produce(topic, reading(n), b"d", partition=0)
        producer.flush()  # or there is nothing to be aborted
        (producer.commit_transaction if n % 2 else producer.abort_transaction)()
    start()
    await_stored(stack, 10)
    assert all(int(value) % 2 for _, value in stored(stack))
    (end,) = rows(stack, "SELECT next FROM positions WHERE topic = %s AND partition = 0", topic)
    assert end >= (39,), "records and marks of both kinds"
    until(lambda: metric(stack, f'highwater_kafka_lag_records{{topic="{topic}",partition="0"}}') == 0, 20)
