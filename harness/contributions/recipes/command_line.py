"""``--with HOOK=NAME``, which all commands share that run a contribution."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import get_args

from harness import paths
from harness.contributions import registry
from harness.contributions.recipes.combine import recipe
from harness.contributions.recipes.faults import refusal
from harness.contributions.recipes.naming import changed_hooks, ordered
from harness.contributions.record import Contribution
from toolkit.core.errors import UsageError
from toolkit.core.settings import HOOK_NAMES, REFERENCE_NAME, HookName
from toolkit.core.text import suggestion

FORM = "Write a hook and a contribution, such as --with train=Example1."


def add_mix_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--with``."""
    parser.add_argument(
        "--with",
        dest="taken",
        action="append",
        default=[],
        metavar="HOOK=NAME",
        help="take this hook from another contribution; may be repeated (docs/mixing.md)",
    )


def load_mixed(name: str, taken: Sequence[str]) -> Contribution:
    """Load a contribution and give it the hooks that ``--with`` names.

    Raises:
        UsageError: Some of it makes no sense; everything that does not is named.
        CheckError: A contribution.toml has faults.
    """
    head = registry.load(name)
    if not taken:
        return head
    names = parse(taken, head.file.name)
    parts = {hook: registry.load(source) for hook, source in names.items()}
    left = (changed_hooks(head) | set(head.parts)) - names.keys()
    if head.file.name != REFERENCE_NAME and not left:
        hooks = " ".join(f"--with {hook}={source}" for hook, source in names.items())
        raise UsageError(
            f"Nothing of {head.name} is left in this recipe.",
            where="--with",
            fix=f"Start from the reference: {REFERENCE_NAME} {hooks}",
        )
    return recipe(head, parts)


def load_named(name: str) -> Contribution:
    """Load a recipe by the name that its runs have, such as ``A+B.train``.

    Raises:
        UsageError: Some of it makes no sense; everything that does not is named.
        CheckError: A contribution.toml has faults.
    """
    head, *words = name.split("+")
    taken = []
    for word in words:
        part, *hooks = word.split(".")
        taken += [f"{hook}={part}" for hook in hooks or ordered(changed_hooks(registry.load(part)))]
    return load_mixed(head, taken)


def parse(taken: Sequence[str], owner: str) -> dict[HookName, str]:
    """Read what was typed after each ``--with``; return hook -> name, in the order of a run.

    Args:
        taken: Such as ``train=Example1``.
        owner: The contribution that takes the hooks.

    Raises:
        UsageError: With everything that is wrong.
    """
    found: dict[HookName, str] = {}
    faults: list[str] = []
    for text in taken:
        word, equals, name = (part.strip() for part in text.partition("="))
        hook = next((one for one in get_args(HookName) if one == word), None)
        if not equals or not name or not word:
            faults.append(f"{text!r} is not a hook and a name. {FORM}")
        elif hook is None:
            faults.append(f"{text}: {word!r} is not a hook. {suggestion(word, HOOK_NAMES)}")
        elif hook in found:
            faults.append(f"{text}: {hook} is taken from {found[hook]} already. Name it once.")
        elif (refused := refusal(hook, name, owner, paths.ROOT)) is not None:
            faults.append(f"{text}: {refused.message} {refused.fix}")
        else:
            found[hook] = name
    if faults:
        raise UsageError(
            "This recipe cannot be made:\n" + "\n".join(f"  --with {fault}" for fault in faults),
            fix="docs/mixing.md says what goes together.",
        )
    return {hook: found[hook] for hook in ordered(found)}
