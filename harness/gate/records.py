"""What the gate says, as records: findings, outcomes, reports. Free of torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.protocol.row import GateSummary
from toolkit.core.record import Record

Severity = Literal["error", "hint"]
State = Literal["passed", "declared", "failed", "hint", "exempt", "not applicable", "not run"]


class GateFinding(Record):
    """What one probe noticed, told as a teacher would."""

    probe: str = Field(
        description="such as HUB-C18 or training.noise; `harness explain` documents it"
    )
    title: str
    severity: Severity
    observed: str = Field(description="what was seen, with numbers")
    meaning: str = Field(description="what follows from it")
    where: str = Field(description="file:line it most likely comes from")
    fix: str
    because_of: str | None = Field(default=None, description="probe whose finding explains this")


class ProbeOutcome(Record):
    """How one probe ended."""

    probe: str
    title: str
    state: State
    note: str = Field(
        default="", description="why it was exempt, did not apply, or differs as declared"
    )
    difference: str = Field(
        default="", description="of a property: what was measured, beside the reference's"
    )
    measured: dict[str, float | str | None] = Field(
        default={}, description="of a property: measure -> what was measured of the contribution"
    )
    firm: bool = Field(
        default=False, description="differs in something that nothing declared elsewhere explains"
    )
    findings: tuple[GateFinding, ...] = ()


class ExperimentOutcome(Record):
    """One experiment as the hub judges it."""

    experiment: str
    outcomes: tuple[ProbeOutcome, ...] = ()
    cpu_seconds: float = 0.0


class GateReport(Record):
    """Everything the gate says about one contribution."""

    contribution: str
    outcomes: tuple[ProbeOutcome, ...]
    cpu_seconds: dict[str, float] = Field(default={}, description="by experiment")
    wall_seconds: float = 0.0
    log_tail: tuple[str, ...] = Field(default=(), description="of a worker, if a hook raised")
    complete: bool = Field(default=True, description="false when only some probes were asked for")

    @property
    def errors(self) -> tuple[GateFinding, ...]:
        """The findings for which a contribution is not ranked."""
        return tuple(f for f in self.findings if f.severity == "error")

    @property
    def findings(self) -> tuple[GateFinding, ...]:
        """All findings, errors first, those that explain others before them."""
        found = [f for outcome in self.outcomes for f in outcome.findings]
        return tuple(sorted(found, key=lambda f: (f.severity != "error", f.probe)))

    def summary(self) -> GateSummary:
        """What a row says about the gate."""
        return GateSummary(
            passed=sum(outcome.state == "passed" for outcome in self.outcomes),
            failed=tuple(o.probe for o in self.outcomes if o.state == "failed"),
            hints=tuple(o.probe for o in self.outcomes if o.state == "hint"),
            exempt={o.probe: o.note for o in self.outcomes if o.state == "exempt"},
        )
