"""What the programs print of their tables of settings: the file with every one, the manual, completion."""

from __future__ import annotations

import re
import subprocess

import pytest
from conftest import BUILD_DIR, CLONE

PROGRAMS = ("collector", "httpapi", "devicesim")


def output(program, *args, **environment):
    env = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run([BUILD_DIR / program, *args], capture_output=True, text=True, check=True, env=env).stdout


def flags(program):
    text = output(program, "--help")
    entries = re.split(r"^  --", text, flags=re.MULTILINE)[1:]
    return {entry.split()[0]: "flag only" not in entry for entry in entries}


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_file_of_settings_that_is_kept_is_what_the_programs_make(program):
    assert (CLONE / "deploy/highwater.conf").read_text() == output(program, "--generate", "config"), "make config"


def test_the_file_of_settings_has_every_setting_once_and_sets_none():
    lines = (CLONE / "deploy/highwater.conf").read_text().splitlines()
    assert all(re.match(r"$|# |#$|#[A-Z_]+ =|\[[a-z]+\]$", line) for line in lines)
    assert all(len(line) < 140 for line in lines)
    found = {"": set()}
    section = ""
    for line in lines:
        if heading := re.match(r"\[(\w+)\]$", line):
            section = heading[1]
            found[section] = set()
        elif name := re.match(r"#([A-Z_]+) =", line):
            assert name[1] not in found[section] | found[""]
            found[section].add(name[1])
    assert {"DATABASE_URL", "MQTT_URL"} <= found[""] and "FEATURES" not in found[""]
    for program in PROGRAMS:
        settings = {flag.upper().replace("-", "_") for flag, is_setting in flags(program).items() if is_setting}
        assert settings - {"HELP", "VERSION"} <= found[program] | found[""]
        assert found[program] <= settings


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_manual_has_every_flag_and_all_sections(program):
    page = output(program, "--generate", "man", SOURCE_DATE_EPOCH="86400")
    assert page == output(program, "--generate=man", SOURCE_DATE_EPOCH="86400")
    assert '"1970-01-02"' in page.splitlines()[1]
    sections = re.findall(r"^\.SH (.+)$", page, re.MULTILINE)
    assert sections == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "FILES", "EXIT STATUS", "SIGNALS", "SEE ALSO"]
    said = {name.replace("\\-", "-") for name in re.findall(r"^\.BI? \\-\\-(\S+)", page, re.MULTILINE)}
    assert said == set(flags(program))
    assert "(null)" not in page


@pytest.mark.parametrize("program", PROGRAMS)
def test_bash_completes_flags_and_values(program, tmp_path):
    script = tmp_path / "completion"
    script.write_text(output(program, "--generate", "bash-completion"))
    (tmp_path / "some file").touch()

    def complete(*words):
        quoted = " ".join(f"'{word}'" for word in words)
        line = f". {script}; compopt() {{ :; }}; COMP_WORDS=(x {quoted}); COMP_CWORD={len(words)}; _highwater_{program}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, cwd=tmp_path)
        assert not done.stderr
        return done.stdout.split("\n")[:-1]

    assert set(complete("--")) == {f"--{flag}" for flag in flags(program)}
    assert complete("--mqtt-v") == ["--mqtt-version"]
    assert complete("--mqtt-version", "=", "3") == ["3.1.1"]
    assert complete("--generate", "") == ["config", "man", "bash-completion"]
    assert complete("--mqtt-ca-file", "some") == ["some file"]
    assert complete("--mqtt-url", "x") == [""]


def test_what_cannot_be_generated_is_an_error():
    done = subprocess.run([BUILD_DIR / "collector", "--generate", "html"], capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout and "config, man or bash-completion" in done.stderr
    with open("/dev/full", "w") as full:
        done = subprocess.run([BUILD_DIR / "collector", "--generate", "man"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "No space left" in done.stderr
