"""httpapi against clients that are slow, many, broken or hostile."""

from __future__ import annotations

import contextlib
import resource
import socket
import struct
import threading
import time

import pytest
from http_tools import Api, Raw, insert, insert_many

from oracle import reading
from servers import patience, until

HOST = b"Host: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
GOOD = GET + b"\r\n"


def is_well(api):
    assert api.program.is_running(), api.program.tail()
    with Raw(api.port) as raw:
        assert raw.get("/healthz").status == 200


# --- Requests that are not well-formed -----------------------------------------------------------

# name: bytes, status; the connection ends then
MALFORMED = {
    "not HTTP": (b"hello\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50 + b"\r\n\r\n", 400),
    "no target": (b"GET\r\n\r\n", 400),
    "no version": (b"GET /healthz\r\n", 400),
    "HTTP/0.9": (b"GET /healthz HTTP/0.9\r\n\r\n", 505),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/9": (b"GET /healthz HTTP/9.9\r\n" + HOST + b"\r\n", 505),
    "HTTP/1.10": (b"GET /healthz HTTP/1.10\r\n" + HOST + b"\r\n", 400),
    "http/1.1": (b"GET /healthz http/1.1\r\n" + HOST + b"\r\n", 400),
    "a blank after the version": (b"GET /healthz HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    "two blanks": (b"GET  /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a tab for a blank": (b"GET\t/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no Host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Host: 127.0.0.1\r\n\r\n", 400),
    "the same Host twice": (b"GET /healthz HTTP/1.0\r\n" + HOST * 2 + b"\r\n", 400),
    "space before the colon": (GET + b"X-A : 1\r\n\r\n", 400),
    "header without a colon": (GET + b"nonsense\r\n\r\n", 400),
    "header without a name": (GET + b": 1\r\n\r\n", 400),
    "header after a blank": (b"GET /healthz HTTP/1.1\r\n " + HOST + HOST + b"\r\n", 400),
    "a folded header": (GET + b"X-A: 1\r\n 2\r\n\r\n", 400),
    "a header folded with a tab": (GET + b"X-A: 1\r\n\t2\r\n\r\n", 400),
    "control character in a header": (GET + b"X-A: a\x01b\r\n\r\n", 400),
    "NUL in a header": (GET + b"X-A: a\x00b\r\n\r\n", 400),
    "NUL at its end": (GET + b"X-A: a\x00\r\n\r\n", 400),
    "NUL in its name": (GET + b"X-\x00A: a\r\n\r\n", 400),
    "NULs that hide a header": (GET + b"X-A: a\x00\x00Transfer-Encoding: chunked\r\n\r\n", 400),
    "NUL in Host": (b"GET /healthz HTTP/1.1\r\nHost: localhost\x00.example.org\r\n\r\n", 400),
    "NUL in the target": (b"GET /healthz\x00.png HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "NUL in the query": (b"GET /healthz?\x00a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "NUL in the method": (b"G\x00ET /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "line feeds alone": (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
    "one line feed alone": (GET + b"X-A: a\nX-B: b\r\n\r\n", 400),
    "a carriage return alone": (GET + b"X-A: a\rX-B: b\r\n\r\n", 400),
    "space in the target": (b"GET /heal thz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "UTF-8 in the target": ("GET /devices/温度 HTTP/1.1\r\n".encode() + HOST + b"\r\n", 400),
    "control character in the target": (b"GET /a\x07 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a fragment": (b"GET /healthz#x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "another scheme": (b"GET https://localhost/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a user": (b"GET http://me@localhost/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a star": (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "method that is no token": (b"G(T /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a target of 9 kB": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a target of 300 kB": (b"GET /" + b"a" * 300000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "headers of 10 kB": (GET + b"X-A: " + b"a" * 10000 + b"\r\n\r\n", 431),
    "headers of 300 kB": (GET + b"X-A: " + b"a" * 300000 + b"\r\n\r\n", 431),
    "100 headers": (GET + b"X-A: 1\r\n" * 100 + b"\r\n", 431),
    "5000 headers": (GET + b"X-A: 1\r\n" * 5000 + b"\r\n", 431),
}

# What is well-formed as HTTP, and still refused; the connection stays.
REFUSED = {
    "500 parameters, all empty": (b"GET /dashboard?" + b"&" * 500 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "1900 parameters, all empty": (b"GET /dashboard?" + b"&" * 1900 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a query of many names": (b"GET /dashboard?" + b"a&" * 900 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a method of another kind": (b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "a POST of nothing": (b"POST /dashboard HTTP/1.1\r\nContent-Length: 0\r\n" + HOST + b"\r\n", 405),
}

# Each hides a second request, of another route, where another reader might see a body.
HIDDEN = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
SMUGGLED = {
    "Content-Length": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN),
    "two Content-Lengths": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: %d\r\n\r\n"
    % len(HIDDEN),
    "a list of them": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0, %d\r\n\r\n" % len(HIDDEN),
    "a signed one": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: +%d\r\n\r\n" % len(HIDDEN),
    "a hexadecimal one": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x26\r\n\r\n",
    "a negative one": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "a huge one": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "an empty one": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n\r\n",
    "chunked": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and Content-Length": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, oddly": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "chunked, folded": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "chunked with a space": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "chunked with a tab": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
    "chunked in capitals": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n",
    "line feeds alone": b"GET /healthz HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0\n\n",
    "identity": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity\r\n\r\n",
    "a POST": b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN),
    "Expect": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN),
}


def first_answer(port, data):
    """(status, raw): 0 when it was closed without one."""
    raw = Raw(port)
    try:
        raw.send(data)
        answer = raw.answer()
    except (EOFError, ConnectionError):
        return 0, None, raw
    return answer.status, answer, raw


def test_malformed_requests_are_refused_one_by_one(stack):
    """At once, not when a deadline is over, and each with one answer that says why."""
    api = Api(stack)
    for name, (data, expected) in MALFORMED.items():
        status, answer, raw = first_answer(api.port, data)
        assert status == expected, f"{name}: {status} {answer}"
        assert answer.headers["content-type"] == "application/problem+json", name
        assert answer.headers["connection"] == "close" and answer.json()["status"] == status, name
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.closes(), f"{name}: the connection stays open"
        assert raw.buffered == b"", f"{name}: more than one answer"
        raw.close()
    for name, (data, expected) in REFUSED.items():
        with Raw(api.port) as raw:
            raw.send(data)
            answer = raw.answer()
            assert answer.status == expected and answer.json()["status"] == expected, f"{name}: {answer}"
            assert expected != 405 or answer.headers["allow"] == "GET, HEAD"
            assert raw.get("/healthz").status == 200, name
    is_well(api)


def test_no_request_is_smuggled_behind_another(stack):
    api = Api(stack)
    before = api.metric('requests_total{route="metrics",code="200"}')
    for name, data in SMUGGLED.items():
        status, answer, raw = first_answer(api.port, data + HIDDEN)
        assert status == 400, f"{name}: {status}"
        assert raw.closes(), f"{name}: the connection stays open"
        assert b"HTTP/1.1" not in raw.buffered, f"{name}: {raw.buffered[:100]!r}"
        raw.close()
    assert api.metric('requests_total{route="metrics",code="200"}') <= before + 1  # only ours
    is_well(api)


def test_odd_but_legal_requests_are_answered(stack):
    api = Api(stack)
    for data in (
        b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET HTTP://127.0.0.1:5000/healthz?  HTTP/1.1\r\nHost: localhost\r\n\r\n".replace(b"?  ", b"? "),
        b"GET /healthz? HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz?& HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost:localhost\r\nX-Empty:\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhOsT: localhost\r\nContent-Length: 0\r\n\r\n",
        b"\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\n\r\n",
    ):
        status, _, raw = first_answer(api.port, data)
        assert status == 200, data
        raw.close()
    with Raw(api.port) as raw:
        raw.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert raw.answer().status == 200 and raw.closes()
    with Raw(api.port) as raw:
        assert raw.get("/healthz", Connection="close").status == 200 and raw.closes()


def test_random_bytes_and_broken_requests_do_no_harm(stack, rng):
    api = Api(stack, header_timeout="1s")
    seeds = [data for data, _ in [*MALFORMED.values(), *REFUSED.values()] if len(data) < 4000]
    seeds += [data + HIDDEN for data in SMUGGLED.values()] + [GOOD * 3]
    seeds += [b"GET /devices/%E6%B8%A9/readings?from=2026-01-01T00:00:00Z&points=9 HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv;q=0.5\r\n\r\n"]
    for _ in range(400):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(data))
            what = rng.randrange(4)
            if what == 0:
                data[at] = rng.randrange(256)
            elif what == 1:
                del data[at : at + rng.randrange(8)]
            elif what == 2:
                data[at:at] = rng.choice([b"\r\n", b"\0", b": ", b"%", b"%00", b" ", b"\t", b"\n", b"chunked", b"\xff"])
            else:
                data[at:at] = rng.choice(seeds)[: rng.randrange(60)]
            data = data or bytearray(b"x")
        with Raw(api.port) as raw:
            try:
                raw.send(bytes(data))
                raw.socket.shutdown(socket.SHUT_WR)
                raw.is_closed(0.02)
            except OSError:
                pass
    is_well(api)
    assert api.program.terminate() == 0, api.program.tail()


# --- Host ----------------------------------------------------------------------------------------


def status_for(port, host, target="/healthz"):
    with Raw(port) as raw:
        raw.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        answer = raw.answer()
        if answer.status != 200:
            assert "HTTP_HOSTS" in answer.json()["detail"], answer
        return answer.status


def test_a_page_that_rebinds_its_name_to_loopback_reads_nothing(stack):
    api = Api(stack)
    legal = ("localhost", "LOCALHOST:1", "localhost.", "127.0.0.1", f"127.0.0.1:{api.port}", "127.1.2.3", "[::1]", "[::1]:80")
    foreign = ("evil.example", "evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example", "", "192.168.0.1",
               "128.0.0.1", "[::2]", "localhost:x", "[::1", "127.1", "2130706433", "localhost, evil.example", "evil.example@localhost")
    assert [host for host in legal if status_for(api.port, host) != 200] == []
    assert [host for host in foreign if status_for(api.port, host) != 421] == []
    assert status_for(api.port, "localhost", "http://evil.example/healthz") == 421  # the target's wins
    assert status_for(api.port, "evil.example", "http://localhost/healthz") == 200


def test_other_hosts_are_a_setting(stack):
    api = Api(stack, http_hosts="board.example, other.example:8080")
    assert status_for(api.port, "Board.Example:99") == status_for(api.port, "other.example:8080") == 200
    assert status_for(api.port, "localhost") == 200
    assert status_for(api.port, "other.example") == status_for(api.port, "x.board.example") == 421
    api.program.terminate()
    assert status_for(Api(stack, http_hosts="*").port, "evil.example") == 200


def test_the_collectors_listener_minds_the_host_too(stack):
    collector = stack.start_collector(metrics_hosts="prometheus.example")
    collector.wait_for_line("schema: connecting -> up")  # it listens before
    with Raw(stack.metrics_port) as raw:
        assert raw.get("/healthz").status == 200
    for host, expected in (("prometheus.example:1", b"200"), ("evil.example", b"421")):
        with Raw(stack.metrics_port) as raw:
            raw.send(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert raw._until(b"\r\n").split()[1] == expected
    assert collector.is_running()


def test_no_other_origin_is_let_in(stack):
    with Raw(Api(stack).port) as raw:
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"}):
            answer = raw.get("/dashboard", **headers)
            assert not [name for name in answer.headers if name.startswith("access-control")]
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"


# --- Slow clients --------------------------------------------------------------------------------


def test_a_head_must_be_complete_by_its_deadline_however_it_is_dealt_out(stack):
    api = Api(stack, header_timeout="3s", idle_timeout="60s")
    began = time.monotonic()
    slow = [Raw(api.port) for _ in range(40)]
    heads = [GOOD.replace(b"localhost", b"x" * 1000), b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a\r\nX-A: " * 100, b"\r\n" + b"G" * 30, b""]
    closed_after = {}
    sent = 0
    while len(closed_after) < len(slow) and time.monotonic() - began < patience():
        for i, raw in enumerate(slow):
            head = heads[i % len(heads)]
            if i in closed_after:
                continue
            with contextlib.suppress(OSError):
                raw.send(head[sent : sent + 1])
            if raw.is_closed():
                closed_after[i] = time.monotonic() - began
        sent += 1
        with Raw(api.port) as other:
            assert other.get("/healthz").status == 200  # nobody else notices
        time.sleep(0.02)
    assert len(closed_after) == len(slow) and all(after > 2.9 for after in closed_after.values())
    assert all(b"200 OK" not in raw.buffered for raw in slow)
    assert api.metric("connections_cut_total") >= 40
    for raw in slow:
        raw.close()


@pytest.mark.faults
def test_an_idle_connection_is_closed_and_a_used_one_is_not(stack):
    api = Api(stack, header_timeout="1s", idle_timeout="3s")
    used, idle, dribbling = Raw(api.port), Raw(api.port), Raw(api.port)
    for raw in (idle, dribbling, used):
        assert raw.get("/healthz").status == 200


    def others_are_closed():
        assert used.get("/healthz").status == 200
        with contextlib.suppress(OSError):
            dribbling.send(b"G")
        return idle.is_closed() and dribbling.is_closed()

    until(others_are_closed, pause=0.2)
    assert used.get("/healthz").status == 200


@pytest.mark.faults
def test_a_client_that_takes_nothing_is_cut_and_costs_little(stack):
    api = Api(stack, stall_timeout="2s")
    insert_many(stack.database, "d", 60000)
    before = api.program.rss_kb()
    slow = []
    for path in ("/devices/d/readings?format=csv", "/devices/d/readings?limit=10000") * 8:
        raw = Raw(api.port)
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        slow.append(raw)
    until(lambda: api.metric("csv_streams") > 0)
    until(lambda: api.metric("connections_cut_total") == 16, 15)
    assert api.metric("csv_streams") == 0
    if "asan" not in str(api.program.argv[0]):
        assert api.program.peak_rss_kb() - before < 64 * 1024
    # one that reads slowly, but reads, gets it all
    steady = Raw(api.port)
    steady.send(b"GET /devices/d/readings?format=csv HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert steady.head().status == 200
    lines = 0
    while chunk := steady.chunk():
        lines += chunk.count(b"\n")
        time.sleep(0.02)
    assert lines == 60001
    for raw in slow:
        raw.close()


@pytest.mark.faults
def test_an_export_outlives_no_database(stack, postgres):
    api = Api(stack)
    insert_many(stack.database, "d", 60000)
    raw = Raw(api.port)
    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.send(b"GET /devices/d/readings?format=csv HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert raw.head().status == 200
    postgres.stop("immediate")
    with pytest.raises(EOFError):  # the last chunk does not come: the client knows that it is not all
        while raw.chunk():
            pass
    until(lambda: api.metric("csv_streams") == 0)
    postgres.start()


# --- Many clients --------------------------------------------------------------------------------


def test_connections_are_capped_in_all(stack):
    api = Api(stack, max_connections=10, idle_timeout="60s")
    held = [Raw(api.port) for _ in range(9)]
    for raw in held:
        assert raw.get("/healthz").status == 200
    waiting = [Raw(api.port) for _ in range(20)]  # the kernel takes them, httpapi does not
    for raw in waiting:
        raw.send(GOOD)
    answered = until(lambda: [raw for raw in waiting if not raw.is_closed(0.001) and raw.buffered], 5)
    assert len(answered) <= 2
    for raw in held:
        raw.close()
    for raw in waiting:
        if raw not in answered:
            raw.socket.settimeout(10)
            assert raw.answer().status == 200
        raw.close()
    is_well(api)


def test_connections_of_one_address_are_capped(stack):
    api = Api(stack, max_connections_per_address=5)
    until(lambda: api.metric("connections") == 1)
    many = []
    for _ in range(30):
        raw = Raw(api.port, source="127.0.0.7")
        raw.send(GOOD)
        many.append(raw)
    assert sum(not raw.is_closed(0.2) for raw in many) == 5
    with Raw(api.port, source="127.0.0.8") as other:
        assert other.get("/healthz").status == 200
    for raw in many:
        raw.close()
    until(lambda: api.metric("connections") == 1)
    with Raw(api.port, source="127.0.0.7") as again:
        assert again.get("/healthz").status == 200


def test_five_thousand_connections_come_and_go(stack):
    api = Api(stack, max_connections=2000, max_connections_per_address=0, header_timeout="2s")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = api.program.fd_count()
    wave = min(1000, soft - 200)
    for _ in range(5000 // wave + 1):
        sockets = [socket.create_connection(("127.0.0.1", api.port), timeout=patience()) for _ in range(wave)]
        with Raw(api.port) as raw:
            assert raw.get("/healthz").status == 200
        for number, one in enumerate(sockets):
            if number % 3 == 0:  # an abrupt end
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
    until(lambda: api.metric("connections") == 1, 10)
    assert api.program.fd_count() <= before + 3
    assert api.metric("connections_accepted_total") >= 5000


@pytest.mark.faults
def test_without_descriptors_it_waits_and_recovers(stack):
    api = Api(stack, max_connections_per_address=0)
    limit = api.program.fd_count() + 10
    resource.prlimit(api.program.pid, resource.RLIMIT_NOFILE, (limit, limit))
    many = [Raw(api.port) for _ in range(60)]
    for raw in many:
        raw.send(GOOD)
    time.sleep(0.5)
    cpu = api.program.cpu_seconds()
    time.sleep(1)
    assert api.program.cpu_seconds() - cpu < 0.3  # it does not spin
    for raw in many:
        raw.close()
    until(lambda: stack.get("/healthz")[0] == 200, 10)
    assert api.program.is_running()


# --- Pipelining ----------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_order(stack, rng):
    api = Api(stack)
    insert(stack.database, [reading(f"d{i}", temperature=i) for i in range(10)])
    paths = [rng.choice([f"/devices/d{i % 10}/histogram", "/healthz", f"/nothing/{i}", "/dashboard?limit=1"]) for i in range(300)]
    with Raw(api.port) as raw:
        raw.send("".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in paths).encode())
        for path in paths:
            answer = raw.answer()
            if path.startswith("/devices"):
                assert list(answer.json()) == [path.split("/")[2]]
            elif path.startswith("/nothing"):
                assert answer.status == 404 and f"{path};" in answer.json()["detail"]
            else:
                assert answer.status == 200
        assert raw.buffered == b""


@pytest.mark.faults
def test_a_client_that_pipelines_without_reading_is_not_read_from(stack):
    api = Api(stack, stall_timeout="2s")
    raw = Raw(api.port, timeout=1)
    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sent = 0
    with pytest.raises((TimeoutError, socket.timeout, ConnectionError)):
        while sent < 500_000_000:
            sent += raw.socket.send(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)
    assert sent < 50_000_000
    if "asan" not in str(api.program.argv[0]):
        assert api.program.rss_kb() < 100_000
    is_well(api)
    until(lambda: api.metric("connections_cut_total") == 1)  # a client that looked by reading would not stall
    assert raw.closes()


def test_two_hundred_slow_sockets_do_not_slow_the_others(stack):
    api = Api(stack, header_timeout="300s", max_connections_per_address=0)
    slow = [Raw(api.port) for _ in range(200)]
    stop = threading.Event()

    def dribble():
        while not stop.wait(0.1):
            for raw in slow:
                try:
                    raw.send(b"X")
                except OSError:
                    pass

    for raw in slow:
        raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ")
    thread = threading.Thread(target=dribble)
    thread.start()
    with Raw(api.port) as raw:
        for _ in range(300):
            assert raw.get("/healthz").status == 200
    assert api.metric("connections") > 200, "all of them are still there"
    stop.set()
    thread.join()
    for raw in slow:
        raw.close()
