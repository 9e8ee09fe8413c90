"""How far a partition of the topic is done: the offset that may be committed.

Records end in any order, and a record may be several rows. What is committed is the offset before which
everything is done, so whoever goes on from there misses nothing. Each assignment of a partition begins a Progress
of its own; what ends late, after the partition has gone to another member, ends in the old one and moves nothing.
"""

from __future__ import annotations

from collections import deque
from typing import Any


class Record:
    """One that was read and is not done; `message` is kept so that it can be set aside whole."""

    __slots__ = ("message", "offset", "open")

    def __init__(self, offset: int, message: Any) -> None:
        self.offset = offset
        self.message = message
        self.open = 0  # rows, and copies set aside, that are not acknowledged

    def end_one(self) -> None:
        assert self.open > 0, "a row was acknowledged twice"
        self.open -= 1
        if self.open == 0:
            self.message = None


class Progress:
    """Of one partition, while it is ours."""

    def __init__(self) -> None:
        self._records: deque[Record] = deque()
        self._position: int | None = None
        self.committed: int | None = None

    def begin(self, offset: int, message: Any, rows: int) -> Record:
        """In the order of the log; every row is to be ended."""
        record = Record(offset, message)
        record.open = rows
        self._records.append(record)
        return record

    def position(self) -> int | None:
        """The first offset that is not done, None while none is."""
        while self._records and self._records[0].open == 0:
            self._position = self._records.popleft().offset + 1
        return self._position

    def to_commit(self) -> int | None:
        """The position, if it has moved since the last commit."""
        position = self.position()
        return position if position != self.committed else None

    def first_open(self) -> int | None:
        """The same, from the first record on."""
        position = self.position()
        return self._records[0].offset if position is None and self._records else position
