"""How much is kept of what was rejected: the oldest goes first, and what goes is counted."""

from __future__ import annotations

from datetime import timedelta

from servers import LOOPBACK, free_port, until
from test_collector import live_collector
from test_rejected import TOPIC, make_older, rejected

LEFT = "SELECT convert_from(payload, 'UTF8') FROM rejected_messages ORDER BY received_at, id"


def left(stack) -> list[str]:
    return [payload for payload, in stack.database.rows(LEFT)]


def assert_sums_are_right(stack) -> None:
    sums = "SELECT coalesce(sum(messages), 0), coalesce(sum(bytes), 0) FROM rejected_log"
    rows = "SELECT count(*), coalesce(sum(rejected_bytes(m)), 0) FROM rejected_messages m"
    assert stack.database.rows(sums) == stack.database.rows(rows)


def test_what_is_older_than_the_retention_goes(stack):
    collector = live_collector(stack, rejected_retention="1h")
    rejected(stack, b"old", 3)
    make_older(stack, timedelta(hours=2))
    publisher = stack.publisher()  # the old may go at any moment from here on, so nothing is counted
    for _ in range(2):
        publisher.send_bytes("devices/d/readings", b"new")
    until(lambda: left(stack) == ["new"] * 2, 15)
    until(lambda: "the 3 oldest rejected messages were deleted" in collector.output())
    metrics = until(lambda: (m := stack.metrics())["highwater_rejected_messages_deleted_total"] == 3 and m)
    assert metrics["highwater_rejected_messages"] == 2
    assert_sums_are_right(stack)


def test_the_oldest_go_while_all_take_more_than_the_size(stack):
    """In slices: more rows than one has. Those of a collector that does not look after storage, too."""
    collector = live_collector(stack, rejected_size="100k")
    other = live_collector(
        stack, collector_id="other", log_name="other", subscribe="others/+/readings", rejected_size="1k",
        metrics_listen=f"{LOOPBACK}:{free_port()}",
    )  # fmt: skip
    stack.database.rows(
        "INSERT INTO rejected_messages (received_at, topic, payload, reason, detail)"
        " SELECT now() - interval '1 day' + n * interval '1 second', 't', convert_to(lpad(n::text, 100, '0'), 'UTF8'), 'no_value', ''"
        " FROM generate_series(1, 12000) n"
    )
    until(lambda: 0 < len(left(stack)) < 12000, 15)
    until(lambda: "oldest rejected messages were deleted" in collector.output(), 15)
    numbers = [int(payload) for payload in left(stack)]
    size = stack.database.value("SELECT sum(rejected_bytes(m)) FROM rejected_messages m")
    assert 100 * 1024 - 300 <= size <= 100 * 1024
    assert numbers == list(range(12001 - len(numbers), 12001))
    assert_sums_are_right(stack)
    assert "oldest rejected messages" not in other.output()
    assert stack.metrics()["highwater_rejected_messages_bytes"] == size


def test_without_limits_all_is_kept_and_whatever_happens_to_the_table_is_counted(stack):
    live_collector(stack, rejected_size=0)
    rejected(stack, b"one")
    rejected(stack, b"x" * 100_000, 2)
    assert_sums_are_right(stack)
    make_older(stack, timedelta(days=10000))
    stack.database.rows("UPDATE rejected_messages SET detail = detail || 'longer'")
    assert_sums_are_right(stack)
    stack.database.rows("DELETE FROM rejected_messages WHERE payload = 'one'")
    assert_sums_are_right(stack)
    until(lambda: stack.metrics().get("highwater_rejected_messages") == 2, 15)
    stack.database.rows("TRUNCATE rejected_messages")
    until(lambda: stack.metrics().get("highwater_rejected_messages") == 0, 15)
    publisher = stack.publisher()
    publisher.send_bytes(TOPIC, b"again")
    until(lambda: left(stack) == ["again"])
    assert_sums_are_right(stack)
