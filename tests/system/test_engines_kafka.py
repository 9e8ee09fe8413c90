"""A group of collectors at a real Kafka: whatever happens, each record is stored once, and boards are what SQL says.

The sets lost, doubled and unexpected are of readings and of rejected records alike. A reading that is stored twice would
be one row, so what tells a member that stores what it no longer owns are the rejected records, and the positions.
"""

from __future__ import annotations

import contextlib
import time

import pytest

from faults import commits_held, waits_for_lock
from kafka import add_partitions, delete_records, delete_topic, end_offsets, new_topic
from kafka_group import SESSION_S, Group, is_ready
from servers import paused, until
from simulator import assert_verified

pytestmark = pytest.mark.engines

RATE = 10_000


@pytest.fixture
def group(stack, kafka, rng):
    """Two members at a real node, and what shows their boards."""
    both = Group(stack, kafka, rng, topic_metadata_refresh_interval_ms=1000)
    for name in "ab":
        both.start(name)
    stack.start_httpapi()
    return both


def both_store(group: Group) -> None:
    """Each of them has partitions."""
    for name in "ab":
        group.stores(name)


def test_members_are_killed_ten_times_in_200000_records(group, rng):
    with group.load(RATE, 200_000):
        both_store(group)
        for n in range(10):
            name = "ab"[n % 2]
            group.stores(name)
            time.sleep(rng.random() * 0.2)  # chance
            group.members[name].kill9()
            group.start(name)
    group.assert_exact()


def test_a_member_stops_and_comes_back_and_a_third_joins(group):
    with group.load(RATE):
        both_store(group)
        assert group.members["a"].terminate() == 0
        group.start("c")
        group.stores("c")
        group.start("a")
        group.stores("a")
        group.stores("b")
    group.assert_exact()


def test_others_take_over_when_a_session_is_over(group):
    with group.load(1000):
        both_store(group)
        group.members["a"].kill9()
        killed = time.monotonic()
        before = group.positions()
        until(lambda: all(group.positions()[p] > at for p, at in before.items()), 60, "all partitions go on")
        print(f"taken over after {time.monotonic() - killed:.1f} s")
        group.start("a")
        group.stores("a")
    group.assert_exact()


def test_a_member_that_returns_goes_on_at_once(stack, kafka, rng):
    """Its session, of before it was killed, has a minute to go; and nobody else is disturbed."""
    group = Group(stack, kafka, rng, session_timeout_ms=60_000, max_poll_interval_ms=120_000)
    for name in "ab":
        group.start(name)
    stack.start_httpapi()

    def has(partitions: float) -> bool:
        with contextlib.suppress(OSError, KeyError):
            return group.metric("a", "highwater_kafka_partitions") == partitions
        return False

    with group.load(1000):
        both_store(group)
        rebalances = group.metric("b", "highwater_kafka_rebalances_total")
        owned = group.metric("a", "highwater_kafka_partitions")
        group.members["a"].kill9()
        group.start("a")
        until(lambda: has(owned), 30, "it has what it had")
        group.stores("a")
        assert group.metric("b", "highwater_kafka_rebalances_total") == rebalances
    group.assert_exact()


def test_a_member_may_end_while_it_joins(group, rng):
    """At any moment of its start; librdkafka before 2.3 has one at which it would rather abort."""
    member = group.members["a"]
    for _ in range(10):
        assert member.terminate() == 0, member.tail()
        member.start()
        member.wait_for_line("maintenance: connecting", 30)
        time.sleep(rng.random() * 0.6)  # chance


def test_a_member_stands_still_with_batches_in_hand(group):
    """One is in a transaction that waits for a lock, another is gathered, with records to reject in it; when both may go
    on, somebody else has stored what is in them."""
    a = group.members["a"]
    with group.load(1000):
        both_store(group)
        with contextlib.ExitStack() as thaw:
            with commits_held(group.stack):
                until(lambda: waits_for_lock(group.stack), 30, "a batch waits")
                group.fill_poison(40)
                time.sleep(1)  # it gathers what has come
                thaw.enter_context(paused(a.pid))
                time.sleep(SESSION_S + 3)  # the fault: longer than its session
            group.stores("b")
            group.stores("b")
        group.stores("a")
    group.assert_exact()


@pytest.mark.faults
def test_a_member_stands_still_between_its_statements(group):
    """It is frozen at random moments, for longer than its session; what it had gathered is another's by then."""
    with group.load(RATE):
        both_store(group)
        for name in "ab":
            group.stores(name)
            with paused(group.members[name].pid):
                time.sleep(SESSION_S + 3)  # the fault
            group.stores(name)
    group.assert_exact()


def test_postgres_is_away_for_longer_than_a_poll_may_take(stack, kafka, rng, postgres):
    group = Group(stack, kafka, rng, max_poll_interval_ms=6000, session_timeout_ms=6000)
    for name in "ab":
        group.start(name)
    stack.start_httpapi()
    with group.load(1000):
        both_store(group)
        postgres.stop("immediate")
        time.sleep(8)  # the fault
        postgres.start()
        both_store(group)
    group.assert_exact()


def test_partitions_are_added_while_records_come(group):
    with group.load(1000):
        both_store(group)
        add_partitions(group.server, group.topic, 9)
        until(lambda: all(end > 0 for _, end in end_offsets(group.server, group.topic).values()), 60, "all have some")
    group.assert_exact()


def test_a_gap_is_told_and_not_skipped(group):
    """Two partitions are truncated behind what was stored of them. Others go on; these wait until somebody decides."""
    group.fill(2000)
    group.all_stored()
    for name in "ab":
        assert group.members[name].terminate() == 0
    positions = group.positions()
    group.fill(2000)
    ends = end_offsets(group.server, group.topic)
    gaps = {p: (positions[p], ends[p][1] - 20) for p in (1, 2)}
    delete_records(group.server, group.topic, {p: first for p, (_, first) in gaps.items()})
    for name in "ab":
        group.start(name)

    def told(partition):
        numbers = [str(offset) for offset in gaps[partition]]
        lines = "".join(group.members[name].output() for name in "ab").splitlines()
        return any(f"{group.topic}/{partition}" in line and all(n in line for n in numbers) for line in lines)

    for partition in gaps:
        until(lambda partition=partition: told(partition), 60, f"somebody names the gap of {partition}")
    until(lambda: all(group.positions()[p] == ends[p][1] for p in (0, 3)), 60, "the others go on")
    assert all(group.positions()[p] == positions[p] for p in gaps), "and nothing is skipped"
    group.expect_what_is_left()
    for partition, (_, first) in gaps.items():
        group.stack.database.rows(
            "UPDATE positions SET next = %s WHERE topic = %s AND partition = %s", (first, group.topic, partition)
        )
    group.assert_exact()


def test_a_topic_is_deleted_and_made_again(group):
    """What of it was stored ends behind its new end, which is told; and it is read once somebody has decided."""
    group.fill(2000)
    group.all_stored()
    delete_topic(group.server, group.topic)
    new_topic(group.server, 4, group.topic)
    group.fill(200)
    until(lambda: sum(group.metric(name, "highwater_kafka_held_partitions") for name in "ab") == 4, 60, "all are held")
    group.stack.database.rows("UPDATE positions SET next = NULL WHERE topic = %s", (group.topic,))
    group.assert_exact()


def test_records_of_strangers_compressed_and_in_transactions(group):
    """What is aborted was never written; what is not records in a log, such as ends of transactions, holds nothing up."""
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        group.fill(500, compression_codec=codec)
    for is_kept in (True, False, True, False):
        group.fill_in_transaction(200, is_kept)
    group.all_stored()
    until(lambda: sum(group.metric(name, "highwater_kafka_lag_records") for name in "ab") == 0, 60, "nothing is left")
    group.assert_exact()


def test_kafka_is_killed_and_comes_back(group):
    with group.load(1000):
        both_store(group)
        group.server.kill9()
        group.server.start()
        both_store(group)
    group.assert_exact()


@pytest.mark.faults
def test_a_cluster_loses_its_coordinator_and_restarts_node_by_node(stack, kafka_cluster, rng):
    group = Group(stack, kafka_cluster, rng)
    for name in "ab":
        group.start(name)
    stack.start_httpapi()
    with group.load(1000):
        both_store(group)
        lost = group.coordinator()
        kafka_cluster.kill9(lost)
        both_store(group)
        kafka_cluster.start_node(lost)
        for node in kafka_cluster.ports:
            kafka_cluster.restart(node)
        both_store(group)
    group.assert_exact()


# --- From the devices to the tables ------------------------------------------------------------------


@pytest.fixture
def chain(stack, group):
    """Devices' broker, a collector that stores into the topic, and the two that read it."""
    group.edge = stack.start_collector(
        collector_id="edge", store=group.server.url(group.topic), database_url=None, log_name="collector-edge"
    )
    until(lambda: is_ready(stack, stack.metrics_port), 30, "the edge is ready")
    return group


def test_what_devices_sent_is_stored_once_though_each_of_them_is_killed(stack, chain, truth, rng):
    simulation = stack.start_devicesim(
        "--rate", 1000, "--num-devices", 200, "--connections", 10, "--truth", truth
    )  # fmt: skip
    both_store(chain)
    for _ in range(2):
        chain.edge.kill9()
        chain.edge.start()
        both_store(chain)
        chain.server.kill9()
        chain.server.start()
        both_store(chain)
        time.sleep(rng.random())  # chance
        chain.members["b"].kill9()
        chain.start("b")
        chain.stores("b")
    assert simulation.terminate() == 0, simulation.tail()
    assert_verified(stack.database, truth)
    chain.assert_boards()
