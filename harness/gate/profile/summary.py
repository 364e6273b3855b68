"""What a contribution does differently, in five lines at most; written from its report."""

from __future__ import annotations

from harness.contributions.record import Contribution
from harness.gate.profile.catalogue import PROPERTIES
from harness.gate.profile.property import FOLLOWS
from harness.gate.records import GateReport, ProbeOutcome
from toolkit.core.settings import HOOK_NAMES, TABLES

LINES = 5


def differences(report: GateReport) -> tuple[ProbeOutcome, ...]:
    """Return the properties in which it differs from the reference, causes without followers."""
    known = {prop.id for prop in PROPERTIES}
    return tuple(
        outcome
        for outcome in report.outcomes
        if outcome.probe in known
        and outcome.difference
        and not outcome.note.startswith(FOLLOWS)
        and not any(found.because_of for found in outcome.findings)
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


def what_it_does_differently(contribution: Contribution, report: GateReport | None) -> list[str]:
    """Return at most five lines: settings, then measured differences."""
    first = settings_line(contribution)
    lines = [first] if first else []
    if report is None:
        lines += [f"{name}: {why} (declared)" for name, why in contribution.file.differs.items()]
    else:
        lines += [told(outcome) for outcome in differences(report)]
    if len(lines) > LINES:
        rest = [line.partition(":")[0] for line in lines[LINES - 1 :]]
        lines = [*lines[: LINES - 1], f"And {len(rest)} more: {', '.join(rest)}."]
    if lines:
        return lines
    if contribution.file.hooks or report is not None:
        return ["Nothing that the gate measures: it behaves as the reference."]
    return ["Nothing: it has neither code nor settings of its own."]


def told(outcome: ProbeOutcome) -> str:
    """Return one difference, with its reason or a mark that none was given."""
    why = outcome.note or "not declared"
    return f"{outcome.probe}: {outcome.difference}. Why: {why}"
