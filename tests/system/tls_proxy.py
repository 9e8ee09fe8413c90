"""A TLS end in front of a broker that knows only TCP, which can hold back what comes down.

What was held back leaves in one TLS record, so that several MQTT packets reach the client's library in
one read: CONNACK and the first messages, for instance.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from pathlib import Path

from servers import LOOPBACK

_RECORD_BYTES = 16384


def make_certificate(home: Path) -> Path:
    """One that vouches for itself; its key is in the same file."""
    path = home / "proxy.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={LOOPBACK}",
         "-addext", f"subjectAltName=IP:{LOOPBACK}", "-keyout", str(path), "-out", str(home / "proxy.crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    with path.open("a") as file:
        file.write((home / "proxy.crt").read_text())
    return path


class TlsProxy:
    """`only`: what the client whose connections can be held and cut says at its start."""

    def __init__(self, target_port: int, home: Path, only: bytes) -> None:
        self.ca_file = home / "proxy.crt"
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(make_certificate(home))
        self._target_port = target_port
        self._only = only
        self._lock = threading.Lock()
        self._is_holding = False
        self._held = b""
        self._client: ssl.SSLSocket | None = None  # the latest of those
        self._server = socket.create_server((LOOPBACK, 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self) -> str:
        return f"mqtts://{LOOPBACK}:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client = self._context.wrap_socket(plain, server_side=True)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            broker = socket.create_connection((LOOPBACK, self._target_port))
            greeting = client.recv(65536)
            is_ours = self._only in greeting
            if is_ours:
                with self._lock:
                    self._client, self._held = client, b""
            broker.sendall(greeting)
            threading.Thread(target=self._down, args=(broker, client, is_ours), daemon=True).start()
            try:
                while data := client.recv(65536):
                    broker.sendall(data)
            finally:
                broker.close()

    def _down(self, broker: socket.socket, client: ssl.SSLSocket, is_ours: bool) -> None:
        with contextlib.suppress(OSError):
            while data := broker.recv(65536):
                with self._lock:
                    if is_ours and self._is_holding:
                        self._held += data
                    else:
                        client.sendall(data)
        with contextlib.suppress(OSError):
            client.close()

    def cut_and_hold(self) -> None:
        """The connection ends; of the next one nothing comes down until release()."""
        with self._lock:
            assert self._client is not None
            self._is_holding = True
            self._client.shutdown(socket.SHUT_RDWR)

    def held(self) -> bytes:
        with self._lock:
            return self._held

    def release(self) -> None:
        """All that was held back, in one record."""
        with self._lock:
            assert self._client is not None and len(self._held) <= _RECORD_BYTES
            self._client.sendall(self._held)
            self._is_holding, self._held = False, b""

    def close(self) -> None:
        self._server.close()
