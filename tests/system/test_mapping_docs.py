"""What docs/MAPPINGS.md shows is what there is: files, readings, and what is said of mistakes."""

from __future__ import annotations

import base64
import json
import re

import pytest
from conftest import CLONE
from test_mappings import ARRIVAL, try_mapping

TEXT = (CLONE / "docs/MAPPINGS.md").read_text()
SECTIONS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", TEXT, re.DOTALL | re.MULTILINE))
MISTAKES = re.findall(r'^\| `("[^|]*)` \| `([^|]*)` \| .+ \|$', TEXT, re.MULTILINE)
BASE = {"topic": "a/{device}", "features": {"t": "/t"}}


def blocks(text, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def file_of(section):
    return CLONE / re.search(r"`(deploy/mappings/\S+\.json)`", section)[1]


def bytes_of(payload):
    """What is no text stands there in base64."""
    return base64.b64decode(payload[7:]) if payload.startswith("base64:") else payload.encode()


def messages():
    for title, section in SECTIONS.items():
        for block in blocks(section, "text"):
            for topic, payload, told in re.findall(r"^(?!-> )(\S+) (.*)\n((?:-> .*\n)+)", block, re.MULTILINE):
                yield pytest.param(file_of(section), topic, payload, re.findall("-> (.*)", told), id=f"{title}: {topic}")


@pytest.mark.parametrize("title", SECTIONS)
def test_a_file_is_shown_as_it_is(title):
    (shown,) = blocks(SECTIONS[title], "json")
    assert shown == file_of(SECTIONS[title]).read_text()


@pytest.mark.parametrize("file, topic, payload, told", messages())
def test_a_message_becomes_what_the_document_says(file, topic, payload, told):
    done = try_mapping(file, "--topic", topic, "--arrival", ARRIVAL, payload=bytes_of(payload))
    assert done.stdout.decode().splitlines() == told, done.stderr


def test_every_example_compiles(tmp_path):
    for number, block in enumerate(blocks(TEXT, "json")):
        file = tmp_path / f"{number}.json"
        file.write_text(block)
        done = try_mapping(file, "--topics")
        assert done.returncode == 0, block + done.stderr.decode()


@pytest.mark.parametrize("fragment, told", MISTAKES, ids=[fragment for fragment, _ in MISTAKES])
def test_a_mistake_is_refused_with_these_words(tmp_path, fragment, told):
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps([{**BASE, **json.loads("{" + fragment + "}")}]))
    done = try_mapping(file, "--topics")
    assert done.returncode == 2 and told in done.stderr.decode()


def test_the_example_of_the_readme_compiles(tmp_path):
    text = (CLONE / "README.md").read_text()
    file = tmp_path / "readme.json"
    file.write_text(re.search(r"^    (\[\{\"topic\".*?\}\])\n\n", text, re.DOTALL | re.MULTILINE)[1])
    assert try_mapping(file, "--topics").stdout.decode().split() == ["tele/+/SENSOR", "+/sensor/+/state", "tele/+/LWT"]


def test_the_document_names_every_file():
    assert len(SECTIONS) == 10 and len(MISTAKES) > 15
    assert not [file.name for file in CLONE.glob("deploy/mappings/*.json") if file.name not in TEXT]
