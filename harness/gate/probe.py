"""What a probe is, and what it yields. Probes import no torch: `explain` lists them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from harness import paths
from harness.gate.records import Severity
from toolkit.core.errors import EnvironmentFault
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


Check = Callable[[Any], Iterator[Symptom]]


@dataclass(frozen=True)
class Probe:
    """One property that the gate proves. Its page docs/gate/<id>.md says the rest.

    Args:
        id: Such as HUB-C18.
        title: What is wrong when it fails, in a few words.
        experiment: What it reads, a name of harness/gate/experiments.
        hook: Whose code is most likely at fault.
        check: Yields what is not as it should be in what the experiment saw.
        owners: The probe applies to contributions with one of these hooks of their own;
            none named means to all.
        severity: A contribution with an error is never ranked.
        calls: Names to look for in the hook's code when the very line is not known.
        because: Probes whose failure explains this one's.
        exemptible: Whether contribution.toml may declare an exemption.
    """

    id: str
    title: str
    experiment: str
    hook: HookName
    check: Check
    owners: tuple[HookName, ...]
    severity: Severity = "error"
    calls: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    exemptible: bool = False

    @cached_property
    def meaning(self) -> str:
        """What follows from a failure."""
        return " ".join(self._section("Why it matters").split())

    @cached_property
    def fix(self) -> str:
        """What to do about it: the text below the right code, or the code if it says all."""
        _, code, text = re.split(r"```(?:python\n)?", self._section("Right"), maxsplit=2)
        return " ".join((text.strip() or code).split())

    def _section(self, heading: str) -> str:
        page = paths.GATE_DOCS / f"{self.id}.md"
        try:
            text = page.read_text(encoding="utf-8")
            return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        except (OSError, IndexError) as error:
            raise EnvironmentFault(
                f"The page about {self.id} is missing or damaged.",
                where=str(page),
                fix="git checkout docs",
            ) from error


def probes_of(
    experiment: str, hook: HookName, owners: tuple[HookName, ...] = ("make_lora", "train")
) -> Callable[..., Callable[[Check], Probe]]:
    """Return the decorator for probes of one experiment; each may differ in what it names itself.

    ``@probe("HUB-C04", "The adapter is never called", calls=(...))`` makes a `Probe` of a check.
    """

    def probe(id: str, title: str, **others: Any) -> Callable[[Check], Probe]:
        named = {"experiment": experiment, "hook": hook, "owners": owners, **others}
        return lambda check: Probe(id=id, title=title, check=check, **named)

    return probe
