"""Judge what the gate's worker saw, in the hub's own process, and put the findings in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.contributions.record import Contribution, ContributionFile
from harness.gate.catalogue import all_probes
from harness.gate.observations import ExperimentSeen, Observation
from harness.gate.probe import Probe, Symptom
from harness.gate.profile.property import FOLLOWS, Property, judge_property
from harness.gate.records import GateFinding, ProbeOutcome
from toolkit.core.settings import HookName

RAISED = "HUB-C00"


def judged(
    seen: ExperimentSeen, contribution: Contribution, probes: Sequence[Probe | Property]
) -> tuple[ProbeOutcome, ...]:
    """Judge all probes that read one experiment by what its worker saw.

    A probe that applies and of which nothing is said has not passed.
    """
    mine = [probe for probe in probes if probe.experiment == seen.experiment]
    applying = [probe for probe in mine if owns(contribution, probe.owners)]
    outcomes = [
        outcome(probe, "not applicable", "it has none of the hooks that this probe is about")
        for probe in mine
        if probe not in applying
    ]
    if seen.raised is not None:
        what, where, fix = seen.raised.what, seen.raised.where, seen.raised.fix
        fault = crashed(seen.experiment, what, where, fix)
        return (*outcomes, fault, *not_run(applying, seen.experiment))
    told = {one.probe: one for one in seen.observations}
    silent = [probe for probe in applying if probe.id not in told]
    if silent:
        what = f"it said nothing about {', '.join(probe.id for probe in silent[:5])}."
        outcomes += [crashed(seen.experiment, what, contribution.path, None)]
        outcomes += not_run(silent, seen.experiment)
    outcomes += [
        judge_property(one, told[one.id], contribution.file)
        if isinstance(one, Property)
        else judge(one, told[one.id], contribution.file)
        for one in applying
        if one.id in told
    ]
    return tuple(outcomes)


def owns(contribution: Contribution, hooks: Sequence[HookName]) -> bool:
    """Tell whether one of these hooks is the contribution's own; none named means yes."""
    return not hooks or any(contribution.code_of(hook) for hook in hooks)


def judge(probe: Probe, seen: Observation, file: ContributionFile) -> ProbeOutcome:
    """Judge one probe by what its experiment saw."""
    if seen.does_not_apply is not None:
        return outcome(probe, "not applicable", seen.does_not_apply)
    if not seen.noticed:
        return outcome(probe, "passed")
    exempt = file.gate.exempt.get(probe.id)
    if exempt is not None and probe.exemptible:
        return outcome(probe, "exempt", exempt)
    findings = tuple(finding(probe, noticed, seen.place) for noticed in seen.noticed)
    failed = any(found.severity == "error" for found in findings)
    return outcome(probe, "failed" if failed else "hint", findings=findings)


def outcome(
    probe: Probe | Property, state: Any, note: str = "", findings: tuple[GateFinding, ...] = ()
) -> ProbeOutcome:
    """Name the probe and its state."""
    return ProbeOutcome(
        probe=probe.id, title=probe.title, state=state, note=note, findings=findings
    )


def finding(probe: Probe, noticed: Symptom, likeliest: str) -> GateFinding:
    """Complete what was noticed by what the probe knows and by the likeliest line."""
    return GateFinding(
        probe=probe.id,
        title=probe.title,
        severity=noticed.severity or probe.severity,
        observed=noticed.observed,
        meaning=noticed.meaning or probe.meaning,
        where=noticed.place or likeliest,
        fix=noticed.fix or probe.fix,
    )


def crashed(experiment: str, what: str, where: str, fix: str | None) -> ProbeOutcome:
    """Return the finding of HUB-C00 for an experiment that did not come to its end."""
    (probe,) = (one for one in all_probes() if one.id == RAISED)
    found = GateFinding(
        probe=probe.id,
        title=probe.title,
        severity="error",
        observed=f"In the experiment {experiment!r}: {what}",
        meaning=probe.meaning,
        where=where,
        fix=fix or probe.fix,
    )
    return outcome(probe, "failed", findings=(found,))


def not_run(probes: Sequence[Probe | Property], experiment: str) -> list[ProbeOutcome]:
    """Say of each probe that its experiment did not come to its end."""
    note = f"the experiment {experiment!r} did not end ({RAISED})"
    return [outcome(probe, "not run", note) for probe in probes]


def folded(
    outcomes: Iterable[ProbeOutcome], probes: Sequence[Probe | Property]
) -> tuple[ProbeOutcome, ...]:
    """Mark findings that follow from another one, so that the cause stands out.

    What follows from a declared difference is declared with it, and what follows from a difference
    that may be declared is no worse than that.
    """
    ordered = tuple(outcomes)
    because: Mapping[str, tuple[str, ...]] = {probe.id: probe.because for probe in probes}
    while True:  # what follows from a follower is one, too
        causes = {
            o.probe: o.state
            for o in ordered
            if o.state in ("failed", "declared") or (o.state == "hint" and o.difference)
        }
        after = tuple(_folded(o, causes, because) for o in ordered)
        if after == ordered:
            return after
        ordered = after


def _folded(
    one: ProbeOutcome, causes: Mapping[str, str], because: Mapping[str, tuple[str, ...]]
) -> ProbeOutcome:
    found = [c for c in because.get(one.probe, ()) if c in causes and c != one.probe]
    if not found or not one.findings:
        return one
    undeclared = [c for c in found if causes[c] != "declared"]
    if undeclared:
        hints = all(causes[c] == "hint" for c in undeclared)
        milder = bool(one.difference) and not one.firm and hints
        update = {"because_of": undeclared[0], **({"severity": "hint"} if milder else {})}
        findings = tuple(f.model_copy(update=update) for f in one.findings)
        return one.model_copy(
            update={"findings": findings, **({"state": "hint"} if milder else {})}
        )
    if not one.difference or one.firm:
        return one  # it holds whatever is declared elsewhere
    note = f"{FOLLOWS}{found[0]}"
    return one.model_copy(update={"state": "declared", "note": note, "findings": ()})
