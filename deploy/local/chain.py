"""The whole chain on one machine: what `make run-engines` starts, and its test.

    devices -> HAProxy -> two Mosquittos, at each a collector that stores into Kafka
            -> Kafka -> two collectors, a group, that store into PostgreSQL -> two httpapi -> HAProxy -> page

Who dies is started again by who looks after the chain, with mend(): in production that is systemd's work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from pair import PrivateHaproxy, pair_of_brokers
from private_kafka import PrivateKafka
from servers import CLONE, LOOPBACK, PrivateBroker, PrivatePostgres, Program, ServerError, free_port, patience

TOPIC = "readings"
PARTITIONS = 4
Part = Program | PrivateBroker | PrivatePostgres | PrivateKafka | PrivateHaproxy


class Chain:
    """`parts` by name, in the order in which they start; names of programs are also the collectors' ids."""

    def __init__(
        self, home: Path, logs: Path, postgres: PrivatePostgres, database_url: str, http_port: int | None = None,
        mqtt_port: int | None = None, build: Path = CLONE / "build", settings: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.logs = logs
        self.database_url = database_url
        self.metrics_ports: dict[str, int] = {}
        self.http_ports = [free_port(), free_port()]
        self._has_topics = False
        self._build = build
        self._settings = dict(settings or {})

        self.kafka = PrivateKafka(home / "kafka", logs=logs)
        publish = (["edge-1", "store-1"], ["edge-2", "store-2"])
        self.brokers = pair_of_brokers([home / "broker-1", home / "broker-2"], publish, logs)
        ports = [broker.port for broker in self.brokers]
        self.haproxy = PrivateHaproxy(
            home / "haproxy", ports, self.http_ports, mqtt_port, http_port, log=logs / "haproxy.log"
        )
        self.parts: dict[str, Part] = {"postgres": postgres, "kafka": self.kafka}
        self.parts |= {f"broker-{i + 1}": broker for i, broker in enumerate(self.brokers)}
        log_url = self.kafka.url(TOPIC)
        for i, broker in enumerate(self.brokers):
            self._add("collector", f"edge-{i + 1}", broker, store=log_url)
        for i, broker in enumerate(self.brokers):
            self._add("collector", f"store-{i + 1}", broker, source=log_url, database_url=database_url)
        for i, broker in enumerate(self.brokers):
            listen = f"{LOOPBACK}:{self.http_ports[i]}"
            self._add(
                "httpapi", f"httpapi-{i + 1}", broker, database_url=database_url, http_listen=listen,
                max_connections_per_address="0",
            )  # fmt: skip
        self.parts["haproxy"] = self.haproxy

    def _add(self, program: str, name: str, broker: PrivateBroker, **settings: str) -> None:
        settings["mqtt_url"] = broker.url()
        if program == "collector":
            self.metrics_ports[name] = free_port()
            settings |= {"collector_id": name, "metrics_listen": f"{LOOPBACK}:{self.metrics_ports[name]}"}
        self.parts[name] = self.program(program, name, **settings)

    def program(self, program: str, name: str, *args: str, **settings: str) -> Program:
        """One of ours, not started. Nothing of the caller's own settings reaches it but what is of the machine."""
        own = {"DATABASE_URL", "MQTT_URL", "SOURCE", "STORE", "COLLECTOR_ID", "HTTP_LISTEN", "METRICS_LISTEN"}
        env = {key: value for key, value in os.environ.items() if key not in own}
        env |= self._settings | {key.upper(): value for key, value in settings.items()}
        return Program(name, [self._build / program, *args], self.logs / f"{name}.log", env=env)

    def start(self, tell: Callable[[str], None] = lambda name: None) -> None:
        """All that does not run; `tell` is told of each before it starts."""
        for name, part in self.parts.items():
            if not part.is_running():
                tell(name)
                part.start()
            if part is self.kafka and not self._has_topics:
                self._make_topics()

    def _make_topics(self) -> None:
        """One partition for what is rejected: a group deals out the partitions of both topics alike."""
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 3})
        topics = [NewTopic(TOPIC, num_partitions=PARTITIONS), NewTopic(f"{TOPIC}.rejected", num_partitions=1)]
        for made in admin.create_topics(topics).values():
            try:
                made.result(timeout=patience())
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise ServerError(f"Kafka does not make the topics: {error}") from None
        self._has_topics = True

    def mend(self) -> list[str]:
        """Starts again whatever has ended; their names."""
        ended = [name for name, part in self.parts.items() if not part.is_running()]
        self.start()
        return ended

    def stop(self, tell: Callable[[str], None] = lambda name: None) -> None:
        """In good order, against the stream of readings: who stores before what is stored in."""
        for name, part in reversed(self.parts.items()):
            if not part.is_running():
                continue
            tell(name)
            if isinstance(part, PrivateHaproxy):
                part.kill9()
            elif isinstance(part, Program):
                part.terminate()
            else:
                part.stop()

    def kill9(self) -> None:
        """What runs, and at once."""
        for part in reversed(self.parts.values()):
            if part.is_running() and not isinstance(part, PrivatePostgres):
                part.kill9()
