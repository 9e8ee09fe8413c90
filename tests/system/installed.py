"""What `make install` puts down, and the units of it as systemd would find them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD_DIR, CLONE

PROGRAMS = ("collector", "devicesim", "httpapi")


def make(target: str, *variables: str) -> str:
    """Of the programs under test, which are built already."""
    is_release = BUILD_DIR == CLONE / "build"
    kept = [f"--assume-old={name}" for name in ("programs", *(os.path.relpath(BUILD_DIR / name, CLONE) for name in PROGRAMS))]
    command = ["make", *kept, target, *variables, *([] if is_release else [f"FLAVOUR={BUILD_DIR.name}"])]
    done = subprocess.run(command, cwd=CLONE, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything went, as into /usr."""
    root = tmp_path_factory.mktemp("installed with blanks")
    make("install", f"DESTDIR={root}", "PREFIX=/usr")
    return root
