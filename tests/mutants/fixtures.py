"""The contributions of the matrix: one Python file each, in tests/fixtures/gate/.

``mutants/`` hold one fault each and name the probe meant for it (``CAUGHT_BY``); ``unusual/`` are
correct. These declare in ``EXEMPT`` and ``DIFFERS`` what they do otherwise than the reference, and
``parts.py`` what its parts do; "" takes back a sentence of the parts. They must raise no error,
and no difference may be found that is not declared, or declared and not found.
"""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import paths
from harness.contributions.record import Contribution, ContributionFile
from tests.fixtures.gate import parts
from toolkit.core.errors import UsageError
from toolkit.core.settings import HOOK_NAMES, HookName

FOLDER = paths.ROOT / "tests" / "fixtures" / "gate"
KINDS = ("mutants", "unusual")
# Hook -> the experiment that measures it.
GROUP_OF: dict[HookName, str] = {
    "make_dataset": "profile_dataset",
    "make_lora": "profile_adapter",
    "train": "profile_training",
    "generate": "profile_drawing",
}
DECLARATIONS = ("CAUGHT_BY", "EXEMPT", "DIFFERS")


@dataclass(frozen=True)
class Fixture:
    """One file of the matrix."""

    name: str
    kind: str
    summary: str
    caught_by: tuple[str, ...]
    contribution: Contribution

    @property
    def hooks(self) -> tuple[HookName, ...]:
        """The hooks it replaces."""
        return self.contribution.file.hooks


def all_fixtures() -> list[Fixture]:
    """Return every fixture, mutants first, by name."""
    return [
        read(path)
        for kind in KINDS
        for path in sorted((FOLDER / kind).glob("*.py"))
        if path.name != "__init__.py"
    ]


def fixture(name: str) -> Fixture:
    """Return one fixture by its name.

    Raises:
        UsageError: There is none.
    """
    for found in all_fixtures():
        if found.name == name:
            return found
    raise UsageError(f"There is no fixture {name!r} in tests/fixtures/gate.")


def read(path: Path) -> Fixture:
    """Read a fixture's declarations without running it."""
    data = path.read_bytes()
    tree = ast.parse(data)
    declared: dict[str, Any] = {}
    hooks = []
    for node in tree.body:
        names = [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
        if isinstance(node, ast.Assign) and names and names[0] in DECLARATIONS:
            declared[names[0]] = ast.literal_eval(node.value)
        hooks += [name for name in names if name in HOOK_NAMES]
        if isinstance(node, ast.FunctionDef) and node.name in HOOK_NAMES:
            hooks.append(node.name)
    summary = (ast.get_docstring(tree) or "").splitlines()[0]
    differs = declared.get("DIFFERS", {})
    if path.parent.name == "unusual":
        of_parts = {k: v for hook in hooks for k, v in parts.DIFFERS.get(hook, {}).items()}
        differs = {k: v for k, v in {**of_parts, **differs}.items() if v}
    caught = declared.get("CAUGHT_BY", ())
    relative = path.relative_to(paths.ROOT)
    file = ContributionFile.model_validate(
        {
            "name": path.stem,
            "authors": ("the hub",),
            "summary": summary.ljust(10, "."),
            "hooks": tuple(hooks),
            "gate": {"exempt": declared.get("EXEMPT", {})},
            "differs": differs,
        }
    )
    return Fixture(
        name=path.stem,
        kind=path.parent.name,
        summary=summary,
        caught_by=(caught,) if isinstance(caught, str) else tuple(caught),
        contribution=Contribution(
            file=file,
            path=FOLDER.relative_to(paths.ROOT).as_posix(),
            module=".".join(relative.with_suffix("").parts),
            content_hash=f"sha256:{hashlib.sha256(data).hexdigest()}",
        ),
    )
