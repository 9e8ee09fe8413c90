"""Who is let in by httpapi with TOKEN_FILE, to what, and what is said to whom it does not let in."""

from __future__ import annotations

import base64
import re
import signal
import subprocess

import pytest
from conftest import BUILD_DIR
from http_tools import Raw, Stream

from servers import LOOPBACK, free_port, patience, until

TOKENS = {group: f"{group}-token-0123456789abcdef" for group in ("read", "events", "metrics", "page", "rejected", "all")}
ROUTES = {
    "/": "page",
    "/favicon.svg": "page",
    "/dashboard": "read",
    "/devices": "read",
    "/devices/d": "read",
    "/devices/d/histogram?feature=status": "read",
    "/devices/d/readings": "read",
    "/devices/d/readings?format=csv": "read",
    "/histogram": "read",
    "/heatmap?feature=status": "read",
    "/distribution?feature=status": "read",
    "/devices/d/distribution?feature=status": "read",
    "/devices/d/points": "read",
    "/collectors": "read",
    "/rejected": "rejected",
    "/rejected?format=jsonl": "rejected",
    "/rejected/counts": "read",
    "/openapi.json": "read",
    "/events": "events",
    "/metrics": "metrics",
    "/nothing": "any",
    "/healthz/x": "any",
    "/dashboard?limit=0": "read",
}
PROBES = ("/health", "/healthz", "/readyz")


def write(path, text):
    path.write_text(text)
    path.chmod(0o640)
    return path


def lines_of(tokens):
    return "".join(f"{group} {token}\n" for group, token in tokens.items())


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "tokens", lines_of(TOKENS))


@pytest.fixture
def api(stack, file):
    return stack.start_httpapi(token_file=file, access_log=1)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def basic(password, user="anybody"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def ask(stack, path, method="GET", **headers):
    """Its status line and headers; the connection is of this request alone, since a stream has no end."""
    with Raw(stack.http_port) as raw:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        raw.send("\r\n".join([*lines, "", ""]).encode())
        return raw.head()


def is_let_in(answer):
    assert (answer.status in (401, 403)) == ("www-authenticate" in answer.headers)
    return answer.status not in (401, 403)


def metric(stack, name):
    text = stack.get("/metrics", headers=bearer(TOKENS["all"]))[2].decode()
    return float(re.search(rf"^highwater_httpapi_{name} (.*)$", text, re.MULTILINE)[1])


def test_each_token_opens_its_groups_and_nothing_else(stack, api):
    for method in ("GET", "HEAD", "POST"):
        for path, group in ROUTES.items():
            assert ask(stack, path, method).status == 401, path
            assert ask(stack, path, method, **bearer("x" * 30)).status == 401, path
            for holder, token in TOKENS.items():
                opens = holder in (group, "all") or group == "any"
                for header in (bearer(token), basic(token)):
                    answer = ask(stack, path, method, **header)
                    assert is_let_in(answer) == opens, (method, path, holder, answer)
                    assert answer.status == 403 or opens
    for path in PROBES:
        for header in ({}, bearer("x" * 30), {"Authorization": "nonsense ,"}):
            assert ask(stack, path, **header).status in (200, 503)


# what stands in the Authorization lines: status, and the error that is named
READ, ALL = TOKENS["read"], TOKENS["all"]
LINES = {
    "none": ([], 401, None),
    "lower case": ([f"bearer {READ}"], 200, None),
    "upper case": ([f"BEARER {READ}"], 200, None),
    "blanks before": ([f"Bearer    {READ}"], 200, None),
    "blanks and a tab after": ([f"Bearer {READ}  \t"], 200, None),
    "a tab for a blank": ([f"Bearer\t{READ}"], 401, None),
    "no blank": ([f"Bearer{READ}"], 401, None),
    "the token alone": ([READ], 401, None),
    "another scheme": ([f"Token {READ}"], 401, None),
    "Digest": ([f'Digest username="{READ}"'], 401, None),
    "nothing": ([""], 400, "invalid_request"),
    "no token": (["Bearer"], 400, "invalid_request"),
    "quoted": ([f'Bearer "{READ}"'], 400, "invalid_request"),
    "two in one": ([f"Bearer {READ} {READ}"], 400, "invalid_request"),
    "a list": ([f"Bearer {READ}, Basic x"], 400, "invalid_request"),
    "twice": ([f"Bearer {READ}", f"Bearer {READ}"], 400, "invalid_request"),
    "a wrong one and a right one": ([f"Bearer {'x' * 30}", f"Bearer {READ}"], 400, "invalid_request"),
    "an empty one behind it": ([f"Bearer {READ}", ""], 400, "invalid_request"),
    "UTF-8": ([f"Bearer {READ}ä"], 400, "invalid_request"),
    "one more": ([f"Bearer {READ}0"], 401, "invalid_token"),
    "one less": ([f"Bearer {READ[:-1]}"], 401, "invalid_token"),
    "its end": ([f"Bearer {READ[1:]}"], 401, "invalid_token"),
    "padded": ([f"Bearer {READ}="], 401, "invalid_token"),
    "its group": (["Bearer read"], 401, "invalid_token"),
    "all of the line": ([f"Bearer read {READ}"], 400, "invalid_request"),
    "long": (["Bearer " + "x" * 7000], 401, "invalid_token"),
    "long, Basic": (["Basic " + "eDp4" * 1700], 401, "invalid_token"),
    "of another group": ([f"Bearer {TOKENS['events']}"], 403, "insufficient_scope"),
    "Basic, no name": ([basic(READ, "")["Authorization"]], 200, None),
    "Basic, a name in UTF-8": ([basic(READ, "Jürgen")["Authorization"]], 200, None),
    "Basic, lower case": ([basic(READ)["Authorization"].replace("Basic", "basic")], 200, None),
    "Basic, as the name": ([basic("", READ)["Authorization"]], 401, "invalid_token"),
    "Basic, no colon": (["Basic " + base64.b64encode(READ.encode()).decode()], 400, "invalid_request"),
    "Basic, not encoded": ([f"Basic x:{READ}"], 400, "invalid_request"),
    "Basic, not padded": ([basic(READ, "a")["Authorization"].rstrip("=")], 400, "invalid_request"),
    "Basic, a NUL before": ([basic(f"\0{READ}")["Authorization"]], 401, "invalid_token"),
    "Basic, a line feed after": ([basic(f"{READ}\n")["Authorization"]], 401, "invalid_token"),
    "Basic, nothing": (["Basic"], 400, "invalid_request"),
}


def test_whatever_stands_in_the_header(stack, api):
    for name, (values, status, error) in LINES.items():
        with Raw(stack.http_port) as raw:
            lines = "".join(f"Authorization: {value}\r\n" for value in values)
            raw.send(f"GET /collectors HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
            head = raw._until(b"\r\n\r\n").decode()
            raw._take(int(re.search(r"Content-Length: (\d+)", head)[1]))
            assert head.startswith(f"HTTP/1.1 {status} "), name
            assert ("application/problem+json" in head) == (status != 200), name
            assert ('WWW-Authenticate: Basic realm="highwater", charset="UTF-8"' in head) == (status == 401), name
            assert ('WWW-Authenticate: Bearer realm="highwater"' in head) == (status != 200), name
            assert error is None or f'error="{error}"' in head, name
            assert ("error=" in head) == (error is not None), name
            assert raw.get("/healthz").status == 200, name  # the connection is as good as before


def test_probes_say_little_to_strangers(stack, file):
    stack.start_httpapi(token_file=file, database_url=f"postgresql://{LOOPBACK}:1/secretive")
    for headers, knows in (({}, False), (bearer("x" * 20), False), (bearer(TOKENS["metrics"]), True), (basic(READ), True)):
        _, _, health = stack.get("/healthz", headers=headers)
        status, _, ready = stack.get("/readyz", headers=headers)
        assert status == 503
        assert (b"version" in health) == knows
        assert (b"database" in ready) == knows and (LOOPBACK.encode() in ready) == knows


def test_caches_and_other_origins(stack, file):
    stack.start_httpapi(token_file=file, cors_origin="https://elsewhere.example")
    for path in ("/", "/openapi.json"):
        status, headers, _ = stack.get(path, headers=bearer(ALL))
        assert status == 200 and headers["Cache-Control"] == "private, no-cache"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"  # a password of a browser's is not for others' pages
        assert "Access-Control-Allow-Credentials" not in headers
        known = {"If-None-Match": headers["ETag"]}
        assert stack.get(path, headers={**bearer(ALL), **known})[0] == 304
        assert stack.get(path, headers=known)[0] == 401
    page = stack.get("/", headers=bearer(ALL))[2].decode()
    script = re.search(r'src="\.?(/assets/[^"]+\.js)"', page)[1]
    assert stack.get(script)[0] == 401
    assert stack.get(script, headers=bearer(ALL))[1]["Cache-Control"] == "private, max-age=31536000, immutable"
    status, headers, _ = stack.get("/devices")
    assert (status, headers["Cache-Control"]) == (401, "no-store")
    assert headers["Access-Control-Allow-Origin"] == "https://elsewhere.example"  # so that it sees why
    asked = ask(stack, "/devices", "OPTIONS", Origin="https://elsewhere.example", Access_Control_Request_Method="GET",
                Access_Control_Request_Headers="authorization")  # fmt: skip
    assert asked.status == 204 and "Authorization" in asked.headers["access-control-allow-headers"]
    assert ask(stack, "/devices", "OPTIONS").status == 401
    assert ask(stack, "*", "OPTIONS").status == 204


def test_no_token_is_in_a_log_and_guesses_are_counted(stack, api):
    before = metric(stack, "wrong_tokens_total")
    guesses = [f"guess-{i:04}-0123456789" for i in range(50)]
    for guess in guesses:
        assert ask(stack, "/collectors", **bearer(guess)).status == 401
        assert ask(stack, "/healthz", **basic(guess)).status == 200
    assert metric(stack, "wrong_tokens_total") - before == 100
    assert ask(stack, f"/collectors?access_token={READ}").status == 401
    assert ask(stack, f"/collectors?x=1&access_token={READ}&y=2", **bearer(READ)).status == 400
    api.wait_for_line(r"access: .* GET /collectors\?x=1&access_token=\*&y=2 400")
    text = api.output() + stack.get("/metrics", headers=bearer(ALL))[2].decode()
    assert not any(token in text for token in (*TOKENS.values(), *guesses))
    assert text.count("is none of ours") < 3
    assert 'requests_total{route="collectors",code="401"} 51' in text


def test_sighup_reads_the_file_again(stack, file):
    program = stack.start_httpapi(token_file=file)
    stream = Stream(stack.http_port, headers=bearer(TOKENS["events"]))
    until(lambda: stream.of("status"))
    new = "new-token-0123456789abcdef"

    def hang_up(words):
        count = len(re.findall(words, program.output()))
        program.signal(signal.SIGHUP)
        until(lambda: len(re.findall(words, program.output())) > count, what=words)

    bad = {
        "": "no token",
        "# all " + ALL: "no token",
        ALL: "line 1: a line has groups",
        f"all {new}\nwrite {READ}": "line 2: group 1 is none",
        f"all {new}\nread {new}": "line 2: the token stands",
        "all short": "has 5 bytes",
    }
    for text, words in bad.items():
        write(file, text)
        hang_up(f"it goes on with those it has: TOKEN_FILE: {re.escape(str(file))}: .*{words}")
        assert ask(stack, "/collectors", **bearer(READ)).status == 200
        assert ask(stack, "/collectors", **bearer(new)).status == 401
    file.unlink()
    hang_up("No such file")
    write(file, "# the same\n" + lines_of(TOKENS))
    hang_up(f"there are {len(TOKENS)} now, as before")
    seen = len(stream.of("status"))
    until(lambda: len(stream.of("status")) > seen)
    assert not stream.is_over, "nothing has changed for it"
    with Raw(stack.http_port) as kept:
        assert kept.get("/collectors", **bearer(READ)).status == 200
        write(file, f"all {new}\n")
        hang_up("there are 1 now")
        assert kept.get("/collectors", **bearer(READ)).status == 401  # each request of a connection is asked
        assert kept.get("/collectors", **bearer(new)).status == 200
    until(lambda: stream.is_over, what="the stream of a token that is no more ends")
    file.chmod(0o644)
    hang_up("anybody on this machine may read it")


BAD_FILES = {
    "empty": "",
    "comments": "# read x\n",
    "a token alone": ALL,
    "the other way round": f"{ALL} all",
    "an unknown group": f"read,admin {ALL}",
    "short": "all hunter2",
    "twice": f"all {ALL}\nread {ALL}",
    "a byte order mark": f"\ufeffall {ALL}",
    "NUL": f"all {ALL}\0",
    "long": f"all {'x' * 513}",
}


def start_and_end(**settings):
    env = {key.upper(): str(value) for key, value in settings.items()}
    ended = subprocess.run([BUILD_DIR / "httpapi"], env=env, capture_output=True, text=True, timeout=patience())
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_of_no_use_is_refused_at_the_start(tmp_path, name):
    path = write(tmp_path / "tokens", BAD_FILES[name])
    status, text = start_and_end(token_file=path, http_listen=free_port())
    assert status == 2 and text.startswith(f"httpapi: TOKEN_FILE: {path}: ") and text.count("\n") == 1
    assert ALL not in text and "hunter2" not in text


def test_a_token_in_the_place_of_the_file_is_not_shown():
    status, text = start_and_end(token_file=ALL, http_listen=free_port())
    assert status == 2 and "TOKEN_FILE" in text and ALL not in text


def test_tokens_that_others_can_read_are_told(stack, file):
    file.chmod(0o644)
    program = stack.start_httpapi(token_file=file, http_listen=f"0.0.0.0:{stack.http_port}")
    program.wait_for_line("TOKEN_FILE: .*anybody on this machine may read it")
    program.wait_for_line("without TLS anybody on the way can read them")
