"""Commands that do one thing and end: they end, with the right status and the true reason."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from pathlib import Path

import pytest
from oracle import reading
from servers import LOOPBACK, PrivateBroker, free_port, until
from test_collector import live_collector

COMMANDS = {
    "migrate": ("collector", "--migrate"),
    "rejected": ("collector", "--rejected"),
    "resubmit": ("collector", "--rejected", "--resubmit"),
    "verify": ("devicesim", "--truth", "/dev/null", "--verify"),
}


def command(stack, name: str, url: str, **settings):
    program, *args = COMMANDS[name]
    running = stack.program(program, [*args, url] if name == "verify" else args, database_url=url, **settings)
    running.start()
    return running


def answers(stack) -> bool:
    with contextlib.suppress(OSError):
        return stack.get("/healthz", stack.metrics_port)[0] == 200
    return False


@pytest.fixture
def silent_port():
    """A server that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(50)
        yield listener.getsockname()[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_without_a_database_ends_after_a_stated_time(stack, silent_port, name):
    for port in (free_port(), silent_port):
        url = f"postgresql://highwater@{LOOPBACK}:{port}/nothing"
        program = command(stack, name, url, give_up_after="2s")
        assert program.wait(20) in (1, 2), program.tail()
        assert program.tail(1).strip(), "it says why"


@contextlib.contextmanager
def with_passwords(postgres):
    """The server asks the role `locked` for a password."""
    hba = Path(postgres.data, "pg_hba.conf")
    before = hba.read_text()
    hba.write_text(f"host all locked {LOOPBACK}/32 scram-sha-256\n{before}")
    postgres.sql("SELECT pg_reload_conf()")
    postgres.sql("CREATE ROLE locked LOGIN PASSWORD 'right'")
    try:
        yield
    finally:
        hba.write_text(before)
        postgres.sql("SELECT pg_reload_conf()")
        postgres.sql("DROP ROLE locked")


@pytest.mark.parametrize("name", COMMANDS)
def test_what_only_a_person_can_mend_ends_a_command_at_once(stack, postgres, name):
    right = stack.database.url
    refused = {
        "password": right.replace("highwater@", "locked:wrong@"),
        "no password": right.replace("highwater@", "locked@"),
        "unknown role": right.replace("highwater@", "nobody@"),
        "unknown database": right + "_not",
    }
    with with_passwords(postgres):
        for what, url in refused.items():
            program = command(stack, name, url, give_up_after="1h")
            assert program.wait(20) in (1, 2), f"{what}: {program.tail()}"
            line = program.tail(1)
            assert "FATAL" in line or "password" in line, line
            assert not re.search(r"(?<!port) (28P01|28000|3D000)", line), line


def test_migrate_gives_up_when_another_does_not_end(stack):
    with stack.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended('highwater schema', 0))")
        program = command(stack, "migrate", stack.database.url, give_up_after="1s")
        assert program.wait(20) == 1
        assert "lock timeout" in program.tail(1)
    connection.close()


def test_a_collector_that_waits_for_the_schema_is_alive_and_starts_then(stack):
    """Its status, its boards and its metrics are due each second, whether it has begun to store or not."""
    with stack.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended('highwater schema', 0))")
        collector = stack.start_collector()
        until(lambda: answers(stack) and time.time() - stack.metrics()["process_start_time_seconds"] > 2.5)
        status, _, body = stack.get("/readyz", stack.metrics_port)
        assert status == 503 and b"the database is away" in body
    connection.close()
    until(lambda: stack.get("/readyz", stack.metrics_port)[0] == 200)
    assert collector.terminate() == 0


# --- Sending rejected messages again ------------------------------------------------------------------


def rejected_rows(stack, broker_url: str) -> None:
    collector = live_collector(stack)
    publisher = stack.publisher()
    for i in range(3):
        publisher.send_bytes(f"devices/d{i}/readings", b'{"humidity":1}')
    publisher.wait()
    until(lambda: stack.database.count("rejected_messages") == 3)
    assert collector.terminate() == 0


def test_resubmit_without_the_right_to_publish_says_so(stack, area, logs):
    rejected_rows(stack, stack.broker.url())
    home = Path(area, f"broker-{free_port()}")
    acl = Path(area, f"acl-{free_port()}")
    acl.write_text("topic read #\n")
    acl.chmod(0o644)
    strict = PrivateBroker(home, extra_lines=[f"acl_file {acl}"], log=logs / "strict.log")
    strict.start()
    try:
        program = command(stack, "resubmit", stack.database.url, mqtt_url=strict.url())
        assert program.wait(30) == 1
        assert "3 kept: the broker refuses them" in program.output() and "devices/d0/readings" in program.output()
        assert "nobody subscribes" not in program.output()
    finally:
        strict.kill9()
    assert stack.database.count("rejected_messages") == 3


def test_resubmit_to_nobody_says_that(stack, area, logs):
    """The session of a collector that was here counts as somebody: another broker has none."""
    rejected_rows(stack, stack.broker.url())
    empty = PrivateBroker(Path(area, f"broker-{free_port()}"), log=logs / "empty.log")
    empty.start()
    try:
        program = command(stack, "resubmit", stack.database.url, mqtt_url=empty.url())
        assert program.wait(30) == 0
        assert "0 sent again" in program.output() and "3 kept: nobody subscribes" in program.output()
    finally:
        empty.kill9()
    assert stack.database.count("rejected_messages") == 3


def test_resubmit_without_a_broker_ends_after_a_stated_time(stack):
    rejected_rows(stack, stack.broker.url())
    stack.publish(reading("d"))
    url = f"mqtt://{LOOPBACK}:{free_port()}"
    program = command(stack, "resubmit", stack.database.url, mqtt_url=url, give_up_after="1s")
    assert program.wait(20) == 1
    assert "the broker" in program.output()
    assert stack.database.count("rejected_messages") == 3
