"""Digests of the pictures and the base of a run, of what counts in them and of nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from toolkit.picture_sets.captions import content_hash
from toolkit.picture_sets.folder import Picture
from toolkit.picture_sets.problems import shown

# Of each weight file: so many windows of so many bytes, evenly spread. Four gigabytes are not read
# through, but an autoencoder of 300 megabytes in them is met twenty times.
WINDOWS, WINDOW_BYTES = 256, 4096
HEAD_BYTES = 1 << 20  # the names and shapes of all tensors lie here


def picture_digests(pictures: Sequence[Picture], folder: Path) -> dict[str, str]:
    """Return a digest of each picture that is used, with its caption, by its name."""
    return {
        shown(one.path, folder): hashlib.sha256(
            f"{content_hash(one.path)}\0{one.caption}".encode()
        ).hexdigest()[:16]
        for one in pictures
    }


def base_fingerprint(base: Path) -> str:
    """Return a digest of a base model's settings and of samples from its weights.

    Where it lies and what a single file is called does not count.
    """
    files = [base] if base.is_file() else sorted(p for p in base.glob("*/*") if p.is_file())
    digest = hashlib.sha256()
    for path in files:
        if path.suffix in (".json", ".safetensors"):
            name = "" if path == base else f"{path.parent.name}/{path.name}"
            digest.update(f"{name}\0{path.stat().st_size}\0{sampled(path)}\n".encode())
    return digest.hexdigest()[:16]


def sampled(path: Path) -> str:
    """Return a digest of the beginning of a file and of windows all over it."""
    digest, size = hashlib.sha256(), path.stat().st_size
    with path.open("rb") as file:
        digest.update(file.read(HEAD_BYTES))
        for number in range(WINDOWS) if size > HEAD_BYTES else ():
            file.seek(HEAD_BYTES + (size - HEAD_BYTES) * number // WINDOWS)
            digest.update(file.read(WINDOW_BYTES))
    return digest.hexdigest()
