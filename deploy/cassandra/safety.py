"""Whether an acknowledgement of Cassandra's means that a row stays.

A node writes a row into memory and into its commit log, and answers. With `commitlog_sync: periodic`, the default,
the log reaches the disk up to ten seconds later, so what one node alone has acknowledged dies with it; `batch`
and `group` sync first. Where two nodes or more have acknowledged, all of them would have to die within those seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

CONSISTENCIES = ("ONE", "LOCAL_ONE", "TWO", "THREE", "QUORUM", "LOCAL_QUORUM", "EACH_QUORUM", "ALL")


class Promise(NamedTuple):
    consistency: str
    copies: int  # in the datacenter that is written to
    all_copies: int  # in all of them
    is_durable: bool  # the keyspace's durable_writes


class Node(NamedTuple):
    address: str
    sync: str | None  # its commitlog_sync; None = it does not say
    why: str = ""


def acknowledging(promise: Promise) -> int:
    """How many nodes have a row at least when it is acknowledged."""
    counts = {
        "ONE": 1,
        "LOCAL_ONE": 1,
        "TWO": 2,
        "THREE": 3,
        "ALL": promise.all_copies,
        "QUORUM": promise.all_copies // 2 + 1,
        "LOCAL_QUORUM": promise.copies // 2 + 1,
        "EACH_QUORUM": promise.copies // 2 + 1,
    }
    return counts[promise.consistency]


def weakness(promise: Promise, nodes: Sequence[Node]) -> str | None:
    """How an acknowledged row could be lost with one node; None = it could not."""
    if not promise.is_durable:
        return "the keyspace has durable_writes = false: its rows are in no commit log, and a node that dies loses them"
    if promise.copies < 1:
        return "the keyspace has no copies in this datacenter; name another with ?dc= in --store"
    if acknowledging(promise) >= 2:
        return None
    said = f"{promise.consistency} with {promise.copies} cop{'y' if promise.copies == 1 else 'ies'} is acknowledged by one node"
    for node in nodes:
        if node.sync == "periodic":
            return (
                f"{said}, and {node.address} has commitlog_sync: periodic, so it loses up to ten seconds of "
                f"acknowledged rows when it dies; set commitlog_sync: batch there, or write to three copies with LOCAL_QUORUM"
            )
        if node.sync is None:
            return f"{said}, and {node.address} does not say what its commitlog_sync is{': ' + node.why if node.why else ''}"
    return None
