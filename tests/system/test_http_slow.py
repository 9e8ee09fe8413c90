"""httpapi against clients that are slow: those that go on are served, those that have stopped are not waited for."""

from __future__ import annotations

import contextlib
import socket
import time

from http_tools import Api, Raw, insert_many

from servers import LOOPBACK, patience, until

EXPORT = b"GET /devices/d/readings?format=csv HTTP/1.1\r\nHost: localhost\r\n\r\n"


def narrow(api):
    """A client whose system takes little that it does not read, and says so from the first: a window that shrinks later
    is probed ever more rarely."""
    raw = Raw(api.port)
    raw.close()
    raw.socket = socket.socket()
    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    raw.socket.settimeout(patience())
    raw.socket.connect((LOOPBACK, api.port))
    return raw


def test_one_that_takes_little_outlives_one_that_began_later_and_takes_nothing(stack):
    """The stall timeout begins anew with whatever is taken: one from the start would end the first, too, and before."""
    api = Api(stack, stall_timeout="3s")
    insert_many(stack.database, "d", 100_000)
    with narrow(api) as slow, narrow(api) as stopped:
        slow.send(EXPORT)
        assert slow.head().status == 200
        stopped.send(EXPORT)

        def takes_little():
            slow.buffered += slow.socket.recv(8192)
            return api.metric("connections_cut_total") == 1

        until(takes_little, pause=0.05)
        assert api.metric("csv_streams") == 1, "it was given all of it at once"
        lines = 0
        while chunk := slow.chunk():
            lines += chunk.count(b"\n")
        assert lines == 100_001


def test_a_head_that_comes_by_the_byte_is_waited_for_until_its_deadline_and_no_longer(stack):
    """Whatever comes of a head, the header timeout does not begin anew: another, which began later, is not served earlier."""
    api = Api(stack, header_timeout="2s")
    with Raw(api.port) as dribbling:
        dribbling.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        ended = False

        def is_ended():
            with contextlib.suppress(OSError):
                dribbling.send(b"a")
            return dribbling.is_closed()

        with Raw(api.port) as later:
            until(is_ended, pause=0.05)
            ended = True
            assert later.closes()
        assert ended


def test_a_body_is_refused_before_it_comes(stack):
    """However slowly: the answer does not wait for it, and what comes of it is thrown away."""
    api = Api(stack)
    for head in (b"Content-Length: 1000000\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 1000000\r\nExpect: 100-continue\r\n"):
        with Raw(api.port) as raw:
            raw.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n")
            answer = raw.answer()
            assert answer.status == 400 and answer.headers["connection"] == "close"
            with contextlib.suppress(OSError):
                for _ in range(20):
                    raw.send(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    time.sleep(0.001)
            assert raw.closes() and raw.buffered == b""
