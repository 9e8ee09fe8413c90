"""What a fleet will take on disk, by a function: held to tables that were filled, and to what OPERATIONS.md says."""

from __future__ import annotations

import re

import psycopg2
import pytest
from conftest import CLONE
from storage import migrated

OPERATIONS = (CLONE / "docs" / "OPERATIONS.md").read_text()
EXAMPLE = "SELECT * FROM disk_expected(10000, '1 second', '90 days');"


def bytes_each(database, features=2):
    rows = database.rows(f"SELECT what, bytes_each FROM disk_expected(1000, '1 second', NULL, {features})")
    return {what.split(",")[0]: each for what, each in rows}


def test_operations_shows_what_it_answers(stack):
    database = migrated(stack)
    shown = OPERATIONS.split(EXAMPLE)[1].split("\n\n")[0].splitlines()[3:]
    assert [tuple(cell.strip() for cell in line.split("|")) for line in shown] == [
        tuple("" if cell is None else str(cell) for cell in row) for row in database.rows(EXAMPLE)
    ]
    section = OPERATIONS.split("## What grows")[1].split("\n## ")[0]
    table = dict(re.findall(r"^\| (?:a |an |its )?([^|]*?) \| (\d+) bytes \|", section, re.MULTILINE))
    found = bytes_each(database)
    for said, what in (
        ("reading with two features", "reading"),
        ("primary key", "its key"),
        ("packed reading with two features", "a packed reading"),
        ("write-ahead log, between two checkpoints", "write-ahead log"),
        ("hour of one device (`rollup_hours`)", "an hour of a device"),
        ("packed hour of one device (`rollup_hour_chunks`)", "a packed hour of a device"),
        ("hour of one device in sheets (`rollup_sheets`), of fleets of 1,000 and more", "an hour of a device in sheets"),
        ("day of one device (`rollup_days`)", "a day of a device"),
        ("ten seconds of the fleet (`rollup_fleet`)", "ten seconds of the fleet"),
        ("minutes of an hour of one device (`rollup_minutes`), of 600 readings or more; from 10,000 on 9,020", "minutes of an hour of a device"),
        (
            "values of an hour of one device (`rollup_values`) that sends once a second: 1 to 4 kB a feature for each span with 4,096 readings or more",
            "values of an hour of a device",
        ),
        ("values of an hour of the fleet, at 1,000 readings a second", "values of an hour of the fleet"),
        ("device: its names, peaks, state, open and total sums", "a device"),
    ):
        assert table.pop(said) == str(found[what])
    assert not table


@pytest.mark.parametrize("count", [2, 12])
def test_a_row_takes_what_is_expected(stack, count):
    features = [f"f{n}" for n in range(count)]
    database = migrated(stack, features=",".join(features))
    expected = bytes_each(database, count)
    database.rows("INSERT INTO devices (device_id) SELECT 'device_' || n FROM generate_series(1, 100) n")
    # the day before yesterday, so that its hours are over
    database.rows(
        f"INSERT INTO readings (device, content_hash, recorded_at, received_at, status, {', '.join(features)})"
        f" SELECT d, n * 1000 + d, at, at, 1 {', random() * 100' * count} FROM"
        " (SELECT d, n, date_trunc('day', now()) - interval '2 days' + n * interval '5 minutes' + d * interval '1 ms' AS at"
        " FROM generate_series(0, 287) n, generate_series(1, 100) d) given"
    )
    database.rows("SELECT rollup_rebuild(now() - interval '3 days', now())")

    def taken(size, table):
        # of a partitioned table its parts, of another itself
        return float(
            database.value(
                f"SELECT sum({size}(relid)) / (SELECT count(*) FROM {table})"
                f" FROM (SELECT relid FROM pg_partition_tree('{table}') UNION SELECT '{table}'::regclass) one (relid)"
            )
        )

    assert taken("pg_relation_size", "readings") == pytest.approx(expected["reading"], rel=0.05)
    assert 36 <= taken("pg_indexes_size", "readings") <= 75
    assert taken("pg_total_relation_size", "rollup_hours") == pytest.approx(expected["an hour of a device"], rel=0.1)


def test_what_no_fleet_is_gets_an_error_that_says_what_is_legal(stack):
    database = migrated(stack)
    for arguments in (
        "0, '1 s'", "NULL, '1 s'", "1, '0 s'", "1, '-1 s'", "1, NULL", "1, '1 s', '0 s'", "1, '1 s', '-1 day'",
        "1, '1 s', NULL, 201", "1, '1 s', NULL, -1", "1, '1 s', NULL, NULL", "1, '1 s', NULL, 2, '0 s'", "1, '1 s', NULL, 2, NULL",
        "1, '1 s', NULL, 2, '1 year', '-1 s'",
    ):  # fmt: skip
        with pytest.raises(psycopg2.errors.InvalidParameterValue, match="legal are 1 device or more"):
            database.rows(f"SELECT * FROM disk_expected({arguments})")
    # the slowest and the largest that there may be are answered
    assert database.rows("SELECT * FROM disk_expected(9223372036854775807, '1 microsecond', NULL, 200, '1000 years')")
    assert database.rows("SELECT * FROM disk_expected(1, '10 years')")
