"""HUB227: a relative import of a file that is not there."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from harness.check.python_source import Import, Module, resolve_relative
from toolkit.core.text import suggestion

ID = "HUB227"
TITLE = "An imported file does not exist"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look for the file behind each relative import."""
    for module in folder.modules.values():
        for item in module.imports:
            if not item.level or item.context.typing_only or item.context.optional:
                continue
            target = resolve_relative(module, item)
            for missing in _missing(folder, module, item, target) if target is not None else ():
                *base, name = missing
                near = _modules_in(folder, tuple(base))
                yield Problem(
                    f"There is no {'/'.join(missing)}.py to import.",
                    suggestion(name, near) if near else "Add the file, or mend the import.",
                    module.path,
                    item.node.lineno,
                )


def _missing(
    folder: Folder, module: Module, item: Import, target: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    if _exists(folder, target):
        # `from . import lora`: the names may be files, or defined in __init__.py.
        package = folder.module_at(target)
        if not item.module and isinstance(item.node, ast.ImportFrom):
            for name, _ in item.names:
                defined = package is not None and (name in package.bindings or package.fault)
                if name != "*" and not defined and not _exists(folder, (*target, name)):
                    yield (*target, name)
    else:
        yield target


def _exists(folder: Folder, parts: tuple[str, ...]) -> bool:
    path = "/".join(parts)
    # A file that is too large or not UTF-8 is another rule's; it does exist.
    return not parts or folder.is_file(f"{path}.py") or folder.is_folder(path)


def _modules_in(folder: Folder, base: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        module.parts[-1]
        for module in folder.modules.values()
        if module.parts[:-1] == base and not module.is_package
    )
