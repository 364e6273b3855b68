"""The gate's report as text for a terminal."""

from __future__ import annotations

import textwrap

from harness.gate.records import GateFinding, GateReport
from toolkit.core.terminal import Style, paint
from toolkit.core.text import neutral

WIDTH = 100


def render_report(report: GateReport, *, colour: bool = False) -> str:
    """Return findings, each as what was seen, what it means, where, how to fix; then a summary."""
    lines: list[str] = []
    causes = [f for f in report.findings if f.because_of is None]
    for finding in causes:
        style: Style = "red" if finding.severity == "error" else "yellow"
        head = paint(f"{finding.severity} {finding.probe}", style, colour=colour)
        lines.append(f"{head}  {paint(neutral(finding.title), 'bold', colour=colour)}")
        lines += labelled("seen", finding.observed) + labelled("means", finding.meaning)
        lines += labelled("at", finding.where) + labelled("fix", finding.fix)
        lines += labelled("more", f"nox -s explain -- {finding.probe}")
        lines += [paint(line, "dim", colour=colour) for line in followers(report, finding)]
        lines.append("")
    for outcome in report.outcomes:
        if outcome.state == "exempt":
            lines.append(
                f"exempt {outcome.probe}  {neutral(outcome.title)}: {neutral(outcome.note)}"
            )
    lines.append(paint(summary_line(report), "red" if report.errors else "green", colour=colour))
    return "\n".join(lines)


def labelled(label: str, text: str) -> list[str]:
    """Return a text as indented lines under a label."""
    body = textwrap.wrap(neutral(text), WIDTH - 8, break_long_words=False, break_on_hyphens=False)
    return [f"  {label if i == 0 else '':<5} {line}" for i, line in enumerate(body or [""])]


def followers(report: GateReport, cause: GateFinding) -> list[str]:
    """Return one line for each finding that follows from this one, directly or not."""
    probes = {cause.probe}
    lines: list[str] = []
    first = next(f for f in report.findings if f.probe == cause.probe)
    if first is not cause:
        return []  # they stand under the first finding of that probe
    while True:
        new = [f for f in report.findings if f.because_of in probes and f.probe not in probes]
        if not new:
            return lines
        for finding in new:
            text = f"because of {finding.because_of}: {finding.probe} {finding.observed}"
            lines += labelled("", text)
        probes |= {f.probe for f in new}


def summary_line(report: GateReport) -> str:
    """Return the last line: how many probes ended how."""
    states = [outcome.state for outcome in report.outcomes]
    parts = [
        f"{states.count(state)} {word}"
        for state, word in (
            ("passed", "passed"),
            ("declared", "different as declared"),
            ("failed", "failed"),
            ("hint", "with hints"),
            ("exempt", "exempt"),
            ("not applicable", "not applicable"),
            ("not run", "not run"),
        )
        if state in states
    ]
    cpu = sum(report.cpu_seconds.values())
    return (
        f"{neutral(report.contribution)}: {', '.join(parts)} "
        f"({report.wall_seconds:.0f} s, {cpu:.0f} s of it in experiments)"
    )
