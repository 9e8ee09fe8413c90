"""devicesim --shape: messages of other shapes, held to the record of what was sent."""

from __future__ import annotations

import pytest
from conftest import CLONE
from servers import until
from simulator import assert_verified, run, simulate
from test_mapped_messages import start

FILE = CLONE / "deploy/mappings/devicesim.json"


@pytest.mark.parametrize("shape, topic, seq", [("tasmota", "tasmota/+/SENSOR", ["--seq"]), ("senml", "packs/+", [])])
def test_what_is_sent_in_another_shape_is_stored_and_verified(stack, truth, shape, topic, seq):
    start(stack, FILE)
    report = simulate(stack.broker, "--shape", shape, "--topic", topic, "--num-devices", 20, "--rate", 2000, "--count", 500,
                      "--repeated", 0.1, "--out-of-order", 0.1, "--late", 0.1, "--truth", truth, *seq)
    assert report["readings"] == 500
    assert assert_verified(stack.database, truth)["readings"]["rows"] == 500


def test_bare_values_are_stored(stack):
    start(stack, FILE)
    simulate(stack.broker, "--shape", "text", "--topic", "text/+/pressure", "--num-devices", 5, "--rate", 500, "--count", 100)
    until(lambda: stack.database.count("readings WHERE pressure IS NOT NULL AND temperature IS NULL") >= 100, 30)


@pytest.mark.parametrize("flags, told", [
    (["--shape", "xml"], "contract, tasmota, text, senml or sparkplug"),
    (["--shape", "senml", "--malformed", "0.1"], "--shape contract"),
    (["--shape", "text", "--truth", "/tmp/none.csv"], "arrival"),
    (["--sparkplug", "--shape", "senml"], "sparkplug, with --sparkplug"),
    (["--sparkplug", "--wrong-id", "0.1"], "--shape contract"),
    (["--sparkplug", "--skewed", "0.1"], "not with --shape sparkplug"),
    (["--sparkplug", "--topic", "a/+/b"], "spBv1.0/devicesim/KIND/NODE/DEVICE"),
    (["--shape", "sparkplug", "--replay", "none.csv"], "at their birth"),
])
def test_what_does_not_go_together_is_refused(flags, told):
    done = run(*flags)
    assert done.returncode == 2 and told in done.stderr
