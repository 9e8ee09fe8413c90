"""Numbers that were all published are never missing, however often and whenever the collector ends."""

from __future__ import annotations

import json
import threading
import time

import pytest
from conftest import FAILPOINT_DIR
from oracle import now_us, to_text
from servers import until

pytestmark = pytest.mark.faults

DEVICES = {"stamped_1": True, "stamped_2": True, "bare_1": False, "bare_2": False}
QUERY = (
    "SELECT device_id, highest, missing FROM device_sequences s JOIN devices d ON d.id = s.device ORDER BY device_id"
)


class Fleet:
    """Devices that number without a gap; some give their readings a time, some do not."""

    def __init__(self, stack):
        self.publisher = stack.publisher()
        self.next = dict.fromkeys(DEVICES, 0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(0.005):
            self.step()

    def step(self):
        for device, is_stamped in DEVICES.items():
            payload = {"seq": self.next[device], "temperature": 1}
            if is_stamped:
                payload["timestamp"] = to_text(now_us())
            self.publisher.send_bytes(f"devices/{device}/readings", json.dumps(payload).encode())
            self.next[device] += 1

    def stop(self):
        self._stop.set()
        self._thread.join()
        self.publisher.wait()


def ever_missing(stack, seen):
    """Looks at the table; what it says is missing is missing whenever it is looked at."""
    if stack.database.count("device_sequences"):
        seen.extend(row for row in stack.database.rows(QUERY) if row[2] > 0)


@pytest.mark.parametrize("how", ["killed", "killed between commit and acknowledgement", "ended in order"])
def test_ends_of_the_collector_make_no_number_missing(stack, rng, how):
    collector = stack.start_collector()
    collector.wait_for_line("preflight: in-flight window")
    fleet, seen = Fleet(stack), []
    try:
        for _ in range(6):
            time.sleep(rng.uniform(0.2, 4.0))  # the moment of the fault
            ever_missing(stack, seen)
            if how == "ended in order":
                assert collector.terminate() == 0
            else:
                collector.kill9()
            if how == "killed between commit and acknowledgement":
                crash = {"CRASH_AT": f"commit_ok_before_flush:{rng.randrange(1, 100)}"}
                collector = stack.start_collector(directory=FAILPOINT_DIR, env=crash)
                collector.wait(30)
            collector = stack.start_collector()
            until(lambda collector=collector: "windows: complete" in collector.output())
    finally:
        fleet.stop()
    fleet.step()
    fleet.publisher.wait()

    def all_there():
        ever_missing(stack, seen)
        return [row[:2] for row in stack.database.rows(QUERY)] == [(d, fleet.next[d] - 1) for d in sorted(DEVICES)]

    until(all_there, 30, "the last number of each device is in the table")
    ever_missing(stack, seen)
    assert not seen
    assert stack.metrics()["highwater_sequence_missing"] == 0
