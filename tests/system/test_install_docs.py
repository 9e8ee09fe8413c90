"""docs/INSTALL.md and docs/SECURITY.md name what there is. tests/operator types the first on a bare Debian."""

from __future__ import annotations

import re
import subprocess
from functools import cache

import pytest
from conftest import BUILD_DIR, CLONE

INSTALL, SECURITY = (CLONE / "docs" / name for name in ("INSTALL.md", "SECURITY.md"))
PROGRAMS = ("collector", "httpapi", "devicesim")

# Of PostgreSQL, or of roles.sql.
FOREIGN = {"SELECT", "ALTER", "ROLE", "OWNER_PASSWORD", "READER_PASSWORD", "HTTP", "JSON", "README"}


@cache
def help_of(program: str) -> str:
    return subprocess.run([BUILD_DIR / program, "--help"], capture_output=True, text=True, check=True).stdout


def flags_of(program: str) -> set[str]:
    return set(re.findall(r"(--[a-z0-9-]+)", help_of(program)))


def typed() -> str:
    """All that an operator types, one command a line."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", INSTALL.read_text(), re.MULTILINE | re.DOTALL)
    return "".join(blocks).replace("\\\n", " ")


def test_what_is_typed_is_bash() -> None:
    done = subprocess.run(["bash", "-n"], input=typed(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_flags_that_are_typed_are_there(program: str) -> None:
    commands = re.findall(rf"\bhighwater-{program} (--.*)", typed())
    used = {flag for command in commands for flag in re.findall(r"(?<!\S)(--[a-z0-9-]+)", command)}
    assert used and used <= flags_of(program)


def test_settings_of_the_two_are_there() -> None:
    known = {flag[2:].upper().replace("-", "_") for program in PROGRAMS for flag in flags_of(program)}
    spans = re.findall(r"`([A-Z][A-Z_]+)(?:=[^`]*)?`", INSTALL.read_text() + SECURITY.read_text())
    spans += re.findall(r"^([A-Z_]+) = ", typed(), re.MULTILINE)
    assert spans and not set(spans) - known - FOREIGN


def test_files_that_are_typed_are_installed() -> None:
    """Those of packages and of `make install` are the same."""
    folders = re.search(r"^for example in (.*); do", (CLONE / "deploy/install").read_text(), re.MULTILINE)[1].split()  # type: ignore[index]
    for folder, name in re.findall(r"/usr/share/highwater/([\w-]+)/([\w.-]+)", typed()):
        assert (CLONE / "deploy" / folder / name).is_file(), (folder, name)
        assert folder in folders
    inside = re.search(r"^cd /usr/share/highwater/production\n(.*?)(?=^cd |\Z)", typed(), re.MULTILINE | re.DOTALL)
    for name in re.findall(r"(?:^install .*? |\./)((?:[a-z-]+\.conf|acl|make-[a-z]+)) ", inside[1], re.MULTILINE):  # type: ignore[index]
        assert (CLONE / "deploy/production" / name).exists(), name


def test_units_that_are_typed_are_there() -> None:
    units = set(re.findall(r"\bhighwater-\w+(?!\S)", "\n".join(re.findall(r"systemctl (?:enable|start|stop|restart).*", typed()))))
    assert units == {"highwater-collector", "highwater-httpapi"}
    assert all((CLONE / f"deploy/systemd/{unit}.service").exists() for unit in units)


def test_packages_that_are_typed_are_made() -> None:
    control = CLONE / "debian/control"
    made = set(re.findall(r"^Package: (\S+)", control.read_text(), re.MULTILINE))
    assert set(re.findall(r"\./([\w-]+)_\*\.deb", typed())) <= made


def test_secrets_are_in_no_argument() -> None:
    """What is in an argument, the whole machine reads. An assignment before a command is none, nor what the shell's own printf has."""
    for line in typed().splitlines():
        if line.startswith("printf "):
            continue
        for secret in re.findall(r'(\S*)"\$\(cat /(?:etc/highwater|root/highwater)\S*\)"', line):
            assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*=", secret), line
