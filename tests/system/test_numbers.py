"""Numbers that devices give to their readings: what is missing is counted, whatever happens to the collector."""

from __future__ import annotations

import json
import time

import pytest
from oracle import now_us, to_text
from servers import until
from test_collector import live_collector


def test_numbered_readings_show_what_is_missing(stack):
    collector = live_collector(stack)
    publisher = stack.publisher()
    at = now_us()

    def send(*numbers):
        for number in numbers:
            payload = {"seq": number, "timestamp": to_text(at + number), "temperature": 1}
            publisher.send_bytes("devices/d/readings", json.dumps(payload).encode())
        publisher.wait()

    def counts():
        rows = stack.database.rows("SELECT highest, missing, repeats, restarts FROM device_sequences")
        return rows[0] if rows else None

    send(1, 2, 5, 4, 4)
    until(lambda: counts() == (5, 1, 1, 0), 15)
    assert collector.terminate() == 0
    live_collector(stack)
    send(9)
    until(lambda: counts() == (9, 4, 1, 0), 15)
    assert stack.metrics()["highwater_sequence_missing"] == 4

    stack.start_httpapi()
    expected = {"highest": 9, "missing": 4, "repeats": 1, "restarts": 0}
    assert until(lambda: stack.get("/devices/d")[0] == 200) and stack.get_json("/devices/d")["sequence"] == expected
    assert stack.get_json("/devices")["devices"][0]["sequence"] == expected


class Numbered:
    """A device that numbers its readings, and what the numbers are found to say."""

    def __init__(self, stack, device="d"):
        self.stack, self.device = stack, device
        self.publisher = stack.publisher()
        self.at = now_us()

    def send(self, *numbers, **times):
        """Each number a second after the one before, or as many seconds after the start as n5=3 says."""
        for number in numbers:
            seconds = times.get(f"n{number}", number)
            payload = {"seq": number, "timestamp": to_text(self.at - 3_600_000_000 + seconds * 1_000_000), "pressure": 1}
            self.publisher.send_bytes(f"devices/{self.device}/readings", json.dumps(payload).encode())
        self.publisher.wait()

    def says(self, *counts):
        """Waits for (highest, missing, repeats, restarts)."""
        query = (
            "SELECT highest, missing, repeats, restarts FROM device_sequences s JOIN devices d ON d.id = s.device"
            " WHERE device_id = %s"
        )
        until(lambda: self.stack.database.rows(query, [self.device]) == [counts], 15, f"the numbers say {counts}")


def has_mark(stack, collector_id):
    return stack.database.rows("SELECT 1 FROM sequence_marks WHERE collector_id = %s", [collector_id])


def test_times_in_disorder_make_no_number_missing(stack):
    live_collector(stack)
    device = Numbered(stack)
    device.send(0, 2, 1, 3, n0=10, n2=5, n1=20)
    device.says(3, 0, 0, 0)


@pytest.mark.parametrize("saved", [False, True], ids=["nothing saved", "something saved"])
def test_numbers_survive_a_kill_at_any_moment(stack, saved):
    collector = live_collector(stack)
    device = Numbered(stack)
    if saved:
        device.send(0, 1)
        device.says(1, 0, 0, 0)
        until(lambda: has_mark(stack, "collector"))
    device.send(2, 3, 4, 6)
    until(lambda: stack.database.count() == (6 if saved else 4))
    collector.kill9()
    live_collector(stack)
    device.send(2)  # an old one again
    device.send(7)
    device.says(7, 1, 1, 0)
    device.send(5)
    device.says(7, 0, 1, 0)


def test_numbers_are_taken_from_readings_when_their_tables_are_emptied(stack):
    collector = live_collector(stack)
    device = Numbered(stack)
    device.send(1, 2, 5)
    device.says(5, 2, 0, 0)
    assert collector.terminate() == 0
    stack.database.rows("DELETE FROM device_sequences; DELETE FROM sequence_marks")
    live_collector(stack)
    device.says(5, 2, 0, 0)


def test_another_collector_goes_on_where_a_killed_one_was(stack):
    collector = live_collector(stack)
    device = Numbered(stack)
    device.send(1, 2)
    device.says(2, 0, 0, 0)
    device.send(3, 4)
    until(lambda: stack.database.count() == 4)
    collector.kill9()
    live_collector(stack, collector_id="heir")
    until(lambda: has_mark(stack, "heir"), 15)
    device.send(5)
    device.says(5, 0, 0, 0)


def test_random_numbers_harm_only_their_own_device(stack, rng):
    live_collector(stack)
    device, bad = Numbered(stack), Numbered(stack, "bad")
    device.send(1, 2)
    bad.send(0, 2**53, n0=0, **{f"n{2**53}": 1})
    for second in range(2, 50):
        number = rng.randrange(2**53)
        bad.send(number, **{f"n{number}": second})
    device.send(4)
    device.says(4, 1, 0, 0)
    missing = stack.database.value("SELECT max(missing) FROM device_sequences")
    assert 2**40 < missing <= 2**53


def test_numbers_of_a_shared_subscription_are_not_counted(stack):
    live_collector(stack, subscribe="$share/group/devices/+/readings")
    device = Numbered(stack)
    device.send(1, 5)
    until(lambda: stack.database.count() == 2)
    until(lambda: has_mark(stack, "collector"), 15, "a round is over")
    assert stack.database.count("device_sequences") == 0


def test_a_lock_on_the_table_of_numbers_holds_up_no_commit(stack):
    live_collector(stack)
    device = Numbered(stack)
    with stack.database.connect() as connection, connection.cursor() as cursor:
        device.send(1)
        device.says(1, 0, 0, 0)
        cursor.execute("LOCK TABLE device_sequences IN ACCESS EXCLUSIVE MODE")
        for number in range(2, 8):  # more than one round is due
            device.send(number)
            until(lambda number=number: stack.database.count() == number)
            time.sleep(1)  # the length of the lock
    connection.close()
    device.says(7, 0, 0, 0)
