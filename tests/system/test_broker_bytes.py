"""Whatever bytes a broker answers with, legal, odd or no MQTT at all: the programs say it or connect again, and go on.

Left out: a property of MQTT 5 that nobody knows, which libmosquitto 2.0 ends the process for (docs/BROKERS.md).
"""

from __future__ import annotations

import struct
import threading

import pytest
from scripted_broker import CONNACK, CONNECT, PUBACK, PUBLISH, SUBACK, SUBSCRIBE, ScriptedBroker
from servers import until

ESCAPES = b"\x1b[2J\r\n\x07\x9b"
DISCONNECT_ = 0xE0


def text(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def packet(head: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([head, len(body)]) + body


def connack(properties: bytes, flags: int = 0, reason: int = 0) -> bytes:
    return packet(CONNACK, bytes([flags, reason, len(properties)]) + properties)


# name: the answer to CONNECT
CONNACKS = {
    "maximum QoS 1": connack(b"\x24\x01"),
    "maximum QoS 2, which is not legal": connack(b"\x24\x02"),
    "maximum QoS 0": connack(b"\x24\x00"),
    "retain 0": connack(b"\x25\x00"),
    "retain 7": connack(b"\x25\x07"),
    "packets of 0 bytes": connack(b"\x27\x00\x00\x00\x00"),
    "packets of 1 byte": connack(b"\x27\x00\x00\x00\x01"),
    "packets of 30 bytes": connack(b"\x27\x00\x00\x00\x1e"),
    "packets of 4 GB": connack(b"\x27\xff\xff\xff\xff"),
    "a window of 0": connack(b"\x21\x00\x00"),
    "a window of 1": connack(b"\x21\x00\x01"),
    "a window of 65535": connack(b"\x21\xff\xff"),
    "no shares, no wildcards, no identifiers": connack(b"\x2a\x00\x28\x00\x29\x00"),
    "a session that expires at once": connack(b"\x11\x00\x00\x00\x00"),
    "a keepalive of 1 s": connack(b"\x13\x00\x01"),
    "a keepalive of 0": connack(b"\x13\x00\x00"),
    "a property that is no CONNACK's": connack(b"\x23\x00\x01"),
    "a property twice": connack(b"\x21\x00\x05\x21\x00\x06"),
    "everything twice": connack(b"\x11\x00\x00\x00\x01" * 2 + b"\x24\x00" * 2),
    "a reason with control characters": connack(b"\x1f" + text(ESCAPES)),
    "a reason that is no UTF-8": connack(b"\x1f" + text(b"\xff\xfe\xc3")),
    "a reason with NUL": connack(b"\x1f" + text(b"a\0b")),
    "a refusal with control characters": connack(b"\x1f" + text(ESCAPES), reason=0x87),
    "user properties": connack(b"\x26" + text(ESCAPES) + text(b"\xff") + b"\x26" + text(b"") * 2),
    "an assigned client id": connack(b"\x12" + text(b"x" * 60)),
    "an assigned client id with control characters": connack(b"\x12" + text(ESCAPES)),
    "another server": connack(b"\x1c" + text(b"mqtt://u:p@h\x1b"), reason=0x9D),
    "authentication": connack(b"\x15" + text(b"SCRAM") + b"\x16" + text(b"\0")),
    "flags": connack(b"", flags=0xFF),
    "a session that we never had": connack(b"", flags=1),
    "properties that are cut": packet(CONNACK, b"\0\0\x05\x11\0"),
    "more properties than bytes": packet(CONNACK, b"\0\0\x7f"),
    "a length without an end": packet(CONNACK, b"\0\0\xff\xff\xff\xff\xff"),
    "no properties": packet(CONNACK, b"\0\0"),
    "one byte": packet(CONNACK, b"\0"),
    "nothing in it": packet(CONNACK, b""),
    "a packet that never ends": b"\x20\xff\xff\xff\x7f\0\0\0",
    "a packet's length without an end": b"\x20\xff\xff\xff\xff\xff\xff",
    "twice": connack(b"") * 2,
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "NULs": b"\0" * 64,
    "a SUBACK": packet(SUBACK, b"\0\x01\0\0"),
    "a PUBLISH": packet(PUBLISH, text(b"t") + b"\0x"),
    "a DISCONNECT": packet(DISCONNECT_, b"\x8b\0"),
    "an AUTH": packet(0xF0, b"\x18\0"),
    **{f"reason {code:#04x}": connack(b"", reason=code) for code in (1, 5, 0x42, 0x7F, 0x80, 0x85, 0x8A, 0x95, 0x97, 0x9B, 0xFF)},
}


def to_subscribe(body: bytes, codes: bytes, properties: bytes = b"", head: int = SUBACK) -> bytes:
    return packet(head, body[:2] + bytes([len(properties)]) + properties + codes)


# name: the answer to SUBSCRIBE, made of its body
SUBACKS = {
    "no code": lambda body: to_subscribe(body, b""),
    "three codes": lambda body: to_subscribe(body, b"\1\x87\1"),
    "QoS 3": lambda body: to_subscribe(body, b"\3"),
    "code 0x7f": lambda body: to_subscribe(body, b"\x7f"),
    "code 0xff": lambda body: to_subscribe(body, b"\xff"),
    "another's number": lambda body: to_subscribe(b"\xff\xff", b"\1"),
    "number 0": lambda body: to_subscribe(b"\0\0", b"\1"),
    "twice": lambda body: to_subscribe(body, b"\1") * 2,
    "a reason with control characters": lambda body: to_subscribe(body, b"\x87", b"\x1f" + text(ESCAPES)),
    "cut": lambda body: packet(SUBACK, body[:1]),
    "cut in its properties": lambda body: packet(SUBACK, body[:2] + b"\x09\x1f"),
    "an UNSUBACK": lambda body: to_subscribe(body, b"\0", head=0xB0),
    "flags": lambda body: to_subscribe(body, b"\1", head=SUBACK | 0xF),
    "and a message to a topic of control characters": lambda body: to_subscribe(body, b"\1") + packet(PUBLISH | 2, text(ESCAPES) + b"\0\1\0x"),
    "and one to a topic with NUL": lambda body: to_subscribe(body, b"\1") + packet(PUBLISH | 2, text(b"devices/\0/readings") + b"\0\1\0x"),
    "and one to a topic that is no UTF-8": lambda body: to_subscribe(body, b"\1") + packet(PUBLISH | 2, text(b"devices/\xff/readings") + b"\0\1\0x"),
    "and one to a wildcard": lambda body: to_subscribe(body, b"\1") + packet(PUBLISH | 2, text(b"devices/+/readings") + b"\0\1\0x"),
    "and one to no topic": lambda body: to_subscribe(body, b"\1") + packet(PUBLISH | 2, text(b"") + b"\0\1\0x"),
    "and one by an alias": lambda body: to_subscribe(body, b"\1") + packet(PUBLISH | 2, text(b"") + b"\0\1\x03\x23\0\x09x"),
    "and one of QoS 3": lambda body: to_subscribe(body, b"\1") + packet(PUBLISH | 6, text(b"devices/d/readings") + b"\0\1\0x"),
    "and one of number 0": lambda body: to_subscribe(body, b"\1") + packet(PUBLISH | 2, text(b"devices/d/readings") + b"\0\0\0x"),
    "and one of QoS 2": lambda body: to_subscribe(body, b"\1") + packet(PUBLISH | 4, text(b"devices/d/readings") + b"\0\1\0x"),
    "and one that is cut": lambda body: to_subscribe(body, b"\1") + packet(PUBLISH | 2, b"\0\xff"),
    "and a PUBREL": lambda body: to_subscribe(body, b"\1") + packet(0x62, b"\0\x09"),
    "and a CONNECT": lambda body: to_subscribe(body, b"\1") + packet(CONNECT, text(b"MQTT") + b"\5\0\0\0"),
    "and a PINGRESP": lambda body: to_subscribe(body, b"\1") + b"\xd0\0",
    "and type 0": lambda body: to_subscribe(body, b"\1") + b"\0\0",
}

# name: the answer to a PUBLISH of QoS 1, made of its number
PUBACKS = {
    "another's number": lambda mid: packet(PUBACK, b"\xff\xfe\0"),
    "number 0": lambda mid: packet(PUBACK, b"\0\0\0"),
    "no reason": lambda mid: packet(PUBACK, mid),
    "nobody there": lambda mid: packet(PUBACK, mid + b"\x10"),
    "quota exceeded": lambda mid: packet(PUBACK, mid + b"\x97"),
    "code 0xff": lambda mid: packet(PUBACK, mid + b"\xff"),
    "a reason with control characters": lambda mid: packet(PUBACK, mid + b"\x87" + bytes([3 + len(ESCAPES)]) + b"\x1f" + text(ESCAPES)),
    "cut": lambda mid: packet(PUBACK, mid[:1]),
    "cut in its properties": lambda mid: packet(PUBACK, mid + b"\0\x09\x1f"),
    "a PUBREC": lambda mid: packet(0x50, mid + b"\0"),
    "a PUBCOMP": lambda mid: packet(0x70, mid + b"\0"),
    "twice": lambda mid: packet(PUBACK, mid + b"\0") * 2,
}

# name: what comes in the place of a PUBACK
DISCONNECTS = {
    "DISCONNECT": packet(DISCONNECT_, b""),
    "DISCONNECT, taken over": packet(DISCONNECT_, b"\x8e"),
    "DISCONNECT, for a keepalive": packet(DISCONNECT_, b"\x8d\0"),
    "DISCONNECT of no known code": packet(DISCONNECT_, b"\x42\0"),
    "DISCONNECT of 0xff": packet(DISCONNECT_, b"\xff\0"),
    "DISCONNECT with control characters": packet(DISCONNECT_, b"\x8b" + bytes([3 + len(ESCAPES)]) + b"\x1f" + text(ESCAPES)),
    "DISCONNECT with what is no UTF-8": packet(DISCONNECT_, b"\x8b\x05\x1f" + text(b"\xff\xfe")),
    "DISCONNECT with an expiry": packet(DISCONNECT_, b"\x8b\x05\x11\0\0\0\0"),
    "DISCONNECT to another server": packet(DISCONNECT_, b"\x9d" + bytes([5]) + b"\x1c" + text(b"\x1b]")),
    "DISCONNECT that is cut": packet(DISCONNECT_, b"\x8b\x09\x1f"),
}


class OddBroker(ScriptedBroker):
    """Answers packets of one kind as the sample says, while there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.sample: tuple[int, object] | None = None
        self.answered = 0

    def _answer(self, head: int, body: bytes, version: int) -> bytes | None:
        answer = super()._answer(head, body, version)
        with self.lock:
            if self.sample is None or self.sample[0] != head & 0xF0 or (head & 0xF0 == PUBLISH and head & 6 == 0):
                return answer
            made = self.sample[1]
            self.answered += 1
        if head & 0xF0 == PUBLISH:
            at = 2 + struct.unpack_from(">H", body)[0]
            body = body[at : at + 2]
        return made(body) if callable(made) else made

    def show(self, kind: int, sample: object) -> None:
        with self.lock:
            self.sample, self.answered = (kind, sample), 0
        self.end_all()

    def is_shown(self) -> bool:
        with self.lock:
            return self.answered > 0

    def mend(self) -> None:
        with self.lock:
            self.sample = None
        self.end_all()


@pytest.fixture
def odd():
    broker = OddBroker()
    yield broker
    broker.close()


SAMPLES = {
    "CONNACK": [(CONNECT, name, sample) for name, sample in list(CONNACKS.items())[::2]],
    "CONNACK too": [(CONNECT, name, sample) for name, sample in list(CONNACKS.items())[1::2]],
    "SUBACK": [(SUBSCRIBE, name, sample) for name, sample in SUBACKS.items()],
    "PUBACK": [(PUBLISH, name, sample) for name, sample in (PUBACKS | DISCONNECTS).items()],
}


@pytest.mark.faults
@pytest.mark.parametrize("kind", SAMPLES)
def test_whatever_a_broker_answers_all_go_on(stack, odd, kind):
    settings = {"mqtt_url": odd.url()}
    programs = [stack.start_collector(**settings), stack.start_httpapi(**settings)]
    programs.append(stack.program("devicesim", ["--num-devices", "2", "--rate", "20"], **settings))
    programs[-1].start()

    def is_well():
        return odd.published and stack.get("/readyz", stack.metrics_port)[0] == 200

    until(is_well, 30, "all are connected")
    for where, name, sample in SAMPLES[kind]:
        odd.show(where, sample)
        until(odd.is_shown, 30, f"somebody is answered with {kind} {name}")
        odd.published.clear()
        odd.mend()
        for program in programs:
            assert program.is_running(), f"{program.name} ended after {kind} {name}: {program.tail()}"
        until(is_well, 30, f"all is well again after {kind} {name}")
    for program in programs:
        said = program.log.read_bytes().decode()  # UTF-8
        odd_ones = [line for line in said.split("\n") if not line.isprintable()]
        assert odd_ones == [], f"{program.name} wrote them as they came"
