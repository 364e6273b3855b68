"""docs/situations.md, made of the table."""

from __future__ import annotations

from itertools import groupby

from harness import paths
from tests.situations.tables import SITUATIONS

PAGE = paths.ROOT / "docs" / "situations.md"
HEAD = """\
# What people come with, and what happens

{count} situations with pictures, captions, bases and options as people have them.
Each is a test: the command ends as it stands here, without a traceback; no file
that was there before is changed; and what is not used is named.
`python -m tests.situations` writes this page.

"ends with" is the exit code: 0 fine, 1 something is wrong with files, 2 with the
call. In front of the words stands `nox -s`, and `--` behind the first of them
(see the [README](../README.md)); `draw` is `python -m src.generate`, and
`reference` is `python -m src.main`.
"""


def page() -> str:
    """Return the page."""
    lines = [HEAD.format(count=len(SITUATIONS))]
    for part, cases in groupby(SITUATIONS, key=lambda case: case.part):
        lines += [f"## {part}", "", "| the user has or does | types | ends with | what happens |"]
        lines += ["|---|---|---|---|"]
        lines += [
            f"| {cell(c.title)} | `{cell(c.typed)}` | {c.code} | {cell(c.happens)} |" for c in cases
        ]
        lines.append("")
    return "\n".join(lines)


def cell(text: str) -> str:
    """Return text for a table: a bar would end its cell."""
    return text.replace("|", "\\|").replace("<", "&lt;")
