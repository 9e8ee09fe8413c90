"""What the collector writes into Redis, as its readers see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

KINDS = ("board", "ranking", "readings", "version")


class Keys(NamedTuple):
    board: str
    ranking: str
    readings: str


def board_key(collector_id: str, feature: str, interval: str, order: str, kind: str) -> str:
    name = ":".join(filter(None, (collector_id, feature, interval, order)))
    return f"highwater:{{{name}}}:{kind}"


def keys_of(collector_id: str, feature: str, interval: str, order: str = "") -> Keys:
    return Keys(*(board_key(collector_id, feature, interval, order, kind) for kind in Keys._fields))


def shown(transaction: Any, keys: Keys) -> tuple[Any, list[tuple[str, float]], dict[str, Any]]:
    """(board, ranking, readings) of one moment; the board is None when there is none."""
    transaction.get(keys.board).zrevrange(keys.ranking, 0, -1, withscores=True).hgetall(keys.readings)
    board, ranking, readings = transaction.execute()
    return board and json.loads(board), ranking, {device: json.loads(one) for device, one in readings.items()}


def same(board: Any, ranking: list[tuple[str, float]], readings: dict[str, Any]) -> bool:
    """All three tell the same; of a ranking, the order of ties is its own."""
    entries = board["readings"]
    return (
        {one["deviceId"]: one for one in entries} == readings
        and dict(ranking) == {one["deviceId"]: one[board["feature"]] for one in entries}
        and [value for _, value in ranking] == [one[board["feature"]] for one in entries]
    )


def status_of(redis: Any, collector_id: str = "collector") -> dict[str, Any]:
    """{} when there is none."""
    return dict(json.loads(redis.get(f"highwater:{{{collector_id}}}:status") or "{}"))


def remarks(stack: Any) -> Iterator[str]:
    """What /readyz says of Redis."""
    _, _, body = stack.get("/readyz", stack.metrics_port)
    return (line for line in body.decode().splitlines() if "Redis" in line)
