"""Messages of other shapes while the collector is killed: nothing lost, nothing doubled, each known by what the document says."""

from __future__ import annotations

import signal
import time

import pytest
import shapes
from conftest import FAILPOINT_DIR
from faults import arrived, sending, subscribed
from mixed_load import MixedFleet
from oracle import FEATURES
from published import Eras, Ledger, Settings
from servers import until


def everybody_subscribed(publisher):
    for topic, payload in shapes.probes("devices"):

        def is_taken(topic=topic, payload=payload):
            message = publisher.send_bytes(topic, payload, readings=())
            publisher.wait()
            return message.is_acknowledged

        until(is_taken, 30, f"somebody subscribes to {topic}", pause=0.1)


@pytest.mark.parametrize("point", ["on_message:40", "copy_end_sent:3", "commit_ok_before_flush:3"])
def test_a_kill_loses_and_doubles_nothing_of_mapped_messages(stack, rng, tmp_path, point):
    file = tmp_path / "mappings.json"
    file.write_text(shapes.mapping("devices", FEATURES))
    eras = Eras()
    eras.begin("collector", Settings(FEATURES))
    fleet = MixedFleet(rng, stack.publisher(), FEATURES, mapped_site="devices", edges=stack.edge_fleet("devices", FEATURES))
    reads = {"mappings": file, "subscribe": "devices/+/readings"}
    collector = stack.start_collector(**reads)
    subscribed(fleet.publisher, device="marker")
    everybody_subscribed(fleet.publisher)
    assert collector.terminate() == 0
    collector = stack.start_collector(directory=FAILPOINT_DIR, env={"CRASH_AT": point}, batch_size=20, linger="5ms", **reads)
    with fleet.load(400):
        collector.wait(30)
    assert collector.exit_code == -signal.SIGKILL, collector.tail()
    collector = stack.start_collector(**reads)
    fleet.send(100)
    arrived(stack, fleet.publisher)

    ledger = Ledger([fleet.publisher, fleet.edges], eras)
    ledger.learn(stack.database, FEATURES)
    verdict = ledger.verdict(stack.database)
    assert verdict, str(verdict)
    messages = [*fleet.publisher.messages, *fleet.edges.messages]
    seen = {shapes.shape_of(message.topic) for message in messages if message.is_acknowledged}
    assert seen == {None, "tele", "text", "senml", "sparkplug"}


@pytest.mark.faults
def test_kills_in_a_row_lose_and_double_nothing_of_edge_nodes(stack, rng, tmp_path):
    """Births are frequent, and each has other aliases: what is delivered again, and again amid that, goes back beyond them."""
    file = tmp_path / "mappings.json"
    file.write_text(shapes.mapping("devices", FEATURES))
    eras = Eras()
    eras.begin("collector", Settings(FEATURES))
    edges = stack.edge_fleet("devices", FEATURES)
    fleet = MixedFleet(rng, stack.publisher(), FEATURES, mapped_site="devices", edges=edges)
    reads = {"mappings": file, "subscribe": "devices/+/readings"}
    collector = stack.start_collector(**reads)
    subscribed(fleet.publisher, device="marker")
    everybody_subscribed(fleet.publisher)

    def send():
        us, device = fleet.time_us(), rng.choice(fleet.devices)
        edges.send_one(rng, device, fleet.reading(device, us), us)

    with sending(send, 400):
        for _ in range(14):
            time.sleep(rng.random() * 0.7)
            collector.kill9()
            time.sleep(rng.random() * 0.8)
            settings = {"batch_size": rng.choice([20, 200, 10000]), "linger": rng.choice(["5ms", "100ms"])}
            collector = stack.start_collector(**reads, **settings)
    edges.wait()
    arrived(stack, fleet.publisher, 60)

    ledger = Ledger([fleet.publisher, edges], eras)
    ledger.learn(stack.database, FEATURES)
    verdict = ledger.verdict(stack.database)
    assert verdict, str(verdict)
    assert len(edges.messages) > 1000
