"""httpapi that speaks TLS itself: what it says, to whom, and for how long."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from certificates import Authority
from http_tools import Raw, Stream, insert_many, migrate
from test_http_tokens import start_and_end

from servers import LOOPBACK, free_port, patience, until

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST_GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
CLIENT_HELLO = bytes.fromhex("16030100")  # the start of one


@pytest.fixture(scope="module")
def authority(area):
    home = area / "https"
    home.mkdir(mode=0o755)
    return Authority(home, "ours")


@pytest.fixture
def files(authority, tmp_path):
    """(certificate, key), of this test alone."""
    copies = tmp_path / "tls.crt", tmp_path / "tls.key"
    install(copies, authority.issue("first"))
    return copies


def install(files, issued):
    for path, new in zip(files, issued):
        path.write_bytes(new.read_bytes())
        path.chmod(0o600)


class Secure:
    """httpapi with TLS on the stack's port, and its clients."""

    def __init__(self, stack, authority, files, **settings):
        self.authority = authority
        self.port = stack.http_port
        self.program = stack.start_httpapi(tls_cert=files[0], tls_key=files[1], **settings)

    def context(self, **more):
        context = ssl.create_default_context(cafile=str(self.authority.ca))
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        for name, value in more.items():
            setattr(context, name, value)
        return context

    def wrap(self, raw, context=None):
        """TLS on top of a connection; an end without close_notify is an error."""
        context = context or self.context()
        raw.socket = context.wrap_socket(raw.socket, server_hostname="localhost", suppress_ragged_eofs=False)
        return raw

    def connect(self, context=None):
        return self.wrap(Raw(self.port), context)

    def metric(self, name):
        with self.connect() as raw:
            text = raw.get("/metrics").body.decode()
        return float(re.search(rf"^highwater_httpapi_{name} (.*)$", text, re.MULTILINE)[1])

    def serial(self):
        with self.connect() as raw:
            return int(raw.socket.getpeercert()["serialNumber"], 16)

    def is_well(self):
        assert self.program.is_running(), self.program.tail()
        with self.connect() as raw:
            assert raw.get("/healthz").status == 200

    def hang_up(self, words):
        count = len(re.findall(words, self.program.output()))
        self.program.signal(signal.SIGHUP)
        until(lambda: len(re.findall(words, self.program.output())) > count, what=words)


@pytest.fixture
def secure(stack, authority, files):
    return Secure(stack, authority, files, log_level="debug")


def test_both_versions_say_what_is_said_without(stack, secure):
    migrate(stack)
    insert_many(stack.database, "d", 30_000)
    plain = free_port()
    stack.start_httpapi(http_listen=f"{LOOPBACK}:{plain}").wait_for_line("listening on http://")
    paths = ("/", "/devices/d/readings?format=csv", "/openapi.json", "/devices/d/readings?limit=10000", "/nothing")
    until(lambda: stack.get("/devices/d", plain)[0] == 200)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = secure.context(minimum_version=version, maximum_version=version)
        context.set_alpn_protocols(["h2", "http/1.1"])
        with secure.connect(context) as raw:
            assert raw.socket.selected_alpn_protocol() == "http/1.1"
            until(lambda: raw.get("/devices/d").status == 200)
            for path in paths:
                assert raw.get(path).body == stack.get(path, plain)[2], path
            raw.send(GET * 300)  # in one record, which is more than is read at once
            assert [raw.answer().status for _ in range(300)] == [200] * 300
            for at in range(len(GET)):  # a record for each byte
                raw.send(GET[at : at + 1])
            assert raw.answer().status == 200
            raw.send(b"GET https://localhost/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert raw.answer().status == 200
            raw.send(b"GET http://localhost/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert raw.answer().status == 400


def test_a_whole_answer_ends_with_a_word_and_one_that_is_cut_does_not(stack, secure, authority, files):
    """A client that is told no length knows by it whether it has all."""
    for head in (b"GET / HTTP/1.0\r\n\r\n", LAST_GET, b"nonsense\r\n\r\n"):
        with secure.connect() as raw:
            raw.send(head)
            while raw.socket.recv(65536):
                pass  # an error without the word
    with secure.connect() as raw:  # the client's own end is no end of the answer
        raw.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert raw.answer().status == 200
        raw.socket.unwrap()
    with secure.connect() as raw:
        raw.send(b"GET /events HTTP/1.0\r\n\r\n")
        raw._until(b"\n\n")
        secure.program.kill9()
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            while raw.socket.recv(65536):
                pass


def test_who_speaks_no_tls_is_told_or_left(stack, secure):
    failures = secure.metric("tls_failures_total")
    with Raw(secure.port) as raw:
        raw.send(b"GET /devices?limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        answer = raw.answer()
        assert answer.status == 400 and "https://" in answer.json()["detail"]
        assert raw.closes()
    secure.program.wait_for_line("debug TLS: with 127.0.0.1 it failed: plain HTTP was spoken")
    told = 1
    hostile = [b"\n", b"hello\n", b"\x00" * 100, b"\x80\x2e\x01\x03\x01", b"\xff" * 70000, b"\x15\x03\x03\x00\x02\x02\x28",
               b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + b"a" * 70000, b"\x16" * 300, b"\x17\x03\x03\x00\x01a",
               CLIENT_HELLO + b"\x04\x01\x00\x00\x00", b"\x16\x03\x03\x00\x00" * 100]  # fmt: skip
    for data in hostile:
        with Raw(secure.port) as raw:
            with contextlib.suppress(OSError):
                raw.send(data)
                raw.socket.shutdown(socket.SHUT_WR)
            assert raw.closes(), data[:20]
        told += 1
    for refused in (["-alpn", "h2"], ["-alpn", "http/0.9"], ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"]):
        assert s_client(secure.port, *refused).returncode == 1, refused
        told += 1
    with Raw(secure.port):
        pass  # who comes and goes without a word has not failed
    secure.is_well()
    assert secure.metric("tls_failures_total") - failures == told
    for old in ("-tls1_1", "-tls1"):  # some clients do not even begin
        assert s_client(secure.port, old).returncode == 1, old
    secure.is_well()


def s_client(port, *args, text=""):
    return subprocess.run(["openssl", "s_client", "-connect", f"{LOOPBACK}:{port}", *args], input=text, text=True,
                          capture_output=True, timeout=patience())  # fmt: skip


def test_a_handshake_is_waited_for_as_long_as_a_head_is(stack, authority, files):
    secure = Secure(stack, authority, files, header_timeout="1s", idle_timeout="60s")
    silent, begun, shaken = Raw(secure.port), Raw(secure.port), secure.connect()
    begun.send(CLIENT_HELLO)
    with silent, begun, shaken:
        assert silent.closes() and begun.closes()
        assert shaken.closes()
    assert secure.metric("connections_cut_total") == 3
    # new keys, that are asked for again and again, are no head either
    asking = subprocess.Popen(["openssl", "s_client", "-connect", f"{LOOPBACK}:{secure.port}", "-tls1_3"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, bufsize=1)  # fmt: skip

    def is_over():
        with contextlib.suppress(BrokenPipeError):
            asking.stdin.write("K\n")
        return asking.poll() is not None

    until(is_over, pause=0.05)
    assert secure.metric("connections_cut_total") == 4


def test_keys_are_not_agreed_on_anew(secure):
    done = s_client(secure.port, "-tls1_2", text="R\n")
    assert "no renegotiation" in done.stderr
    secure.is_well()


def test_a_session_is_taken_up_again(secure, tmp_path):
    for version in ("-tls1_2", "-tls1_3"):
        request = ["-quiet", "-ign_eof"]
        first = s_client(secure.port, version, "-sess_out", str(tmp_path / "session"), *request, text=LAST_GET.decode())
        assert "200 OK" in first.stdout
        assert "Reused, TLSv1" in s_client(secure.port, version, "-sess_in", str(tmp_path / "session")).stdout


def test_a_new_certificate_is_shown_to_who_comes_and_nobody_is_cut_off(stack, secure, authority, files):
    before = secure.serial()
    stream = Stream(secure.port, raw=secure.connect())
    is_over = threading.Event()
    failed = []

    def ask_on():
        while not is_over.is_set():
            try:
                secure.is_well()
            except (AssertionError, OSError, EOFError) as error:
                failed.append(error)

    asking = threading.Thread(target=ask_on)
    asking.start()
    with secure.connect() as kept:
        for number in range(5):
            install(files, authority.issue(f"next{number}"))
            secure.hang_up("the certificate was read anew")
            assert secure.serial() != before
            before = secure.serial()
            assert kept.get("/healthz").status == 200
    seen = len(stream.of("status"))
    until(lambda: len(stream.of("status")) > seen + 1)
    is_over.set()
    asking.join()
    assert not stream.is_over and not failed
    stream.close()


def test_files_of_no_use_change_nothing(secure, authority, files, tmp_path):
    certificate, key = files
    good = certificate.read_bytes(), key.read_bytes()
    serial = secure.serial()
    other_key = authority.issue("other")[1].read_bytes()
    past = authority.issue("past", end="20210101000000Z")
    locked = subprocess.run(["openssl", "ec", "-in", key, "-aes128", "-passout", "pass:x"], check=True, capture_output=True).stdout
    cases = [
        (b"", good[1], "TLS_CERT: .*no certificate in PEM"),
        (good[1], good[1], "TLS_CERT: .*no certificate in PEM"),
        (good[0], b"", "TLS_KEY: .*no key in PEM"),
        (good[0], good[0], "TLS_KEY: .*no key in PEM"),
        (good[0], other_key, "TLS_KEY: .*not the key of the certificate in TLS_CERT"),
        (good[0], locked, "TLS_KEY: .*it wants a passphrase"),
        (good[0][:200], good[1], "TLS_CERT: .*no certificate in PEM"),
        (past[0].read_bytes(), past[1].read_bytes(), "TLS_CERT: .*it has expired, and the one in use has not"),
        (None, good[1], "TLS_CERT: .*No such file"),
        (good[0], None, "TLS_KEY: .*No such file"),
    ]
    for new_certificate, new_key, words in cases:
        for path, new in ((certificate, new_certificate), (key, new_key)):
            path.unlink(missing_ok=True)
            if new is not None:
                path.write_bytes(new)
        secure.hang_up("SIGHUP: it goes on with the certificate it has: " + words)
        assert secure.serial() == serial
    install(files, authority.issue("good"))
    secure.hang_up("the certificate was read anew")
    assert secure.serial() != serial


def test_when_it_ends_is_told(stack, authority, files):
    at = time.gmtime(time.time() + 13.5 * 86400)
    install(files, authority.issue("soon", end=time.strftime("%Y%m%d%H%M%SZ", at)))
    files[1].chmod(0o644)
    secure = Secure(stack, authority, files)
    secure.program.wait_for_line("warning TLS: .*tls.crt expires at .*, in 13 days")
    secure.program.wait_for_line("warning TLS_KEY: .*tls.key: anybody on this machine may read it")
    assert abs(secure.metric("tls_not_after_timestamp_seconds") - (time.time() + 13.5 * 86400)) < 3600
    install(files, authority.issue("later"))
    secure.hang_up("the certificate was read anew")
    assert secure.metric("tls_not_after_timestamp_seconds") > time.time() + 14 * 86400
    past = authority.issue("gone", end="20210101000000Z")
    program = stack.start_httpapi(tls_cert=past[0], tls_key=past[1], http_listen=f"{LOOPBACK}:{free_port()}")
    program.wait_for_line("error TLS: .*gone.crt has expired, at 2021-01-01T00:00:00.000000Z")


def test_files_of_no_use_at_the_start(authority, files):
    certificate, key = files
    for settings, words in (
        ({"tls_cert": certificate}, "TLS_CERT and TLS_KEY go together; TLS_KEY is missing"),
        ({"tls_key": key}, "TLS_CERT and TLS_KEY go together; TLS_CERT is missing"),
        ({"tls_cert": key, "tls_key": key}, "TLS_CERT: .*no certificate in PEM"),
        ({"tls_cert": certificate, "tls_key": authority.issue("another")[1]}, "not the key of the certificate in TLS_CERT"),
        ({"tls_cert": certificate, "tls_key": "-----BEGIN PRIVATE KEY-----MIGHAgEAMBMG"}, r"TLS_KEY: \*\*\* \(not shown"),
        ({"tls_cert": certificate, "tls_key": authority.home}, "TLS_KEY: .*Is a directory"),
    ):
        status, text = start_and_end(http_listen=free_port(), **settings)
        assert status == 2 and re.match(f"httpapi: {words}" if words.startswith("TLS") else f".*{words}", text), text
        assert text.count("\n") == 1 and "MIGH" not in text


def test_the_healthcheck_of_the_same_settings_speaks_it_too(stack, secure, files):
    listen = f"{LOOPBACK}:{secure.port}"
    asked = stack.program("httpapi", ["--healthcheck"], log_name="check", tls_cert=files[0], tls_key=files[1], http_listen=listen)
    asked.start()
    assert asked.wait() == 0 and f"healthy: {listen} answers" in asked.output()


def test_a_check_finds_what_a_start_would(stack, authority, files):
    soon = authority.issue("so_soon", end=time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 2.5 * 86400)))
    past = authority.issue("over", end="20210101000000Z")
    for (certificate, key), found in (
        (files, f"ok       certificate: {files[0]} and its key"),
        (soon, f"warning  certificate: {soon[0]} expires in 2 days"),
        (past, f"error    certificate: {past[0]} has expired"),
        ((files[0], None), "error    certificate: TLS_CERT and TLS_KEY go together; TLS_KEY is missing"),
        ((files[0], soon[1]), f"error    certificate: TLS_KEY: {soon[1]}: not the key of the certificate in TLS_CERT"),
    ):
        program = stack.program("httpapi", ["--check"], log_name="check", tls_cert=certificate, tls_key=key)
        program.start()
        program.wait()
        assert any(line.split() == found.split() for line in program.output().splitlines()), program.output()


def test_clients_that_leave_take_everything_with_them(secure):
    """In the middle of a handshake, of an answer, of a stream; with and without a word."""
    files_before = secure.program.fd_count()
    for _ in range(5):
        begun = Raw(secure.port)
        begun.send(CLIENT_HELLO)
        streaming = secure.connect()
        streaming.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        streaming.head()
        politely = secure.connect()
        politely.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        politely.head()
        with contextlib.suppress(ssl.SSLError, OSError):
            politely.socket.settimeout(0.05)
            politely.socket.unwrap()  # close_notify, and nothing more: seen without a failed write
        for raw in (begun, streaming):
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.close()
    until(lambda: secure.metric("event_streams") == 0)
    until(lambda: secure.program.fd_count() <= files_before, what="descriptors are given back")


EXPORT = b"GET /devices/d/readings?format=csv HTTP/1.1\r\nHost: localhost\r\n\r\n"


def exporting(stack, authority, files, **settings):
    """With a device of which there is much to send."""
    migrate(stack)
    insert_many(stack.database, "d", 200_000)
    secure = Secure(stack, authority, files, **settings)
    until(lambda: secure.connect().get("/devices/d").status == 200)
    return secure


def narrow(secure):
    """A client whose system takes little that it does not read."""
    raw = Raw(secure.port)
    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    return secure.wrap(raw)


def test_a_client_that_takes_nothing_is_cut_and_one_that_takes_little_is_not(stack, authority, files):
    secure = exporting(stack, authority, files, stall_timeout="2s")
    with narrow(secure) as slow, narrow(secure) as stopped:
        slow.send(b"GET /devices/d/readings?limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        length = int(slow.head().headers["content-length"])
        stopped.send(EXPORT)

        def takes_little():
            slow.buffered += slow.socket.recv(8192)
            return secure.metric("connections_cut_total") == 1

        until(takes_little, pause=0.05)
        assert len(slow.buffered) < length, "it was given all of it at once"
        assert slow._take(length).endswith(b"}")


def test_a_client_that_takes_nothing_costs_a_record_more_than_without(stack, authority, files):
    secure = exporting(stack, authority, files, stall_timeout="60s")
    before = secure.program.anonymous_kb()
    with contextlib.ExitStack() as clients:
        for _ in range(16):
            raw = clients.enter_context(narrow(secure))
            raw.send(EXPORT)
            assert raw.head().status == 200
        time_of = [secure.program.cpu_seconds()]

        def stands_still():
            time_of.append(secure.program.cpu_seconds())
            return len(time_of) > 5 and time_of[-1] - time_of[-4] < 0.02

        until(stands_still, pause=0.3, what="nothing more can be sent")
        assert secure.metric("csv_streams") == 16
        if "asan" not in str(secure.program.argv[0]):
            assert secure.program.anonymous_kb() - before < 16 * 400
        slow = clients.pop_all()
    slow.close()
    until(lambda: secure.metric("csv_streams") == 0)
