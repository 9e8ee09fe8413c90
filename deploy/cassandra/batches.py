"""Rows gathered into batches of one partition of the table each, of bounded size.

A batch of one partition is one mutation: no log, no coordinator of several nodes, and for a row a fraction
of what a statement of its own costs. Waiting makes batches larger, so rows wait a moment (`linger`), unless
their batch is full or too many wait.
"""

from __future__ import annotations

from collections.abc import Iterator

from progress import Record
from records import Row

ROW_BYTES = 60  # of what is not text, about


class Batch:
    """Rows of one device and day, each with the record it came in."""

    __slots__ = ("attempts", "began", "bytes", "is_checked", "records", "rows", "statement")

    def __init__(self, began: float) -> None:
        self.began = began
        self.rows: list[Row] = []
        self.records: list[Record] = []
        self.bytes = 0
        self.attempts = 0
        self.statement: object = None  # made once, however often it is sent
        self.is_checked = False  # the table was as it should be when it was sent

    def add(self, row: Row, record: Record, size: int) -> None:
        self.rows.append(row)
        self.records.append(record)
        self.bytes += size

    def singles(self) -> Iterator[Batch]:
        """Each row by itself."""
        for row, record in zip(self.rows, self.records):
            batch = Batch(self.began)
            batch.add(row, record, row_bytes(row))
            yield batch


def row_bytes(row: Row) -> int:
    return ROW_BYTES + len(row.device) + sum(20 + len(name) for name in row.features)


class Gatherer:
    """Batches that are open yet; at most one for a device and day."""

    def __init__(self, most_rows: int, most_bytes: int, linger_s: float) -> None:
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        self._linger_s = linger_s
        self._open: dict[tuple[str, int], Batch] = {}

    def add(self, row: Row, record: Record, now: float) -> list[Batch]:
        """Returns what is full by now."""
        key = row.device, row.day
        size = row_bytes(row)
        full = []
        batch = self._open.get(key)
        if batch and batch.bytes + size > self._most_bytes:
            full.append(self._open.pop(key))
            batch = None
        if not batch:
            batch = self._open[key] = Batch(now)
        batch.add(row, record, size)
        if len(batch.rows) >= self._most_rows:
            full.append(self._open.pop(key))
        return full

    def due(self, now: float, patience: float = 1.0) -> list[Batch]:
        """Those that have waited long enough, so many times `linger`: the oldest stand first."""
        found = []
        for key, batch in self._open.items():
            if now - batch.began < self._linger_s * patience:
                break
            found.append(key)
        return [self._open.pop(key) for key in found]

    def all(self) -> list[Batch]:
        found = list(self._open.values())
        self._open.clear()
        return found

    def __len__(self) -> int:
        return len(self._open)
