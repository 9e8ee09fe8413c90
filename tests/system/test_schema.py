"""Databases that another version has made."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest
from conftest import CLONE
from oracle import FEATURES, Database, board_by_sql, board_of_json, to_us
from servers import until
from storage import differences, migrated
from test_collector import live_collector

DEVELOPMENT = (Path(__file__).parent / "fixtures" / "development_schema.sql").read_text()


def refusal(stack, *args):
    """What a collector says that does not start."""
    program = stack.program("collector", args, log_name="refused", metrics_listen="-")
    program.start()
    assert program.wait() == 1
    lines = [line for line in program.output().splitlines() if " collector error " in line]
    assert len(lines) == 1, program.output()
    return lines[0]


def relations(database):
    return database.rows("SELECT relname, relnatts FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")


@pytest.mark.parametrize("args", [(), ("--migrate",)], ids=["run", "migrate"])
def test_a_database_of_a_development_version_is_refused_untouched(stack, args):
    stack.database.rows(DEVELOPMENT)
    before = relations(stack.database)
    said = refusal(stack, *args)
    assert "development version" in said and "001_readings" in said and "docs/OPERATIONS.md" in said
    assert relations(stack.database) == before


def test_a_database_of_a_newer_version_is_refused(stack):
    live_collector(stack).terminate()
    stack.database.rows("INSERT INTO schema_migrations (name, hash) VALUES ('999_later', 1)")
    said = refusal(stack)
    assert "newer version" in said and "999_later" in said


def test_a_file_that_was_changed_after_it_was_applied_is_noticed(stack):
    live_collector(stack).terminate()
    stack.database.rows("UPDATE schema_migrations SET hash = hash + 1 WHERE name = '003_rollups'")
    assert "another 003_rollups" in refusal(stack)
    stack.database.rows("UPDATE schema_migrations SET hash = hash - 1 WHERE name = '003_rollups'")
    live_collector(stack)


HISTOGRAM = "SELECT device_id, status, count(*) FROM readings JOIN devices d ON d.id = device GROUP BY 1, 2 ORDER BY 1, 2"
ROWS = "SELECT device_id, recorded_at, received_at, status, seq, temperature, pressure FROM readings JOIN devices d ON d.id = device ORDER BY 1, 2, 5"


def take_over_command():
    """Out of the documentation: from pg_dump on."""
    text = (CLONE / "docs" / "OPERATIONS.md").read_text()
    lines = text[text.index("### From a development version") :].splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("    pg_dump"))
    return "\n".join(itertools.takewhile(str.strip, lines[first:]))


def test_readings_of_a_development_version_are_taken_over_as_the_documentation_says(stack, postgres):
    name = f"{stack.database.name}_old"
    old = Database(postgres.create_database(name), postgres.url(name, "postgres"), name)
    try:
        old.rows(DEVELOPMENT)
        migrate = stack.program("collector", ["--migrate"], log_name="migrate")
        migrate.start()
        assert migrate.wait() == 0, migrate.tail()
        environment = {"PATH": f"{postgres.bin}:/usr/bin:/bin", "OLD": old.url, "NEW": stack.database.url}
        subprocess.run(["bash", "-o", "pipefail", "-ec", take_over_command()], check=True, env=environment)

        assert stack.database.rows(ROWS) == old.rows(ROWS)
        rejected = "SELECT id, received_at, topic, payload, reason, detail FROM rejected_messages"
        assert stack.database.rows(rejected) == old.rows(rejected)
        assert not differences(stack.database)
        live_collector(stack)
        listener = stack.listen("collectors/+/boards/#")
        for feature in FEATURES:
            for interval in ("past_hour", "all_time"):
                board = until(lambda: listener.latest(f"collectors/collector/boards/{feature}/{interval}")).json()
                expected = board_by_sql(old, feature, interval, to_us(board["asOf"]))
                assert board_of_json(board["readings"]) == expected and len(expected) == 10
        # numbering goes on after what was taken over
        publisher = stack.publisher()
        publisher.send_bytes("devices/new/readings", b'[{"temperature":1},"x"]')
        publisher.wait()
        until(lambda: stack.database.rows("SELECT id FROM rejected_messages ORDER BY id") == [(1,), (2,)])
        assert stack.database.value("SELECT id FROM devices WHERE device_id = 'new'") == 41
    finally:
        postgres.drop_database(name)


def test_what_people_call_compiles_nothing(stack):
    """PostgreSQL compiles queries that look costly, for longer than ours take; our programs' sessions say that it is not to, psql and Grafana do not."""
    called = "rollup_rebuild", "peaks_rebuild", "readings_remove", "device_remove", "readings_between", "hours_between", "device_page", "device_points", "device_histogram", "fleet_histogram", "heatmap", "board_lines", "board_of_span", "boards_by", "packing_step"  # fmt: skip
    found = migrated(stack).rows("SELECT proname, bool_and('jit=off' = ANY (proconfig)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY (%s) GROUP BY 1", (list(called),))
    assert sorted(found) == [(name, True) for name in sorted(called)]
