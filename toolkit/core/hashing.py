"""Hash a folder by the names and bytes of its files."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

# Left out of the content hash: made by Python and by desktops, never part of a contribution.
IGNORED_NAMES = frozenset({"__pycache__", ".DS_Store", "Thumbs.db"})


# For readers: its words and its table of results may change without a new run. HUB233 keeps code
# from reading it.
README = "README.md"

# What a contribution says of itself in its [differs] table changes no run: the gate compares it
# with what it measures, and nothing else reads it.
DESCRIPTION, DECLARATIONS = "contribution.toml", "differs"


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files that make up a folder, in an order that every machine agrees on."""
    for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix()):
        parts = path.relative_to(folder).parts
        if path.is_file() and not IGNORED_NAMES.intersection(parts):
            yield path


def content_hash(folder: Path) -> str:
    """Return ``sha256:...`` over the names and bytes of a folder's files but its README.md.

    The ``[differs]`` table of a contribution.toml counts as little as the README.

    Names and contents only: a clone, a copy or another file system gives the same hash. Text is
    hashed with Unix line ends, so a checkout on Windows does too.
    """
    digest = hashlib.sha256()
    for path in files_of(folder):
        name = path.relative_to(folder).as_posix()
        if name == README:
            continue
        data = path.read_bytes()
        if b"\0" not in data:
            data = data.replace(b"\r\n", b"\n")
        if name == DESCRIPTION:
            data = without_declarations(data)
        digest.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def without_declarations(data: bytes) -> bytes:
    """Return a contribution.toml without its ``[differs]`` table, with Unix line ends.

    All of it is returned where cutting out the lines from ``[differs]`` to the next table would
    take something else along, as it would where they stand inside a text of several lines.
    """
    table = re.compile(rb"\n*^\[differs\][^\n]*\n(?:(?!\[)[^\n]*(?:\n|\Z))*", re.MULTILINE)
    shorter, count = table.subn(b"\n", data)
    if count != 1:
        return data
    try:
        whole, rest = tomllib.loads(data.decode()), tomllib.loads(shorter.decode())
    except ValueError:
        return data
    whole.pop(DECLARATIONS, None)
    return shorter if rest == whole else data
