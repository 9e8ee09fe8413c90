"""What the documents name is there, and what the programs have is named."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache

import metrics_document
import pytest
from conftest import BUILD_DIR, CLONE

MAPS = ["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/DECISIONS.md", "docs/TESTING.md", "docs/OPERATIONS.md"]
SOURCES = (".c", ".h", ".sql", ".py", ".pml", ".ts", ".tsx", ".mjs")

# Not ours: functions of the C library, headers of libraries.
FOREIGN = {"uv.h", "mosquitto.h", "malloc", "free", "memcpy", "read", "send", "write", "sendmsg", "strtod", "printf", "setrlimit"}


@cache
def files_of(*endings):
    """All that is ours, by its path; not of git alone, for a release has none."""
    found = []
    for folder, folders, names in os.walk(CLONE):
        folders[:] = [name for name in folders if name not in ("build", "node_modules", ".git", "__pycache__")]
        found += [os.path.relpath(os.path.join(folder, name), CLONE) for name in names]
    return sorted(name for name in found if not endings or name.endswith(endings))


@cache
def sources():
    return "\n".join((CLONE / name).read_text(errors="replace") for name in files_of(*SOURCES))


@cache
def words():
    """Of all sources."""
    return set(re.findall(r"\w+", sources()))


def code_spans(document):
    return re.findall(r"`([^`\n]+)`", (CLONE / document).read_text())


@pytest.mark.parametrize("document", MAPS)
def test_files_that_a_document_names_are_there(document):
    names = {name for span in code_spans(document) for name in re.findall(r"(?<![\w*./-])[\w./-]+\.(?:c|h|py|sql|pml|md)\b(?![\w*])", span)}
    files = files_of()
    missing = [name for name in names - FOREIGN if not any(path == name or path.endswith("/" + name.lstrip("./")) for path in files)]
    assert not missing


@pytest.mark.parametrize("document", MAPS)
def test_functions_that_a_document_names_are_there(document):
    names = {name for span in code_spans(document) for name in re.findall(r"(?<![\w/])([a-z][a-z0-9_]+)\(", span)}
    assert not names - FOREIGN - words()


# What is built into the page is a copy that nobody follows links in.
@pytest.mark.parametrize("document", [path for path in files_of(".md") if not path.startswith("dashboard/built/")])
def test_links_lead_somewhere(document):
    text = (CLONE / document).read_text()
    here = (CLONE / document).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        there = (here / path).resolve() if path else CLONE / document
        assert there.exists(), f"{document} links to {target}"
        if anchor:
            heads = re.findall(r"^#+ +(.*)$", there.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in anchors, f"{document} links to {target}"


@pytest.mark.parametrize("program", ["collector", "httpapi", "devicesim"])
def test_settings_are_in_the_documents(program):
    text = subprocess.run([BUILD_DIR / program, "--help"], capture_output=True, text=True, check=True).stdout
    documents = (CLONE / "README.md").read_text() + (CLONE / "docs/OPERATIONS.md").read_text()
    flags = re.findall(r"^  --([a-z0-9-]+)", text, re.MULTILINE)
    assert flags
    unsaid = [flag for flag in flags if not re.search(rf"--{flag}\b(?!-)|\b{flag.upper().replace('-', '_')}\b", documents)]
    assert not unsaid


def test_metrics_are_in_the_documents_and_the_programs():
    code = "\n".join((CLONE / name).read_text() for name in files_of(".c") if name.startswith(("collector/", "httpapi/")))
    define = re.search(r'#define PREFIX "(highwater_\w+)"\n', code)
    code = re.sub(r'\bPREFIX\s+"', f'"{define[1]}', code.replace(define[0], ""))
    exported = set(re.findall(r'"(highwater_\w+[a-z])[",{]', code))
    exported = {name for name in exported if not re.search(r"_(bucket|sum|count)$", name)}
    assert metrics_document.DOCUMENT.read_text() == metrics_document.document(), "make docs-metrics writes it"
    listed = set(re.findall(r"^\| `(\w+)`", (CLONE / "docs/METRICS.md").read_text(), re.MULTILINE))
    assert {name for name in listed if name.startswith("highwater_")} == exported
    consumer = (CLONE / "deploy/cassandra/metrics.py").read_text()
    exported |= {"highwater_cassandra_" + name for name in re.findall(r'^    "(\w+)": \("(?:counter|gauge)"', consumer, re.MULTILINE)}
    documents = set(files_of(".md")) - {"CHANGELOG.md"}  # which says what was renamed
    said = {name for document in documents for name in re.findall(r"\bhighwater_\w+[a-z]\b", (CLONE / document).read_text())}
    assert {name for name in said if re.search(r"_(total|seconds|bytes|up)$", name)} <= exported


def test_every_reason_for_rejecting_has_what_to_do():
    names = re.search(r"error_texts\[READING_ERROR_COUNT\] = \{(.*?)\};", (CLONE / "shared/model/reading_fault.c").read_text(), re.DOTALL)
    reasons = set(re.findall(r'= "(\w+)"', names[1])) - {"ok"}
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", (CLONE / "docs/REJECTED.md").read_text(), re.DOTALL | re.MULTILINE))
    assert set(sections) == reasons
    assert all(re.search(r"^Do: .", text, re.MULTILINE) for text in sections.values())


def packages_of_a_run(**settings):
    """What `make run` installs, by what installs it."""
    env = {name: value for name, value in os.environ.items() if name not in ("KAFKA", "REDIS", "MQTT_URL", "DATABASE_URL")}
    command = [CLONE / "deploy/deps", "--list", "build", "run"]
    return set(subprocess.run(command, env={**env, **settings}, capture_output=True, text=True, check=True).stdout.split())


def test_every_package_of_make_run_has_its_reason():
    rows = re.findall(r"^\| (`.*?) \| (.+?) \| (.*?) ?\|$", (CLONE / "docs/PACKAGES.md").read_text(), re.MULTILINE)
    listed = {name: without for names, _, without in rows for name in re.findall(r"`([\w.+-]+)`", names)}
    everything = packages_of_a_run()
    assert set(listed) == everything
    for setting, name in (("KAFKA=no", "KAFKA"), ("REDIS=no", "REDIS"), ("`MQTT_URL` set", "MQTT_URL"), ("`DATABASE_URL` set", "DATABASE_URL")):
        left_out = {package for package, without in listed.items() if setting in without}
        assert left_out == everything - packages_of_a_run(**{name: "no"}), setting
