"""What /metrics says is what Prometheus reads, and is true."""

from __future__ import annotations

import re
import shutil
import subprocess
import time

from oracle import now_us, reading
from servers import until
from test_installations import is_ready, readyz

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9.e+-]+|[+-]Inf|NaN)")
SUFFIX = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def families(text):
    """Prometheus text, strictly: HELP, TYPE and samples of each metric stand together, once. By name: type and samples."""
    assert text.endswith("\n")
    found, name, kind = {}, None, None
    for line in text.splitlines():
        if helps := re.fullmatch(rf"# HELP ({NAME}) (\S.*[.?;:]?)", line):
            name, kind = helps[1], None
            assert name not in found, f"{name} is there twice"
            found[name] = (None, {})
        elif types := re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge|histogram)", line):
            assert types[1] == name and kind is None
            kind = types[2]
            found[name] = (kind, {})
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample and kind and sample[1] in {name + suffix for suffix in SUFFIX[kind]}, line
            series = line.rsplit(" ", 1)[0]
            assert series not in found[name][1], f"{series} is there twice"
            found[name][1][series] = float(sample[3])
    return found


def check_histogram(name, samples):
    groups = {}
    for series, value in samples.items():
        labels = dict(re.findall(r'(\w+)="([^"]*)"', series))
        bound = labels.pop("le", None)
        group = groups.setdefault(tuple(labels.items()), {"buckets": []})
        if bound is None:
            group[series.split("{")[0]] = value
        else:
            group["buckets"].append((float(bound.replace("+Inf", "inf")), value))
    for group in groups.values():
        assert group["buckets"] == sorted(group["buckets"]) and group["buckets"][-1][0] == float("inf")
        counts = [count for _, count in group["buckets"]]
        assert counts == sorted(counts) and counts[-1] == group[f"{name}_count"] and group[f"{name}_sum"] >= 0


def check(text, common=""):
    for name, (kind, samples) in families(text).items():
        assert samples, f"{name} has no sample"
        assert (kind == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|us|minutes|hours|kb|mb|milliseconds|microseconds)(_|$)", name), f"{name}: base units"
        assert all(common in series for series in samples), f"{name} lacks {common}"
        if kind == "histogram":
            check_histogram(name, samples)
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def send(stack, *readings):
    publisher = stack.publisher()
    for one in readings:
        publisher.send(one)
    publisher.wait()


def test_prometheus_reads_both_and_the_histograms_agree_with_the_counters(stack):
    stack.start_collector(collector_id="Hall_1.a-b", rejected_retention="1h")
    stack.start_httpapi()
    until(lambda: is_ready(stack), 20, "ready")
    check(stack.get("/metrics", stack.metrics_port)[2].decode(), 'collector="Hall_1.a-b"')
    assert stack.metrics()["highwater_turns_total"] == 1 and "highwater_last_commit_timestamp_seconds" not in stack.metrics()
    readings = [reading(f"d{n}", now_us(), temperature=n) for n in range(30)]
    send(stack, *readings, readings[0])
    publisher = stack.publisher()
    publisher.send_bytes("devices/d/readings", b"no JSON")
    publisher.wait()
    for target in ("/dashboard", "/devices/d1/histogram", "/nothing", '/a"b\\c'):
        stack.get(target)
    metrics = until(lambda: (m := stack.metrics())['highwater_readings_rejected_total{reason="not_json"}'] == 1 and m, 10)
    metrics = until(lambda: (m := stack.metrics())["highwater_readings_in_flight"] == 0 and m, 10)
    stored = metrics["highwater_readings_stored_total"] + metrics["highwater_readings_duplicate_total"]
    assert stored == 31 == metrics["highwater_arrival_to_commit_seconds_count"]
    assert metrics["highwater_batch_readings_sum"] == 32
    assert metrics["highwater_batches_total"] == metrics["highwater_commit_duration_seconds_count"] == metrics["highwater_batch_readings_count"]
    # no reading waits for less than its batch's commit
    assert metrics["highwater_arrival_to_commit_seconds_sum"] >= metrics["highwater_commit_duration_seconds_sum"] > 0
    newest = stack.database.value("SELECT extract(epoch FROM max(received_at)) FROM readings")
    assert metrics["highwater_last_commit_timestamp_seconds"] >= float(newest)
    check(stack.get("/metrics", stack.metrics_port)[2].decode(), 'collector="Hall_1.a-b"')
    check(stack.get("/metrics")[2].decode())


def test_ready_is_what_readyz_says(stack, broker):
    stack.start_collector()
    stack.start_httpapi()

    def says(ready):
        gauges = stack.metrics()["highwater_ready"], stack.metrics(stack.http_port)["highwater_httpapi_ready"]
        return gauges == (ready, ready) and (readyz(stack)[0] == 200) == bool(ready) == (stack.get("/readyz")[0] == 200)

    until(lambda: readyz(stack)[0], 15, "it answers")
    until(lambda: says(1), 20, "both are ready")
    broker.stop()
    until(lambda: says(0), 20, "neither is")
    assert "highwater_broker_queued_messages" not in stack.metrics(), "it would be of before"


def test_what_waits_at_the_broker_is_told(stack):
    stack.start_collector()
    away = stack.start_collector(collector_id="away", metrics_listen="-")
    until(lambda: is_ready(stack), 20, "ready")

    def is_stored_by_both():
        send(stack, reading("d", now_us(), temperature=0))
        return stack.database.rows("SELECT 1 FROM collectors WHERE batches > 0 HAVING count(*) = 2")

    until(is_stored_by_both, 20, "the other has a session, too", 0.2)
    until(lambda: stack.metrics().get("highwater_broker_queued_messages") == 0, 20, "nothing waits")
    away.kill9()
    send(stack, *(reading("d", now_us() + n, temperature=n) for n in range(7)))
    until(lambda: 7 <= stack.metrics()["highwater_broker_queued_messages"] < 7 + 3, 20, "what waits for the other, and the last before, if it took none")
    metrics = stack.metrics()
    assert metrics["highwater_broker_retained_messages"] > 3 and metrics["highwater_broker_stored_bytes"] > 7 * 40


def test_what_takes_the_disk_is_told_by_who_looks_after_it(stack):
    stack.start_collector()
    until(lambda: is_ready(stack), 20, "ready")
    sizes = until(lambda: {name: size for name, size in stack.metrics().items() if name.startswith("highwater_disk_bytes")}, 10)
    assert set(sizes) == {f'highwater_disk_bytes{{what="{what}"}}' for what in ("keys", "other", "readings", "rejected", "rollups")}
    expected = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    until(lambda: int(stack.database.value("SELECT sum(bytes) FROM disk_bytes()")) == stack.database.value(expected), 10, "nothing is left out")
    oldest = "SELECT extract(epoch FROM min(starts_at)) FROM reading_partitions"
    until(lambda: stack.metrics().get("highwater_oldest_partition_timestamp_seconds") == float(stack.database.value(oldest)), 20)


def silent(stack):
    metrics = stack.metrics()
    if "highwater_devices_heard" not in metrics:
        return None
    return tuple(metrics[name] for name in ("highwater_devices_heard", 'highwater_devices_silent{for="5m"}', 'highwater_devices_silent{for="1h"}'))


def keep(stack, collector, **seconds):
    """As if these devices had been silent for so long when the collector, which was killed, wrote it down."""
    own = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'highwater%'"
    until(lambda: stack.database.value(own) == 0, 10, "what it asked for last is done, too")
    for device, number in stack.database.rows("SELECT device_id, id FROM devices ORDER BY id"):
        if device in seconds:
            stack.database.rows(
                "INSERT INTO hearing VALUES (%s, 0, now(), array_fill(NULL::integer, ARRAY[64])) ON CONFLICT DO NOTHING RETURNING 1",
                (collector,),
            )
            stack.database.rows(
                "UPDATE hearing SET silent_s[%s] = %s, saved_at = now() WHERE collector = %s RETURNING 1",
                (number + 1, seconds[device], collector),
            )


def test_a_start_does_not_forget_who_is_silent(stack):
    collector = stack.start_collector()
    until(lambda: is_ready(stack), 20, "ready")
    until(lambda: silent(stack) == (0, 0, 0), 10, "nobody is known")
    send(stack, *(reading(device, now_us(), temperature=1) for device in "abcd"))
    until(lambda: silent(stack) == (4, 0, 0), 10, "all are heard")
    collector.kill9()
    keep(stack, "collector", a=10, b=299, c=310, d=3700)
    keep(stack, "other", d=5)  # another has heard it since
    collector = stack.start_collector()
    until(lambda: readyz(stack)[0] == 200, 20, "ready")
    assert until(lambda: silent(stack), 10, "that is known")[0] == 3, "d is the other's"
    until(lambda: silent(stack) == (3, 2, 0), 15, "b has been silent for five minutes")
    assert stack.database.value("SELECT silent_s[(SELECT id + 1 FROM devices WHERE device_id = 'c')] FROM hearing WHERE collector = 'collector'") >= 310
    send(stack, reading("c", now_us(), temperature=1), reading("d", now_us() - 10**12, temperature=1))
    until(lambda: silent(stack) == (4, 1, 0), 10, "by arrival, whatever the device's clock says")
    # of a device that is taken out nothing is missed
    stack.database.rows("SELECT device_remove('b')")
    send(stack, reading("a", now_us(), temperature=2))
    until(lambda: silent(stack) == (3, 0, 0), 15, "it is gone")


def test_nobody_is_silent_because_we_are_deaf(stack, broker):
    collector = stack.start_collector()
    until(lambda: is_ready(stack), 20, "ready")
    send(stack, reading("a", now_us(), temperature=1))
    until(lambda: silent(stack) == (1, 0, 0), 10, "heard")
    collector.kill9()
    keep(stack, "collector", a=298)
    broker.stop()
    stack.start_collector()
    until(lambda: readyz(stack)[0], 15, "it answers")
    known = until(lambda: silent(stack) and time.time(), 20, "it is known without the broker")
    until(lambda: time.time() - known > 4, 10)
    assert silent(stack) == (1, 0, 0)
    broker.start()
    until(lambda: silent(stack) == (1, 1, 0), 20, "now it could be heard, and is not")


def test_what_is_kept_may_be_anything(stack):
    odd = ["ARRAY[-5, 2147483647, -2147483648]", "'{}'", "'{{1,2},{3,4}}'", "'[7:8]={1,2}'", "'{NULL}'"]
    rows = ", ".join(f"('collector', {part}, now(), {row}::integer[])" for part, row in zip([0, 1, -1, 2147483647, 524287], odd))
    collector = stack.start_collector()
    until(lambda: is_ready(stack), 20, "ready")
    send(stack, reading("a", now_us(), temperature=1))
    until(lambda: silent(stack) == (1, 0, 0), 10, "heard")
    collector.kill9()
    stack.database.rows(f"DELETE FROM hearing; INSERT INTO hearing VALUES {rows}")
    stack.start_collector()
    until(lambda: is_ready(stack), 20, "ready")
    until(lambda: silent(stack) is not None, 15, "it has read that")
    send(stack, reading("a", now_us() + 1, temperature=1))
    until(lambda: silent(stack) == (1, 0, 0), 10, "and goes on")
