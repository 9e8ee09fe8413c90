"""Signals that end nothing."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from oracle import now_us, reading
from servers import until
from test_collector import live_collector

HARMLESS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)


def shake(program):
    for number in HARMLESS:
        program.signal(number)
    time.sleep(0.005)


def hangups(program):
    return program.output().count("SIGHUP")


def test_a_hangup_ends_no_program_and_costs_no_reading(stack):
    """Amid a load, and amid the drain at the end of it."""
    collector = live_collector(stack)
    httpapi = stack.start_httpapi()
    fleet = stack.start_devicesim("--rate", "2000", "--duration", "3s", "--seq", "--json")
    until(lambda: stack.database.count() > 0, 20)
    while fleet.is_running():
        shake(collector)
        shake(httpapi)
        if fleet.is_running():
            shake(fleet)
        stack.get_json("/dashboard?interval=all_time")
    assert fleet.wait() == 0 and '"unanswered":0' in fleet.output()
    sent = int(fleet.output().split('"sent":')[1].split(",")[0])
    for program in (collector, httpapi, fleet):
        assert hangups(program) > 0, program.name
    collector.signal(signal.SIGTERM)
    while collector.is_running():
        shake(collector)
    assert collector.exit_code == 0
    httpapi.signal(signal.SIGTERM)
    while httpapi.is_running():
        shake(httpapi)
    assert httpapi.exit_code == 0
    live_collector(stack)  # which gets what the first did not read any more
    until(lambda: stack.database.count() == sent, 20)


def holds_out(program):
    """It has come so far that SIGHUP is ignored or heard, or to its end."""
    try:
        lines = Path(f"/proc/{program.pid}/status").read_text().splitlines()
    except OSError:
        return True
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigIgn", "SigCgt"))]
    return not masks or any(mask >> (signal.SIGHUP - 1) & 1 for mask in masks)


@pytest.mark.parametrize(
    "name, args", [("collector", ["--migrate"]), ("collector", ["--rejected"]), ("devicesim", ["--count", "1"])]
)
def test_no_hangup_ends_what_runs_to_its_end(stack, name, args):
    stack.start_collector("--migrate").wait()
    for _ in range(5):
        program = stack.program(name, args)
        program.start()
        until(lambda program=program: holds_out(program), 10)
        while program.is_running():
            shake(program)
        assert program.exit_code == 0, program.tail()


def test_a_reading_sent_after_a_hangup_is_stored(stack):
    collector = live_collector(stack)
    for number in range(3):
        shake(collector)
        stack.publish(reading("d", now_us(), temperature=number))
    until(lambda: stack.database.count() == 3)
