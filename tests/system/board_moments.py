"""What the table says of any moment, and what collectors have said of it with their statuses and boards."""

from __future__ import annotations

from dataclasses import dataclass

from oracle import to_text, to_us
from servers import until

GRID_US = 100_000
BLINK = "blink=2s,all_time"
LENGTH_US = {"blink": 2_000_000, "past_minute": 60_000_000, "past_hour": 3_600_000_000, "all_time": None}
FEATURES = ("temperature", "pressure")


# --- What the table says of a moment ---------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    device: str
    recorded_us: int
    received_us: int
    hash: int
    values: tuple[float | None, ...]


def stored_rows(database):
    rows = database.rows_of_all(
        "SELECT d.device_id, (extract(epoch FROM recorded_at) * 1000000)::bigint,"
        " (extract(epoch FROM received_at) * 1000000)::bigint, content_hash, temperature, pressure"
        " FROM ALL_READINGS r JOIN devices d ON d.id = r.device"
    )
    return [Row(*row[:4], tuple(row[4:])) for row in rows]


def board_at(rows, feature, interval, moment_us, limit=10):
    """[(device, recorded_us, value)] of what had been received then and has not expired by then."""
    at = FEATURES.index(feature)
    length_us = LENGTH_US[interval]
    best = {}
    for row in rows:
        value = row.values[at]
        if value is None or row.received_us > moment_us:
            continue
        if length_us is not None and row.recorded_us <= moment_us - length_us:
            continue
        rank = (value, row.recorded_us, row.hash)
        if row.device not in best or rank > best[row.device]:
            best[row.device] = rank
    ranked = sorted(best.items(), key=lambda item: (-item[1][0], -item[1][1], item[0].encode()))
    return [(device, recorded_us, value) for device, (value, recorded_us, _) in ranked[:limit]]


def shown(board):
    return [
        (entry["deviceId"], to_us(entry["timestamp"]), float(entry[board["feature"]])) for entry in board["readings"]
    ]


# --- What a collector has said ---------------------------------------------------------------------


@dataclass
class Said:
    """A status, and the boards that were out when it came, by their topic's end."""

    status: dict
    boards: dict
    is_retained: bool


class Ear:
    """Hears a collector: statuses in their order, each with the versions of the boards that came before it."""

    def __init__(self, stack, collector_id="collector", port=None):
        self.id = collector_id
        self._head = f"collectors/{collector_id}/"
        self._listener = stack.listen(f"{self._head}status", f"{self._head}boards/#", port=port)

    def said(self):
        boards, all_said = {}, []
        for received in list(self._listener.received):
            end = received.topic[len(self._head) :]
            if end == "status":
                status = received.json()
                if "generations" in status:
                    all_said.append(Said(status, dict(boards), received.retain))
            elif received.payload:
                board = received.json()
                boards[end[len("boards/") :], board["generation"]] = board
        return all_said

    def last(self):
        said = self.said()
        return said[-1].status if said else {}

    def until(self, fact, timeout=10.0, what=""):
        return until(lambda: (lambda last: last if last and fact(last) else None)(self.last()), timeout, what)

    def until_vouched(self, after_us, timeout=10.0):
        """Until every board of a moment after this one is vouched for."""
        return self.until(
            lambda s: to_us(s["asOf"]) > after_us and all(s["generations"]), timeout, f"boards after {to_text(after_us)}"
        )

    def close(self):
        self._listener.close()


def names(status):
    """The boards in the order of the generations."""
    orders = ("", "/lowest") if status["lowest"] else ("",)
    return [
        f"{feature}/{interval['name']}{order}"
        for feature in status["features"]
        for order in orders
        for interval in status["intervals"]
    ]


def moments(since_us, as_of_us, most=12):
    """Those of a span; of a long one both ends and some between."""
    count = (as_of_us - since_us) // GRID_US + 1
    step = max(1, count // most)
    return sorted({as_of_us, *range(since_us, as_of_us + 1, step * GRID_US)})


def assert_right(stack, ear, rows=None, least=1):
    """Everything that was vouched for is what the table says. Returns how many boards were looked at."""
    rows = stored_rows(stack.database) if rows is None else rows
    checked, last_as_of = 0, {}
    for said in ear.said():
        status = said.status
        since_us, as_of_us = to_us(status["since"]), to_us(status["asOf"])
        assert since_us <= as_of_us and as_of_us % GRID_US == 0 and since_us % GRID_US == 0, status
        assert as_of_us >= last_as_of.get(status["startedAt"], 0), "asOf went back"
        last_as_of[status["startedAt"]] = as_of_us
        assert len(status["generations"]) == len(names(status))
        for name, generation in zip(names(status), status["generations"]):
            if generation == 0:
                continue
            board = said.boards.get((name, generation))
            if board is None:
                # the listener may have come later, and then has boards and status in any order
                assert said.is_retained or checked == 0, f"{name} {generation} was not out when {status} came"
                continue
            feature, interval = name.split("/")
            for moment_us in moments(since_us, as_of_us):
                right = board_at(rows, feature, interval, moment_us, status["limit"])
                assert shown(board) == right, (
                    f"{name} {generation} at {to_text(moment_us)} of {status['since']} to {status['asOf']}:\n"
                    f"  shown {shown(board)}\n  right {right}"
                )
                checked += 1
    assert checked >= least, f"only {checked} boards"
    return checked


def steps(ear):
    """From the last moment that a status vouches for to the first of the next one that is not the same span."""
    said = [said.status for said in ear.said() if said.status["state"] == "live"]
    spans = [(to_us(status["since"]), to_us(status["asOf"])) for status in said]
    return [since_us - before_us for (_, before_us), (since_us, _) in zip(spans, spans[1:]) if since_us > before_us]
