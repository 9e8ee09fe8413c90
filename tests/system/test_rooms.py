"""What stands where: a library of the world outside is included in the room that is made for it."""

from __future__ import annotations

import re

from conftest import CLONE

FOREIGN = {"mosquitto.h", "mqtt_protocol.h", "libpq-fe.h", "rdkafka.h", "hiredis.h"}


def includes(path):
    return re.findall(r'^#include [<"]([^>"]+)[>"]', path.read_text(), re.MULTILINE)


def is_library(name):
    return name.split("/")[-1] in FOREIGN


def is_foreign(name):
    """A library, or our link to one: what speaks a protocol."""
    return is_library(name) or re.match(r"shared/net/(mqtt|pg|kafka|redis)_", name) is not None


def seen_by(path, seen):
    """All that is included, by what is included, too."""
    for name in set(includes(path)) - seen:
        seen.add(name)
        if (CLONE / name).exists():
            seen_by(CLONE / name, seen)
    return seen


def test_files_directly_in_collector_know_no_protocol():
    """They know seams (source.h, store.h, sink.h); what is behind one stands in its room."""
    files = list(CLONE.glob("collector/*.[ch]"))
    assert files
    for path in files:
        assert not sorted(filter(is_foreign, seen_by(path, set()))), path.name


def test_the_inside_of_a_kind_is_its_own():
    """What only the files of the MQTT source, or sink, know of each other, nobody else includes."""
    for path in CLONE.glob("collector/**/*.[ch]"):
        for name in includes(path):
            assert not re.match(r"collector/(sources|sinks)/mqtt_(source|sink)\.h", name) or path.name.startswith("mqtt_"), path


def test_files_directly_in_collector_know_no_kind_of_store():
    """What there is of them is a row of store.c; their headers are for their own rooms."""
    found = {(path.name, name) for path in CLONE.glob("collector/*.[ch]") for name in includes(path) if name.startswith("collector/stores/")}
    assert not found


def test_base_and_model_know_nothing_of_the_net():
    for room in ("base", "model"):
        for path in CLONE.glob(f"shared/{room}/*.[ch]"):
            for name in includes(path):
                assert not is_library(name), f"{path.name} includes {name}"
                assert not name.startswith("shared/net/"), f"{path.name} includes {name}"
                assert room == "model" or not name.startswith("shared/model/"), f"{path.name} includes {name}"


def test_no_program_knows_another_and_shared_knows_none():
    for folder in ("collector", "devicesim", "httpapi", "shared"):
        for path in CLONE.glob(f"{folder}/**/*.[ch]"):
            for name in includes(path):
                first = name.split("/")[0]
                assert first in (folder, "shared") or first not in ("collector", "devicesim", "httpapi"), f"{path} includes {name}"
