"""Programs on this machine: found by path, imported with stand-ins for what they never use.

Nothing of them is copied. Each runs its own code for names and weights; what it imports beside that
(web pages, other models, video) gets an empty stand-in when it is not installed.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Folder under --programs -> what the folder of a program must hold.
MARKS: Final = {
    "sd-scripts": "networks/lora.py",
    "ComfyUI": "comfy/lora.py",
    "A1111": "extensions-builtin/Lora/networks.py",
    "LyCORIS": "lycoris/kohya.py",
    "Forge": "backend/patcher/lora.py",
    "SD.Next": "modules/lora/networks.py",
    "InvokeAI": "invokeai/backend/patches/layer_patcher.py",
    "stable-diffusion.cpp": "names",
    "OneTrainer": "modules/module/LoRAModule.py",
}


@dataclass(frozen=True)
class Program:
    """One program on this machine.

    Args:
        name: What it is called.
        folder: Where it lies, or None when it does not.
        commit: The commit that the file ``NAME.commit`` beside the folder says.
    """

    name: str
    folder: Path | None
    commit: str

    @property
    def code(self) -> Path:
        """Where it lies.

        Raises:
            FileNotFoundError: It is not on this machine.
        """
        if self.folder is None:
            raise FileNotFoundError(self.name)
        return self.folder


def found_in(programs: Path) -> dict[str, Program]:
    """Return what lies in a folder; a program that does not is there without a folder."""
    result = {}
    for name, mark in MARKS.items():
        folder = programs / name
        said = programs / f"{name}.commit"
        commit = said.read_text(encoding="utf-8").strip()[:12] if said.is_file() else "unknown"
        present = (folder / mark).is_file()
        result[name] = Program(name, folder if present else None, commit if present else "")
    return result


class _Anything(type):
    """The type of classes that have every attribute, and do nothing when they are called."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _nothing(name)

    def __fspath__(cls) -> str:
        return tempfile.gettempdir()


def _nothing(name: str) -> _Anything:
    nothing = {"__init__": lambda *_, **__: None, "__iter__": lambda _: iter(())}
    return _Anything(name, (), nothing)


class StandIn(types.ModuleType):
    """A module in which every name is a class that does nothing."""

    __path__: list[str] = []  # noqa: RUF012  # so that it can be a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = _nothing(name)
        setattr(self, name, made)
        return made


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if any(fullname == name or fullname.startswith(f"{name}.") for name in self.names):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> StandIn:
        return StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        return None


@contextmanager
def importable(paths: Sequence[Path], stand_ins: Sequence[str]) -> Iterator[None]:
    """Let a program be imported by path, with stand-ins for what is not to be loaded.

    Args:
        paths: Put before all others.
        stand_ins: Modules that are replaced, with everything under them.
    """
    finder = _Finder(stand_ins)
    before = [str(path) for path in paths]
    sys.meta_path.insert(0, finder)
    sys.path[:0] = before
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for path in before:
            sys.path.remove(path)


@contextmanager
def alone(*tops: str) -> Iterator[None]:
    """Let a program import modules whose names others have, too; afterwards they are as before.

    Args:
        tops: Names of modules and packages at the top.
    """

    def gone() -> dict[str, types.ModuleType]:
        names = [name for name in sys.modules if name.partition(".")[0] in tops]
        return {name: sys.modules.pop(name) for name in names}

    others = gone()
    try:
        yield
    finally:
        gone()
        sys.modules.update(others)


def missing(names: Sequence[str]) -> list[str]:
    """Return those of the modules that are not installed."""
    return [name for name in names if importlib.util.find_spec(name) is None]
