"""The collector alone: what it stores, rejects and publishes."""

from __future__ import annotations

import base64
import json

import psycopg2
import pytest
from oracle import FEATURES, board_by_sql, board_of_json, compare, now_us, reading, to_text, to_us
from servers import until

# (name, payload, reason). One of each class that a careless parser takes.
GOOD = b'{"deviceId":"d","timestamp":"2026-11-23T12:00:00Z","status":"ON","temperature":1}'
MALFORMED: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "empty"),
    ("white space", b" \n", "empty"),
    ("half an object", b"{", "not_json"),
    ("a text cut off", GOOD[:-2], "not_json"),
    ("a byte order mark after white space", b" \xef\xbb\xbf" + GOOD, "not_json"),
    ("NUL before", b"\x00" + GOOD, "nul_character"),
    ("two NUL at the end", GOOD + b"\x00\x00", "nul_character"),
    ("NUL in a string", b'{"status":"O\x00N"}', "nul_character"),
    ("NUL escaped", b'{"status":"O\\u0000N"}', "nul_character"),
    ("UTF-8 cut off", b'{"x":"\xc3"}', "invalid_utf8"),
    ("UTF-8 overlong", b'{"x":"\xc0\xaf"}', "invalid_utf8"),
    ("a surrogate in UTF-8", b'{"x":"\xed\xa0\x80"}', "invalid_utf8"),
    ("half a surrogate escaped", b'{"x":"\\ud800"}', "invalid_utf8"),
    ("nine levels", b'{"x":' + b"[" * 8 + b"]" * 8 + b"}", "too_deep"),
    ("a thousand levels", b"[" * 1000 + b"]" * 1000, "too_deep"),
    ("a hundred thousand levels", b"[" * 100_000, "too_deep"),
    ("a hundred members", b"{" + b",".join(b'"m%d":1' % i for i in range(100)) + b"}", "too_many_members"),
    ("a member twice", b'{"temperature":1,"temperature":2}', "duplicate_member"),
    ("an unknown member twice", b'{"temperature":1,"x":1,"x":2}', "duplicate_member"),
    ("too large for a double", b'{"temperature":1e999}', "not_finite"),
    ("NaN", b'{"temperature":NaN}', "not_json"),
    ("Infinity", b'{"temperature":Infinity}', "not_json"),
    ("a leading zero", b'{"temperature":01}', "not_json"),
    ("a point and no digit", b'{"temperature":1.}', "not_json"),
    ("64 digits", b'{"temperature":' + b"1" * 64 + b"}", "number_too_long"),
    ("a number as text", b'{"temperature":"12"}', "wrong_type"),
    ("a true number", b'{"temperature":true}', "wrong_type"),
    ("a status of another kind", b'{"status":3,"temperature":1}', "wrong_type"),
    ("an unknown status", b'{"status":"BROKEN","temperature":1}', "unknown_status"),
    ("an empty array", b"[]", "empty"),
    ("true", b"true", "not_an_object"),
    ("a number", b"12", "not_an_object"),
    ("a string", b'"ON"', "not_an_object"),
    ("bytes after it", GOOD + b"x", "trailing_bytes"),
    ("two documents", GOOD + GOOD, "trailing_bytes"),
    ("nothing to store", b'{"deviceId":"d"}', "no_value"),
    ("another device's id", b'{"deviceId":"e","temperature":1}', "device_id_mismatch"),
    ("no time", b'{"timestamp":"yesterday","temperature":1}', "bad_timestamp"),
    ("a time to come", b'{"timestamp":"2099-01-01T00:00:00Z","temperature":1}', "timestamp_in_future"),
    ("a time before all", b'{"timestamp":0,"temperature":1}', "timestamp_too_old"),
]


def live_collector(stack, *args, **settings):
    """A collector that is subscribed: what is published from now on reaches it."""
    listener = stack.listen("collectors/+/status")
    program = stack.start_collector(*args, **settings)
    topic = f"collectors/{settings.get('collector_id', 'collector')}/status"
    until(lambda: (s := listener.latest(topic)) and s.json()["state"] == "live", 15, "the collector is live")
    return program


def test_a_reading_is_stored_and_shown(stack):
    live_collector(stack)
    listener = stack.listen("collectors/+/boards/#")
    one = reading("device_1", now_us(), "ON", temperature=101.3, pressure=12.5)
    stack.publish(one)
    topic = "collectors/collector/boards/temperature/past_minute"
    board = until(lambda: (b := listener.latest(topic)) and b.json()["readings"] and b, 5)
    assert board_of_json(board.json()["readings"]) == [one]
    assert not board.retain
    assert compare([], stack.database).unexpected == [one]
    row = stack.database.rows("SELECT recorded_at, received_at FROM readings")[0]
    assert row[0] <= row[1] and to_us(row[1]) <= to_us(board.json()["asOf"])


def test_what_only_its_start_needed_is_given_back(stack):
    """Which is a few megabytes of libraries; it goes on as before, and the peak is what it had."""
    program = live_collector(stack)
    until(lambda: program.rss_kb() < program.peak_rss_kb() - 2048, 30, "pages of libraries left")
    listener = stack.listen("collectors/+/boards/#")
    stack.publish(reading("device_1", now_us(), "ON", temperature=101.3))
    until(lambda: listener.latest("collectors/collector/boards/temperature/past_minute"), 5, "the reading has its board")


def test_forty_malformed_payloads_among_four_thousand_good_ones(stack, rng):
    assert len(MALFORMED) == 40
    live_collector(stack)
    publisher = stack.publisher()
    order = ["good"] * 4000 + [*range(40)]
    rng.shuffle(order)
    for i, what in enumerate(order):
        if what == "good":
            publisher.send(reading(f"device_{i % 50}", now_us() - i, "ON", temperature=float(i)))
        else:
            publisher.send_bytes("devices/d/readings", MALFORMED[what][1])
    publisher.wait()
    until(lambda: stack.database.count() == 4000 and stack.database.count("rejected_messages") == 40, 30)
    verdict = compare(publisher.messages, stack.database)
    assert verdict, str(verdict)
    found = dict((bytes(p), r) for p, r in stack.database.rows("SELECT payload, reason FROM rejected_messages"))
    assert found == {payload: reason for _, payload, reason in MALFORMED}


def test_a_bad_element_of_an_array_does_not_cost_the_good_ones(stack):
    live_collector(stack)
    publisher = stack.publisher()
    at = now_us()
    good = [reading("d", at + i, temperature=float(i)).to_json() for i in range(2)]
    publisher.send_bytes("devices/d/readings", json.dumps([good[0], {"temperature": "x"}, good[1]]).encode())
    publisher.wait()
    until(lambda: stack.database.count() == 2 and stack.database.count("rejected_messages") == 1)
    assert stack.database.value("SELECT convert_from(payload, 'UTF8') FROM rejected_messages").strip() == '{"temperature": "x"}'


def test_what_is_no_json_in_an_array_costs_itself_and_is_named(stack):
    live_collector(stack)
    publisher = stack.publisher()
    at = now_us()
    elements = [json.dumps(reading("d", at + i, temperature=float(i)).to_json()) for i in range(100)]
    elements[37] = '{"timestamp":"%s","temperature":NaN}' % to_text(at)
    publisher.send_bytes("devices/d/readings", ("[" + ",\n".join(elements) + "]").encode())
    publisher.wait()
    until(lambda: stack.database.count() == 99 and stack.database.count("rejected_messages") == 1)
    payload, reason, detail = stack.database.rows("SELECT payload, reason, detail FROM rejected_messages")[0]
    assert bytes(payload).decode() == elements[37] and reason == "not_json" and '"NaN" at byte 57 of 61' in detail


def test_a_byte_order_mark_and_the_end_of_a_c_string_are_taken_and_counted(stack):
    live_collector(stack)
    publisher = stack.publisher()
    for before, after in ((b"", b""), (b"\xef\xbb\xbf", b""), (b"", b"\0"), (b"\xef\xbb\xbf", b"\0")):
        publisher.send_bytes("devices/d/readings", before + GOOD + after)
    publisher.wait()
    until(lambda: stack.metrics()["highwater_readings_duplicate_total"] == 3)
    assert stack.database.count() == 1 and stack.database.count("rejected_messages") == 0
    metrics = stack.metrics()
    assert metrics["highwater_byte_order_mark_messages_total"] == 2
    assert metrics["highwater_trailing_nul_messages_total"] == 2


def test_a_row_that_only_the_database_refuses_is_found_and_kept(stack):
    live_collector(stack)
    stack.publish(reading("warm", now_us(), temperature=1.0))
    until(lambda: stack.database.count() == 1)
    stack.database.rows("ALTER TABLE readings ADD CONSTRAINT poison CHECK (temperature <> 666)")
    publisher = stack.publisher()
    at = now_us()
    for i in range(1000):
        publisher.send(reading(f"device_{i % 7}", at + i, temperature=666.0 if i in (333, 900) else i / 10))
    publisher.wait()
    until(lambda: stack.database.count() == 999 and stack.database.count("rejected_messages") == 2, 20)
    for topic, payload, reason, detail in stack.database.rows(
        "SELECT topic, payload, reason, detail FROM rejected_messages"
    ):
        assert reason == "refused_by_database" and "23514" in detail and "poison" in detail
        assert json.loads(bytes(payload))["temperature"] == 666 and topic.startswith("devices/device_")


def test_a_feature_gets_its_column_and_the_old_readings_stay(stack):
    first = live_collector(stack)
    stack.publish(reading("d", now_us(), temperature=1.0))
    until(lambda: stack.database.count() == 1)
    assert first.terminate() == 0
    live_collector(stack, features="temperature,humidity")
    publisher = stack.publisher()
    publisher.send_bytes("devices/d/readings", b'{"humidity":40.5,"pressure":3}')
    publisher.wait()
    until(lambda: stack.database.count() == 2)
    assert stack.database.rows("SELECT temperature, pressure, humidity FROM device_readings ORDER BY received_at") == [
        (1.0, None, None),
        (None, None, 40.5),
    ]


@pytest.mark.empty
def test_four_collectors_on_an_empty_database_apply_the_schema_once(stack):
    listener = stack.listen("collectors/+/status")
    programs = [stack.start_collector(collector_id=f"c{i}") for i in range(4)]

    def live():
        states = {r.topic: r.json()["state"] for r in listener.received}
        return list(states.values()).count("live") == 4

    until(live, 20)
    assert programs[0].output().count("applied 001_readings") == 1  # they share a log


@pytest.mark.empty
def test_migrate_only_migrates(stack):
    program = stack.start_collector("--migrate")
    assert program.wait() == 0
    assert stack.database.count("schema_migrations") >= 1
    days = stack.database.value(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'readings'::regclass"
    )
    assert days == 10  # yesterday, today, seven ahead, and the default one


def test_sigterm_drains_and_says_stopped(stack):
    collector = live_collector(stack, linger="5s")
    listener = stack.listen("collectors/+/status")
    publisher = stack.publisher()
    for i in range(100):
        publisher.send(reading("d", now_us() + i, temperature=float(i)))
    publisher.wait()
    until(lambda: listener.latest("collectors/collector/status").json()["inFlight"] == 100, 10)
    assert stack.database.count() == 0
    assert collector.terminate() == 0
    assert stack.database.count() == 100
    until(lambda: listener.latest("collectors/collector/status").json()["state"] == "stopped")


def test_boards_equal_sql_after_a_restart(stack, rng):
    collector = live_collector(stack)
    publisher = stack.publisher()
    now = now_us()
    for i in range(2000):
        at = now - rng.randrange(7_200_000_000)
        publisher.send(reading(f"device_{rng.randrange(40)}", at, "OFF", temperature=rng.randrange(50), pressure=rng.randrange(9)))
    publisher.wait()
    until(lambda: stack.database.count() == len({r for m in publisher.messages for r in m.readings}))
    assert collector.terminate() == 0
    live_collector(stack)
    listener = stack.listen("collectors/+/boards/#")
    for feature in FEATURES:
        for interval in ("past_hour", "all_time"):
            board = until(lambda: listener.latest(f"collectors/collector/boards/{feature}/{interval}")).json()
            as_of = to_us(board["asOf"])
            assert board_of_json(board["readings"]) == board_by_sql(stack.database, feature, interval, as_of)


def test_rejected_messages_are_counted_exported_and_sent_again(stack):
    collector = live_collector(stack)
    publisher = stack.publisher()
    publisher.send_bytes("devices/d/readings", b'{"humidity":40}')
    publisher.send_bytes("devices/d/readings", b'{"temperature":"\xff"}')
    publisher.wait()
    until(lambda: stack.database.count("rejected_messages") == 2)

    listing = stack.program("collector", ["--rejected"], log_name="list")
    listing.start()
    assert listing.wait() == 0
    assert "no_value" in listing.output() and "invalid_utf8" in listing.output()

    export = stack.program("collector", ["--rejected", "--export", "-"], log_name="export")
    export.start()
    assert export.wait() == 0
    lines = [json.loads(line) for line in export.output().splitlines() if line.startswith("{")]
    assert [line["reason"] for line in lines] == ["no_value", "invalid_utf8"]
    assert lines[0]["payload"] == '{"humidity":40}'
    assert base64.b64decode(lines[1]["payloadBase64"]) == b'{"temperature":"\xff"}'

    assert collector.terminate() == 0
    live_collector(stack, features="temperature,humidity")
    again = stack.program("collector", ["--rejected", "--resubmit", "--reason", "no_value"], log_name="again")
    again.start()
    assert again.wait() == 0
    until(lambda: stack.database.count() == 1)
    assert stack.database.value("SELECT humidity FROM device_readings") == 40
    assert stack.database.rows("SELECT reason FROM rejected_messages") == [("invalid_utf8",)]


def test_metrics_add_up_and_readiness_follows_the_servers(stack, postgres):
    live_collector(stack)
    publisher = stack.publisher()
    for i in range(50):
        publisher.send(reading("d", now_us() + i % 40, temperature=float(i % 40)))
    publisher.send_bytes("devices/d/readings", b"{")
    publisher.wait()
    until(lambda: stack.metrics()["highwater_readings_received_total"] == 51)
    metrics = stack.metrics()
    assert metrics["highwater_readings_received_total"] == sum(
        [
            metrics["highwater_readings_stored_total"],
            metrics["highwater_readings_duplicate_total"],
            metrics['highwater_readings_rejected_total{reason="not_json"}'],
            metrics["highwater_readings_in_flight"],
        ]
    )
    assert metrics["highwater_accounting_mismatches_total"] == 0
    assert stack.get("/readyz", stack.metrics_port)[0] == 200
    postgres.stop()
    until(lambda: stack.get("/readyz", stack.metrics_port)[0] == 503)
    assert b"the database is away" in stack.get("/readyz", stack.metrics_port)[2]
    assert stack.get("/healthz", stack.metrics_port)[0] == 200
    postgres.start()
    until(lambda: stack.get("/readyz", stack.metrics_port)[0] == 200, 20)


@pytest.mark.faults
def test_a_refused_row_costs_at_most_log2_n_plus_1_further_copies(stack, rng):
    """One batch of 1,024 rows, the culprit at a random place: the COPY that fails, 10 halves, the rest."""
    live_collector(stack, linger="2s", batch_size="1024")
    stack.publish(reading("warm", now_us(), temperature=1.0))
    until(lambda: stack.database.count() == 1)
    stack.database.rows("ALTER TABLE readings ADD CONSTRAINT poison CHECK (temperature <> 666)")
    at = now_us()
    for repetition in range(3):
        before = stack.metrics()["highwater_store_copies_total"]
        culprit = rng.randrange(1024)
        publisher = stack.publisher()
        for i in range(1024):
            value = 666.0 if i == culprit else i / 10
            publisher.send(reading(f"device_{i % 7}", at + repetition * 2000 + i, temperature=value))
        publisher.wait()
        until(lambda n=repetition + 1: stack.database.count() == 1 + 1023 * n and stack.database.count("rejected_messages") == n, 20)
        assert stack.metrics()["highwater_store_copies_total"] - before <= 1 + 10 + 1


def test_a_schema_that_does_not_fit_holds_everything_until_it_is_mended(stack):
    collector = live_collector(stack, leave_after="1s")
    stack.publish(reading("d", now_us(), temperature=1.0))
    until(lambda: stack.database.count() == 1)
    stack.database.rows("ALTER TABLE readings RENAME COLUMN temperature TO warmth")
    at = now_us()
    stack.publish(*[reading("d", at + i, temperature=float(i)) for i in range(100)])
    until(lambda: "on hold" in collector.output())
    status, _, body = stack.get("/readyz", stack.metrics_port)
    assert status == 503 and b"on hold" in body and b"warmth" not in body
    until(lambda: "leaving the broker" in collector.output())
    stack.publish(*[reading("d", at + 1000 + i, temperature=float(i)) for i in range(50)])
    assert collector.output().count("on hold:") == 1  # said once
    stack.database.rows("ALTER TABLE readings RENAME COLUMN warmth TO temperature")
    until(lambda: stack.database.count() == 151, 15)
    until(lambda: stack.get("/readyz", stack.metrics_port)[0] == 200, 15)
    assert stack.database.count("rejected_messages") == 0


def test_the_accounting_holds_while_refused_readings_are_searched_for(stack):
    live_collector(stack)
    stack.publish(reading("d", temperature=1.0))
    until(lambda: stack.database.count() == 1)
    stack.database.rows(
        "ALTER TABLE readings ADD CONSTRAINT poison CHECK (temperature <> 666);"
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END';"
        "CREATE TRIGGER slow BEFORE INSERT ON readings FOR EACH STATEMENT EXECUTE FUNCTION slow()"
    )
    at = now_us()
    stack.publisher().send([reading("d", at + i, temperature=666.0 if i in (7, 40) else float(i)) for i in range(64)])
    in_between = 0

    def is_over():
        nonlocal in_between
        metrics = stack.metrics()
        received, stored, duplicates, in_flight = (
            metrics[f"highwater_readings_{name}"]
            for name in ("received_total", "stored_total", "duplicate_total", "in_flight")
        )
        rejected = sum(value for name, value in metrics.items() if name.startswith("highwater_readings_rejected_total"))
        assert received == stored + duplicates + rejected + in_flight
        in_between += in_flight > 0
        return in_flight == 0 and received == 65

    until(is_over, 30)
    assert in_between > 5 and stack.database.count() == 63 and stack.database.count("rejected_messages") == 2


# --- Settings that do not go together --------------------------------------------------------------


@pytest.mark.parametrize(
    ("retention", "intervals", "said"),
    [
        ("1d", "past_minute=60s,past_5_days=5d,all_time", ('"1d"', "past_5_days=5d")),
        ("36h", "two_days=48h,past_hour=1h", ('"36h"', "two_days=2d")),
        ("1h", "past_minute=60s", ('"1h"', "1d and more")),
    ],
)
def test_a_retention_shorter_than_an_interval_is_refused(stack, retention, intervals, said):
    refused = stack.start_collector(retention=retention, intervals=intervals)
    assert refused.wait() == 2
    assert "retention" in refused.output()
    for words in said:
        assert words in refused.output()


def test_a_retention_as_long_as_the_longest_interval_is_taken(stack):
    live_collector(stack, retention="2d", intervals="two_days=48h,all_time")


@pytest.mark.parametrize("named", ["application_name=x", "options=-capplication_name%3Dx"])
def test_a_name_in_the_url_is_no_reason_to_end_a_session(stack, named):
    url = f"{stack.database.url}?{named}"
    bystander = psycopg2.connect(url)
    first = live_collector(stack, database_url=url)
    second = stack.start_collector(
        log_name="second", database_url=url, collector_id="second", subscribe="others/+/readings", metrics_listen="-"
    )
    second.wait_for_line("preflight: in-flight window")
    stack.publish(reading("d", temperature=1.0))
    publisher = stack.publisher()
    publisher.send(reading("e", temperature=2.0), topic="others/e/readings")
    until(lambda: stack.database.count() == 2)
    for collector in (first, second):
        assert "up -> down" not in collector.output() and collector.terminate() == 0
    with bystander.cursor() as cursor:
        cursor.execute("SELECT 1")
    bystander.close()
