"""collector --suggest-mapping: a first mapping of what a broker's devices say, which reads what they said."""

from __future__ import annotations

import json
import signal
from datetime import datetime, timedelta, timezone

import pytest
from servers import until
from test_mappings import ARRIVAL, DEVICES, SAMPLES, try_mapping

LASTING = ("LWT", "online", "availability", "$state")


def messages_of(now: datetime) -> list[tuple[str, bytes]]:
    """Of each sample, those with local times an hour ahead of `now`: of which zone they are is known by when they come."""
    ahead = now + timedelta(hours=1)
    local = {b"2026-11-26T12:04:05": f"{ahead:%Y-%m-%dT%H:%M:%S}", b"26/11/2026 12:04:05": f"{ahead:%d/%m/%Y %H:%M:%S}"}
    found = []
    for sample in SAMPLES:
        payload = (DEVICES / sample["file"]).read_bytes()
        for then, new in local.items():
            payload = payload.replace(then, new.encode())
        found.append((sample["topic"], payload))
    return found


def suggest(stack, *flags, **settings):
    program = stack.program("collector", ["--suggest-mapping", *flags], log_name="suggest", **settings)
    program.start()
    return program


def publish(stack, *messages, retain=False):
    publisher = stack.publisher()
    for topic, payload in messages:
        publisher.send_bytes(topic, payload, retain=retain)
    publisher.wait()


def listening(program):
    until(lambda: "listening to" in program.output(), 30)
    return program


def mapping_of(program):
    """Of the log, which has standard error, too."""
    return "".join(line for line in program.output().splitlines(keepends=True) if not line.startswith("collector: "))


def test_every_sample_gives_a_mapping_that_reads_it(stack, tmp_path):
    now = datetime.now(timezone.utc).replace(microsecond=0)
    messages = messages_of(now)
    publish(stack, *[message for message in messages if message[0].endswith(LASTING)], retain=True)
    program = listening(suggest(stack, "--for", "3s"))
    publish(stack, *[message for message in messages if not message[0].endswith(LASTING)])
    assert program.wait(60) == 0, program.output()
    file = tmp_path / "suggested.json"
    file.write_text(mapping_of(program))

    assert try_mapping(file, "--topics").returncode == 0
    for sample, (topic, payload) in zip(SAMPLES, messages):
        is_local = payload != (DEVICES / sample["file"]).read_bytes()
        arrival = f"{now:%Y-%m-%dT%H:%M:%SZ}" if is_local else ARRIVAL
        done = try_mapping(file, "--topic", topic, "--arrival", arrival, payload=payload)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        if sample["readings"]:
            assert len(lines) >= len(sample["readings"]), (sample["file"], lines)
            assert all("deviceId" in line for line in lines), (sample["file"], lines)


def test_ctrl_c_ends_the_listening_and_uses_what_was_heard(stack):
    program = listening(suggest(stack, "--for", "600s", "--filter", "site/#"))
    publish(stack, ("site/pump-1/data", b'{"t":1}'), ("other/x/data", b'{"t":1}'), ("site/pump-2/data", b'{"t":1}'))
    until(lambda: "2 messages on 2 topics so far" in program.output(), 60)
    program.signal(signal.SIGINT)
    assert program.wait(30) == 0, program.output()
    assert '"topic": "site/{device}/data"' in mapping_of(program)


def test_nothing_of_the_collectors_own_is_touched(stack):
    """Neither its session, which would be taken from it, nor its messages, which would be a device's."""
    collector = stack.start_collector()
    listener = stack.listen("collectors/collector/status")
    until(lambda: listener.received, 30)
    program = suggest(stack, "--for", "3s", "--filter", "collectors/#")
    assert program.wait(60) == 1
    assert "nothing was heard of which" in program.output()
    assert collector.is_running() and "-> waiting" not in collector.output()
    assert stack.database.count("sessions") == 1


@pytest.mark.parametrize("flags, settings, told", [
    (["--filter", "a/#/b"], {}, "a/#/b"),
    (["--filter", ""], {}, "filter"),
    (["--for", "0s"], {}, "for"),
    (["--for", "1s"], {"mqtt_url": "mqtt://127.0.0.1:1"}, "refused"),
    (["--for", "1s"], {}, "nothing was heard of which"),
], ids=["no filter", "an empty one", "no time", "no broker", "nobody speaks"])
def test_what_goes_wrong_is_said(stack, flags, settings, told):
    program = suggest(stack, *flags, **settings)
    assert program.wait(60) in (1, 2)
    assert told in program.output()


def test_a_flag_without_its_command_is_refused(stack):
    program = stack.program("collector", ["--for", "3s"], log_name="alone")
    program.start()
    assert program.wait(30) == 2
    assert "--suggest-mapping" in program.output()
