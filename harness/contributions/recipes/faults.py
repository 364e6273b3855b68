"""What cannot be mixed, found by reading contribution.toml files alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from harness.contributions.file import read_contribution_file
from harness.contributions.recipes.naming import ordered
from harness.contributions.record import NAME_PATTERN, ContributionFile
from toolkit.core.settings import REFERENCE_NAME, TABLES, HookName
from toolkit.core.text import suggestion

TOML = "contribution.toml"


class Refusal(NamedTuple):
    """Why a hook cannot be taken from somewhere, and what to do."""

    message: str
    fix: str


def refusal(hook: HookName, name: str, owner: str, root: Path) -> Refusal | None:
    """Tell why ``owner`` cannot take a hook from the contribution ``name``, or None.

    Args:
        hook: Which one.
        name: A folder in CONTRIBUTIONS/, or ``reference``.
        owner: The contribution that takes it.
        root: The repository.
    """
    if name == owner:
        return Refusal(f"{name} cannot take {hook} from itself.", "Leave that out.")
    if name == REFERENCE_NAME:
        return None
    folder = root / "CONTRIBUTIONS"
    known = tuple(sorted(path.parent.name for path in folder.glob(f"*/{TOML}")))
    if not NAME_PATTERN.fullmatch(name) or name not in known:
        others = tuple(one for one in known if one != owner)
        fix = suggestion(name, others) if others else "There is no other one yet."
        return Refusal(f"There is no contribution {name!r}.", fix)
    part, faults = read_contribution_file(folder / name / TOML, root=root)
    if part is None:
        count = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"
        return Refusal(f"{name}'s {TOML} has {count}.", f"Mend it: nox -s check -- {name}")
    return _unusable(hook, part)


def _unusable(hook: HookName, part: ContributionFile) -> Refusal | None:
    mix = part.mix.named()
    if mix:
        source = mix.get(hook, REFERENCE_NAME)
        return Refusal(
            f"{part.name} is a recipe itself, and recipes are not made of recipes.",
            f"Name the part: its {hook} comes from {source}.",
        )
    if part.has(hook):
        return None
    offered = ordered(one for one in TABLES if part.has(one))
    return Refusal(
        f"{part.name} has neither a {hook} of its own nor a table [settings.{TABLES[hook]}]: "
        "nothing would change.",
        f"It has {' and '.join(offered)}." if offered else "It changes no hook at all.",
    )


def mix_refusals(file: ContributionFile, root: Path) -> Iterator[tuple[HookName, Refusal]]:
    """Yield everything that is wrong with the ``[mix]`` of a contribution."""
    for hook, name in file.mix.named().items():
        found = refusal(hook, name, file.name, root)
        if found is None and hook in file.hooks:
            found = Refusal(
                f"{hook} is listed under hooks and taken from {name} as well.",
                "A hook has one origin: remove it from one of the two.",
            )
        if found is not None:
            yield hook, found
