"""Boards, histograms, pages and plots of a running stack, held against what was published.

    with Exactness(...) as exact:      # asks and listens all the while
        ...
    exact.differences()                # sentences; none is what a test wants
    exact.settled_differences()        # once everything has arrived: every kind of question, for every device
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import psycopg2

from board_oracle import HIGHEST, LOWEST, Facts, entry_of_json, of_collector, shown_features
from http_tools import Stream
from oracle import Listener, Received, now_us, to_us
from published import Eras, Ledger, Sender, Settings
from questions import Judge, Questioner
from servers import until

MOST_JUDGED = 400  # boards of each kind: MQTT, statuses, events
GRID_US = 100_000  # every as-of of a board is a multiple
DAY_US = 86_400_000_000


class Exactness:
    """Asks a running stack questions, notes its boards, and judges all of it later.

    `owner_of(topic)` names the collector that a topic goes to, `settings()` are httpapi's now, `eras` those of the
    collectors; `intervals` are the lengths, in seconds, of all names that are ever used; `has_retention()`: readings
    of before yesterday may be dropped; without `heeds_boards` only SQL is judged.
    """

    def __init__(
        self,
        stack: Any,
        rng: random.Random,
        publishers: Sequence[Sender],
        eras: Eras,
        settings: Callable[[], Settings],
        devices: Sequence[str],
        features: Sequence[str],
        intervals: dict[str, int | None],
        owner_of: Callable[[str], str] = lambda _topic: "collector",
        has_retention: Callable[[], bool] = lambda: False,
        pause_s: float = 0.2,
        heeds_boards: bool = True,
    ) -> None:
        self.ledger = Ledger(publishers, eras, owner_of)
        self.questioner = Questioner(rng, stack, settings, devices, self._some_moments)
        self.judged: Counter[str] = Counter()  # by what they came from
        self._stack = stack
        self._rng = rng
        self._publishers = publishers
        self._eras = eras
        self._settings = settings
        self._features = features
        self._intervals = intervals
        self._has_retention = has_retention
        self._pause_s = pause_s
        self._heeds_boards = heeds_boards
        self._listener: Listener | None = None
        self._events: list[tuple[Settings, Stream]] = []
        self._learning = threading.Lock()
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    # --- While it runs

    def __enter__(self) -> Exactness:
        self._listener = self._stack.listen("collectors/+/boards/#", "collectors/+/status")
        for work in (self._ask, self._stream, self._learn_old):
            thread = threading.Thread(target=self._guarded, args=(work,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)
        for _settings, stream in self._events:
            stream.close()
        self.questioner.snapshots.close()
        assert not self._failures, self._failures

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            while not self._ended.is_set():
                work()
        except BaseException as failure:
            self._failures.append(failure)

    def _some_moments(self) -> list[int]:
        """Times of readings that were published lately."""
        messages = self._publishers[0].messages[-2000:]
        return [to_us_of(m.payload) for m in self._rng.sample(messages, min(len(messages), 5))]

    def _ask(self) -> None:
        self.questioner.ask()
        self._ended.wait(self._pause_s)

    def _stream(self) -> None:
        """One stream of events at a time, and another when it ends."""
        settings = self._settings()
        with contextlib.suppress(OSError, EOFError, AssertionError):
            order = self._rng.choice([HIGHEST, LOWEST])
            stream = Stream(self._stack.http_port, f"/events?order={order}")
            if self._settings() is settings:
                self._events.append((settings, stream))
            started = time.monotonic()
            while not (self._ended.is_set() or stream.is_over) and time.monotonic() - started < 20:
                self._ended.wait(0.2)
            stream.close()
        self._ended.wait(0.2)

    def _learn_old(self) -> None:
        """What RETENTION may drop is read before it does."""
        with contextlib.suppress(psycopg2.Error):
            with self._learning:
                self.ledger.learn(self._stack.database, self._features, now_us() - DAY_US)
        self._ended.wait(5)

    # --- Afterwards

    def differences(self) -> list[str]:
        """Of everything that was seen so far, judged by what the tables say of arrivals now."""
        self.learn()
        if self._has_retention():
            self.ledger.droppable_before_us = now_us() - DAY_US
        judge = self.judge()
        found = [error for answer in self.questioner.answers for error in judge.errors(answer)]
        self.judged.update(answer.source or str(answer.status) for answer in self.questioner.answers)
        self.questioner.answers.clear()
        found += self._event_differences(judge)
        return found + (self._board_differences(judge.facts) if self._heeds_boards else [])

    def learn(self) -> None:
        with self._learning:
            self.ledger.learn(self._stack.database, self._features)

    def judge(self) -> Judge:
        facts = Facts([*self.ledger.facts.values(), *self.ledger.perhaps_dropped()])
        vouching = self._vouching()

        def at(us: int, by_us: int) -> set[str]:
            return {owner for owner, said_us in vouching[us].items() if said_us <= by_us}

        return Judge(facts, self.questioner.snapshots, at, self._intervals, self.ledger.droppable_before_us)

    def _vouching(self) -> dict[int, dict[str, int]]:
        """By moment, the collectors that vouched for some board at it, and when each first said so."""
        vouching: dict[int, dict[str, int]] = defaultdict(dict)
        for one in list(self._listener.received) if self._listener else []:
            if one.topic.endswith("/status") and one.payload and (status := one.json()).get("generations"):
                for us in range(to_us(status["since"]), to_us(status["asOf"]) + 1, GRID_US):
                    vouching[us].setdefault(one.topic.split("/")[1], one.at_us)
        return vouching

    def _some(self, what: str, items: list[Any]) -> list[Any]:
        """At random, but always the last ones."""
        if len(items) > MOST_JUDGED:
            items = [*self._rng.sample(items[:-20], MOST_JUDGED - 20), *items[-20:]]
        self.judged[what] += len(items)
        return items

    def _event_differences(self, judge: Judge) -> list[str]:
        seen = [(settings, event) for settings, stream in self._events for event in stream.of("board")]
        found = []
        for settings, event in self._some("events", seen):
            ago_s = time.monotonic() - event["at"]  # first: what passes in between must not put it back
            seen_us = now_us() - int(ago_s * 1e6)
            found += judge.event_errors(event["data"], settings, seen_us)
        self._events.clear()
        return found

    def _board_differences(self, facts: Facts) -> list[str]:
        """What was published as a board, at its own moment; and what a status vouched for, at its moments."""
        assert self._listener is not None
        boards: list[Received] = []
        claims: list[tuple[str, int, Received]] = []  # what a status said of a board: who, when, which
        versions: dict[tuple[str, int], Received] = {}
        found = []
        received = [r for r in list(self._listener.received) if r.payload]
        for one in received:
            document = one.json()
            if "/boards/" in one.topic:
                boards.append(one)
                versions[one.topic, document.get("generation", 0)] = one
            elif document.get("generations"):
                for topic, generation in _vouched(one.topic.split("/")[1], document):
                    # One may have been lost with the connection: nobody can rely on what never came.
                    if board := versions.get((topic, generation)):
                        claims += [(one.topic, to_us(document[name]), board) for name in ("since", "asOf")]
        for board in self._some("MQTT", boards):
            found += self._board_errors(facts, board, to_us(board.json()["asOf"]), "published")
        for status_topic, moment_us, board in self._some("vouched for", claims):
            found += self._board_errors(facts, board, moment_us, f"vouched for by {status_topic}")
        return found

    def _board_errors(self, facts: Facts, board: Received, as_of_us: int, how: str) -> list[str]:
        document = board.json()
        if document.get("exact") is False:
            return []
        owner = board.topic.split("/")[1]
        settings = self._eras.settings_at(owner, as_of_us)
        length_s = self._intervals[document["interval"]]
        features = shown_features(document["readings"])
        errors = facts.board_errors(
            [entry_of_json(entry, features) for entry in document["readings"]],
            features,
            document["feature"],
            document["order"],
            None if length_s is None else length_s * 1_000_000,
            as_of_us,
            of_collector(owner, as_of_us, board.at_us),
            settings.limit,
        )
        return [f"{board.topic}, {how}: {error}" for error in errors]

    def settled_differences(self, some_devices: int | None = None, timeout: float = 30.0) -> list[str]:
        """Everything has arrived, so every answer is exact. Boards must answer again, and not SQL for good. All
        devices are asked about, or some."""
        self.learn()
        latest_us = max(f.received_us for f in self.ledger.facts.values())
        last: Any = None

        def answers_from_boards() -> bool:
            nonlocal last
            last = self.questioner.ask(("board", "/dashboard", {}))
            source = "boards" if self._heeds_boards else "database"
            return last is not None and last.source == source and last.as_of_us >= latest_us

        found = []
        try:
            until(answers_from_boards, timeout, "boards (or SQL) answer as of a moment after the last arrival")
        except AssertionError as failure:
            found.append(f"{failure}: {last}; {self._stack.get('/collectors')[2]!r}")
        self.questioner.answers.clear()
        for question in self.questioner.every_kind(some_devices):
            answer = self.questioner.ask(question)
            if answer is None or answer.status != 200:
                found.append(f"no answer: {question} {answer}")
        return found + self.differences()


def _vouched(owner: str, status: dict[str, Any]) -> list[tuple[str, int]]:
    """(topic, generation) of each board that a status vouches for, in the contract's order."""
    orders = ["", "/lowest"] if status.get("lowest") else [""]
    topics = [
        f"collectors/{owner}/boards/{feature}/{interval['name']}{order}"
        for feature in status["features"]
        for order in orders
        for interval in status["intervals"]
    ]
    return [(topic, generation) for topic, generation in zip(topics, status["generations"], strict=True) if generation]


def report(differences: Sequence[str]) -> str:
    """How many of each kind, and of each the shortest."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for difference in differences:
        kinds[_kind(difference)].append(difference)
    return "\n".join(
        f"{len(some)} times {kind}; the shortest:\n  {min(some, key=len)}" for kind, some in sorted(kinds.items())
    )


def _kind(difference: str) -> str:
    """Where it was seen, and who answered."""
    place = difference.split("\n")[0].split(": ")[0].partition("?")[0]
    parts = [part if part in _KNOWN_PARTS else "*" for part in place.split(", ")[0].split("/")]
    source = next((name for name in ("(boards)", "(database)", "vouched", "published") if name in difference), "")
    return f"{'/'.join(parts)} {source}"


_KNOWN_PARTS = {"", "dashboard", "devices", "histogram", "readings", "events", "collectors", "boards", "lowest"}


def to_us_of(payload: bytes) -> int:
    """The time in a message, or now when it has none."""
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):
        document = json.loads(payload)
        return to_us((document[0] if isinstance(document, list) else document)["timestamp"])
    return now_us()
