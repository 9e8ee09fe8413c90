"""The same job with Python, paho-mqtt and psycopg2, the usual way done well: a thread that reads, one that writes
batches with execute_values.

What it does not do: paho acknowledges a message when its handler returns, so before it is stored; what it holds when it
ends is lost. It keeps no boards, rejects nothing, looks at no bounds. MQTT_URL and DATABASE_URL say where; on SIGUSR2
it prints what it has stored.
"""

import json
import os
import queue
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from psycopg2.extras import execute_values

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "deploy" / "local"))

from mqtt_client import mqtt_client  # noqa: E402

BATCH = 5000
LINGER_S = 0.01
STATUSES = {"ON": 1, "OFF": 2, "ACTIVE": 3, "INACTIVE": 4}
INSERT = (
    "INSERT INTO readings (device, content_hash, recorded_at, received_at, status, temperature, pressure)"
    " VALUES %s ON CONFLICT DO NOTHING"
)

waiting: "queue.SimpleQueue[bytes]" = queue.SimpleQueue()
stored = 0


def take_batch() -> list:
    batch = [waiting.get()]
    ends = time.monotonic() + LINGER_S
    while len(batch) < BATCH:
        left = ends - time.monotonic()
        try:
            batch.append(waiting.get(timeout=left) if left > 0 else waiting.get_nowait())
        except queue.Empty:
            break
    return batch


def on_connect(client, *args):
    client.subscribe("devices/+/readings", 1)


def on_subscribe(*args):
    print("ready", flush=True)


def on_message(client, user, message):
    waiting.put(message.payload)


def main() -> None:
    global stored
    database = psycopg2.connect(os.environ["DATABASE_URL"])
    with database, database.cursor() as cursor:
        cursor.execute("SELECT device_id, id FROM devices")
        devices = dict(cursor.fetchall())
    signal.signal(signal.SIGUSR2, lambda *_: print(json.dumps({"stored": stored, "at": time.time()}), flush=True))
    broker = urlsplit(os.environ["MQTT_URL"])
    client = mqtt_client("python_peer")
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    properties = Properties(PacketTypes.CONNECT)
    properties.ReceiveMaximum = 65535
    client.connect(broker.hostname, broker.port, properties=properties)
    client.loop_start()
    while True:
        now = datetime.now(timezone.utc)
        rows = []
        for payload in take_batch():
            reading = json.loads(payload)
            temperature, pressure = reading["temperature"], reading["pressure"]
            content = hash((temperature, pressure)) & 0x7FFFFFFF
            rows.append(
                (
                    devices[reading["deviceId"]],
                    content,
                    reading["timestamp"],
                    now,
                    STATUSES[reading["status"]],
                    temperature,
                    pressure,
                )
            )
        with database, database.cursor() as cursor:
            execute_values(cursor, INSERT, rows, page_size=1000)
        stored += len(rows)


main()
