"""A reference's runs as one piece of bytes: packed where it was trained, unpacked where it is used.

A zip of plain files, stored as they are. Only kinds of files that a run leaves are taken in or let
out, only below runs/, and never over something that is there.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from harness import paths
from harness.runs.folders import PAGE_FILE, ROW_FILE
from harness.sandbox.tidy import remove_tree
from toolkit.core.errors import HubError
from toolkit.core.locks import held

KINDS = frozenset({".json", ".safetensors", ".png", ".webp", ".html"})
MOST_FILES = 10_000
LOCK = "bundle"
REPORT_FILE = "report.json"  # of the gate


def pack(folders: Iterable[Path]) -> bytes:
    """Return the files of runs as bytes.

    Args:
        folders: Folders of runs, below runs/; one that is not there is left out.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        for folder in sorted(set(folders)):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.is_symlink() and path.suffix in KINDS:
                    bundle.write(path, path.relative_to(paths.RUNS).as_posix())
    return buffer.getvalue()


def unpack(data: bytes) -> None:
    """Put the runs of a bundle into runs/, each whole or not at all; known ones stay as they are.

    Raises:
        HubError: It is no bundle.
    """
    paths.RUNS.mkdir(parents=True, exist_ok=True)
    try:
        bundle = zipfile.ZipFile(io.BytesIO(data))
        files = bundle.infolist()
        names = [checked(info) for info in files]
        # `pack` stores files as they are; packed ones could be a thousand times as large.
        if len(files) > MOST_FILES or sum(info.file_size for info in files) > len(data):
            raise ValueError("it holds more than it can")
    except (zipfile.BadZipFile, ValueError) as error:
        raise HubError(f"The reference's files did not arrive whole: {error}") from error
    with bundle, held(paths.RUNS / LOCK, timeout_s=-1):
        runs = {run_of(name) for name in names}
        lacking = {run for run in runs if not is_settled(paths.RUNS / run)}
        if lacking:
            extract(bundle, [name for name in names if run_of(name) in lacking])


def run_of(name: PurePosixPath) -> PurePosixPath:
    """Return the folder of the run, or of the gate's report, that a file belongs to."""
    return PurePosixPath(*name.parts[:3])


def extract(bundle: zipfile.ZipFile, names: Sequence[PurePosixPath]) -> None:
    """Put files in their place, a run at a time."""
    own = tempfile.TemporaryDirectory(prefix=".bundle-", dir=paths.RUNS)
    with own as temporary:
        for name in names:
            target = Path(temporary) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with bundle.open(name.as_posix()) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        for run in sorted({run_of(name) for name in names}):
            target = paths.RUNS / run
            if target.exists():
                remove_tree(target)  # half a run of an interrupted task
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(temporary) / run).rename(target)


def is_settled(target: Path) -> bool:
    """Tell whether a finished run, or the gate's report, is in its place."""
    finished = (target / ROW_FILE).is_file() and (target / PAGE_FILE).is_file()
    return finished or (target / REPORT_FILE).is_file()


def checked(info: zipfile.ZipInfo) -> PurePosixPath:
    """Return the path of a file in a bundle.

    Raises:
        ValueError: It would lead elsewhere, or is of no kind that a run leaves.
    """
    name = PurePosixPath(info.filename)
    plain = not name.is_absolute() and ".." not in name.parts and len(name.parts) > 3
    if not plain or name.suffix not in KINDS or "\\" in info.filename or ":" in info.filename:
        raise ValueError(f"{info.filename[:100]!r} is no file of a run")
    return name
