"""docs/METRICS.md out of the sources: `make docs-metrics` writes it, test_docs.py holds it to them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
DOCUMENT = CLONE / "docs" / "METRICS.md"

HEAD = """# Metrics

What `/metrics` of each program exports, with the words of its own HELP lines. [OPERATIONS.md](OPERATIONS.md#what-to-watch) says which of them to
watch, and when to worry. All of a collector's have the label `collector`, its `COLLECTOR_ID`; which process it was, and where, Prometheus adds
itself (`instance`). What a program does not know yet it leaves out. Made by `make docs-metrics`.
"""

STRING = r'(?:"(?:[^"\\]|\\.)*"\s*)+'
METRIC = re.compile(rf'"((?:highwater|process)_\w+)"\s*,\s*"(counter|gauge|histogram)"\s*,\s*({STRING})')


def described(files: Iterable[Path]) -> dict[str, tuple[str, str]]:
    """Type and help of each metric that these sources write: wherever it is written, it is the same metric."""
    found: dict[str, tuple[str, str]] = {}
    for file in sorted(files):
        code = re.sub(r'\bPREFIX\s+"', '"highwater_httpapi_', file.read_text())
        for name, kind, text in METRIC.findall(code):
            said = (kind, "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)))
            assert found.setdefault(name, said) == said, f"{name} in {file} is another than elsewhere: {said}, {found[name]}"
    return found


def document() -> str:
    text = HEAD
    for program in ("collector", "httpapi"):
        text += f"\n## {program}\n\n| metric | type | what |\n|---|---|---|\n"
        metrics = described((CLONE / program).rglob("*.c")) | described([CLONE / "shared/net/prometheus.c"])
        text += "".join(f"| `{name}` | {kind} | {what} |\n" for name, (kind, what) in sorted(metrics.items()))
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(document())
