"""Rewrite one text file for `check --fix`: atomically, keeping its permissions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from toolkit.core import atomic


def rewrite_bytes(file: Path, change: Callable[[bytes], bytes]) -> None:
    """Replace a regular file's bytes; leave it alone when nothing changes."""
    if file.is_symlink() or not file.is_file():
        return
    before = file.read_bytes()
    after = change(before)
    if after == before:
        return
    mode = file.stat().st_mode
    atomic.write_bytes(file, after)
    file.chmod(mode)


def rewrite_text(file: Path, change: Callable[[str], str]) -> None:
    """Replace a UTF-8 file's text; leave it alone when it is not UTF-8."""

    def on_bytes(data: bytes) -> bytes:
        try:
            return change(data.decode("utf-8")).encode("utf-8")
        except UnicodeDecodeError:
            return data

    rewrite_bytes(file, on_bytes)
