"""What docs/OPERATIONS.md and docs/KAFKA.md tell an operator to type into psql, typed into psql."""

from __future__ import annotations

import re
import subprocess
from datetime import datetime, timezone

from conftest import CLONE
from http_tools import insert_many, migrate

SQL = r"(?:SELECT|UPDATE|VACUUM|LOCK|ALTER|CREATE|GRANT)\b"
SERVER_WIDE = re.compile(r"^(CREATE ROLE|ALTER SYSTEM)|highwater_reader")  # test_failover.py and test_storage_backup.py have them


def statements() -> list[str]:
    """Indented lines, and spans of code with a blank."""
    found = []
    for name in ("OPERATIONS.md", "KAFKA.md"):
        text = (CLONE / "docs" / name).read_text()
        found += re.findall(rf"^    ({SQL}.*)$", text, re.MULTILINE) + re.findall(rf"`({SQL} [^`\n]+)`", text)
    return [one for one in found if not SERVER_WIDE.search(one)]


def as_typed(statement: str) -> list[str]:
    """With a partition that is there; a lock needs its transaction."""
    statement = re.sub(r"readings_\d{4}_\d\d_\d\d", f"readings_{datetime.now(timezone.utc):%Y_%m_%d}", statement)
    if statement.startswith("LOCK"):
        return ["BEGIN;", f"{statement};", "COMMIT;"]
    return [statement if statement.endswith((";", "\\gexec")) else f"{statement};"]


def test_statements_of_the_documents_run(stack, postgres):
    migrate(stack)
    stack.database.rows("INSERT INTO positions (group_id, topic, partition) VALUES ('highwater', 'readings', 3)")
    seen = statements()
    assert len(seen) > 9
    for statement in seen:
        if not stack.database.rows("SELECT id FROM devices"):  # one of them is device_remove()
            insert_many(stack.database, "device_7", 3)
        done = subprocess.run(
            [postgres.bin / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", stack.database.url],
            input="\n".join(as_typed(statement)), capture_output=True, text=True,
        )
        assert (done.returncode, done.stderr) == (0, ""), statement
    assert stack.database.value("SELECT next FROM positions") in (5000, 120000)
