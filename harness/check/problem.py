"""What a rule is, and what it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from harness.check.folder import Folder

Severity = Literal["error", "hint"]


class Problem(NamedTuple):
    """One fault found by a rule; the runner adds the rule's id, severity and full path."""

    message: str
    fix: str
    path: str = ""  # relative to the contribution's folder; "" is the folder itself
    line: int | None = None
    mendable: bool = True  # of a rule that mends: whether it mends this one


Check = Callable[["Folder"], Iterator[Problem]]


@dataclass(frozen=True)
class Rule:
    """One thing that the check looks for.

    Args:
        id: Such as HUB204; its page is docs/checks/HUB204.md.
        title: What is wrong, in a few words.
        severity: A contribution with an error cannot be run.
        check: Yields every place where the folder breaks the rule.
        mend: Repairs one file that the rule reported. Doing it twice changes nothing more.
    """

    id: str
    title: str
    severity: Severity
    check: Check
    mend: Callable[[Path], None] | None = None


def rule(
    id: str,
    title: str,
    severity: Severity = "error",
    *,
    mend: Callable[[Path], None] | None = None,
) -> Callable[[Check], Rule]:
    """Make a rule of the function that looks for it."""
    return lambda check: Rule(id, title, severity, check, mend)
