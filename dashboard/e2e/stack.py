"""Highwater with private servers, led by whoever writes to standard input: the page's tests.

A line of JSON asks for something, {"id": 7, "do": "start", "program": "collector"}, and one answers it,
{"id": 7, "result": ...} or {"id": 7, "error": "..."}. The end of the input ends everything.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
import urllib.request
from pathlib import Path
from typing import Any

CLONE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CLONE / "deploy" / "local"))
sys.dont_write_bytecode = True

from mqtt_client import mqtt_client  # noqa: E402
from servers import LOOPBACK, PrivateBroker, PrivatePostgres, Program, free_port, patience, until  # noqa: E402

BUILD_DIR = (CLONE / (os.environ.get("BUILD_DIR") or "build")).resolve()


class Stack:
    def __init__(self, area: Path) -> None:
        self.logs = area / "log"
        self.postgres = PrivatePostgres(area / "postgres", log=self.logs / "postgres.log")
        self.broker = PrivateBroker(area / "broker", log=self.logs / "broker.log")
        self.http_port = free_port()
        self.metrics_port = free_port()
        self.programs: dict[str, Program] = {}
        self.publisher: Any = None
        self.postgres.start()
        self.broker.start()

    def where(self) -> dict[str, Any]:
        return {"http": f"http://{LOOPBACK}:{self.http_port}/", "logs": str(self.logs)}

    def start(self, program: str, args: list[str] | None = None, settings: dict[str, str] | None = None) -> None:
        """Starts one of the programs; httpapi answers when this returns."""
        values = {
            "DATABASE_URL": self.postgres.url(),
            "MQTT_URL": self.broker.url(),
            "HTTP_LISTEN": f"{LOOPBACK}:{self.http_port}",
            "METRICS_LISTEN": f"{LOOPBACK}:{self.metrics_port}",
            **(settings or {}),
        }
        started = Program(
            program, [BUILD_DIR / program, *(args or [])], self.logs / f"{program}.log", env={**os.environ, **values}
        )
        started.start()
        self.programs[program] = started
        if program == "httpapi":
            until(lambda: self._answers(started), 15, "httpapi answers")

    def _answers(self, program: Program) -> bool:
        assert program.is_running(), f"httpapi ended with {program.exit_code}:\n{program.tail()}"
        try:
            with urllib.request.urlopen(f"{self.where()['http']}healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self, program: str) -> None:
        self.programs.pop(program).terminate()

    def kill(self, program: str) -> None:
        self.programs.pop(program).kill9()

    def freeze(self, program: str) -> None:
        self.programs[program].signal(signal.SIGSTOP)

    def thaw(self, program: str) -> None:
        self.programs[program].signal(signal.SIGCONT)

    def stop_postgres(self) -> None:
        self.postgres.stop()

    def start_postgres(self) -> None:
        self.postgres.start()

    def stop_broker(self) -> None:
        self.broker.stop()

    def start_broker(self) -> None:
        self.broker.start()

    def sql(self, statement: str) -> str:
        return self.postgres.sql(statement, "highwater", "highwater")

    def publish(self, topic: str, payload: str) -> None:
        """Returns when the broker has acknowledged it."""
        if self.publisher is None:
            self.publisher = mqtt_client("page-tests")
            self.publisher.connect(LOOPBACK, self.broker.port)
            self.publisher.loop_start()
        self.publisher.publish(topic, payload, qos=1).wait_for_publish(patience())

    def retained(self, topic: str) -> dict[str, str]:
        """What the broker has below it, for someone who comes now; a collector must have said its status."""
        heard: dict[str, str] = {}
        client = mqtt_client("page-tests-listen")
        client.on_connect = lambda client, *_: client.subscribe([(topic, 1), ("collectors/+/status", 1)])
        client.on_message = lambda _client, _data, message: heard.setdefault(message.topic, message.payload.decode())
        client.connect(LOOPBACK, self.broker.port)
        client.loop_start()
        try:
            until(lambda: any(name.endswith("/status") for name in heard), 10, "what is retained has come")
        finally:
            client.disconnect()
            client.loop_stop()
        return {name: payload for name, payload in heard.items() if payload and not name.endswith("/status")}

    def log(self, program: str) -> str:
        return self.programs[program].tail(40)

    def close(self) -> None:
        if self.publisher is not None:
            self.publisher.disconnect()
            self.publisher.loop_stop()
        for program in reversed(self.programs.values()):
            program.kill9()
        self.broker.kill9()
        if self.postgres.is_running():
            self.postgres.stop("immediate")


def answer(stack: Stack, line: str) -> dict[str, Any]:
    asked = json.loads(line)
    name = asked.pop("do")
    number = asked.pop("id")
    try:
        return {"id": number, "result": getattr(stack, name)(**asked)}
    except Exception:  # noqa: BLE001 - whatever it was, the one who asked is to know
        return {"id": number, "error": traceback.format_exc()}


def main() -> int:
    for name in list(os.environ):
        if name.startswith("PG") or name in ("DATABASE_URL", "MQTT_URL", "FEATURES", "INTERVALS", "NUM_TOP_DEVICES"):
            del os.environ[name]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests; their end is ours
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    area = Path(tempfile.mkdtemp(prefix="highwater-page-"))
    area.chmod(0o755)
    stack = None
    try:
        stack = Stack(area)
        for line in sys.stdin:
            print(json.dumps(answer(stack, line)), flush=True)
    finally:
        if stack is not None:
            stack.close()
        shutil.rmtree(area, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
