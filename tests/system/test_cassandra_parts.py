"""The consumer that writes into Cassandra (deploy/cassandra): its parts that need neither Cassandra nor Kafka. What a record says
has test_cassandra_records.py."""

from __future__ import annotations

import random
import sys
from datetime import timedelta

import pytest
from conftest import CLONE

xxhash = pytest.importorskip("xxhash")
HOME = CLONE / "deploy" / "cassandra"
sys.path.append(str(HOME))

import settings  # noqa: E402
from batches import Gatherer, row_bytes  # noqa: E402
from errors import FIRST_S, MOST_S, Kind, backoff_s, kind_of, name_of  # noqa: E402
from metrics import METRICS, Metrics  # noqa: E402
from progress import Progress  # noqa: E402
from records import Row  # noqa: E402
from safety import Node, Promise, weakness  # noqa: E402
from writer import Writer  # noqa: E402

# --- Progress --------------------------------------------------------------------------------------


def test_an_offset_is_not_passed_before_all_before_it_is_done():
    rng = random.Random(7)
    progress = Progress()
    begun = [progress.begin(offset, object(), rng.randrange(4)) for offset in range(100, 200)]
    open_rows = [record for record in begun for _ in range(record.open)]
    rng.shuffle(open_rows)
    assert progress.first_open() is not None and progress.position() in (None, progress.first_open())
    for record in open_rows:
        record.end_one()
        done = next((r.offset for r in begun if r.open), 200)
        assert progress.position() == (done if done > 100 else None)
    assert progress.to_commit() == progress.first_open() == 200
    progress.committed = 200
    assert progress.to_commit() is None


# --- Batches ---------------------------------------------------------------------------------------


def a_row(device="device_1", day=20000, features=None):
    return Row(device, day, 0, 0, None, None, None, features or {"t": 1.0})


def test_batches_are_of_one_device_and_day_and_bounded():
    gatherer = Gatherer(most_rows=3, most_bytes=1000, linger_s=1)
    record = Progress().begin(0, None, 100)
    full = [batch for i in range(26) for batch in gatherer.add(a_row(f"d{i % 2}", i % 3), record, 0.1 * i)]
    assert len(gatherer) == 6
    left = gatherer.all()
    assert [len(batch.rows) for batch in full] == [3] * 6 and sum(len(batch.rows) for batch in left) == 8
    for batch in full + left:
        assert len({(row.device, row.day) for row in batch.rows}) == 1
    wide = a_row(features={f"feature_{i}": 1.0 for i in range(40)})
    assert row_bytes(wide) > 1000  # one alone may be larger
    assert gatherer.add(wide, record, 0) == []
    assert [batch.rows for batch in gatherer.add(wide, record, 0)] == [[wide]]


def test_a_batch_is_due_once_its_first_row_has_waited():
    gatherer = Gatherer(100, 10_000, linger_s=1)
    record = Progress().begin(0, None, 3)
    gatherer.add(a_row("a"), record, 0.0)
    gatherer.add(a_row("b"), record, 0.5)
    gatherer.add(a_row("a"), record, 0.9)
    assert gatherer.due(0.99) == []
    assert gatherer.due(4.9, patience=5.0) == []
    assert [len(batch.rows) for batch in gatherer.due(1.0)] == [2]
    assert len(gatherer) == 1


# --- Errors ------------------------------------------------------------------------------------------


def error(name, base=Exception):
    return type(name, (base,), {})


@pytest.mark.parametrize(
    ("name", "kind"),
    [("OperationTimedOut", Kind.AWAY), ("Unavailable", Kind.AWAY), ("OverloadedErrorMessage", Kind.AWAY), ("NoHostAvailable", Kind.AWAY),
     ("SomethingNew", Kind.AWAY), ("InvalidRequest", Kind.REFUSED), ("Unauthorized", Kind.SETUP), ("SyntaxException", Kind.SETUP)],
)  # fmt: skip
def test_what_an_error_means(name, kind):
    assert kind_of(error(name)()) is kind
    assert kind_of(error("Newer", error(name))()) is kind
    assert "ErrorMessage" not in name_of(error(name)())


def test_errors_of_the_driver_are_known():
    driver = pytest.importorskip("cassandra")
    protocol = pytest.importorskip("cassandra.protocol")
    cluster = pytest.importorskip("cassandra.cluster")
    assert kind_of(driver.WriteTimeout("x", write_type=0)) is Kind.AWAY
    assert kind_of(driver.Unavailable("x")) is Kind.AWAY
    assert kind_of(driver.InvalidRequest("x")) is Kind.REFUSED
    assert kind_of(driver.Unauthorized("x")) is Kind.SETUP
    assert kind_of(protocol.OverloadedErrorMessage(0, "x", None)) is Kind.AWAY
    assert kind_of(cluster.NoHostAvailable("x", {})) is Kind.AWAY


def test_pauses_double_up_to_a_bound():
    assert [backoff_s(n, 1.0) for n in (1, 2, 3)] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert backoff_s(10_000, 1.0) == MOST_S and backoff_s(10_000, 0.0) == MOST_S / 2


# --- Safety ------------------------------------------------------------------------------------------

PERIODIC, BATCH, SILENT = (Node("10.0.0.1", sync) for sync in ("periodic", "batch", None))


@pytest.mark.parametrize(
    ("promise", "node", "word"),
    [
        (Promise("LOCAL_QUORUM", 1, 1, True), PERIODIC, "periodic"),
        (Promise("LOCAL_QUORUM", 1, 1, True), SILENT, "does not say"),
        (Promise("LOCAL_QUORUM", 1, 1, True), BATCH, None),
        (Promise("LOCAL_QUORUM", 3, 3, True), PERIODIC, None),
        (Promise("LOCAL_QUORUM", 2, 2, True), PERIODIC, None),
        (Promise("ONE", 3, 3, True), PERIODIC, "periodic"),
        (Promise("LOCAL_ONE", 3, 3, True), PERIODIC, "periodic"),
        (Promise("QUORUM", 1, 2, True), PERIODIC, None),
        (Promise("ALL", 1, 1, True), PERIODIC, "periodic"),
        (Promise("LOCAL_QUORUM", 3, 3, False), BATCH, "durable_writes"),
        (Promise("LOCAL_QUORUM", 0, 3, True), BATCH, "no copies"),
    ],
)
def test_what_one_node_could_lose_is_refused(promise, node, word):
    found = weakness(promise, [BATCH, node])
    assert (word in found) if word else found is None


# --- Settings ----------------------------------------------------------------------------------------

GOOD = {"SOURCE": "kafka://k1:9092,[::1]/readings", "STORE": "cassandra://10.0.0.1,10.0.0.2/highwater"}


def test_settings_come_from_the_environment_and_flags_count_more():
    found = settings.parse(["--batch-size", "7", "--linger=2s"], {**GOOD, "BATCH_SIZE": "9", "CONSISTENCY": "quorum"})
    assert (found.batch_size, found.linger_s, found.consistency) == (7, 2.0, "QUORUM")
    assert found.source == settings.Source("k1:9092,[::1]:9092", "readings", "highwater-cassandra", None)
    assert found.store == settings.Store(("10.0.0.1", "10.0.0.2"), 9042, "highwater", None, None, False)
    assert found.rejected_topic == "readings.cassandra-rejected"
    other = settings.parse(["--source", "kafka://k/t?group=g&member=m", "--retention", "30d"], GOOD)
    assert (other.source.group, other.source.member, other.retention) == ("g", "m", timedelta(days=30))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--source", "kafka://k"], "--source"),
        (["--source", "kafka://k/a/b"], "--source"),
        (["--source", "kafka://k/t?member="], "--source"),
        (["--source", "kafka://k/t?groop=g"], "--source"),
        (["--source", "kafka://k:0/t"], "--source"),
        (["--source", "kafka://k/a%20b"], "topic"),
        (["--store", "cassandra://h/a-b"], "keyspace"),
        (["--store", "cassandra://h:1,i:2/k"], "one port"),
        (["--store", "postgresql://h/k"], "--store"),
        (["--store", "cassandra://anna@h/k"], "--password-file"),
        (["--store", "cassandra://@h/k"], "--store"),
        (["--consistency", "ANY"], "LOCAL_QUORUM"),
        (["--batch-size", "0"], "from 1 to 1000"),
        (["--batch-size", "٣"], "from 1 to 1000"),
        (["--linger", "5"], "duration"),
        (["--timeout", "1ms"], "from 1s"),
        (["--metrics-listen", "x:y"], "PORT"),
        (["--ca-file", "/nonexistent"], "cannot be read"),
        (["--cert-file", "/etc/hostname"], "--key-file"),
        (["--accept-periodic", "x"], "unrecognized"),
        (["--retention", "1s"], "from 3600s"),
        (["--rejected-topic", "a b"], "letters"),
    ],
)
def test_wrong_settings_are_named(arguments, word, capsys):
    with pytest.raises(SystemExit) as ended:
        settings.parse(arguments, GOOD)
    assert ended.value.code == 2
    assert word in capsys.readouterr().err


def test_passwords_are_not_shown(tmp_path, capsys):
    for arguments in (
        ["--store", "cassandra://anna:s3cret@h/k"], ["--source", "kafka://u:s3cret@k/t"], ["--password-file", "s3cret"],
        ["--password-file", "/nonexistent/s3cret"],
    ):  # fmt: skip
        with pytest.raises(SystemExit):
            settings.parse(arguments, GOOD)
        assert "s3cret" not in capsys.readouterr().err
    good = tmp_path / "password"
    good.write_text("s3cret\n")
    found = settings.parse(["--store", "cassandra://anna@h/k", "--password-file", str(good)], GOOD)
    assert found.store.user == "anna" and settings.read_secret(found.password_file) == "s3cret"
    good.write_text("\n")
    with pytest.raises(SystemExit):
        settings.parse(["--store", "cassandra://anna@h/k", "--password-file", str(good)], GOOD)


@pytest.mark.parametrize("line", ["group.id=x", "nonsense", "a=1\na=2", "=x"])
def test_properties_of_kafka_that_are_ours_or_odd_are_refused(tmp_path, line, capsys):
    path = tmp_path / "kafka"
    path.write_text(f"# comment\n\nsecurity.protocol = SSL\n{line}\n")
    with pytest.raises(SystemExit):
        settings.parse(["--kafka-config", str(path)], GOOD)
    assert "line" in capsys.readouterr().err
    path.write_text("# comment\nsecurity.protocol = SSL\n")
    assert settings.parse(["--kafka-config", str(path)], GOOD).kafka_config == {"security.protocol": "SSL"}


def test_help_and_the_document_have_every_setting_and_metric(capsys):
    """Without the driver, which only the tests against a real node have for certain."""
    with pytest.raises(SystemExit) as ended:
        settings.parse(["--help"], {})
    assert ended.value.code == 0
    said = capsys.readouterr().out
    document = (CLONE / "docs" / "CASSANDRA.md").read_text()
    for option in settings.OPTIONS:
        assert f"--{option.name} " in said or f"--{option.name}\n" in said
        assert f"--{option.name}" in document
    for name in METRICS:
        assert f"highwater_cassandra_{name}`" in document


# --- Metrics ---------------------------------------------------------------------------------------


def test_metrics_are_written_as_prometheus_reads_them():
    measured = Metrics()
    measured.add("retries_total", 2, error='odd "name"\n')
    measured.set("lag_records", 7, partition="3")
    lines = measured.text().splitlines()
    assert 'highwater_cassandra_retries_total{error="odd \\"name\\"\\n"} 2' in lines
    assert 'highwater_cassandra_lag_records{partition="3"} 7' in lines
    assert "# TYPE highwater_cassandra_records_total counter" in lines
    measured.drop("lag_records")
    assert "lag_records{" not in measured.text()


# --- The writer --------------------------------------------------------------------------------------

REFUSED, AWAY = error("InvalidRequest"), error("WriteTimeout", error("Timeout"))


class PlayedTable:
    """Answers when it is told to, or in a way that depends on the rows."""

    def __init__(self):
        self.sent = []
        self.written = []
        self.poison = set()  # devices that Cassandra refuses
        self.unbindable = set()
        self.fault = None  # of the table as such
        self.is_away = False

    def statement(self, rows):
        if self.unbindable & {row.device for row in rows}:
            raise TypeError("cannot be bound")
        return list(rows)

    def send(self, statement, on_done):
        self.sent.append(statement)
        if self.is_away:
            on_done(AWAY("no answer"))
        elif self.fault or self.poison & {row.device for row in statement}:
            on_done(REFUSED("a guardrail"))
        else:
            self.written += statement
            on_done(None)

    def check_statement(self):
        if self.fault:
            raise self.fault


class Rig:
    def __init__(self, most_rows=5, in_flight=4):
        self.table = PlayedTable()
        self.metrics = Metrics()
        self.aside = []
        self.progress = Progress()
        self.writer = Writer(
            self.table, self._set_aside, self.metrics, Gatherer(most_rows, 10_000, 1.0), in_flight, 1000
        )
        self.offset = 0

    def _set_aside(self, record, reason, detail):
        self.aside.append((record.offset, reason, detail))
        record.end_one()

    def add(self, *devices, now=0.0):
        record = self.progress.begin(self.offset, object(), len(devices))
        self.offset += 1
        for device in devices:
            self.writer.add(a_row(device), record, now)

    def settle(self, now=0.0, steps=10):
        for _ in range(steps):
            self.writer.step(now, flush=True)


def test_rows_are_sent_in_batches_and_end_their_records():
    rig = Rig()
    for _ in range(7):
        rig.add("a")
    rig.writer.step(0.0)
    assert [len(each) for each in rig.table.sent] == [5]
    rig.writer.step(1.0)
    assert [len(each) for each in rig.table.sent] == [5, 2]
    rig.writer.step(1.0)
    assert rig.progress.to_commit() == 7 and rig.writer.rows == 0


def test_a_row_that_is_refused_is_found_and_set_aside_alone():
    rig = Rig()
    rig.table.poison = {"bad"}
    for device in ("a", "bad", "a", "bad"):
        rig.add(device)
    rig.add("a", "bad")  # a record of two
    rig.settle()
    assert sorted(rig.aside) == [(offset, "refused_by_database", "a guardrail") for offset in (1, 3, 4)]
    assert len(rig.table.written) == 3
    assert rig.progress.to_commit() == 5 and rig.writer.rows == 0


def test_a_row_that_cannot_be_bound_is_set_aside_alone():
    rig = Rig()
    rig.table.unbindable = {"bad"}
    rig.add("bad")
    rig.add("bad")
    rig.add("a")
    rig.settle()
    assert [offset for offset, _, _ in sorted(rig.aside)] == [0, 1] and len(rig.table.written) == 1


def test_a_table_that_is_gone_costs_no_row():
    rig = Rig()
    rig.table.fault = REFUSED("table readings does not exist")
    rig.add("a")
    rig.add("a")
    rig.settle()
    assert not rig.aside and rig.progress.to_commit() is None and "does not exist" in rig.writer.trouble
    rig.table.fault = None
    rig.settle(now=60.0)
    assert len(rig.table.written) == 2 and rig.progress.to_commit() == 2 and rig.writer.trouble == ""


def test_a_row_that_was_refused_while_the_table_was_gone_is_not_at_fault():
    rig = Rig()
    answers = []
    rig.table.send = lambda statement, on_done: answers.append(on_done)
    rig.add("a")
    rig.settle()
    answers[0](REFUSED("table readings does not exist"))  # it is back by now
    rig.settle()
    assert len(answers) == 2 and not rig.aside
    rig.table.fault = REFUSED("table readings does not exist")  # and gone again
    answers[1](rig.table.fault)
    rig.settle()
    rig.table.fault = None
    rig.settle(now=60.0)
    assert len(answers) == 3
    answers[2](None)
    rig.settle()
    assert not rig.aside and rig.progress.to_commit() == 1


def test_nobody_there_is_tried_again_for_as_long_as_it_takes():
    rig = Rig(in_flight=2)
    rig.table.is_away = True
    for i in range(20):
        rig.add(f"d{i}")
    for minute in range(30):
        rig.settle(now=60.0 * minute)
    assert rig.progress.to_commit() is None and not rig.aside
    assert rig.metrics.get("retries_total", error="WriteTimeout") >= 30
    assert rig.metrics.get("up") == 0
    rig.table.is_away = False
    rig.settle(now=10_000.0, steps=30)
    assert rig.progress.to_commit() == 20 and len(rig.table.written) == 20 and rig.metrics.get("up") == 1


def test_requests_under_way_are_bounded():
    rig = Rig(in_flight=3)
    answers = []
    rig.table.send = lambda statement, on_done: answers.append(on_done)
    for i in range(10):
        rig.add(f"d{i}")
    rig.settle()
    assert len(answers) == 3
    answers[1](None)
    rig.settle()
    assert len(answers) == 4 and rig.progress.to_commit() is None  # the first is not done
    answers[0](None)
    rig.settle()
    assert rig.progress.to_commit() == 2
