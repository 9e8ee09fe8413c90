"""What docs/LICENSES.md says about others' terms is said of all that is linked and passed on."""

from __future__ import annotations

import json
import re
import subprocess

from conftest import BUILD_DIR, CLONE

PROGRAMS = ("collector", "httpapi", "devicesim")
RUNTIME = {"libasan", "libubsan", "libgcc_s", "libgcov"}  # of the compiler, in flavours for tests


def rows_of(heading):
    """The cells of the first table under a heading of the document."""
    text = (CLONE / "docs/LICENSES.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def linked_with(program):
    dynamic = subprocess.run(
        ["readelf", "--dynamic", BUILD_DIR / program], capture_output=True, text=True, check=True
    ).stdout
    names = set(re.findall(r"\(NEEDED\).*\[(\S+?)\.so[.\d]*\]", dynamic))
    return {"glibc" if name in ("libc", "libm") or name.startswith("ld-linux") else name for name in names} - RUNTIME


def test_the_terms_of_every_library_are_named():
    said = {program: set() for program in PROGRAMS}
    for library, programs, terms, *_ in rows_of("What the programs are linked with"):
        assert terms, library
        for program in programs.split(", "):
            said[program].add(library.split(" ")[0])
    assert said == {program: linked_with(program) for program in PROGRAMS}


def test_the_terms_of_every_package_in_the_page_are_named():
    lock = json.loads((CLONE / "dashboard/package-lock.json").read_text())["packages"]
    passed_on = {
        path.removeprefix("node_modules/"): package["license"]
        for path, package in lock.items()
        if path and not package.get("dev") and not package.get("devOptional") and not package.get("peer")
    }
    assert {name: terms for name, terms in rows_of("What travels inside the page")} == passed_on
