"""The texts of a module that may be file paths, for HUB231 and HUB232."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from harness.check.python_source import Module

_LONGEST = 300

# The first text in these is a path; for the os.path and pathlib joins, each one.
_PATH_CALLS = frozenset(
    {
        "open",
        "io.open",
        "glob.glob",
        "pathlib.Path",
        "pathlib.PurePath",
        "PIL.Image.open",
        "os.listdir",
        "os.scandir",
        "os.makedirs",
        "os.mkdir",
        "os.chdir",
        "os.walk",
        "os.path.join",
        "os.path.exists",
        "os.path.isfile",
        "os.path.isdir",
        "torch.save",
        "torch.load",
        "safetensors.torch.load_file",
        "safetensors.torch.save_file",
        "shutil.copy",
        "shutil.copytree",
        "shutil.rmtree",
    }
)


class PathText(NamedTuple):
    """One text constant, by value and as it was typed."""

    value: str
    typed: str  # between the quotes, escapes unresolved
    line: int
    is_path_argument: bool


def path_texts(module: Module) -> Iterator[PathText]:
    """Yield the text constants that are not docstrings, comments or regular expressions."""
    skipped = {id(node.value) for node in module.nodes(ast.Expr)}
    arguments: set[int] = set()
    for name, call in module.calls:
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        if name.startswith(("re.", "regex.")):
            skipped.update(id(item) for item in given)
        elif name in _PATH_CALLS:
            arguments.update(id(item) for item in given)
    lines = module.text.split("\n")
    for node in module.nodes(ast.Constant):
        value = node.value
        if (
            isinstance(value, str)
            and 2 <= len(value) <= _LONGEST
            and ("/" in value or "\\" in value or _has_escapes(value))
            and id(node) not in skipped
        ):
            typed = _typed(lines, node, value)
            yield PathText(value, typed, node.lineno, id(node) in arguments)


def _has_escapes(value: str) -> bool:
    return not value.isprintable()


def _typed(lines: list[str], node: ast.Constant, value: str) -> str:
    if node.end_lineno != node.lineno or node.lineno > len(lines):
        return value
    # Offsets count UTF-8 bytes.
    line = lines[node.lineno - 1].encode("utf-8")[node.col_offset : node.end_col_offset]
    text = line.decode("utf-8", "replace").lstrip("rRbBuUfF")
    if len(text) >= 2 and text[0] in "\"'" and text[-1] == text[0]:
        return text.strip(text[0])
    return value
