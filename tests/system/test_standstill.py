"""A store that stands still is seen within five seconds; one that is too slow for its batch takes smaller ones."""

from __future__ import annotations

import contextlib
import time

import pytest
from faults import Books, arrived, assert_all_well, commits_held, count_lines, start_fleet
from servers import paused, until
from test_faults_postgres import store_backend

SEEN_WITHIN_S = 5


def on_each_row(stack, table: str, body: str) -> None:
    """A trigger that does so for every row that is stored, whichever way."""
    with contextlib.closing(stack.database.connect(superuser=True)) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION hinder() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$;"
            f"CREATE TRIGGER hinder BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION hinder()"
        )
        connection.commit()


def unhindered(stack, table: str) -> None:
    with contextlib.closing(stack.database.connect(superuser=True)) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER hinder ON {table}")
        connection.commit()


# --- It is seen ------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(stack):
    with commits_held(stack):
        yield


@contextlib.contextmanager
def stopped(stack):
    with paused(store_backend(stack)):
        yield


@contextlib.contextmanager
def failing(stack):
    on_each_row(stack, "readings", "BEGIN RAISE 'no room' USING ERRCODE = '53100'; END")
    yield
    unhindered(stack, "readings")


@pytest.mark.parametrize(
    "hindered, reason",
    [(locked, "PostgreSQL has worked on"), (stopped, "PostgreSQL has worked on"), (failing, "no room (SQLSTATE 53100)")],
    ids=["locked", "stopped", "failing"],
)
def test_a_store_that_stands_still_is_seen(stack, rng, hindered, reason):
    collector, fleet = start_fleet(stack, rng)
    books = Books(stack)

    def readyz() -> tuple[int, str]:
        status, _, body = stack.get("/readyz", stack.metrics_port)
        return status, body.decode()

    until(lambda: readyz()[0] == 200)
    with hindered(stack):
        fleet.publisher.send(fleet.make())  # what is rejected does not wait for the table
        fleet.publisher.wait()
        sent_at = time.monotonic()
        _, said = until(lambda: (answer := readyz())[0] == 503 and answer, SEEN_WITHIN_S)
        age = time.monotonic() - sent_at
        assert "not committed" in said and reason in said
        metrics = stack.metrics()
        assert metrics["highwater_lag_seconds"] == metrics["highwater_oldest_uncommitted_seconds"] >= 0.8 * age
        books.until(lambda status: status["lagMs"] >= 800 * age)
        until(lambda: "store: it stands still: readings" in collector.output())
    arrived(stack, fleet.publisher)
    until(lambda: readyz()[0] == 200)
    until(lambda: "store: it stores again" in collector.output())
    until(lambda: stack.metrics()["highwater_oldest_uncommitted_seconds"] == 0)
    assert_all_well(stack, fleet.publisher, collector)
    assert count_lines(collector, "it stands still") == 1


def test_numbers_are_saved_when_the_broker_is_gone(stack, rng):
    """Housekeeping has a timer of its own."""
    collector, _ = start_fleet(stack, rng)
    publisher = stack.publisher()
    publisher.send_bytes("devices/numbered/readings", b'{"temperature":1,"seq":17}', readings=())
    publisher.wait()
    until(lambda: stack.database.value("SELECT count(*) FROM readings WHERE seq = 17") == 1)
    stack.broker.kill9()
    saved = "SELECT s.highest FROM device_sequences s JOIN devices d ON d.id = s.device WHERE d.device_id = 'numbered'"
    until(lambda: stack.database.rows(saved) == [(17,)], 10)
    assert collector.is_running()


# --- It is too slow, or has too little memory -------------------------------------------------------


SLEEP = "BEGIN PERFORM pg_sleep(0.01); RETURN new; END"
TOO_MANY = """
DECLARE n integer := coalesce(nullif(current_setting('test.rows', true), '')::integer, 0) + 1;
BEGIN
    PERFORM set_config('test.rows', n::text, true);
    IF n > 100 THEN RAISE 'too many' USING ERRCODE = '{}'; END IF;
    RETURN new;
END"""


@pytest.mark.parametrize("table", ["readings", pytest.param("rejected_messages", marks=pytest.mark.faults)])
@pytest.mark.parametrize(
    "body",
    [SLEEP, TOO_MANY.format("57014"), pytest.param(TOO_MANY.format("53200"), marks=pytest.mark.faults)],
    ids=["watchdog", "statement_timeout", "memory"],
)
def test_a_batch_that_is_too_much_is_halved_until_it_fits(stack, rng, table, body):
    collector, fleet = start_fleet(stack, rng, watchdog="1s", linger="1s", batch_size=1000)
    on_each_row(stack, table, body)
    rejected = [fleet.publisher.send_bytes("devices/d/readings", b'{"x":%d}' % i) for i in range(300)]
    fleet.send(300)
    until(lambda: "are too much for a transaction" in collector.output(), 20)
    arrived(stack, fleet.publisher, 60)
    unhindered(stack, table)
    # and what comes later is stored as ever
    until(lambda: stack.metrics()["highwater_readings_in_flight"] == 0)
    assert all(message.is_acknowledged for message in rejected)
    assert_all_well(stack, fleet.publisher, collector)


def test_many_rows_that_the_database_refuses_cost_a_try_each(stack, rng):
    """And only some of them a line of the log."""
    collector, fleet = start_fleet(stack, rng, linger="1s")
    stack.database.rows("ALTER TABLE readings ADD CONSTRAINT poison CHECK (temperature <> 1e9)")
    wrong = 500
    payload = b"[" + b",".join([b'{"temperature":1e9,"seq":%d}' % i for i in range(wrong)]) + b',{"temperature":5}]'
    fleet.publisher.send_bytes("devices/d/readings", payload, readings=())
    before = stack.metrics()["highwater_store_retries_total"]
    until(lambda: stack.database.count("rejected_messages") == wrong, 30)
    assert stack.metrics()["highwater_store_retries_total"] - before <= wrong + 20
    until(lambda: stack.database.value("SELECT count(*) FROM device_readings WHERE device_id = 'd'") == 1)
    assert count_lines(collector, "the database refuses a reading") <= 3
    assert count_lines(collector, f"the database refused {wrong} readings") == 1
