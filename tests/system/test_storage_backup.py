"""A dump and its restoration, as docs/OPERATIONS.md has them, while readings come in."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from oracle import Database, compare, now_us, reading
from servers import CLONE, LOOPBACK, until
from storage import DAY_US, differences, live


@pytest.mark.faults
def test_a_dump_made_while_readings_come_is_one_moment_and_a_collector_goes_on_with_it(stack, postgres, rng):
    live(stack)
    publisher = stack.publisher()

    def send(count):
        for i in range(count):
            at = now_us() - rng.choice([0, 0, rng.randrange(40 * DAY_US), 900 * DAY_US])
            publisher.send(reading(f"device_{i % 9}", at + i, rng.choice([None, "ON", "OFF"]), temperature=rng.random()))

    send(500)
    publisher.wait()
    until(lambda: stack.database.count() == 500, 20)
    dump = stack.logs / "highwater.dump"
    send(300)  # while it is being made
    subprocess.run([postgres.bin / "pg_dump", "-Fc", "-f", dump, stack.database.url], check=True)
    publisher.wait()
    until(lambda: stack.database.count() == 800, 20)

    name = f"{stack.database.name}_restored"
    url = postgres.create_database(name)
    try:
        subprocess.run(
            [postgres.bin / "pg_restore", "--no-owner", "--role=highwater", "--exit-on-error", "-j", "2", "-d", postgres.url(name, "postgres"), dump],
            check=True,
        )
        restored = Database(url, postgres.url(name, "postgres"), name)
        assert 500 <= restored.count() <= 800
        assert not differences(restored)
        # another collector, on its own session, continues there; the broker's clients do not notice
        before = restored.count()
        live(stack, collector_id="restored", database_url=url, metrics_listen="-")
        later = stack.publish(reading("device_1", now_us(), "ON", temperature=5.0), reading("new", now_us() - 41 * DAY_US, temperature=6.0))
        until(lambda: restored.count() == before + 2, 20)
        assert not compare(later.messages, restored).lost
        until(lambda: restored.count("readings_default") == restored.count("readings WHERE recorded_at < now() - interval '400 days'"), 10)
        assert not differences(restored)
    finally:
        for program in stack._programs:
            program.kill9()
        postgres.drop_database(name)


def documented(heading: str) -> str:
    """The commands under a heading of docs/OPERATIONS.md."""
    section = (CLONE / "docs" / "OPERATIONS.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"^    (.*)$", section, re.MULTILINE))


def test_the_documented_commands_restore_a_database_that_a_collector_takes(stack, postgres):
    """As PostgreSQL 15 wants it: only who owns a database may make tables in its schema public."""
    collector = live(stack)
    stack.publish(reading("d", temperature=1.0))
    until(lambda: stack.database.count() == 1, 20)
    assert collector.terminate() == 0
    where = {"PGHOST": LOOPBACK, "PGPORT": str(postgres.port), "PGUSER": "postgres", "DATABASE_URL": stack.database.url}
    path = f"{postgres.bin}:{os.environ['PATH']}"
    postgres.drop_database("highwater")
    try:
        subprocess.run(
            ["sh", "-ec", documented("Backup and restore")], cwd=stack.logs, check=True, env={**os.environ, **where, "PATH": path}
        )
        url = postgres.url("highwater")
        restored = Database(url, postgres.url("highwater", "postgres"), "highwater")
        assert restored.count() == 1
        collector = live(stack, database_url=url, features="temperature,humidity")  # a column, and partitions
        stack.publish(reading("e", now_us() - 41 * DAY_US, temperature=6.0))
        until(lambda: restored.count() == 2 and restored.count("readings_default") == 0, 30)
        assert collector.terminate() == 0
    finally:
        stack.close()
        postgres.drop_database("highwater")
        postgres.create_database("highwater")
