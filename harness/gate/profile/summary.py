"""What a contribution does differently, in five lines at most; written from its report."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from harness.contributions.record import Contribution
from harness.gate.profile.catalogue import PROPERTIES
from harness.gate.profile.property import FOLLOWS
from harness.gate.records import GateReport
from toolkit.core.record import Record
from toolkit.core.settings import HOOK_NAMES, TABLES

LINES = 5


class Difference(Record):
    """One property in which a contribution was measured to differ from the reference."""

    property: str
    measured: str = Field(description="each number beside the reference's")
    why: str = Field(default="", description="what [differs] says; empty where it says nothing")

    def line(self) -> str:
        """Return it with its reason, or with a mark that none was given."""
        return f"{self.property}: {self.measured}. Why: {self.why or 'not declared'}"


def differences(report: GateReport) -> tuple[Difference, ...]:
    """Return the properties in which it differs from the reference, causes without followers."""
    known = {prop.id for prop in PROPERTIES}
    return tuple(
        Difference(
            property=one.probe,
            measured=one.difference,
            why=one.note if one.state == "declared" else "",
        )
        for one in report.outcomes
        if one.probe in known
        and one.difference
        and not one.note.startswith(FOLLOWS)
        and not any(found.because_of for found in one.findings)
    )


def settings_line(contribution: Contribution) -> str:
    """Return the settings that are not the hub's own, or nothing."""
    parts = []
    for hook in HOOK_NAMES:
        table = contribution.file.settings.of(hook)
        for name in sorted(table.model_fields_set):
            default = type(table).model_fields[name].default
            if getattr(table, name) != default:
                parts.append(f"{TABLES[hook]}.{name} = {getattr(table, name)!r} ({default!r})")
    return f"Settings, with the hub's in brackets: {', '.join(parts)}." if parts else ""


def what_it_does_differently(
    contribution: Contribution, found: Sequence[Difference] | None
) -> list[str]:
    """Return at most five lines: settings, then differences; None means not measured yet."""
    first = settings_line(contribution)
    lines = [first] if first else []
    if found is None:
        lines += [f"{name}: {why} (declared)" for name, why in contribution.file.differs.items()]
    else:
        lines += [one.line() for one in found]
    if len(lines) > LINES:
        rest = [line.partition(":")[0] for line in lines[LINES - 1 :]]
        lines = [*lines[: LINES - 1], f"And {len(rest)} more: {', '.join(rest)}."]
    if lines:
        return lines
    if contribution.file.hooks or found is not None:
        return ["Nothing that the gate measures: it behaves as the reference."]
    return ["Nothing: it has neither code nor settings of its own."]


def parting(one: Sequence[Difference], other: Sequence[Difference]) -> list[tuple[str, str, str]]:
    """Return property and both sides' numbers where two profiles part, by property."""
    same = "as the reference"
    left = {d.property: d.measured for d in one}
    right = {d.property: d.measured for d in other}
    return [
        (name, left.get(name, same), right.get(name, same))
        for name in sorted(left.keys() | right.keys())
        if left.get(name) != right.get(name)
    ]
