"""What a rule is, and what it yields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    from harness.check.folder import Folder

Severity = Literal["error", "hint"]


class Problem(NamedTuple):
    """One fault found by a rule; the runner adds the rule's id, severity and full path."""

    message: str
    fix: str
    path: str = ""  # relative to the contribution's folder; "" is the folder itself
    line: int | None = None
    mendable: bool = True  # of a rule that mends: whether it mends this one


class Rule(Protocol):
    """A module in harness/check/rules/."""

    ID: str
    TITLE: str
    SEVERITY: Severity
    FIXABLE: bool

    def check(self, folder: Folder) -> Iterator[Problem]:
        """Yield every place where the folder breaks the rule."""


@runtime_checkable
class FixableRule(Rule, Protocol):
    """A rule that can also mend what it finds."""

    def mend(self, file: Path) -> None:
        """Repair one file that the rule reported. Doing it twice changes nothing more."""
