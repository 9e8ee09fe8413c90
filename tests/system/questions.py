"""Questions to httpapi, at random, and the oracle's judgement of the answers.

They are asked while anything may happen and judged later, when the tables have said what had arrived by
then. An answer is right, or it is a 503.
"""

from __future__ import annotations

import bisect
import contextlib
import csv
import http.client
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlencode

import psycopg2

from board_oracle import (
    HIGHEST,
    LOWEST,
    Facts,
    View,
    device_errors,
    devices_errors,
    entry_of_json,
    of_boards,
    out_of_sql,
    page_errors,
    points_errors,
    status_errors,
    value_histogram_errors,
)
from oracle import Database, now_us, to_text, to_us
from published import Fact, Settings

DURATIONS = (2, 7, 45, 90)  # s, which no collector keeps, so SQL must answer
MOST_PAGES = 60


@dataclass
class Answer:
    """What was asked, what was known then, and what was said."""

    kind: str
    path: str
    parameters: dict[str, Any]
    settings: Settings  # of httpapi
    asked_us: int
    answered_us: int = 0
    status: int = 0
    as_of_us: int = 0
    source: str = ""
    document: Any = None
    pages: list[Any] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.status}, as of {to_text(self.as_of_us)} ({self.source}), asked"
            f" {to_text(self.asked_us)}, answered {(self.answered_us - self.asked_us) / 1e6:.3f} s later"
        )


class Snapshots:
    """Which transactions were over, and when: what SQL says later than that must know what they stored."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Any = None
        self._times_us = [0]
        self._before_xids = [0]

    def take(self) -> None:
        """Nothing while PostgreSQL is away: what it said last stays true."""
        try:
            if self._connection is None:
                self._connection = psycopg2.connect(self._database.superuser_url, connect_timeout=1)
                self._connection.autocommit = True
            with self._connection.cursor() as cursor:
                # Not xmax and the list of what is open: rows that a subtransaction stored have its number.
                cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
                self._before_xids.append(cursor.fetchone()[0])
                self._times_us.append(now_us())
        except psycopg2.Error:
            self.close()

    def committed_before(self, us: int) -> int:
        """Every transaction below was over by then."""
        return self._before_xids[bisect.bisect_right(self._times_us, us) - 1]

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None


class Questioner:
    """Asks one question after the other. `moments()` are times that readings have, for edges that hit."""

    def __init__(
        self,
        rng: random.Random,
        stack: Any,
        settings: Callable[[], Settings],
        devices: Sequence[str],
        moments: Callable[[], Sequence[int]],
    ) -> None:
        self.rng = rng
        self.answers: list[Answer] = []
        self._stack = stack
        self._settings = settings
        self._devices = devices
        self._moments = moments
        self.snapshots = Snapshots(stack.database)

    # --- What to ask

    def _device(self) -> str:
        return f"/devices/{quote(self.rng.choice(self._devices), safe='')}"

    def _span(self) -> dict[str, Any]:
        """from and to: of readings, between them, or not given."""
        moments = sorted(self.rng.choice(list(self._moments()) or [now_us()]) + self.rng.randrange(-1, 2) for _ in "ft")
        if self.rng.random() < 0.3:
            moments[0] -= self.rng.choice([60_000_000, 3_600_000_000, 30 * 86_400_000_000])
        if moments[0] == moments[1]:
            moments[1] += 1
        chosen = {"from": moments[0], "to": moments[1]}
        return {name: us for name, us in chosen.items() if self.rng.random() < 0.7}

    def _question(self, settings: Settings) -> tuple[str, str, dict[str, Any]]:
        kinds = {"board": 10, "device": 2, "devices": 1, "statuses": 2, "values": 1, "pages": 1, "csv": 1, "points": 2}
        return self.of_kind(self.rng.choices(list(kinds), list(kinds.values()))[0], settings)

    def of_kind(self, kind: str, settings: Settings) -> tuple[str, str, dict[str, Any]]:
        rng = self.rng
        fleet_or_device = rng.choice(["", self._device()])
        if kind == "board":
            some = rng.sample(settings.features, rng.randint(1, len(settings.features)))
            intervals = [name for name, _ in settings.intervals]
            parameters = {
                "features": ",".join(some),
                "interval": rng.choice([*intervals, *intervals, f"{rng.choice(DURATIONS)}s"]),
                "order": rng.choice([HIGHEST, HIGHEST, LOWEST]),
                "limit": rng.choice([settings.limit, rng.randint(1, 2 * settings.limit)]),
            }
            if rng.random() < 0.3:
                parameters.update(self._span())
            return kind, "/dashboard", parameters
        if kind == "device":
            return kind, self._device(), {}
        if kind == "devices":
            return kind, "/devices", {"limit": rng.choice([3, 100]), "after": rng.choice([*(f"0_{name}" for name in self._devices), ""])}
        if kind == "statuses":
            parameters = rng.choice([{}, self._span(), {"interval": rng.choice(["45s", "1h"])}])
            return kind, f"{fleet_or_device}/histogram", parameters
        if kind == "values":
            chosen = {"feature": rng.choice(settings.features), "bins": rng.randint(1, 30)}
            return kind, f"{fleet_or_device}/distribution", {**chosen, **self._span()}
        span = self._span()
        if kind == "points":
            points = rng.choice([1, 7, 50, 500])
            if rng.random() < 0.4:  # steps of a round length that begin anywhere
                step_us = rng.choice([1, 60, 1800, 3600, 5400, 86400]) * 1_000_000 - rng.choice([0, 0, 1])
                ends = rng.choice(list(self._moments()) or [now_us()]) // 1_000_000 * 1_000_000
                span = {"from": ends - points * step_us, "to": ends}
            return kind, f"{self._device()}/points", {"points": points, **span}
        parameters = {"order": rng.choice([HIGHEST, LOWEST]), **span}
        if kind == "csv":
            return kind, f"{self._device()}/readings", {"format": "csv", **parameters}
        return kind, f"{self._device()}/readings", {"limit": rng.choice([7, 100, 1000]), **parameters}

    # --- Asking

    def ask(self, question: tuple[str, str, dict[str, Any]] | None = None) -> Answer | None:
        """One question and its answer; None when httpapi is not there, or was restarted meanwhile."""
        settings = self._settings()
        kind, path, parameters = question or self._question(settings)
        self.snapshots.take()
        answer = Answer(kind, _target(path, parameters), parameters, settings, now_us())
        try:
            self._fetch(answer, path)
        except (OSError, http.client.HTTPException):
            return None  # refused, reset, or torn: said by a process that is killed
        answer.answered_us = now_us()
        if self._settings() is not settings:
            return None
        self.answers.append(answer)
        return answer

    def _fetch(self, answer: Answer, path: str) -> None:
        target = answer.path
        while True:
            answer.status, headers, body = self._stack.get(target)
            if answer.status != 200:
                answer.document = body
                return
            if not answer.pages:
                answer.as_of_us = to_us(headers["X-Data-As-Of"])
                answer.source = headers["X-Data-Source"]
            if answer.kind == "csv":
                answer.document = body.decode()
                return
            answer.document = json.loads(body)
            if answer.kind != "pages":
                return
            answer.pages.append(answer.document)
            following = answer.document["next"]
            if following is None or len(answer.pages) == MOST_PAGES:
                return
            target = _target(path, {**answer.parameters, "after": following})

    def every_kind(self, some_devices: int | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Each board, and every other kind of question for each device, or for so many."""
        settings = self._settings()
        for interval in [name for name, _ in settings.intervals]:
            for order in (HIGHEST, LOWEST):
                yield "board", "/dashboard", {"interval": interval, "order": order}
        yield "statuses", "/histogram", {}
        yield "devices", "/devices", {"limit": 100, "after": ""}
        for feature in settings.features:
            yield "values", "/distribution", {"feature": feature, "bins": 20}
        for device in self.rng.sample(self._devices, some_devices or len(self._devices)):
            path = f"/devices/{quote(device, safe='')}"
            yield "device", path, {}
            yield "statuses", f"{path}/histogram", {}
            yield "values", f"{path}/distribution", {"feature": self.rng.choice(settings.features), "bins": 20}
            yield "points", f"{path}/points", {"points": self.rng.choice([1, 10, 300])}
            yield self.of_kind("points", settings)
            order = self.rng.choice([HIGHEST, LOWEST])
            yield "pages", f"{path}/readings", {"order": order, "limit": self.rng.choice([50, 1000])}
            yield "csv", f"{path}/readings", {"format": "csv", "order": order}


def _target(path: str, parameters: dict[str, Any]) -> str:
    texts = {k: to_text(v) if k in ("from", "to") else v for k, v in parameters.items()}
    return f"{path}?{urlencode(texts)}" if texts else path


# --- Judging ---------------------------------------------------------------------------------------


class Judge:
    """Holds answers against the facts; what RETENTION may have dropped before `droppable_before_us` may be missing
    from what is answered out of readings, and from nothing else. `vouching(us, by_us)`: who had vouched for a
    moment by another."""

    def __init__(
        self,
        facts: Facts,
        snapshots: Snapshots,
        vouching: Callable[[int, int], Set[str]],
        intervals: dict[str, int | None],
        droppable_before_us: int,
    ) -> None:
        self.facts = facts
        self._snapshots = snapshots
        self._vouching = vouching
        self._intervals = intervals
        self._droppable_before_us = droppable_before_us

    def errors(self, answer: Answer) -> list[str]:
        """Sentences, each with its answer."""
        try:
            return [f"{answer}\n    {error}" for error in self._errors(answer)]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            return [f"{answer}\n    cannot be read: {error!r}: {str(answer.document)[:500]}"]

    def view(self, answer: Answer) -> View:
        before_xid = self._snapshots.committed_before(answer.as_of_us or answer.asked_us)
        if answer.source == "boards":
            return of_boards(answer.as_of_us, self._vouching(answer.as_of_us, answer.answered_us), before_xid)
        return out_of_sql(before_xid, answer.answered_us)

    def _errors(self, answer: Answer) -> list[str]:
        if answer.status == 503:
            return []
        view = self.view(answer)
        if answer.status == 410 and answer.kind == "board" and self._asked_span(answer)[0] < self._droppable_before_us:
            return []
        if answer.status == 404 and answer.path.startswith("/devices/"):
            return [f"404, with {len(must)} readings"] if (must := view.split(self._asked(answer))[0]) else []
        if answer.status != 200:
            return [f"{answer.document!r}"]
        errors = [] if answer.as_of_us <= answer.answered_us else ["the as-of is in the future"]
        return errors + getattr(self, f"_{answer.kind}")(answer, view)

    def _device_id(self, answer: Answer) -> str | None:
        path = answer.path.partition("?")[0].split("/")
        return unquote(path[2]) if path[1] == "devices" else None

    def _asked(self, answer: Answer) -> list[Fact]:
        """The facts in the span of time that was asked about."""
        span = {f"{name}_us": answer.parameters[name] for name in ("from", "to") if name in answer.parameters}
        if "interval" in answer.parameters and answer.kind != "board":
            span["from_us"] = answer.as_of_us - self._length_us(answer.parameters["interval"]) + 1
        return self.facts.span(device_id=self._device_id(answer), **span)

    def _asked_span(self, answer: Answer) -> tuple[int, int]:
        return answer.parameters.get("from", -(2**62)), answer.parameters.get("to", 2**62)

    def _length_us(self, interval: str) -> Any:
        if interval in self._intervals:
            length = self._intervals[interval]
            return None if length is None else length * 1_000_000
        return int(interval[:-1]) * {"s": 1, "m": 60, "h": 3600}[interval[-1]] * 1_000_000

    def _of_readings(self, view: View) -> View:
        return view.after_drops(self._droppable_before_us)

    def _board(self, answer: Answer, view: View) -> list[str]:
        asked = answer.parameters.get("features")
        names = asked.split(",") if asked else list(answer.settings.features)
        errors = [] if sorted(answer.document) == sorted(names) else [f"has {sorted(answer.document)}"]
        order = answer.parameters.get("order", HIGHEST)
        limit = answer.parameters.get("limit", answer.settings.limit)
        length_us = self._length_us(answer.parameters.get("interval", "past_minute"))
        span = self._asked_span(answer) if answer.parameters.keys() & {"from", "to"} else None
        shown = list(answer.settings.features)
        for name in sorted(answer.document):
            entries = [entry_of_json(entry, shown) for entry in answer.document[name]]
            errors += self.facts.board_errors(entries, shown, name, order, length_us, answer.as_of_us, view, limit, span)
        return errors

    def _device(self, answer: Answer, view: View) -> list[str]:
        device_id = self._device_id(answer)
        assert device_id is not None
        if answer.document["deviceId"] != device_id:
            return [f"is about {answer.document['deviceId']}"]
        statuses = self.facts.span(device_id=device_id)
        errors = [f"statuses: {error}" for error in status_errors(answer.document["statuses"], statuses, view)]
        return errors + device_errors(answer.document, answer.settings.features, self.facts, device_id, view)

    def _devices(self, answer: Answer, view: View) -> list[str]:
        entries, limit = answer.document["devices"], answer.parameters["limit"]
        errors = devices_errors(entries, self.facts, answer.parameters["after"].removeprefix("0_"), answer.as_of_us, view)
        if len(entries) > limit or (len(entries) < limit and answer.document["next"] is not None):
            errors.append(f"{len(entries)} of {limit}, and next {answer.document['next']!r}")
        return errors

    def _of_device(self, answer: Answer) -> Any:
        device_id = self._device_id(answer)
        return answer.document if device_id is None else answer.document[device_id]

    def _statuses(self, answer: Answer, view: View) -> list[str]:
        return status_errors(self._of_device(answer), self._asked(answer), view)

    def _values(self, answer: Answer, view: View) -> list[str]:
        feature, bins = answer.parameters["feature"], answer.parameters["bins"]
        facts, view = self._asked(answer), self._of_readings(view)
        return value_histogram_errors(answer.document, feature, bins, facts, view)

    def _pages(self, answer: Answer, view: View) -> list[str]:
        features = list(answer.settings.features)
        limit = answer.parameters["limit"]
        errors = [f"a page of {len(p['readings'])}" for p in answer.pages if len(p["readings"]) > limit]
        errors += ["a page that is not full is not the last" for p in answer.pages[:-1] if len(p["readings"]) < limit]
        rows = [entry_of_json(entry, features) for page in answer.pages for entry in page["readings"]]
        facts = self._asked(answer)
        if answer.pages[-1]["next"] is not None and rows:  # not walked to its end
            last_us, is_down = rows[-1].at_us, answer.parameters["order"] == HIGHEST
            facts = [f for f in facts if f.at_us != last_us and (f.at_us > last_us) == is_down]
            rows = [r for r in rows if r.at_us != last_us]
        return errors + page_errors(rows, features, answer.parameters["order"], facts, self._of_readings(view))

    def _csv(self, answer: Answer, view: View) -> list[str]:
        features = list(answer.settings.features)
        rows = []
        reader = csv.DictReader(io.StringIO(answer.document, newline=""))
        if (reader.fieldnames or [])[:3] != ["timestamp", "deviceId", "status"]:
            return [f"begins with {reader.fieldnames}"]
        for row in reader:
            texts: dict[str, Any] = {name: None if text == "" else text for name, text in row.items()}
            rows.append(entry_of_json(texts, features))
        return page_errors(
            rows, features, answer.parameters["order"], self._asked(answer), self._of_readings(view)
        )

    def _points(self, answer: Answer, view: View) -> list[str]:
        if answer.document["deviceId"] != self._device_id(answer):
            return [f"is about {answer.document['deviceId']}"]
        return points_errors(
            answer.document,
            answer.settings.features,
            answer.parameters["points"],
            answer.parameters.get("from"),
            answer.parameters.get("to"),
            self._asked(answer),
            self._of_readings(view),
        )


    def event_errors(self, event: dict[str, Any], settings: Settings, seen_us: int) -> list[str]:
        """A `board` event of /events, which is about an as-of of its own, too."""
        parameters = {"features": event["feature"], "interval": event["interval"], "order": event["order"]}
        answer = Answer("board", f"/events {parameters}", parameters, settings, seen_us, seen_us, 200)
        answer.as_of_us, answer.source = to_us(event["asOf"]), event["source"]
        answer.document = {event["feature"]: event["readings"]}
        return self.errors(answer)
