"""GET /devices of a large fleet over HTTP: each order with each filter, from its first page and from the middle."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass

from storage_rig import Rig, bulk_load, make_devices, make_rows, rig, say

from report import Section, at_most
from servers import LOOPBACK, free_port, until

SORTS = ("deviceId", "lastHeardAt", "clockOffsetMs", "missing", "rejectedPastHour")
GROUPS = {"": "all", "half": "a group of half of them", "ten": "a group of ten"}
STATUSES = ("", "silent", "losing", "refused")
TEXTS = {"": "no text", "ice_7": "a text that many have", "ice_99999": "a text that one has", "label 77": "a text of labels", "nobody": "a text that none has"}
GOAL_MS = 200


def make_fleet(rig: Rig, devices: int) -> None:
    """One in a hundred is silent, loses numbers or has rejected messages; every device has a label and a group."""
    make_devices(rig, devices)
    with bulk_load(rig):
        make_rows(rig, devices, devices, 240)
    rig.run(
        "SELECT rollup_rebuild(now() - interval '1 day', now())",
        f"""INSERT INTO device_abouts (device_id, label, group_name)
            SELECT device_id, 'label ' || id, CASE WHEN id % ({devices} / 10) = 0 THEN 'ten' WHEN id % 2 = 1 THEN 'half'
                                                   ELSE 'of ' || id / 100 END FROM devices""",
        """UPDATE device_states SET heard_at = now() - CASE WHEN device % 100 = 17 THEN interval '1 day' ELSE interval '0' END
                                               - (hashint4(device) & 65535) * interval '1 millisecond',
                  clock_offset = hashint4(device) % 1000 * 1000,
                  missing = CASE WHEN device % 100 = 33 THEN device % 1000 ELSE 0 END,
                  rejected = CASE WHEN device % 100 = 51 THEN device % 77 + 1 ELSE 0 END""",
        "VACUUM ANALYZE",
    )


@contextlib.contextmanager
def fleet(devices: int) -> Iterator[tuple[Rig, int]]:
    with rig(max_wal_size="8GB") as r:
        make_fleet(r, devices)
        r.durable()
        r.broker.start()
        port = free_port()
        r.program("httpapi", http_listen=f"{LOOPBACK}:{port}").wait_for_line("listening on", 20)
        until(lambda: is_ready(port), 30, "httpapi has its database")
        yield r, port


def is_ready(port: int) -> bool:
    with contextlib.suppress(OSError):
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)
        connection.request("GET", "/devices?limit=1")
        return connection.getresponse().status == 200
    return False


@dataclass
class Question:
    sort: str
    order: str
    group: str
    status: str
    text: str
    worst_ms: float = 0.0
    total: int = 0

    def path(self, after: str = "") -> str:
        asked = {"sort": self.sort, "order": self.order, "group": self.group, "status": self.status, "q": self.text, "after": after, "limit": "50"}
        return "/devices?" + urllib.parse.urlencode({name: value for name, value in asked.items() if value})

    def words(self) -> str:
        return f"{self.sort} {self.order}, {GROUPS[self.group]}, {self.status or 'any status'}, {TEXTS[self.text]}"


def answer(connection: http.client.HTTPConnection, path: str) -> tuple[float, dict]:
    began = time.perf_counter()
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    took = time.perf_counter() - began
    assert response.status == 200, body[:300]
    return took * 1e3, json.loads(body)


def measure(port: int, times: int, only: str) -> list[Question]:
    """The median of each page, and of both pages the slower one."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=600)
    asked = [Question(*parts) for parts in itertools.product(SORTS, ("asc", "desc"), GROUPS, STATUSES, TEXTS)]
    asked = [question for question in asked if only in question.words()]
    for question in asked:
        _, page = answer(connection, question.path())
        question.total = page["total"]
        paths = [question.path()] + ([question.path(page["next"])] if page["next"] else [])
        for path in paths:
            took = sorted(answer(connection, path)[0] for _ in range(times))
            question.worst_ms = max(question.worst_ms, took[len(took) // 2])
    return asked


def section(devices: int, times: int, only: str = "") -> Section:
    with fleet(devices) as (_, port):
        asked = measure(port, times, only)
    made = Section(
        "The table of devices",
        ["filter", *SORTS, "to reach", "met"],
        f"`GET /devices?limit=50` of {devices:,} devices over HTTP: median of {times}, of both orders and of the first two pages the slowest, in ms.",
    )
    for key in dict.fromkeys((q.group, q.status, q.text) for q in asked):
        of_key = [q for q in asked if (q.group, q.status, q.text) == key]
        by_sort = {sort: max((q.worst_ms for q in of_key if q.sort == sort), default=0.0) for sort in SORTS}
        group, status, text = key
        words = f"{GROUPS[group]}, {status or 'any status'}, {TEXTS[text]} ({of_key[0].total:,})"
        made.add(words, *(f"{by_sort[sort]:.0f}" for sort in SORTS), f"<= {GOAL_MS} ms", at_most(max(by_sort.values()), GOAL_MS))
        say(f"    {words:80} " + " ".join(f"{by_sort[sort]:6.1f}" for sort in SORTS))
    return made


def fleet_list(args: argparse.Namespace) -> None:
    section(args.devices, args.times, args.only)
