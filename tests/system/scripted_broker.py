"""A broker that answers as a test wants: what it grants in its CONNACK, refuses in its SUBACK, denies in its PUBACK.

It routes nothing; a subscriber to the topic of `waiting` gets that, `window` messages ahead of acknowledgements. Real brokers that grant as little are hard to come by, and differ with their versions.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from servers import LOOPBACK, free_port

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x30, 0x40, 0x80, 0x90
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 0xA0, 0xB0, 0xC0, 0xD0, 0xE0
END = -1  # instead of a code: the connection ends
NOT_AUTHORIZED = 0x87


def _text(data: bytes, at: int) -> tuple[str, int]:
    length = struct.unpack_from(">H", data, at)[0]
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length


def publication(topic: str, payload: bytes, mid: int) -> bytes:
    """A PUBLISH of MQTT 5 with QoS 1, of less than 128 bytes."""
    body = struct.pack(">H", len(topic)) + topic.encode() + struct.pack(">HB", mid, 0) + payload
    assert len(body) < 128
    return bytes([PUBLISH | 2, len(body)]) + body


class ScriptedBroker:
    """`connack(version)` is the body of the CONNACK after its flags, or None to end the connection."""

    def __init__(self) -> None:
        self.connack: Callable[[int], bytes | None] = lambda version: b"\0\0" if version == 5 else b"\0"
        self.suback: Callable[[str, int], int] = lambda topic, qos: qos
        self.puback: Callable[[str], int] = lambda topic: 0
        self.filters: list[str] = []
        self.published: list[tuple[str, int]] = []  # topic, QoS
        self.connects: list[tuple[str, int]] = []  # client id, version
        self.waiting: tuple[str, list[bytes]] = ("", [])  # filter, packets of QoS 1
        self.window = 65535
        self.port = free_port()
        self._clients: list[socket.socket] = []
        self._server = socket.create_server((LOOPBACK, self.port))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def url(self) -> str:
        return f"mqtt://{LOOPBACK}:{self.port}"

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for client in self._clients:
            client.close()

    def end_all(self) -> None:
        for client in self._clients:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        version = 5
        packets: Iterator[bytes] = iter(())
        stream = client.makefile("rb")
        try:
            while head := stream.read(1):
                length = shift = 0
                while True:
                    byte = stream.read(1)[0]
                    length |= (byte & 0x7F) << shift
                    shift += 7
                    if byte < 0x80:
                        break
                body = stream.read(length)
                if head[0] & 0xF0 == CONNECT:
                    version = body[6]
                answer = self._answer(head[0], body, version)
                if answer is None:
                    break
                if head[0] & 0xF0 == SUBSCRIBE and self.filters[-1] == self.waiting[0]:
                    packets = iter(self.waiting[1])
                    answer += b"".join(itertools.islice(packets, self.window))
                elif head[0] & 0xF0 == PUBACK:
                    answer = next(packets, b"")
                client.sendall(answer)
        except (OSError, IndexError):
            pass
        finally:
            stream.close()
            client.close()

    def _answer(self, head: int, body: bytes, version: int) -> bytes | None:
        kind = head & 0xF0
        if kind == CONNECT:
            at = 10 if version == 4 else 11 + body[10]
            self.connects.append((_text(body, at)[0], version))
            granted = self.connack(version)
            return None if granted is None else bytes([CONNACK, len(granted) + 1, 0]) + granted
        if kind == SUBSCRIBE:
            topic, at = _text(body, 2 if version == 4 else 3 + body[2])
            self.filters.append(topic)
            code = self.suback(topic, body[at] & 3)
            if code == END:
                return None
            answer = body[:2] + (b"" if version == 4 else b"\0") + bytes([code])
            return bytes([SUBACK, len(answer)]) + answer
        if kind == UNSUBSCRIBE:
            return bytes([UNSUBACK, 2]) + body[:2] if version == 4 else bytes([UNSUBACK, 4]) + body[:2] + b"\0\0"
        if kind == PUBLISH:
            topic, at = _text(body, 0)
            qos = head >> 1 & 3
            self.published.append((topic, qos))
            code = self.puback(topic)
            if code == END:
                return None
            if qos == 0:
                return b""
            return bytes([PUBACK, 2]) + body[at : at + 2] if version == 4 else bytes([PUBACK, 3]) + body[at : at + 2] + bytes([code])
        return bytes([PINGRESP, 0]) if kind == PINGREQ else b""
