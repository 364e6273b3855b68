"""How much of a contribution is its own: "97 % the same as Example1: differs in rank only"."""

from __future__ import annotations

import ast
import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# From here on the hint is given; a folder made by `new` and left alone lies above it.
SAME_ENOUGH = 0.9
# What a contribution says about itself, and not what it does.
DESCRIPTIVE = frozenset({"name", "authors", "summary", "license", "links", "based_on"})
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Likeness:
    """The nearest neighbour of a contribution."""

    name: str
    share: float  # 0 to 1, of the lines of its code and its settings
    differs_in: tuple[str, ...]  # functions, classes and settings that differ, sorted

    def sentence(self) -> str:
        """Say it as a hint: ``97 % the same as Example1: differs in lora.rank only``."""
        if not self.differs_in:
            return f"100 % the same as {self.name}: nothing that runs is different."
        listed = ", ".join(self.differs_in[:6])
        more = f" and {len(self.differs_in) - 6} more" if len(self.differs_in) > 6 else " only"
        return f"{self.share:.0%} the same as {self.name}: differs in {listed}{more}.".replace(
            "%", " %"
        )


def nearest(folder: Path, others: list[Path]) -> Likeness | None:
    """Return the other folder that this one resembles most, or None when there is none.

    Comments, docstrings, names of authors, pictures and README do not count: only what runs.
    """
    own = _pieces(folder)
    found = [_compare(own, _pieces(other), other.name) for other in others if other != folder]
    return max(found, key=lambda likeness: likeness.share, default=None)


def _compare(own: dict[str, str], other: dict[str, str], name: str) -> Likeness:
    differing = {key for key in own.keys() | other.keys() if own.get(key) != other.get(key)}
    lines, other_lines = _lines(own), _lines(other)
    share = difflib.SequenceMatcher(a=lines, b=other_lines, autojunk=False).ratio()
    if not lines and not other_lines:
        share = 1.0
    return Likeness(name, share, tuple(sorted(differing)))


def _lines(pieces: dict[str, str]) -> list[str]:
    return [line for key in sorted(pieces) for line in pieces[key].splitlines()]


def _pieces(folder: Path) -> dict[str, str]:
    """Cut a folder into named pieces: one per function, class, other statement and setting."""
    pieces: dict[str, str] = {}
    for key, value in _settings(folder / "contribution.toml").items():
        pieces[key] = f"{key} = {value!r}"
    for path in sorted((folder / "src").rglob("*.py")):
        if path.is_symlink() or path.stat().st_size > MAX_BYTES:
            continue
        module = path.relative_to(folder / "src").as_posix()
        pieces |= {f"{module}:{name}": text for name, text in _code(path.read_bytes()).items()}
    return pieces


def _settings(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_bytes()[:MAX_BYTES].decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}  # The structure check reports it, with its line.
    flat: dict[str, Any] = {k: v for k, v in values.items() if k not in DESCRIPTIVE}
    tables = flat.pop("settings", {})
    if isinstance(tables, dict):
        for table, fields in tables.items():
            if isinstance(fields, dict):
                flat |= {f"{table}.{key}": value for key, value in fields.items()}
    return flat


def _code(source: bytes) -> dict[str, str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return {"(cannot be parsed)": source.decode("utf-8", "replace")}
    found: dict[str, str] = {}
    for node in tree.body:
        _drop_docstrings(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = ast.unparse(node)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            found["(top level)"] = f"{found.get('(top level)', '')}{ast.unparse(node)}\n"
    return found


def _drop_docstrings(node: ast.AST) -> None:
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and (
            ast.get_docstring(part, clean=False) is not None and len(part.body) > 1
        ):
            del part.body[0]
