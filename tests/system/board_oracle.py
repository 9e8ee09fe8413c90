"""What boards, histograms, pages and plots must say, worked out from facts (published.py) by brute force.

An answer is about a moment, its as-of. A View says which facts it must know, and which it may know besides:
at a board's own moment both are exact, so nothing may; of an answer out of SQL the tests know what was
committed before they asked, and what arrived before they were answered. Each check returns sentences about
what differs; none is what a test wants.
"""

from __future__ import annotations

import bisect
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from oracle import to_text, to_us
from published import STATUSES, UNKNOWN, Fact

HIGHEST, LOWEST = "desc", "asc"
_MOST_IN_SUM = 1e290  # sums take what is beyond as this, so that none overflows
_NEVER = -(2**62)
_FOR_EVER = 2**62


@dataclass(frozen=True)
class View:
    must: Callable[[Fact], bool]
    may: Callable[[Fact], bool] = lambda fact: False

    def after_drops(self, before_us: int) -> View:
        """The same where RETENTION may have dropped what was recorded before."""
        return View(
            lambda f: f.at_us >= before_us and self.must(f),
            lambda f: self.may(f) or (f.at_us < before_us and self.must(f)),
        )

    def split(self, facts: Iterable[Fact]) -> tuple[list[Fact], list[Fact]]:
        must: list[Fact] = []
        may: list[Fact] = []
        for fact in facts:
            if self.must(fact):
                must.append(fact)
            elif self.may(fact):
                may.append(fact)
        return must, may


EVERYTHING = View(lambda f: True)


def exactly_at(as_of_us: int) -> View:
    """All that arrived until then, and nothing that came later."""
    return View(lambda f: f.received_us <= as_of_us and f.xid != UNKNOWN, lambda f: f.xid == UNKNOWN)


def of_boards(as_of_us: int, vouching: Set[str], committed_before_xid: int) -> View:
    """Exact for the collectors that vouch for the moment. One that does not (it is gone, or loading) may have received
    what it had not committed by then, and nobody can wait for that: of its readings those that were committed."""
    return View(
        lambda f: UNKNOWN != f.xid
        and f.received_us <= as_of_us
        and (f.owner in vouching or f.xid < committed_before_xid),
        lambda f: f.received_us <= as_of_us,
    )


def out_of_sql(committed_before_xid: int, answered_us: int) -> View:
    """Whatever was committed when the question was asked, and maybe what arrived before the answer."""
    return View(lambda f: UNKNOWN != f.xid < committed_before_xid, lambda f: f.received_us <= answered_us)


def of_collector(owner: str, as_of_us: int, published_us: int) -> View:
    """Its own exactly; of others what it may have loaded when it started."""
    return View(
        lambda f: f.owner == owner and f.received_us <= as_of_us and f.xid != UNKNOWN,
        lambda f: (f.owner != owner and f.received_us <= published_us) or f.xid == UNKNOWN,
    )


# --- One reading as an answer shows it ------------------------------------------------------------


class Entry(NamedTuple):
    device_id: str
    at_us: int
    status: str | None
    values: tuple[tuple[str, float | None], ...]  # of every feature that the answer has, by name


def entry_of_json(document: dict[str, Any], features: Sequence[str]) -> Entry:
    """KeyError when a member is not there; an Entry like no other when there is one too many."""
    values = [(name, _number(document[name])) for name in sorted(features)]
    extra = document.keys() - {"deviceId", "timestamp", "status", *features}
    values += [(f"{name} is one too many", None) for name in sorted(extra)]
    return Entry(document["deviceId"], to_us(document["timestamp"]), document["status"], tuple(values))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def entry_of_fact(fact: Fact, features: Sequence[str]) -> Entry:
    values = tuple((name, fact.values.get(name)) for name in sorted(features))
    return Entry(fact.device_id, fact.at_us, fact.status, values)


def shown_features(entries: Sequence[dict[str, Any]]) -> list[str]:
    """Those that a board has, which is all that its collector keeps."""
    return sorted(entries[0].keys() - {"deviceId", "timestamp", "status"}) if entries else []


# --- Boards ----------------------------------------------------------------------------------------


def rank_key(feature: str, order: str) -> Callable[[Fact], tuple[Any, ...]]:
    """Smaller is better: value, later time, between devices the id, within one the larger hash."""
    sign = -1.0 if order == HIGHEST else 1.0
    return lambda f: (sign * f.values[feature], -f.at_us, f.device_id.encode(), -f.content_hash)


class Facts:
    """All facts, in the orders that questions need them in."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.by_time = sorted(facts, key=lambda f: (f.at_us, f.content_hash))
        self._times = [f.at_us for f in self.by_time]
        self._ranked: dict[tuple[str, str], list[Fact]] = {}
        self._by_device: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.by_time:
            self._by_device[fact.device_id].append(fact)

    @property
    def devices(self) -> list[str]:
        return sorted(self._by_device, key=str.encode)

    def span(self, from_us: int = _NEVER, to_us: int = _FOR_EVER, device_id: str | None = None) -> list[Fact]:
        """from <= recorded_at < to, by time and hash."""
        if device_id is not None:
            return [f for f in self._by_device.get(device_id, ()) if from_us <= f.at_us < to_us]
        return self.by_time[bisect.bisect_left(self._times, from_us) : bisect.bisect_left(self._times, to_us)]

    def _ranking(self, feature: str, order: str, from_us: int, to_us: int) -> Iterable[Fact]:
        """Those with the feature that were recorded in a span, the best first."""
        recent = self.span(from_us, to_us)
        if len(recent) < len(self.by_time) / 10:
            return sorted((f for f in recent if feature in f.values), key=rank_key(feature, order))
        if (feature, order) not in self._ranked:
            having = (f for f in self.by_time if feature in f.values)
            self._ranked[feature, order] = sorted(having, key=rank_key(feature, order))
        return (f for f in self._ranked[feature, order] if from_us <= f.at_us < to_us)

    def board(
        self, feature: str, order: str, span: tuple[int, int], view: View, limit: int
    ) -> tuple[list[Fact], list[Fact]]:
        """The best of each device that must be known, the best devices first; and what may stand before them."""
        required: list[Fact] = []
        optional: list[Fact] = []
        seen: set[str] = set()
        for fact in self._ranking(feature, order, *span):
            if fact.device_id in seen:
                continue
            if view.must(fact):
                seen.add(fact.device_id)
                required.append(fact)
                if len(required) == limit:
                    break
            elif view.may(fact):
                optional.append(fact)
        return required, optional

    def board_errors(
        self,
        shown: Sequence[Entry],
        features: Sequence[str],
        feature: str,
        order: str,
        length_us: int | None,
        as_of_us: int,
        view: View,
        limit: int,
        span: tuple[int, int] | None = None,
    ) -> list[str]:
        """Of `length_us` up to its as-of, or of a span, which holds its start and not its end. A board is right when it is the ranking of what must be known and of some of what may be."""
        after_us = span[0] - 1 if span else _NEVER if length_us is None else as_of_us - length_us
        required, optional = self.board(feature, order, (after_us + 1, span[1] if span else _FOR_EVER), view, limit)
        seen = set(shown)
        known = [*required, *(f for f in optional if entry_of_fact(f, features) in seen)]
        right: list[Fact] = []
        devices: set[str] = set()
        for fact in sorted(known, key=rank_key(feature, order)):
            if fact.device_id not in devices and len(right) < limit:
                devices.add(fact.device_id)
                right.append(fact)
        expected = [entry_of_fact(f, features) for f in right]
        if list(shown) == expected:
            return []
        at = next((i for i, pair in enumerate(zip(shown, expected)) if pair[0] != pair[1]), min(len(shown), len(right)))
        there = shown[at] if at < len(shown) else "nothing"
        ought = right[at] if at < len(right) else "nothing"
        return [
            f"{feature} {order}, {span or ('all time' if length_us is None else f'{length_us / 1e6:g} s')}, as of"
            f" {to_text(as_of_us)}, place {at + 1} of {len(right)}: {there}\n    must be {ought}"
            + self._about(there, as_of_us, after_us)
        ]

    def _about(self, entry: Entry | str, as_of_us: int, after_us: int) -> str:
        """Why an entry may have come onto a board that it is not to be on."""
        if isinstance(entry, str):
            return ""
        facts = [f for f in self._by_device.get(entry.device_id, ()) if f.at_us == entry.at_us]
        return "".join(
            f"\n    what is shown arrived {(f.received_us - as_of_us) / 1e6:+.6f} s from the as-of, through {f.owner};"
            f" recorded {(f.at_us - after_us) / 1e6 if after_us != _NEVER else 0:+.6f} s from the start; {f}"
            for f in facts
        ) or "\n    what is shown was never stored"


# --- Histograms ------------------------------------------------------------------------------------


def status_errors(shown: dict[str, int], facts: Iterable[Fact], view: View) -> list[str]:
    must, may = view.split(facts)
    least = Counter(f.status or "none" for f in must)
    most = least + Counter(f.status or "none" for f in may)
    errors = [] if set(STATUSES) <= shown.keys() else [f"lacks one of {STATUSES}: {shown}"]
    return errors + [
        f"{name}: {shown.get(name, 0)}, must be {least[name]}" + (f" to {most[name]}" if may else "")
        for name in sorted({*shown, *most})
        if not least[name] <= shown.get(name, 0) <= most[name]
    ]


def value_histogram_errors(
    document: dict[str, Any], feature: str, bins: int, facts: Iterable[Fact], view: View
) -> list[str]:
    """Edges that rise from the lowest to the highest value in equal steps, as far as doubles and the cells of nodes have
    them, and in each bin what lies between its edges, the last edge included."""
    edges, counts = [float(e) for e in document["edges"]], document["counts"]
    must, may = ([f.values[feature] for f in some if feature in f.values] for some in view.split(facts))
    if document["feature"] != feature or document["count"] != sum(counts):
        return [f"is of {document['feature']}, {document['count']} in all, which is not {sum(counts)}"]
    if not counts and not edges:
        return [f"is empty, with {len(must)} values"] if must else []
    if len(edges) != len(counts) + 1 or len(counts) > bins:
        return [f"{len(counts)} bins of {bins}, {len(edges)} edges"]
    errors = []
    values = {*must, *may}
    low, high = edges[0], edges[-1]
    if not {low, high} <= values or (must and (low > min(must) or high < max(must))):
        errors.append(f"edges from {low!r} to {high!r}; values from {min(values)!r} to {max(values)!r}")
    errors += [f"edges fall: {a!r}, {b!r}" for a, b in zip(edges, edges[1:]) if b < a or (b == a and len(counts) > 1)]
    width = Fraction(high) - Fraction(low)
    for i, edge in enumerate(edges):
        error = abs(Fraction(edge) - Fraction(low) - width * i / len(counts))
        if error > 4 * Fraction(math.ulp(max(abs(low), abs(high)))) + width / 2046:
            errors.append(f"edge {i} is {edge!r}: the steps are not equal")
    errors += _count_errors(edges, counts, must, may)
    roomy = width > 64 * bins * Fraction(math.ulp(max(abs(low), abs(high))))
    if len(counts) != (1 if low == high else bins) and (roomy or low == high):
        errors.append(f"{len(counts)} bins of {bins}")
    return errors


def _count_errors(edges: list[float], counts: list[int], must: list[float], may: list[float]) -> list[str]:
    def per_bin(values: list[float]) -> Counter[int]:
        return Counter(min(bisect.bisect_right(edges, v) - 1, len(counts) - 1) for v in values)

    least, extra = per_bin(must), per_bin([v for v in may if edges[0] <= v <= edges[-1]])
    return [
        f"bin {i} from {edges[i]!r}: {count}, must be {least[i]}" + (f" to {least[i] + extra[i]}" if extra[i] else "")
        for i, count in enumerate(counts)
        if not least[i] <= count <= least[i] + extra[i]
    ]


# --- Pages -----------------------------------------------------------------------------------------


def page_errors(
    rows: Sequence[Entry], features: Sequence[str], order: str, facts: Iterable[Fact], view: View
) -> list[str]:
    """All pages of a walk, put together: what must be there, in order, each once."""
    must, may = view.split(facts)
    known = [*((f, True) for f in must), *((f, False) for f in may)]
    known.sort(key=lambda pair: (pair[0].at_us, pair[0].content_hash))
    if order == HIGHEST:
        known.reverse()
    at = 0
    for fact, is_required in known:
        if at < len(rows) and rows[at] == entry_of_fact(fact, features):
            at += 1
        elif is_required:
            there = rows[at] if at < len(rows) else "the end"
            return [f"row {at + 1} of {len(rows)}: {there}\n    must be {fact}"]
    return [f"row {at + 1} of {len(rows)} is one too many: {rows[at]}"] if at < len(rows) else []


# --- Plots -----------------------------------------------------------------------------------------


def points_errors(
    document: dict[str, Any],
    features: Sequence[str],
    most: int,
    from_us: int | None,
    until_us: int | None,
    facts: Sequence[Fact],
    view: View,
) -> list[str]:
    """`facts` are those of the device from `from_us` on and before `until_us`. Each stands in exactly one step."""
    must, may = view.split(facts)
    points = document["points"]
    if not points:
        return [f"no step, with {len(must)} readings"] if must else []
    step_us = round(document["stepMs"] * 1000)
    starts = [to_us(point["timestamp"]) for point in points]
    errors = []
    if len(points) > most:
        errors.append(f"{len(points)} steps of {most}")
    for a, b in zip(starts, starts[1:]):
        if b <= a or (b - a) % step_us:
            errors.append(f"a step at {to_text(a)}, then one at {to_text(b)}, of {step_us} us each")
    for name, given_us in (("from", from_us), ("to", until_us)):
        if given_us is not None and to_us(document[name]) != given_us:
            errors.append(f"{name} is {document[name]}, asked for {to_text(given_us)}")
    per_step: list[tuple[list[Fact], list[Fact]]] = [([], []) for _ in points]
    for kind, some in ((0, must), (1, may)):
        for fact in some:
            i = bisect.bisect_right(starts, fact.at_us) - 1
            if i >= 0 and fact.at_us < starts[i] + step_us:
                per_step[i][kind].append(fact)
            elif kind == 0:
                errors.append(f"in no step: {fact}")
    for point, step in zip(points, per_step):
        errors += [f"step {point['timestamp']}: {error}" for error in _step_errors(point, features, *step)]
    return errors


def _step_errors(point: dict[str, Any], features: Sequence[str], must: list[Fact], may: list[Fact]) -> list[str]:
    errors = []
    if point.keys() != {"timestamp", "count", *features}:
        errors.append(f"has {sorted(point)}")
    if not len(must) <= point["count"] <= len(must) + len(may):
        errors.append(f"count {point['count']}, must be {len(must)}" + (f" to {len(must) + len(may)}" if may else ""))
    if may:
        return errors
    for name in features:
        values = [f.values[name] for f in must if name in f.values]
        span = point.get(name)
        if not values or span is None:
            errors += [f"{name}: {span}, of {len(values)} values"] if values or span is not None else []
            continue
        if (span["min"], span["max"]) != (min(values), max(values)):
            errors.append(f"{name}: {span['min']!r} to {span['max']!r}, must be {min(values)!r} to {max(values)!r}")
        bounded = [max(-_MOST_IN_SUM, min(_MOST_IN_SUM, v)) for v in values]
        mean, size = math.fsum(bounded) / len(values), max(map(abs, values))
        if abs(span["mean"] - mean) > 1e-9 * size:
            errors.append(f"{name}: mean {span['mean']!r}, must be {mean!r}")
    return errors


# --- A device --------------------------------------------------------------------------------------


def device_errors(
    document: dict[str, Any], features: Sequence[str], facts: Facts, device_id: str, view: View
) -> list[str]:
    """/devices/<id> but for its numbering and its statuses: latest reading and peaks."""
    mine = facts.span(device_id=device_id)
    errors = []
    must, may = view.split(mine)
    latest = document["latest"] and entry_of_json(document["latest"], features)
    newest = must[-1:]
    may_be = [f for f in may if not newest or (f.at_us, f.content_hash) > (newest[0].at_us, newest[0].content_hash)]
    if latest not in [entry_of_fact(f, features) for f in (*newest, *may_be)] and (newest or latest):
        errors.append(f"latest: {latest}\n    must be {newest}")
    for feature in features:
        for name, order in (("highest", HIGHEST), ("lowest", LOWEST)):
            peak = document["peaks"][feature][name]
            shown = [entry_of_json(peak, features)] if peak else []
            errors += [f"peaks: {e}" for e in _peak_errors(shown, features, feature, order, mine, view)]
    return errors


def natural_id(device_id: str) -> bytes:
    """Orders ids as people count: device_2 before device_10."""
    parts = re.split("([0-9]+)", device_id)
    parts[1::2] = [f"{len(digits.lstrip('0')):02}{digits.lstrip('0')}" for digits in parts[1::2]]
    return f"{''.join(parts)}\x01{device_id}".encode()


def devices_errors(entries: Sequence[dict[str, Any]], facts: Facts, after: str, as_of_us: int, view: View) -> list[str]:
    """A page of /devices: none left out, in their natural order; first and last reading, readings of the past hour."""
    shown = [entry["deviceId"] for entry in entries]
    errors = [] if shown == sorted(set(shown), key=natural_id) else [f"not in order, or one twice: {shown}"]
    last = shown[-1] if shown else None
    for device_id in facts.devices:
        is_on_page = (not after or natural_id(device_id) > natural_id(after)) and (
            last is None or natural_id(device_id) <= natural_id(last)
        )
        if is_on_page and device_id not in shown and view.split(facts.span(device_id=device_id))[0]:
            errors.append(f"lacks {device_id!r}")
    for entry in entries:
        must, may = view.split(facts.span(device_id=entry["deviceId"]))
        hour = [sum(f.at_us > as_of_us - 3_600_000_000 for f in some) for some in (must, may)]
        errors += [
            f"{entry['deviceId']!r}: {name} {entry[name]}, must be {to_text(us) if us else us}"
            for name, us, known in (
                ("firstReadingAt", must[0].at_us if must else None, [f.at_us for f in may]),
                ("lastReadingAt", must[-1].at_us if must else None, [f.at_us for f in may]),
            )
            if (to_us(entry[name]) if entry[name] else None) not in {us, *known}
        ]
        if not hour[0] <= entry["readingsPastHour"] <= sum(hour):
            errors.append(f"{entry['deviceId']!r}: {entry['readingsPastHour']} in the past hour, must be {hour}")
    return errors


def _peak_errors(
    shown: list[Entry], features: Sequence[str], feature: str, order: str, facts: list[Fact], view: View
) -> list[str]:
    return Facts(facts).board_errors(shown, features, feature, order, None, 0, view, 1)
