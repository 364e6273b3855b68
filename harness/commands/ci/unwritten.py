"""A README as `nox -s new` made it: its requests to the author still stand in it. CI009."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.errors import Finding
from toolkit.core.text import neutral

SCAFFOLDS = Path(__file__).parents[2] / "contributions" / "scaffolds"
# What the templates ask of an author before a pull request; the result comes after it.
ASKED = ("What it changes", "Why")
REQUEST = re.compile(r"(?:Describe|Say|Explain)\b[^.:,]+")


def unwritten(folder: Path) -> Iterator[Finding]:
    """Yield a finding for each request of a template that a README still holds.

    Args:
        folder: The contribution's.
    """
    readme = folder / "README.md"
    if not readme.is_file():
        return  # HUB004 says so
    text = readme.read_text(encoding="utf-8", errors="replace")
    flat = " ".join(text.split())
    for request in sorted(requests()):
        if request in flat:
            lines = text.splitlines()
            line = next((n for n, one in enumerate(lines, 1) if request[:20] in one), None)
            yield Finding(
                rule="CI009",
                severity="error",
                message=f'README.md still asks what the template asks: "{request}".',
                path=neutral(f"CONTRIBUTIONS/{folder.name}/README.md"),
                line=line,
                fix="Write it in your own words in place of that sentence.",
            )


def requests() -> set[str]:
    """Return the beginnings of the sentences in which the templates ask for words."""
    found = set()
    for file in SCAFFOLDS.glob("*/README.md"):
        sections = re.split(r"(?m)^## +(.+)$", file.read_text(encoding="utf-8"))
        for heading, body in zip(sections[1::2], sections[2::2], strict=True):
            if heading in ASKED:
                found.update(REQUEST.findall(" ".join(body.split())))
    return found
