"""/devices as an operator's table: each order and filter against brute force, and devices that only their rejected
messages tell of."""

from __future__ import annotations

import contextlib
import json
import random
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote, urlencode

from board_oracle import natural_id
from http_tools import Api, insert, migrate
from oracle import now_us, reading, to_text, to_us
from psycopg2.extras import execute_values
from servers import until
from storage import DAY_US, live
from test_collector import live_collector

SORTS = {
    "deviceId": lambda d: 0,
    "lastHeardAt": lambda d: d["lastHeardAt"],
    "clockOffsetMs": lambda d: d["us"],
    "missing": lambda d: d["missing"],
    "rejectedPastHour": lambda d: d["rejectedPastHour"],
}
INDEXES = {
    "deviceId": "device_states_pkey",
    "lastHeardAt": "device_states_heard",
    "clockOffsetMs": "device_states_clock",
    "missing": "device_states_missing",
    "rejectedPastHour": "device_states_rejected",
}
ODD_IDS = ["device_10", "device_2", "device_02", "device_1", "Device_1", "7", "07", "a1b20", "a1b3", "ü 5", "x_", "0", "ünit 40%"]


def shift(us: int) -> str:
    return to_text(now_us() + us)


def made_up_fleet(stack, rng: random.Random) -> list[dict[str, Any]]:
    """Devices with a reading each, or none but rejected messages; what /devices must say of them."""
    fleet: list[dict[str, Any]] = []
    for device_id in [*ODD_IDS, *(f"sensor-{n}" for n in range(1, 21))]:
        silent_s = rng.choice([1, 1800, 7200])
        heard = (now_us() - silent_s * 1_000_000) // 1000 * 1000
        fleet.append(
            {
                "deviceId": device_id,
                "lastHeardAt": to_text(heard),
                "us": rng.choice([0, 0, -3_600_000_000, 5_000, -250_000]),
                "missing": rng.choice([0, 0, 0, 4, 12]),
                "rejectedPastHour": rng.choice([0, 0, 0, 1, 3]),
                "silent_s": silent_s,
                "is_refused_only": device_id.startswith("sensor-1"),
                "label": rng.choice([None, "Device in the cellar", "Kessel 1", "100 %"]),
                "group": rng.choice([None, "north", "Nord 1", "%"]),
            }
        )
    for device in fleet:
        if device["is_refused_only"]:
            device.update(us=0, missing=0, rejectedPastHour=max(device["rejectedPastHour"], 1))
    known = [d for d in fleet if not d["is_refused_only"]]
    connection = stack.database.connect()
    with connection, connection.cursor() as cursor:
        execute_values(cursor, "INSERT INTO devices (device_id) VALUES %s", [(d["deviceId"],) for d in known])
        abouts = [(d["deviceId"], d["label"], d["group"]) for d in fleet if d["label"] or d["group"]]
        execute_values(cursor, "INSERT INTO device_abouts (device_id, label, group_name) VALUES %s", abouts)
        cursor.execute("SELECT device_id, id FROM devices")
        numbers = dict(cursor.fetchall())
        execute_values(
            cursor,
            "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature) VALUES %s",
            [(numbers[d["deviceId"]], 1, to_text(to_us(d["lastHeardAt"]) + d["us"]), d["lastHeardAt"], n) for n, d in enumerate(known)],
        )
        execute_values(
            cursor,
            "INSERT INTO device_sequences (device, highest, highest_at, missing, repeats, restarts, taken_until, details) VALUES %s",
            [(numbers[d["deviceId"]], 99, "now", d["missing"], 0, 0, "now", b"") for d in known if d["missing"] or d["us"]],
        )
        execute_values(
            cursor,
            "INSERT INTO rejected_messages (received_at, topic, device_id, payload, reason, detail) VALUES %s",
            [
                (d["lastHeardAt"] if d["silent_s"] < 3000 or d["is_refused_only"] else shift(-60_000_000), f"devices/{n}/readings", d["deviceId"], b"x", "not_json", "")
                for n, d in enumerate(fleet)
                for _ in range(d["rejectedPastHour"])
            ],
        )
        cursor.execute("UPDATE device_states s SET heard_at = '2000-01-01' WHERE device IN (SELECT device FROM readings)")
        cursor.execute("SELECT device_states_fold()")
        cursor.execute("UPDATE device_states s SET heard_at = r.received_at FROM readings r WHERE r.device = s.device")
    for device in fleet:
        if device["is_refused_only"] and device["silent_s"] > 3600:
            device["rejectedPastHour"] = 0
    return fleet


def is_meant(device: dict[str, Any], parameters: dict[str, str]) -> bool:
    status, silent_for = parameters.get("status"), parameters.get("silentFor")
    if silent_for is None and status == "silent":
        silent_for = "5m"
    seconds = {None: 0, "20m": 1200, "5m": 300, "1h": 3600}[silent_for]
    return (
        device["silent_s"] >= seconds
        and any(parameters.get("q", "").lower() in (text or "").lower() for text in (device["deviceId"], device["label"]))
        and parameters.get("group", device["group"]) == device["group"]
        and (status != "losing" or device["missing"] > 0)
        and (status != "refused" or device["rejectedPastHour"] > 0 or device["is_refused_only"])
    )


def pages(api: Api, parameters: dict[str, str], limit: int) -> tuple[list[dict[str, Any]], set[int]]:
    """All pages one after the other, and the totals they gave."""
    devices: list[dict[str, Any]] = []
    totals = set()
    after: dict[str, str] = {}
    while True:
        page = api.json(f"/devices?{urlencode({**parameters, 'limit': limit, **after}, quote_via=quote)}")
        devices += page["devices"]
        totals.add(page["total"])
        if page["next"] is None:
            return devices, totals
        assert len(page["devices"]) == limit
        after = {"after": page["next"]}


def test_each_order_and_filter_is_as_a_count_by_hand(stack, rng):
    migrate(stack)
    fleet = made_up_fleet(stack, rng)
    api = Api(stack)
    filters: list[dict[str, str]] = [
        {},
        {"q": "DEVICE"},
        {"q": "%"},
        {"status": "silent"},
        {"status": "losing"},
        {"status": "refused"},
        {"silentFor": "20m"},
        {"status": "refused", "silentFor": "1h"},
        {"status": "silent", "silentFor": "1h", "q": "1"},
        {"q": "nobody"},
        {"q": "kessel"},
        {"group": "north"},
        {"group": "%"},
        {"group": "North"},
        {"group": "Nord 1", "q": "1"},
        {"group": "north", "q": "CELLAR", "status": "silent"},
        {"group": "north", "status": "losing"},
    ]
    for chosen in filters:
        for sort, key in SORTS.items():
            for order in ("asc", "desc"):
                wanted = sorted((d for d in fleet if is_meant(d, chosen)), key=lambda d: (key(d), natural_id(d["deviceId"])))
                if order == "desc":
                    wanted.reverse()
                shown, totals = pages(api, {**chosen, "sort": sort, "order": order}, rng.choice([1, 5, 100]))
                assert [d["deviceId"] for d in shown] == [d["deviceId"] for d in wanted], (chosen, sort, order)
                assert totals == {len(wanted)}, (chosen, sort, order)
    by_id = {d["deviceId"]: d for d in api.json("/devices?limit=1000")["devices"]}
    for device in fleet:
        shown = by_id[device["deviceId"]]
        assert to_us(shown["lastHeardAt"]) == to_us(device["lastHeardAt"])
        assert shown["rejectedPastHour"] == device["rejectedPastHour"]
        assert shown["clockOffsetMs"] == (None if device["is_refused_only"] else int(device["us"] / 1000))
        assert (shown["latest"] is None, shown["firstSeenAt"] is None) == (device["is_refused_only"],) * 2
        if shown["latest"]:
            assert shown["latest"]["timestamp"] == shown["lastReadingAt"] and shown["latest"]["deviceId"] == device["deviceId"]
        one = api.json(f"/devices/{quote(device['deviceId'], safe='')}")
        for name in ("lastHeardAt", "clockOffsetMs", "rejectedPastHour", "latest", "firstSeenAt"):
            assert one[name] == shown[name], (device["deviceId"], name)


def test_a_page_goes_on_where_the_last_one_ended_though_its_device_has_moved(stack):
    migrate(stack)
    stack.database.rows("INSERT INTO devices (device_id) SELECT 'd' || n FROM generate_series(1, 9) n")
    stack.database.rows("UPDATE device_states SET missing = device")
    api = Api(stack)
    first = api.json("/devices?sort=missing&order=desc&limit=3")
    stack.database.rows("UPDATE device_states SET missing = 100 WHERE device_id = %s", (first["devices"][-1]["deviceId"],))
    rest = api.json(f"/devices?sort=missing&order=desc&after={first['next']}")
    assert [d["deviceId"] for d in rest["devices"]] == [f"d{n}" for n in range(6, 0, -1)]
    assert first["total"] == rest["total"] == 9 and rest["next"] is None


def test_a_device_all_of_whose_messages_are_rejected_is_listed(stack):
    live_collector(stack)
    api = Api(stack)
    publisher = stack.publisher()
    for _ in range(3):
        publisher.send_bytes("devices/broken 7/readings", b"not json")
    publisher.send_bytes(f"devices/{'x' * 65}/readings", b"{}")  # no legal id: nobody's
    publisher.wait()
    until(lambda: stack.database.count("rejected_messages") == 4)
    listed = until(lambda: api.json("/devices")["devices"], 15)
    assert [(d["deviceId"], d["rejectedPastHour"], d["latest"], d["firstSeenAt"]) for d in listed] == [("broken 7", 3, None, None)]
    assert listed[0]["lastHeardAt"] == to_text(to_us(str(stack.database.value("SELECT max(received_at)::text FROM rejected_messages WHERE device_id = 'broken 7'")).replace(" ", "T").replace("+00", "Z")))
    assert api.json("/devices?status=refused")["total"] == 1 and api.json("/devices?status=losing")["total"] == 0
    one = api.json("/devices/broken%207")
    assert one["latest"] is None and sum(one["statuses"].values()) == 0 and one["rejectedPastHour"] == 3
    assert stack.database.count("devices") == 0  # who sends only what is none is not registered

    publisher.send_bytes("devices/broken 7/readings", b'{"temperature":1}')
    publisher.wait()
    until(lambda: api.json("/devices")["devices"][0]["latest"], 15)
    mended = api.json("/devices")
    assert mended["total"] == 1 and mended["devices"][0]["rejectedPastHour"] == 3
    until(lambda: stack.database.value("SELECT device FROM device_states") == 1, 15)

    publisher.send_bytes("devices/ghost/readings", b"[1]")
    publisher.wait()
    until(lambda: api.json("/devices?q=ghost")["total"] == 1, 15)
    stack.database.rows("DELETE FROM rejected_messages")
    until(lambda: api.json("/devices?q=ghost")["total"] == 0, 15)
    assert api.json("/devices")["total"] == 1 and api.get("/devices/ghost").status == 404


def test_what_was_rejected_counts_for_an_hour(stack):
    migrate(stack)
    database = stack.database
    insert = "INSERT INTO rejected_messages (received_at, topic, device_id, payload, reason, detail) VALUES (now() - %s, '', 'd', '', 'not_json', '')"
    for minutes in (90, 59, 30, 0):
        database.rows(insert, (timedelta(minutes=minutes),))
    database.rows("SELECT device_states_fold()")
    assert database.value("SELECT rejected FROM device_states") == 3
    database.rows("UPDATE rejected_minutes SET minute = minute - interval '31 minutes'")
    database.rows("SELECT device_states_fold()")
    assert database.rows("SELECT rejected FROM device_states") == [(1,)] and database.count("rejected_minutes") == 1


def test_a_device_whose_clock_is_behind_is_not_silent(stack):
    live_collector(stack)
    api = Api(stack)
    publisher = stack.publisher()
    publisher.send_bytes("devices/slow/readings", json.dumps({"timestamp": shift(-7_200_000_000), "temperature": 1}).encode())
    publisher.send_bytes("devices/plain/readings", b'{"temperature":1}')
    publisher.wait()
    before = datetime.now(timezone.utc)

    def written() -> bool:
        return stack.database.value("SELECT coalesce(min(clock_offset), 0) FROM device_states") < 0

    until(written, 15)
    slow, plain = api.json("/devices?sort=clockOffsetMs")["devices"]
    assert (slow["deviceId"], plain["deviceId"], plain["clockOffsetMs"]) == ("slow", "plain", 0)
    assert -7_260_000 < slow["clockOffsetMs"] <= -7_200_000
    assert abs(to_us(slow["lastHeardAt"]) - before.timestamp() * 1e6) < 60e6
    assert api.json("/devices?status=silent")["total"] == 0
    publisher.send_bytes("devices/slow/readings", b'{"temperature":2}')
    publisher.wait()
    until(lambda: api.json("/devices?sort=clockOffsetMs&limit=1")["devices"][0]["clockOffsetMs"] == 0, 40)


def test_each_order_is_read_from_its_index(stack):
    """10,000 devices are enough for the planner to want the index; no reading but of the page is looked at."""
    migrate(stack)
    database = stack.database
    database.rows("INSERT INTO devices (device_id) SELECT 'device_' || n FROM generate_series(1, 10000) n")
    database.rows(
        "INSERT INTO readings (device, content_hash, recorded_at, received_at, temperature)"
        " SELECT id, 1, now() - id * interval '1 ms', now() - id * interval '1 ms', id FROM devices"
    )
    database.rows("UPDATE device_states SET missing = device % 7, rejected = device % 5, clock_offset = device % 1000")
    with contextlib.closing(database.connect()) as connection:
        connection.autocommit = True
        connection.cursor().execute("VACUUM ANALYZE")  # or autovacuum would look at readings while we count
    scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = %s"
    whole = "SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables WHERE relname LIKE 'readings%%'"
    api = Api(stack)
    read_before = database.value(whole)
    for sort, index in INDEXES.items():
        before = database.value(scans, (index,))
        page = api.json(f"/devices?sort={sort}&order=desc&limit=50")
        assert page["total"] == 10000 and len({d["deviceId"] for d in page["devices"]}) == 50
        until(lambda index=index, before=before: database.value(scans, (index,)) > before, 15)  # statistics come later
        assert api.json(f"/devices?sort={sort}&order=desc&limit=50&after={page['next']}")["total"] == 10000
    assert database.value(whole) == read_before


def test_a_device_says_what_of_it_is_stored(stack):
    migrate(stack)
    database = stack.database
    now = now_us()
    insert(database, [reading("old", now - 100 * DAY_US), reading("old", now - DAY_US), reading("young", now - 60_000_000)])
    insert(database, [reading("old", now - 50 * DAY_US + n * 1000) for n in range(200)])
    api = Api(stack)
    assert api.json("/devices/old")["storage"] == {"since": to_text(now - 100 * DAY_US), "retentionMs": None, "estimatedBytes": None}
    database.rows("SELECT * FROM tell_storage(0)")
    size = int(database.value("SELECT sum(bytes) FROM disk_bytes() WHERE what IN ('readings', 'keys')"))
    told = {id_: api.json(f"/devices/{id_}")["storage"] for id_ in ("old", "young")}
    assert [one["retentionMs"] for one in told.values()] == [0, 0]
    for id_, count in (("old", 202), ("young", 1)):
        assert abs(told[id_]["estimatedBytes"] - size * count / 203) <= 1, id_


def test_what_retention_dropped_is_not_said_to_be_stored(stack):
    migrate(stack)
    database = stack.database
    now = now_us()
    database.rows("SELECT make_partitions(now() - interval '41 days', now() - interval '39 days')")
    insert(database, [reading("a", now - 40 * DAY_US), reading("a", now - DAY_US), reading("gone", now - 40 * DAY_US), reading("b", now)])
    live(stack, retention="10d")
    api = Api(stack)
    until(lambda: api.json("/devices/gone")["storage"]["since"] is None, 30, "its day is dropped")
    until(lambda: api.json("/devices/a")["storage"]["retentionMs"] == 10 * DAY_US // 1000, 20)
    assert api.json("/devices/a")["storage"]["since"] == to_text(now - DAY_US)
    assert api.json("/devices/gone")["statuses"] == api.json("/devices/a")["statuses"] | {"ON": 1}
    assert api.json("/devices/gone")["storage"]["estimatedBytes"] == 0
    database.rows("SELECT * FROM tell_storage(864000000)")
    assert 0 < api.json("/devices/a")["storage"]["estimatedBytes"] == api.json("/devices/b")["storage"]["estimatedBytes"]
