"""HUB404: every clone of the hub downloads every file."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import limits
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB404"
TITLE = "A file is too large"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare sizes with the caps: 2 MiB for pictures, 1 MiB for everything else."""
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
