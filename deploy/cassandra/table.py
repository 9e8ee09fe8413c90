"""The table in Cassandra: connected to, looked at before anything is written, written to without waiting."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from cassandra import ConsistencyLevel
from cassandra.auth import Authenticator, AuthProvider, PlainTextAuthenticator
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import (
    DCAwareRoundRobinPolicy,
    ExponentialReconnectionPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType

from records import Row
from safety import Node, Promise, weakness
from settings import Settings, read_secret

log = logging.getLogger("highwater.cassandra")

COLUMNS = ("device", "day", "recorded_at", "id", "received_at", "status", "seq", "features")
INSERT = f"INSERT INTO {{}}.readings ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
EPOCH_DAY = 2**31  # Cassandra's dates are days from there
SCHEMA = Path(__file__).with_name("schema.cql")


class Unsafe(Exception):
    """The server would acknowledge what it may lose, or is not as it must be; the text says what to do."""


class FilePassword(AuthProvider):
    """The password is read again for each connection, so a new one needs no restart."""

    def __init__(self, user: str, path: Path) -> None:
        self._user = user
        self._path = path

    def new_authenticator(self, host: str) -> Authenticator:
        return PlainTextAuthenticator(self._user, read_secret(self._path))


def tls(settings: Settings) -> ssl.SSLContext | None:
    """OSError for files that are not what they should be."""
    if not settings.store.tls:
        return None
    context = ssl.create_default_context(cafile=settings.ca_file)  # names are checked
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context


def _cluster(settings: Settings) -> Cluster:
    store = settings.store
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc=store.datacenter or "")),
        retry_policy=FallthroughRetryPolicy(),  # what is tried again, and when, is ours to say
        consistency_level=ConsistencyLevel.name_to_value[settings.consistency],
        request_timeout=settings.timeout_s,
    )
    return Cluster(
        contact_points=list(store.hosts),
        port=store.port,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        auth_provider=FilePassword(store.user, settings.password_file) if store.user else None,
        ssl_context=tls(settings),
        reconnection_policy=ExponentialReconnectionPolicy(0.5, 10),
        protocol_version=4,  # that all from 3.0 to 5.0 speak
        connect_timeout=settings.timeout_s,
        control_connection_timeout=settings.timeout_s,
        idle_heartbeat_interval=10,
        idle_heartbeat_timeout=10,
    )


class Table:
    """A session with the keyspace. What is sent ends in a thread of the driver's."""

    def __init__(self, settings: Settings) -> None:
        """Takes what the driver raises when nobody answers."""
        self._settings = settings
        self._cluster = _cluster(settings)
        try:
            self._session: Session = self._cluster.connect()
        except BaseException:
            self._cluster.shutdown()
            raise

    def close(self) -> None:
        self._cluster.shutdown()

    # --- Before anything is written ---

    def create(self) -> None:
        """The keyspace, if there is none, and the table, if there is none."""
        settings = self._settings
        keyspace = settings.store.keyspace
        datacenter = settings.store.datacenter or next(iter(self._cluster.metadata.all_hosts())).datacenter
        self._session.execute(
            f'CREATE KEYSPACE IF NOT EXISTS "{keyspace}" WITH replication = '
            f"{{'class': 'NetworkTopologyStrategy', '{datacenter}': {settings.replication}}}"
        )
        self._session.execute(schema(keyspace, settings.retention))

    def prepare(self) -> None:
        """Makes it ready to be written to; Unsafe when it should not be."""
        keyspace = self._cluster.metadata.keyspaces.get(self._settings.store.keyspace)
        if keyspace is None:
            raise Unsafe(f"there is no keyspace {self._settings.store.keyspace}; --create-schema makes it")
        if "readings" not in keyspace.tables:
            raise Unsafe(f"the keyspace {keyspace.name} has no table readings; --create-schema makes it")
        self._check_promise(keyspace)
        self._insert = self._session.prepare(self._insert_text())

    def _check_promise(self, keyspace: object) -> None:
        strategy = keyspace.replication_strategy  # type: ignore[attr-defined]
        per_datacenter = getattr(strategy, "dc_replication_factors", None)
        datacenter = self._settings.store.datacenter or next(iter(self._cluster.metadata.all_hosts())).datacenter
        copies = per_datacenter.get(datacenter, 0) if per_datacenter else getattr(strategy, "replication_factor", 1)
        every = sum(per_datacenter.values()) if per_datacenter else copies
        promise = Promise(self._settings.consistency, copies, every, keyspace.durable_writes)  # type: ignore[attr-defined]
        fault = weakness(promise, self._nodes())
        if fault and not self._settings.accept_periodic:
            raise Unsafe(f"{fault}; --accept-periodic writes all the same")
        if fault:
            log.warning("%s; taken all the same, as --accept-periodic says", fault)

    def _nodes(self) -> list[Node]:
        """How each node that is up syncs its log, which each says only of itself."""
        found = []
        for host in self._cluster.metadata.all_hosts():
            if not host.is_up:
                continue
            try:
                row = self._session.execute(
                    "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'", host=host
                ).one()
                found.append(Node(str(host.address), row.value.lower() if row else None))
            except Exception as error:  # versions before 4.0 and others have no such table
                found.append(Node(str(host.address), None, str(error)[:200]))
        return found

    # --- Writing ---

    def statement(self, rows: Sequence[Row]) -> object:
        """Of one partition. What cannot be bound raises TypeError, ValueError or OverflowError."""
        bound = [self._insert.bind(_values(row)) for row in rows]
        if len(bound) == 1:
            return bound[0]
        batch = BatchStatement(BatchType.UNLOGGED)
        for statement in bound:
            batch.add(statement)
        batch.is_idempotent = True
        return batch

    def send(self, statement: object, on_done: Callable[[BaseException | None], None]) -> None:
        """Calls on_done once, in this thread or another."""
        future = self._session.execute_async(statement)
        future.add_callbacks(lambda _: on_done(None), on_done)

    def check_statement(self) -> None:
        """Raises what Cassandra has against the statement as such, whatever its values."""
        self._session.prepare(self._insert_text())

    def _insert_text(self) -> str:
        return INSERT.format(f'"{self._settings.store.keyspace}"')


def _values(row: Row) -> tuple[object, ...]:
    """No column is set to null: that would be a tombstone."""
    return (
        row.device,
        EPOCH_DAY + row.day,
        row.time_us * 1000,
        row.id,
        UNSET_VALUE if row.received_at_us is None else row.received_at_us // 1000,
        UNSET_VALUE if row.status is None else row.status,
        UNSET_VALUE if row.seq is None else row.seq,
        row.features or UNSET_VALUE,
    )


def schema(keyspace: str, retention: timedelta) -> str:
    """The statement of schema.cql, with the keyspace and a retention: about 30 windows of whole days in it."""
    text = SCHEMA.read_text().replace("EXISTS readings", f'EXISTS "{keyspace}".readings')
    days = max(1, -(-retention // timedelta(days=30)))
    text = re.sub(r"(default_time_to_live = )\d+", rf"\g<1>{int(retention.total_seconds())}", text)
    return re.sub(r"('compaction_window_size': )\d+", rf"\g<1>{days}", text)
