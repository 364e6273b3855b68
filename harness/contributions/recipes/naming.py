"""What a recipe is called: its parts' names, with the hooks where these would not be clear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.contributions.record import Contribution
from toolkit.core.settings import HOOK_NAMES, REFERENCE_NAME, HookName


def ordered(hooks: Iterable[HookName]) -> list[HookName]:
    """Return hooks in the order in which a run calls them."""
    return sorted(hooks, key=HOOK_NAMES.index)


def changed_hooks(part: Contribution) -> set[HookName]:
    """Return the hooks that a contribution changes, by code or by settings."""
    return {hook for hook in HOOK_NAMES if hook in part.parts or part.file.has(hook)}


def label(head: Contribution, taken: Mapping[HookName, Contribution]) -> str:
    """Return a name that says one mix and no other, and can be a folder on every system.

    ``A+B`` has everything of A but what B changes. ``A+B.train`` has B's ``train`` alone.
    """
    words = [head.name]
    for name in dict.fromkeys(taken[hook].file.name for hook in ordered(taken)):
        hooks = [hook for hook in ordered(taken) if taken[hook].file.name == name]
        whole = name != REFERENCE_NAME and set(hooks) == changed_hooks(taken[hooks[0]])
        words.append(name if whole else f"{name}.{'.'.join(hooks)}")
    return "+".join(words)
