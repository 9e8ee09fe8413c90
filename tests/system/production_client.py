"""An MQTT client with a user and a password, for tests of who may do what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mqtt_client import mqtt_client
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from servers import LOOPBACK, patience, until


class Client:
    """One that is connected, or `refused`; what it hears is kept in `received`, as (topic, payload). `keeps` its session."""

    def __init__(
        self,
        port: int,
        user: str = "",
        password: str = "",
        client_id: str = "",
        ca_file: Path | None = None,
        certificate: Path | None = None,  # its key is beside it
        keeps: bool = False,
    ) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.answers: list[str] = []  # to each CONNECT
        self.codes: list[int] = []  # to what was subscribed to last
        self._granted = 0
        self.client = mqtt_client(client_id)
        self.client.reconnect_delay_set(0.1, 0.1)  # close() waits for it
        if user:
            self.client.username_pw_set(user, password)
        if ca_file:
            ours = (str(certificate), str(certificate.with_suffix(".key"))) if certificate else (None, None)
            self.client.tls_set(str(ca_file), *ours)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = lambda _client, _user, message: self.received.append((message.topic, message.payload))
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 0xFFFFFFFF if keeps else 0
        self.client.connect("localhost" if ca_file else LOOPBACK, port, clean_start=not keeps, properties=session)
        self.client.loop_start()
        until(lambda: self.answers, what="the broker answers CONNECT")

    def _on_connect(self, _client: object, _user: object, _flags: object, reason: object, *_: object) -> None:
        self.answers.append(str(reason))

    def _on_subscribe(self, _client: object, _user: object, _packet: object, codes: list[Any], *_: object) -> None:
        self.codes = [code.value for code in codes]
        self._granted += 1

    @property
    def refused(self) -> bool:
        return self.answers[0] != "Success"

    def publish(self, topic: str, payload: bytes = b"{}", retain: bool = False) -> None:
        """Returns when the broker has answered, whatever it says. Mosquitto 2.0.11 ends the connection of one whom it says no."""
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(patience())

    def subscribe(self, *topics: str) -> None:
        """Returns when the broker has answered, whatever it says."""
        before = self._granted
        self.client.subscribe([(topic, 1) for topic in topics])
        until(lambda: self._granted > before, what=f"an answer to SUBSCRIBE {topics}")

    def heard(self, topic: str) -> list[bytes]:
        return [payload for where, payload in self.received if where == topic]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
