"""Errors that say what, where and how to fix it, for the toolkit and the harness."""

from __future__ import annotations

import sys


class HubError(Exception):
    """A fault with an address and a remedy.

    Args:
        what: One sentence: what is wrong.
        where: ``file:line`` or the name of the thing at fault.
        fix: What the reader can do about it, in the imperative.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  at   {self.where}")
        if self.fix:
            lines.append(f"  fix  {self.fix}")
        return "\n".join(lines)


class UsageError(HubError):
    """The command asks for something that is not there."""

    exit_code = 2


class EnvironmentFault(HubError):
    """The machine or the installation lacks something."""


class BaseModelError(HubError):
    """The base model is missing, incomplete or damaged."""


class DataSetError(HubError, ValueError):
    """A folder of training pictures is at fault. A ValueError too: src/ knows no hub errors."""


class DeltaError(HubError):
    """A file that a worker wrote cannot be accepted."""


class ResultFileError(HubError):
    """A result file on disk is damaged or of another schema."""


def describe(error: BaseException) -> str:
    """Return ``Type: message`` of any exception, also of one that cannot be turned into text."""
    try:
        # Not imported for this alone: `--help` has to come at once.
        pydantic = sys.modules.get("pydantic")
        if pydantic is not None and isinstance(error, pydantic.ValidationError):
            from .validation import first_fault

            return f"{error.title}: {first_fault(error)}"
        return f"{type(error).__name__}: {error}"
    except Exception:  # a stranger's __str__ may raise anything
        return f"{type(error).__name__}: (its message cannot be read)"
