"""--healthcheck: what a container's runtime asks, of the program that listens and of whatever else may do so."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time

import pytest
from conftest import BUILD_DIR
from servers import LOOPBACK, free_port, patience

SETTING = {"collector": "METRICS_LISTEN", "httpapi": "HTTP_LISTEN"}


def check(name, listen, **settings):
    """(exit status, the one line)"""
    environment = {**os.environ, SETTING[name]: listen, **settings}
    ran = subprocess.run(
        [BUILD_DIR / name, "--healthcheck"], env=environment, capture_output=True, text=True, timeout=patience(30)
    )
    assert ran.stderr == "" and ran.stdout.count("\n") == 1, (ran.stdout, ran.stderr)
    return ran.returncode, ran.stdout.rstrip("\n")


LISTENS = ["{}", "127.0.0.1:{}", "localhost:{}", ":{}", "*:{}", "0.0.0.0:{}", "[::]:{}", "[::1]:{}", "127.0.0.2:{}"]


@pytest.mark.parametrize("name", ["collector", "httpapi"])
def test_a_program_is_found_wherever_it_listens(stack, name):
    for listen in LISTENS:
        place = listen.format(free_port())
        program = stack.program(name, **{SETTING[name].lower(): place}, database_url="postgresql://127.0.0.1:1/none")
        program.start()
        program.wait_for_line(r"listening on|not reachable")
        assert check(name, place) == (0, f"healthy: {place} answers")
        with program.paused():
            if listen == LISTENS[0]:
                assert check(name, place) == (1, f"unhealthy: {place} does not answer within 5 s")
        assert program.terminate() == 0
        status, line = check(name, place)
        assert status == 1 and line.startswith(f"unhealthy: {place}: ")


@pytest.mark.parametrize("hosts", ["", "example.org", "*"])
def test_no_list_of_hosts_keeps_it_out(stack, hosts):
    place = f"0.0.0.0:{free_port()}"
    program = stack.program("httpapi", http_listen=place, http_hosts=hosts)
    program.start()
    program.wait_for_line("listening on")
    assert check("httpapi", place)[0] == 0


@pytest.fixture
def tls(tmp_path):
    """Settings of httpapi: a certificate that is nobody's, and tokens for all but the probes."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=elsewhere.example"]
    subprocess.run([*command, "-keyout", "key.pem", "-out", "cert.pem"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "tokens").write_text(f"all {'0123456789abcdef' * 2}\n")
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    return {"TLS_CERT": f"{tmp_path}/cert.pem", "TLS_KEY": f"{tmp_path}/key.pem", "TOKEN_FILE": f"{tmp_path}/tokens"}


def test_it_speaks_tls_and_needs_no_token(stack, tls):
    place = f"127.0.0.1:{free_port()}"
    program = stack.program("httpapi", http_listen=place, **{name.lower(): value for name, value in tls.items()})
    program.start()
    program.wait_for_line("listening on")
    assert check("httpapi", place, **tls) == (0, f"healthy: {place} answers")
    status, line = check("httpapi", place)
    assert status == 1 and line.startswith(f"unhealthy: {place}"), "it does not speak TLS there"


def test_what_speaks_no_tls_is_not_healthy(tls):
    for serve, said in ((says(b"HTTP/1.1 200 OK\r\n\r\n"), "no TLS: "), (reset, "no TLS: "), (wait, "within 5 s"), (pour, "no TLS: ")):
        with listener(serve) as place:
            status, line = check("httpapi", place, **tls)
        assert status == 1 and said in line and line.isprintable() and len(line) < 400, line


@pytest.mark.parametrize("listen", ["-", "127.0.0.1:0", "127.0.0.1:port", "127.0.0.1:99999", "\x1b[2J", "x" * 1000, "no.such.host.invalid:80"])
def test_what_is_no_place_is_said(listen):
    status, line = check("collector", listen)
    assert status == 1 and line.startswith("unhealthy: ") and line.isprintable() and len(line) < 500


# --- Whatever else may listen there -------------------------------------------------------------------


def drip(connection):
    with contextlib.suppress(OSError):
        while True:
            connection.send(b"H")
            time.sleep(0.1)  # so long that the whole takes longer than it has


def pour(connection):
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"HTTP/1.1 200 " * 1000)


def wait(connection):
    with contextlib.suppress(OSError):
        while connection.recv(1000):
            pass


def reset(connection):
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def says(answer):
    def say(connection):
        connection.recv(1000)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        wait(connection)

    return say


@contextlib.contextmanager
def listener(serve):
    with socket.create_server((LOOPBACK, 0)) as server:

        def run():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        serve(connection)

        threading.Thread(target=run, daemon=True).start()
        yield "%s:%d" % server.getsockname()
        server.shutdown(socket.SHUT_RDWR)


ANSWERS = [
    (says(b""), "ended without an answer"),
    (says(b"HTTP/1.1 200 OK"), "answers: HTTP/1.1 200 OK"),
    (says(b"HTTP/1.1 2000 OK\r\n\r\n"), "answers: HTTP/1.1 2000 OK"),
    (says(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"), "answers: HTTP/1.1 503 Service Unavailable"),
    (says(b"HTTP/1.1 301 \x1b[2J\r\nLocation: http://127.0.0.1/\r\n\r\n"), "answers: HTTP/1.1 301 \\x1b[2J"),
    (says(b"SSH-2.0-x\r\n"), "answers: SSH-2.0-x"),
    (says(b"\0" * 10000), "answers: \\x00"),
    (says(b"\n"), "answers: "),
    (pour, "answers: HTTP/1.1 200 HTTP/1.1 200"),
    (drip, "answers: HHHHHHHH|does not answer within 5 s"),
    (wait, "does not answer within 5 s"),
    (reset, "ended without an answer"),
]


@pytest.mark.parametrize("serve, said", ANSWERS, ids=range(len(ANSWERS)))
def test_what_does_not_answer_well_is_not_healthy(serve, said):
    with listener(serve) as place:
        status, line = check("collector", place)
    assert status == 1 and any(words in line for words in said.split("|")) and line.isprintable() and len(line) < 400, line
