#!/usr/bin/python3
"""Writes the readings of a Kafka topic into Cassandra: docs/CASSANDRA.md.

    topic.py ──record──> records.py ──rows──> batches.py ──batch──> writer.py ──> table.py
       ^                     └──none──> rejected.py                     │
       └─────────────── offsets, once all before is done (progress.py) ─┘

One thread reads, decides and sends; the driver's answers into a queue. Rows are idempotent, so at least once is
enough: nothing has to be undone after a kill, and no member has to wait for another.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable

import metrics
import records
import settings as settings_
import writer as writer_
from errors import Kind, backoff_s, kind_of
from metrics import Metrics
from rejected import Rejected
from settings import PROGRAM, Settings
from table import Table, Unsafe, tls
from topic import Lost, Topic, check_properties

log = logging.getLogger("highwater.main")

BURST = 500  # records between two looks at everything else
PATIENT_S = 10.0  # so long it only waits when all is full; from then on the group is spoken to
SIGNAL_STATUS = 128
CREATE_ATTEMPTS = 10  # within half a minute


class Signals:
    """The first asks for an end, the second is one."""

    def __init__(self) -> None:
        self.came = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that goes ends nothing

    def _on_signal(self, number: int, _: object) -> None:
        if self.came:
            os._exit(SIGNAL_STATUS + number)
        self.came = True


class Line(logging.Formatter):
    """2026-11-23T12:00:00.123Z highwater-cassandra info kafka: ..., as our other programs write it."""

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = f"{record.name.rpartition('.')[2]}: {record.getMessage()}"
        if record.exc_info:
            text += f": {self.formatException(record.exc_info)}"
        seen = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)[:2000]
        return f"{when}.{int(record.msecs):03d}Z {PROGRAM} {record.levelname.lower()} {seen}"


def start_log() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line())
    level = os.environ.get("LOG_LEVEL", "info").upper()
    logging.basicConfig(level=level if level in ("DEBUG", "INFO", "WARNING", "ERROR") else "INFO", handlers=[handler])
    if level != "DEBUG":
        logging.getLogger("cassandra").setLevel(logging.CRITICAL)  # what fails is said here, once
        logging.captureWarnings(True)
        logging.getLogger("py.warnings").setLevel(logging.CRITICAL)


class Consumer:
    """All of it, once Cassandra has been reached."""

    def __init__(self, settings: Settings, table: Table, measured: Metrics, signals: Signals) -> None:
        self._settings = settings
        self._signals = signals
        self._metrics = measured
        self._rejected = Rejected(settings, measured, time.monotonic)
        self.writer = writer_.from_settings(settings, table, self._rejected.keep, measured)
        self._topic = Topic(settings, measured, lambda: self.writer.step(time.monotonic(), flush=True))
        self._held_since: float | None = None  # when it was full, until it is eased
        self._is_behind = False

    def trouble(self) -> str:
        """Why what is read cannot be kept at present."""
        return self.writer.trouble or self._rejected.trouble

    def run(self) -> bool:
        """Until a signal; whether all that was read is done, and committed."""
        measured = self._metrics
        measured.set("up", 1)
        while not self._signals.came:
            now = time.monotonic()
            self._step(now)
            if self._must_hold(now):
                self._wait_for_room(now)
            else:
                if self._topic.is_paused:
                    self._topic.resume()
                self._read(0.2 if not self._is_busy() else 0.02)
        return self._drain()

    def _is_busy(self) -> bool:
        return self.writer.rows > 0 or self._rejected.waiting > 0

    def _must_hold(self, now: float) -> bool:
        """From full to half: whoever reads on at the first free place makes batches of a row or two."""
        if self.writer.is_full() or self._rejected.waiting >= self._settings.most_rows:
            self._held_since = self._held_since or now
        elif self.writer.is_eased():
            self._held_since = None
        return self._held_since is not None

    def _step(self, now: float, flush: bool = False) -> None:
        self.writer.step(now, flush, self._is_behind)
        self._rejected.step(now)
        self._topic.tick(now)

    def _wait_for_room(self, now: float) -> None:
        if now - (self._held_since or now) < PATIENT_S:
            self.writer.wait(0.05, now)
            return
        if not self._topic.is_paused:
            self._topic.pause()
        self._read(0.05)  # what was on its way still comes

    def _read(self, seconds: float) -> None:
        message = self._topic.poll(seconds)
        for _ in range(BURST):
            self._is_behind = message is not None
            if message is None:
                return
            self._take(message)
            message = self._topic.poll(0)
        if message is not None:
            self._take(message)

    def _take(self, message: object) -> None:
        kind, time_ms = message.timestamp()  # type: ignore[attr-defined]
        source = records.Source(
            message.key(), records.read_headers(message.headers()),  # type: ignore[attr-defined]
            time_ms * 1000 if kind else None, time.time_ns() // 1000,
        )  # fmt: skip
        found = records.read(message.value(), source)  # type: ignore[attr-defined]
        rows = [each for each in found if isinstance(each, records.Row)]
        refused = [each for each in found if isinstance(each, records.Refused)]
        record = self._topic.begin(message, len(rows) + (1 if refused else 0))
        self._metrics.add("records_total")
        self._metrics.add("tombstones_total", not found)
        now = time.monotonic()
        for row in rows:
            self.writer.add(row, record, now)
        if refused:
            more = f" ({len(refused)} of {len(found)} elements)" if len(found) > 1 else ""
            self._rejected.keep(record, refused[0].reason, refused[0].detail + more)

    def _drain(self) -> bool:
        log.info("ending: %d rows and %d rejected records are under way", self.writer.rows, self._rejected.waiting)
        deadline = time.monotonic() + self._settings.drain_timeout_s
        while self._is_busy() and time.monotonic() < deadline:
            self._step(time.monotonic(), flush=True)
            self.writer.wait(0.02, time.monotonic())
        is_done = not self._is_busy()
        if not is_done:
            log.error(
                "%d rows and %d rejected records are not kept yet, and will be read again",
                self.writer.rows,
                self._rejected.waiting,
            )
        is_done = self._topic.commit() and is_done
        self.close()
        return is_done

    def close(self) -> None:
        self._topic.close()
        self._rejected.close()


def connect(settings: Settings, signals: Signals, trouble: Callable[[str], None]) -> Table | None:
    """For as long as it takes; None when a signal comes. Unsafe when it is reached and not as it must be."""
    attempts = 0
    while not signals.came:
        table = None
        try:
            table = Table(settings)
            if settings.create_schema:
                table.create()
            else:
                table.prepare()
            return table
        except Unsafe:
            table.close()  # type: ignore[union-attr]
            raise
        except Exception as error:  # whatever the driver, the resolver and TLS raise
            if table:
                table.close()
            attempts += 1
            trouble(f"Cassandra is not reached: {error}")
            if settings.create_schema and (kind_of(error) is not Kind.AWAY or attempts == CREATE_ATTEMPTS):
                raise Unsafe(f"the schema is not made: {error}") from error
            if attempts == 1 or attempts % 10 == 0:
                log.log(
                    logging.ERROR if kind_of(error) is Kind.SETUP else logging.WARNING,
                    "not reached yet: %s",
                    str(error)[:500],
                )
            until = time.monotonic() + backoff_s(attempts)
            while not signals.came and time.monotonic() < until:
                time.sleep(0.05)
    return None


def run(settings: Settings) -> int:
    signals = Signals()
    measured = Metrics()
    trouble = ["not connected yet"]
    parts: list[Consumer] = []

    def why_not_ready() -> str:
        return parts[0].trouble() if parts else trouble[0]

    fault = "" if settings.create_schema else check_properties(settings)
    if fault:
        print(f"{PROGRAM}: --kafka-config: {fault}", file=sys.stderr)
        return 2
    try:
        tls(settings)
    except OSError as error:
        print(f"{PROGRAM}: --ca-file, --cert-file, --key-file: {error}", file=sys.stderr)
        return 2

    if settings.metrics_listen and not settings.create_schema:
        try:
            metrics.serve(settings.metrics_listen, measured, why_not_ready)
        except OSError as error:
            print(f"{PROGRAM}: --metrics-listen: {error.strerror}", file=sys.stderr)
            return 2
    try:
        table = connect(settings, signals, lambda text: trouble.__setitem__(0, text))
        if not table or settings.create_schema:
            return 0 if table or not settings.create_schema else 1
        log.info("connected to Cassandra; reads %s as the group %s", settings.source.topic, settings.source.group)
        parts.append(Consumer(settings, table, measured, signals))
        is_done = parts[0].run()
        table.close()
        return 0 if is_done else 1
    except (Unsafe, Lost) as error:
        log.error("%s", error)
        return 1


def main() -> int:
    settings = settings_.parse()
    start_log()
    return run(settings)


if __name__ == "__main__":
    gc.set_threshold(
        50_000, 20, 100
    )  # tens of thousands of rows live for seconds: looking through them was a sixth of the time
    status = main()
    logging.shutdown()
    os._exit(status)  # the driver's threads may outlive an end of theirs for seconds
