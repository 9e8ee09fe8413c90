"""httpapi when parts are away, when much is asked at a time, and at its end."""

from __future__ import annotations

import json
import signal
import threading

import pytest
from http_tools import Api, Raw, Stream, insert, migrate
from oracle import now_us, reading, to_text, to_us
from servers import until


# --- When parts are away -------------------------------------------------------------------------


@pytest.mark.empty
def test_without_database_and_broker_it_starts_and_says_what_is_missing(stack, postgres):
    stack.broker.stop()
    postgres.stop("immediate")
    program = stack.start_httpapi()
    assert stack.get_json("/healthz")["status"] == "ok"
    status, headers, body = stack.get("/readyz")
    assert status == 503 and headers["Retry-After"]
    assert "database" in json.loads(body)["detail"] and "collector" in json.loads(body)["detail"]
    for path in ("/dashboard", "/devices", "/devices/d", "/devices/d/readings", "/devices/d/readings?format=csv"):
        status, headers, body = stack.get(path)
        assert (status, headers["Content-Type"]) == (503, "application/problem+json"), path
        assert int(headers["Retry-After"]) > 0 and "database" in json.loads(body)["detail"]
    postgres.start()
    stack.broker.start()
    until(lambda: stack.get("/dashboard")[0] in (200, 503) and "tables" in stack.get("/dashboard")[2].decode(), 15)
    migrate(stack)  # the tables were missing: that is said as well, and ends by itself
    until(lambda: stack.get("/dashboard")[0] == 200, 10)
    assert program.is_running()


@pytest.mark.faults
def test_a_database_that_restarts_is_missed_only_while_it_is_away(stack, postgres, played):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    collector = played()
    collector.boards([reading("d", temperature=1, pressure=2)])
    collector.go_live()
    until(lambda: api.get("/readyz").status == 200)
    postgres.stop("immediate")
    until(lambda: api.get("/readyz").status == 503)
    assert api.get("/dashboard").status == 200 and api.source() == "boards"
    assert api.get("/devices/d").status == 503
    # the collector falls silent too: what was last known, as of then
    collector.fall_silent()
    silent = now_us()
    until(lambda: api.get("/dashboard").headers["x-data-as-of"] < to_text(now_us() - 3_500_000), 8)
    answer = api.get("/dashboard?features=temperature")
    assert answer.headers["x-data-source"] == "boards" and to_us(answer.headers["x-data-as-of"]) <= silent
    assert [e["deviceId"] for e in answer.json()["temperature"]] == ["d"]
    postgres.start()
    until(lambda: api.get("/devices/d").status == 200, 15)
    assert api.source() == "database"


@pytest.mark.faults
def test_a_broker_that_restarts_is_missed_only_while_it_is_away(stack, played):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    collector = played()
    collector.boards([reading("d", temperature=1, pressure=2)])
    collector.go_live()
    until(lambda: api.source() == "boards")
    stack.broker.kill9()
    until(lambda: api.source() == "database", 5)
    assert api.get("/readyz").status == 503
    stack.broker.start()
    collector.boards([reading("d", temperature=1, pressure=2)])
    until(lambda: api.source() == "boards", 15)


def test_identical_questions_at_a_time_are_one_query(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    api.get("/devices/d")
    before = api.metric("database_queries_total")
    lock = stack.database.connect()
    with lock.cursor() as cursor:
        cursor.execute("LOCK TABLE devices IN ACCESS EXCLUSIVE MODE")
    clients = [Raw(api.port) for _ in range(40)]
    for client in clients:
        client.send(b"GET /devices/d/histogram?bins=20 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: api.metric("database_queries_shared_total") == 39)
    other = Raw(api.port)
    other.send(b"GET /devices/d/histogram?bins=21 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: api.metric("database_queries_total") == before + 2)
    clients.pop().close()  # a client that leaves takes nothing from the others
    lock.rollback()
    lock.close()
    answers = [client.answer() for client in [*clients, other]]
    assert {a.status for a in answers} == {200} and len({a.body for a in answers}) == 1
    for client in [*clients, other]:
        client.close()


def test_too_many_questions_and_too_long_ones_are_503(stack):
    api = Api(stack, database_connections=3, database_queue=4, statement_timeout="1s")
    insert(stack.database, [reading(f"d{i}", temperature=1) for i in range(20)])
    lock = stack.database.connect()
    with lock.cursor() as cursor:
        cursor.execute("LOCK TABLE devices IN ACCESS EXCLUSIVE MODE")
    clients = [Raw(api.port) for _ in range(12)]
    for i, client in enumerate(clients):
        client.send(f"GET /devices/d{i} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        if i < 7:
            until(lambda: api.metric("database_connections_busy") + api.metric("database_waiting") == i + 1)
    refused = [client.answer() for client in clients[7:]]
    assert {a.status for a in refused} == {503} and all("retry-after" in a.headers for a in refused)
    assert "too many" in refused[0].json()["detail"]
    late = clients[0].answer()
    assert late.status == 503 and "in time" in late.json()["detail"] and "retry-after" in late.headers
    lock.rollback()
    lock.close()
    assert {client.answer().status for client in clients[1:7]} <= {200, 503}
    until(lambda: api.get("/devices/d1").status == 200)
    for client in clients:
        client.close()


def test_the_database_is_only_ever_read(stack):
    api = Api(stack)
    for path in ("/dashboard", "/devices", "/devices/d", "/devices/d/readings", "/histogram"):
        api.get(path)
    rows = stack.database.rows(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'highwater-httpapi' AND datname = current_database()"
    )
    assert rows == [(4,)]  # the pool's three, and the one that asks which collectors there are
    # asked from inside, by a function that the view's reader would call: writing is refused
    stack.database.rows("CREATE FUNCTION spy() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT current_setting('transaction_read_only') $$")
    assert stack.database.value("SELECT spy()") == "off"
    stack.database.rows("ALTER TABLE devices RENAME TO kept")
    stack.database.rows(
        "CREATE VIEW devices AS SELECT 1 AS id, spy() AS device_id, now() AS first_seen_at"
    )
    assert [api.get(f"/devices/{name}/histogram").status for name in ("on", "off")] == [200, 404]


# --- The end -------------------------------------------------------------------------------------


def test_sigterm_finishes_answers_ends_streams_and_exits_with_0(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    stream = Stream(api.port)
    idle = Raw(api.port)
    assert idle.get("/healthz").status == 200
    half = Raw(api.port)
    half.send(b"GET /dashboard HTTP/1.1\r\nHo")
    lock = stack.database.connect()
    with lock.cursor() as cursor:
        cursor.execute("LOCK TABLE devices IN ACCESS EXCLUSIVE MODE")
    waiting = Raw(api.port)
    waiting.send(b"GET /devices/d/histogram HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: api.metric("database_connections_busy") == 2)  # the stream's is one
    api.program.signal(signal.SIGTERM)
    until(lambda: stream.is_over, 3)
    assert stream.ended_well
    assert idle.closes() and half.closes()
    with pytest.raises(OSError):
        stack.get("/healthz")
    lock.rollback()
    lock.close()
    assert waiting.answer().status == 200
    assert waiting.closes()
    assert api.program.wait(5) == 0, api.program.tail()
    assert "stopped" in api.program.tail(3)


@pytest.mark.faults
def test_sigterm_does_not_wait_for_ever(stack):
    api = Api(stack)
    insert(stack.database, [reading("d", temperature=1)])
    lock = stack.database.connect()
    with lock.cursor() as cursor:
        cursor.execute("LOCK TABLE devices IN ACCESS EXCLUSIVE MODE")
    waiting = Raw(api.port)
    waiting.send(b"GET /devices/d/histogram HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: api.metric("database_connections_busy") == 1)
    api.program.signal(signal.SIGTERM)
    assert api.program.wait() == 0, api.program.tail()  # while the lock is held
    lock.rollback()
    lock.close()
    waiting.close()


def test_sigterm_while_nothing_is_reachable(stack, postgres):
    stack.broker.stop()
    postgres.stop("immediate")
    program = stack.start_httpapi()
    assert program.terminate(10) == 0


def test_a_wrong_setting_ends_it_with_one_line(stack):
    for setting, value, said in [
        ("http_listen", "nonsense", "host:port"),
        ("http_listen", "127.0.0.1:99999", "host:port"),
        ("http_hosts", "http://board.example", "names of hosts"),
        ("http_listen", "192.0.2.1:5000", "cannot listen"),
        ("num_top_devices", "0", "1 to 1000"),
        ("features", "with space", "FEATURES"),
        ("intervals", "x", "INTERVALS"),
        ("mqtt_url", "http://x", "mqtt://"),
        ("database_url", "nonsense", "DATABASE_URL"),
        ("max_connections", "none", "whole number"),
        ("statement_timeout", "soon", "duration"),
        ("cors_origin", "a, b", "origin"),
    ]:
        program = stack.program("httpapi", **{"http_listen": "127.0.0.1:0", setting: value})
        program.start()
        assert program.wait(10) in (1, 2)
        lines = [line for line in program.output().splitlines() if "httpapi info" not in line]
        assert len(lines) == 1 and said in lines[0], lines


def test_a_port_that_is_taken_is_said(stack):
    stack.start_httpapi()
    second = stack.program("httpapi", log_name="second", http_listen=f"127.0.0.1:{stack.http_port}")
    second.start()
    assert second.wait(10) == 1
    assert "Address already in use" in second.tail()


def test_clients_that_leave_at_any_moment_do_no_harm(stack, rng):
    api = Api(stack)
    insert(stack.database, [reading("d", now_us() - i, temperature=i) for i in range(5000)])
    paths = ["/dashboard", "/devices/d", "/devices/d/readings?format=csv", "/events", "/devices/d/points?points=9"]

    def come_and_go(seed):
        for i in range(60):
            with Raw(api.port) as raw:
                raw.send(f"GET {paths[(seed + i) % len(paths)]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                raw.socket.settimeout(rng.random() / 50 + 0.0001)
                try:
                    raw.socket.recv(rng.randrange(1, 4000))
                except OSError:
                    pass

    threads = [threading.Thread(target=come_and_go, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert api.get("/devices/d").status == 200
    until(lambda: api.metric("csv_streams") == 0 and api.metric("event_streams") == 0, 10)
    until(lambda: api.metric("connections") == 1, 10)
    assert api.program.terminate() == 0, api.program.tail()
