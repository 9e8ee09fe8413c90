"""Sparkplug B from a real broker into a real database, with payloads encoded by Google's protobuf."""

from __future__ import annotations

import json

import pytest
from edge_node import EdgeNode, is_rebirth_request, metric, now_ms
from servers import until
from test_mapped_messages import start, stored

NUMBERS = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f", "d", "b", "t"]
DEVICE = "G.E.D"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mappings.json"
    path.write_text(json.dumps([
        {"topic": "spBv1.0/{group}/{type}/{edge}/{device}", "payload": "sparkplug", "device": "{group}/{edge}/{device}",
         "only": {"type": ["DBIRTH", "DDATA"]}, "each": "/metrics/*", "time": "/timestamp",
         "rules": [{"feature": {"name": "{/name}", "value": "/value", "rename": {"Oil/T": "oil"}}},
                   {"when": {"/name": "Running"}, "status": {"at": "/value", "map": {"true": "ON", "false": "OFF"}}}]}]))
    return path


@pytest.fixture
def begun(stack, file):
    """A collector that reads, and what it says to nodes."""
    start(stack, file, features=",".join(NUMBERS))
    return stack


@pytest.fixture
def asked(begun):
    listener = begun.listen("spBv1.0/+/NCMD/#", "spBv1.0/STATE/#")
    return lambda: [one.topic for one in listener.received if "/NCMD/" in one.topic and is_rebirth_request(one.payload)]


@pytest.fixture
def node(begun):
    return EdgeNode(begun)


def readings(stack, count: int) -> list[dict]:
    until(lambda: stack.database.count("readings") >= count, 15, f"{count} readings")
    found = sorted(stored(stack), key=lambda one: str(one["time"]))
    assert len(found) == count
    return [{name: value for name, value in one.items() if name != "time"} for one in found]


def test_every_type_by_alias(begun, node, asked):
    values = {"i8": ("Int8", -7), "i16": ("Int16", -300), "i32": ("Int32", -70000), "i64": ("Int64", -(2**40)),
              "u8": ("UInt8", 255), "u16": ("UInt16", 65535), "u32": ("UInt32", 2**32 - 1), "u64": ("UInt64", 2**53),
              "f": ("Float", 58.5), "d": ("Double", -0.1), "b": ("Boolean", True), "t": ("DateTime", 1795691045000)}
    node.birth()
    node.device_birth("D", *[(name, kind, 0) for name, (kind, _) in values.items()], ("Running", "Boolean", False),
                      ("Oil/T", "Float", None), at=now_ms() - 1000)
    node.data("D", **{name: value for name, (_, value) in values.items()}, Running=True, **{"Oil/T": 21.5})

    birth, data = readings(begun, 2)
    expected = {name: float(value) for name, (kind, value) in values.items() if kind != "Boolean"}
    assert data == {"device": DEVICE, "status": "ON", "oil": 21.5, **expected}
    assert birth["status"] == "OFF"
    assert "oil" not in birth, "a null is no value"
    assert asked() == []


def test_a_start_needs_no_birth_and_knows_the_sequence(begun, node, asked, file):
    node.birth()
    node.device_birth("D", ("f", "Float", 1.0))
    node.data("D", f=2.0)
    readings(begun, 2)
    begun.program_named("collector").kill9()
    node.data("D", f=3.0)
    start(begun, file, features=",".join(NUMBERS))
    node.data("D", f=4.0)

    assert [one["f"] for one in readings(begun, 4)] == [1.0, 2.0, 3.0, 4.0]
    assert asked() == []
    node.data("D", f=5.0, seq=(node.seq + 1) % 256)
    readings(begun, 5)
    until(lambda: asked() == ["spBv1.0/G/NCMD/E"], 10)
    assert begun.metrics()['highwater_sparkplug_events_total{what="out_of_order"}'] == 1
    assert begun.metrics()['highwater_sparkplug_events_total{what="rebirth_request"}'] == 1


def test_an_unknown_alias_is_read_by_itself_after_the_birth(begun, node, asked):
    node.devices["D"] = [("i32", "Int32")]
    at = now_ms() - 5000
    node.data("D", at=at, i32=-5)
    until(lambda: begun.database.count("rejected_messages") == 1, 15)
    assert begun.database.rows("SELECT reason, topic FROM rejected_messages") == [("unknown_alias", "spBv1.0/G/DDATA/E/D")]
    until(lambda: asked() == ["spBv1.0/G/NCMD/E"], 10)

    node.birth()
    node.device_birth("D", ("i32", "Int32", 1))
    assert readings(begun, 2) == [{"device": DEVICE, "i32": -5.0}, {"device": DEVICE, "i32": 1.0}]
    until(lambda: begun.database.count("rejected_messages") == 0, 10)
    node.data("D", i32=2)
    readings(begun, 3)
    assert len(asked()) == 1, "what is read again is not of the sequence"


def test_what_waited_at_the_end_is_read_at_the_next_start(begun, node, file):
    node.devices["D"] = [("f", "Float")]
    node.data("D", f=7.0)
    until(lambda: begun.database.count("rejected_messages") == 1, 15)
    begun.program_named("collector").kill9()
    begun.database.rows(
        "INSERT INTO sparkplug_births SELECT 'collector', 'G', 'E', 'D', %s", (birth_payload(),))
    start(begun, file, features=",".join(NUMBERS))

    assert readings(begun, 1) == [{"device": DEVICE, "f": 7.0}]
    until(lambda: begun.database.count("rejected_messages") == 0, 10)


def birth_payload() -> bytes:
    from edge_node import pb

    return pb.Payload(timestamp=now_ms(), seq=1, metrics=[metric("f", 1, 0.0, "Float", True)]).SerializeToString()


def test_a_death_makes_devices_inactive_once(begun, node):
    node.birth(bd_seq=4)
    node.device_birth("D", ("f", "Float", 1.0), at=now_ms() - 2000)
    node.device_birth("D2", ("f", "Float", 2.0), at=now_ms() - 2000)
    readings(begun, 2)
    node.death(bd_seq=3)
    node.death()
    node.death()

    found = readings(begun, 4)
    assert sorted((one["device"], one.get("status", "")) for one in found) == [
        ("G.E.D", ""), ("G.E.D", "INACTIVE"), ("G.E.D2", ""), ("G.E.D2", "INACTIVE")]
    assert begun.database.rows("SELECT is_born FROM sparkplug_nodes") == [(False,)]
    assert begun.database.count("sparkplug_births") == 0


def test_historical_values_are_readings_of_their_time(begun, node):
    node.birth()
    node.device_birth("D", ("f", "Float", 1.0))
    node.data("D", f=2.0)
    at = now_ms() - 3_600_000
    node.send("DDATA", "D", [metric(None, 1, 9.0, "Float", at=at, historical=True)])

    assert [one["f"] for one in readings(begun, 3)] == [9.0, 1.0, 2.0]
    assert begun.database.value("SELECT extract(epoch FROM min(recorded_at)) * 1000 FROM readings") == at


def test_what_is_sent_again_as_historical_is_the_same_reading(begun, node):
    node.birth()
    node.device_birth("D", ("f", "Float", None))
    at = now_ms() - 1000
    for historical in (False, True, False):
        node.send("DDATA", "D", [metric(None, 1, 9.0, "Float", at=at, historical=historical)])
    node.data("D", f=1.0)
    assert [one["f"] for one in readings(begun, 2)] == [9.0, 1.0]


def test_the_host_says_that_it_is_there_and_that_it_is_not(begun, asked):
    state = begun.listen("spBv1.0/STATE/#")
    until(lambda: state.received, 10)
    first = json.loads(state.received[0].payload)
    assert state.received[0].topic == "spBv1.0/STATE/highwater-collector"
    assert first["online"] is True and abs(first["timestamp"] - now_ms()) < 60_000

    begun.program_named("collector").kill9()
    until(lambda: json.loads(state.received[-1].payload) == {"online": False, "timestamp": first["timestamp"]}, 10)
    late = begun.listen("spBv1.0/STATE/#")
    until(lambda: late.received, 10)
    assert late.received[0].retain


def test_another_that_says_we_are_away_is_contradicted(begun):
    state = begun.listen("spBv1.0/STATE/#")
    until(lambda: state.received, 10)
    begun.publisher().send_bytes("spBv1.0/STATE/highwater-collector", b'{"online":false,"timestamp":1}', retain=True)
    until(lambda: [json.loads(one.payload)["online"] for one in state.received][-2:] == [False, True], 10)


def forget(stack, **settings):
    program = stack.program("collector", ["--forget", "collector"], log_name="forget", **settings)
    program.start()
    assert program.wait(60) == 0, program.tail()


def retained_state(stack, host):
    """Its retained STATE; None: there is none."""
    topic = f"spBv1.0/STATE/{host}"
    listener = stack.listen(topic)
    stack.publisher().send_bytes(topic, b"comes after what is retained")
    until(lambda: [one for one in listener.received if not one.retain], 10)
    return next((json.loads(one.payload) for one in listener.received if one.retain), None)


def test_a_host_that_is_forgotten_leaves_nothing(begun, node):
    node.birth()
    node.device_birth("D", ("f", "Float", 1.0))
    readings(begun, 1)
    begun.program_named("collector").terminate()
    assert retained_state(begun, "highwater-collector")["online"] is False
    begun.publisher().send_bytes("spBv1.0/STATE/other", b'{"online":true,"timestamp":1}', retain=True)
    forget(begun, sparkplug_host="other")
    assert retained_state(begun, "other")["online"] is True, "a host that is there keeps what it says"
    assert begun.database.count("sparkplug_nodes") == begun.database.count("sparkplug_births") == 0

    begun.database.rows("INSERT INTO sparkplug_nodes VALUES ('collector', 'G', 'E', true, 0, 1, 0), ('b', 'G', 'E', true, 0, 1, 0)")
    forget(begun)
    assert retained_state(begun, "highwater-collector") is None
    assert begun.database.rows("SELECT collector FROM sparkplug_nodes") == [("b",)]


def test_what_is_no_payload_is_kept_with_its_reason(begun, node):
    publisher = begun.publisher()
    publisher.send_bytes("spBv1.0/G/DBIRTH/E/D", b'{"metrics":[]}')
    publisher.send_bytes("spBv1.0/G/NBIRTH/E", b"\xff")
    publisher.send_bytes("spBv1.0/G/NCMD/E", b"\xff")
    until(lambda: begun.database.count("rejected_messages") == 2, 15)
    assert {reason for (reason,) in begun.database.rows("SELECT reason FROM rejected_messages")} == {"wrong_type"}
