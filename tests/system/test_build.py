"""What the Makefile promises of the programs it builds: the same bytes from the same sources, and hardened ones; and that
`make -n` builds none.

Held against the programs under test, so they have to be a release that was built here. pytest knows nothing of the
flags that were meant for it, so no CFLAGS of one's own.
"""

from __future__ import annotations

import os
import platform
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD_DIR, CLONE

PROGRAMS = ("collector", "devicesim", "httpapi")
FLAGS = (CLONE / "build/release/flags").read_text() if BUILD_DIR == CLONE / "build" else ""
COMPILER = FLAGS.split(" -std=")[0]

pytestmark = pytest.mark.skipif(COMPILER == "", reason="another flavour than the release is under test")


def copy_in_any_order(rng: random.Random, target: Path) -> None:
    """The sources of this clone, its files made in another order than git made them."""
    names: list[Path] = []
    for folder, inner, files in os.walk(CLONE):
        inner[:] = [name for name in inner if name not in (".git", ".run", "build", "node_modules")]
        names += [Path(folder, name).relative_to(CLONE) for name in files]
    rng.shuffle(names)
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CLONE / name, target / name)


def take_objects(rng: random.Random, place: Path, all_but: int) -> None:
    """Ours, but for some of them: those are compiled there, as is whatever is generated, archived and linked."""
    folder = CLONE / "build/release/obj"
    ours = sorted(path.relative_to(CLONE) for path in folder.rglob("*.o") if path.relative_to(folder).parts[0] != "tests")
    left_out = set(rng.sample(ours, all_but))
    (place / "build/release").mkdir(parents=True)
    shutil.copy2(CLONE / "build/release/flags", place / "build/release/flags")
    for name in ours:
        if name not in left_out:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CLONE / name, place / name)


# A compiler makes the same of one file as of the next; which ones it is shown, chance says.
@pytest.mark.parametrize("compiled", [60, pytest.param("all", marks=pytest.mark.faults)])
def test_programs_are_the_same_wherever_and_by_whomever_they_are_built(tmp_path, rng, compiled):
    """Another folder, whose name has blanks, other umask, zone, language, order and number of jobs; the page, too."""
    place = tmp_path / "another place"
    place.mkdir()
    copy_in_any_order(rng, place)
    if compiled != "all":
        take_objects(rng, place, compiled)
    environment = {
        **os.environ,
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C" if os.environ.get("LANG") == "C.UTF-8" else "C.UTF-8",
        "HOME": str(tmp_path),
        "USER": "somebody",
        "SOURCE_DATE_EPOCH": "1",
        "CI": "true" if " -Werror " in FLAGS else "",
    }
    command = ["make", "-j3", "programs", f"CC={COMPILER}"]
    done = subprocess.run(
        command, cwd=place, env=environment, umask=0o077, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert compiled == "all" or compiled / 2 < done.stdout.count("  CC ") < 2 * compiled, done.stdout
    for name in PROGRAMS:
        ours, theirs = (BUILD_DIR / name).read_bytes(), (place / "build" / name).read_bytes()
        assert ours == theirs, f"{name} differs"
        assert str(CLONE).encode() not in ours, f"{name} says where it was built"


def test_make_says_what_it_would_do_and_does_nothing(tmp_path, rng):
    """`make -n` as the first command in a clone; a shell is asked whatever names $(MAKE), so all targets are tried that do."""
    copy_in_any_order(rng, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for target in ("all", "run", "test", "lint", "install"):
        done = subprocess.run(["make", "-n", target], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), f"{target}: {done.stdout}"
        assert "build/release/flags" in done.stdout, target
    assert sorted(tmp_path.rglob("*")) == before
    asked = subprocess.run(["make", "-q"], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (asked.returncode, asked.stderr) == (1, "")


def readelf(option: str, path: Path) -> str:
    return subprocess.run(["readelf", "-W", option, path], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_hardened(name):
    program = BUILD_DIR / name
    assert re.search(r"Flags:.*\bNOW\b.*\bPIE\b", readelf("-d", program)), "bound at start, at any address"
    segments = readelf("-l", program)
    assert "GNU_RELRO" in segments and re.search(r"GNU_STACK .* RW ", segments), "no stack that is run"
    symbols = readelf("--dyn-syms", program)
    assert "__stack_chk_fail" in symbols, "a stack that was written over is noticed"
    assert "__snprintf_chk" in symbols and "__memcpy_chk" in symbols, "bounds that only a run knows are checked"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="neither x86-64 nor arm64")
def test_every_object_marks_where_jumps_may_land():
    """What the objects say; programs say it only where those of the C library, which are linked in, do."""
    mark = {"x86_64": "IBT, SHSTK", "aarch64": "BTI, PAC"}[platform.machine()]
    sources = [path.relative_to(CLONE) for folder in (*PROGRAMS, "shared") for path in (CLONE / folder).rglob("*.c")]
    objects = [CLONE / "build/release/obj" / path.with_suffix(".o") for path in sources]
    assert objects
    assert [path.name for path in objects if mark not in readelf("-n", path)] == []


def test_large_stack_frames_touch_every_page(tmp_path):
    """With its flags: a frame larger than the guard page cannot jump over it unseen."""
    if platform.machine() != "x86_64":
        pytest.skip("the other instructions are not known here")
    flags = FLAGS.split(" | ")[0]
    source = tmp_path / "large.c"
    source.write_text("void use(char *); void large(void); void large(void) { char room[65536]; use(room); }")
    command = f"{flags} -S -o - '{source}'"
    done = subprocess.run(["sh", "-c", command], cwd=CLONE, check=True, capture_output=True, text=True)
    assert re.search(r"(or|mov)[ql]\s+\$0, ", done.stdout), "each page of it is touched on the way"
