"""What a job says: markdown for the job summary, with every stranger's word escaped."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from harness.errors import Finding
from harness.gate.profile.summary import LINES, Difference
from harness.protocol.row import Row
from toolkit.core.errors import HubError, UsageError

# Everything that means something in GitHub's markdown or HTML, mentions and issue links included.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@:$.=-])")
LIMIT = 400


def plain(text: str) -> str:
    """Return text that GitHub shows as it is, on one line, whatever it contains."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    shown = shown if len(shown) <= LIMIT else f"{shown[: LIMIT - 1]}…"
    return _SPECIAL.sub(lambda found: f"&#{ord(found[1])};", shown)


def findings_table(findings: Sequence[Finding]) -> str:
    """Return findings as a table: what, where and how to fix it."""
    lines = ["| | rule | what | where | fix |", "|---|---|---|---|---|"]
    for finding in findings:
        where = f"{finding.path}:{finding.line}" if finding.line else finding.path
        cells = (finding.severity, finding.rule, finding.message, where, finding.fix)
        lines.append("| " + " | ".join(plain(cell) for cell in cells) + " |")
    return "\n".join(lines)


def row_section(row: Row) -> str:
    """Return the result of one run."""
    head = f"### {plain(row.contribution)} on {plain(row.track)}: {row.status}"
    if row.verdict is not None:
        return f"{head}\n\n{plain(row.verdict.sentence)}"
    error = row.error
    if error is None:
        return head
    lines = [head, "", f"**{plain(error.kind)}**: {plain(error.what)}"]
    lines += [f"- at {plain(error.where)}"] if error.where else []
    lines += [f"- fix: {plain(error.fix)}"] if error.fix else []
    if error.log_tail:
        lines += ["", "<pre>", *(plain(line) for line in error.log_tail), "</pre>"]
    return "\n".join(lines)


def differences_section(found: Sequence[Difference]) -> str:
    """Return what a contribution was measured to do differently, in five lines at most."""
    lines = [one.line() for one in found[:LINES]]
    if len(found) > LINES:
        rest = ", ".join(one.property for one in found[LINES - 1 :])
        lines[LINES - 1] = f"And {len(found) - LINES + 1} more: {rest}."
    if not lines:
        lines = ["Nothing that the gate measures: it behaves as the reference."]
    return "\n".join(["#### What it does differently", "", *(f"- {plain(line)}" for line in lines)])


def refused_section(error: HubError) -> str:
    """Return why a row was not taken over."""
    lines = ["### A row was refused", "", plain(error.what)]
    lines += [f"- at {plain(error.where)}"] if error.where else []
    lines += [f"- fix: {plain(error.fix)}"] if error.fix else []
    return "\n".join(lines)


def publish(markdown: str) -> None:
    """Append to the job's summary page, where this is a job."""
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page:
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(markdown + "\n")


def set_output(name: str, value: str) -> None:
    """Hand a value to later jobs, where this is a job.

    Raises:
        UsageError: The value could set another output as well.
    """
    if "\n" in value or "\r" in value or not name.isidentifier():
        raise UsageError("A job's output is one line.", where=name)
    page = os.environ.get("GITHUB_OUTPUT")
    if page:
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")
