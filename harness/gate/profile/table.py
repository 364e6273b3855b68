"""The measured profiles of all contributions: docs/gate/profiles.json, and a page of them.

``nox -s profiles`` measures; pages and commands read what was measured, without torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from pydantic import TypeAdapter

from harness import paths
from harness.contributions.record import Contribution
from harness.gate.profile import page
from harness.gate.profile.summary import Difference, settings_line
from harness.gate.profile.words import cell
from toolkit.core import atomic
from toolkit.core.record import Record

JSON_FILE, PAGE_FILE = paths.GATE_DOCS / "profiles.json", paths.GATE_DOCS / "profiles.md"


class Known(Record):
    """What was measured of one contribution, and of which state of its code."""

    content_hash: str
    declared: dict[str, str]
    properties: str  # hash of the catalogue
    differences: tuple[Difference, ...]


PROFILES = TypeAdapter(dict[str, Known])


def catalogue_hash() -> str:
    """Identify the properties, their measures and tolerances."""
    return f"sha256:{hashlib.sha256(page.page().encode()).hexdigest()}"


def read() -> dict[str, Known]:
    """Return the profiles that were written; none where there is no file yet."""
    if not JSON_FILE.is_file():
        return {}
    return PROFILES.validate_json(JSON_FILE.read_bytes())


def known(contribution: Contribution) -> tuple[Difference, ...] | None:
    """Return what was measured of a contribution as it is now, or None."""
    found = read().get(contribution.name)
    return found.differences if found is not None and is_current(found, contribution) else None


def is_current(one: Known, contribution: Contribution) -> bool:
    """Tell whether a profile is of this code, these declarations and today's properties."""
    return (one.content_hash, one.declared, one.properties) == (
        contribution.content_hash,
        contribution.file.differs,
        catalogue_hash(),
    )


def entry(contribution: Contribution, found: Sequence[Difference]) -> Known:
    """Return what is kept of one measurement."""
    return Known(
        content_hash=contribution.content_hash,
        declared=dict(contribution.file.differs),
        properties=catalogue_hash(),
        differences=tuple(found),
    )


def render(profiles: Mapping[str, Known], contributions: Iterable[Contribution]) -> str:
    """Return the page: one row for each contribution."""
    listed = list(contributions)
    lines = [
        "# What each contribution does differently",
        "",
        "Written by `nox -s profiles`. Do not edit.",
        "",
        f"{len(listed)} contributions. Settings stand with the hub's own in brackets. What was "
        "measured stands with the reference's number in brackets, and is explained in "
        "[properties.md](properties.md); why it differs is what the contribution says of itself.",
        "",
        "| contribution | its own hooks | settings | what was measured to differ | why |",
        "|---|---|---|---|---|",
    ]
    for one in listed:
        found = profiles[one.name].differences if one.name in profiles else ()
        hooks = ", ".join(one.file.hooks) or "none"
        settings = settings_line(one).partition(": ")[2].rstrip(".")
        rows = [(f"**{d.property}**: {cell(d.measured)}", cell(d.why)) for d in found] or [("", "")]
        for number, (measured, why) in enumerate(rows):
            head = (one.name, hooks, cell(settings)) if number == 0 else ("", "", "")
            lines.append(f"| {' | '.join((*head, measured, why))} |")
    return "\n".join(lines) + "\n"


def write(profiles: Mapping[str, Known], contributions: Iterable[Contribution]) -> None:
    """Write JSON and page."""
    ordered = dict(sorted(profiles.items(), key=lambda item: item[0].casefold()))
    data = PROFILES.dump_json(ordered, indent=1).decode()
    atomic.write_text(JSON_FILE, data + "\n")
    atomic.write_text(PAGE_FILE, render(ordered, contributions))
