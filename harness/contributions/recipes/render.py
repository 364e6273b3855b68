"""Say what a recipe is made of, and how to keep it."""

from __future__ import annotations

from rich.console import Console

from harness.contributions.record import Contribution
from toolkit.core.settings import HOOK_NAMES, REFERENCE_NAME


def show_origins(contribution: Contribution, console: Console) -> None:
    """Print, of a recipe, which code and whose settings each hook has; nothing of others."""
    if not contribution.parts:
        return
    for hook, code in contribution.origins.items():
        writers = contribution.settings_from.get(hook, ())
        settings = f", settings of {' and '.join(writers)}" if writers else ""
        console.print(f"  {hook:<13}{code}{settings}", style="dim", soft_wrap=True)


def keep_command(contribution: Contribution) -> str:
    """Return the command that saves a recipe as a contribution."""
    taken = []
    for hook in HOOK_NAMES:
        file = contribution.parts.get(hook, contribution).file
        changes = hook in file.hooks or file.name in contribution.settings_from.get(hook, ())
        if changes and file.name != REFERENCE_NAME:
            taken.append(f"--with {hook}={file.name}")
    return f"nox -s new -- MyMix {' '.join(taken)}"
