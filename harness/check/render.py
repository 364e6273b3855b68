"""Findings as text for people, JSON for programs, and annotations for GitHub."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby

from harness.errors import Finding
from toolkit.core.terminal import Style, paint
from toolkit.core.text import neutral

FORMATS = ("text", "json", "github")


def render_text(findings: Iterable[Finding], *, colour: bool = False) -> str:
    """Return the findings grouped by file, each as what / where / how to fix."""
    lines: list[str] = []
    for path, group in groupby(findings, key=lambda finding: finding.path):
        lines.append(paint(neutral(path), "bold", colour=colour))
        for finding in group:
            style: Style = "red" if finding.severity == "error" else "yellow"
            head = paint(f"{finding.severity} {finding.rule}", style, colour=colour)
            where = neutral(path) + (f":{finding.line}" if finding.line else "")
            lines.append(f"  {head}  {neutral(finding.message)}")
            lines.append(f"    at   {where}")
            lines.append(f"    fix  {neutral(finding.fix)}")
        lines.append("")
    return "\n".join(lines).rstrip("\n")


def render_summary(name: str, findings: Sequence[Finding], *, colour: bool = False) -> str:
    """Return the last line about one folder: ``2 errors, 1 hint in Foo``."""
    errors = sum(finding.severity == "error" for finding in findings)
    hints = len(findings) - errors
    shown = neutral(name)
    if not findings:
        return paint(f"{shown}: all checks passed", "green", colour=colour)
    parts = [_count(errors, "error")] if errors else []
    parts += [_count(hints, "hint")] if hints else []
    text = f"{', '.join(parts)} in {shown}"
    if any(finding.fixable for finding in findings):
        text += "  (--fix mends some)"
    return paint(text, "red" if errors else "yellow", colour=colour)


def render_json(findings: Iterable[Finding]) -> str:
    """Return a JSON list of findings."""
    return json.dumps([finding.model_dump() for finding in findings], indent=2)


def render_github(findings: Iterable[Finding]) -> str:
    """Return workflow commands, which GitHub shows beside the changed lines."""
    lines = []
    for finding in findings:
        command = "error" if finding.severity == "error" else "notice"
        properties = [f"file={_property(finding.path)}"]
        if finding.line:
            properties.append(f"line={finding.line}")
        properties.append(f"title={_property(finding.rule)}")
        message = f"{finding.message}\nFix: {finding.fix}"
        lines.append(f"::{command} {','.join(properties)}::{_data(message)}")
    return "\n".join(lines)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _data(text: str) -> str:
    # The three characters that GitHub's runner decodes in a message; everything else that is
    # not printable is shown as an escape, so that a log cannot be forged.
    lines = "\n".join(neutral(line) for line in text.split("\n"))
    return lines.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return neutral(escaped.replace(":", "%3A").replace(",", "%2C"))
