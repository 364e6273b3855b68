"""Hash a folder by the names and bytes of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

# Left out of the content hash: made by Python and by desktops, never part of a contribution.
IGNORED_NAMES = frozenset({"__pycache__", ".DS_Store", "Thumbs.db"})


# For readers: its words and its table of results may change without a new run. HUB233 keeps code
# from reading it.
README = "README.md"


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files that make up a folder, in an order that every machine agrees on."""
    for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix()):
        parts = path.relative_to(folder).parts
        if path.is_file() and not IGNORED_NAMES.intersection(parts):
            yield path


def content_hash(folder: Path) -> str:
    """Return ``sha256:...`` over the names and bytes of a folder's files but its README.md.

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
        digest.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
    return f"sha256:{digest.hexdigest()}"
