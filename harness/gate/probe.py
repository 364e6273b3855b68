"""What a probe is, and what it yields. Probes import no torch: `explain` lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.gate.records import Severity
from toolkit.core.settings import HookName


class Symptom(NamedTuple):
    """One thing that is not as it should be.

    Args:
        observed: What was seen, with numbers.
        meaning: What follows from it; empty takes the probe's.
        fix: What to do; empty takes the probe's.
        place: ``file:line`` if the experiment caught the very line.
        severity: A milder one than the probe's, if the case is harmless.
    """

    observed: str
    meaning: str = ""
    fix: str = ""
    place: str | None = None
    severity: Severity | None = None


class DoesNotApply(Exception):
    """Raised by a probe that cannot say anything about this contribution; says why."""


@dataclass(frozen=True)
class Probe:
    """One property that the gate proves.

    Args:
        id: Such as HUB-C07.
        title: What is wrong when it fails, in a few words.
        experiment: What it reads, a name of harness/gate/experiments.
        hook: Whose code is most likely at fault.
        check: Yields what is not as it should be in what the experiment saw.
        meaning: What follows from a failure.
        fix: What to do about it.
        severity: A contribution with an error is never ranked.
        calls: Names to look for in the hook's code when the very line is not known.
        because: Probes whose failure explains this one's.
        exemptible: Whether contribution.toml may declare an exemption.
        owners: The probe applies to contributions with one of these hooks of their own;
            none named means to all.
    """

    id: str
    title: str
    experiment: str
    hook: HookName
    check: Callable[[Any], Iterator[Symptom]]
    meaning: str
    fix: str
    severity: Severity = "error"
    calls: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    exemptible: bool = False
    owners: tuple[HookName, ...] = ("make_lora", "train")
