"""Through Kafka: into a topic at the edge, and out of it into the database, beside what goes without it.

A real node, from what `make engines` fetched. Of reading, only the middle of what waits is measured: at the start the client
has fetched ahead, and at the end there is nothing left to fetch.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import time
from collections.abc import Iterator

import ingest
from ingest import TARGETS, WARMUP_S, Window
from private_kafka import JARS, PrivateKafka
from report import Section, at_least, at_most
from rig import BUILD, CONNECTIONS, DEVICES, Collector, Figure, PrivateBroker, Rig, ServerError
from rig import last_json, rounds, say, sleep_until, until

PARTITIONS = 4


def lacks() -> str:
    """Why there is nothing to measure; empty: there is."""
    if shutil.which("java") is None:
        return "there is no Java on this machine"
    if not (JARS / ".complete").exists():
        return "there is no Kafka in build/engines: make engines"
    if importlib.util.find_spec("confluent_kafka") is None:
        return "there is no python3-confluent-kafka: deploy/deps test"
    if "--source" not in ingest.help_of_collector(BUILD):
        return "the collector was built without it (KAFKA=no)"
    return ""


class Topics:
    """A node, and a topic that holds `count` readings as the edge has written them."""

    def __init__(self, rig: Rig, count: int) -> None:
        self.rig = rig
        self.count = count
        self.server = PrivateKafka(rig.area / rig.name("kafka"), logs=rig.logs, heap="512m", java=())
        self.full = ""

    def topic(self) -> str:
        from confluent_kafka.admin import AdminClient, NewTopic

        name = self.rig.name("readings").replace("_", "-")
        client = AdminClient({"bootstrap.servers": self.server.bootstrap})
        wanted = [NewTopic(name, PARTITIONS), NewTopic(f"{name}.rejected", 1)]
        for made in client.create_topics(wanted).values():
            made.result(30)
        return name

    def end(self, topic: str) -> int:
        """How many records it has."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.server.bootstrap, "group.id": "count"})
        found = sum(consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in range(PARTITIONS))
        consumer.close()
        return found

    @contextlib.contextmanager
    def edge(self, topic: str) -> Iterator[tuple[Collector, PrivateBroker]]:
        """A collector that writes into it, and its broker."""
        with self.rig.broker() as broker:
            collector = Collector(self.rig, broker, None, ["--store", self.server.url(topic)])
            with self.rig.running(collector.program):
                until(collector.is_ready, 60, "the collector is ready", pause=0.05)
                yield collector, broker

    def fill(self) -> None:
        self.full = self.topic()
        with self.edge(self.full) as (collector, broker):
            fleet = ["--num-devices", DEVICES, "--connections", CONNECTIONS, "--rate", "max", "--count", self.count]
            with self.rig.running(self.rig.devicesim(broker, *fleet)) as sim:
                sim.wait(300)
            until(lambda: collector.stored() >= self.count, 120, "the topic is filled")
        if self.end(self.full) < self.count:
            raise ServerError(f"{self.count} readings were acknowledged, and the topic has {self.end(self.full)}")

    def write(self, seconds: float) -> dict[str, float]:
        """The flood into a topic."""
        topic = self.topic()
        with self.edge(topic) as (collector, broker):
            with self.rig.running(self.rig.flood(broker, WARMUP_S + seconds + 0.5)) as sim:
                sleep_until(time.monotonic() + WARMUP_S)
                stored = collector.stored()
                window = Window(collector=collector.pid, kafka=self.server.programs[1].pid)
                sleep_until(time.monotonic() + seconds)
                stored = collector.stored() - stored
                window.close()
                sim.wait(60)
                acked = last_json(sim)["acked"]
            until(lambda: collector.stored() >= acked, 60, "everything acknowledged is in the topic")
        if self.end(topic) < acked:
            raise ServerError(f"{acked:.0f} readings were acknowledged, and the topic has {self.end(topic)}")
        return {
            "per second": stored / window.seconds,
            "CPU us": window.cpu["collector"] / stored * 1e6,
            "Kafka us": window.cpu["kafka"] / stored * 1e6,
        }

    def read(self, members: int) -> dict[str, float]:
        """So many collectors of a group take in what waits. They begin at the same moment: until then the table is locked."""
        import psycopg2

        with self.rig.database() as database, self.rig.broker() as broker, contextlib.ExitStack() as stack:
            lock = psycopg2.connect(self.rig.postgres.url(database))
            lock.cursor().execute("LOCK TABLE readings IN EXCLUSIVE MODE")
            source = f"{self.server.url(self.full)}?group={database}"
            group = [
                Collector(self.rig, broker, database, ["--collector-id", f"member{i}", "--source", source])
                for i in range(members)
            ]
            for collector in group:
                stack.enter_context(self.rig.running(collector.program))

            def share() -> list[float]:
                with contextlib.suppress(OSError):
                    return [collector.total("highwater_kafka_partitions") for collector in group]
                return [0]

            until(lambda: min(share()) > 0 and sum(share()) >= PARTITIONS, 90, "the partitions are shared out", pause=0.2)
            lock.close()

            def stored() -> float:
                return sum(collector.stored() for collector in group)

            until(lambda: stored() >= self.count * 0.2, 120, "a fifth is stored", pause=0.02)
            window = Window(collectors=[one.pid for one in group], postgres=group[0].backends(), kafka=self.server.programs[1].pid)
            first = stored()
            until(lambda: stored() >= self.count * 0.8, 120, "four fifths are stored", pause=0.02)
            taken = stored() - first
            window.close()
            until(lambda: stored() >= self.count, 120, "all is stored", pause=0.05)
            kept = ingest.rows(self.rig, database) - ingest.rows(self.rig, "hour")
            if kept != self.count:
                raise ServerError(f"of {self.count} readings in the topic {kept} are stored")
        return {
            "per second": taken / window.seconds,
            "CPU us": window.cpu["collectors"] / taken * 1e6,
            "PostgreSQL us": window.cpu["postgres"] / taken * 1e6,
            "Kafka us": window.cpu["kafka"] / taken * 1e6,
        }


def through_kafka(rig: Rig, runs: int, seconds: float, count: int, batches: int) -> dict[str, dict[str, Figure]]:
    path = Topics(rig, count)
    path.server.start()
    try:
        path.fill()
        say(f"Kafka: a topic of {count:,} readings")
        ingest.dump(rig, batches)
        return rounds(
            "Kafka",
            runs,
            {
                "psql": lambda: ingest.run_psql(rig, batches),
                "MQTT into PostgreSQL": lambda: ingest.collector_flood(rig, seconds),
                "MQTT into Kafka": lambda: path.write(seconds),
                "Kafka into PostgreSQL": lambda: path.read(1),
                "two members": lambda: path.read(2),
            },
        )
    finally:
        path.server.kill9_all()


def kafka_section(found: dict[str, dict[str, Figure]], count: int, runs: int) -> Section:
    section = Section(
        "Through Kafka",
        TARGETS,
        f"One node of Kafka, {PARTITIONS} partitions, acks=all, on the same two cores. Into it: the flood. Out of it: {count:,} readings "
        "wait in a topic, as a collector at the edge has written them, and are stored with the positions in the transaction of each batch.",
    )
    edge, plain = found["MQTT into Kafka"], found["MQTT into PostgreSQL"]
    one, two, psql = found["Kafka into PostgreSQL"], found["two members"], found["psql"]
    ratio = edge["per second"].over(plain["per second"])
    section.add(
        "readings into Kafka per second", edge["per second"].text(), f"into PostgreSQL: {plain['per second'].text()}",
        ratio.text(), ">= 0.9", at_least(ratio.median, 0.9),
    )  # fmt: skip
    section.add(
        "collector's CPU per reading into Kafka, us", edge["CPU us"].text(), f"into PostgreSQL: {plain['CPU us'].text()}",
        edge["CPU us"].over(plain["CPU us"]).text(), "", "",
    )  # fmt: skip
    section.add("Kafka's CPU per reading meanwhile, us", edge["Kafka us"].text(), "", "", "", "")
    ratio = one["per second"].over(psql["per second"])
    section.add(
        "readings stored from Kafka per second, one collector", one["per second"].text(),
        f"psql \\copy of so many rows: {psql['per second'].text()}", ratio.text(), ">= 0.6", at_least(ratio.median, 0.6),
    )  # fmt: skip
    section.add(
        "collector's CPU per reading from Kafka, us", one["CPU us"].text(),
        f"PostgreSQL: {one['PostgreSQL us'].text()}; Kafka: {one['Kafka us'].text()}", "", "<= 2.0", at_most(one["CPU us"].median, 2.0),
    )  # fmt: skip
    section.add(
        "readings stored from Kafka per second, two members", two["per second"].text(), f"one: {one['per second'].text()}",
        two["per second"].over(one["per second"]).text(), "", "",
    )  # fmt: skip
    section.notes.append(
        f"Medians of {runs}. Each run ends with a count: what a device had an acknowledgement for is in the topic, and what is in the topic "
        "is in the table, once. Two members, their PostgreSQL and Kafka share two cores: more machines are what they are for."
    )
    return section


def absent_section(why: str) -> Section:
    return Section("Through Kafka", TARGETS, f"Left out: {why}.")
