"""What a record refuses, said with the names that people type."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError


def faults_of(error: ValidationError, options: Mapping[str, str] | None = None) -> str:
    """Return what is wrong, each fault with the option or field that it is about, none twice.

    Args:
        error: What the record raised.
        options: Field -> option, such as ``--steps``; a field that is not here keeps its name.
    """
    told = dict.fromkeys(
        (".".join(map(str, fault["loc"])), str(fault["msg"])) for fault in error.errors()
    )
    named = (((options or {}).get(place, place), what) for place, what in told)
    return "; ".join(dict.fromkeys(f"{name}: {what}" if name else what for name, what in named))
