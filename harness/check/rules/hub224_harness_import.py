"""HUB224: of the harness, a contribution needs the marker and a few records."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from harness.check.python_source import Import, Module

ID = "HUB224"
TITLE = "An inner part of the harness is imported"
SEVERITY: Severity = "error"
FIXABLE = False

# The records that hooks are handed or return; main.py builds them when it runs on its own.
ALLOWED = frozenset(
    {
        "harness.hookimpl",
        "harness.TrainResult",
        "harness.records.TrainResult",
        "harness.records.DatasetConfig",
        "harness.records.LoraConfig",
        "harness.records.TrainConfig",
        "harness.records.GenerateConfig",
        # A training loop that can be stopped and gone on with asks for the one, returns the other.
        "toolkit.core.reporting.ResumableReporter",
        "toolkit.core.reporting.TrainState",
    }
)
# For annotations, never at run time.
_TYPING = ("harness.records", "harness.hookspecs")


def check(folder: Folder) -> Iterator[Problem]:
    """Look at imports of the harness, and at what is taken from `import harness`."""
    for module in folder.modules.values():
        for item in module.imports:
            for name in _taken(item):
                typing = item.context.typing_only and name.rpartition(".")[0] in _TYPING
                if name not in ALLOWED and not typing:
                    yield _problem(module, name, item.node.lineno)
        if module.aliases.get("harness") == "harness" or "harness" in module.aliases.values():
            yield from _attributes(module)


def _taken(item: Import) -> Iterator[str]:
    for name in item.modules:
        if name.partition(".")[0] != "harness":
            continue
        if isinstance(item.node, ast.ImportFrom):
            yield from (f"{name}.{alias}" for alias, _ in item.names)
        elif name != "harness":
            yield name


def _attributes(module: Module) -> Iterator[Problem]:
    for node in module.nodes(ast.Attribute):
        if isinstance(node.value, ast.Name) and module.dotted(node.value) == "harness":
            name = module.dotted(node)
            if name not in ALLOWED:
                yield _problem(module, name, node.lineno)


def _problem(module: Module, name: str, line: int) -> Problem:
    return Problem(
        f"{name!r} is an inner part of the harness; it may change without notice.",
        "Use only: from harness import hookimpl, TrainResult",
        module.path,
        line,
    )
