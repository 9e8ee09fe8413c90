"""A TCP proxy that breaks connections in the ways networks do, at the byte that is asked for.

It stands between one server and its clients. UP is from client to server, DOWN the way back. Left
alone it passes everything; the methods change that, for all connections or for those whose client
said `only` at the start (an MQTT client id, a PostgreSQL application name). One thread of its own
runs everything, so a rule holds from the moment that its method returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from servers import LOOPBACK, free_port, until

UP, DOWN = "up", "down"

_READ_BYTES = 64 * 1024
_GREETING_BYTES = 1024
_LINGER_NOT = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN
_Answer = TypeVar("_Answer")


def other(direction: str) -> str:
    return DOWN if direction == UP else UP


class Rule:
    """One thing that will happen to one connection, once."""

    def __init__(self, direction: str, only: bytes) -> None:
        self.direction = direction
        self.only = only
        self._happened = threading.Event()

    @property
    def has_happened(self) -> bool:
        return self._happened.is_set()

    def wait(self, timeout: float = 10.0) -> None:
        assert self._happened.wait(timeout), f"not within {timeout:g} s: {self}"

    def is_for(self, link: _Link, direction: str) -> bool:
        return not self.has_happened and direction == self.direction and self.only in link.greeting


class Cut(Rule):
    """`count` bytes pass, counted from where `start` is seen; then the connection ends on both sides."""

    def __init__(self, direction: str, count: int, only: bytes, start: bytes, with_reset: bool) -> None:
        super().__init__(direction, only)
        self.left = count
        self.with_reset = with_reset
        self.start = start
        self.link: _Link | None = None

    def __str__(self) -> str:
        return f"a cut {self.direction} {self.left} bytes further"

    def allowed(self, link: _Link, data: bytes) -> int | None:
        """How much of `data` may still pass before the cut; None = all, and no cut yet."""
        before = 0
        if self.link is None:
            before = data.find(self.start)
            if before < 0:
                return None
            self.link = link
        if self.link is not link:
            return None
        if len(data) - before < self.left:
            self.left -= len(data) - before
            return None
        return before + self.left


class Rewrite(Rule):
    """The first occurrence of `old` in one piece of data leaves as `new`."""

    def __init__(self, direction: str, old: bytes, new: bytes, only: bytes) -> None:
        super().__init__(direction, only)
        self.old = old
        self.new = new

    def __str__(self) -> str:
        return f"{self.old!r} comes by"


class Watch(Rule):
    """Calls `act` right after the next data has been passed on."""

    def __init__(self, direction: str, act: Callable[[], object], only: bytes) -> None:
        super().__init__(direction, only)
        self.act = act

    def __str__(self) -> str:
        return f"something goes {self.direction}"


class _Link:
    """One client's connection and ours to the server."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self.readers = {UP: reader}
        self.writers = {DOWN: writer}
        self.greeting = b""
        self.is_cut = False
        self.tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        await self.proxy.may_pass()
        try:
            self.readers[DOWN], self.writers[UP] = await asyncio.open_connection(LOOPBACK, self.proxy.target_port)
        except OSError:
            self.end(with_reset=True)
            return
        for writer in self.writers.values():
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tasks = [asyncio.ensure_future(self.pump(direction)) for direction in (UP, DOWN)]
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.end(with_reset=False)

    async def pump(self, direction: str) -> None:
        reader = self.readers[direction]
        with contextlib.suppress(OSError, RuntimeError):  # the other side is gone, or was half-closed
            while data := await reader.read(_READ_BYTES):
                await self.proxy.may_pass()
                if direction == UP and len(self.greeting) < _GREETING_BYTES:
                    self.greeting += data
                if not self.is_cut:
                    await self.proxy.carry(self, direction, data)
            await self.proxy.may_pass()
        if not self.is_cut:
            self.finish(direction)

    def finish(self, direction: str) -> None:
        """Nothing more goes in this direction: FIN. To nobody, while it is not connected yet."""
        with contextlib.suppress(OSError, RuntimeError, KeyError):
            self.writers[direction].write_eof()

    def cut(self, with_reset: bool) -> None:
        """What was passed on arrives (unless reset), and then the connection has ended for both."""
        self.is_cut = True
        if with_reset:
            self.end(with_reset=True)
        else:
            # Both pumps go on reading, into nothing: closing with data unread would reset.
            self.finish(UP)
            self.finish(DOWN)

    def end(self, with_reset: bool) -> None:
        for writer in self.writers.values():
            if with_reset:
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
                writer.transport.abort()
            else:
                writer.close()


class Proxy:
    """Listens on `port` and passes on to `target_port` of this machine."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = free_port()
        self.accepted = 0
        self.passed = {UP: 0, DOWN: 0}  # bytes
        self._links: set[_Link] = set()
        self._rules: list[Rule] = []
        self._delay_s = 0.0
        self._bytes_per_s: float | None = None
        self._server: asyncio.AbstractServer | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._may_pass: asyncio.Event = self._call(self._new_event())
        self.listen()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, coroutine: Coroutine[Any, Any, _Answer]) -> _Answer:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _do(self, action: Callable[[], _Answer]) -> _Answer:
        """Runs `action` in the proxy's thread."""

        async def done() -> _Answer:
            return action()

        return self._call(done())

    async def _new_event(self) -> asyncio.Event:
        event = asyncio.Event()
        event.set()
        return event

    # --- What the links ask --------------------------------------------------------------------

    async def may_pass(self) -> None:
        await self._may_pass.wait()

    async def carry(self, link: _Link, direction: str, data: bytes) -> None:
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        for rule in list(self._rules):
            if rule.is_for(link, direction):
                if isinstance(rule, Rewrite) and rule.old in data:
                    data = data.replace(rule.old, rule.new, 1)
                    self._happens(rule)
                elif isinstance(rule, Cut) and (allowed := rule.allowed(link, data)) is not None:
                    await self._send(link, direction, data[:allowed])
                    link.cut(rule.with_reset)
                    self._happens(rule)
                    return
        await self._send(link, direction, data)
        for rule in list(self._rules):
            if isinstance(rule, Watch) and rule.is_for(link, direction):
                rule.act()
                self._happens(rule)

    async def _send(self, link: _Link, direction: str, data: bytes) -> None:
        writer = link.writers[direction]
        while data:
            piece, data = data, b""
            if self._bytes_per_s:
                size = max(1, int(self._bytes_per_s / 50))
                piece, data = piece[:size], piece[size:]
                await asyncio.sleep(len(piece) / self._bytes_per_s)
            await self.may_pass()
            if link.is_cut:
                return
            self.passed[direction] += len(piece)
            writer.write(piece)
            await writer.drain()

    def _happens(self, rule: Rule) -> None:
        self._rules.remove(rule)
        rule._happened.set()

    async def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, reader, writer)
        self.accepted += 1
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)

    # --- What tests do ---------------------------------------------------------------------------

    def listen(self) -> None:
        """Takes connections (again)."""

        async def start() -> None:
            if self._server is None:
                self._server = await asyncio.start_server(self._on_client, LOOPBACK, self.port)

        self._call(start())

    def refuse(self) -> None:
        """New connections are refused; those there are go on."""

        async def stop() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None

        self._call(stop())

    def delay(self, seconds: float) -> None:
        """Everything takes so much longer; 0 = no longer."""
        self._delay_s = seconds

    def throttle(self, bytes_per_s: float | None) -> None:
        """In each direction of each connection; None = no limit."""
        self._bytes_per_s = bytes_per_s

    def blackhole(self) -> None:
        """Nothing arrives any more, no data and no end of a connection; nobody is told."""
        self._do(self._may_pass.clear)

    def heal(self) -> None:
        """Ends delay, throttle, blackhole and refusal. What was held back by a blackhole arrives."""
        self._delay_s = 0.0
        self._bytes_per_s = None
        self._do(self._may_pass.set)
        self.listen()

    def _each(self, only: bytes, action: Callable[[_Link], object]) -> int:
        def act() -> int:
            links = [link for link in self._links if only in link.greeting and not link.is_cut]
            for link in links:
                action(link)
            return len(links)

        return self._do(act)

    def reset(self, only: bytes = b"") -> int:
        """RST to both ends of every connection; says how many there were."""
        return self._each(only, lambda link: link.cut(with_reset=True))

    def half_close(self, direction: str, only: bytes = b"") -> int:
        """The receiver of this direction is told that nothing more will come; the other direction goes on."""
        return self._each(only, lambda link: link.finish(direction))

    def links(self, only: bytes = b"") -> int:
        """The connections there are."""
        return self._each(only, lambda link: None)

    def _add(self, rule: Rule) -> None:
        self._do(lambda: self._rules.append(rule))

    def cut_after(
        self, direction: str, count: int, only: bytes = b"", start: bytes = b"", with_reset: bool = False
    ) -> Cut:
        """Ends one connection when `count` more bytes have passed in this direction."""
        rule = Cut(direction, count, only, start, with_reset)
        self._add(rule)
        return rule

    def rewrite(self, direction: str, old: bytes, new: bytes, only: bytes = b"") -> Rewrite:
        """Once. It must lie within one piece of data."""
        rule = Rewrite(direction, old, new, only)
        self._add(rule)
        return rule

    def after_next(self, direction: str, act: Callable[[], object], only: bytes = b"") -> Watch:
        """Calls `act`, in the proxy's thread, as soon as the next data in this direction is passed on."""
        rule = Watch(direction, act, only)
        self._add(rule)
        return rule

    def forget(self, rule: Rule) -> None:
        self._do(lambda: rule in self._rules and self._rules.remove(rule))

    def close(self) -> None:
        self.heal()
        self.refuse()
        self.reset()
        until(lambda: not self._links, 5, "the proxy's connections have ended")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
