"""Options that were typed and would do nothing: refused, all of them at once."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from .errors import UsageError


def refuse_idle(faults: Mapping[str, bool]) -> None:
    """Refuse options that would have no effect.

    Args:
        faults: What is idle and what it needs -> whether that is so in this call.

    Raises:
        UsageError: Something is; all of it is named.
    """
    found = [what for what, idle in faults.items() if idle]
    if found:
        raise UsageError(
            "Options without effect: " + "; ".join(found) + ".",
            fix="Leave them out, or give them what they need.",
        )


def typed_names(parser: argparse.ArgumentParser, argv: Sequence[str]) -> frozenset[str]:
    """Return which options and arguments were typed, whatever their defaults are.

    Args:
        parser: Made for this, because its defaults are gone afterwards.
        argv: A command line that it takes.
    """
    for action in parser._actions:
        action.default = argparse.SUPPRESS
    parser._defaults.clear()
    return frozenset(vars(parser.parse_args(argv)))
