#!/usr/bin/python3
"""What a systemd unit lets its program do, without systemd: unit_sandbox.py UNIT PROGRAM [ARGUMENT...]

Where no systemd runs, its filter of system calls can be had all the same: systemd-analyze says what the groups consist of, and
libseccomp loads the same list. What the unit takes out of its groups by name answers EPERM, as there. What it
never had kills the program: so a call that somebody forgot about is seen, whatever the program makes of EPERM.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CLONE_NEW = 0x7E020080  # every kind of namespace
PROT_WRITE, PROT_EXEC = 2, 4


def settings(unit: Path) -> Iterator[tuple[str, str]]:
    """Each Name=value of a unit, in its order."""
    for line in unit.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            yield name, value


@cache
def _groups() -> dict[str, list[str]]:
    said = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], check=True, capture_output=True, text=True)
    groups: dict[str, list[str]] = {}
    for line in said.stdout.splitlines():
        if line.startswith("@"):
            groups[line.strip()] = members = []
        elif line.startswith("    ") and not line.strip().startswith("#"):
            members.append(line.strip())
    return groups


def _calls(names: str) -> set[str]:
    found: set[str] = set()
    for name in names.split():
        found |= _calls(" ".join(_groups()[name])) if name.startswith("@") else {name}
    return found


def filtered(unit: Path) -> tuple[set[str], set[str]]:
    """The system calls that a unit allows, and those that it takes out again."""
    allowed: set[str] = set()
    refused: set[str] = set()
    for name, value in settings(unit):
        if name == "SystemCallFilter" and value.startswith("~"):
            refused |= _calls(value[1:]) & allowed
        elif name == "SystemCallFilter":
            allowed |= _calls(value)
    return allowed - refused | _calls("@default"), refused


def load(unit: Path) -> None:
    """From here on, this process may do what the unit allows."""
    import seccomp  # only on machines that have it; installed by `make deps`

    allowed, refused = filtered(unit)
    of = dict(settings(unit))
    rules = seccomp.SyscallFilter(seccomp.KILL_PROCESS)

    def rule(action: int, name: str, *conditions: object) -> None:
        try:
            rules.add_rule(action, name, *conditions)
        except (OSError, RuntimeError, ValueError):  # of another processor, or newer than the library
            pass

    if "RestrictAddressFamilies" in of:
        allowed.discard("socket")
        families = {int(getattr(socket, name)) for name in of["RestrictAddressFamilies"].split()}
        for family in range(socket.AF_MAX if hasattr(socket, "AF_MAX") else 46):
            action = seccomp.ALLOW if family in families else seccomp.ERRNO(errno.EAFNOSUPPORT)
            rule(action, "socket", seccomp.Arg(0, seccomp.EQ, family))
    if of.get("RestrictNamespaces") == "yes":
        allowed -= {"clone", "clone3", "unshare", "setns"}
        rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its arguments lie in memory; the C library takes clone then
        rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_NEW, 0))
    if of.get("MemoryDenyWriteExecute") == "yes":
        allowed -= {"mmap", "mprotect", "pkey_mprotect"}
        for name in ("mmap", "mprotect", "pkey_mprotect"):
            rule(seccomp.ALLOW, name, seccomp.Arg(2, seccomp.MASKED_EQ, PROT_EXEC, 0))
        rule(seccomp.ALLOW, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, PROT_WRITE | PROT_EXEC, PROT_EXEC))
    for name in sorted(allowed):
        rule(seccomp.ALLOW, name)
    for name in sorted(refused):
        rule(seccomp.ERRNO(errno.EPERM), name)
    if of.get("NoNewPrivileges") == "yes":
        ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
    rules.load()


if __name__ == "__main__":
    load(Path(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
