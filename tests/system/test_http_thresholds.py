"""/thresholds: who is beyond a threshold now, as the collectors that are live say it; nobody else, and in pages."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.parse

from http_tools import Api
from oracle import now_us, reading, to_text
from servers import until
from test_collector import live_collector
from test_thresholds import ABOVE, put

SETTING = "temperature>90~2,pressure<2"
ODD = ["a b", '"devices":[', "],\"devices\":[{", "x|y&z=1", "\u0645\u0636\u062e\u0629", "\U0001f525" * 64, "null}", "\\", "%2F"]


def listed(api: Api, query: str = "") -> list[tuple[str, str, str]]:
    """All pages, three a page."""
    found, after = [], ""
    while True:
        page = api.json(f"/thresholds?limit=3{query}{after}")
        found += [(one["deviceId"], one["feature"], "above" if "above" in one else "below") for one in page["devices"]]
        assert sum(one["devices"] for one in page["thresholds"]) == page["total"]
        if page["next"] is None:
            assert len(found) == page["total"]
            return found
        after = f"&after={page['next']}"


def test_all_that_are_beyond_are_listed_by_when_they_crossed(stack):
    at = now_us() - 60_000_000
    live_collector(stack, thresholds=SETTING)
    put(stack, *(reading(f"d{n}", at + n * 1_000_000, temperature=91 + n, pressure=1 if n % 2 else 5) for n in range(7)), reading("back", at, temperature=90))
    api = Api(stack)
    until(lambda: api.json("/thresholds")["isComplete"] and api.json("/thresholds")["total"] == 10, 20)
    wanted = [(f"d{n}", feature, side) for n in range(7) for feature, side in (("temperature", "above"), ("pressure", "below")) if side == "above" or n % 2]
    newest = listed(api)
    assert sorted(newest) == sorted(wanted)
    assert [id_ for id_, _, _ in newest] == sorted((id_ for id_, _, _ in wanted), reverse=True)
    assert listed(api, "&order=asc") == newest[::-1]
    assert listed(api, "&feature=pressure") == [one for one in newest if one[1] == "pressure"]
    assert listed(api, "&side=above&order=asc") == [one for one in newest[::-1] if one[2] == "above"]
    assert listed(api, "&side=above&feature=pressure") == []
    page = api.json("/thresholds?feature=temperature&limit=1")
    assert page["devices"] == [
        {"deviceId": "d6", "feature": "temperature", "above": 90, "value": 97, "since": to_text(at + 6_000_000), "collectorId": "collector", "about": None}
    ]
    assert page["thresholds"] == [{"feature": "temperature", "above": 90, "devices": 7}]
    assert (page["total"], page["notHeard"]) == (7, []) and page["next"]

    # One comes back and another crosses: a page goes on where the last one ended.
    put(stack, reading("d6", at + 7_000_000, temperature=88), reading("late", at + 8_000_000, temperature=95))
    until(lambda: listed(api, "&feature=temperature")[0][0] == "late", 20)
    assert [id_ for id_, _, _ in listed(api, "&feature=temperature")] == ["late", *(f"d{n}" for n in range(5, -1, -1))]
    rest = api.json(f"/thresholds?feature=temperature&after={page['next']}")
    assert [one["deviceId"] for one in rest["devices"]] == [f"d{n}" for n in range(5, -1, -1)]


def test_devices_say_who_they_are_whatever_their_ids(stack):
    live_collector(stack, thresholds=SETTING)
    at = now_us() - 1_000_000
    put(stack, *(reading(one, at, temperature=91) for one in ODD))
    publisher = stack.publisher()
    for one in ODD[:4]:
        publisher.send_bytes(f"devices/{one}/about", json.dumps({"label": f"label of {one}", "group": "null}"}).encode(), retain=True)
    publisher.wait()
    until(lambda: stack.database.count("device_abouts") == 4, 20)
    api = Api(stack, statement_timeout="1s")
    until(lambda: api.json("/thresholds")["total"] == len(ODD), 20)
    by_id = {one["deviceId"]: one["about"] for one in api.json("/thresholds")["devices"]}
    assert by_id == {one: {"label": f"label of {one}", "group": "null}", "location": None} if one in ODD[:4] else None for one in ODD}

    with contextlib.closing(stack.database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE device_abouts IN ACCESS EXCLUSIVE MODE")  # httpapi waits, the collector does not need it
        answer = api.get("/thresholds")
    assert {one["deviceId"]: one["about"] for one in answer.json()["devices"]} == dict.fromkeys(ODD)
    assert answer.headers["x-data-source"] == "boards"


def test_a_group_or_a_text_is_counted_and_paged_alone(stack):
    """Of some hundred devices that are beyond, those of a group, or with a text in their id or label; against the same picked by hand."""
    live_collector(stack, thresholds=SETTING)
    at = now_us() - 60_000_000
    names = [f"Pump-{n}" for n in range(40)] + [f"fan_{n}" for n in range(40)] + ODD
    put(stack, *(reading(one, at + n * 1000, temperature=91, pressure=1 if n % 3 == 0 else 5) for n, one in enumerate(names)))
    abouts = {
        one: {"label": f"{'Old' if n % 2 else 'New'} %_ {n}", **({"group": "Hall “A” & more" if n % 4 else "B"} if n % 5 else {})}
        for n, one in enumerate(names)
        if n % 7 and not set(one) & set('"|&,[]{}/%\\')
    }
    publisher = stack.publisher()
    for one, about in abouts.items():
        publisher.send_bytes(f"devices/{one}/about", json.dumps(about).encode(), retain=True)
    publisher.wait()
    until(lambda: stack.database.count("device_abouts") == len(abouts), 20)
    api = Api(stack, statement_timeout="1s")
    until(lambda: api.json("/thresholds")["isComplete"] and len(listed(api)) == len(names) + len(names[::3]), 30)
    whole = listed(api)
    for params in (
        {"group": "Hall “A” & more"},
        {"group": "B", "q": "PUMP"},
        {"group": "nobody's"},
        {"q": "ump-1"},
        {"q": "old %_ 1"},
        {"q": "%"},
        {"q": "_"},
        {"q": "\U0001f525", "feature": "temperature"},
        {"q": "new", "side": "below", "order": "asc"},
        {"q": ODD[1]},
        {"q": "no such text"},
    ):
        group, q = params.get("group"), params.get("q", "").lower()
        wanted = [
            one
            for one in whole
            if (group is None or abouts.get(one[0], {}).get("group") == group)
            and (q in one[0].lower() or q in abouts.get(one[0], {}).get("label", "").lower())
            and params.get("feature", one[1]) == one[1]
            and params.get("side", one[2]) == one[2]
        ]
        assert listed(api, "&" + urllib.parse.urlencode(params)) == (wanted[::-1] if "order" in params else wanted), params
        page = api.json("/thresholds?limit=1000&" + urllib.parse.urlencode(params))
        for one in page["devices"]:
            about = abouts.get(one["deviceId"])
            assert one["about"] == (about and {"label": about["label"], "group": about.get("group"), "location": None}), params
    assert "at most 64 characters" in stack.get("/thresholds?q=" + 65 * "x")[2].decode()

    with contextlib.closing(stack.database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE device_abouts IN ACCESS EXCLUSIVE MODE")
        assert stack.get("/thresholds?group=B")[0] == 503  # nobody else knows who is of it
        assert stack.get("/thresholds")[0] == 200


def test_who_is_not_heard_is_not_counted(stack):
    """One of two collectors dies: its devices are no longer listed, and the answer says whose are missing. Without any, 503."""
    at = now_us() - 1_000_000
    programs = {}
    for site in ("a", "b"):
        programs[site] = live_collector(
            stack, log_name=site, collector_id=site, subscribe=f"site-{site}/+/readings", thresholds="temperature>90", **({} if site == "a" else {"metrics_listen": "-"})
        )
        publisher = stack.publisher()
        publisher.send([reading(f"of-{site}", at, temperature=95)], topic=f"site-{site}/of-{site}/readings")
        publisher.wait()
    api = Api(stack)
    until(lambda: api.json("/thresholds")["isComplete"] and {one["deviceId"] for one in api.json("/thresholds")["devices"]} == {"of-a", "of-b"}, 30)
    programs["a"].kill9()
    page = until(lambda: (answer := api.json("/thresholds"))["notHeard"] == ["a"] and answer, 30)
    assert [one["deviceId"] for one in page["devices"]] == ["of-b"] and (page["total"], page["isComplete"]) == (1, False)
    programs["b"].kill9()
    problem = until(lambda: (answer := stack.get("/thresholds"))[0] == 503 and json.loads(answer[2]), 30)
    assert "no collector is live" in problem["detail"]


def test_what_strangers_and_fools_publish_is_not_listed(stack):
    program = live_collector(stack, thresholds="temperature>90")
    put(stack, reading("true", temperature=95))
    api = Api(stack)
    until(lambda: api.json("/thresholds")["total"] == 1, 20)
    good = json.dumps({"timestamp": "2026-01-01T00:00:00Z", "value": 91, "above": 90}).encode()
    publisher = stack.publisher()
    publisher.send_bytes("collectors/stranger/thresholds/temperature/above/false", good)
    refused = (
        ("collectors/collector/thresholds/temperature/beside/false", good),
        ("collectors/collector/thresholds/1temp/above/false", good),
        ("collectors/collector/thresholds/temperature/above/fa/lse", good),
        ("collectors/collector/thresholds/temperature/above", good),
        (ABOVE + "false", b"{}"),
        (ABOVE + "false", b"\xff"),
        (ABOVE + "false", good.replace(b"91", b'"91"')),
        (ABOVE + "false", good.replace(b"91", b"1e999")),
        (ABOVE + "false", good.replace(b"above", b"below")),
        (ABOVE + "false", good.replace(b"2026-01-01", b"2026-13-01")),
        (ABOVE + "false", good + b" " * 5000),
    )
    for topic, payload in refused:
        publisher.send_bytes(topic, payload)
    publisher.wait()
    put(stack, reading("later", temperature=96))  # by which time they have come
    until(lambda: len(api.json("/thresholds")["devices"]) > 1, 20)
    page = until(lambda: (answer := api.json("/thresholds"))["isComplete"] and answer, 20)
    assert page["thresholds"] == [{"feature": "temperature", "above": 90, "devices": 2}]
    assert [one["deviceId"] for one in page["devices"]] == ["later", "true"]
    assert re.search(r"collectors/collector/thresholds/\S+ is not taken: .* \(1 messages so far\)", stack.program_named("httpapi").output())
    assert api.metric("crossing_messages_unreadable_total") == len(refused) and api.metric("board_messages_unreadable_total") == 0
    assert api.metric("crossing_messages_total") >= api.metric("crossings_kept") == 3  # a stranger's, too
    stack.broker.kill9()
    (stack.broker.home / "mosquitto.db").unlink(missing_ok=True)
    stack.broker.start()
    until(lambda: (answer := stack.get("/thresholds"))[0] == 200 and (page := json.loads(answer[2]))["isComplete"] and page["total"] == 2, 60)
    assert program.is_running()
