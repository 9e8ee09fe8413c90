"""A dump and its restoration, as docs/OPERATIONS.md has them, while readings come in."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from oracle import Database, compare, now_us, reading
from servers import CLONE, LOOPBACK, PrivatePostgres, until
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


def section(heading: str) -> str:
    return (CLONE / "docs" / "OPERATIONS.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]


def documented(heading: str) -> list[str]:
    """The lines of commands under a heading of docs/OPERATIONS.md."""
    return re.findall(r"^    (.*)$", section(heading), re.MULTILINE)


@pytest.fixture
def operator(area, logs):
    """A server that asks for passwords, a role that owns nothing but its database, and a shell of somebody who may become
    `postgres` by sudo and is nobody special otherwise."""
    server = PrivatePostgres(Path(tempfile.mkdtemp(dir=area, prefix="postgres-")), log=logs / "scram.log")
    server.start()
    hba = server.data / "pg_hba.conf"
    hba.write_text(f"host all postgres {LOOPBACK}/32 trust\nhost all all {LOOPBACK}/32 scram-sha-256\n")
    server.sql("ALTER ROLE highwater PASSWORD 'of the collector'")
    server.sql("SELECT pg_reload_conf()")
    home = Path(tempfile.mkdtemp(dir=area, prefix="operator-"))
    (home / "sudo").write_text('#!/bin/sh\n[ "$1 $2" = "-u postgres" ] || exit 1\nshift 2\nPGUSER=postgres exec "$@"\n')
    (home / "sudo").chmod(0o755)
    passwords = home / "pgpass"
    passwords.write_text("*:*:*:highwater:of the collector\n*:*:*:highwater_reader:of who reads\n")
    passwords.chmod(0o600)
    where = {"PGHOST": LOOPBACK, "PGPORT": str(server.port), "PGPASSFILE": str(passwords), "DATABASE_URL": server.url()}
    where["PATH"] = f"{home}:{server.bin}:{os.environ['PATH']}"

    def run(*commands: str, **more: str) -> str:
        done = subprocess.run(
            ["sh", "-ec", "\n".join(commands)], cwd=home, env={**os.environ, **where, **more}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert not done.stderr, done.stderr
        return done.stdout

    yield server, run, where
    server.stop("immediate")


def test_the_documented_commands_restore_a_database_that_a_collector_takes(stack, operator):
    """On a server that asks for passwords, by an operator whose own role is no superuser. As PostgreSQL 15 wants it: only who
    owns a database may make tables in its schema public."""
    server, run, where = operator
    settings = {"database_url": where["DATABASE_URL"], "env": {"PGPASSFILE": where["PGPASSFILE"]}}
    collector = live(stack, **settings)
    stack.publish(reading("d", temperature=1.0))
    until(lambda: server.sql("SELECT count(*) FROM readings", "highwater") == "1", 20)
    server.sql(";".join(documented("Roles")), "highwater")
    server.sql("ALTER ROLE highwater_reader PASSWORD 'of who reads'")
    assert collector.terminate() == 0

    dump, *restore = documented("Backup and restore")
    aside = re.search(r"`(sudo -u postgres psql -c '[^`]*RENAME[^`]*)`", section("Backup and restore"))[1]
    assert dump.startswith("pg_dump") and restore[0].startswith("sudo -u postgres createdb")
    reader = server.url(user="highwater_reader")
    run(dump, DATABASE_URL=reader)
    run(dump)
    run(aside, *restore)

    assert run(f'psql -XqAt "{reader}" -c "SELECT count(*) FROM device_readings"') == "1\n", "grants have come back"
    restored = Database(server.url(user="postgres"), server.url(user="postgres"), "highwater")
    assert not differences(restored)
    collector = live(stack, features="temperature,humidity", **settings)  # a column, and partitions
    stack.publish(reading("e", now_us() - 41 * DAY_US, temperature=6.0))
    until(lambda: restored.count() == 2 and restored.count("readings_default") == 0, 30)
    assert run(f'psql -XqAt "{reader}" -c "SELECT count(*) FROM device_readings"') == "2\n", "those of what is new, too"
    assert collector.terminate() == 0
