"""Two private brokers, and HAProxy before them and before two httpapi, from the files of deploy/haproxy/.

As with servers.py: loopback only, ports of its own, nothing outlives this process.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from servers import CLONE, LOOPBACK, PrivateBroker, Program, ServerError, free_port, port_is_free, until

FILES = CLONE / "deploy" / "haproxy"


def pair_of_brokers(
    homes: Sequence[Path], collectors: Sequence[Sequence[str]], logs: Path, ports: Sequence[int] = ()
) -> list[PrivateBroker]:
    """Two brokers, not started; `collectors` are the ids of those that publish at each."""
    ports = list(ports) or [free_port(), free_port()]
    brokers = []
    for number in (0, 1):
        lines = boards_lines(f"{LOOPBACK}:{ports[1 - number]}", collectors[1 - number])
        log = logs / f"broker{number + 1}.log"
        brokers.append(PrivateBroker(homes[number], ports[number], lines, log=log))
    return brokers


def boards_lines(address: str, collectors: Sequence[str]) -> list[str]:
    """boards.conf, filled in."""
    lines = []
    for line in (FILES / "boards.conf").read_text().replace("OTHER_BROKER:1883", address).splitlines():
        if line.startswith("topic "):
            lines += [line.replace("OTHER_COLLECTOR", collector) for collector in collectors]
        elif line and not line.startswith("#"):
            lines.append(line)
    return lines


class PrivateHaproxy:
    """HAProxy with deploy/haproxy/haproxy.cfg; places are ports on loopback."""

    def __init__(
        self, home: Path, brokers: Sequence[int], httpapis: Sequence[int], mqtt_port: int | None = None,
        http_port: int | None = None, log: Path | None = None,
    ) -> None:  # fmt: skip
        self.home = home
        self.mqtt_port = mqtt_port or free_port()
        self.http_port = http_port or free_port()
        self.log = log or home.parent / "log" / "haproxy.log"
        places = {"MQTT_BIND": self.mqtt_port, "HTTP_BIND": self.http_port}
        places |= {f"BROKER_{i + 1}": port for i, port in enumerate(brokers)}
        places |= {f"HTTPAPI_{i + 1}": port for i, port in enumerate(httpapis)}
        self._places = {name: f"{LOOPBACK}:{port}" for name, port in places.items()}
        self.program: Program | None = None

    def url(self) -> str:
        return f"mqtt://{LOOPBACK}:{self.mqtt_port}"

    def start(self, timeout: float = 30.0) -> None:
        binary = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if binary is None:
            raise ServerError("there is no haproxy on this machine: make deps")
        self.home.mkdir(parents=True, exist_ok=True)
        own = self.home / "global.cfg"
        own.write_text("global\n    maxconn 4000\n    log stderr format raw local0 notice\n")
        argv = [binary, "-db", "-f", own, "-f", FILES / "haproxy.cfg"]
        self.program = Program("haproxy", argv, self.log, env={**os.environ, **self._places})
        self.program.start()

        def listens() -> bool:
            assert self.program is not None
            if not self.program.is_running():
                raise ServerError(f"haproxy ended with {self.program.exit_code}:\n{self.program.tail()}")
            return not port_is_free(self.mqtt_port) and not port_is_free(self.http_port)

        until(listens, timeout, "haproxy listens")

    def is_running(self) -> bool:
        return self.program is not None and self.program.is_running()

    def kill9(self) -> None:
        assert self.program is not None
        self.program.kill9()
