#!/usr/bin/python3
"""The table "What to watch" of docs/OPERATIONS.md, made of alerts.yml: prints it, or with --write puts it there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "docs" / "OPERATIONS.md"
TABLE = re.compile(r"^\| alert \| it says so when \|.*\n(?:\|.*\n)*", re.MULTILINE)


def rules() -> list[dict]:
    groups = yaml.safe_load((HERE / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def link(place: str) -> str:
    """From docs/OPERATIONS.md to a place in the docs; itself is named by its anchor."""
    return place.removeprefix("docs/").removeprefix("OPERATIONS.md")


def table() -> str:
    lines = ["| alert | it says so when | what it means, what to do |", "|---|---|---|"]
    for rule in rules():
        says = rule["annotations"]
        does = re.sub(r"\bdocs/(\w+\.md)\b", r"[\1](\1)", says["do"])
        name = f"[{rule['alert']}]({link(says['runbook_url'])})"
        lines.append(f"| {name}, {rule['labels']['severity']} | {says['when']} | {does} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        text = DOCUMENT.read_text()
        if not TABLE.search(text):
            sys.exit(f"table.py: {DOCUMENT} has no such table")
        DOCUMENT.write_text(TABLE.sub(lambda _: table(), text))
    else:
        print(table(), end="")
