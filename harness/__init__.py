"""The hub's harness: it checks, runs, scores and compares contributions.

A contribution needs one line of this package::

    from harness import hookimpl

and, when it writes its own training loop, ``from harness import TrainResult``.
Importing ``harness`` costs milliseconds: it imports neither torch nor pydantic.
"""

from typing import TYPE_CHECKING, Any

try:
    import pluggy
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "this Python lacks the hub's packages. Use a nox session (nox -s list, nox -s explain), "
        "or the hub's own Python: .nox/hub/bin/python (Windows: .nox\\hub\\Scripts\\python)"
    ) from None

if TYPE_CHECKING:
    from toolkit.core.settings import TrainResult

__all__ = ["PROJECT", "TrainResult", "hookimpl", "hookspec"]

PROJECT = "sdlora"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


def __getattr__(name: str) -> Any:
    """Load the one record that contributions return on first use (PEP 562)."""
    if name == "TrainResult":
        from toolkit.core.settings import TrainResult

        return TrainResult
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
