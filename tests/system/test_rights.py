"""Roles: what a program may not do in the database makes it not ready, and it says which right on which table."""

from __future__ import annotations

import pytest
from oracle import reading
from servers import until
from storage import migrated
from test_collector import live_collector


@pytest.fixture
def role(stack, postgres):
    """A role that owns nothing; its URL stands in for the stack's."""
    name = f"reader_{stack.database.name}"
    postgres.sql(f"CREATE ROLE {name} LOGIN")
    yield name, stack.database.url.replace("highwater@", f"{name}@")
    stack.close()
    postgres.sql(f"DROP OWNED BY {name}", stack.database.name)
    postgres.sql(f"DROP ROLE {name}")


def readiness(stack, port=None) -> str:
    status, _, body = stack.get("/readyz", port)
    return "" if status == 200 else body.decode()


def test_httpapi_says_which_right_its_role_lacks(stack, postgres, role):
    name, url = role
    live_collector(stack)
    stack.publish(reading("d", temperature=1))
    api = stack.start_httpapi(database_url=url)
    until(lambda: f"role {name} lacks SELECT on collectors, device_readings" in readiness(stack), 15)
    api.wait_for_line(f"role {name} lacks SELECT on collectors")
    postgres.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}", stack.database.name, "highwater")
    until(lambda: readiness(stack) == "", 30)  # as the reason says
    postgres.sql(f"REVOKE SELECT ON peaks FROM {name}", stack.database.name, "highwater")
    until(lambda: f"role {name} lacks SELECT on peaks (GRANT" in readiness(stack), 15)


def test_verify_says_which_right_its_role_lacks(stack, role, tmp_path):
    name, url = role
    migrated(stack)
    program = stack.program("devicesim", ["--truth", "/dev/null", "--verify", url])
    program.start()
    assert program.wait() == 2 and f"role {name} lacks SELECT on collectors" in program.output()


def test_a_collector_says_which_right_its_role_lacks(stack, postgres):
    collector = live_collector(stack)
    until(lambda: readiness(stack, stack.metrics_port) == "", 15)
    postgres.sql("REVOKE INSERT ON rejected_messages, devices FROM highwater", stack.database.name, "highwater")
    until(lambda: "role highwater lacks INSERT on devices, rejected_messages" in readiness(stack, stack.metrics_port), 30)
    assert collector.is_running()
    postgres.sql("GRANT INSERT ON rejected_messages, devices TO highwater", stack.database.name, "highwater")
    until(lambda: readiness(stack, stack.metrics_port) == "", 30)


def test_a_collector_that_does_not_own_the_tables_says_whose_they_are(stack, postgres, role):
    name, _ = role
    live_collector(stack)
    postgres.sql(f"GRANT ALL ON SCHEMA public TO {name}", stack.database.name)
    postgres.sql(f"ALTER TABLE peaks OWNER TO {name}", stack.database.name)
    postgres.sql("GRANT ALL ON peaks TO highwater", stack.database.name)
    until(lambda: f"role highwater is not the owner of table peaks, which belongs to {name}" in readiness(stack, stack.metrics_port), 30)
    postgres.sql("ALTER TABLE peaks OWNER TO highwater", stack.database.name)


def test_tables_of_a_newer_version_are_said_to_be_so_by_all(stack, postgres):
    migrated(stack)
    live_collector(stack)
    stack.start_httpapi()
    until(lambda: readiness(stack) == readiness(stack, stack.metrics_port) == "", 15)
    postgres.sql("INSERT INTO schema_migrations VALUES ('999_later', 1)", stack.database.name)
    said = "a newer version has made this database: it has 999_later"
    until(lambda: said in readiness(stack) and said in readiness(stack, stack.metrics_port), 30)
    verify = stack.program("devicesim", ["--truth", "/dev/null", "--verify", stack.database.url])
    verify.start()
    assert verify.wait() == 2 and said in verify.output()
