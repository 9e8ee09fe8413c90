"""collector --forget: what a collector that is gone has left at the broker goes, and nothing else."""

from __future__ import annotations

import json

from faults import is_stored, start_fleet
from oracle import reading
from proxy import Proxy
from servers import LOOPBACK, free_port, until

NOBODY = 0x10  # the broker's PUBACK: no subscriber


def forget(stack, collector_id, **settings):
    """(exit code, what it says)"""
    program = stack.program("collector", ["--forget", collector_id], log_name="forget", **settings)
    program.start()
    code = program.wait(60)
    return code, program.output()


def retained(stack):
    listener = stack.listen("collectors/collector/#")
    publisher = stack.publisher()
    publisher.send_bytes("collectors/collector/sentinel", b"comes after all that is retained")
    until(lambda: listener.latest("collectors/collector/sentinel"), 10)
    topics = {m.topic for m in listener.received if m.retain and m.payload}
    listener.close()
    return topics


def is_queued(stack):
    publisher = stack.publisher()
    message = publisher.send_bytes("devices/d/readings", b'{"temperature":1}')
    publisher.wait()
    return message.code != NOBODY


def test_sessions_and_all_that_is_retained_go_and_the_rest_stays(stack, rng):
    for client_id in ("", "earlier7"):
        collector = stack.start_collector(mqtt_client_id=client_id, lowest=1)
        until(lambda n=1 + bool(client_id): stack.database.count("sessions WHERE has_begun") == n, 20)
        assert collector.terminate() == 0
    assert "before this client id" in collector.output() and "--forget collector" in collector.output()
    one = reading("d1", temperature=1)
    collector, fleet = start_fleet(stack, rng)
    fleet.publisher.send(one)
    until(lambda: is_stored(stack, one), 10)
    collector.kill9()
    publisher = stack.publisher()
    publisher.send_bytes("collectors/collector/status/odd", b"left by another", retain=True)
    publisher.send_bytes("collectors/neighbour/status", b"{}", retain=True)
    publisher.wait()
    assert len(retained(stack)) > 5 and is_queued(stack)
    turn = stack.database.value("SELECT turn FROM collectors")
    code, said = forget(stack, "collector")
    assert code == 0, said
    assert "is forgotten" in said
    assert retained(stack) == set()
    assert not is_queued(stack), "no session of any setting is left"
    assert stack.database.count("sessions") == 0
    assert stack.database.value("SELECT turn FROM collectors") == turn, "what it stored is still known"
    listener = stack.listen("collectors/neighbour/#")
    until(lambda: listener.received, 10, "its neighbour is left alone")
    # again, there is nothing; and it may come back
    assert forget(stack, "collector")[0] == 0
    collector.start()
    until(lambda: is_queued(stack), 15)
    assert " error " not in collector.output()


def test_what_comes_while_all_is_cleared_goes_as_well(stack):
    """As a last will does that comes late. The broker's answers take a second, so this comes before them."""
    collector = stack.start_collector()
    until(lambda: len(retained(stack)) > 2, 20)
    assert collector.terminate() == 0
    watcher = stack.listen("collectors/collector/#")
    proxy = Proxy(stack.broker.port)
    proxy.delay(1)
    program = stack.program("collector", ["--forget", "collector"], log_name="forget", mqtt_url=f"mqtt://{LOOPBACK}:{proxy.port}")
    program.start()
    status = "collectors/collector/status"
    until(lambda: (last := watcher.latest(status)) and not last.payload, 20, "it is cleared")
    publisher = stack.publisher()
    publisher.send_bytes(status, b'{"state":"lost"}', retain=True)
    publisher.wait()
    assert program.wait(60) == 0, program.tail()
    proxy.close()
    assert retained(stack) == set()


def test_who_is_live_is_not_forgotten(stack, rng):
    collector, fleet = start_fleet(stack, rng)
    code, said = forget(stack, "collector")
    assert code == 1 and "it is live: a collector holds its lock" in said
    # nor one that another installation has
    status = {"state": "live", "installation": "other123", "startedAt": "2026-01-01T00:00:00Z"}
    publisher = stack.publisher()
    program = stack.program("collector", ["--forget", "theirs"], log_name="forget-theirs")
    program.start()

    def has_ended():
        publisher.send_bytes("collectors/theirs/status", json.dumps(status).encode(), retain=True)
        return not program.is_running()

    until(has_ended, 20)
    assert program.exit_code == 1 and "installation other123 publishes its status" in program.output()
    publisher.wait()
    one = reading("d1", temperature=1)
    fleet.publisher.send(one)
    until(lambda: is_stored(stack, one), 10, "the live one has its session")
    assert collector.is_running()


def test_what_cannot_be_forgotten_says_why(stack):
    migrate = stack.program("collector", ["--migrate"])
    migrate.start()
    assert migrate.wait(30) == 0
    code, said = forget(stack, "nobody")
    assert code == 1 and "nobody: neither the database nor the broker knows" in said
    code, said = forget(stack, "a/b")
    assert code == 2 and "a/b" in said and "1 to 64" in said
    code, said = forget(stack, "collector", mqtt_url=f"mqtt://{LOOPBACK}:{free_port()}")
    assert code == 1 and "the broker: " in said and "refused" in said
    code, said = forget(stack, "collector", database_url=f"postgresql://{LOOPBACK}:{free_port()}/none")
    assert code == 1 and "database: " in said
