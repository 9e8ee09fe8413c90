"""Rows on their way into the table: gathered, sent, tried again, or set aside.

Shape    rows come with the record they belong to (progress.py); each ends its record once, when Cassandra has
         acknowledged it, or Kafka has it among the rejected. Nothing else ends a row, so nothing is lost silently:
         what cannot be ended keeps its offset from being committed, and is tried again for as long as it takes.
Threads  answers come in a thread of the driver's and are only put into a queue there. All else is the caller's.
Time     is an argument, so tests need no sleep.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from batches import Batch, Gatherer
from errors import Kind, backoff_s, kind_of, name_of
from metrics import Metrics
from progress import Record
from records import Row, shown

log = logging.getLogger("highwater.cassandra")

COMPLAINT_EVERY_S = 30.0
PATIENCE_BEHIND = 5.0


class WritesTo(Protocol):
    """What a writer needs of a Table."""

    def statement(self, rows: list[Row]) -> object: ...
    def send(self, statement: object, on_done: Callable[[BaseException | None], None]) -> None: ...
    def check_statement(self) -> None: ...


SetAside = Callable[[Record, str, str], None]  # ends one of the record's when it is kept


class Writer:
    def __init__(
        self, table: WritesTo, set_aside: SetAside, metrics: Metrics, gatherer: Gatherer, in_flight: int, most_rows: int
    ) -> None:
        self._table = table
        self._set_aside = set_aside
        self._metrics = metrics
        self._gatherer = gatherer
        self._most_in_flight = in_flight
        self._most_rows = most_rows
        self._ready: deque[Batch] = deque()
        self._later: list[tuple[float, int, Batch]] = []
        self._order = itertools.count()
        self._in_flight = 0
        self._answers: queue.SimpleQueue[tuple[Batch, BaseException | None]] = queue.SimpleQueue()
        self._trouble_since: float | None = None
        self._complaint_due = 0.0
        self.rows = 0  # that came and are not ended
        self.trouble = ""  # why nothing is written at present

    # --- In ---

    def add(self, row: Row, record: Record, now: float) -> None:
        self.rows += 1
        self._ready.extend(self._gatherer.add(row, record, now))

    def is_full(self) -> bool:
        return self.rows >= self._most_rows

    def is_eased(self) -> bool:
        """Half of it is free again."""
        return self.rows <= self._most_rows // 2

    # --- On ---

    def step(self, now: float, flush: bool = False, is_behind: bool = False) -> None:
        """Takes answers, sends what is due. `flush`: what is gathered is due, too. `is_behind`: more rows are there to be
        read, so batches may as well become fuller."""
        while not self._answers.empty():
            self._take(*self._answers.get(), now)
        patience = PATIENCE_BEHIND if is_behind else 1.0
        self._ready.extend(self._gatherer.all() if flush or self.is_full() else self._gatherer.due(now, patience))
        while self._later and self._later[0][0] <= now:
            self._ready.append(heapq.heappop(self._later)[2])
        while self._ready and self._in_flight < self._most_in_flight:
            self._send(self._ready.popleft(), now)
        self._metrics.set("rows_waiting", self.rows)
        self._metrics.set("requests_in_flight", self._in_flight)

    def wait(self, seconds: float, now: float) -> None:
        """Until an answer comes, or for so long."""
        try:
            self._take(*self._answers.get(timeout=seconds), now)
        except queue.Empty:
            pass

    def _send(self, batch: Batch, now: float) -> None:
        try:
            batch.statement = batch.statement or self._table.statement(batch.rows)
        except (TypeError, ValueError, OverflowError) as error:
            self._refused(batch, error, now)
            return
        self._in_flight += 1
        self._metrics.add("requests_total")
        try:
            self._table.send(batch.statement, lambda error: self._answers.put((batch, error)))
        except Exception as error:  # the driver's own, such as a session that is shut down
            self._answers.put((batch, error))

    # --- Answers ---

    def _take(self, batch: Batch, error: BaseException | None, now: float) -> None:
        self._in_flight -= 1
        if error is None:
            self._written(batch, now)
        elif kind_of(error) is Kind.REFUSED:
            self._refused(batch, error, now)
        else:
            self._try_again(batch, error, now)

    def _written(self, batch: Batch, now: float) -> None:
        for record in batch.records:
            record.end_one()
        self.rows -= len(batch.rows)
        self._metrics.add("rows_written_total", len(batch.rows))
        if self._trouble_since is not None:
            log.info("rows are written again, after %.1f s", now - self._trouble_since)
            self._trouble_since, self.trouble = None, ""
            self._metrics.set("up", 1)

    def _try_again(self, batch: Batch, error: BaseException, now: float) -> None:
        batch.attempts += 1
        heapq.heappush(self._later, (now + backoff_s(batch.attempts), next(self._order), batch))
        self._metrics.add("retries_total", error=name_of(error))
        self.trouble = f"{name_of(error)}: {str(error)[:300]}"
        self._metrics.set("up", 0)
        if self._trouble_since is None:
            self._trouble_since = self._complaint_due = now
        if now >= self._complaint_due:
            self._complaint_due = now + COMPLAINT_EVERY_S
            level = logging.ERROR if kind_of(error) is Kind.SETUP else logging.WARNING
            log.log(level, "writes fail and are tried again: %s", self.trouble)

    def _refused(self, batch: Batch, error: BaseException, now: float) -> None:
        """A statement that can never be done: because of one row, which is found, or of the table. A row is at fault
        if it is refused between two looks that find nothing wrong with the table, which may just have come back."""
        if len(batch.rows) > 1:
            self._ready.extendleft(batch.singles())
            return
        try:
            self._table.check_statement()
        except Exception as fault:  # whatever it is, it is not the row's
            batch.is_checked = False
            self._try_again(batch, fault, now)
            return
        if not batch.is_checked:
            batch.is_checked = True
            self._ready.appendleft(batch)
            return
        row, record = batch.rows[0], batch.records[0]
        log.error("a reading of %s is refused and set aside: %s", shown(row.device), str(error)[:300])
        self.rows -= 1
        self._set_aside(record, "refused_by_database", str(error)[:500])


def from_settings(settings: Any, table: WritesTo, set_aside: SetAside, metrics: Metrics) -> Writer:
    gatherer = Gatherer(settings.batch_size, settings.batch_bytes, settings.linger_s)
    return Writer(table, set_aside, metrics, gatherer, settings.in_flight, settings.most_rows)
