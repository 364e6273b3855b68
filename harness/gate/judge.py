"""Let the probes read what an experiment saw, and put their findings in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.contributions.record import ContributionFile
from harness.gate.places import Finder
from harness.gate.probe import DoesNotApply, Probe, Symptom
from harness.gate.profile.property import FOLLOWS, Property
from harness.gate.records import GateFinding, ProbeOutcome


def judge(probe: Probe, seen: Any, finder: Finder, file: ContributionFile) -> ProbeOutcome:
    """Run one probe on what its experiment saw."""
    try:
        symptoms = tuple(probe.check(seen))
    except DoesNotApply as reason:
        return outcome(probe, "not applicable", str(reason))
    if not symptoms:
        return outcome(probe, "passed")
    exempt = file.gate.exempt.get(probe.id)
    if exempt is not None and probe.exemptible:
        return outcome(probe, "exempt", exempt)
    findings = tuple(finding(probe, symptom, finder) for symptom in symptoms)
    failed = any(found.severity == "error" for found in findings)
    return outcome(probe, "failed" if failed else "hint", findings=findings)


def outcome(
    probe: Probe | Property, state: Any, note: str = "", findings: tuple[GateFinding, ...] = ()
) -> ProbeOutcome:
    """Name the probe and its state."""
    return ProbeOutcome(
        probe=probe.id, title=probe.title, state=state, note=note, findings=findings
    )


def finding(probe: Probe, symptom: Symptom, finder: Finder) -> GateFinding:
    """Complete a symptom by what the probe knows and by the likeliest line."""
    place = symptom.place or finder.in_source(probe.hook, probe.calls) or finder.of_hook(probe.hook)
    return GateFinding(
        probe=probe.id,
        title=probe.title,
        severity=symptom.severity or probe.severity,
        observed=symptom.observed,
        meaning=symptom.meaning or probe.meaning,
        where=place,
        fix=symptom.fix or probe.fix,
    )


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
        milder = bool(one.difference) and all(causes[c] == "hint" for c in undeclared)
        update = {"because_of": undeclared[0], **({"severity": "hint"} if milder else {})}
        findings = tuple(f.model_copy(update=update) for f in one.findings)
        return one.model_copy(
            update={"findings": findings, **({"state": "hint"} if milder else {})}
        )
    note = f"{FOLLOWS}{found[0]}"
    return one.model_copy(update={"state": "declared", "note": note, "findings": ()})
