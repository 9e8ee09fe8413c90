"""Two PostgreSQL and one DATABASE_URL with both: the primary is killed, its standby promoted, nothing is lost."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest
from conftest import Stack
from oracle import Database
from servers import LOOPBACK, PrivatePostgres, until
from simulator import verify
from test_collector import live_collector


class Pair:
    """A primary, and a standby that follows it; asynchronously, until it is told to wait."""

    def __init__(self, area, logs, name) -> None:
        self.primary = PrivatePostgres(area / f"{name}-1", log=logs / "primary.log")
        self.primary.start()
        self.url = self.primary.create_database("pair")
        self.standby = self.primary.standby(area / f"{name}-2", logs / "standby.log")
        self.standby.start()
        until(lambda: self.primary.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1", 30)

    def both(self) -> str:
        """The URL that operators are told to use (OPERATIONS.md)."""
        hosts = f"{LOOPBACK}:{self.primary.port},{LOOPBACK}:{self.standby.port}"
        return f"postgresql://highwater@{hosts}/pair?target_session_attrs=read-write"

    def database(self, server) -> Database:
        return Database(server.url("pair"), server.url("pair", "postgres"), "pair")

    def wait_for_standby(self) -> None:
        self.primary.set("synchronous_standby_names", "*")
        kind = "SELECT sync_state FROM pg_stat_replication"
        until(lambda: self.primary.sql(kind) in ("sync", "quorum"), 30, "the standby is synchronous")

    def stop(self) -> None:
        for server in (self.standby, self.primary):
            server.stop("immediate")


@pytest.fixture
def pair(area, logs):
    servers = Pair(area, logs, logs.name)
    yield servers
    servers.stop()


@pytest.fixture
def stack(pair, broker, logs):
    running = Stack(pair.database(pair.primary), broker, logs)
    yield running
    running.close()


def test_a_primary_is_killed_and_its_synchronous_standby_promoted(stack, pair, truth):
    pair.wait_for_standby()
    live_collector(stack, database_url=pair.both())
    stack.start_httpapi(database_url=pair.standby.url("pair"))
    fleet = stack.start_devicesim(
        "--rate", "1500", "--count", "15000", "--num-devices", "50", "--seq", "--json", "--truth", str(truth)
    )
    stored = "SELECT count(*) FROM device_readings"
    until(lambda: stack.database.value(stored) > 3000, 30, "much is stored")
    pair.primary.kill9()
    pair.standby.promote()
    after = pair.database(pair.standby)
    began = after.value(stored)
    until(lambda: after.value(stored) > began, 30, "the new primary stores")
    assert fleet.wait(60) == 0, fleet.tail()
    status, result, said = verify(after, truth)
    assert status == 0 and result["readings"]["rows"] == 15000, (result, said)

    def shown():
        code, headers, body = stack.get("/dashboard?interval=past_hour&features=temperature&limit=1")
        return code == 200 and headers["X-Data-Source"] == "boards" and json.loads(body)["temperature"]

    until(shown, 30, "httpapi, which read from the standby, shows boards without being started again")


def test_a_standby_that_no_commit_waits_for_is_warned_of(stack, pair):
    """As the role that the collector should have, which may not see how a standby follows."""
    warning = "no commit waits for the standby that follows (walreceiver)"
    collector = live_collector(stack, database_url=pair.both())
    assert collector.output().count(warning) == 1, collector.output()
    assert collector.terminate() == 0
    pair.wait_for_standby()
    collector = live_collector(stack, database_url=pair.both())
    assert "standby" not in collector.output(), collector.output()
    assert collector.terminate() == 0
    pair.primary.sql("ALTER ROLE highwater SET synchronous_commit = local")
    collector = live_collector(stack, database_url=pair.both())
    assert "synchronous_commit is local for this role, database or server: it is turned on" in collector.output()


def test_a_host_that_says_nothing_keeps_nobody_from_the_next(stack, broker):
    """Its machine is gone, or its name is: libpq by itself would wait for it again and again."""
    url = urlsplit(stack.database.url)
    with socket.create_server((LOOPBACK, 0)) as silent:
        hosts = f"nowhere.invalid:1,{LOOPBACK}:{silent.getsockname()[1]},localhost:{url.port}"
        target = f"postgresql://highwater@{hosts}{url.path}?target_session_attrs=read-write"
        collector = live_collector(stack, database_url=target)
        stack.start_httpapi(database_url=target)
        until(lambda: stack.get("/readyz")[0] == 200, 30, "httpapi is ready")
        assert "not reachable" not in collector.output()


def test_all_hosts_are_named_when_none_is_of_use(stack, pair):
    """A standby alone takes no writes."""
    pair.primary.stop()
    collector = stack.start_collector(database_url=pair.both())
    line = collector.wait_for_line("schema: not reachable: ")
    assert str(pair.primary.port) in line and str(pair.standby.port) in line and "read-only" in line, line
    tried = "SELECT sessions FROM pg_stat_database WHERE datname = 'pair'"
    before = int(pair.standby.sql(tried))
    until(lambda: int(pair.standby.sql(tried)) >= before + 3, 30, "it is tried again")
    assert collector.output().count("not reachable") == 1, "which is told once"
