"""A private Kafka of one node or of three, in KRaft mode, from what `make engines` fetched.

As with servers.py: loopback only, ports of its own, nothing outlives this process. It runs as whoever starts it.

As a program it writes ARCHIVE: the classes that a start of Kafka loads, as Java has them once they are parsed and verified. With
them a node is formatted and started in half the time of a processor. Java goes without where it is missing, or another's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from servers import CLONE, LOOPBACK, Program, ServerError, free_port

JARS = CLONE / "build" / "engines" / "kafka"
ARCHIVE = JARS / "classes.jsa"
CLUSTER_ID = "SGlnaHdhdGVyIHRlc3RzIQ"  # sixteen bytes in base64


class PrivateKafka:
    """Nodes are numbered from 1; each is broker and controller. Without `settings` a topic is made on first use, with
    four partitions, a copy on each node, of which two have to have a record before it is acknowledged. By default Java
    compiles little, which makes a start short."""

    def __init__(
        self, home: Path, nodes: int = 1, settings: Mapping[str, str] | None = None, logs: Path | None = None,
        heap: str = "256m", java: Sequence[str] = ("-XX:TieredStopAtLevel=1",),
    ) -> None:  # fmt: skip
        self.home = home
        self.logs = logs or home.parent / "log"
        self.ports = {node: free_port() for node in range(1, nodes + 1)}
        self._controllers = {node: free_port() for node in self.ports}
        self._settings = dict(settings or {})
        self._java = ["java", f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseSerialGC", "-Xshare:auto", *java]
        if ARCHIVE.exists():
            self._java.append(f"-XX:SharedArchiveFile={ARCHIVE}")
        for name, level in (("defaultLogLevel", "warn"), ("log.kafka.server.KafkaRaftServer", "info")):
            self._java.append(f"-Dorg.slf4j.simpleLogger.{name}={level}")
        self._java += ["-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", f"{JARS}/*"]
        self.programs = {node: self._program(node) for node in self.ports}

    @property
    def bootstrap(self) -> str:
        """host:port of each node, with commas between."""
        return ",".join(map(self.address, self.ports))

    def address(self, node: int) -> str:
        return f"{LOOPBACK}:{self.ports[node]}"

    def url(self, topic: str) -> str:
        """For --source and --store."""
        return f"kafka://{self.bootstrap}/{topic}"

    # --- Start and end

    def start(self, timeout: float = 60.0) -> None:
        """Starts every node that does not run, and waits until all serve clients."""
        if shutil.which("java") is None or not (JARS / ".complete").exists():
            raise ServerError("there is no Java, or no Kafka in build/engines: make engines")
        self._format()
        stopped = [program for program in self.programs.values() if not program.is_running()]
        for program in stopped:
            program.start()
        for program in stopped:
            program.wait_for_line("Kafka Server started", timeout)

    def stop(self, timeout: float = 60.0) -> None:
        """SIGTERM to all at once. Without a majority they do not hand over in peace, and are killed."""
        for program in self.programs.values():
            if program.is_running() and len(self.programs) == 1:
                program.terminate(timeout)
            program.kill9()

    def stop_node(self, node: int, timeout: float = 60.0) -> None:
        """SIGTERM: it hands over what it leads first."""
        self.programs[node].terminate(timeout)

    def kill9(self, node: int = 1) -> None:
        self.programs[node].kill9()

    def kill9_all(self) -> None:
        for program in self.programs.values():
            program.kill9()

    def start_node(self, node: int, timeout: float = 60.0) -> None:
        """One that was stopped or killed, on the same data and ports."""
        self.programs[node].start()
        self.programs[node].wait_for_line("Kafka Server started", timeout)

    def restart(self, node: int = 1) -> None:
        """A node leaves in peace, and comes back."""
        self.stop_node(node)
        self.start_node(node)

    def is_running(self) -> bool:
        return all(program.is_running() for program in self.programs.values())

    # --- How a node is made

    def _home(self, node: int) -> Path:
        return self.home / f"node{node}"

    def _program(self, node: int) -> Program:
        argv = [*self._java, "kafka.Kafka", self._home(node) / "server.properties"]
        return Program(f"kafka{node}", argv, self.logs / f"kafka{node}.log")

    def _properties(self, node: int) -> dict[str, str]:
        copies, needed = str(len(self.ports)), "2" if len(self.ports) > 1 else "1"
        client, controller = (f"{LOOPBACK}:{ports[node]}" for ports in (self.ports, self._controllers))
        internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        return {
            "process.roles": "broker,controller",
            "node.id": str(node),
            "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{client}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.quorum.voters": ",".join(f"{n}@{LOOPBACK}:{p}" for n, p in self._controllers.items()),
            "log.dirs": str(self._home(node) / "data"),
            "num.partitions": "4",
            "default.replication.factor": copies,
            "min.insync.replicas": needed,
            **{f"{topic}.replication.factor": copies for topic in internal},
            "transaction.state.log.min.isr": needed,
            "share.coordinator.state.topic.min.isr": needed,
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            "unclean.leader.election.enable": "false",
            "broker.session.timeout.ms": "6000",  # after which what a killed node led is led by another
            **self._settings,
        }

    def _format(self) -> None:
        """Makes what a node needs before its first start; of all nodes at once, for each starts a Java."""
        running = []
        for node in self.ports:
            home = self._home(node)
            home.mkdir(parents=True, exist_ok=True)
            lines = [f"{name}={value}\n" for name, value in self._properties(node).items()]
            (home / "server.properties").write_text("".join(lines))  # each time: ports may be others
            if (home / "data" / "meta.properties").exists():
                continue
            argv = [*self._java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID]
            running.append(
                subprocess.Popen(
                    [*map(str, argv), "-c", home / "server.properties"], stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "LC_ALL": "C.UTF-8"},
                )
            )  # fmt: skip
        for process in running:
            output = process.communicate()[0].decode(errors="replace")
            if process.returncode != 0:
                raise ServerError(f"Kafka's storage cannot be formatted:\n{output}")


def write_archive() -> None:
    """By a node that is started, and at its end writes what it has loaded. Java before 13 has no such thing."""
    ARCHIVE.unlink(missing_ok=True)
    new = ARCHIVE.with_suffix(".new")
    with tempfile.TemporaryDirectory(prefix="highwater-kafka-") as home:
        server = PrivateKafka(Path(home), logs=Path(home))
        server.programs[1].argv[1:1] = ["-XX:+IgnoreUnrecognizedVMOptions", f"-XX:ArchiveClassesAtExit={new}"]
        server.start()
        server.stop()
    if new.exists():
        new.rename(ARCHIVE)


if __name__ == "__main__":
    try:
        write_archive()
    except (ServerError, AssertionError, OSError) as failure:  # then starts are as long as they are without
        print(f"kafka: there is no archive of its classes: {failure}", file=sys.stderr)
