"""What a property is, and what it says when two measurements are put beside each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.contributions.record import ContributionFile
from harness.gate.observations import Observation
from harness.gate.records import GateFinding, ProbeOutcome, Severity, State
from toolkit.core.settings import HookName

# What one measure gives; None when it cannot be told (no step was clipped, say).
Value = float | str | None
# Measure -> value, of one property.
Values = dict[str, Value]
# Property -> measure -> value.
Measured = dict[str, Values]

FOLLOWS = "follows from "  # note of a difference that another, declared one explains


@dataclass(frozen=True)
class Measure:
    """One number or word of a property.

    Args:
        name: What it is, as it stands in front of the value.
        unit: Of the value, for readers.
        tolerance: Absolute difference that is none.
        relative: The same, as a share of the reference's value.
        grave: Absolute difference from which one that is not declared is an error.
        firm: Whether no declared difference of another property explains it.
    """

    name: str
    unit: str = ""
    tolerance: float = 0.0
    relative: float = 0.0
    grave: float = math.inf
    firm: bool = False

    def differs(self, ours: Value, reference: Value) -> bool:
        """Tell whether two values are more than the tolerance apart."""
        if ours is None or reference is None:
            return False
        if isinstance(ours, str) or isinstance(reference, str):
            return ours != reference
        if not (math.isfinite(ours) and math.isfinite(reference)):
            return ours != reference
        return abs(ours - reference) > self.tolerance + self.relative * abs(reference)

    def is_grave(self, ours: Value, reference: Value) -> bool:
        """Tell whether two numbers are so far apart that chance or taste do not explain it."""
        if isinstance(ours, float | int) and isinstance(reference, float | int):
            return not abs(ours - reference) <= self.grave  # NaN is grave, too
        return False

    @property
    def is_ever_grave(self) -> bool:
        """Whether it can make an error of a difference that is not declared."""
        return math.isfinite(self.grave)

    def sentence(self, ours: Value, reference: Value) -> str:
        """Put both values beside each other."""
        return f"{self.name} {self.shown(ours)} (reference: {self.shown(reference)})"

    def shown(self, value: Value) -> str:
        """Return a value as a reader wants it.

        With one digit more than the tolerance, so that rounding, which differs from one processor
        and one number of threads to the next, is not in the words.
        """
        if value is None:
            return "unknown"
        if isinstance(value, str):
            return f"{value} {self.unit}".rstrip()
        if self.tolerance and math.isfinite(value):
            value = round(value, 1 - math.floor(math.log10(self.tolerance))) + 0.0  # no -0
        return f"{value:.{3 if self.relative else 4}g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Property:
    """One property of the profile.

    Args:
        id: Group and name, such as ``training.timesteps``; what ``[differs]`` names.
        title: What differs, in a few words.
        sentence: What is measured, and how.
        hook: Whose code is looked at.
        measures: The numbers.
        never: Why a difference cannot be meant; empty when one may be declared.
        serious: Whether one that is not declared is an error; otherwise it is a hint, unless a
            measure says that it is grave.
        fix: What to do about a difference that was not meant.
        calls: Names to look for in the hook's code.
        because: Properties whose difference explains this one's.
    """

    id: str
    title: str
    sentence: str
    hook: HookName
    measures: tuple[Measure, ...]
    never: str = ""
    serious: bool = False
    fix: str = ""
    calls: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    exemptible: bool = field(default=False, init=False)

    @property
    def group(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]

    @property
    def experiment(self) -> str:
        """The experiment that measures it."""
        return f"profile_{self.group}"

    @property
    def owners(self) -> tuple[HookName, ...]:
        """It applies to contributions that have this hook of their own."""
        return (self.hook,)

    @property
    def can_be_an_error(self) -> bool:
        """Whether a difference can be an error."""
        return bool(self.never) or self.serious or any(m.is_ever_grave for m in self.measures)

    def severity(self, ours: Mapping[str, Value], reference: Mapping[str, Value]) -> Severity:
        """Return an error for what cannot be meant or is grave; otherwise the author is asked."""
        grave = any(m.is_grave(ours.get(m.name), reference.get(m.name)) for m in self.measures)
        return "error" if self.never or self.serious or grave else "hint"

    def is_firm(self, ours: Mapping[str, Value], reference: Mapping[str, Value]) -> bool:
        """Tell whether a measure differs that nothing declared elsewhere explains."""
        firm = (m for m in self.measures if m.firm)
        return any(m.differs(ours.get(m.name), reference.get(m.name)) for m in firm)

    def difference(self, ours: Measured, reference: Measured) -> str:
        """Say in what two measurements differ; empty if in nothing."""
        mine, other = ours.get(self.id, {}), reference.get(self.id, {})
        apart = [m for m in self.measures if m.differs(mine.get(m.name), other.get(m.name))]
        return "; ".join(m.sentence(mine.get(m.name), other.get(m.name)) for m in apart)


@dataclass(frozen=True)
class Profiled:
    """What an experiment of the profile measured, of the contribution and of the reference."""

    ours: Measured
    reference: Measured


def judge_property(prop: Property, seen: Observation, file: ContributionFile) -> ProbeOutcome:
    """Give one of the three answers: as the reference, as declared, or a finding."""
    judged = judge_measured(prop, seen, file)
    firm = prop.is_firm(seen.ours, seen.reference)
    return judged.model_copy(update={"measured": seen.ours, "firm": firm})


def judge_measured(prop: Property, seen: Observation, file: ContributionFile) -> ProbeOutcome:
    """Do the same, without the numbers."""
    if all(value is None for value in seen.ours.values()):
        return outcome_of(prop, "not applicable", "it could not be measured here")
    difference = prop.difference({prop.id: seen.ours}, {prop.id: seen.reference})
    declared = file.differs.get(prop.id)
    if not difference and declared is None:
        return outcome_of(prop, "passed")
    if difference and declared is not None and not prop.never:
        return outcome_of(prop, "declared", declared, difference)
    if difference:
        meaning = prop.never or (
            "It behaves otherwise than the reference, and contribution.toml does not say so."
        )
        fix = prop.fix
        if not prop.never:
            fix += f' If it is meant, add to [differs]: "{prop.id}" = "why".'
        observed = f"{prop.title}: {difference}."
    else:
        observed = f"[differs] says of {prop.id}: {declared} It was measured to be the reference's."
        meaning = "Readers of the page would believe in a change that is not there."
        fix = "Mend the code, or take the line out of [differs]."
    found = GateFinding(
        probe=prop.id,
        title=prop.title,
        severity=prop.severity(seen.ours, seen.reference) if difference else "hint",
        observed=observed,
        meaning=meaning,
        where=seen.place,
        fix=fix.strip(),
    )
    state: State = "failed" if found.severity == "error" else "hint"
    return outcome_of(prop, state, difference=difference, findings=(found,))


def outcome_of(
    prop: Property,
    state: State,
    note: str = "",
    difference: str = "",
    findings: tuple[GateFinding, ...] = (),
) -> ProbeOutcome:
    """Name the property and its state."""
    return ProbeOutcome(
        probe=prop.id,
        title=prop.title,
        state=state,
        note=note,
        difference=difference,
        findings=findings,
    )
