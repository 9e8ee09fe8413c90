"""The consumer that writes readings into Cassandra, with a real node: what it writes is there once, whatever dies."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import tempfile
import threading
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cassandra_server import PROGRAM, TOO_LARGE, Store, needs_cassandra, session
from kafka import Record, client, consume, delete_records, end_offsets, new_topic, produce
from private_cassandra import PrivateCassandra
from servers import LOOPBACK, Program, patience, until

pytestmark = [pytest.mark.engines]

START = datetime(2026, 11, 24, 23, 59, 30, tzinfo=timezone.utc)  # so that a day ends soon


def identity(value):
    """As it stands in the header, and as it is in the table."""
    import xxhash  # noqa: PLC0415

    unsigned = xxhash.xxh3_64_intdigest(value)
    return b"%016x" % unsigned, unsigned - 2**64 if unsigned >= 2**63 else unsigned


def reading(number, devices=200, **more):
    """(record, key of its row): as a collector writes it. Every tenth has a twin in the same microsecond, every
    fiftieth is three weeks late."""
    device = f"device_{number % devices}"
    steps = number // devices
    when = START + timedelta(microseconds=250_001 * (steps - (steps % 10 == 1)), days=-21 if number % 50 == 7 else 0)
    value = json.dumps(
        {"deviceId": device, "timestamp": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "status": "ON", "temperature": number / 7,
         "pressure": 3.25, "seq": number, **more}, separators=(",", ":"),
    ).encode()  # fmt: skip
    header, row_id = identity(value)
    headers = (
        ("identity", header),
        ("arrival", b"2026-11-26T12:00:00.123456Z"),
        ("topic", f"devices/{device}/readings".encode()),
    )
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)
    day = (when.date() - date(1970, 1, 1)).days
    return Record(value, device.encode(), headers), (
        device,
        day,
        (when - midnight) // timedelta(microseconds=1),
        row_id,
    )


def check(store, expected):
    found = store.keys()
    lost, unexpected = set(expected) - set(found), set(found) - set(expected)
    doubled = {key for key, count in found.items() if count > 1}
    assert (len(lost), len(doubled), len(unexpected)) == (0, 0, 0), (list(lost)[:3], list(unexpected)[:3])


def committed(kafka, topic, group="highwater-cassandra"):
    """The group's offset of each partition."""
    from confluent_kafka import TopicPartition  # noqa: PLC0415

    asked = client("Consumer", kafka.bootstrap, group_id=group)
    try:
        wanted = [TopicPartition(topic, partition) for partition in end_offsets(kafka, topic)]
        return {each.partition: each.offset for each in asked.committed(wanted, timeout=patience())}
    finally:
        asked.close()


def is_committed(kafka, topic):
    ends = {partition: end for partition, (_, end) in end_offsets(kafka, topic).items() if end}
    offsets = committed(kafka, topic)
    return all(offsets.get(partition) == end for partition, end in ends.items())


# --- Once, whatever dies -----------------------------------------------------------------------------


def survive(store, kafka, topic, rng, count, consumer_kills, node_kills, source_more=""):
    """Sends readings, some of them twice, while consumer and node are killed at random moments of their work."""
    readings = [reading(number) for number in range(count)]
    records = [record for record, _ in readings]
    records += rng.sample(records, count // 50)
    sending = threading.Thread(target=produce, args=(kafka, topic, records))
    consumer = store.consumer(kafka.url(topic) + source_more, "--linger", "200ms").start()
    sending.start()
    faults = ["consumer"] * consumer_kills + ["node"] * node_kills
    rng.shuffle(faults)
    written = base = 0.0  # by all, though some of it twice; by the present one before the last fault
    for number, fault in enumerate(faults):
        consumer.wait_for(
            "rows_written_total", base + rng.uniform(0.2, 0.9) * (count - written) / (len(faults) - number + 1), 120
        )
        now = consumer.metric("rows_written_total")
        written, base = written + now - base, now
        if fault == "consumer":
            consumer.program.kill9()
            consumer.start()
            base = 0.0
        else:
            store.server.kill9()
            until(lambda: consumer.metrics().get("up") == 0, 60, "the node is missed")
            assert consumer.get("/readyz")[0] == 503
            store.server.start()
            consumer.wait_for("up", 1)
    sending.join()
    until(lambda: is_committed(kafka, topic), 300, "every offset is committed", pause=0.5)
    assert consumer.metric("rows_waiting") == 0
    consumer.stop()
    check(store, Counter(key for _, key in readings))


def test_every_reading_is_a_row_once_though_consumer_and_node_are_killed(cassandra, mock_kafka, rng):
    topic = new_topic(mock_kafka)
    survive(cassandra, mock_kafka, topic, rng, 12_000, consumer_kills=1, node_kills=1)


@pytest.mark.faults
def test_three_hundred_thousand_readings_through_four_kills_of_the_consumer_and_two_of_the_node(cassandra, kafka, rng):
    topic = new_topic(kafka)
    survive(cassandra, kafka, topic, rng, 300_000, consumer_kills=4, node_kills=2, source_more="?member=one")


def test_an_acknowledged_row_has_all_that_its_record_had(cassandra, mock_kafka):
    topic = new_topic(mock_kafka)
    full, _ = reading(3, humidity=-0.5, tiny=5e-324)
    bare = Record(b'{"status":"OFF"}', b"Wetter S\xc3\xbcd", timestamp_ms=1_795_000_000_123)
    produce(mock_kafka, topic, [full, bare])
    consumer = cassandra.consumer(mock_kafka.url(topic)).start()
    consumer.wait_for("rows_written_total", 2)
    consumer.stop()
    rows = {row.device: row for row in cassandra.rows()}
    row = rows["device_3"]
    assert (row.status, row.seq) == ("ON", 3)
    assert dict(row.features) == {"temperature": 3 / 7, "pressure": 3.25, "humidity": -0.5, "tiny": 5e-324}
    assert row.received_at == datetime(2026, 11, 26, 12, 0, 0, 123000)  # noqa: DTZ001 (the driver has no zones)
    row = rows["Wetter Süd"]
    assert (row.status, row.seq, row.features, row.id) == ("OFF", None, None, identity(b'{"status":"OFF"}')[1])
    assert row.received_at == datetime.fromtimestamp(1_795_000_000.123, timezone.utc).replace(tzinfo=None)
    with cassandra.session() as asked:  # as the document has it
        newest = asked.execute("SELECT features['temperature'] AS t FROM readings WHERE device = 'device_3' AND day = '2026-11-24' "
                               "AND recorded_at >= '23:00:00' ORDER BY recorded_at DESC LIMIT 1").one()  # fmt: skip
        assert newest.t == 3 / 7


def test_an_end_leaves_nothing_to_be_read_again(cassandra, mock_kafka):
    topic = new_topic(mock_kafka)
    readings = [reading(number) for number in range(3000)]
    produce(mock_kafka, topic, [record for record, _ in readings])
    consumer = cassandra.consumer(mock_kafka.url(topic), "--linger", "60s", "--batch-size", "1000").start()
    consumer.wait_for("records_total", 3000)
    consumer.stop()  # what waited for more of its batch is written now
    assert is_committed(mock_kafka, topic)
    check(cassandra, Counter(key for _, key in readings))
    last, _ = reading(5000)
    produce(mock_kafka, topic, [last])
    again = cassandra.consumer(mock_kafka.url(topic), name="again").start()
    again.wait_for("rows_written_total", 1)
    assert again.metric("records_total") == 1
    again.stop()


@pytest.mark.faults
def test_two_members_share_the_topic_and_one_takes_over(cassandra, mock_kafka):
    topic = new_topic(mock_kafka, partitions=8)
    readings = [reading(number) for number in range(8000)]
    first, second = (cassandra.consumer(mock_kafka.url(topic), name=name).start() for name in ("first", "second"))
    until(lambda: first.metric("partitions") == 4 and second.metric("partitions") == 4, 60, "each has half")
    produce(mock_kafka, topic, [record for record, _ in readings[:4000]])
    first.wait_for("rows_written_total", 1)
    second.program.kill9()
    produce(mock_kafka, topic, [record for record, _ in readings[4000:]])
    until(lambda: is_committed(mock_kafka, topic), 120, "every offset is committed", pause=0.5)
    assert first.metric("partitions") == 8
    first.stop()
    check(cassandra, Counter(key for _, key in readings))


# --- What cannot be written ----------------------------------------------------------------------------


def test_what_can_never_be_written_is_set_aside_whole_with_its_reason(cassandra, mock_kafka):
    topic = new_topic(mock_kafka)
    good = [reading(number) for number in range(300)]
    wide, _ = reading(1, **TOO_LARGE)  # of a device that has good ones, too
    junk = Record(b"\x00\xffjunk", b"device_1", (("topic", b"devices/device_1/readings"), ("reason", b"of before")))
    mixed = Record(b'[{"t":1},{"t":"x"},{"t":2}]', b"mixed")
    records = [record for record, _ in good]
    produce(
        mock_kafka,
        topic,
        [*records[:100], wide, junk, *records[100:], mixed, Record(b" ", b"device_2"), Record(None, b"device_2")],
    )
    consumer = cassandra.consumer(mock_kafka.url(topic)).start()
    until(lambda: is_committed(mock_kafka, topic), 60, "every offset is committed")
    metrics = consumer.metrics()
    rejected = {record.header("reason"): record for record in consume(mock_kafka, f"{topic}.cassandra-rejected")}
    assert set(rejected) == {"refused_by_database", "invalid_utf8", "no_value", "empty"}
    assert rejected["refused_by_database"].value == wide.value and rejected["refused_by_database"].key == wide.key
    assert rejected["refused_by_database"].header("identity") == wide.header("identity")
    assert rejected["invalid_utf8"].value == junk.value and rejected["invalid_utf8"].header("detail")
    assert rejected["invalid_utf8"].header("origin").startswith(f"{topic} ")
    assert rejected["no_value"].value == mixed.value and "1 of 3" in rejected["no_value"].header("detail")
    assert rejected["empty"].value == b" " and metrics["tombstones_total"] == 1
    assert {name for name in metrics if name.startswith("rejected_total")} == {
        f'rejected_total{{reason="{r}"}}' for r in rejected
    }
    assert consumer.get("/readyz")[0] == 200
    consumer.stop()
    assert len(cassandra.keys()) == 302  # two elements of the array are readings


@pytest.mark.faults
def test_a_table_that_is_gone_costs_no_reading(cassandra, mock_kafka):
    topic = new_topic(mock_kafka)
    readings = [reading(number) for number in range(2000)]
    consumer = cassandra.consumer(mock_kafka.url(topic)).start()
    produce(mock_kafka, topic, [record for record, _ in readings[:1]])
    consumer.wait_for("rows_written_total", 1)
    with cassandra.session() as asked:
        asked.execute("DROP TABLE readings", timeout=patience())
    produce(mock_kafka, topic, [record for record, _ in readings[1:]])
    consumer.wait_for("retries_total", 1)
    status, reason = consumer.get("/readyz")
    assert status == 503 and reason
    cassandra.create()
    until(lambda: is_committed(mock_kafka, topic), 120, "every offset is committed", pause=0.5)
    assert consumer.metric("rejected_total") == 0
    consumer.stop()
    check(cassandra, Counter(key for _, key in readings[1:]))


def test_a_node_that_stands_still_costs_neither_membership_nor_readings(cassandra, mock_kafka):
    topic = new_topic(mock_kafka)
    readings = [reading(number) for number in range(4000)]
    consumer = cassandra.consumer(mock_kafka.url(topic), "--timeout", "1s", "--most-rows", "500").start()
    consumer.wait_for("partitions", 4)
    with cassandra.server.program.paused():
        produce(mock_kafka, topic, [record for record, _ in readings])
        consumer.wait_for("retries_total", 3)
        assert consumer.metric("rows_waiting") < 500 + 501  # the bound, and what one look takes
    until(lambda: is_committed(mock_kafka, topic), 120, "every offset is committed", pause=0.5)
    assert consumer.metric("rebalances_total") == 1
    consumer.stop()
    check(cassandra, Counter(key for _, key in readings))


def test_records_that_were_gone_before_they_were_read_are_said_and_counted(cassandra, kafka):
    topic = new_topic(kafka, partitions=1)
    readings = [reading(number) for number in range(100)]
    produce(kafka, topic, [record for record, _ in readings[:10]])
    consumer = cassandra.consumer(kafka.url(topic)).start()
    consumer.wait_for("rows_written_total", 10)
    consumer.stop()
    produce(kafka, topic, [record for record, _ in readings[10:]])
    delete_records(kafka, topic, {0: 35})
    consumer.start()
    consumer.wait_for("rows_written_total", 65)
    assert consumer.metric("missed_records_total") == 25
    assert "records 10 to 34 of partition 0 were gone" in consumer.program.output()
    consumer.stop()
    check(cassandra, Counter(key for number, (_, key) in enumerate(readings) if not 10 <= number < 35))


def test_an_offset_beyond_the_end_is_said(cassandra, mock_kafka):
    """As where a topic was made again, or lost what its leader alone had."""
    from confluent_kafka import TopicPartition  # noqa: PLC0415

    topic = new_topic(mock_kafka, partitions=1)
    readings = [reading(number) for number in range(20)]
    produce(mock_kafka, topic, [record for record, _ in readings])
    other = client("Consumer", mock_kafka.bootstrap, group_id="highwater-cassandra")
    other.commit(offsets=[TopicPartition(topic, 0, 1000)], asynchronous=False)
    other.close()
    consumer = cassandra.consumer(mock_kafka.url(topic)).start()
    consumer.wait_for("rows_written_total", 20)
    assert "partition 0 has no offset 1000 any more" in consumer.program.output()
    assert "is another by now" in consumer.program.output()
    consumer.stop()
    assert committed(mock_kafka, topic) == {0: 20}
    check(cassandra, Counter(key for _, key in readings))


# --- Before it writes ------------------------------------------------------------------------------------


def test_a_keyspace_or_table_that_is_not_there_is_named(cassandra, mock_kafka):
    store = Store(cassandra.server, cassandra.logs)
    consumer = store.consumer(mock_kafka.url("readings"), name="without").start()
    assert consumer.program.wait() == 1 and "--create-schema" in consumer.program.output()
    with session(cassandra.server) as asked:
        asked.execute(
            f"CREATE KEYSPACE {store.keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}} AND durable_writes = false"
        )
    consumer.start()
    assert consumer.program.wait() == 1 and "no table readings" in consumer.program.output()
    store.create()  # the table alone
    consumer.start()
    assert consumer.program.wait() == 1 and "durable_writes" in consumer.program.output()


def test_the_table_is_made_with_its_retention(cassandra):
    store = Store(cassandra.server, cassandra.logs)
    store.create("--retention", "30d")
    store.create("--retention", "60d")  # it stays as it is
    with session(cassandra.server) as asked:
        row = asked.execute(
            "SELECT default_time_to_live, compaction FROM system_schema.tables WHERE keyspace_name = %s AND table_name = 'readings'",
            (store.keyspace,),
        ).one()
    assert row.default_time_to_live == 30 * 86400
    assert "TimeWindowCompactionStrategy" in row.compaction["class"] and row.compaction["compaction_window_size"] == "1"


def make_certificates(folder):
    """An authority, and the node's own as Java wants it."""

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)

    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=authority",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    )
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=node", "-keyout", "node.key", "-out", "node.csr")
    (folder / "names").write_text(f"subjectAltName=IP:{LOOPBACK}\n")
    openssl("x509", "-req", "-in", "node.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names",
            "-out", "node.pem")  # fmt: skip
    openssl(
        "pkcs12", "-export", "-in", "node.pem", "-inkey", "node.key", "-passout", "pass:changeit", "-out", "node.p12"
    )


@pytest.fixture
def guarded(area: Path, logs: Path):
    """A node with TLS and passwords, which syncs its commit log periodically, as a node does by default."""
    needs_cassandra()
    home = Path(tempfile.mkdtemp(dir=area, prefix="cassandra-"))
    make_certificates(home)
    server = PrivateCassandra(home, logs / "guarded.log", {
        "commitlog_sync": "periodic\ncommitlog_sync_period: 10000ms",
        "authenticator": "PasswordAuthenticator",
        "client_encryption_options": f"{{enabled: true, optional: false, keystore: {home}/node.p12, keystore_password: changeit, store_type: PKCS12}}",
    })  # fmt: skip
    server.start()
    yield server
    server.kill9()


def test_a_node_that_may_forget_what_it_acknowledged_is_refused_unless_told(guarded, mock_kafka, logs):
    from cassandra.auth import PlainTextAuthProvider  # noqa: PLC0415

    password = guarded.home / "password"
    password.write_text("cassandra\n")
    store = Store(guarded, logs)
    store.url = store.url.replace("cassandra://", "cassandras://cassandra@")
    secure = ["--ca-file", str(guarded.home / "ca.pem"), "--password-file", str(password)]
    context = ssl.create_default_context(cafile=str(guarded.home / "ca.pem"))

    def can_log_in():  # the first role is made some time after the start
        try:
            with session(guarded, auth_provider=PlainTextAuthProvider("cassandra", "cassandra"), ssl_context=context):
                return True
        except Exception:
            return False

    until(can_log_in, 60, "the first role is there", pause=0.5)
    store.create(*secure)
    topic = new_topic(mock_kafka)
    refused = store.consumer(mock_kafka.url(topic), *secure, name="refused").start()
    assert refused.program.wait() == 1
    assert "commitlog_sync: periodic" in refused.program.output() and "--accept-periodic" in refused.program.output()

    record, _ = reading(1)
    produce(mock_kafka, topic, [record])
    password.write_text("wrong\n")
    consumer = store.consumer(mock_kafka.url(topic), *secure, "--accept-periodic", name="told").start()
    assert "wrong" not in consumer.program.wait_for_line("not reached yet")
    assert consumer.get("/readyz")[0] == 503
    password.write_text("cassandra\n")  # is read again
    consumer.wait_for("rows_written_total", 1)
    consumer.stop()

    stranger = store.consumer(
        mock_kafka.url(topic), *secure[2:], name="stranger"
    ).start()  # does not know the authority
    stranger.program.wait_for_line("not reached yet: .*CERTIFICATE_VERIFY_FAILED|not reached yet")
    stranger.stop()


@pytest.mark.faults
def test_a_second_signal_ends_it_at_once(cassandra, mock_kafka):
    topic = new_topic(mock_kafka)
    consumer = cassandra.consumer(mock_kafka.url(topic), "--timeout", "1s").start()
    consumer.wait_for("partitions", 4)
    with cassandra.server.program.paused():
        produce(mock_kafka, topic, [reading(number)[0] for number in range(10)])
        consumer.wait_for("retries_total", 1)
        consumer.program.signal(signal.SIGTERM)
        consumer.program.wait_for_line("ending: 10 rows")
        consumer.program.signal(signal.SIGTERM)
        assert consumer.program.wait() == 128 + signal.SIGTERM
    consumer.start()
    consumer.wait_for("rows_written_total", 10)
    consumer.stop()


@pytest.mark.faults
def test_an_end_that_takes_too_long_says_so(cassandra, mock_kafka):
    topic = new_topic(mock_kafka)
    consumer = cassandra.consumer(mock_kafka.url(topic), "--timeout", "1s", "--drain-timeout", "1s").start()
    consumer.wait_for("partitions", 4)
    with cassandra.server.program.paused():
        produce(mock_kafka, topic, [reading(number)[0] for number in range(10)])
        consumer.wait_for("retries_total", 1)
        assert consumer.program.terminate() == 1
    assert "10 rows" in consumer.program.output()


@pytest.mark.faults
def test_of_two_members_with_one_name_the_earlier_ends(cassandra, kafka):
    topic = new_topic(kafka)
    first, second = (cassandra.consumer(f"{kafka.url(topic)}?member=one", name=name) for name in ("first", "second"))
    first.start().wait_for("partitions", 4)
    second.start().wait_for("partitions", 4)
    assert first.program.wait(60) == 1
    assert "fenced" in first.program.output()
    second.stop()


def test_properties_and_certificates_that_are_none_are_wrong_settings(logs):
    needs_cassandra()
    odd, junk = logs / "kafka.properties", logs / "junk.pem"
    odd.write_text("no.such.property=1\n")
    junk.write_text("junk\n")
    for number, (store, more, word) in enumerate(
        (("cassandra", ["--kafka-config", odd], "no.such.property"), ("cassandras", ["--ca-file", junk], "--ca-file"))
    ):
        program = Program("wrong", [PROGRAM, "--store", f"{store}://{LOOPBACK}:9/k", "--source", f"kafka://{LOOPBACK}:9/t",
                                    "--metrics-listen", "-", *more], logs / f"wrong{number}.log")  # fmt: skip
        program.start()
        assert program.wait() == 2 and word in program.output()


def test_it_runs_without_anything_to_reach(logs):
    """Nobody listens: it waits, and ends when it is asked to."""
    needs_cassandra()
    program = Program("alone", [PROGRAM, "--store", f"cassandra://{LOOPBACK}:9/k", "--source", f"kafka://{LOOPBACK}:9/t",
                                "--metrics-listen", "-"], logs / "alone.log")  # fmt: skip
    program.start()
    program.wait_for_line("not reached yet")
    assert program.terminate() == 0
