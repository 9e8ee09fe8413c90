"""The contract as httpapi answers it, by what others have made to judge contracts: Spectral's rules for OpenAPI, and
requests that schemathesis makes of the schemas, legal and not. `make test-contract` installs both."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from conftest import CLONE
from http_tools import Api
from oracle import FEATURES, now_us, reading

from servers import LOOPBACK, until

pytestmark = pytest.mark.contract

SPECTRAL = CLONE / "tests/contract"
SCHEMATHESIS = CLONE / "build/schemathesis"
HOOKS = CLONE / "tests/contract/hooks.py"
REQUESTS_SEED = 1  # other requests find other faults, but not in whoever's turn it is
EXAMPLES = 40  # of each route in each phase that draws them


def test_the_contract_is_good_by_spectrals_rules(stack):
    document = CLONE / "build/contract/openapi.json"  # where spectral.yaml expects it
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text(json.dumps(Api(stack).contract.document))
    done = subprocess.run(
        [SPECTRAL / "node_modules/.bin/spectral", "lint", "--ruleset", SPECTRAL / "spectral.yaml", "--fail-severity=warn", document],
        capture_output=True, text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def start_everything(stack):
    """A collector that is alive and has stored something of several devices, of which one says who it is and some are
    beyond a threshold, so that no answer is empty."""
    stack.start_collector(thresholds="temperature>0.5,pressure<1")
    api = Api(stack)
    until(lambda: stack.get("/readyz")[0] == 200)
    at = now_us()
    stack.publish(*(
        reading(f"device_{i % 5}", at - i * 10**6, ("ON", "OFF")[i % 2], **{feature: i / 4 for feature in FEATURES}) for i in range(200)
    ))
    publisher = stack.publisher()
    publisher.send_bytes("devices/device_1/readings", b"{}")
    publisher.send_bytes("devices/device_1/about", b'{"label":"the first","group":"hall"}', retain=True)
    until(lambda: sum(api.json("/histogram").values()) == 200 and api.json("/rejected")["messages"])
    until(lambda: api.json("/thresholds")["devices"] and stack.database.count("device_abouts") == 1)


def test_every_request_gets_what_the_contract_says(stack, area):
    start_everything(stack)
    done = subprocess.run(
        ["/usr/bin/python3", SCHEMATHESIS / "bin/schemathesis", "run", f"http://{LOOPBACK}:{stack.http_port}/openapi.json",
         f"--seed={REQUESTS_SEED}", f"--max-examples={EXAMPLES}", "--exclude-path=/events", "--no-color", "--wait-for-schema=10"],
        env={**os.environ, "PYTHONPATH": f"{SCHEMATHESIS}:{HOOKS.parent}", "SCHEMATHESIS_HOOKS": HOOKS.stem}, cwd=area, capture_output=True, text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
