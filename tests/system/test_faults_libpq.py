"""What libpq may answer, and seldom does: a full buffer, a question that is not sent, a ROLLBACK that fails."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from faults import STORE, assert_all_well, database_through, proxy_to, start_fleet
from http_tools import Api, Raw, insert_many
from servers import until


@pytest.fixture(scope="module")
def grudging_libpq(area):
    library = area / "grudging_libpq.so"
    source = Path(__file__).with_name("grudging_libpq.c")
    subprocess.run(["cc", "-O1", "-fPIC", "-shared", "-o", library, source, "-ldl"], check=True)
    return library


def test_data_that_libpq_does_not_take_at_once_is_not_left_out(stack, rng, grudging_libpq, logs):
    refusals = logs / "refusals"
    env = {"LD_PRELOAD": str(grudging_libpq), "COPY_REFUSALS": str(refusals)}
    collector, fleet = start_fleet(stack, rng, env=env, linger="500ms")
    for _ in range(3):
        fleet.send(1000)  # more than one slice
    assert_all_well(stack, fleet.publisher, collector)
    kinds = refusals.read_text()
    assert kinds.count("d") > 3 and kinds.count("e") > 3, kinds


def test_a_rollback_that_fails_costs_the_connection(stack, rng):
    with proxy_to(urlsplit(stack.database.url).port) as link:
        collector, fleet = start_fleet(stack, rng, database_url=database_through(link, stack))
        answered = link.rewrite("up", b";COMMIT\0", b";ABORT \0", only=STORE)
        failed = link.rewrite("up", b"ROLLBACK\0", b"ROLLBACX\0", only=STORE)
        fleet.send(50)
        answered.wait()
        failed.wait()
        assert_all_well(stack, fleet.publisher, collector)
        until(lambda: "database: up -> down: syntax error" in collector.output(), 5)


def test_an_export_whose_next_page_fails_at_once_ends(stack, grudging_libpq):
    """Torn after the pages before, as its client can see; and its place is free again."""
    api = Api(stack, env={"LD_PRELOAD": str(grudging_libpq), "SEND_FAILS_AT": "3"})
    insert_many(stack.database, "d", 60_000)
    with Raw(api.port) as raw:
        raw.send(b"GET /devices/d/readings?format=csv HTTP/1.1\r\nHost: localhost\r\n\r\n")
        raw.socket.settimeout(20)
        received = b""
        while piece := raw.socket.recv(65536):
            received += piece
    assert 0 < received.count(b",d,") < 60_000 and not received.endswith(b"0\r\n\r\n")
    until(lambda: api.metric("csv_streams") == 0)
    until(lambda: "database_connections_up 3" in api.text("/metrics"), 10)
    assert api.get("/devices/d/readings?format=csv").body.count(b",d,") == 60_000
