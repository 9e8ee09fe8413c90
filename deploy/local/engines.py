"""`make run-engines`: the whole chain on this machine (chain.py) with 15 simulated devices, until Ctrl-C.

Whatever of it ends or is killed is started again, as systemd does in production: try `kill -9`. The data stays for the
next run beside that of `make run`, and `make run-clean` forgets both.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from chain import Chain
from run import DEFAULTS, DEVICES, Interrupts, Stopped, lock, port_setting, say, state_home
from servers import LOOPBACK, PrivatePostgres, Program, ServerError, require_free

READY_SECONDS = 120.0
STOP_SECONDS = 30.0


class Engines:
    """The chain and its fleet."""

    def __init__(self, home: Path, interrupts: Interrupts) -> None:
        self.interrupts = interrupts
        self.http_port = port_setting("HTTP_PORT", 5000)
        self.mqtt_port = port_setting("MQTT_PORT", 18830)
        postgres_port = port_setting("PGPORT_PRIVATE", 15432)
        for port, variable in (
            (self.http_port, "HTTP_PORT"), (self.mqtt_port, "MQTT_PORT"), (postgres_port, "PGPORT_PRIVATE"),
        ):  # fmt: skip
            require_free(port, variable)
        logs = home / "log"
        self.postgres = PrivatePostgres(home / "postgres", postgres_port, log=logs / "postgres.log")
        url = self.postgres.url()
        self.chain = Chain(home, logs, self.postgres, url, self.http_port, self.mqtt_port, settings=DEFAULTS)
        self.fleet: Program | None = None

    def start(self) -> None:
        def tell(name: str) -> None:
            if self.interrupts.count:
                raise Stopped
            say(f"{name}: log in {self.chain.logs}/")

        self.chain.start(tell)
        tell("devicesim")
        broker = self.chain.haproxy.url()
        self.fleet = self.chain.program("devicesim", "devicesim", "--num-devices", str(DEVICES), mqtt_url=broker)
        self.fleet.start()
        say("waiting for the first readings on /dashboard")
        deadline = time.monotonic() + READY_SECONDS
        while not self._dashboard_has_data():
            self.mend()
            if time.monotonic() > deadline:
                raise ServerError(f"/dashboard shows no data after {READY_SECONDS:g} s; logs are in {self.chain.logs}")
            time.sleep(0.1)

    def _dashboard_has_data(self) -> bool:
        if self.interrupts.count:
            raise Stopped
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.http_port}/dashboard", timeout=2) as answer:
                return any(json.load(answer).values())
        except (OSError, urllib.error.URLError, ValueError, AttributeError):
            return False

    def mend(self) -> None:
        for name in self.chain.mend():
            say(f"{name}: had ended, is started again")
        if self.fleet is not None and not self.fleet.is_running():
            say("devicesim: had ended, is started again")
            self.fleet.start()

    def watch(self) -> None:
        """Returns when a signal asks for the end."""
        while not self.interrupts.count:
            self.mend()
            time.sleep(0.2)

    def stop(self) -> None:
        if self.fleet is not None and self.fleet.is_running():
            say("devicesim: stopping")
            self.fleet.signal(signal.SIGTERM)
            since = time.monotonic()
            while self.fleet.is_running() and time.monotonic() < since + STOP_SECONDS and self.interrupts.count < 2:
                time.sleep(0.02)
            self.fleet.kill9()
        self.chain.stop(lambda name: say(f"{name}: stopping"))

    def where_to_look(self) -> str:
        chain = self.chain
        httpapis = ", ".join(f"http://{LOOPBACK}:{port}/" for port in chain.http_ports)
        brokers = ", ".join(f"{LOOPBACK}:{broker.port}" for broker in chain.brokers)
        metrics = "".join(
            f"  {name + ' metrics':18}http://{LOOPBACK}:{port}/metrics\n" for name, port in chain.metrics_ports.items()
        )
        return (
            "\n"
            "Highwater is running, all of it.\n"
            "\n"
            f"  page and API      http://{LOOPBACK}:{self.http_port}/   (HAProxy; behind it {httpapis})\n"
            f"  devices           {chain.haproxy.url()}   (HAProxy; behind it {brokers})\n"
            f"  topic             {chain.kafka.bootstrap}, readings and readings.rejected\n"
            f'  readings          psql "{self.postgres.url()}"\n'
            f"{metrics}"
            "\n"
            "Kill what you like: what ends is started again. Ctrl-C stops everything; the data is kept for the next run.\n"
        )


def main() -> int:
    os.umask(0o022)  # the servers' own users must get through to their directories
    home = state_home()
    try:
        interrupts = Interrupts()
        _held = lock(home)
        engines = Engines(home / "engines", interrupts)
    except (ServerError, OSError) as error:
        say(f"run-engines: {error}")
        return 1
    failed = False
    try:
        engines.start()
        print(engines.where_to_look(), flush=True)
        engines.watch()
    except Stopped:
        pass
    except (ServerError, AssertionError, OSError) as error:
        say(f"run-engines: {error}")
        failed = True
    engines.stop()
    say("stopped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
