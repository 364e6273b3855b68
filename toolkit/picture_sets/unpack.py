"""Unpack a zip of pictures of unknown origin: no file outside the folder, no bomb, no links."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath

from toolkit.core.errors import DataSetError

from .folder import is_caption, is_junk, is_list, is_picture

MOST_FILES = 20_000
MOST_BYTES = 8_000_000_000
MOST_BYTES_PER_FILE = 200_000_000
# Pictures hardly shrink; what grows more than this on unpacking is a bomb.
MOST_GROWTH = 100
CHUNK_BYTES = 1 << 20


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the pictures and captions of a zip into an empty folder.

    Returns:
        Where they are: the folder, or the one folder that the archive consists of.

    Raises:
        DataSetError: It is no zip, damaged, encrypted, too large, or would write elsewhere; nothing
            was written outside ``folder``.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _checked(opened, archive)
            total = 0
            for member in members:
                total += _write(opened, member, folder)
                if total > MOST_BYTES:
                    raise _refused(archive, f"it holds more than {MOST_BYTES:,} bytes")
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, OSError) as error:
        raise _refused(archive, str(error) or type(error).__name__) from error
    inside = [path for path in folder.iterdir() if not is_junk(path)]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _checked(opened: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    """Return the members to unpack; refuse the archive for what any of them is."""
    members = [member for member in opened.infolist() if not member.is_dir()]
    if len(members) > MOST_FILES:
        raise _refused(archive, f"it holds {len(members):,} files, and {MOST_FILES:,} are allowed")
    if sum(member.file_size for member in members) > MOST_BYTES:
        raise _refused(archive, f"it holds more than {MOST_BYTES:,} bytes")
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        name = member.filename
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise _refused(archive, f"{name!r} would be written outside the folder")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise _refused(archive, f"{name!r} is a link")
        if member.flag_bits & 1:
            raise _refused(archive, f"{name!r} is encrypted")
        if member.file_size > MOST_BYTES_PER_FILE:
            raise _refused(archive, f"{name!r} has {member.file_size:,} bytes")
        if member.file_size > MOST_GROWTH * max(member.compress_size, 1000):
            raise _refused(archive, f"{name!r} would grow more than {MOST_GROWTH}-fold")
    return members


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> int:
    """Unpack one member; return its size. Reading stops at the size that its entry promised.

    What is neither picture nor text stays empty: its name is enough to say that it is not used.
    """
    target = folder / PurePosixPath(member.filename.replace("\\", "/"))
    if not target.resolve().is_relative_to(folder.resolve()):
        raise OSError(f"{member.filename!r} would be written outside the folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    if not wanted(target):
        target.touch()
        return size
    with opened.open(member) as source, target.open("wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            size += len(chunk)
            file.write(chunk)
    return size


def wanted(path: Path) -> bool:
    """Tell whether the content of a file matters, and not only its name."""
    is_paper = path.suffix.lower() in (".md", ".jsonl")
    return not path.suffix or is_paper or is_picture(path) or is_caption(path) or is_list(path)


def _refused(archive: Path, reason: str) -> DataSetError:
    return DataSetError(
        f"{archive.name} cannot be unpacked: {reason}.",
        where=str(archive),
        fix="Make a plain zip of the pictures and their captions, or give the folder itself.",
    )
