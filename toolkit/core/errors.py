"""Errors that say what, where and how to fix it, for the toolkit and the harness."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


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


def first_fault(error: ValidationError) -> str:
    """Return the first thing that is wrong with a record, and how many more there are."""
    first, *rest = error.errors(include_url=False)
    where = ".".join(map(str, first["loc"]))
    more = f" ({len(rest)} more like it)" if rest else ""
    return f"{where} is {str(first['input'])[:40]}. {first['msg']}.{more}"


def describe(error: BaseException) -> str:
    """Return ``Type: message`` of any exception, also of one that cannot be turned into text."""
    try:
        # Not imported for this alone: `--help` has to come at once.
        pydantic = sys.modules.get("pydantic")
        if pydantic is not None and isinstance(error, pydantic.ValidationError):
            return f"{error.title}: {first_fault(error)}"
        return f"{type(error).__name__}: {error}"
    except Exception:  # a stranger's __str__ may raise anything
        return f"{type(error).__name__}: (its message cannot be read)"
