"""A private Redis, or Valkey where Debian has that one; nothing is kept on disk.

As with servers.py: loopback only, a port of its own, nothing outlives this process. It runs as whoever starts it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis
from servers import LOOPBACK, Program, ServerError, free_port, paused, until


class PrivateRedis:
    """`settings` are those of redis.conf. The test's own client is a user of its own, `tester`, who may do all; so the
    default user can be given a password, or none."""

    def __init__(self, home: Path, settings: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.settings = dict(settings or {})
        self.log = log or home.parent / "log" / "redis.log"
        self.program: Program | None = None

    @property
    def socket(self) -> Path:
        return self.home / "socket"

    def url(self, user: str = "", database: int = 0) -> str:
        return f"redis://{user}{LOOPBACK}:{self.port}" + (f"/{database}" if database else "")

    def start(self, timeout: float = 30.0) -> None:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin"
        server = shutil.which("redis-server", path=path) or shutil.which("valkey-server", path=path)
        if server is None:
            raise ServerError("there is no redis-server and no valkey-server on this machine: make deps")
        self.home.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": LOOPBACK, "port": str(self.port), "dir": str(self.home), "unixsocket": str(self.socket),
            "save": '""', "appendonly": "no", "user": "tester on nopass ~* &* +@all", **self.settings,
        }  # fmt: skip
        conf = self.home / "redis.conf"
        conf.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        self.program = Program("redis", [server, conf], self.log)
        self.program.start()
        until(self._answers, timeout, "redis answers")

    def _answers(self) -> bool:
        assert self.program is not None and self.program.is_running(), f"redis ended ({self.log})"
        with contextlib.suppress(redis.exceptions.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self, **options: Any) -> redis.Redis:
        """Answers are text."""
        options = {"username": "tester", "password": "any", "decode_responses": True, **options}
        return redis.Redis(unix_socket_path=str(self.socket), **options)

    def paused(self) -> contextlib.AbstractContextManager[None]:
        """with server.paused(): it stands still, and its connections stay."""
        assert self.program is not None
        return paused(self.program.pid)

    def kill9(self) -> None:
        if self.program is not None:
            self.program.kill9()

    def stop(self) -> None:
        if self.program is not None:
            self.program.signal(signal.SIGTERM)
            self.program.wait()
