"""A captioning model in a local folder: is it complete, and which one is it?"""

from __future__ import annotations

import hashlib
from pathlib import Path

from toolkit.scrapers.errors import WrongOptions

# Enough to tell two models apart in sources.jsonl.
HASH_DIGITS = 12


def check_folder(folder: Path, names: tuple[str, ...]) -> None:
    """Make sure that a model's files are there.

    Raises:
        WrongOptions: Some are missing; the message names all of them.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise WrongOptions(
            f"This is no model for captions: {', '.join(missing)} missing.",
            where=str(folder),
            fix="Give --caption-model the folder that holds its files.",
        )


def identity(kind: str, weights: Path) -> str:
    """Return kind, folder name and hash of a model: what a caption was made by."""
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{kind} {weights.parent.name} sha256:{digest[:HASH_DIGITS]}"
