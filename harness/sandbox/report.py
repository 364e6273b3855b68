"""How a child reports a fault to its parent."""

from __future__ import annotations

from harness.protocol.row import ErrorReport
from toolkit.core.errors import HubError

# Characters of a message; a stranger's exception may be of any length.
MESSAGE_LIMIT = 4000


def report(error: HubError) -> ErrorReport:
    """Turn an exception into the record that travels to the parent."""
    return ErrorReport(
        kind=type(error).__name__,
        what=sendable(error.what),
        where=sendable(error.where) if error.where else None,
        fix=sendable(error.fix) if error.fix else None,
    )


def sendable(text: str) -> str:
    """Cut a text to a size that can be shown, and replace what no file can hold."""
    return text[:MESSAGE_LIMIT].encode("utf-8", errors="replace").decode("utf-8")
