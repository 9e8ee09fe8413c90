"""The contract and what httpapi does agree: every parameter with values that fit its schema and values that do not."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import zlib
from urllib.parse import quote

import pytest
from http_tools import Api, Raw, Stream, insert, insert_many
from oracle import now_us, reading

from servers import until

MOMENTS = ["2026-11-23T12:00:00Z", "2026-11-23T12:00:00.123456+05:30", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-02-29T00:00:00-00:00", "2016-12-31T23:59:60Z",
           "2026-11-27t08:00:00+0800", "2026-11-27 08:00:00", "2026-11-26", "2024-02-29", "0", "1795737600", "1795737600.000001", "99999999999",
           "now", "now-1us", "now-90m", "now-99999d"]
DURATIONS = ["1us", "999ms", "90s", "15m", "60h", "99999d"]
PLACES = ["", "0_d", "-1_ ", "999999999999999999_" + "x" * 64, "-999999999999999999_温_\n"]
CURSORS = ["", "0_0", "-1_-1", "999999999999999999_9999999999999999999"]
TEXTS = ["", "d", "x" * 64, "温" * 64, "%_\\'\"", "\x01"]
IDS = ["d", "x" * 64, "温" * 64, "a b", "'; --", "...", "%2e", "\U0001f321"]
ODD = ["", " ", "null", "true", "-1", "0", "0.5", "1e3", "1,1", "[]", "{}", "\0", "x" * 300, "温", "%", "2026-13-01T00:00:00Z",
       "2026-02-30", "2026-02-29", "1900-02-29", "0000-01-01", "2026-1-26", "2026-11-26Z", "2026-11-26T12:00", "2017-01-01T08:59:60+09:00", "2026",
       "20261126", "1795737600123", "-1795737600", "1795737600.", "1.7e9", "now+1h", "now-", "now-1h30m", "now-99999999999d", "Now", "0s", "-5m", "1h30m", "60", "100000d", "1_", "_1", "1_2_3", "xml", "up", "99999999999999999999"]


def good_values(contract, parameter):
    """Values that fit, as they stand in a query."""
    schema = contract.resolve(parameter["schema"])
    if schema.get("type") == "array":
        names = schema["items"]["enum"]
        return [",".join(names), names[-1], ",".join(reversed(names))]
    if "enum" in schema:
        return schema["enum"]
    if "anyOf" in schema:
        return [*schema["anyOf"][0]["enum"], *DURATIONS]
    if schema.get("type") == "integer":
        return [str(schema["minimum"]), str(schema["minimum"] + 1), str(schema["maximum"])]
    if schema.get("type") == "number":
        return ["0", "-1", "0.5", "-2.5e-3", "1E300"]
    if schema is contract.document["components"]["schemas"]["Moment"]:
        return MOMENTS
    if "_[" in schema["pattern"]:
        return PLACES
    return CURSORS if "_-" in schema["pattern"] else TEXTS


def fits(contract, parameter, text):
    schema = contract.resolve(parameter["schema"])
    value = text
    if schema.get("type") == "array":
        value = [text] if parameter["explode"] else text.split(",")
    elif schema.get("type") == "integer":
        value = int(text) if re.fullmatch(r"-?\d+", text) else text
    elif schema.get("type") == "number":
        value = float(text) if re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text) else text
    return not contract.errors(schema, value)


def test_every_parameter_takes_what_fits_its_schema_and_nothing_else(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", now_us() - i * 10**9, status="ON", temperature=i) for i in range(10)])
    needed = {"feature": "temperature"}  # by routes that require it
    for path, item in api.contract.document["paths"].items():
        if path == "/events":
            continue
        for parameter in item["get"]["parameters"]:
            name = parameter["name"]
            values = IDS if name in ("deviceId", "device", "line") else good_values(api.contract, parameter)
            for text in itertools.chain(values, ODD):
                if parameter["in"] == "path":
                    if not text or "/" in text:
                        continue
                    target = path.replace("{deviceId}", quote(text, safe=""))
                else:
                    target = f"{path.replace('{deviceId}', 'd')}?{name}={quote(text, safe='')}"
                for other in item["get"]["parameters"]:
                    if other.get("required") and other["in"] == "query" and other["name"] != name:
                        target += f"{'&' if '?' in target else '?'}{other['name']}={needed[other['name']]}"
                status = api.get(target).status
                expected = {200, 404} if name == "deviceId" else {503} if path == "/thresholds" else {200}  # no collector is live
                assert status in (expected if fits(api.contract, parameter, text) else {400}), f"{target}: {status}"


def test_whatever_is_answered_is_in_the_contract(stack):
    api = Api(stack)
    for path in api.contract.document["paths"]:
        known = path.replace("{deviceId}", "nobody")
        with Raw(api.port) as raw:
            for request, expected in (
                (f"POST {known} HTTP/1.1\r\nHost: localhost", 405),
                (f"GET {known} HTTP/1.1\r\nHost: localhost\r\nAccept: image/png", 406),
                (f"GET {known}?nonsense=1 HTTP/1.1\r\nHost: localhost", 400),
                (f"GET {known} HTTP/1.1\r\nHost: evil.example", 421),
            ):
                raw.send(f"{request}\r\n\r\n".encode())
                answer = raw.answer()
                assert answer.status == expected, request
                api.contract.check(known, answer.status, answer.headers, answer.body)


def objects_of(schema):
    """Every schema of an object, wherever it is within."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from objects_of(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects_of(part)


def test_no_answer_may_have_members_that_the_contract_does_not(stack):
    document = Api(stack).contract.document
    for name, schema in document["components"]["schemas"].items():
        for part in objects_of(schema):
            assert "additionalProperties" in part, name


def test_collectors_and_events_are_as_the_contract_has_them(stack):
    stack.start_collector(collector_id="real")
    api = Api(stack)
    found = until(lambda: api.json("/collectors")["collectors"])  # a real one, with all that it says of itself
    schema = api.contract.document["components"]["schemas"]["Collector"]
    assert len(found[0]) > 20 and found[0].keys() <= schema["properties"].keys()
    stream = Stream(api.port)
    until(lambda: stream.of("status") and len(stream.of("board")) == 6)
    kinds = api.contract.document["paths"]["/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["x-events"]
    for event in stream.of("status") + stream.of("board"):
        assert api.contract.errors(kinds[event["event"]], event["data"]) == []
    stream.close()


def test_steps_are_csv_too(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", now_us() - i * 10**9, temperature=i) for i in range(100)])
    steps = api.json("/devices/d/points?points=7")["points"]
    lines = api.get("/devices/d/points?points=7&format=csv").body.decode().split("\r\n")
    assert lines[0].startswith("timestamp,deviceId,count,temperature_min,temperature_max,temperature_mean")
    assert [line.split(",")[:5] for line in lines[1:-1]] == [
        [p["timestamp"], "d", str(p["count"]), *(json.dumps(p["temperature"][k]).removesuffix(".0") for k in ("min", "max"))]
        for p in steps
    ]


# --- Compression ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/openapi.json", "/devices/d/readings", "/dashboard?limit=100", "/metrics", "/devices/d/readings?format=csv"])
def test_answers_are_gzip_for_who_takes_it(stack, path):
    api = Api(stack)
    insert_many(stack.database, "d", 3000)
    insert(stack.database, [reading(f"device {i}", now_us() - 10**6, temperature=i) for i in range(50)])
    with Raw(api.port) as raw:
        for accepted in ("gzip", "deflate, gzip;q=0.1", "*", "gzip;q=1.0, identity;q=0.5, *;q=0"):
            packed = raw.get(path, Accept_Encoding=accepted)
            assert packed.status == 200 and packed.headers["content-encoding"] == "gzip", accepted
            assert packed.headers["vary"] == "Accept, Accept-Encoding"
            body = gzip.decompress(packed.body)
            assert len(packed.body) < len(body) / 2
        for refused in (None, "identity", "gzip;q=0", "br", "*;q=0", "gzip;q=0.000, *", ""):
            plain = raw.get(path, **({"Accept_Encoding": refused} if refused is not None else {}))
            assert "content-encoding" not in plain.headers and "Accept-Encoding" in plain.headers["vary"], refused
            if path.startswith("/devices") or path == "/openapi.json":
                assert plain.body == body
        raw.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n".encode())
        head = raw.answer(has_body=False)
        assert head.headers["content-encoding"] == "gzip"
        if path in ("/openapi.json", "/devices/d/readings"):
            assert head.headers["content-length"] == str(len(packed.body))
            tag, packed_tag = plain.headers["etag"], packed.headers["etag"]
            assert tag != packed_tag == head.headers["etag"]
            for condition, accepted, status in ((tag, "identity", 304), (packed_tag, "gzip", 304), (f"W/{packed_tag}", "gzip", 304),
                                                (packed_tag, "identity", 200), ('"x"', "gzip", 200)):
                again = raw.get(path, If_None_Match=condition, Accept_Encoding=accepted)
                assert again.status == status, (condition, accepted)


def test_what_is_small_is_not_compressed(stack):
    api = Api(stack)
    with Raw(api.port) as raw:
        for path in ("/healthz", "/nothing"):
            assert "content-encoding" not in raw.get(path, Accept_Encoding="gzip").headers


def test_an_export_is_compressed_as_it_comes(stack):
    api = Api(stack, max_csv_streams=1)
    insert_many(stack.database, "d", 60000)
    with Raw(api.port) as raw:
        raw.send(b"GET /devices/d/readings?format=csv HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")
        assert raw.head().headers["transfer-encoding"] == "chunked"
        text, unpack = b"", zlib.decompressobj(31)
        while chunk := raw.chunk():
            text += unpack.decompress(chunk)
        assert unpack.eof and text.count(b"\r\n") == 60001
