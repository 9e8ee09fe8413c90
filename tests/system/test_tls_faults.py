"""Each thing that may be wrong with TLS to the broker has a line of its own that says what to mend."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from certificates import Authority
from conftest import BUILD_DIR
from servers import LOOPBACK, PrivateBroker, until

@pytest.fixture(scope="module")
def authorities(area):
    """(ours, another's, a folder for files)"""
    home = Path(tempfile.mkdtemp(dir=area, prefix="tls-"))
    home.chmod(0o755)
    return Authority(home, "ours"), Authority(home, "other"), home


@pytest.fixture
def tls_broker(area, logs):
    brokers = []

    def start(certificate, key, *lines):
        for path in (certificate, key):
            path.chmod(0o644)
        extra = [f"certfile {certificate}", f"keyfile {key}", *lines]
        brokers.append(PrivateBroker(area / f"tls-{logs.name}", extra_lines=extra, log=logs / "tls.log"))
        brokers[-1].start()
        return brokers[-1]

    yield start
    for broker in brokers:
        broker.kill9()


@pytest.mark.parametrize(("host", "asked"), [("localhost", "localhost"), (LOOPBACK, None)])
def test_the_broker_is_asked_for_the_name(authorities, host, asked):
    ours, _, _ = authorities
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ours.issue(f"asked-{host}"))
    names = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with socket.create_server((LOOPBACK, 0)) as server:
        argv = [BUILD_DIR / "devicesim", "--mqtt-url", f"mqtts://{host}:{server.getsockname()[1]}", "--mqtt-ca-file", ours.ca]
        program = subprocess.Popen([str(arg) for arg in [*argv, "--num-devices", "1"]], stderr=subprocess.DEVNULL)
        try:
            connection, _ = server.accept()
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
                pass
        finally:
            program.kill()
            program.wait()
    assert names == [asked]


def ends_with(url, *args):
    """What devicesim says of a broker that it cannot join."""
    for seconds in (1, 5, 25):
        argv = [BUILD_DIR / "devicesim", "--mqtt-url", url, "--num-devices", "1", "--rate", "100", "--duration", f"{seconds}s", *args]
        done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, timeout=60)
        assert done.returncode in (1, 2), done.stderr
        if "there was no time for it" not in done.stderr:
            break
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_what_is_wrong_with_certificates(authorities, tls_broker, version):
    ours, other, home = authorities
    lines = [f"tls_version {version}"]
    broker = tls_broker(*ours.issue("server"), *lines)
    url = f"mqtts://{LOOPBACK}:{broker.port}"
    unknown = ends_with(url, "--mqtt-ca-file", other.ca)
    assert "authority" in unknown and "does not know" in unknown and str(other.ca) in unknown
    assert "this system does not know" in ends_with(url)
    revoked = home / f"with-revocations-{version}.pem"
    revoked.write_text(ours.ca.read_text() + ours.revoke(ours.home / "server.crt").read_text())
    assert "has been revoked" in ends_with(url, "--mqtt-ca-file", revoked)
    plain = ends_with(f"mqtt://{LOOPBACK}:{broker.port}")
    assert "TLS" in plain and "must begin with mqtts://" in plain, plain
    broker.kill9()
    for name, options, said in (
        ("past", {"end": "20210101000000Z"}, "has expired"),
        ("future", {"start": "20490101000000Z"}, "is not valid yet"),
        ("elsewhere", {"names": "DNS:broker.example,IP:127.0.0.9"}, f"is not for {LOOPBACK}"),
        ("nameless", {"names": ""}, f"is not for {LOOPBACK}"),
    ):
        broker.extra_lines = [line for line in broker.extra_lines if "file " not in line]
        certificate, key = ours.issue(f"{name}-{version}", **options)
        key.chmod(0o644)
        broker.extra_lines += [f"certfile {certificate}", f"keyfile {key}"]
        broker.start()
        line = ends_with(url, "--mqtt-ca-file", ours.ca)
        assert said in line and f"CN={name}" in line, line
        broker.kill9()


class Refuser:
    """The end of a broker that wants a certificate of ours: `do` says how it ends the connection. ALERT is what a broker
    does, but it reads on until the client has left, so that nothing can overtake the alert. The others say nothing:
    reset or close, once TLS is up or after the first that comes over it, the CONNECT."""

    ALERT, RESET, CLOSE, RESET_LATE, CLOSE_LATE = "alert", "reset", "close", "reset late", "close late"

    def __init__(self, version, server, ca, revocations, do):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = self.context.maximum_version = version
        self.context.load_cert_chain(*server)
        self.context.load_verify_locations(ca)
        self.context.verify_mode = ssl.CERT_REQUIRED
        if do == self.ALERT:
            self.context.load_verify_locations(revocations)
            self.context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        self.do = do
        self.listener = socket.create_server((LOOPBACK, 0))
        self.url = f"mqtts://{LOOPBACK}:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):  # the listener's end
            while True:
                plain, _ = self.listener.accept()
                with self.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as client:
                    client.settimeout(30)
                    with contextlib.suppress(OSError):  # of TLS, too
                        self._serve(client)

    def _serve(self, client):
        try:
            client.do_handshake()
            if "late" in self.do:
                client.recv(65536)
        except ssl.SSLError:
            while socket.socket.recv(client, 65536):  # as it comes
                pass
        if "reset" in self.do:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture(scope="module")
def strict(authorities):
    """(what a broker has, its authorities and revocations; what it says of which certificates of ours)"""
    ours, other, _ = authorities
    cases = {
        "does not know the authority of MQTT_CERT_FILE": other.issue("stranger"),
        "says that MQTT_CERT_FILE has expired": ours.issue("old", end="20210101000000Z"),
        "says that MQTT_CERT_FILE has been revoked": ours.issue("gone"),
    }
    return ours.issue("strict"), ours.ca, ours.revoke(ours.home / "gone.crt"), cases


WITHOUT = "the broker wants a certificate of ours"
MAY_NOT_ACCEPT = "the broker ended TLS after it had seen MQTT_CERT_FILE, and may not accept it"


def with_certificate(url, ca, certificate, key):
    return ends_with(url, "--mqtt-ca-file", ca, "--mqtt-cert-file", certificate, "--mqtt-key-file", key)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_what_a_broker_says_of_ours_before_it_ends_tls(strict, version):
    server, ca, revocations, cases = strict
    with Refuser(version, server, ca, revocations, Refuser.ALERT) as refuser:
        assert WITHOUT in ends_with(refuser.url, "--mqtt-ca-file", ca)
        for said, own in cases.items():
            line = with_certificate(refuser.url, ca, *own)
            assert said in line, line


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("do", [Refuser.RESET, Refuser.CLOSE, Refuser.RESET_LATE, Refuser.CLOSE_LATE])
def test_a_broker_that_ends_tls_without_a_word_may_not_accept_ours(strict, authorities, version, do):
    server, ca, revocations, _ = strict
    with Refuser(version, server, ca, revocations, do) as refuser:
        line = with_certificate(refuser.url, ca, *authorities[0].issue("good"))
        assert MAY_NOT_ACCEPT in line, line


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_what_a_real_broker_does_not_like_about_ours(strict, tls_broker, version):
    server, ca, revocations, cases = strict
    broker = tls_broker(*server, f"cafile {ca}", "require_certificate true", f"tls_version {version}", f"crlfile {revocations}")
    url = f"mqtts://{LOOPBACK}:{broker.port}"
    assert WITHOUT in ends_with(url, "--mqtt-ca-file", ca)
    for said, own in cases.items():
        line = with_certificate(url, ca, *own)
        assert said in line or MAY_NOT_ACCEPT in line, line  # its reset may overtake its alert


@pytest.mark.parametrize("scheme, words", [("mqtt", "it ended the connection before it answered CONNECT"), ("mqtts", "no TLS is spoken there")])
def test_a_port_that_resets_whoever_comes(scheme, words):
    with socket.create_server((LOOPBACK, 0)) as listener:

        def reset_all():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.close()

        threading.Thread(target=reset_all, daemon=True).start()
        line = ends_with(f"{scheme}://{LOOPBACK}:{listener.getsockname()[1]}")
        listener.shutdown(socket.SHUT_RDWR)
    assert words in line, line


def test_a_port_without_tls(broker, authorities):
    line = ends_with(f"mqtts://{LOOPBACK}:{broker.port}", "--mqtt-ca-file", authorities[0].ca)
    assert "no TLS is spoken there" in line and "mqtt://" in line


def test_files_that_are_of_no_use(authorities):
    ours, other, home = authorities
    certificate, key = ours.issue("own")
    _, wrong_key = other.issue("own")
    (home / "empty").write_text("")
    (home / "text").write_text("no PEM at all\n")
    locked = home / "locked.key"
    subprocess.run(["openssl", "ec", "-in", key, "-aes128", "-passout", "pass:x", "-out", locked], check=True, capture_output=True)
    url = f"mqtts://{LOOPBACK}:1"
    own = ["--mqtt-cert-file", certificate, "--mqtt-key-file"]
    for args, words in (
        (["--mqtt-ca-file", "/nonexistent/ca.pem"], ["MQTT_CA_FILE", "/nonexistent/ca.pem", "No such file"]),
        (["--mqtt-ca-file", home], ["MQTT_CA_FILE", "Is a directory"]),
        (["--mqtt-ca-file", home / "empty"], ["MQTT_CA_FILE", "no certificates in PEM"]),
        (["--mqtt-ca-file", home / "text"], ["MQTT_CA_FILE", "no certificates in PEM"]),
        (["--mqtt-ca-file", key], ["MQTT_CA_FILE", "no certificates in PEM"]),
        (["--mqtt-cert-file", certificate], ["MQTT_KEY_FILE is missing"]),
        (["--mqtt-key-file", key], ["MQTT_CERT_FILE is missing"]),
        (["--mqtt-cert-file", home / "text", "--mqtt-key-file", key], ["MQTT_CERT_FILE", "no certificate in PEM"]),
        ([*own, home / "text"], ["MQTT_KEY_FILE", "no key in PEM"]),
        ([*own, wrong_key], ["MQTT_KEY_FILE", "not the key of the certificate"]),
        ([*own, locked], ["MQTT_KEY_FILE", "passphrase"]),
    ):
        line = ends_with(url, *args)
        assert all(word in line for word in words), (args, line)


def test_all_programs_say_it_and_go_on_when_it_is_mended(stack, authorities, tls_broker):
    ours, _, _ = authorities
    broker = tls_broker(*ours.issue("late", end="20210101000000Z"))
    settings = {"mqtt_url": f"mqtts://localhost:{broker.port}", "mqtt_ca_file": ours.ca}
    collector = stack.start_collector(**settings)
    httpapi = stack.start_httpapi(**settings)
    for program in (collector, httpapi):
        until(lambda: "(/CN=late) has expired; trying again" in program.output(), 15, f"{program.name} says it")
        assert program.output().count("has expired") <= 2  # connections of the collector
    broker.kill9()
    broker.extra_lines = [line for line in broker.extra_lines if "file " not in line]
    certificate, key = ours.issue("fresh")
    key.chmod(0o644)
    broker.extra_lines += [f"certfile {certificate}", f"keyfile {key}"]
    broker.start()
    until(lambda: stack.get("/readyz")[0] == 200, 20, "boards travel over TLS")
