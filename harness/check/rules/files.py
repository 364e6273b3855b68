"""Kinds and sizes of files. HUB401 to HUB406."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.check import limits
from harness.check.file_kinds import FORBIDDEN, SECRET_NAMES, kind_by_content
from harness.check.folder import Folder, is_junk
from harness.check.problem import Problem, rule
from toolkit.core.file_starts import is_safetensors


@rule("HUB401", "A file type is not allowed")
def file_type(folder: Folder) -> Iterator[Problem]:
    """File types that have no place in a contribution."""
    for entry in folder.files:
        if is_junk(entry.path):
            continue
        suffix = ".so" if ".so." in entry.name.lower() else entry.suffix
        if entry.name.lower() in SECRET_NAMES or entry.name.lower().startswith(".env."):
            why, shown = "may hold a secret", entry.name
        elif suffix in FORBIDDEN:
            why, shown = FORBIDDEN[suffix], suffix
        else:
            continue
        fix = "Remove it from the folder. Weights, if any, are .safetensors."
        if "secret" in why:
            fix = "Remove it, and if it was ever pushed, replace the secret."
        yield Problem(f"{shown!r} files are not allowed: such a file {why}.", fix, entry.path)


@rule("HUB402", "A file is not what its extension says")
def disguised_file(folder: Folder) -> Iterator[Problem]:
    """The content is something else than the extension says."""
    for entry in folder.files:
        if entry.suffix in FORBIDDEN or entry.name in SECRET_NAMES or is_junk(entry.path):
            continue
        data = folder.head(entry)
        kind = kind_by_content(data)
        if kind is None and entry.suffix == ".safetensors" and not is_safetensors(data, entry.size):
            kind = "not a safetensors file"
        if kind:
            yield Problem(
                f"{entry.name!r} is {kind}, whatever its extension says.",
                "Remove it; archives, pickles and programs are not allowed under any name.",
                entry.path,
            )


def _mend_junk(file: Path) -> None:
    """Delete the file, and __MACOSX folders that it leaves empty."""
    if file.is_symlink() or not file.is_file() or not is_junk(file.as_posix()):
        return
    file.unlink()
    for parent in file.parents:
        if "__MACOSX" not in parent.parts or any(parent.iterdir()):
            break
        parent.rmdir()


@rule("HUB403", "A desktop left a file behind", mend=_mend_junk)
def junk(folder: Folder) -> Iterator[Problem]:
    """Files that desktops and archivers leave behind."""
    # Look at the names: .DS_Store, Thumbs.db, desktop.ini, ._*, __MACOSX.
    for entry in folder.files:
        if is_junk(entry.path):
            yield Problem(
                f"{entry.name!r} was made by the desktop and is no part of the contribution.",
                "Delete it; `check --fix` does.",
                entry.path,
            )


@rule("HUB404", "A file is too large")
def file_size(folder: Folder) -> Iterator[Problem]:
    """Every clone of the hub downloads every file."""
    # Compare sizes with the caps: 2 MiB for pictures, 1 MiB for everything else.
    for entry in folder.files:
        is_picture = entry.suffix in limits.PICTURE_FORMATS
        cap = limits.MAX_PICTURE_BYTES if is_picture else limits.MAX_FILE_BYTES
        if entry.size > cap:
            yield Problem(
                f"The file has {entry.size / limits.MIB:.1f} MiB; at most {cap // limits.MIB} "
                "MiB are allowed.",
                "Scale the picture down, or save it as WEBP."
                if is_picture
                else "Remove it, or make it smaller.",
                entry.path,
            )


@rule("HUB405", "The folder is too large")
def folder_size(folder: Folder) -> Iterator[Problem]:
    """The caps on a whole contribution."""
    total = sum(entry.size for entry in folder.files)
    if total > limits.MAX_FOLDER_BYTES:
        yield Problem(
            f"The folder has {total / limits.MIB:.1f} MiB; at most "
            f"{limits.MAX_FOLDER_BYTES // limits.MIB} MiB are allowed.",
            "Use fewer or smaller pictures: 5 to 20 are enough for LoRA.",
        )
    count = len(folder.files)
    if count > limits.MAX_FILES:
        more = "more than " if len(folder.entries) >= limits.MAX_LISTED else ""
        yield Problem(
            f"The folder has {more}{count} files; at most {limits.MAX_FILES} are allowed (and only "
            "as many were looked into).",
            "Use fewer pictures: 5 to 20 are enough for LoRA.",
        )
    deep = [e for e in folder.entries if e.path.count("/") >= limits.MAX_DEPTH]
    if deep:
        yield Problem(
            f"Folders are nested more than {limits.MAX_DEPTH} deep; nothing below was checked.",
            "Flatten them.",
            deep[0].path,
        )


@rule("HUB406", "A symbolic link or special file")
def symlink(folder: Folder) -> Iterator[Problem]:
    """Links and devices lead out of the folder."""
    # Look at the kinds of all entries, and at the folder itself.
    if folder.path.is_symlink():
        yield Problem("The folder is a symbolic link.", "Put a real folder in its place.")
    for entry in folder.entries:
        if entry.kind == "symlink":
            yield Problem(
                f"{entry.name!r} is a symbolic link; it may lead anywhere, and breaks on Windows.",
                "Put the file itself in its place.",
                entry.path,
            )
        elif entry.kind == "other":
            yield Problem(
                f"{entry.name!r} is neither a file nor a folder (a pipe, socket or device).",
                "Remove it.",
                entry.path,
            )
