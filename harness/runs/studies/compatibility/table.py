"""The matrix as markdown: one table for each pair of hooks, and the reasons below them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.runs.studies.compatibility.jobs import Outcome
from harness.runs.studies.compatibility.plan import TABLES

# A reason may quote a stranger's exception of any length.
MOST_LETTERS = 240

MARKS = {"works": "yes", "refused": "no", "fails": "FAILS"}

HEAD = """# What goes together

Written by `nox -s matrix` from [compatibility.json](compatibility.json); do not edit. Each field
is a [recipe](mixing.md) that was run on a tiny model (on the embedded base where an adapter needs
more channels): data set and adapter are made, then two training steps are taken or a picture is
drawn, and what each hook returns is checked.

`yes` works. `no` is refused with a reason before the first step. `FAILS` is a fault in the middle.
"""


def render(outcomes: Sequence[Outcome]) -> str:
    """Return the page for outcomes in the order of the tables."""
    reasons = list(dict.fromkeys(one.reason for one in outcomes if one.reason))
    sections = [HEAD]
    for rows, columns in TABLES:
        cells = [one for one in outcomes if (one.cell.rows, one.cell.columns) == (rows, columns)]
        if not cells:
            continue
        works = sum(one.state == "works" for one in cells)
        head = list(dict.fromkeys(one.cell.column for one in cells))
        sections.append(f"## `{rows}` with `{columns}`\n\n{works} of {len(cells)} work.\n")
        lines = [f"| `{rows}` of | {' | '.join(head)} |", "|---|" + "---|" * len(head)]
        by_place = {(one.cell.row, one.cell.column): one for one in cells}
        for row in dict.fromkeys(one.cell.row for one in cells):
            fields = [field(by_place.get((row, column)), reasons) for column in head]
            lines.append(f"| {row} | {' | '.join(fields)} |")
        sections.append("\n".join(lines) + "\n")
    if reasons:
        listed = "\n".join(f"{n}. {plain(reason)}" for n, reason in enumerate(reasons, 1))
        sections.append(f"## Reasons\n\n{listed}\n")
    return "\n".join(sections)


def field(one: Outcome | None, reasons: Sequence[str]) -> str:
    """Return one field, with the number of its reason."""
    if one is None:
        return "not tried"
    number = f" ({reasons.index(one.reason) + 1})" if one.reason else ""
    return MARKS[one.state] + number


def plain(text: str) -> str:
    """Return a stranger's words as one line that is no markup."""
    line = " ".join(text.split()).replace("<", "&lt;").replace("|", "/").replace("`", "'")
    return line if len(line) <= MOST_LETTERS else f"{line[:MOST_LETTERS]} ..."
