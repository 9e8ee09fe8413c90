"""What stands where: a library of the world outside is included in the room that is made for it."""

from __future__ import annotations

import re

from conftest import CLONE

FOREIGN = {"mosquitto.h": "MQTT", "libpq-fe.h": "PostgreSQL", "librdkafka/rdkafka.h": "Kafka", "hiredis/hiredis.h": "Redis"}


def includes(path):
    return re.findall(r'^#include [<"]([^>"]+)[>"]', path.read_text(), re.MULTILINE)


def test_files_directly_in_collector_include_no_foreign_library():
    found = {(path.name, name) for path in CLONE.glob("collector/*.[ch]") for name in includes(path) if name in FOREIGN}
    assert not found


def test_base_and_model_know_nothing_of_the_net():
    for room in ("base", "model"):
        for path in CLONE.glob(f"shared/{room}/*.[ch]"):
            for name in includes(path):
                assert name not in FOREIGN, f"{path.name} includes {name}"
                assert not name.startswith("shared/net/"), f"{path.name} includes {name}"
                assert room == "model" or not name.startswith("shared/model/"), f"{path.name} includes {name}"


def test_no_program_knows_another_and_shared_knows_none():
    for folder in ("collector", "devicesim", "httpapi", "shared"):
        for path in CLONE.glob(f"{folder}/**/*.[ch]"):
            for name in includes(path):
                first = name.split("/")[0]
                assert first in (folder, "shared") or first not in ("collector", "devicesim", "httpapi"), f"{path} includes {name}"
