"""Write one contribution of a commit to disk, as plain files and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.commands.ci.path_rule import FOLDER
from toolkit.core.errors import UsageError
from toolkit.core.git import REGULAR, Blob, Repository


def export_hub(repository: Repository, commit: str, names: Sequence[str], root: Path) -> None:
    """Lay the named contributions out below ``root``, with empty folders for their neighbours.

    The neighbours are there because some rules ask which names are taken.

    Args:
        repository: Where the commit is.
        commit: Full id.
        names: Valid names of contributions in that commit.
        root: An empty folder that stands for the repository.
    """
    for name in repository.folder_names(commit, FOLDER):
        if is_plain(name):
            (root / FOLDER / name).mkdir(parents=True, exist_ok=True)
    for name in names:
        export_folder(repository, repository.files(commit, f"{FOLDER}/{name}"), root)


def export_folder(repository: Repository, blobs: Sequence[Blob], root: Path) -> None:
    """Write regular files below ``root``; symlinks and submodules are reported elsewhere.

    Raises:
        UsageError: A path would leave ``root``.
    """
    for blob in blobs:
        if blob.mode not in REGULAR:
            continue
        parts = blob.path.split("/")
        if not all(is_plain(part) for part in parts):
            raise UsageError(
                f"The path {blob.path!r} cannot be written.", where=f"object {blob.blob}"
            )
        target = root.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(repository.read(blob.blob))


def is_plain(part: str) -> bool:
    """Tell whether one part of a path names something inside its folder on every system."""
    if part in {"", ".", ".."} or part.casefold() == ".git":
        return False
    return not any(character in part for character in "\\:\0")
