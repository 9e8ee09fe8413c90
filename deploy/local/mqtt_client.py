"""A client of paho-mqtt that is one and the same with paho 1 (Debian 12) and paho 2 (Debian 13).

Version 2 wants to be told which arguments callbacks take, and version 1 does not know the question.
With version 2 it is asked for the newer ones, since the older are to go; so give callbacks those they
need and `*_` for the rest, which is longer there: on_publish(client, user, packet_id, *_).
"""

from __future__ import annotations

from typing import Any, TypeVar

import paho.mqtt.client as mqtt

_Client = TypeVar("_Client", bound=mqtt.Client)

# Of paho 2 only. Its on_publish() is told the reason code of a PUBACK, which paho 1 keeps to itself.
NEWER: dict[str, Any] = {}
if hasattr(mqtt, "CallbackAPIVersion"):
    NEWER = {"callback_api_version": mqtt.CallbackAPIVersion.VERSION2}


def mqtt_client(client_id: str = "", protocol: int = mqtt.MQTTv5, kind: type[_Client] = mqtt.Client) -> _Client:
    """A client that is not connected yet; without an id the broker gives it one."""
    return kind(client_id=client_id, protocol=protocol, **NEWER)
