"""One contribution's folder, read once and never changed: what all rules look at."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from harness.check import hooks, limits
from harness.check.python_source import Import, Module
from harness.contributions import file as contribution_file
from harness.contributions import toml_lines
from harness.contributions.record import ContributionFile
from toolkit.core.settings import HOOK_NAMES
from toolkit.images.headers import Picture

Kind = Literal["file", "folder", "symlink", "other"]

TOML = "contribution.toml"
MAIN = "src/main.py"
_READ_LIMIT = 4 * limits.MIB
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder inside the contribution."""

    path: str  # relative to the contribution, with forward slashes
    file: Path
    kind: Kind
    size: int

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The extension, lower case, with its dot."""
        return os.path.splitext(self.name)[1].lower()  # noqa: PTH122 - 5x faster than Path.suffix

    @property
    def parent(self) -> str:
        """The folder it lies in; "" at the top."""
        return self.path.rpartition("/")[0]


class Folder:
    """A read-only view: files are listed once, read once and parsed once.

    Args:
        path: The contribution's folder.
        root: The repository.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self.root = root
        self.name = path.name
        self._bytes: dict[str, bytes] = {}

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Everything inside, sorted by path; symlinks are listed and never followed."""
        found: list[Entry] = []
        waiting = [("", self.path, 0)]
        while waiting and len(found) < limits.MAX_LISTED:
            prefix, directory, depth = waiting.pop()
            for item in _scan(directory):
                if item.name == "__pycache__":
                    continue  # made by Python, from sources that are looked at
                entry = _entry(prefix + item.name, item)
                found.append(entry)
                if entry.kind == "folder" and depth < limits.MAX_DEPTH:
                    waiting.append((f"{entry.path}/", entry.file, depth + 1))
        return tuple(sorted(found[: limits.MAX_LISTED], key=lambda entry: entry.path))

    @cached_property
    def by_path(self) -> dict[str, Entry]:
        """The entries by their path."""
        return {entry.path: entry for entry in self.entries}

    @cached_property
    def files(self) -> tuple[Entry, ...]:
        """The regular files among the entries."""
        return tuple(entry for entry in self.entries if entry.kind == "file")

    @property
    def examined(self) -> tuple[Entry, ...]:
        """As many files as a folder may have: a hostile one must not fill the memory."""
        return self.files[: limits.MAX_FILES]

    @cached_property
    def texts(self) -> tuple[Entry, ...]:
        """The files that are meant to be text and are small enough to look at."""
        return tuple(
            entry
            for entry in self.examined
            if entry.suffix in limits.TEXT_SUFFIXES and entry.size <= limits.MAX_FILE_BYTES
        )

    def read(self, entry: Entry) -> bytes:
        """Return a file's bytes, at most 4 MiB of them; unreadable files are empty."""
        if entry.path not in self._bytes:
            try:
                with entry.file.open("rb") as file:
                    self._bytes[entry.path] = file.read(_READ_LIMIT)
            except OSError:
                self._bytes[entry.path] = b""
        return self._bytes[entry.path]

    def head(self, entry: Entry) -> bytes:
        """Return a file's first 4 KiB, enough to tell what it is."""
        if entry.path in self._bytes:
            return self._bytes[entry.path][:_HEAD]
        try:
            with entry.file.open("rb") as file:
                return file.read(_HEAD)
        except OSError:
            return b""

    def text(self, entry: Entry) -> str | None:
        """Return a file's text without a byte-order mark; None when too large or not UTF-8."""
        if entry.size > limits.MAX_FILE_BYTES:
            return None
        try:
            return self.read(entry).decode("utf-8").removeprefix("\ufeff")
        except UnicodeDecodeError:
            return None

    def is_file(self, path: str) -> bool:
        """Tell whether there is a regular file at ``path``."""
        return path in self.by_path and self.by_path[path].kind == "file"

    def is_folder(self, path: str) -> bool:
        """Tell whether there is a folder at ``path``."""
        return path in self.by_path and self.by_path[path].kind == "folder"

    # --- contribution.toml ---

    @cached_property
    def document(self) -> contribution_file.Document:
        """The parsed contribution.toml, empty when there is none."""
        if not self.is_file(TOML):
            return contribution_file.Document(None, {}, {}, ())
        return contribution_file.parse(self.read(self.by_path[TOML]))

    @property
    def description(self) -> ContributionFile | None:
        """The validated contribution.toml, or None when it has faults."""
        return self.document.file

    def toml_line(self, *key: str | int) -> int:
        """Return the line of contribution.toml on which a field stands."""
        return toml_lines.line_of(self.document.lines, key)

    @cached_property
    def declared_hooks(self) -> tuple[str, ...] | None:
        """The declared hooks, even when other fields have faults; None when unreadable."""
        if not self.is_file(TOML) or any(
            fault.rule == contribution_file.SYNTAX for fault in self.document.faults
        ):
            return None
        listed = self.document.values.get("hooks", [])
        if not isinstance(listed, list):
            return None
        return tuple(hook for hook in HOOK_NAMES if hook in listed)

    def declared_texts(self, key: str) -> tuple[str, ...]:
        """Return the texts of a list field, even when other fields have faults."""
        listed = self.document.values.get(key, [])
        if not isinstance(listed, list):
            return ()
        return tuple(item if isinstance(item, str) else "" for item in listed)

    @property
    def is_config_only(self) -> bool:
        """Whether it has no Python: no hooks declared and no src/."""
        return self.declared_hooks == () and not self.is_folder("src")

    @cached_property
    def neighbours(self) -> frozenset[str]:
        """The names of all folders beside this one, and in CONTRIBUTIONS/."""
        places = {self.path.parent, self.root / "CONTRIBUTIONS"}
        return frozenset(
            item.name
            for place in places
            for item in _scan(place)
            if item.is_dir(follow_symlinks=False)
        )

    # --- Python ---

    @cached_property
    def modules(self) -> dict[str, Module]:
        """Every .py file that is UTF-8 and not over the size cap, parsed."""
        found = {}
        for entry in self.texts:
            if entry.suffix == ".py":
                text = self.text(entry)
                if text is not None:
                    found[entry.path] = Module(entry.path, text)
        return found

    @property
    def imports(self) -> Iterator[tuple[Module, Import]]:
        """All imports, with the module that each stands in."""
        return ((module, item) for module in self.modules.values() for item in module.imports)

    @property
    def calls(self) -> Iterator[tuple[Module, str, ast.Call]]:
        """All calls with the dotted names of what is called, and their modules."""
        return ((m, name, call) for m in self.modules.values() for name, call in m.calls)

    def module_at(self, parts: tuple[str, ...]) -> Module | None:
        """Return the module of a dotted path such as ``("src", "lora")``."""
        path = "/".join(parts)
        return self.modules.get(f"{path}.py") or self.modules.get(
            f"{path}/__init__.py" if path else "__init__.py"
        )

    @cached_property
    def hooks(self) -> hooks.HookScan:
        """Which functions are marked, and which of them main.py shows to the hub."""
        return hooks.scan(self)

    # --- pictures ---

    @cached_property
    def pictures(self) -> tuple[Picture, ...]:
        """The files in Dataset/Images with a picture's extension and an acceptable size."""
        return tuple(
            Picture(entry.path, entry.suffix, self.read(entry))
            for entry in self.examined
            if entry.parent == limits.IMAGES
            and entry.suffix in limits.PICTURE_FORMATS
            and not is_junk(entry.path)
            and entry.size <= limits.MAX_PICTURE_BYTES
        )


def is_junk(path: str) -> bool:
    """Tell whether a desktop or an archiver left this file behind."""
    parts = path.split("/")
    return (
        parts[-1] in {".DS_Store", "Thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini"}
        or parts[-1].startswith("._")
        or "__MACOSX" in parts
    )


def _scan(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as items:
            return list(items)
    except OSError:
        return []


def _entry(path: str, item: os.DirEntry[str]) -> Entry:
    kind: Kind = "other"
    size = 0
    # is_junction: on Windows a junction leads out of the folder just as a symlink does (3.12+).
    if item.is_symlink() or getattr(item, "is_junction", bool)():
        kind = "symlink"
    elif item.is_dir(follow_symlinks=False):
        kind = "folder"
    elif item.is_file(follow_symlinks=False):
        kind = "file"
        try:
            size = item.stat(follow_symlinks=False).st_size
        except OSError:  # It vanished between listing and looking.
            size = 0
    return Entry(path, Path(item.path), kind, size)
