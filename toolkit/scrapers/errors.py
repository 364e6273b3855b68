"""The errors of a collection, and of one picture."""

from __future__ import annotations

from toolkit.core.errors import HubError


class ScrapeError(HubError):
    """The search, or the folder, is at fault: the collection cannot go on."""


class WrongOptions(ScrapeError):
    """The command asks for something that is not there."""

    exit_code = 2


class Dropped(Exception):
    """One picture is not taken.

    Args:
        reason: A few words without numbers or names: the drop table counts by it.
        detail: What exactly was found.
        final: Whether another try could not end differently; only those are skipped on resume.
    """

    def __init__(self, reason: str, detail: str = "", *, final: bool = True) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.final = final


class Stopped(Exception):
    """The person at the keyboard wants to stop; threads end with this."""
