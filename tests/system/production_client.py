"""MQTT clients with a user and a password, for tests of who may do what."""

from __future__ import annotations

from pathlib import Path

from mqtt_client import mqtt_client
from servers import LOOPBACK, patience, until


class Client:
    """One that is connected, or `refused`; what it hears is kept in `received`, as (topic, payload)."""

    def __init__(self, port: int, user: str = "", password: str = "", client_id: str = "", ca_file: Path | None = None) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.answer = ""
        self._granted = 0
        self.client = mqtt_client(client_id)
        self.client.reconnect_delay_set(0.1, 0.1)  # close() waits for it
        if user:
            self.client.username_pw_set(user, password)
        if ca_file:
            self.client.tls_set(str(ca_file))
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = lambda _client, _user, message: self.received.append((message.topic, message.payload))
        self.client.connect("localhost" if ca_file else LOOPBACK, port)
        self.client.loop_start()
        until(lambda: self.answer, what="the broker answers CONNECT")

    def _on_connect(self, _client: object, _user: object, _flags: object, reason: object, *_: object) -> None:
        self.answer = str(reason)

    def _on_subscribe(self, *_: object) -> None:
        self._granted += 1

    @property
    def refused(self) -> bool:
        return self.answer != "Success"

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
