"""Messages of devices that were made for something else, from the broker into the database."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from servers import until
from test_mappings import DEVICES, FILES, SAMPLES, inner

PUMP = {"topic": "pump/{device}/state", "time": "/at", "status": "/status", "features": {"flow": "/flow", "heat": "/heat"}}
AT = "2026-11-26T11:04:0{}Z"


def write(path: Path, *mappings: dict) -> Path:
    path.write_text(json.dumps(mappings))
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mappings.json"


def start(stack, file: Path, **settings):
    """A collector that is subscribed to what the file says."""
    collector = stack.start_collector(mappings=file, subscribe=settings.pop("subscribe", ""), **settings)
    until(lambda: "mqtt: connecting -> up" in collector.output(), 20)
    until(lambda: stack.metrics().get("highwater_mqtt_up") == 1, 20)
    return collector


def send(stack, *messages: tuple[str, object]) -> list[int]:
    publisher = stack.publisher()
    sent = [publisher.send_bytes(topic, payload if isinstance(payload, bytes) else json.dumps(payload).encode())
            for topic, payload in messages]
    publisher.wait()
    return [one.code for one in sent]


def features(stack) -> list[str]:
    return [name for (name,) in stack.database.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'readings'::regclass AND attnum > 0 AND NOT attisdropped"
        " AND atttypid = 'float8'::regtype ORDER BY attnum")]


def stored(stack) -> list[dict]:
    """Every reading as expected.json has them."""
    names = features(stack)
    columns = "".join(f', r."{name}"' for name in names)
    found = []
    for device, at, is_arrival, status, seq, *values in stack.database.rows(
            f"SELECT d.device_id, r.recorded_at, r.recorded_at = r.received_at, (ARRAY['ON', 'OFF', 'ACTIVE', 'INACTIVE'])[r.status], r.seq{columns}"
            " FROM readings r JOIN devices d ON d.id = r.device"):
        one = {"device": device, "time": "arrival" if is_arrival else at}
        one |= {"seq": seq} if seq is not None else {}
        one |= {"status": status} if status is not None else {}
        found.append(one | {name: value for name, value in zip(names, values) if value is not None})
    return found


def comparable(one: dict) -> str:
    when = one["time"]
    if isinstance(when, datetime) or when != "arrival":
        when = (when if isinstance(when, datetime) else datetime.fromisoformat(when)).timestamp()
    return json.dumps({**one, "time": when}, sort_keys=True)


def test_real_payloads_are_stored_as_expected(stack, file):
    file.write_text("[" + ",".join(inner(one) for one in FILES) + "]")
    start(stack, file)
    samples = [sample for sample in SAMPLES if not sample["file"].endswith(".pb")]
    expected = [one for sample in samples for one in sample["readings"]]

    codes = send(stack, *[(sample["topic"], (DEVICES / sample["file"]).read_bytes()) for sample in samples])
    assert all(code == 0 for code, sample in zip(codes, samples) if sample["readings"]), "each has a subscriber"
    until(lambda: stack.database.count("readings") >= len(expected), 15)
    metrics = stack.metrics()
    assert sorted(map(comparable, stored(stack))) == sorted(map(comparable, expected))
    assert stack.database.count("rejected_messages") == 0
    assert metrics['highwater_messages_without_readings_total{why="says_none"}'] == 2


def test_mapped_devices_and_those_of_the_contract_come_side_by_side(stack, file):
    """SUBSCRIBE names several filters; devices of any of them, and mapped ones, number their readings."""
    write(file, {**PUMP, "seq": "/n"})
    start(stack, file, subscribe="a/+/x, b/+/y", features="temperature")
    send(stack, ("a/one/x", {"temperature": 1, "timestamp": AT.format(1)}),
         ("b/two/y", {"temperature": 2, "timestamp": AT.format(2), "seq": 1}),
         ("pump/three/state", {"flow": 3, "at": AT.format(3), "n": 7}),
         ("pump/three/state", {"flow": 4, "at": AT.format(4), "n": 9}))
    until(lambda: stack.database.count("readings") == 4)
    assert {one["device"] for one in stored(stack)} == {"one", "two", "three"}
    assert stack.database.value("SELECT filters FROM sessions") == ["a/+/x", "b/+/y", "pump/+/state"]
    until(lambda: stack.metrics()["highwater_sequence_missing"] == 1, what="number 8 is missing")
    assert stack.metrics()["highwater_numbered_devices"] == 2


def test_what_waited_under_a_mapping_that_has_changed_is_kept_and_can_be_sent_again(stack, file):
    """Read by the new mapping where that has the topic; what is subscribed to follows the file."""
    write(file, PUMP, {**PUMP, "topic": "well/{device}/state"})
    assert start(stack, file).terminate() == 0
    assert send(stack, ("pump/p/state", {"debit": 1, "at": AT.format(1)}),
                ("well/w/state", {"flow": 2, "at": AT.format(2)})) == [0, 0], "the session keeps them"
    write(file, {**PUMP, "features": {"flow": "/debit"}})
    collector = start(stack, file)
    until(lambda: stack.database.count("rejected_messages") == 1 and stack.database.count("readings") == 1)
    assert stored(stack)[0]["flow"] == 1.0
    assert stack.database.rows("SELECT topic, reason FROM rejected_messages") == [("well/w/state", "no_such_topic")]
    until(lambda: send(stack, ("well/w/state", {})) == [0x10], what="the broker has forgotten it")
    assert collector.terminate() == 0

    write(file, {**PUMP, "topic": "well/{device}/state"})
    start(stack, file)
    again = stack.program("collector", ["--rejected", "--resubmit"], log_name="again", mappings=file, subscribe="")
    again.start()
    assert again.wait(30) == 0, again.output()
    until(lambda: stack.database.count("readings") == 2)
    assert stack.database.count("rejected_messages") == 0
    assert "well/+/state" in stack.database.value("SELECT filters FROM sessions")


def test_what_the_database_refuses_of_a_message_is_sent_again_whole(stack, file):
    """One reading of three; without times, so that they are told apart by their place in the message."""
    write(file, {"topic": "line/{place}", "each": "/*", "device": "{/id}", "features": {"flow": "/flow"}})
    start(stack, file)
    stack.database.rows("ALTER TABLE readings ADD CONSTRAINT odd CHECK (flow <> 13)")
    message = [{"id": "a", "flow": 1}, {"id": "b", "flow": 13}, {"id": "a", "flow": 3}]
    send(stack, ("line/north", message))
    until(lambda: stack.database.count("rejected_messages") == 1 and stack.database.count("readings") == 2)
    [(topic, payload, reason)] = stack.database.rows("SELECT topic, payload, reason FROM rejected_messages")
    assert (topic, json.loads(bytes(payload)), reason) == ("line/north", message, "refused_by_database")
    stack.database.rows("ALTER TABLE readings DROP CONSTRAINT odd")
    again = stack.program("collector", ["--rejected", "--resubmit"], log_name="again", mappings=file, subscribe="")
    again.start()
    assert again.wait(30) == 0, again.output()
    until(lambda: stack.database.count("readings") == 3, what="the other two were there already")
    until(lambda: stack.metrics()["highwater_readings_duplicate_total"] == 2)
    assert sorted(one["flow"] for one in stored(stack)) == [1.0, 3.0, 13.0]
    assert stack.metrics()["highwater_accounting_mismatches_total"] == 0


def test_a_large_message_is_stored_in_parts(stack, file):
    write(file, {"topic": "burst/{device}", "each": "/v/*", "time": {"at": "^/t0", "step": 0.001},
                 "seq": "^/n", "features": {"flow": ""}})
    start(stack, file, batch_size=100)
    values = list(range(1050))
    send(stack, ("burst/x", {"t0": "2026-11-26T10:00:00Z", "n": 4, "v": [0]}),
         ("burst/x", {"t0": "2026-11-26T11:00:00Z", "n": 5, "v": values}), ("burst/y", {"t0": AT.format(1), "v": [1]}))
    until(lambda: stack.database.count("readings") == 1052, 30)
    rows = stack.database.rows("SELECT flow FROM readings JOIN devices d ON d.id = device WHERE device_id = 'x'"
                               " ORDER BY recorded_at")
    assert [value for (value,) in rows] == [0, *values]
    assert stack.metrics()["highwater_batches_total"] >= 10
    until(lambda: stack.metrics()["highwater_readings_in_flight"] == 0)
    for what in ("repeats", "restarts"):
        assert stack.metrics()[f"highwater_sequence_{what}_total"] == 0, "the number is the message's, in all of its parts"


def test_messages_that_give_nothing_are_acknowledged(stack, file):
    """Without a transaction; what is not acknowledged would come again to the next one that starts."""
    write(file, {"topic": "pump/noise/{rest*}", "ignore": True}, {**PUMP, "topic": "pump/{device}/state"},
          {**PUMP, "topic": "pump/{device}/{part*}", "when": {"/kind": "state"}})
    collector = start(stack, file)
    send(stack, *[("pump/noise/x", {"flow": 1})] * 300, *[("pump/p/other", {"flow": 1})] * 300)
    until(lambda: stack.metrics()['highwater_messages_without_readings_total{why="not_meant"}'] == 300)
    assert stack.metrics()['highwater_messages_without_readings_total{why="ignored"}'] == 300
    assert stack.metrics()["highwater_batches_total"] == 0
    until(lambda: stack.metrics()["highwater_held_acks"] == 0)
    collector.kill9()
    start(stack, file)
    send(stack, ("pump/p/state", {"flow": 1, "at": AT.format(1)}))
    until(lambda: stack.database.count("readings") == 1)
    assert stack.metrics()["highwater_messages_total"] == 1
    assert stack.database.count("rejected_messages") == 0


def test_both_hours_of_the_autumn_night_are_right_when_they_arrive_in_order(stack, file):
    """Local times without an offset: the arrival, here when a message came first, says which of the two is meant."""
    write(file, {"topic": "clock/{device}", "time": {"at": "/at", "zone": "Europe/Berlin"}, "features": {"flow": "/flow"}})
    start(stack, file)
    moments = [f"2026-10-25T{hour:02}:{minute:02}:00Z" for hour in (0, 1) for minute in (10, 30, 50)]
    for i, moment in enumerate(moments):
        local = moment.replace("T00", " 02").replace("T01", " 02").removesuffix("Z")
        stack.database.rows("INSERT INTO rejected_messages (received_at, topic, payload, reason, detail)"
                            " VALUES (%s, 'clock/c', %s, 'retained', '')",
                            (moment, json.dumps({"at": local, "flow": i}).encode()))
    again = stack.program("collector", ["--rejected", "--resubmit"], log_name="again", mappings=file, subscribe="")
    again.start()
    assert again.wait(30) == 0, again.output()
    until(lambda: stack.database.count("readings") == len(moments))
    rows = stack.database.rows("SELECT to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
                               " FROM readings ORDER BY flow")
    assert [at for (at,) in rows] == moments


def test_a_message_without_a_known_value_is_kept_with_what_was_tried(stack, file):
    write(file, PUMP)
    start(stack, file)
    send(stack, ("pump/p/state", {"Flow": 1, "id": 4}), ("pump/p/state", b"\xef\xbb\xbf{'flow':1}"))
    until(lambda: stack.database.count("rejected_messages") == 2)
    (none, no_json) = stack.database.rows("SELECT reason, detail FROM rejected_messages ORDER BY id")
    assert none[0] == "no_value" and '"/flow"' in none[1] and "it has Flow, id" in none[1]
    assert no_json[0] == "not_json" and "double quotes" in no_json[1]
    assert stack.database.count("devices") == 0, "a device is born with its first reading"
