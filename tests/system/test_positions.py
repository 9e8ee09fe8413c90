"""Where the store stands in a log: moved with the batch, by compare and swap, so that what two members hold is stored once."""

from __future__ import annotations

import select
import subprocess
import time

import psycopg2
import pytest
from conftest import BUILD_DIR
from servers import patience, until
from storage import migrated

GROUP = 'it\'s a "group"'  # of store_driver.c


class Member:
    """A part of a collector: its store, which is told what to store."""

    def __init__(self, url: str, name: str) -> None:
        self.process = subprocess.Popen(
            [str(BUILD_DIR / "store_driver"), url, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self.reply() == "ready"

    def send(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def reply(self, seconds: float = 20) -> str:
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], patience(seconds))
        assert ready, "it says nothing"
        return self.process.stdout.readline().strip()

    def ask(self, line: str) -> str:
        self.send(line)
        return self.reply()

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(patience(20)) == 0


@pytest.fixture
def db(stack):
    return migrated(stack)


@pytest.fixture
def member(db):
    members = []

    def start(name: str) -> Member:
        members.append(Member(db.url, name))
        return members[-1]

    yield start
    for each in members:
        each.end()


def state(db, partition=0):
    """The next position, and how many readings and rejected messages there are."""
    return db.rows(
        "SELECT (SELECT next FROM positions WHERE group_id = %s AND topic = 'readings' AND partition = %s),"
        " (SELECT count(*)::int FROM readings), (SELECT count(*)::int FROM rejected_messages)",
        (GROUP, partition),
    )[0]


def test_a_partition_nobody_has_read_is_new_and_moves_with_its_first_batch(db, member):
    a = member("a")
    assert a.ask("find 0") == "position new"
    assert state(db) == (None, 0, 0)
    assert a.ask("batch readings 0 new 5") == "stored 5 0"
    assert state(db) == (5, 5, 0)
    assert a.ask("find 0") == "position 5"


@pytest.mark.parametrize(("kind", "rejected"), [("rejected", 3), ("nothing", 0)])
def test_a_batch_without_readings_moves_it_too(db, member, kind, rejected):
    a = member("a")
    a.ask("find 0")
    assert a.ask(f"batch {kind} 0 new 3") == f"stored 0 {rejected}"
    assert state(db) == (3, 0, rejected)
    assert a.ask(f"batch {kind} 0 new 3") == "fenced 0"
    assert state(db) == (3, 0, rejected)


@pytest.mark.parametrize("kind", ["readings", "rejected"])
def test_what_two_hold_is_stored_once(db, member, kind):
    a, b = member("a"), member("b")
    assert a.ask("find 0") == b.ask("find 0") == "position new"
    assert a.ask(f"batch {kind} 0 new 5").startswith("stored")
    assert b.ask(f"batch {kind} 0 new 8") == "fenced 0"  # nothing of it, not even what is new
    assert sum(state(db)[1:]) == 5
    assert b.ask("find 0") == "position 5"
    assert b.ask(f"batch {kind} 0 5 8").startswith("stored")
    assert a.ask(f"batch {kind} 0 5 6") == "fenced 0"  # it was held for dead, and wakes up
    assert state(db)[0] == 8 and sum(state(db)[1:]) == 8


def test_of_two_at_the_same_time_one_stores(db, member):
    """Both are in their transactions when the row can be had."""
    a, b = member("a"), member("b")
    a.ask("find 0")
    connection = db.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM positions FOR UPDATE")
        a.send("batch readings 0 new 5")
        b.send("batch readings 0 new 5")
        until(
            lambda: db.rows("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'BEGIN%%positions_move%%' AND state = 'active'")
            == [(2,)],
            20,
            "both are under way",
        )
    connection.close()
    assert sorted([a.reply(), b.reply()]) == ["fenced 0", "stored 5 0"]
    assert state(db) == (5, 5, 0)


def test_each_group_has_its_own_position(db, member):
    a = member("a")
    a.ask("find 0")
    a.ask("batch readings 0 new 5")
    assert db.rows("SELECT next FROM positions_find('{other}', '{readings}', '{0}')") == [(None,)]
    assert state(db)[0] == 5


def test_a_position_set_by_hand_is_where_it_goes_on(db, member):
    a = member("a")
    a.ask("find 0")
    a.ask("batch readings 0 new 5")
    db.rows("UPDATE positions SET next = 2")
    assert a.ask("batch readings 0 5 6") == "fenced 0"
    assert a.ask("find 0") == "position 2"
    assert a.ask("batch readings 0 2 6") == "stored 1 0"  # the others are there
    db.rows("DELETE FROM positions")
    assert a.ask("batch readings 0 6 7") == "fenced 0"
    assert a.ask("find 0") == "position new"


def test_it_moves_once_when_rows_are_refused(db, member):
    a = member("a")
    a.ask("find 0")
    db.rows("ALTER TABLE readings ADD CHECK (temperature NOT IN (3, 11, 12))")
    assert a.ask("batch readings 0 new 16") == "stored 13 3"
    assert state(db) == (16, 13, 3)
    assert a.ask("batch readings 0 16 17") == "stored 1 0"


def test_it_moves_with_the_last_part(db, member):
    """Of a transaction that takes too much, and of a message that goes on."""
    a, b = member("a"), member("b")
    a.ask("find 0")
    assert a.ask("batch part 0 new 4") == "stored 4 0"
    assert state(db) == (None, 4, 0)
    db.rows(
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF (SELECT next FROM positions) IS NOT NULL AND (SELECT count(*) FROM readings) < 12 THEN RAISE 'too early'; END IF;"
        " RETURN NULL; END $$; CREATE TRIGGER see AFTER INSERT ON readings FOR EACH STATEMENT EXECUTE FUNCTION see()"
    )
    a.send("limit 3")
    assert a.ask("batch readings 0 new 16") == "stored 12 0"
    assert state(db) == (16, 16, 0)
    assert b.ask("batch part 0 new 4") == "fenced 0"


def test_a_part_of_a_stale_batch_is_fenced_too(db, member):
    """The position is moved in the transaction of the first part, for nothing else is sure to come between two."""
    a, b = member("a"), member("b")
    a.ask("find 0")
    db.rows(
        "CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE positions SET next = 1 WHERE NEW.temperature = 0; RETURN NULL; END $$;"
        "CREATE TRIGGER move AFTER INSERT ON readings FOR EACH ROW EXECUTE FUNCTION move()"
    )
    a.send("limit 2")  # and then four, eight
    assert a.ask("batch readings 0 new 16") == "fenced 2"
    assert state(db) == (1, 2, 0)
    assert b.ask("find 0") == "position 1"
    assert b.ask("batch readings 0 1 16") == "stored 14 0"
    assert state(db) == (16, 16, 0)


def test_who_stands_still_in_a_transaction_holds_nobody_up(db, member):
    """Such as a member that was frozen while it sent its readings."""
    frozen = db.connect()
    frozen.cursor().execute(
        "SELECT positions_find(%(g)s, '{readings}', '{0}'); COMMIT; BEGIN;"
        "SELECT positions_move(%(g)s, '{readings}', '{0}', '{NULL}', '{5}')",
        {"g": [GROUP]},
    )
    a = member("a")
    began = time.monotonic()
    assert a.ask("find 0") == "position new"
    assert a.ask("batch readings 0 new 5") == "stored 5 0"
    assert time.monotonic() - began < patience(10)
    with pytest.raises(psycopg2.Error):
        frozen.commit()
    assert state(db) == (5, 5, 0)


def test_a_member_that_is_killed_leaves_all_or_nothing(db, rng):
    """Again and again, at any moment; what follows begins where the position says."""
    for _ in range(8):
        victim = Member(db.url, "victim")
        at = victim.ask("find 0").split()[1]
        first = 0 if at == "new" else int(at)
        assert first == db.count()
        victim.send(f"batch readings 0 {at} {first + 2000}")
        time.sleep(rng.uniform(0, 0.06))
        victim.process.kill()
        victim.process.wait()
    last = Member(db.url, "victim")  # which ends what the one before may have left
    assert last.ask("find 0").split()[1] == (str(db.count()) if db.count() else "new")
    last.end()
