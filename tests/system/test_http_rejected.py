"""/rejected: what came and is no reading, page by page and as JSON lines, and how much of it there was; against SQL."""

from __future__ import annotations

import base64
import contextlib
import json
import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from http_tools import Api, Raw, migrate
from oracle import to_us
from psycopg2.extras import execute_values
from servers import until
from test_collector import live_collector

HOUR = timedelta(hours=1)
START = datetime(2026, 11, 20, tzinfo=timezone.utc)
REASONS = ["not_json", "no_value", "wrong_type", "a_reason_of_tomorrow"]
DEVICES = ["d", "device_1", "温 1", None]
HOSTILE = {
    "html": b"<script>alert(1)</script>\"'&",
    "terminal": b"\x1b[2J\x1b]0;pwned\x07",
    "directions": "a\u202eb\u2066".encode(),
    "nul": b"a\0b",
    "latin": b'{"unit":"\xb0C"}',
    "noise": bytes(range(256)),
    "large": b"x" * 262_144,
    "cut": "温".encode() * 4000,
    "empty": b"",
    "line": b'a"\r\n\\u202e\x7f\xc2\x9b',
}


def utc(at: datetime) -> str:
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def add(stack, rows: list[tuple[datetime, str | None, str, bytes]], topic: str = "t", detail: str = "") -> None:
    connection = stack.database.connect()
    with connection, connection.cursor() as cursor:
        execute_values(
            cursor,
            "INSERT INTO rejected_messages (received_at, device_id, reason, payload, topic, detail) VALUES %s",
            [(*row, topic, detail) for row in rows],
        )
    connection.close()


def some_rows(rng: random.Random, count: int = 300) -> list[tuple[datetime, str | None, str, bytes]]:
    """Few moments, so that many are of the same."""
    return [
        (START + rng.randrange(40) * timedelta(minutes=20), rng.choice(DEVICES), rng.choice(REASONS), str(n).encode())
        for n in range(count)
    ]


def query(path: str, parameters: dict[str, Any]) -> str:
    return f"{path}?{urlencode(parameters, quote_via=quote)}"


def pages(api: Api, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    after = ""
    while True:
        page = api.json(query("/rejected", {**parameters, "after": after}))
        messages += page["messages"]
        if page["next"] is None:
            return messages
        assert len(page["messages"]) == parameters["limit"]
        after = page["next"]


def lines(api: Api, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    answer = api.get(query("/rejected", {**parameters, "format": "jsonl"}))
    assert answer.status == 200 and answer.headers["content-type"] == "application/x-ndjson"
    assert answer.body.endswith(b"\n") or not answer.body
    return [json.loads(line) for line in answer.body.splitlines()]


def bytes_of(message: dict[str, Any]) -> bytes:
    if message["payload"] is None:
        return base64.b64decode(message["payloadBase64"], validate=True)
    assert message["payloadBase64"] is None
    return message["payload"].encode()


def test_each_filter_is_as_sql_has_it_page_by_page_and_line_by_line(stack, rng):
    migrate(stack)
    add(stack, some_rows(rng))
    api = Api(stack)
    for reason in (None, *REASONS, "nobody_gave_it"):
        for device in (None, *DEVICES[:-1], "nobody"):
            for begin, end in ((None, None), (START + 2 * HOUR, None), (None, START + 5 * HOUR), (START + 1 * HOUR, START + 4 * HOUR)):
                asked = {"reason": reason, "device": device, "from": begin and utc(begin), "to": end and utc(end)}
                asked = {name: value for name, value in asked.items() if value is not None}
                wanted = stack.database.rows(
                    "SELECT id FROM rejected_messages WHERE (%(r)s IS NULL OR reason = %(r)s) AND (%(d)s IS NULL OR device_id = %(d)s)"
                    " AND (%(f)s IS NULL OR received_at >= %(f)s::timestamptz) AND (%(t)s IS NULL OR received_at < %(t)s::timestamptz)"
                    " ORDER BY received_at DESC, id DESC",
                    {"r": reason, "d": device, "f": begin, "t": end},
                )
                found = pages(api, {**asked, "limit": rng.choice([7, 200])})
                assert [m["id"] for m in found] == [i for i, in wanted], asked
                assert lines(api, asked) == found, asked  # short texts: they are the same
    end = utc(START + 5 * HOUR)  # a place behind it leads to nothing that is not before it
    assert api.json(f"/rejected?to={end}&after={to_us(utc(START + 9 * HOUR))}_1") == api.json(f"/rejected?to={end}")
    everything = {m["id"]: m for m in lines(api, {})}
    for number, at, device, reason, payload in stack.database.rows("SELECT id, received_at, device_id, reason, payload FROM rejected_messages"):
        one = everything[number]
        assert (to_us(one["receivedAt"]), one["deviceId"], one["reason"]) == (to_us(utc(at)), device, reason)
        assert bytes_of(one) == bytes(payload) and one["payloadBytes"] == len(payload)
    assert len(lines(api, {"limit": 11})) == 11 and [m["id"] for m in lines(api, {"limit": 11})] == [m["id"] for m in pages(api, {"limit": 200})][:11]


def test_payloads_are_shown_safely_and_taken_away_as_they_came(stack):
    """By the collector, from the broker on."""
    live_collector(stack)
    api = Api(stack)
    publisher = stack.publisher()
    for name, payload in HOSTILE.items():
        publisher.send_bytes(f"devices/{name}/readings", payload)
    publisher.wait()
    until(lambda: stack.database.count("rejected_messages") == len(HOSTILE))
    whole = {m["deviceId"]: m for m in lines(api, {})}
    assert {name: bytes_of(m) for name, m in whole.items()} == HOSTILE
    assert all(m["payloadBytes"] == len(HOSTILE[m["deviceId"]]) for m in whole.values())
    answer = api.get("/rejected?bytes=1000")
    assert answer.headers["cache-control"] == "no-store"
    shown = {m["deviceId"]: m for m in json.loads(answer.body)["messages"]}
    assert {m["deviceId"]: m["payloadBytes"] for m in shown.values()} == {name: len(payload) for name, payload in HOSTILE.items()}
    texts = {name: m["payload"] for name, m in shown.items()}
    assert texts["html"] == HOSTILE["html"].decode()
    assert texts["terminal"] == "\\u{1b}[2J\\u{1b}]0;pwned\\u{7}"
    assert texts["directions"] == "a\\u{202e}b\\u{2066}"
    assert texts["nul"] == "a\\u{0}b"
    assert texts["line"] == 'a"\\u{d}\n\\u202e\\u{7f}\\u{9b}'
    assert texts["large"] == "x" * 1000 and texts["cut"] == "温" * 333 and texts["empty"] == ""
    assert texts["latin"] is texts["noise"] is None
    assert base64.b64decode(shown["noise"]["payloadBase64"]) == bytes(range(256))
    assert len(answer.body) < 20_000
    assert all(m["payload"] in ("", None) for m in api.json("/rejected?bytes=0")["messages"])
    # only what a text of SQL can hold is in a topic or a detail, and there, too, it is told
    add(stack, [(START, None, "not_json", b"")], topic="a\u202e\x1b<b>", detail="\u200b\n")
    oldest = pages(api, {"limit": 200})[-1]
    assert (oldest["topic"], oldest["detail"], oldest["deviceId"]) == ("a\\u{202e}\\u{1b}<b>", "\\u{200b}\n", None)
    assert lines(api, {"to": utc(START + HOUR)})[0]["topic"] == "a\u202e\x1b<b>"


def test_an_export_of_large_messages_comes_in_bounded_parts(stack):
    migrate(stack)
    rows = [(START + n * timedelta(seconds=1), "d", "not_json", bytes([n % 256]) * 1_000_000) for n in range(30)]
    add(stack, rows)
    api = Api(stack)
    found = lines(api, {})
    assert [bytes_of(m) for m in found] == [row[3] for row in reversed(rows)]
    with Raw(api.port) as raw:
        raw.send(b"GET /rejected HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n")
        head = raw.head()
        assert head.headers["transfer-encoding"] == "chunked" and 'filename="rejected.jsonl"' in head.headers["content-disposition"]


# --- Counted -------------------------------------------------------------------------------------


def counted(stack) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for hour, reason, count in stack.database.rows(
        "SELECT date_trunc('hour', received_at, 'UTC'), reason, count(*) FROM rejected_messages GROUP BY 1, 2"
    ):
        found[utc(hour)][reason] = count
    return found


def assert_counts_are_right(stack, api: Api) -> dict[str, Any]:
    answer = api.json("/rejected/counts")
    assert {one["hour"]: one["reasons"] for one in answer["hours"]} == counted(stack)
    assert answer["total"] == stack.database.count("rejected_messages")
    hours = [one["hour"] for one in answer["hours"]]
    assert hours == sorted(hours, reverse=True)
    return answer


def test_counts_are_those_of_the_table_whatever_happens_to_it(stack, rng):
    migrate(stack)
    api = Api(stack)
    assert assert_counts_are_right(stack, api) == {"since": None, "from": None, "to": None, "hours": [], "total": 0}
    for _ in range(3):
        add(stack, some_rows(rng))
    assert_counts_are_right(stack, api)
    stack.database.rows("SELECT rejected_forget(NULL, NULL)")  # folds
    assert stack.database.value("SELECT count(*) = count(DISTINCT (hour, reason)) FROM rejected_log")
    assert_counts_are_right(stack, api)
    stack.database.rows("UPDATE rejected_messages SET received_at = received_at + interval '25 hours' WHERE id % 3 = 0")
    stack.database.rows("DELETE FROM rejected_messages WHERE id % 5 = 0")
    stack.database.rows("DELETE FROM rejected_messages WHERE reason = %s", (REASONS[0],))
    assert_counts_are_right(stack, api)
    stack.database.rows("SELECT rejected_forget(NULL, NULL)")
    assert assert_counts_are_right(stack, api)["since"] is None


def test_a_span_is_taken_to_whole_hours(stack):
    migrate(stack)
    add(stack, [(START + minutes * timedelta(minutes=1), None, "not_json", b"") for minutes in (0, 59, 60, 61, 119, 120)])
    api = Api(stack)

    def asked(begin: int, end: int) -> tuple[str, str, list[int]]:
        answer = api.json(query("/rejected/counts", {"from": utc(START + begin * timedelta(minutes=1)), "to": utc(START + end * timedelta(minutes=1))}))
        return answer["from"], answer["to"], [one["reasons"]["not_json"] for one in answer["hours"]]

    assert asked(60, 120) == (utc(START + HOUR), utc(START + 2 * HOUR), [3])
    assert asked(61, 62) == asked(60, 120)
    assert asked(59, 121) == (utc(START), utc(START + 3 * HOUR), [1, 3, 2])
    before = api.json("/rejected/counts?from=0999-12-31T23:30:00Z&to=1000-01-01T00:30:00Z")
    assert (before["from"], before["to"]) == ("0999-12-31T23:00:00.000000Z", "1000-01-01T01:00:00.000000Z")


def test_what_was_deleted_for_its_age_or_for_size_is_told(stack):
    migrate(stack)
    api = Api(stack)
    add(stack, [(START + n * HOUR, "d", "not_json", b"x" * 1000) for n in range(10)])
    stack.database.rows("SELECT rejected_forget(%s, NULL)", (START + 3 * HOUR,))
    since = utc(START + 2 * HOUR + timedelta(microseconds=1))
    assert assert_counts_are_right(stack, api)["since"] == since == api.json("/rejected")["since"]
    stack.database.rows("SELECT rejected_forget(NULL, 5000)")
    assert assert_counts_are_right(stack, api)["since"] > since
    assert len(api.json("/rejected")["messages"]) == 4
    stack.database.rows("TRUNCATE rejected_messages")
    emptied = assert_counts_are_right(stack, api)
    assert emptied["total"] == 0 and emptied["since"] > utc(START + 10 * HOUR)
    assert api.json("/rejected?reason=not_json&limit=1") == {"since": emptied["since"], "messages": [], "next": None}


def test_too_many_counts_are_cut_at_a_whole_hour(stack):
    migrate(stack)
    stack.database.rows(
        "INSERT INTO rejected_messages (received_at, topic, payload, reason, detail)"
        " SELECT %s + n / 3 * interval '1 hour', '', '', 'reason_' || n %% 3, '' FROM generate_series(0, 10499) n", (START,)
    )  # fmt: skip
    api = Api(stack)
    answer = api.json("/rejected/counts")
    assert Counter(len(one["reasons"]) for one in answer["hours"]) == {3: 3333}
    assert answer["from"] == answer["hours"][-1]["hour"] and answer["total"] == 9999


# --- Who, and at what cost -----------------------------------------------------------------------


@pytest.mark.parametrize("target", [
    "reason=a%00b", "reason=" + "x" * 65, "device=", "device=a%E2%80%AEb", "device=a/b", "device=" + "x" * 65, "after=1", "after=x_1",
    "bytes=-1", "bytes=16385", "limit=0", "format=csv", "from=yesterday%20noon", "reason=a&reason=b", "order=asc",
])  # fmt: skip
def test_what_is_not_legal_is_refused(stack, target):
    answer = Api(stack).get(f"/rejected?{target}")
    assert answer.status == 400 and "legal" in json.loads(answer.body)


def test_each_filter_is_read_from_its_index(stack):
    """Also of a reason that was frequent long ago and has not come since: the newest are not looked through for it."""
    migrate(stack)
    database = stack.database
    database.rows(
        "INSERT INTO rejected_messages (received_at, topic, device_id, payload, reason, detail)"
        " SELECT %s + n * interval '1 second', '', 'd' || n %% 7, '', CASE WHEN n < 20000 THEN 'not_json' ELSE 'no_value' END, ''"
        " FROM generate_series(1, 40000) n", (START,)
    )  # fmt: skip
    with contextlib.closing(database.connect()) as connection:
        connection.autocommit = True
        connection.cursor().execute("VACUUM ANALYZE")
    read = "SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0) FROM pg_stat_user_tables WHERE relname = 'rejected_messages'"
    scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = %s"
    api = Api(stack)
    for asked, index in (
        ("", "rejected_messages_received_at"),
        ("reason=not_json&", "rejected_messages_of_reason"),
        ("device=d3&", "rejected_messages_of_device"),
        ("device=d3&reason=not_json&", "rejected_messages_of_both"),
    ):
        before, read_before = database.value(scans, (index,)), database.value(read)
        page = api.json(f"/rejected?{asked}limit=50")
        api.json(f"/rejected?{asked}limit=50&after={page['next']}")
        assert len(page["messages"]) == 50
        until(lambda index=index, before=before: database.value(scans, (index,)) >= before + 2, 15)  # statistics come later
        assert database.value(read) - read_before < 250, asked
