"""Imports that find other files than the author meant, or none. HUB221 to HUB228."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from harness import paths
from harness.check import packages
from harness.check.folder import Folder
from harness.check.mending import rewrite_text
from harness.check.problem import Problem, rule
from harness.check.python_source import Import, Module, resolve_relative
from toolkit.core.text import suggestion


@rule("HUB221", "A file of the contribution is imported without its dot")
def bare_sibling_import(folder: Folder) -> Iterator[Problem]:
    """`from lora import ...` finds whichever lora.py Python saw first."""
    for module, item in folder.imports:
        for name in item.modules:
            top = name.partition(".")[0]
            if packages.is_available(top) or not is_sibling(folder, module.package, top):
                continue
            fixed = (
                f"from .{name} import"
                if isinstance(item.node, ast.ImportFrom)
                else (f"from . import {name}")
            )
            yield Problem(
                f"'{top}' without a dot may load another contribution's {top}.py, silently.",
                f"Write: {fixed}{' ...' if fixed.endswith('import') else ''}",
                *module.at(item.node),
            )


def is_sibling(folder: Folder, package: tuple[str, ...], name: str) -> bool:
    """Tell whether ``name`` is a file or folder of code beside the module, or in src/."""
    for base in {package, ("src",)}:
        parts = (*base, name)
        if folder.module_at(parts) or (folder.is_file("/".join(parts) + ".py")):
            return True
        prefix = "/".join(parts) + "/"
        if any(path.startswith(prefix) for path in folder.modules):
            return True
    return False


@rule("HUB222", "The reference's code is imported")
def reference_import(folder: Folder) -> Iterator[Problem]:
    """`from src.lora import ...` is the reference's code, not the contribution's copy."""
    for module, item in folder.imports:
        for name in item.modules:
            if name == "src" or name.startswith("src."):
                rest = name.partition(".")[2]
                yield Problem(
                    f"{name!r} is the reference's code: your own file would never be used.",
                    f"Write: from .{rest} import ... (and copy the file if you have none)."
                    if rest
                    else "Write: from . import ...",
                    *module.at(item.node),
                )


@rule("HUB223", "A contribution is imported by its absolute name")
def contributions_import(folder: Folder) -> Iterator[Problem]:
    """Contributions stand alone."""
    for module, item in folder.imports:
        for name in item.modules:
            parts = name.split(".")
            if parts[0].casefold() != "contributions":
                continue
            inner = [alias for alias, _ in item.names] if len(parts) == 1 else parts[1:2]
            if inner == [folder.name]:
                message = "Inside a folder imports are relative, so that a copy uses itself."
                fix = f"Write: from .{'.'.join(parts[3:])} import ..."
            else:
                message = "Another contribution's code is imported; it may change any day."
                fix = "Copy what you need into your folder, and name it under based_on."
            yield Problem(message, fix, *module.at(item.node))


# The records that hooks are handed or return; main.py builds them when it runs on its own.
HARNESS_NAMES = frozenset(
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
_TYPING_ONLY = ("harness.records", "harness.hookspecs")


@rule("HUB224", "An inner part of the harness is imported")
def harness_import(folder: Folder) -> Iterator[Problem]:
    """Of the harness, a contribution needs the marker and a few records."""
    for module in folder.modules.values():
        for item in module.imports:
            for name in _taken_from_harness(item):
                typing = item.context.typing_only and name.rpartition(".")[0] in _TYPING_ONLY
                if name not in HARNESS_NAMES and not typing:
                    yield _inner_part(module, name, item.node.lineno)
        if module.aliases.get("harness") == "harness" or "harness" in module.aliases.values():
            yield from _harness_attributes(module)


def _taken_from_harness(item: Import) -> Iterator[str]:
    for name in item.modules:
        if name.partition(".")[0] != "harness":
            continue
        if isinstance(item.node, ast.ImportFrom):
            yield from (f"{name}.{alias}" for alias, _ in item.names)
        elif name != "harness":
            yield name


def _harness_attributes(module: Module) -> Iterator[Problem]:
    for node in module.nodes(ast.Attribute):
        if isinstance(node.value, ast.Name) and module.dotted(node.value) == "harness":
            name = module.dotted(node)
            if name not in HARNESS_NAMES:
                yield _inner_part(module, name, node.lineno)


def _inner_part(module: Module, name: str, line: int) -> Problem:
    return Problem(
        f"{name!r} is an inner part of the harness; it may change without notice.",
        "Use only: from harness import hookimpl, TrainResult",
        module.path,
        line,
    )


_EDITS = frozenset(
    f"sys.{attribute}.{method}"
    for attribute in ("path", "meta_path", "path_hooks")
    for method in ("append", "insert", "extend", "remove", "pop", "clear", "reverse", "sort")
) | {"site.addsitedir"}


@rule("HUB225", "sys.path is edited")
def sys_path(folder: Folder) -> Iterator[Problem]:
    """Editing sys.path decides what all other code imports."""
    for module in folder.modules.values():
        for line in sorted({*_path_calls(module), *_path_assignments(module)}):
            yield Problem(
                "sys.path is edited: files of other contributions may be imported instead of "
                "yours.",
                "Remove it, and import your files with a dot: from .lora import ...",
                module.path,
                line,
            )


def _path_calls(module: Module) -> Iterator[int]:
    for name, call in module.calls:
        if name in _EDITS:
            yield call.lineno


def _path_assignments(module: Module) -> Iterator[int]:
    targets: list[ast.expr] = []
    for assign in module.nodes(ast.Assign):
        targets += assign.targets
    targets += [node.target for node in module.nodes(ast.AugAssign)]
    for delete in module.nodes(ast.Delete):
        targets += delete.targets
    for target in targets:
        inner = target.value if isinstance(target, ast.Subscript) else target
        if isinstance(inner, ast.Attribute) and module.dotted(inner) == "sys.path":
            yield target.lineno


@rule("HUB226", "A relative import leaves the folder")
def import_leaves_folder(folder: Folder) -> Iterator[Problem]:
    """More dots than the folder is deep."""
    for module, item in folder.imports:
        if item.level and resolve_relative(module, item) is None:
            yield Problem(
                f"'{'.' * item.level}{item.module}' leads out of the contribution's folder.",
                "Copy what you need into your folder; one dot means the same folder.",
                *module.at(item.node),
            )


@rule("HUB227", "An imported file does not exist")
def missing_module(folder: Folder) -> Iterator[Problem]:
    """A relative import of a file that is not there."""
    for module, item in folder.imports:
        if not item.level or item.context.typing_only or item.context.optional:
            continue
        target = resolve_relative(module, item)
        for missing in _missing(folder, module, item, target) if target is not None else ():
            *base, name = missing
            near = _modules_in(folder, tuple(base))
            yield Problem(
                f"There is no {'/'.join(missing)}.py to import.",
                suggestion(name, near) if near else "Add the file, or mend the import.",
                *module.at(item.node),
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


def _mend_unknown_package(file: Path) -> None:
    """Rewrite imports of the toolkit's libraries by their old names."""
    new = rf"\g<head>{paths.TOOLKIT.name}.\g<name>"
    rewrite_text(file, lambda text: _OLD_ALIASED.sub(new, _OLD_IMPORT.sub(new, text)))


# `--fix` mends only an import of a toolkit library by its old name.
@rule("HUB228", "A package is neither in the hub's lock nor declared", mend=_mend_unknown_package)
def unknown_package(folder: Folder) -> Iterator[Problem]:
    """A package that other machines do not have."""
    # Compare absolute imports with the standard library, the lock and the declared extras.
    extras = packages.allowed_import_names(folder.declared_texts("dependencies"))
    if folder.declared_hooks is None:
        # Nobody knows what a contribution.toml that cannot be read declares.
        extras = packages.allowed_import_names(tuple(packages.ALLOWED))
    for module, item in folder.imports:
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
                yield _not_installed(folder, module, item, top)


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
                *module.at(item.node),
                mendable=False,
            )


def _not_installed(folder: Folder, module: Module, item: Import, top: str) -> Problem:
    if top in _OLD_NAMES:
        return Problem(
            f"The library {top!r} is now called 'toolkit.{top}'.",
            f"Import it from there: toolkit.{top}. `check --fix` rewrites `from` imports.",
            *module.at(item.node),
            mendable=isinstance(item.node, ast.ImportFrom) or _is_aliased(item),
        )
    return Problem(
        f"The package {top!r} is not installed in the hub.",
        _package_advice(folder, top),
        *module.at(item.node),
        mendable=False,
    )


def _is_aliased(item: Import) -> bool:
    return len(item.node.names) == 1 and item.node.names[0].asname is not None


def _package_advice(folder: Folder, top: str) -> str:
    pin = packages.extra_that_provides(top)
    if pin:
        return f'Declare it in contribution.toml: dependencies = ["{pin}"]'
    own = tuple(m.parts[-1] for m in folder.modules.values() if m.parts and not m.is_package)
    near = suggestion(top, own)
    if near.startswith("Did"):
        return f"{near} That is your own file: from .{near.split(chr(39))[1]} import ..."
    return "Do without it, or wrap it in try/except ImportError, or propose it in an issue."
