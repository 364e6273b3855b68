"""Find the line that a finding is about: on the stack while it runs, or in the source later."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from harness import paths
from harness.contributions.record import Contribution
from harness.worker.hooks import Hooks
from toolkit.core.settings import HookName

MAX_FILES = 200


class Finder:
    """Knows the folders of a run's contributions.

    Args:
        hooks: The four hooks of the run.
    """

    def __init__(self, hooks: Hooks) -> None:
        self._hooks: Hooks | None = hooks
        # The owner's own code first: it may be called by the reference's.
        self._folders = folders((*hooks.owner.folders, *hooks.origins.values()))

    @classmethod
    def of(cls, contributions: Sequence[Contribution]) -> Self:
        """Return a finder for contributions that are not loaded yet; it knows the stack alone."""
        finder = cls.__new__(cls)
        finder._hooks, finder._folders = None, folders(contributions)
        return finder

    def caller(self) -> str | None:
        """Return ``file:line`` of the innermost frame that runs a contribution's code."""
        for folder in self._folders:
            frame = inspect.currentframe()
            while frame is not None:
                file = frame.f_code.co_filename
                if file.startswith(folder):
                    return f"{shown(Path(file))}:{frame.f_lineno}"
                frame = frame.f_back
        return None

    def of_hook(self, hook: HookName) -> str:
        """Return ``file:line`` of the function that implements a hook."""
        if self._hooks is None:
            return main_file_of(self._folders)
        implementations = getattr(self._hooks.managers[hook].hook, hook).get_hookimpls()
        code = inspect.unwrap(implementations[0].function).__code__
        return f"{shown(Path(code.co_filename))}:{code.co_firstlineno}"

    def in_source(self, hook: HookName, names: Sequence[str]) -> str | None:
        """Return ``file:line`` where one of ``names`` is called or read, the hook's file first."""
        if self._hooks is None:
            return None
        origin = self._hooks.origins[hook]
        file = Path(self.of_hook(hook).rpartition(":")[0])
        for path in (paths.ROOT / file, *sources(origin)):
            line = first_use(path, names)
            if line is not None:
                return f"{shown(path)}:{line}"
        return None


def folders(contributions: Iterable[Contribution]) -> list[str]:
    """Return the folders of contributions, as code objects spell them, each once."""
    return list(dict.fromkeys(str((paths.ROOT / c.path).resolve()) for c in contributions))


def main_file_of(found: Sequence[str]) -> str:
    """Return the path of the first folder, for want of anything better."""
    return shown(Path(found[0]))


def shown(path: Path) -> str:
    """Return a path as a reader types it."""
    full = path.resolve()
    return full.relative_to(paths.ROOT).as_posix() if full.is_relative_to(paths.ROOT) else str(path)


def sources(origin: Contribution) -> Iterator[Path]:
    """Yield the Python files of a contribution; its own module first."""
    module = sys.modules.get(origin.module)
    own = Path(str(getattr(module, "__file__", ""))) if module else None
    if own is not None and own.is_file():
        yield own
    folder = paths.ROOT / origin.path
    for path, _ in zip(sorted(folder.rglob("*.py")), range(MAX_FILES), strict=False):
        if own is None or path.parent == own.parent:
            yield path


def first_use(path: Path, names: Sequence[str]) -> int | None:
    """Return the first line on which a file calls or reads one of ``names``, in their order."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    for name in names:
        lines = [
            node.lineno
            for node in ast.walk(tree)
            if (isinstance(node, ast.Attribute) and node.attr == name)
            or (isinstance(node, ast.Name) and node.id == name)
        ]
        if lines:
            return min(lines)
    return None
