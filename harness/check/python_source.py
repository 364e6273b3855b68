"""One Python file, parsed once and indexed: what the HUB2xx rules ask their questions to."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

Node = TypeVar("Node", bound=ast.AST)
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

# The oldest Python the hub supports decides what is valid syntax.
_FEATURES = (3, 11)


@dataclass(frozen=True, slots=True)
class Context:
    """Under which circumstances a statement runs."""

    at_import: bool = True  # not inside a function or class
    in_class: bool = False
    typing_only: bool = False  # under `if TYPE_CHECKING:`
    optional: bool = False  # in a `try:` that catches ImportError
    when_main: bool = False  # under `if __name__ == "__main__":`


class Statement(NamedTuple):
    """A statement with its circumstances."""

    node: ast.stmt
    context: Context


class Import(NamedTuple):
    """One `import` statement, or one `from ... import`."""

    node: ast.Import | ast.ImportFrom
    context: Context
    level: int  # number of leading dots
    module: str  # "" for `import x` and `from . import x`
    names: tuple[tuple[str, str | None], ...]  # (name, asname)

    @property
    def modules(self) -> tuple[str, ...]:
        """The absolute modules it loads; empty for a relative import."""
        if self.level:
            return ()
        if isinstance(self.node, ast.ImportFrom):
            return (self.module,)
        return tuple(name for name, _ in self.names)


class SyntaxFault(NamedTuple):
    """Why a file could not be parsed."""

    message: str
    line: int | None


class Module:
    """A parsed .py file.

    Args:
        path: Relative to the contribution, such as ``src/train.py``.
        text: Its source.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        parts = tuple(path.removesuffix(".py").split("/"))
        self.is_package = parts[-1] == "__init__"
        self.parts = parts[:-1] if self.is_package else parts
        self.tree, self.fault = _parse(text)

    @property
    def package(self) -> tuple[str, ...]:
        """The package that `from . import` means here."""
        return self.parts if self.is_package else self.parts[:-1]

    def at(self, node: ast.stmt | ast.expr | ast.arg) -> tuple[str, int]:
        """Return where a node stands: the file and the line."""
        return self.path, node.lineno

    @cached_property
    def _index(self) -> dict[type[ast.AST], list[ast.AST]]:
        found: dict[type[ast.AST], list[ast.AST]] = {}
        stack: list[ast.AST] = [self.tree] if self.tree else []
        # One plain walk for all rules; ast.walk per rule would cost more than everything else.
        while stack:
            node = stack.pop()
            found.setdefault(type(node), []).append(node)
            for value in node.__dict__.values():
                if isinstance(value, ast.AST):
                    stack.append(value)
                elif isinstance(value, list):
                    stack.extend(item for item in value if isinstance(item, ast.AST))
        return found

    def nodes(self, kind: type[Node]) -> list[Node]:
        """Return all nodes of one kind, in no particular order."""
        return self._index.get(kind, [])  # type: ignore[return-value] # keyed by type

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """All statements, also nested ones, with their circumstances."""
        if self.tree is None:
            return ()
        return tuple(_walk_statements(self.tree))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """All imports, wherever they stand."""
        found = []
        for node, context in self.statements:
            if isinstance(node, ast.Import | ast.ImportFrom):
                found.append(
                    Import(
                        node,
                        context,
                        node.level if isinstance(node, ast.ImportFrom) else 0,
                        (node.module or "") if isinstance(node, ast.ImportFrom) else "",
                        tuple((alias.name, alias.asname) for alias in node.names),
                    )
                )
        return tuple(found)

    @cached_property
    def aliases(self) -> dict[str, str]:
        """What each imported name stands for: ``{"F": "torch.nn.functional"}``."""
        found: dict[str, str] = {}
        for item in self.imports:
            for name, asname in item.names:
                if isinstance(item.node, ast.ImportFrom):
                    found[asname or name] = f"{'.' * item.level}{item.module}.{name}"
                elif asname:
                    found[asname] = name
                else:
                    found[name.partition(".")[0]] = name.partition(".")[0]
        return found

    def dotted(self, node: ast.AST) -> str:
        """Return the full name of an expression such as ``t.load``; "" when it has none."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        parts.append(self.aliases.get(node.id, node.id))
        return ".".join(reversed(parts))

    @cached_property
    def calls(self) -> tuple[tuple[str, ast.Call], ...]:
        """All calls with the full name of what they call."""
        return tuple((self.dotted(call.func), call) for call in self.nodes(ast.Call))

    @cached_property
    def bindings(self) -> dict[str, list[ast.stmt]]:
        """Which top-level statements give each name its meaning when the module is imported."""
        found: dict[str, list[ast.stmt]] = {}
        for node, context in self.statements:
            if context.at_import and not context.typing_only and not context.when_main:
                for name in _bound_names(node):
                    found.setdefault(name, []).append(node)
        return found

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """All functions and methods."""
        return (*self.nodes(ast.FunctionDef), *self.nodes(ast.AsyncFunctionDef))


class Sources(Protocol):
    """The Python files of one folder."""

    name: str

    @property
    def modules(self) -> dict[str, Module]:
        """Path inside the folder -> parsed file."""

    def module_at(self, parts: tuple[str, ...]) -> Module | None:
        """Return the module of a dotted path such as ``("src", "lora")``."""


def resolve_relative(module: Module, item: Import) -> tuple[str, ...] | None:
    """Return the dotted path a relative import names; None when it leaves the folder."""
    up = item.level - 1
    package = module.package
    if up > len(package):
        return None
    base = package[: len(package) - up]
    return (*base, *item.module.split(".")) if item.module else base


def _parse(text: str) -> tuple[ast.Module | None, SyntaxFault | None]:
    try:
        with warnings.catch_warnings():
            # "\I" in a string is a SyntaxWarning; HUB232 explains it better.
            warnings.simplefilter("ignore")
            return ast.parse(text, feature_version=_FEATURES), None
    except SyntaxError as error:
        line = error.lineno if error.lineno and error.lineno > 0 else None
        return None, SyntaxFault(error.msg or "invalid syntax", line)
    except ValueError:  # Null bytes, before Python 3.12.
        return None, SyntaxFault("it contains null bytes", None)
    except (RecursionError, MemoryError):  # What the parser raises on absurd nesting.
        return None, SyntaxFault("it is nested too deeply to be parsed", None)


def _walk_statements(tree: ast.Module) -> Iterator[Statement]:
    # A stack and no recursion: a chain of a thousand elifs nests a thousand deep.
    stack = [Statement(node, Context()) for node in reversed(tree.body)]
    while stack:
        statement = stack.pop()
        yield statement
        stack.extend(reversed(list(_children(statement))))


def _children(statement: Statement) -> Iterator[Statement]:
    node, context = statement
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        inner = replace(context, at_import=False, in_class=False)
        yield from (Statement(child, inner) for child in node.body)
    elif isinstance(node, ast.ClassDef):
        inner = replace(context, at_import=False, in_class=True)
        yield from (Statement(child, inner) for child in node.body)
    elif isinstance(node, ast.If):
        typing_only = context.typing_only or _names_type_checking(node.test)
        when_main = context.when_main or _is_main_guard(node.test)
        inner = replace(context, typing_only=typing_only, when_main=when_main)
        yield from (Statement(child, inner) for child in node.body)
        yield from (Statement(child, context) for child in node.orelse)
    elif isinstance(node, ast.Try | ast.TryStar):
        inner = replace(context, optional=context.optional or _catches_import_error(node))
        yield from (Statement(child, inner) for child in node.body)
        for handler in node.handlers:
            yield from (Statement(child, inner) for child in handler.body)
        yield from (Statement(child, context) for child in (*node.orelse, *node.finalbody))
    elif isinstance(node, ast.With):
        inner = replace(context, optional=context.optional or _suppresses_import_error(node))
        yield from (Statement(child, inner) for child in node.body)
    elif isinstance(node, ast.Match):
        yield from (Statement(child, context) for case in node.cases for child in case.body)
    else:
        for field in ("body", "orelse"):
            yield from (Statement(child, context) for child in getattr(node, field, ()))


def _names_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _is_main_guard(test: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))


def _catches_import_error(node: ast.Try | ast.TryStar) -> bool:
    caught = {"ImportError", "ModuleNotFoundError", "Exception"}
    for handler in node.handlers:
        if handler.type is None:
            return True
        names = {part.id for part in ast.walk(handler.type) if isinstance(part, ast.Name)}
        if names & caught:
            return True
    return False


def _suppresses_import_error(node: ast.With) -> bool:
    names = {
        getattr(part, "id", None) or getattr(part, "attr", "")
        for item in node.items
        for part in ast.walk(item.context_expr)
    }
    return "suppress" in names and bool(names & {"ImportError", "ModuleNotFoundError"})


def _bound_names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        yield node.target.id
