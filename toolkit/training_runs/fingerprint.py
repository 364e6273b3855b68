"""Digests of the pictures and the base of a run."""

from __future__ import annotations

import hashlib
from pathlib import Path


def data_fingerprint(folder: Path) -> str:
    """Return a digest of the names and bytes of all files of a folder, hidden ones left out."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part.startswith(".") for part in name.split("/")):
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def base_fingerprint(base: Path) -> str:
    """Return a digest of a base model's settings and of the sizes and beginnings of its weights.

    Four gigabytes are not read through: a weight file's first mebibyte and its length tell models
    apart that people mix up.
    """
    files = [base] if base.is_file() else sorted(p for p in base.glob("*/*") if p.is_file())
    digest = hashlib.sha256()
    for path in files:
        if path.suffix in (".json", ".safetensors"):
            with path.open("rb") as file:
                start = hashlib.sha256(file.read(1 << 20)).hexdigest()
            digest.update(
                f"{path.parent.name}/{path.name}\0{path.stat().st_size}\0{start}\n".encode()
            )
    return digest.hexdigest()[:16]
