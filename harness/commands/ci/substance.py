"""How much of a contribution is its own: "97 % the same as Example1: differs in rank only"."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contributions import file
from harness.contributions.record import ContributionFile
from toolkit.core.settings import REFERENCE_NAME

# From here on the hint is given; a folder made by `new` and left alone lies above it.
SAME_ENOUGH = 0.9
# Of two folders without code: so many settings may differ, and the hint is still given.
FEW_SETTINGS = 1
# Its one line is another adapter altogether, so it alone is no small difference.
METHOD = "lora.method"
# What a contribution says about itself, and not what it does.
DESCRIPTIVE = frozenset({"name", "authors", "summary", "license", "links", "based_on"})
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Likeness:
    """The nearest neighbour of a contribution."""

    name: str
    share: float  # 0 to 1, of the lines of its code and its settings
    differs_in: tuple[str, ...]  # functions, classes and settings that differ, sorted
    settings_only: bool = False  # neither has code, so `share` is of settings alone

    @property
    def is_close(self) -> bool:
        """Whether to say it: much of a long code, or all but one of the settings."""
        if self.settings_only:
            return len(self.differs_in) <= FEW_SETTINGS and self.differs_in != (METHOD,)
        return self.share >= SAME_ENOUGH

    def sentence(self) -> str:
        """Say it as a hint: ``97 % the same as Example1: differs in lora.rank only``."""
        if not self.differs_in:
            return f"100 % the same as {self.name}: nothing that runs is different."
        listed = ", ".join(self.differs_in[:6])
        more = f" and {len(self.differs_in) - 6} more" if len(self.differs_in) > 6 else " only"
        return f"{self.share:.0%} the same as {self.name}: differs in {listed}{more}.".replace(
            "%", " %"
        )


@dataclass(frozen=True)
class Parts:
    """What runs of a folder."""

    code: dict[str, str]  # one piece for each function, class and module's other statements
    settings: dict[str, Any]  # all of them, with their defaults

    @property
    def lines(self) -> list[str]:
        """The code's lines, then the settings that are not the defaults."""
        chosen = [f"{k} = {v!r}" for k, v in sorted(self.settings.items()) if _DEFAULTS.get(k) != v]
        return [line for key in sorted(self.code) for line in self.code[key].splitlines()] + chosen


def nearest(folder: Path, others: Sequence[Path], reference: Path | None = None) -> Likeness | None:
    """Return the other folder that this one resembles most, or None when there is none.

    Comments, docstrings, names of authors, pictures and README do not count: only what runs. A
    setting that is written out and has its default counts as not written.

    Args:
        folder: The contribution.
        others: Folders of contributions; itself is left out.
        reference: The folder of the reference's modules. A contribution that copies one of them is
            compared with what it copied, not with all the reference has.
    """
    own = _parts(folder)
    found = [_compare(own, _parts(other), other.name) for other in others if other != folder]
    if reference is not None:
        hub = Parts(_modules(reference), _DEFAULTS)
        found.append(_compare(own, hub, REFERENCE_NAME, part_of_it=True))
    return max(found, key=lambda likeness: (likeness.is_close, likeness.share), default=None)


def _compare(own: Parts, other: Parts, name: str, *, part_of_it: bool = False) -> Likeness:
    keys = own.settings.keys() | other.settings.keys()
    settings = {key for key in keys if own.settings.get(key) != other.settings.get(key)}
    if not own.code and (part_of_it or not other.code):
        share = 1 - len(settings) / len(keys)
        return Likeness(name, share, tuple(sorted(settings)), settings_only=True)
    lines, other_lines = own.lines, other.lines
    matcher = difflib.SequenceMatcher(a=lines, b=other_lines, autojunk=False)
    pieces = own.code.keys() if part_of_it else own.code.keys() | other.code.keys()
    differing = {key for key in pieces if own.code.get(key) != other.code.get(key)}
    share = matcher.ratio()
    if part_of_it:
        settings -= {"hooks"}  # the reference's are not its own
        share = sum(block.size for block in matcher.get_matching_blocks()) / max(1, len(lines))
    return Likeness(name, share, tuple(sorted(differing | settings)))


def _parts(folder: Path) -> Parts:
    return Parts(_modules(folder / "src"), _settings(folder / "contribution.toml"))


def _modules(source: Path) -> dict[str, str]:
    """Cut all modules into named pieces: ``lora.py:make_lora`` and its text."""
    pieces: dict[str, str] = {}
    for path in sorted(source.rglob("*.py")):
        if path.is_symlink() or path.stat().st_size > MAX_BYTES:
            continue
        module = path.relative_to(source).as_posix()
        pieces |= {f"{module}:{name}": text for name, text in _code(path.read_bytes()).items()}
    return pieces


def _settings(path: Path) -> dict[str, Any]:
    """Return every setting with its value; the defaults where the file cannot be read."""
    try:
        document = file.parse(path.read_bytes()[:MAX_BYTES])
    except OSError:
        return _DEFAULTS
    # The check reports faults, with their lines.
    return _DEFAULTS | _flat(document.file.model_dump() if document.file else document.values)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {k: v for k, v in values.items() if k not in DESCRIPTIVE}
    settings = flat.pop("settings", {})
    tables = {"mix": flat.pop("mix", {}), **(settings if isinstance(settings, dict) else {})}
    for table, fields in tables.items():
        if isinstance(fields, dict):
            flat |= {f"{table}.{key}": value for key, value in fields.items()}
    return flat


_DEFAULTS = _flat(
    ContributionFile(name="Defaults", authors=("the hub",), summary="all defaults").model_dump()
)


def _code(source: bytes) -> dict[str, str]:
    try:
        tree = ast.parse(source)
        found: dict[str, str] = {}
        for node in tree.body:
            _drop_docstrings(node)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[node.name] = ast.unparse(node)
            elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                found["(top level)"] = f"{found.get('(top level)', '')}{ast.unparse(node)}\n"
    # A long sum parses and is too deep to be written out again: what matters is a hint, so text
    # is compared as it stands.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {"(cannot be parsed)": source.decode("utf-8", "replace")}
    return found


def _drop_docstrings(node: ast.AST) -> None:
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and (
            ast.get_docstring(part, clean=False) is not None and len(part.body) > 1
        ):
            del part.body[0]
