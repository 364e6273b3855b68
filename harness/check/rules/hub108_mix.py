"""HUB108: a recipe takes hooks from contributions that have them."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import TOML, Folder
from harness.check.problem import Problem, Severity
from harness.contributions.recipes.faults import mix_refusals

ID = "HUB108"
TITLE = "A recipe cannot be put together"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at each part that ``[mix]`` names."""
    if folder.description is not None:
        for hook, refused in mix_refusals(folder.description, folder.root):
            line = folder.toml_line("mix", hook)
            yield Problem(refused.message, refused.fix, TOML, line)
