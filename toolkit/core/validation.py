"""What a record refuses, said with the names that people type."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError


def first_fault(error: ValidationError) -> str:
    """Return the first thing that is wrong with a record, and how many more there are."""
    first, *rest = error.errors(include_url=False)
    where = ".".join(map(str, first["loc"]))
    more = f" ({len(rest)} more like it)" if rest else ""
    return f"{where} is {str(first['input'])[:40]}. {first['msg']}.{more}"


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
