"""Partitions that move from collector to collector: what is known of devices goes with them, and boards are right at all times."""

from __future__ import annotations

import contextlib
import json

from kafka import Record, produce
from kafka_group import Group
from oracle import now_us, to_text
from published import content_hash
from servers import until

DEVICES = 24


class Numbered:
    """Devices that number their readings, and lose some."""

    def __init__(self, group, rng):
        self.group = group
        self.rng = rng
        self.next = dict.fromkeys((f"device_{n}" for n in range(DEVICES)), 0)
        self.lost = dict.fromkeys(self.next, 0)
        self.sent = 0

    def record(self):
        device = self.rng.choice(list(self.next))
        if self.next[device] > 0 and self.rng.random() < 0.05:
            gap = self.rng.randrange(1, 4)
            self.next[device] += gap
            self.lost[device] += gap
        value = json.dumps(
            {"deviceId": device, "timestamp": to_text(now_us()), "temperature": self.rng.random(), "seq": self.next[device]}
        ).encode()
        self.next[device] += 1
        self.sent += 1
        headers = (
            ("identity", b"%016x" % (content_hash(value) & 0xFFFFFFFFFFFFFFFF)),
            ("arrival", to_text(now_us()).encode()),
            ("topic", f"devices/{device}/readings".encode()),
        )
        return Record(value, device.encode(), headers)

    def send(self, count):
        produce(self.group.server, self.group.topic, [self.record() for _ in range(count)])

    def all_stored(self):
        database = self.group.stack.database
        until(lambda: database.count() == self.sent, 60, f"{self.sent} are stored")

    def assert_numbers(self):
        """Of every device, once the collectors have written them."""
        expected = sorted((device, self.next[device] - 1, self.lost[device], 0, 0) for device in self.next if self.next[device])

        def said():
            return self.group.stack.database.rows(
                "SELECT device_id, highest::int, missing::int, repeats::int, restarts::int FROM device_sequences"
                " JOIN devices ON id = device ORDER BY device_id"
            )

        try:
            until(lambda: said() == expected, 20)
        except AssertionError:
            assert said() == expected


def reads_some(group, name):
    with contextlib.suppress(OSError):  # it does not listen yet
        return group.metric(name, "highwater_kafka_partitions") > 0


def test_numbers_of_devices_go_with_their_partition(stack, mock_kafka, rng):
    group = Group(stack, mock_kafka, rng)
    fleet = Numbered(group, rng)
    group.start("a")
    fleet.send(300)
    fleet.all_stored()
    group.start("b")  # gets some of the partitions
    until(lambda: reads_some(group, "b"), 60, "it has partitions")
    fleet.send(300)
    fleet.all_stored()
    group.members["a"].kill9()  # before it has written what it saw
    fleet.send(300)
    fleet.all_stored()  # by the other, once the group has missed it
    group.start("a")
    fleet.send(300)
    fleet.all_stored()
    group.members["b"].terminate()
    fleet.send(300)
    fleet.all_stored()
    fleet.assert_numbers()


def under_way(database):
    """Batches of a log that are in their transaction now."""
    return database.value(
        "SELECT count(*)::int FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'BEGIN%%positions_move%%'"
    )


def test_what_a_frozen_member_has_in_its_hands_is_stored_once(stack, mock_kafka, rng):
    """It stands still amid its transaction, so that the server waits for its readings, and the next owner for it."""
    group = Group(stack, mock_kafka, rng)
    group.start("a")
    stack.start_httpapi()
    group.fill(200)
    group.assert_tables()
    connection = stack.database.connect()
    cursor = connection.cursor()
    cursor.execute("SELECT FROM positions FOR UPDATE")
    group.fill(200)
    group.fill_poison(20)
    until(lambda: under_way(stack.database) == 1, 20, "a batch is under way")
    with group.members["a"].paused():
        connection.rollback()
        group.start("b")
        group.assert_tables(90)  # by the other
    until(lambda: group.metric("a", "highwater_batches_fenced_total") >= 1, 60, "what it had is refused")
    group.fill(200)
    group.assert_exact()
    connection.close()
