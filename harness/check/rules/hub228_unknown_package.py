"""HUB228: a package that other machines do not have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from harness import paths
from harness.check import packages
from harness.check.folder import Folder
from harness.check.mending import rewrite_text
from harness.check.problem import Problem, Severity
from harness.check.python_source import Import, Module
from harness.check.rules.hub221_bare_sibling_import import is_sibling
from toolkit.core.text import suggestion

ID = "HUB228"
TITLE = "A package is neither in the hub's lock nor declared"
SEVERITY: Severity = "error"
FIXABLE = True  # only an import of a toolkit library by its old name; see `mend`

# Other rules report these.
_OWN = frozenset({"src", "harness", "CONTRIBUTIONS", "contributions"})
_TOOLKIT = frozenset(f"{paths.TOOLKIT.name}.{library}" for library in paths.LIBRARIES)
# The libraries stood at the top of the repository once.
_OLD_NAMES = frozenset(paths.LIBRARIES)
# `from lora_files import x`, `import lora_files.read as y`; not `import lora_files`, whose name the
# rest of the file uses.
_OLD_IMPORT = re.compile(
    rf"^(?P<head>[ \t]*(?:from[ \t]+))(?P<name>{'|'.join(paths.LIBRARIES)})(?=[ \t.])", re.MULTILINE
)
_OLD_ALIASED = re.compile(
    rf"^(?P<head>[ \t]*import[ \t]+)(?P<name>{'|'.join(paths.LIBRARIES)})"
    r"(?=(?:\.\w+)*[ \t]+as[ \t])",
    re.MULTILINE,
)


def check(folder: Folder) -> Iterator[Problem]:
    """Compare absolute imports with the standard library, the lock and the declared extras."""
    extras = packages.allowed_import_names(folder.declared_texts("dependencies"))
    if folder.declared_hooks is None:
        # Nobody knows what a contribution.toml that cannot be read declares.
        extras = packages.allowed_import_names(tuple(packages.ALLOWED))
    for module in folder.modules.values():
        for item in module.imports:
            # `try: import xformers` / `except ImportError` and typing-only imports hurt nobody.
            if item.context.optional or item.context.typing_only:
                continue
            for name in item.modules:
                top = name.partition(".")[0]
                if top == paths.TOOLKIT.name:
                    yield from _outside_the_libraries(module, item, name)
                elif top in _OWN or top in extras or packages.is_available(top):
                    continue
                elif not is_sibling(folder, module.package, top):
                    yield _unknown(folder, module, item, top)


def _outside_the_libraries(module: Module, item: Import, name: str) -> Iterator[Problem]:
    """Yield what an import takes from the toolkit besides the libraries for contributions."""
    taken = [name]
    if name == paths.TOOLKIT.name and isinstance(item.node, ast.ImportFrom):
        taken = [f"{name}.{alias}" for alias, _ in item.names]
    for one in taken:
        if ".".join(one.split(".")[:2]) not in _TOOLKIT:
            yield Problem(
                f"{one!r} is not one of the toolkit's libraries for contributions.",
                f"Use only: {', '.join(sorted(_TOOLKIT))}",
                module.path,
                item.node.lineno,
                mendable=False,
            )


def _unknown(folder: Folder, module: Module, item: Import, top: str) -> Problem:
    if top in _OLD_NAMES:
        return Problem(
            f"The library {top!r} is now called 'toolkit.{top}'.",
            f"Import it from there: toolkit.{top}. `check --fix` rewrites `from` imports.",
            module.path,
            item.node.lineno,
            mendable=isinstance(item.node, ast.ImportFrom) or _is_aliased(item),
        )
    return Problem(
        f"The package {top!r} is not installed in the hub.",
        _fix(folder, top),
        module.path,
        item.node.lineno,
        mendable=False,
    )


def _is_aliased(item: Import) -> bool:
    return len(item.node.names) == 1 and item.node.names[0].asname is not None


def mend(file: Path) -> None:
    """Rewrite imports of the toolkit's libraries by their old names."""
    new = rf"\g<head>{paths.TOOLKIT.name}.\g<name>"
    rewrite_text(file, lambda text: _OLD_ALIASED.sub(new, _OLD_IMPORT.sub(new, text)))


def _fix(folder: Folder, top: str) -> str:
    pin = packages.extra_that_provides(top)
    if pin:
        return f'Declare it in contribution.toml: dependencies = ["{pin}"]'
    own = tuple(m.parts[-1] for m in folder.modules.values() if m.parts and not m.is_package)
    near = suggestion(top, own)
    if near.startswith("Did"):
        return f"{near} That is your own file: from .{near.split(chr(39))[1]} import ..."
    return "Do without it, or wrap it in try/except ImportError, or propose it in an issue."
