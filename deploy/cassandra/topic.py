"""The topic of readings: read as a member of a group, whose offsets follow what is written.

Offsets are committed by us alone, each second, up to the first record that is not done (progress.py). Where the
topic no longer has what comes next, which others read over in silence, it is said and counted: those readings are
missing in the table. Partitions come and go without waiting: what is under way for one that has gone is written
twice at most, and rows have keys.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from metrics import Metrics
from progress import Progress, Record
from settings import PROGRAM, Settings

log = logging.getLogger("highwater.kafka")

COMMIT_EVERY_S = 1.0
ASK_AGAIN_S = 1.0
COMPLAINT_EVERY_S = 30.0
ANSWER_WITHIN_S = 5.0


class Lost(Exception):
    """This member cannot go on; the text says why."""


def client_settings(settings: Settings) -> dict[str, object]:
    return {
        **settings.kafka_config,
        "bootstrap.servers": settings.source.brokers,
        "client.id": PROGRAM,
        "logger": logging.getLogger("highwater.librdkafka"),
    }


def check_properties(settings: Settings) -> str:
    """What librdkafka has against those of --kafka-config; empty when it has nothing."""
    try:
        Consumer({**client_settings(settings), "group.id": settings.source.group}).close()
    except (KafkaException, TypeError, ValueError) as error:
        reason = error.args[0]
        return reason.str() if isinstance(reason, KafkaError) else str(reason)
    return ""


class Topic:
    """`before_leaving` is called before offsets are committed for partitions that go."""

    def __init__(self, settings: Settings, metrics: Metrics, before_leaving: Callable[[], None]) -> None:
        source = settings.source
        self._topic = source.topic
        self._metrics = metrics
        self._before_leaving = before_leaving
        self._progress: dict[int, Progress] = {}
        self._next: dict[int, int] = {}  # the offset that comes next, where one has been read
        self._gone: dict[int, int] = {}  # the offset that should have come next, until the first record after it
        self._to_place: dict[int, float] = {}  # partitions without a place to go on from, and when to look again
        self._commit_due = 0.0
        self._said: dict[str, float] = {}
        self.is_paused = False
        member = {"group.instance.id": source.member} if source.member else {}
        self._consumer = Consumer({
            "session.timeout.ms": 6000,
            **client_settings(settings),
            **member,
            "group.id": source.group,
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",  # where to go on is not to be decided in silence
            "on_commit": self._on_commit,
            "error_cb": self._on_error,
        })  # fmt: skip
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    # --- Reading ---

    def poll(self, seconds: float) -> Message | None:
        """The next record, None when there is none by then. Lost when this member is none any more."""
        message = self._consumer.poll(seconds)
        if message is None:
            return None
        error = message.error()
        if error is None:
            if self._gone:
                self._tell_gap(message.partition(), message.offset())
            self._next[message.partition()] = message.offset() + 1
            return message
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._to_place.setdefault(message.partition(), 0.0)
        elif error.code() in (KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION):  # librdkafka goes on behind it
            self._metrics.add("missed_records_total")
            log.error(
                "a record of partition %d at %s cannot be read: %s", message.partition(), message.offset(), error.str()
            )
        else:
            self._on_error(error)
        return None

    def begin(self, message: Message, rows: int) -> Record:
        progress = self._progress.setdefault(message.partition(), Progress())
        return progress.begin(message.offset(), message, rows)

    def pause(self) -> None:
        """Records stay where they are; polling goes on, or the group would give the partitions to others."""
        self.is_paused = True
        self._consumer.pause(self._consumer.assignment())

    def resume(self) -> None:
        self.is_paused = False
        self._consumer.resume(self._consumer.assignment())

    # --- Where to go on ---

    def _place(self, partition: int, now: float) -> None:
        """For a group that has no offset yet, or one that the topic does not have any more: at the oldest record. Where that
        is, the first one tells; a question for it may never return in librdkafka before 2.4, when the leader dies."""
        place = TopicPartition(self._topic, partition)
        wanted = self._next.get(partition)
        try:
            if wanted is None:
                committed = self._consumer.committed([place], timeout=ANSWER_WITHIN_S)[0]
                wanted = committed.offset if committed.offset >= 0 else None
            self._consumer.incremental_unassign([place])  # a seek is refused while it stands still
            self._consumer.incremental_assign([TopicPartition(self._topic, partition, OFFSET_BEGINNING)])
            if self.is_paused:
                self._consumer.pause([place])
        except KafkaException as error:
            self._say(f"where to go on in partition {partition} is not known yet: {error.args[0].str()}", now)
            self._to_place[partition] = now + ASK_AGAIN_S
            return
        del self._to_place[partition]
        self._next.pop(partition, None)
        if wanted is not None:
            self._gone[partition] = wanted
            log.error("partition %d has no offset %d any more; its oldest record is the next", partition, wanted)

    def _tell_gap(self, partition: int, first: int) -> None:
        wanted = self._gone.pop(partition, first)
        if wanted < first:
            self._metrics.add("missed_records_total", first - wanted)
            log.error(
                "records %d to %d of partition %d were gone before they were read, and are not in the table",
                wanted, first - 1, partition,
            )  # fmt: skip
        elif wanted > first:
            log.error("partition %d is another by now, or has lost its end: it is read from its start", partition)

    # --- Offsets ---

    def tick(self, now: float) -> None:
        for partition, due in list(self._to_place.items()):
            if due <= now:
                self._place(partition, now)
        if now < self._commit_due:
            return
        self._commit_due = now + COMMIT_EVERY_S
        offsets = self._to_commit(self._progress)
        if offsets:
            try:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            except KafkaException as error:
                self._on_commit(error.args[0], offsets)
        self._show_lag()

    def _to_commit(self, partitions: object) -> list[TopicPartition]:
        found = []
        for partition in partitions:  # type: ignore[attr-defined]
            progress = self._progress.get(partition)
            offset = progress.to_commit() if progress else None
            if offset is not None:
                found.append(TopicPartition(self._topic, partition, offset))
        return found

    def commit(self) -> bool:
        """What is done by now, and waits for it. False when Kafka did not take it."""
        return self._commit_now(self._to_commit(self._progress))

    def _commit_now(self, offsets: list[TopicPartition]) -> bool:
        if not offsets:
            return True
        try:
            done = self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            self._on_commit(error.args[0], offsets)
            return False
        self._on_commit(None, done)
        return True

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            failed = error or each.error
            self._metrics.add("commits_total", result="failed" if failed else "ok")
            if failed:
                self._say(
                    f"offset {each.offset} of partition {each.partition} is not committed: {failed.str()}",
                    time.monotonic(),
                )
            elif each.partition in self._progress:
                self._progress[each.partition].committed = each.offset

    def _show_lag(self) -> None:
        for partition in self._progress:
            _, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
            position = self._progress[partition].first_open()
            if position is not None and end >= 0:
                self._metrics.set("lag_records", max(0, end - position), partition=str(partition))

    # --- The group ---

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._changed("came", partitions)
        for each in partitions:
            self._progress[each.partition] = Progress()
        if self.is_paused:  # what comes is not paused
            self._consumer.incremental_assign(partitions)
            self._consumer.pause(partitions)
        self._metrics.set("partitions", len(self._progress))

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._before_leaving()
        self._commit_now(self._to_commit([each.partition for each in partitions]))
        self._changed("went", partitions)
        self._forget(partitions)

    def _on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._changed("were lost", partitions)
        self._forget(partitions)

    def _changed(self, how: str, partitions: list[TopicPartition]) -> None:
        if partitions:
            self._metrics.add("rebalances_total")
            log.info("partitions %s %s", ", ".join(str(each.partition) for each in partitions), how)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            for of_partition in (self._progress, self._next, self._gone, self._to_place):
                of_partition.pop(each.partition, None)
        self._metrics.drop("lag_records")
        self._metrics.set("partitions", len(self._progress))

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:
            raise Lost(error.str())
        self._say(error.str(), time.monotonic())

    def _say(self, text: str, now: float) -> None:
        """Not the same again and again."""
        if now >= self._said.get(text, now):
            self._said = {said: due for said, due in self._said.items() if due > now}
            self._said[text] = now + COMPLAINT_EVERY_S
            log.warning("%s", text)

    def close(self) -> None:
        """Leaves the group, unless the member has a name that is to find its partitions again."""
        self._consumer.close()
