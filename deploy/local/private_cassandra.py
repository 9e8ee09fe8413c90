"""A private Cassandra of one node, from what `make engines` fetched.

As with servers.py: loopback only, ports of its own, nothing outlives this process. It syncs its commit log before
it answers, so what it has acknowledged survives a kill.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from servers import CLONE, LOOPBACK, Program, ServerError, free_port

JARS = CLONE / "build" / "engines" / "cassandra"

# What its own start script opens to it in Java 17, of which it uses the inside.
_EXPORTS = """
java.base/jdk.internal.misc java.base/java.lang.ref java.base/sun.nio.ch java.management.rmi/com.sun.jmx.remote.internal.rmi
java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.rmi/sun.rmi.transport.tcp java.sql/java.sql
jdk.unsupported/sun.misc jdk.attach/sun.tools.attach jdk.compiler/com.sun.tools.javac.file
"""
_OPENS = """
java.base/java.lang.module java.base/java.net java.base/jdk.internal.loader java.base/jdk.internal.ref
java.base/jdk.internal.reflect java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar
jdk.management/com.sun.management.internal java.base/sun.nio.ch java.base/java.io java.base/java.nio java.base/java.lang
java.base/java.lang.reflect java.base/java.util java.base/java.util.concurrent java.base/java.util.concurrent.atomic
jdk.compiler/com.sun.tools.javac.file
"""

_LOGBACK = """\
<configuration><appender name="out" class="ch.qos.logback.core.ConsoleAppender">
<encoder><pattern>%d{ISO8601} %-5level %logger{0} - %msg%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="out"/></root>
<logger name="org.apache.cassandra.service.CassandraDaemon" level="INFO"/></configuration>
"""


def java_can() -> bool:
    """Cassandra 5.0 runs with Java 11 and 17, and with no later one."""
    if shutil.which("java") is None:
        return False
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    return re.search(r'version "(11|17)[."]', said) is not None


class PrivateCassandra:
    """`settings` are lines of cassandra.yaml, in place of ours of the same name. By default Java compiles little, which
    makes a start short."""

    def __init__(
        self, home: Path, log: Path, settings: Mapping[str, str] | None = None, heap: str = "400m",
        java: Sequence[str] = ("-XX:TieredStopAtLevel=1",),
    ) -> None:  # fmt: skip
        self.home = home
        self.port = free_port()
        self._storage_port = free_port()
        self._settings = dict(settings or {})
        argv = [
            "java", f"-Xms{heap}", f"-Xmx{heap}", "-Xss512k", "-XX:+UseSerialGC", *java,
            "-XX:MaxDirectMemorySize=256m", "-Djdk.attach.allowAttachSelf=true",
            *[f"--add-exports={each}=ALL-UNNAMED" for each in _EXPORTS.split()],
            *[f"--add-opens={each}=ALL-UNNAMED" for each in _OPENS.split()],
            *[f"-javaagent:{jar}" for jar in JARS.glob("jamm-*.jar")],
            f"-Dcassandra.config=file://{home}/cassandra.yaml", f"-Dlogback.configurationFile={home}/logback.xml",
            f"-Dcassandra.storagedir={home}/data", "-Dcassandra-foreground=yes",
            "-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=0",
            "-Dio.netty.transport.estimateSizeOnSubmit=false",
            "-cp", f"{home}:{JARS}/*", "org.apache.cassandra.service.CassandraDaemon",
        ]  # fmt: skip
        self.program = Program("cassandra", argv, log)

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def url(self, keyspace: str) -> str:
        """For --store."""
        return f"cassandra://{self.address}/{keyspace}"

    def start(self, timeout: float = 120.0) -> None:
        """Returns when it takes connections."""
        if not java_can() or not (JARS / ".complete").exists():
            raise ServerError("there is no Java 17, or no Cassandra in build/engines: make engines")
        if not (self.home / "cassandra.yaml").exists():
            self._configure()
        self.program.start()
        self.program.wait_for_line("Startup complete", timeout)
        socket.create_connection((LOOPBACK, self.port), timeout).close()

    def kill9(self) -> None:
        self.program.kill9()

    def is_running(self) -> bool:
        return self.program.is_running()

    def _configure(self) -> None:
        data = self.home / "data"
        data.mkdir(parents=True, exist_ok=True)
        settings = {
            "cluster_name": "private", "num_tokens": "1",
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "listen_address": LOOPBACK, "rpc_address": LOOPBACK,
            "storage_port": str(self._storage_port), "native_transport_port": str(self.port),
            "start_native_transport": "true",
            "seed_provider": f"[{{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: "
                             f"[{{seeds: '{LOOPBACK}:{self._storage_port}'}}]}}]",
            "endpoint_snitch": "SimpleSnitch",
            "authenticator": "AllowAllAuthenticator", "authorizer": "AllowAllAuthorizer",
            "commitlog_sync": "batch", "commitlog_segment_size": "8MiB",
            "data_file_directories": f"[{data}/data]", "commitlog_directory": f"{data}/commitlog",
            "saved_caches_directory": f"{data}/saved_caches", "hints_directory": f"{data}/hints",
            "cdc_raw_directory": f"{data}/cdc_raw",
            "concurrent_reads": "8", "concurrent_writes": "16",
            "memtable_heap_space": "96MiB", "memtable_offheap_space": "96MiB",
            "file_cache_size": "32MiB", "key_cache_size": "8MiB", "auto_snapshot": "false",
            **self._settings,
        }  # fmt: skip
        lines = [f"{name}: {value}\n" for name, value in settings.items()]
        (self.home / "cassandra.yaml").write_text("".join(lines))
        (self.home / "logback.xml").write_text(_LOGBACK)
