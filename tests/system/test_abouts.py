"""What devices say of themselves: retained JSON at devices/<id>/about."""

from __future__ import annotations

import json

import pytest
from oracle import reading
from test_collector import live_collector

from servers import until


def abouts(stack):
    return {row[0]: row[1:] for row in stack.database.rows("SELECT device_id, label, group_name, location FROM device_abouts")}


def say(stack, device, what, retain=True):
    payload = what if isinstance(what, bytes) else json.dumps(what).encode() if what is not None else b""
    publisher = stack.publisher()
    publisher.send_bytes(f"devices/{device}/about", payload, retain=retain)
    publisher.wait()


def test_the_last_one_holds_and_an_empty_one_takes_it_back(stack):
    say(stack, "early", {"label": "Was there before"})
    live_collector(stack)
    until(lambda: abouts(stack) == {"early": ("Was there before", None, None)}, 20, "a retained one is meant")
    say(stack, "pump", {"label": "Pump <b>3</b>", "group": "Hall A", "location": "2nd 'floor' \\ \"x\"", "more": [1]})
    until(lambda: abouts(stack).get("pump") == ("Pump <b>3</b>", "Hall A", "2nd 'floor' \\ \"x\""), 10)
    say(stack, "pump", {"group": "Hall B", "label": None, "location": {"latitude": 52.5, "longitude": -13.25}})
    until(lambda: abouts(stack).get("pump") == (None, "Hall B", {"latitude": 52.5, "longitude": -13.25}), 10)
    said_at = stack.database.value("SELECT said_at FROM device_abouts WHERE device_id = 'pump'")
    say(stack, "pump", {"group": "Hall B", "location": {"longitude": -13.25, "latitude": 52.5}})
    say(stack, "early", None)
    until(lambda: set(abouts(stack)) == {"pump"}, 10, "an empty one takes it back")
    assert said_at == stack.database.value("SELECT said_at FROM device_abouts WHERE device_id = 'pump'"), "what is known is not written again"
    assert stack.database.count("devices") == 0, "who sends no reading is no device"
    assert stack.database.count("rejected_messages") == 0
    assert next(value for name, value in stack.metrics().items() if name.startswith("highwater_about_messages")) == 5
    stack.publish(reading("pump", temperature=1))
    until(lambda: stack.database.count() == 1, 10)
    stack.database.value("SELECT device_remove('pump')")
    assert abouts(stack) == {}
    two = ("two", "First", None, None), ("two", "Last", None, None)
    stack.database.rows("SELECT devices_describe(ARRAY[%s::device_about, %s::device_about])", two)
    assert abouts(stack) == {"two": ("Last", None, None)}, "two in one batch"


WRONG = {
    b"[]": ("not_an_object", "not an object"),
    b"{": ("not_json", ""),
    b'{"label":"a","label":"b"}': ("duplicate_member", "it has one of its members twice"),
    b'{"label":7}': ("bad_about", '"label" is 7, not 1 to 128 bytes of visible text'),
    b'{"label":""}': ("bad_about", '"label" is "", not 1 to 128'),
    b'{"label":"' + b"x" * 129 + b'"}': ("bad_about", '"... of 129 bytes, not 1 to 128'),
    b'{"group":" g "}': ("bad_about", '"group" is " g " with a blank at an end, not 1 to 64 bytes of visible text'),
    b"{" + b",".join(b'"m%d":0' % i for i in range(65)) + b"}": ("too_many_members", "more than 64"),
    b"\0": ("empty", "nothing"),
    b"\xef\xbb\xbf\xef\xbb\xbf{}": ("not_json", "only one is taken"),
    b'{"label":"\\u202egnp.exe"}': ("bad_about", "visible"),
    b'{"label":"a\\u0007"}': ("bad_about", "visible"),
    b'{"label":"a\\u0000"}': ("nul_character", ""),
    b'{"group":["a"]}': ("bad_about", '"group" is'),
    b'{"location":{"latitude":91,"longitude":0}}': ("bad_about", "-90 to 90"),
    b'{"location":{"latitude":1}}': ("bad_about", '"location" is'),
    b'{"location":{"latitude":1,"latitude":1,"longitude":2}}': ("bad_about", '"location" is'),
    b'{"x":' + b"[" * 9 + b"]" * 9 + b"}": ("too_deep", ""),
    b'{"label":"\xff"}': ("invalid_utf8", ""),
    b'{"x":"' + b"y" * 200_000 + b'","label":3}': ("bad_about", '"label" is 3'),
}


def test_what_is_wrong_is_kept_with_its_reason_and_changes_nothing(stack):
    live_collector(stack)
    say(stack, "one", {"label": "One"})
    until(lambda: "one" in abouts(stack), 20)
    for payload in WRONG:
        say(stack, "one", payload, retain=False)
    until(lambda: stack.database.count("rejected_messages") == len(WRONG), 20)
    kept = stack.database.rows("SELECT payload, reason, detail, device_id FROM rejected_messages")
    found = {bytes(payload): (reason, detail) for payload, reason, detail, _ in kept}
    for payload, (reason, words) in WRONG.items():
        assert found[payload][0] == reason, (payload[:80], found[payload])
        assert words in found[payload][1], (payload[:80], found[payload])
    assert {row[3] for row in kept} == {"one"}
    assert abouts(stack) == {"one": ("One", None, None)}
    # As of readings: what a text file begins and a C string ends with is no part of it.
    say(stack, "one", b'\xef\xbb\xbf{"label":"Marked"}')
    say(stack, "two", b'{"label":"Ended"}\0')
    until(lambda: abouts(stack) == {"one": ("Marked", None, None), "two": ("Ended", None, None)}, 20)
    assert stack.metrics()["highwater_trailing_nul_messages_total"] == 2, "and one that was a NUL alone"
    assert stack.database.count("rejected_messages") == len(WRONG)


def test_it_is_acknowledged_only_once_it_is_stored(stack, postgres):
    collector = live_collector(stack)
    stack.publish(reading("a", temperature=1))
    until(lambda: stack.database.count() == 1, 20)
    blocker = stack.database.connect()
    blocker.cursor().execute("LOCK TABLE device_abouts IN ACCESS EXCLUSIVE MODE")
    say(stack, "late", {"label": "Late"}, retain=False)
    until(lambda: stack.database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%devices_describe%'") > 0, 10)
    collector.kill9()
    blocker.rollback()
    blocker.close()
    stack.database.rows("DELETE FROM device_abouts")
    live_collector(stack)
    until(lambda: abouts(stack) == {"late": ("Late", None, None)}, 20, "the broker delivers it again")


@pytest.mark.parametrize("subscribe", ["$share/g/site/+/readings,b/+/readings", "x/+/telemetry"])
def test_where_it_is_listened_for_follows_from_subscribe(stack, subscribe):
    live_collector(stack, subscribe=subscribe)
    publisher = stack.publisher()
    publisher.send_bytes("site/s/about", b'{"label":"S"}', retain=True)
    publisher.send_bytes("x/x/about", b'{"label":"X"}', retain=True)
    publisher.send_bytes("b/b/about", b'{"label":"B"}', retain=True)
    publisher.wait()
    if "share" in subscribe:
        until(lambda: set(abouts(stack)) == {"s", "b"}, 10)
    assert "x" not in abouts(stack)


def test_the_simulator_says_what_its_devices_are_called(stack):
    live_collector(stack)
    stack.devicesim("--num-devices", "6", "--count", "12", "--rate", "max", "--about")
    until(lambda: len(abouts(stack)) == 6, 20)
    assert {row[1] for row in abouts(stack).values()} == {"Hall A", "Hall B", "Hall C", "Hall D"}


def listed(stack, query):
    answer = stack.get_json(f"/devices?{query}")
    assert answer["total"] == len(answer["devices"])
    return [one["deviceId"] for one in answer["devices"]]


def test_devices_are_found_by_label_and_by_group(stack):
    live_collector(stack)
    stack.start_httpapi()
    say(stack, "d1", {"label": "Pump <i>", "group": "Hall A", "location": {"latitude": 1.5, "longitude": 2}})
    say(stack, "d2", {"label": "PUMPE", "group": "Hall B"})
    say(stack, "d10", {"group": "Hall A", "location": "2nd floor"})
    say(stack, "ghost", {"label": "Pump", "group": "Hall A"})
    stack.publish(*(reading(name, temperature=1) for name in ("d1", "d2", "d10", "plain")))
    until(lambda: stack.database.count() == 4 and len(abouts(stack)) == 4, 10)
    assert listed(stack, "q=pump") == ["d1", "d2"]
    assert listed(stack, "q=D1") == ["d1", "d10"]
    assert listed(stack, "q=%3Ci%3E") == ["d1"]
    assert listed(stack, "q=%25") == []
    assert listed(stack, "group=Hall%20A") == ["d1", "d10"]
    assert listed(stack, "group=Hall%20A&sort=lastHeardAt&q=pump") == ["d1"]
    assert listed(stack, "group=hall%20a") == listed(stack, "group='%20OR%20true--") == []
    page = stack.get_json("/devices?group=Hall%20A&limit=1")
    assert (page["total"], page["next"]) == (2, "0_d1")
    assert listed(stack, "") == ["d1", "d2", "d10", "plain"]
    found = {one["deviceId"]: one["about"] for one in stack.get_json("/devices")["devices"]}
    assert found["d1"] == {"label": "Pump <i>", "group": "Hall A", "location": {"latitude": 1.5, "longitude": 2}}
    assert found["d10"] == {"label": None, "group": "Hall A", "location": "2nd floor"}
    assert found["plain"] is None
    assert stack.get_json("/devices/d1")["about"] == found["d1"]
    assert stack.get_json("/devices/plain")["about"] is None
    assert stack.get_json("/groups") == {"groups": [{"group": "Hall A", "devices": 2}, {"group": "Hall B", "devices": 1}], "total": 2}
    for wrong in ("/devices?group=%00", "/devices?group=" + "x" * 65, "/devices?group=a&group=b", "/groups?q=1"):
        assert stack.get(wrong)[0] == 400, wrong
    stack.database.rows("DELETE FROM device_abouts")
    assert stack.get_json("/groups") == {"groups": [], "total": 0}


def test_a_group_of_a_large_fleet_is_found_by_its_index(stack):
    migration = stack.program("collector", ["--migrate"])
    migration.start()
    assert migration.wait(30) == 0, migration.tail()
    stack.database.rows("INSERT INTO devices (device_id) SELECT 'd_' || n FROM generate_series(1, 20000) n")
    stack.database.rows(
        "INSERT INTO device_abouts (device_id, label, group_name)"
        " SELECT 'd_' || n, 'Label ' || n, 'Group ' || n / 20 FROM generate_series(1, 20000) n"
    )
    stack.database.rows("ANALYZE device_abouts, device_states")
    plan = "\n".join(
        row[0] for row in stack.database.rows(
            "EXPLAIN SELECT * FROM device_states s WHERE true AND s.device_id IN"
            " (SELECT a.device_id FROM device_abouts a WHERE a.group_name = 'Group 7') ORDER BY s.natural_id LIMIT 101"
        )
    )
    assert "device_abouts_groups" in plan, plan
    stack.start_httpapi()
    until(lambda: stack.get("/groups")[0] == 200, 10)
    assert stack.get_json("/devices?group=Group%207")["total"] == 20
    assert stack.get_json("/devices?q=label%2019999")["total"] == 1
    answer = stack.get_json("/groups")
    assert (len(answer["groups"]), answer["total"]) == (1000, 1001)


def zigbee(name, description, depth=7):
    """A device in the list of a bridge; what it can do stands as deep as a lamp's, two levels more than a reading may have."""
    exposes = {"name": "warm"}
    for _ in range(depth):
        exposes = [exposes]
    return {"type": "EndDevice", "friendly_name": name, "description": description, "definition": {"vendor": "V", "model": "M", "exposes": exposes}}


ZIGBEE = [
    {"topic": "zigbee2mqtt/bridge/devices", "each": "/*", "match": {"{/friendly_name}": "{room}/{rest*}"},
     "device": "{/friendly_name}",
     "about": {"label": ["/description", "{/definition/vendor} {/definition/model}"], "group": "Room {room}"}},
    {"topic": "zigbee2mqtt/{device*}", "features": {"temperature": "/temperature"}},
]


def test_a_mapping_takes_it_from_the_retained_list_of_a_bridge(stack, tmp_path):
    file = tmp_path / "mappings.json"
    file.write_text(json.dumps(ZIGBEE))
    publisher = stack.publisher()
    devices = [zigbee("hall/lamp", "Lamp at the door"), zigbee("hall/plug", None), zigbee("Coordinator", None)]
    publisher.send_bytes("zigbee2mqtt/bridge/devices", json.dumps(devices).encode(), retain=True)
    publisher.send_bytes("zigbee2mqtt/hall/lamp", b'{"temperature":1}', retain=True)
    publisher.wait()
    collector = live_collector(stack, mappings=file, subscribe="")
    known = {"hall.lamp": ("Lamp at the door", "Room hall", None), "hall.plug": ("V M", "Room hall", None)}
    until(lambda: abouts(stack) == known, 20, "what is retained is meant, though zigbee2mqtt/# covers it")
    publisher.send_bytes("zigbee2mqtt/hall/lamp", b'{"temperature":2}')
    publisher.wait()
    until(lambda: stack.database.count() == 1, 10, "of a reading it is not: the retained one is an old one")
    stack.start_httpapi()
    until(lambda: stack.get("/devices")[0] == 200, 10)
    (lamp,) = stack.get_json("/devices?group=Room%20hall&q=door")["devices"]
    assert (lamp["deviceId"], lamp["about"]) == ("hall.lamp", {"label": "Lamp at the door", "group": "Room hall", "location": None})
    devices = [zigbee("hall/lamp", "Left"), zigbee("hall/plug", "x" * 129)]
    publisher.send_bytes("zigbee2mqtt/bridge/devices", json.dumps(devices).encode(), retain=True)
    publisher.wait()
    until(lambda: abouts(stack)["hall.lamp"] == ("Left", "Room hall", None), 10, "the good ones of a message hold")
    assert abouts(stack)["hall.plug"] == known["hall.plug"]
    until(lambda: stack.database.count("rejected_messages") > 0, 10)
    for reason, detail in stack.database.rows("SELECT reason, detail FROM rejected_messages"):
        assert reason == "bad_about" and 'not 1 to 128 bytes of visible text; tried "/description"' in detail
    ZIGBEE[0]["about"]["label"] = "/definition/model"
    file.write_text(json.dumps(ZIGBEE))
    assert collector.terminate() == 0
    live_collector(stack, mappings=file, subscribe="")
    again = stack.program("collector", ["--rejected", "--resubmit"], log_name="again", mappings=file, subscribe="")
    again.start()
    assert again.wait(20) == 0, again.tail()
    until(lambda: {row[0] for row in abouts(stack).values()} == {"M"}, 20, "the mapping was mended, and the message read again")
    assert stack.database.count("rejected_messages") == 0
