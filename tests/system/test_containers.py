"""What compose.yaml says is what there is: settings, commands, files. Built and run it is by `make test-containers`."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from conftest import BUILD_DIR, CLONE
from servers import PrivateBroker, patience

sys.path.insert(0, str(CLONE / "tests" / "containers"))

import compose  # noqa: E402

CHOICES = {"REDIS_URL": "redis://redis", "STORE": "kafka://kafka/readings", "HTTP_PORT": "80", "MQTT_PORT": "1883"}
OURS = [name for name, service in compose.read()["services"].items() if compose.program_of(service)]


def service_of(name, variables=None):
    return compose.read(variables)["services"][name]


def settings_in(text):
    return set(re.findall(r"^  --([a-z-]+)", text, re.MULTILINE))


def help_of(program):
    return subprocess.run([BUILD_DIR / program, "--help"], capture_output=True, text=True, check=True).stdout


def environment_of(service, **more):
    return {**{name: value for name, value in os.environ.items() if name == "PATH"}, **service["environment"], **more}


def test_compose_has_what_no_schema_asks_for():
    assert compose.problems(compose.read()) == []


@pytest.mark.parametrize("name", OURS)
def test_its_settings_are_the_programs(name):
    service = service_of(name)
    program = compose.program_of(service)
    known = settings_in(help_of(program))
    named = {variable.lower().replace("_", "-") for variable in service["environment"]}
    assert named <= known, named - known
    image = (compose.FOLDER / "Containerfile").read_text()
    stage = image.split(f" AS {program}\n")[1].split("\nFROM ")[0]
    assert {variable.lower().replace("_", "-") for variable in re.findall(r"^ENV (\w+)=", stage, re.MULTILINE)} <= known


@pytest.mark.parametrize("variables", [{}, CHOICES], ids=["as it is", "with all that can be chosen"])
@pytest.mark.parametrize("name", [name for name in OURS if name != "devicesim"])
def test_its_values_are_legal(name, variables):
    """The check of its health reads all settings first, and asks nobody else."""
    service = service_of(name, variables)
    test = service["healthcheck"]["test"]
    program = compose.program_of(service)
    assert test[:2] == ["CMD", f"/usr/local/bin/{program}"]
    listen = {"collector": "METRICS_LISTEN", "httpapi": "HTTP_LISTEN"}[program]
    ran = subprocess.run(
        [BUILD_DIR / program, *service.get("command", []), *test[2:]],
        env=environment_of(service, **{listen: "127.0.0.1:1"}), capture_output=True, text=True, timeout=patience(30),
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (1, "unhealthy: 127.0.0.1:1: Connection refused\n"), ran.stderr


def test_the_fleet_of_the_demonstration_is_sent(stack):
    service = service_of("devicesim")
    fleet = stack.program("devicesim", [*service["command"], "--count", "30"], **{name.lower(): value for name, value in service["environment"].items()} | {"mqtt_url": stack.broker.url()})
    fleet.start()
    assert fleet.wait() == 0, fleet.tail()


def test_the_broker_has_the_terms_of_the_repositorys(area, logs):
    """mosquitto.conf has the reasons; that of the image has no other numbers, and is loaded."""

    def terms(path):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        return {line for line in lines if line.split()[0] not in ("listener", "persistence_location")}

    ours = compose.FOLDER / "mosquitto.conf"
    assert terms(ours) == terms(CLONE / "mosquitto.conf")

    class Broker(PrivateBroker):
        def config(self):
            return ours.read_text().replace("listener 1883", f"listener {self.port}").replace("/mosquitto/data", str(self.home))

    broker = Broker(area / "contained", log=logs / "broker.log")
    broker.start()
    broker.kill9()


def test_passwords_are_made_once(tmp_path):
    folder = tmp_path / "secrets"
    make = [compose.FOLDER / "make-secrets", folder]
    said = subprocess.run(make, check=True, capture_output=True, text=True).stdout
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert sorted(first) == sorted(compose.read()["secrets"]) and len(set(first.values())) == 3
    assert all(re.fullmatch(r"[0-9a-f]{48}", word) for word in first.values())
    assert not any(word in said for word in first.values())
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "owner-password").unlink()
    subprocess.run(make, check=True, capture_output=True)
    second = {path.name: path.read_text() for path in folder.iterdir()}
    assert [name for name in first if first[name] != second[name]] == ["owner-password"]


def test_what_the_images_are_built_of_is_what_make_reads(tmp_path):
    """Only what .dockerignore lets in: `make programs` needs nothing else."""
    lines = (CLONE / ".dockerignore").read_text().splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    assert "*" in lines and all((CLONE / path).exists() for path in kept)
    listed = subprocess.run(["git", "ls-files", "-z", *kept], cwd=CLONE, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((CLONE / name).read_bytes())
        target.chmod((CLONE / name).stat().st_mode)
    (tmp_path / "build" / "release").mkdir(parents=True)  # which a dry run does not make
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}
    ran = subprocess.run(["make", "-n", "programs"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
