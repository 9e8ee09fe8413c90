"""The conventions of httpapi: errors, methods, headers, the contract, metrics, the log."""

from __future__ import annotations

import json

from http_tools import Api, Raw, insert
from oracle import now_us, reading


def test_whatever_is_wrong_is_named(stack):
    api = Api(stack)
    cases = [
        ("/dashboard?limit=0", 400, "limit", "0"),
        ("/dashboard?limit=1001", 400, "limit", "1001"),
        ("/dashboard?features=humidity", 400, "features", "humidity"),
        ("/dashboard?interval=yesterday", 400, "interval", "yesterday"),
        ("/dashboard?order=sideways", 400, "order", "sideways"),
        ("/dashboard?limit=1&limit=2", 400, "limit", "2"),
        ("/dashboard?sort=desc", 400, "the parameter's name", "sort"),
        ("/events?interval=90m", 400, "interval", "90m"),
        ("/devices?limit=5000", 400, "limit", "5000"),
        ("/devices?sort=id", 400, "sort", "id"),
        ("/devices?status=ON", 400, "status", "ON"),
        ("/devices?silentFor=5", 400, "silentFor", "5"),
        ("/devices?silentFor=1h30m", 400, "silentFor", "1h30m"),
        ("/devices?order=up", 400, "order", "up"),
        ("/devices?sort=missing&after=device_3", 400, "after", "device_3"),
        ("/devices?after=device_3", 400, "after", "device_3"),
        ("/devices?after=12_&sort=clockOffsetMs", 400, "after", "12_"),
        ("/devices/a%2Fb", 400, "deviceId", "a%2Fb"),
        ("/devices/%00", 400, "deviceId", "%00"),
        ("/devices/%ff/histogram", 400, "deviceId", "%ff"),
        (f"/devices/{'x' * 65}", 400, "deviceId", "x" * 65),
        ("/dashboard?features=", 400, "features", ""),
        ("/dashboard?interval=0", 400, "interval", "0"),
        ("/devices/d/readings?after=1_2_3", 400, "after", "1_2_3"),
        ("/devices/d/points?points=10001", 400, "points", "10001"),
        ("/devices/d/readings?points=5", 400, "the parameter's name", "points"),
        ("/histogram?feature=temperature", 400, "the parameter's name", "feature"),
        ("/distribution?feature=x", 400, "feature", "x"),
        ("/distribution?feature=", 400, "feature", ""),
        ("/distribution", 400, "feature", ""),
        ("/devices/d/distribution?bins=2", 400, "feature", ""),
    ]
    for path, status, parameter, value in cases:
        answer = api.get(path)
        problem = answer.json()
        assert (answer.status, problem["parameter"], problem["value"]) == (status, parameter, value), path
        assert problem["legal"] and problem["detail"] and answer.headers["cache-control"] == "no-store"
    for path in ("/nothing", "/dashboard/", "/devices/", "/devices/a/b", "/devices//histogram", "/../etc/passwd", "//", "/dashboard%3f"):
        assert api.get(path).status == 404, path


def test_nothing_lies_between_two_moments_that_are_the_wrong_way_round(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", now_us() - 10**9, status="ON", temperature=1)])
    span = "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"
    for path in (f"/histogram?{span}", f"/devices/d/histogram?{span}", f"/devices/d/histogram?{span}&feature=temperature", f"/distribution?{span}&feature=temperature"):
        answer = api.json(path)
        counts = answer.get("d", answer)
        assert counts.get("count", 0) == 0 and not any(v for v in counts.values() if isinstance(v, int)), path
    assert api.json(f"/devices/d/readings?{span}") == {"deviceId": "d", "readings": [], "next": None}
    assert api.json(f"/devices/d/points?{span}&points=5")["points"] == []
    assert api.get(f"/devices/d/readings?{span}&format=csv").body.count(b"\r\n") == 1


def test_methods_and_types_that_are_not_offered(stack):
    api = Api(stack)
    with Raw(api.port) as raw:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"):
            raw.send(f"{method} /dashboard HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            answer = raw.answer()
            assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD"), method
            api.contract.check("/dashboard", 405, answer.headers, answer.body)
        assert raw.get("/dashboard", Accept="text/html").status == 406
        assert raw.get("/dashboard", Accept="text/html, */*;q=0.1").status == 200
        assert raw.get("/events", Accept="application/json").status == 406
        assert raw.get("/", Accept="text/html,application/xhtml+xml").status == 200


def test_head_and_etag(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", now_us() - 10**9, temperature=1)])
    for path in ("/devices/d/readings", "/dashboard?interval=all_time", "/openapi.json", "/"):
        with Raw(api.port) as raw:
            full = raw.get(path)
            tag = full.headers["etag"]
            raw.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = raw.answer(has_body=False)
            assert head.status == 200 and head.headers["content-length"] == str(len(full.body))
            assert head.headers["etag"] == tag
            for condition in (tag, f'"other", {tag}', f"W/{tag}", "*"):
                again = raw.get(path, If_None_Match=condition)
                assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
            assert raw.get(path, If_None_Match='"other"').status == 200
    insert(stack.database, [reading("d", now_us() - 10**9, temperature=2)])
    changed = api.get("/devices/d/readings", {"If-None-Match": tag})
    assert changed.status == 200 and len(changed.json()["readings"]) == 2
    for path in ("/devices/d/readings?format=csv", "/events"):
        with Raw(api.port) as raw:
            raw.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert raw.answer(has_body=False).status == 200
            assert raw.get("/healthz").status == 200  # no chunk of a body that HEAD has not came between
    assert api.metric("csv_streams") == 0 and api.metric("event_streams") == 0


def test_every_answer_has_the_security_headers(stack):
    api = Api(stack)
    for path in ("/", "/dashboard", "/nothing", "/dashboard?limit=0", "/healthz", "/metrics"):
        headers = api.stack.get(path)[1]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Access-Control-Allow-Origin"] is None


def test_cors_is_opened_by_the_option(stack):
    api = Api(stack, cors_origin="https://grafana.example")
    answer = api.get("/dashboard", {"Origin": "https://grafana.example"})
    assert answer.headers["access-control-allow-origin"] == "https://grafana.example"
    assert "X-Data-As-Of" in answer.headers["access-control-expose-headers"]
    with Raw(api.port) as raw:
        raw.send(b"OPTIONS /dashboard HTTP/1.1\r\nHost: localhost\r\nOrigin: https://grafana.example\r\n"
                 b"Access-Control-Request-Method: GET\r\n\r\n")
        answer = raw.answer()
        assert answer.status == 204 and answer.headers["access-control-allow-methods"] == "GET, HEAD"
        assert raw.get("/healthz").status == 200


def test_the_contract_is_complete(stack):
    api = Api(stack)
    document = api.json("/openapi.json")
    assert document["openapi"] == "3.1.0"
    operations = set()
    for path, item in document["paths"].items():
        assert set(item) == {"get"}
        operation = item["get"]
        operations.add(operation["operationId"])
        assert operation["responses"].keys() >= {"200", "400", "405", "406", "414", "421", "431", "505"}
        names = [p["name"] for p in operation["parameters"]]
        assert len(names) == len(set(names))
        assert any(p["name"] == "deviceId" and p["in"] == "path" for p in operation["parameters"]) == ("{deviceId}" in path)
        for parameter in operation["parameters"]:
            assert parameter["description"] and api.contract.resolve(parameter["schema"])
            if "default" in parameter["schema"]:
                assert not api.contract.errors(parameter["schema"], parameter["schema"]["default"])
        # each parameter is really understood, and nothing that is not in the contract
        known = path.replace("{deviceId}", "d")
        for name in names:
            if name != "deviceId":
                assert api.get(f"{known}?{name}=%00").json()["parameter"] == name
        assert api.get(f"{known}?undocumented=1").status == 400
    assert len(operations) == len(document["paths"])
    text = json.dumps(document)
    for reference in set(part.split('"')[0] for part in text.split('"$ref": "')[1:]):
        api.contract.resolve({"$ref": reference})


def test_metrics_are_well_formed_and_count(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    for _ in range(3):
        api.get("/devices/d/histogram")
    api.get("/devices/e/histogram")
    api.get("/nothing")
    lines = api.text("/metrics").splitlines()
    families = set()
    for line in lines:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in families and kind in ("counter", "gauge", "histogram")
            families.add(name)
        elif not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0]
            assert any(name == f or name.removesuffix(s) == f for f in families for s in ("_bucket", "_sum", "_count"))
            float(line.rsplit(" ", 1)[1])
    found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    requests = "highwater_httpapi_requests_total"
    assert found[f'{requests}{{route="device_histogram",code="200"}}'] == "3"
    assert found[f'{requests}{{route="device_histogram",code="404"}}'] == "1"
    assert found[f'{requests}{{route="other",code="404"}}'] == "1"
    assert found["highwater_httpapi_request_duration_seconds_count{route=\"device_histogram\"}"] == "4"
    assert "device_id" not in "".join(found) and "nothing" not in "".join(found)


def test_the_access_log_is_an_option_and_escapes(stack):
    api = Api(stack, access_log=1)
    with Raw(api.port) as raw:
        raw.send(b"GET /\x1b[31mred HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.answer().status == 400
    line = api.program.wait_for_line(r"access: 127\.0\.0\.1 GET /\\x1b\[31mred 400 \d+ [\d.]+ms")
    assert "\x1b" not in line
